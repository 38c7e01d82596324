from typing import Any

from secure_redis.api.reasons.reason import ConditionType
from secure_redis.api.status import (
    MESSAGE_LIMIT,
    Condition,
    CredentialStatus,
    DriftStatus,
    Status,
    merge_conditions,
)

EARLIER, LATER = "2026-11-24T10:00:00Z", "2026-11-24T12:00:00Z"


def condition(status: str = "True", **more: Any) -> Condition:
    return Condition(**{"type": "Ready", "reason": "Ready", "last_transition_time": EARLIER, **more}, status=status)


def test_a_transition_is_a_flip_of_the_status_only() -> None:
    before = [condition()]
    (same,) = merge_conditions(before, [condition(reason="Other", message="new", last_transition_time="")], LATER)
    assert (same.last_transition_time, same.reason, same.message) == (EARLIER, "Other", "new")
    (flipped,) = merge_conditions(before, [condition("False")], LATER)
    assert flipped.last_transition_time == LATER
    (first,) = merge_conditions([], [condition()], LATER)
    assert first.last_transition_time == LATER


def test_an_unchanged_world_merges_to_the_same_conditions() -> None:
    once = merge_conditions([], [condition(), condition("False", type="Stalled")], EARLIER)
    again = merge_conditions(once, [condition(), condition("False", type="Stalled")], LATER)
    assert once == again


def test_unreported_fields_are_removed_and_messages_fit_the_schema() -> None:
    gone = merge_conditions([condition(type="Stalled")], [condition(message="x" * 5000)], LATER)
    assert [c.type for c in gone] == ["Ready"]
    assert len(gone[0].message) == MESSAGE_LIMIT


def test_the_document_is_as_the_schema_spells_it() -> None:
    status = Status(
        observed_generation=3,
        conditions=(condition(),),
        drift=(
            DriftStatus(path="transport.nonTLSPort", declared="Disabled", observed="Enabled", drift_class="Security"),
        ),
        credential=CredentialStatus(slot="Primary", key_vault_version="v"),
    )
    document = status.document()
    assert document["observedGeneration"] == 3
    assert document["drift"][0]["class"] == "Security"
    assert document["credential"] == {"slot": "Primary", "keyVaultVersion": "v"}
    assert "binding" not in document
    assert document["conditions"][0]["lastTransitionTime"] == EARLIER
    assert Status.model_validate(document) == status


def test_conditions_are_found_by_type() -> None:
    status = Status(conditions=(condition(), condition("False", type="Stalled")))
    found = status.condition(ConditionType.STALLED)
    assert found is not None
    assert found.status == "False"
    assert status.condition(ConditionType.COMPLIANT) is None
