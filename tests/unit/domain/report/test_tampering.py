"""Tampering is reported with the field manager and the names of the entries, and nothing else is taken for it."""

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import pytest
from pydantic import SecretBytes

from secure_redis.api.reasons.reason import Reason
from secure_redis.api.resource import SecureRedisCache
from secure_redis.domain.observe.observation import Observation
from secure_redis.domain.observe.secret import SecretFacts
from secure_redis.domain.observe.unknown import Unknown
from secure_redis.domain.observe.workloads import ContainerFacts, WorkloadFacts
from secure_redis.domain.plan.outcomes import Done, Failed, Outcome
from secure_redis.domain.plan.write_failure import WriteFailure
from secure_redis.domain.report.report import with_own_writes
from secure_redis.domain.report.tampering import NOTHING_IN_PLACE, InPlace, in_place, repaired
from tests.builders.passes import judged, observation, planned, published, reported, resource, vault
from tests.builders.workloads import ENV, V1, V2, consumer, injected, pods, workload
from tests.builders.world import AUTHENTICATION, PRIMARY, SECONDARY

RES = resource({"authentication": AUTHENTICATION})
GOOD = published(RES, observation())
CHECKOUT = ("Deployment", "checkout")


def kept(res: SecureRedisCache, obs: Observation, before: InPlace = NOTHING_IN_PLACE) -> InPlace:
    """Return the objects in place after a pass that succeeded."""
    outcomes = [Done(action) for action in planned(res, obs).actions]
    status = reported(res, obs, outcomes).status
    return in_place(res, before, with_own_writes(res, obs, outcomes), judged(res, obs), status)


def notes(
    obs: Observation,
    before: InPlace,
    res: SecureRedisCache = RES,
    outcome: Any = Done,
) -> list[str]:
    outcomes: Iterable[Outcome] = tuple(outcome(action) for action in planned(res, obs).actions)
    events = repaired(res, before, obs, judged(res, obs), outcomes)
    assert {(one.kind, one.reason) for one in events} <= {("Warning", Reason.SECRET_TAMPERED)}
    assert not [one for one in events if PRIMARY in one.note or SECONDARY in one.note or "evil" in one.note]
    return [one.note for one in events]


def changed(**data: str | None) -> SecretFacts:
    """Return the published Secret after a person set or removed entries."""
    found = {**GOOD.data, **{name: SecretBytes(value.encode()) for name, value in data.items() if value is not None}}
    return replace(GOOD, data={name: value for name, value in found.items() if data.get(name, "") is not None})


INTACT = kept(RES, observation(secret=GOOD))


def test_a_changed_entry_names_the_field_manager() -> None:
    there = replace(changed(host="evil.example"), written_by={"data.host": "kubectl-patch"})
    note = "Secret 'orders': data.host was changed by field manager 'kubectl-patch'; restored"
    assert notes(observation(secret=there), INTACT) == [note]
    assert notes(observation(secret=there), NOTHING_IN_PLACE) == [note], "also what was changed before the start"


def test_two_managers_are_two_events() -> None:
    there = replace(
        changed(host="evil.example", extra="evil", port=None),
        written_by={"data.host": "a", "data.extra": "b"},
    )
    assert notes(observation(secret=there), INTACT) == [
        "Secret 'orders': data.port was removed or changed by a field manager unknown; restored",
        "Secret 'orders': data.host was changed by field manager 'a'; restored",
        "Secret 'orders': data.extra was changed by field manager 'b'; restored",
    ]


def test_a_deleted_secret() -> None:
    gone = observation(secret=None)
    assert notes(gone, INTACT) == ["Secret 'orders' was deleted by another party; it was published again"]
    assert notes(gone, NOTHING_IN_PLACE) == [], "a first publication"


@pytest.mark.parametrize("before", [INTACT, NOTHING_IN_PLACE], ids=["running", "started"])
def test_a_new_key_is_no_tampering(before: InPlace) -> None:
    assert notes(observation(secret=GOOD, vault=vault(SECONDARY, version="b" * 32)), before) == []


def test_an_edit_of_the_spec_is_no_tampering() -> None:
    res = resource({"authentication": AUTHENTICATION, "connection": {"keys": {"URL": "uri"}}})
    assert notes(observation(secret=GOOD), INTACT, res) == []
    res = resource({"authentication": AUTHENTICATION, "connection": {"secretName": "other"}})
    assert notes(observation(secret=None), INTACT, res) == []


def test_an_upgrade_with_a_new_entry_is_no_tampering() -> None:
    assert notes(observation(secret=changed(uri=None)), NOTHING_IN_PLACE) == []


def test_what_was_not_restored_is_not_reported_as_restored() -> None:
    def fails(action: Any) -> Failed:
        return Failed(action, WriteFailure(Reason.SECRET_REFUSED, "exceeded quota"))

    assert notes(observation(secret=changed(host="evil")), INTACT, outcome=fails) == []


def test_what_was_in_place_is_known_through_an_outage() -> None:
    dark = observation(secret=GOOD, cache=Unknown(Reason.AZURE_UNREACHABLE, "no answer"))
    assert kept(RES, dark, INTACT).secret is GOOD
    assert kept(RES, observation(secret=changed(host=None)), INTACT).secret is not GOOD


# --- workloads ------------------------------------------------------------------------------------------------------

USER = consumer(ENV)
FACTS = injected(USER, replace(workload(), writer="kubectl-edit"))


def running(*facts: WorkloadFacts, res: SecureRedisCache = USER, **changes: Any) -> Observation:
    well = observation()
    return replace(
        well,
        secret=published(res, well),
        workloads=facts,
        budgets=(),
        pods={CHECKOUT: pods(V1)},
        **changes,
    )


def settled() -> tuple[SecureRedisCache, InPlace]:
    obs = running(FACTS)
    res = replace(USER, status=reported(USER, obs).status)
    return res, kept(res, obs)


def without_env(facts: WorkloadFacts) -> WorkloadFacts:
    return replace(
        facts,
        containers=tuple(replace(one, env=()) if one.name == "app" else one for one in facts.containers),
        owned=replace(facts.owned, env={}),
    )


def test_an_injected_field_that_vanished_names_the_last_writer() -> None:
    res, before = settled()
    (note,) = notes(running(without_env(FACTS)), before, res)
    assert note == (
        "Deployment 'checkout': the injected env REDIS_URL of container app was changed by field manager "
        "'kubectl-edit', which wrote it last; injected again"
    )
    assert notes(running(without_env(FACTS)), NOTHING_IN_PLACE, res) == []


def test_a_new_container_is_no_tampering() -> None:
    res, before = settled()
    more = replace(FACTS, containers=(*FACTS.containers, ContainerFacts("sidecar")))
    assert [type(one).__name__ for one in planned(res, running(more)).actions] == ["InjectWorkload"]
    assert notes(running(more), before, res) == []


def test_a_first_injection_and_a_new_key_are_no_tampering() -> None:
    res, before = settled()
    assert notes(running(workload()), NOTHING_IN_PLACE, USER) == []
    other = replace(before, version=V2)
    assert notes(running(without_env(FACTS)), other, res) == []
    assert notes(running(without_env(FACTS)), replace(before, generation=7), res) == []
