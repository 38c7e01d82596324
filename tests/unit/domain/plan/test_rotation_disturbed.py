"""Disturbances in each phase of a rotation: the portal, the vault, lost permissions, Azure that cannot be read."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from secure_redis.api.reasons.reason import Reason
from secure_redis.api.status import UNDER_WAY
from secure_redis.domain.grants import GrantPolicy, Power
from secure_redis.domain.observe.keys import Slot
from secure_redis.domain.observe.unknown import Unknown
from secure_redis.domain.plan.actions import (
    Action,
    MarkKey,
    RegenerateKey,
    StoreKey,
    WorkloadAction,
)
from tests.builders.rotation_stage import SETTINGS, password
from tests.builders.rotations import asked, done_by, step, world

CRITICAL = (MarkKey, RegenerateKey)
NO_GRANT = replace(
    SETTINGS,
    policy=GrantPolicy(caps=(replace(SETTINGS.policy.caps[0], powers=frozenset(Power) - {Power.ROTATE}),)),
)


# --- what others do meanwhile ---------------------------------------------------------------------------------------

PHASES = ["Intended", "Regenerating", "RollingOut", "Retiring"]


@pytest.mark.parametrize("phase", PHASES)
@pytest.mark.parametrize("slots", [("Primary",), ("Secondary",), ("Primary", "Secondary")])
def test_keys_regenerated_in_the_portal_are_survived(phase: str, slots: tuple[str, ...]) -> None:
    made = asked(until=phase)
    for slot in slots:
        made.portal(Slot(slot))
    made.pass_time(40)
    made.looks(60, until=lambda one: one.phase == "Completed")
    held = made.vault.value
    assert held is not None
    assert held.get_secret_value() in made.keys.values()
    assert password(made.secret) == held.get_secret_value()  # type: ignore[arg-type]
    made.looks(6)
    assert {pod.key for pod in made.pods} == {held.get_secret_value()}
    assert not any(one.consumers for one in made.regenerated)


@pytest.mark.parametrize("phase", ["RollingOut", "Retiring"])
def test_another_key_stored_by_a_person_ends_the_rotation(phase: str) -> None:
    made = asked(until=phase)
    made.store(Slot.PRIMARY)
    before = len(made.regenerated)
    made.pass_time(40)
    made.looks(until=lambda one: one.phase == "Superseded")
    assert (made.reason, made.handled) == ("RotationSuperseded", "please")
    assert made.rotation is not None
    assert made.rotation.recorded_at is None
    assert made.rotation.slot is None
    assert done_by(made, *CRITICAL) == []
    assert len(made.regenerated) == before
    assert {pod.key for pod in made.pods} == {made.keys[Slot.PRIMARY]}


@pytest.mark.parametrize("phase", ["Intended", "Regenerating"])
def test_after_a_person_stored_the_target_the_rotation_begins_again_from_there(phase: str) -> None:
    made = asked(until=phase)
    made.store(Slot.SECONDARY)
    count = len(made.regenerated)
    made.looks(3, roll=False)
    assert len(made.regenerated) == count
    made.looks(60, until=lambda one: one.phase == "Completed")
    assert made.handled == "please"
    assert made.rotation is not None
    assert made.rotation.slot == "Primary"
    assert not any(one.consumers for one in made.regenerated)


@pytest.mark.parametrize("phase", ["RollingOut", "Retiring"])
def test_an_emergency_is_not_answered_by_a_key_that_a_person_stored(phase: str) -> None:
    made = asked("emergency-leak", until=phase)
    before = dict(made.keys)
    made.store(Slot.PRIMARY)
    made.pass_time(40)
    made.looks(until=lambda one: one.phase == "Superseded")
    assert made.handled is None
    assert made.rotation is not None
    assert "both keys" in (made.rotation.message or "")
    made.looks(60, until=lambda one: one.handled == "emergency-leak")
    assert not set(before.values()) & set(made.keys.values())
    assert not any(one.consumers for one in made.regenerated)


def test_an_emergency_turns_round_when_the_target_is_stored_as_it_was() -> None:
    made = asked("emergency-leak", until="Intended")
    leaked = dict(made.keys)
    made.store(Slot.SECONDARY)
    made.looks(60, until=lambda one: one.phase == "Completed")
    assert [one.slot for one in made.regenerated] == ["Primary", "Secondary"]
    assert not set(leaked.values()) & set(made.keys.values())
    assert not any(one.consumers for one in made.regenerated)


# --- permissions lost midway ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("phase", ["Intended", "Retiring"])
@pytest.mark.parametrize(
    ("lost", "reason"),
    [("leadership", "NotLeading"), ("grant", "NotGranted"), ("geo", "GeoReplicated"), ("access", None)],
)
def test_a_right_lost_midway_blocks_the_next_regeneration(phase: str, lost: str, reason: str | None) -> None:
    made = asked(until=phase)
    count, cache, key_vault = len(made.regenerated), made.cache, made.key_vault
    match lost:
        case "leadership":
            made.change_cache(tags={})
        case "grant":
            made.settings = NO_GRANT
        case "geo":
            made.change_cache(geo_linked=("other",))
        case _:
            made.key_vault = {**key_vault, "access": "Read"}
    assert done_by(made, StoreKey, *CRITICAL) == []
    assert len(made.regenerated) == count
    assert reason is None or made.reason == reason
    if reason is None:
        return
    # Another resource leads: what is marked in the vault is that one's.
    assert made.phase == ("Waiting" if phase == "Intended" or lost == "leadership" else "Retiring")
    assert made.handled is None
    made.cache, made.settings = cache, SETTINGS
    made.looks(60, until=lambda one: one.phase == "Completed")
    assert [one.slot for one in made.regenerated] == ["Secondary", "Primary"]


def test_other_consumers_since_the_intent_need_approval_and_spare_the_old_key() -> None:
    made = asked(until="Intended")
    made.other_consumers = "Possible"
    assert done_by(made, *CRITICAL) == []
    assert (made.phase, made.reason) == ("Waiting", "ApprovalRequired")
    made.approve()
    made.looks(until=lambda one: one.phase == "Completed")
    assert [one.slot for one in made.regenerated] == ["Secondary"]

    made = asked(until="Retiring")
    made.other_consumers = "Possible"
    made.looks(until=lambda one: one.phase == "Completed")
    assert [one.slot for one in made.regenerated] == ["Secondary"]
    assert made.handled == "please"
    assert made.rotation is not None
    assert "lives on for consumers outside" in (made.rotation.message or "")


def test_a_refused_intent_gives_way_to_a_later_request() -> None:
    made = asked(until="Intended")
    made.settings = NO_GRANT
    step(made)
    step(made)
    assert made.phase == "Waiting"
    assert made.rotation is not None
    assert made.rotation.recorded_at is None
    made.settings = SETTINGS
    made.ask("second")
    made.looks(until=lambda one: one.phase == "Completed")
    assert made.handled == "second"
    assert {one.request for one in made.regenerated} == {"second"}


@pytest.mark.parametrize("what", ["expired", "disabled"])
def test_an_unusable_current_version_is_reported_as_such(what: str) -> None:
    made = world()
    bad: dict[str, Any] = (
        {"expires": made.now - timedelta(days=1)} if what == "expired" else {"enabled": False, "value": None}
    )
    made.versions[-1] = replace(made.vault, **bad)
    made.pass_time(3600)
    made.ask("please")
    assert done_by(made, *CRITICAL) == []
    assert made.phase not in UNDER_WAY
    expected = Reason.VAULT_SECRET_EXPIRED if what == "expired" else Reason.VAULT_SECRET_DISABLED
    assert made.reason == expected


def test_while_azure_cannot_be_read_the_rotation_waits() -> None:
    made = asked(until="Regenerating")
    cache = made.cache
    made.cache = Unknown(Reason.AZURE_UNREACHABLE, "down")
    assert done_by(made, Action) == []
    assert made.reason == "Pending"
    assert made.phase == "Regenerating"
    made.cache, made.unlistable = cache, Unknown(Reason.AZURE_DENIED, "listKeys refused")
    assert done_by(made, WorkloadAction, StoreKey, *CRITICAL) == []
    assert made.rotation is not None
    assert made.reason == "AzureDenied"
    assert "cannot be listed" in (made.rotation.message or "")
    made.unlistable = None
    made.looks(until=lambda one: one.phase == "Completed")
    assert [one.slot for one in made.regenerated] == ["Secondary", "Primary"]
