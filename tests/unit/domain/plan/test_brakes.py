"""The brakes for a fleet: what they block, what goes on, and when they are released."""

from typing import Any

import pytest

from secure_redis.api import names
from secure_redis.api.reasons.reason import ConditionType, Reason
from secure_redis.api.resource import Key, SecureRedisCache
from secure_redis.domain.observe.cache import CacheAbsent
from secure_redis.domain.observe.keys import VaultSecretAbsent
from secure_redis.domain.observe.observation import Observation
from secure_redis.domain.plan.actions import (
    AdoptCache,
    ApplySecret,
    AzureAction,
    CreateCache,
    CreateSecret,
    StoreKey,
    UpdateCache,
)
from secure_redis.domain.plan.brakes import (
    FIRST_LOOK,
    HOUR,
    MASS_DRIFT,
    READ_ONLY,
    Brake,
    BrakeLimits,
    is_mass_drift,
)
from secure_redis.domain.plan.plan import plan
from secure_redis.domain.plan.types import Plan
from secure_redis.domain.report.report import report
from secure_redis.reconciler.brakes import SETTLED_SECONDS, Brakes
from secure_redis.telemetry.metrics import Metrics
from tests.builders.passes import OWNER, PROVISION, SETTINGS, cache, judged, observation, resource
from tests.builders.world import AUTHENTICATION

CORRECTING: dict[str, Any] = {
    "mode": "Provision",
    "provision": PROVISION,
    "drift": {"correct": ["Security", "Availability"]},
}
PORT = {"path": "transport.nonTLSPort", "declared": "x", "observed": "y", "class": "Security"}
OPEN = cache(tags=OWNER, plaintext_open=True)


def drifted(name: str = "orders") -> SecureRedisCache:
    found = resource(CORRECTING, status={"drift": [PORT]})
    return found if name == "orders" else _named(found, name)


def _named(of: SecureRedisCache, name: str) -> SecureRedisCache:
    from dataclasses import replace

    return replace(of, key=Key("shop", name))


def braked(res: SecureRedisCache, obs: Observation, brake: Brake) -> Plan:
    return plan(res, obs, judged(res, obs), SETTINGS, brake)


def writes(todo: Plan) -> list[type]:
    return [type(action) for action in todo.actions if isinstance(action, AzureAction)]


# --- what is blocked ------------------------------------------------------------------------------------------------

STORING = {**CORRECTING, "authentication": {"keyVault": {**AUTHENTICATION["keyVault"], "access": "ReadWrite"}}}
PENDING = {"pending": {"action": "CreateCache", "recordedAt": "2026-11-24T11:59:00Z", "detail": "orders"}}
WORLDS: list[tuple[str, SecureRedisCache, Observation, type]] = [
    ("correct", drifted(), observation(cache=OPEN), UpdateCache),
    (
        "create",
        resource(CORRECTING, status=PENDING),
        observation(cache=CacheAbsent(True, "404"), name_available=True),
        CreateCache,
    ),
    ("adopt", resource(CORRECTING, annotations={names.ADOPT: "orders"}), observation(), AdoptCache),
    (
        "store",
        resource(STORING),
        observation(cache=cache(tags=OWNER), vault=VaultSecretAbsent("none")),
        StoreKey,
    ),
]


@pytest.mark.parametrize(("res", "obs", "write"), [w[1:] for w in WORLDS], ids=[w[0] for w in WORLDS])
@pytest.mark.parametrize("refusal", [READ_ONLY, FIRST_LOOK])
def test_every_write_to_azure_is_blocked_and_reported(
    res: SecureRedisCache, obs: Observation, write: type, refusal: Any
) -> None:
    assert writes(braked(res, obs, Brake())) == [write]
    todo = braked(res, obs, Brake(everything=refusal))
    assert writes(todo) == []
    told = report(res, obs, judged(res, obs), todo, ())
    assert refusal.reason in {condition.reason for condition in told.status.conditions}
    assert not told.failed


def test_secrets_of_proven_keys_are_published_while_read_only() -> None:
    res = resource({**CORRECTING, "authentication": AUTHENTICATION})
    todo = braked(res, observation(cache=cache(tags=OWNER)), Brake(everything=READ_ONLY))
    assert any(isinstance(action, CreateSecret | ApplySecret) for action in todo.actions)


def test_a_plan_without_writes_is_not_blocked() -> None:
    res, obs = resource(CORRECTING), observation(cache=cache(tags=OWNER))
    assert braked(res, obs, Brake(everything=READ_ONLY, corrections=MASS_DRIFT)) == braked(res, obs, Brake())


def test_mass_drift_blocks_corrections_and_no_creation() -> None:
    brake = Brake(corrections=MASS_DRIFT)
    for name, res, obs, write in WORLDS:
        assert writes(braked(res, obs, brake)) == ([] if name == "correct" else [write])
    todo = braked(drifted(), observation(cache=OPEN), brake)
    told = report(drifted(), observation(cache=OPEN), judged(drifted(), observation(cache=OPEN)), todo, ())
    condition = told.status.condition(ConditionType.DRIFT_DETECTED)
    assert condition is not None
    assert (condition.status, condition.reason) == ("True", "MassDrift")
    assert told.status.drift[0].reason == Reason.MASS_DRIFT
    assert told.status.condition(ConditionType.RECONCILING) is None


def test_a_blocked_plan_does_not_loop() -> None:
    stale = observation(cache=OPEN, cache_fresh=False)
    todo = braked(drifted(), stale, Brake(corrections=MASS_DRIFT))
    assert (todo.next_pass_in, todo.needs_fresh_read) == (None, False)
    assert braked(drifted(), stale, Brake()).needs_fresh_read


@pytest.mark.parametrize(
    ("wanting", "total", "engaged"),
    [
        *((2, total, False) for total in range(20, 40)),  # two coincide
        (4, 20, False),
        (5, 20, True),
        (19, 19, False),
        (5, 100, False),
        (6, 100, True),
        (10, 400, False),
    ],
)
def test_mass_drift_is_more_than_the_share_of_enough_and_no_coincidence(
    wanting: int, total: int, engaged: bool
) -> None:
    assert is_mass_drift(wanting, total, BrakeLimits()) is engaged


def test_the_least_number_of_corrections_can_be_set() -> None:
    assert is_mass_drift(2, 20, BrakeLimits(minimum_corrections=1))
    assert not is_mass_drift(9, 20, BrakeLimits(minimum_corrections=10))


# --- the state ------------------------------------------------------------------------------------------------------


class Fleet:
    """Resources that are passed over under one set of brakes."""

    def __init__(self, limits: BrakeLimits, recorded: dict[str, str] | None = None, version: str = "2") -> None:
        self.clock, self.metrics = 0.0, Metrics()
        self.brakes = Brakes(
            limits, version=version, recorded=recorded, monotonic=lambda: self.clock, metrics=self.metrics
        )

    def engaged(self, brake: str) -> float | None:
        return self.metrics.registry.get_sample_value("secureredis_brake_engaged", {"brake": brake})

    def blocked(self, reason: str) -> float | None:
        return self.metrics.registry.get_sample_value("secureredis_brake_held_total", {"reason": reason})

    def look(self, name: str, *, drifts: bool) -> Plan:
        res = drifted(name)
        obs = observation(cache=OPEN if drifts else cache(tags=OWNER))
        assessed = judged(res, obs)
        todo = plan(res, obs, assessed, SETTINGS, self.brakes.brake(res.key))
        if self.brakes.note(res, todo):
            todo = plan(res, obs, assessed, SETTINGS, self.brakes.brake(res.key))
        self.brakes.settle(res, todo)
        return todo


def test_corrections_are_capped_by_the_hour_and_taken_up_later() -> None:
    fleet = Fleet(BrakeLimits(corrections_per_hour=2))
    assert [len(writes(fleet.look(f"r{i}", drifts=True))) for i in range(3)] == [1, 1, 0]
    assert fleet.blocked("Capped") == 1
    fleet.clock = HOUR
    assert len(writes(fleet.look("r2", drifts=True))) == 1


def test_mass_drift_stops_all_until_released_and_outlives_the_process() -> None:
    fleet = Fleet(BrakeLimits())
    for i in range(40):
        fleet.look(f"r{i}", drifts=False)
    assert fleet.engaged("MassDrift") == 0
    assert [len(writes(fleet.look(f"r{i}", drifts=True))) for i in range(4)] == [1, 1, 1, 1]
    assert writes(fleet.look("r4", drifts=True)) == []  # the fifth of forty
    assert fleet.engaged("MassDrift") == 1
    fleet.clock = 10 * HOUR
    assert writes(fleet.look("r3", drifts=True)) == []
    kept = dict(fleet.brakes.annotations())
    again = Fleet(BrakeLimits(), recorded=kept)
    assert again.engaged("MassDrift") == 1
    assert writes(again.look("r3", drifts=True)) == []
    released = Fleet(BrakeLimits(release="2026-11-24"), recorded=kept)
    assert len(writes(released.look("r3", drifts=True))) == 1
    assert released.engaged("MassDrift") == 0
    assert released.brakes.annotations()[names.LEASE_MASS_DRIFT] == ""


def test_read_only_is_shown_as_an_engaged_brake() -> None:
    assert Fleet(BrakeLimits(read_only=True)).engaged("ReadOnly") == 1
    assert Fleet(BrakeLimits()).engaged("ReadOnly") == 0


def test_the_same_few_over_and_over_are_no_mass_drift() -> None:
    fleet = Fleet(BrakeLimits())
    for i in range(40):
        fleet.look(f"r{i}", drifts=False)
    for turn in range(20):
        fleet.clock = turn * 400.0
        fleet.look(f"r{turn}", drifts=True)
    assert not fleet.brakes.mass_drift


def test_forgotten_resources_do_not_count() -> None:
    fleet = Fleet(BrakeLimits())
    for i in range(40):
        fleet.look(f"r{i}", drifts=False)
        fleet.brakes.forget(Key("shop", f"r{i}"))
    for i in range(10):
        fleet.look(f"r{i}", drifts=True)
    assert not fleet.brakes.mass_drift


@pytest.mark.parametrize(
    ("recorded", "reports"),
    [
        (None, False),  # the first installation
        ({names.LEASE_VERSION: "2"}, False),  # a restart
        ({names.LEASE_VERSION: "1"}, True),
        ({}, True),  # a version that recorded none
    ],
)
def test_after_an_upgrade_the_first_pass_only_reports(recorded: dict[str, str] | None, reports: bool) -> None:
    fleet = Fleet(BrakeLimits(), recorded=recorded)
    first = fleet.look("r0", drifts=True)
    assert (writes(first) == []) is reports
    if reports:
        assert first.not_corrected["transport.nonTLSPort"].reason is Reason.FIRST_LOOK
        assert first.next_pass_in == 60.0
        assert fleet.brakes.annotations()[names.LEASE_VERSION] == (recorded or {}).get(names.LEASE_VERSION, "")
        fleet.clock = SETTLED_SECONDS
        assert len(writes(fleet.look("r0", drifts=True))) == 1
    assert fleet.brakes.annotations()[names.LEASE_VERSION] == "2"


def test_drift_found_by_the_first_pass_can_be_mass_drift() -> None:
    fleet = Fleet(BrakeLimits(), recorded={names.LEASE_VERSION: "1"})
    for i in range(40):
        fleet.look(f"r{i}", drifts=i % 4 == 0)
    assert fleet.brakes.mass_drift
