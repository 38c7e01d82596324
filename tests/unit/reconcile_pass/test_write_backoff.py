"""A refused write is repeated less and less often, whatever causes the passes."""

import itertools
from dataclasses import replace
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from secure_redis.api import names
from secure_redis.api.reasons.reason import ConditionType, Reason
from secure_redis.api.resource import SecureRedisCache
from secure_redis.domain.assess.assessment import assess
from secure_redis.domain.assess.waivers import Waivable, WaiverPolicy
from secure_redis.domain.explanation import Blocked, Waiting
from secure_redis.domain.observe.unknown import Unknown
from secure_redis.domain.plan.actions import (
    AdoptCache,
    AzureAction,
    CreateCache,
    CreateDatabase,
    DeleteCache,
    DeleteFirewallRule,
    MarkKey,
    PersistCache,
    PutFirewallRule,
    PutPatchSchedule,
    RegenerateKey,
    StoreKey,
    UpdateCache,
    UpdateDatabase,
)
from secure_redis.domain.plan.outcomes import Failed
from secure_redis.domain.plan.plan import plan
from secure_redis.domain.plan.rollout.waves import Rollout
from secure_redis.domain.plan.types import Plan, Rotating
from secure_redis.domain.plan.write_failure import WriteFailure
from secure_redis.domain.report.report import report
from secure_redis.reconciler.write_backoff import FIRST_SECONDS, LONGEST_SECONDS, WriteBackoff
from tests.builders.passes import OWNER, PROVISION, SETTINGS, cache, judged, observation, planned, resource

BUSY = WriteFailure(Reason.BUSY, "Azure is busy with the cache")
CLOSE = UpdateCache({"properties": {"enableNonSslPort": False}}, ("enableNonSslPort",))
DRIFT = [{"path": "transport.nonTLSPort", "declared": "Disabled", "observed": "Enabled", "class": "Security"}]
CORRECTING = {"mode": "Provision", "provision": PROVISION, "drift": {"correct": ["Security"]}}
OPEN = cache(tags=OWNER, plaintext_open=True)


def sent_at(wakes: list[float], failure: WriteFailure = BUSY) -> list[float]:
    """Return when the write is sent if a pass with it runs at each of these times, and it is always refused."""
    writes, of, sent = WriteBackoff(), resource(), []
    for now in sorted(wakes):
        writes.begin(of)
        if writes.held(of, CLOSE, now) is None:
            sent.append(now)
            writes.record(of, CLOSE, failure, now)
    return sent


@given(st.lists(st.floats(0, 3600), min_size=1, max_size=200))
def test_each_pause_is_at_least_twice_the_one_before_up_to_the_limit(wakes: list[float]) -> None:
    sent = sent_at(wakes)
    least = FIRST_SECONDS
    for earlier, later in itertools.pairwise(sent):
        assert later - earlier >= least
        least = min(2 * least, LONGEST_SECONDS)


def test_two_and_a_half_minutes_of_busy_are_five_writes() -> None:
    """Polls every 4 s: 39 writes were sent in this time when the poll decided."""
    assert len(sent_at([float(second) for second in range(0, 150, 4)])) == 5
    assert len(sent_at([float(second) for second in range(3600)])) == 12


def test_the_time_that_azure_names_counts() -> None:
    assert sent_at([0.0, 50.0, 99.0, 101.0], replace(BUSY, retry_after=100.0)) == [0.0, 101.0]


def test_a_success_an_edit_and_a_refresh_end_it() -> None:
    of, writes = resource(), WriteBackoff()

    def refuse() -> None:
        writes.begin(of)
        for now in (0.0, 10.0, 100.0):
            writes.record(of, CLOSE, BUSY, now)
        assert writes.held(of, CLOSE, 101.0) == BUSY

    refuse()
    writes.record(of, CLOSE, None, 101.0)
    assert writes.held(of, CLOSE, 101.0) is None
    refuse()
    writes.begin(replace(of, generation=2))
    assert writes.held(of, CLOSE, 101.0) is None
    writes.begin(of)
    refuse()
    for request in (names.REFRESH, names.ROTATE):
        writes.begin(of)
        refuse()
        writes.begin(resource(annotations={request: "now"}))
        assert writes.held(of, CLOSE, 101.0) is None


def test_other_writes_are_not_held_back() -> None:
    of, writes = resource(), WriteBackoff()
    writes.begin(of)
    writes.record(of, CLOSE, BUSY, 0.0)
    assert writes.held(of, UpdateCache({"tags": {}}, ("tags",)), 1.0) is None
    assert writes.held(of, DeleteCache(), 1.0) is None


# --- the report of a pass in which a write was refused ----------------------------------------------------------------


def refused(of: SecureRedisCache, seen: Any, failure: WriteFailure) -> tuple[Plan, Any]:
    todo = planned(of, seen, SETTINGS)
    assert [action for action in todo.actions if isinstance(action, AzureAction)]
    return todo, report(of, seen, judged(of, seen), todo, tuple(Failed(action, failure) for action in todo.actions))


def test_a_refused_write_is_not_polled_for() -> None:
    """The plan's own next pass is for a write that was made: it would repeat a refused one at every poll."""
    todo, found = refused(resource(CORRECTING, status={"drift": DRIFT}), observation(cache=OPEN), BUSY)
    assert todo.next_pass_in == SETTINGS.operation_poll
    assert (found.next_pass_in, found.failed, found.unread) == (300.0, True, False)
    condition = found.status.condition(ConditionType.DRIFT_DETECTED)
    assert condition is not None
    assert condition.reason == Reason.BUSY


ACTIONS: list[AzureAction] = [
    CLOSE,
    CreateCache({}),
    CreateDatabase({}),
    UpdateDatabase({}),
    PersistCache({}),
    AdoptCache({}),
    DeleteFirewallRule("a"),
    PutPatchSchedule(()),
    DeleteCache(),
]


@pytest.mark.parametrize("action", ACTIONS, ids=lambda one: type(one).__name__)
def test_whatever_the_write_the_plans_own_next_pass_does_not_count(action: AzureAction) -> None:
    of, seen = resource(CORRECTING), observation(cache=OPEN)
    for early in (0.0, 0.2, 5.0, 30.0):
        todo = Plan(actions=(action,), next_pass_in=early)
        found = report(of, seen, judged(of, seen), todo, (Failed(action, BUSY),))
        assert found.next_pass_in == 300.0


def test_what_waits_for_a_person_is_checked_less_and_less_often() -> None:
    why = Unknown(Reason.CONSENT_MISSING, "the ServiceAccount does not consent")
    seen = observation(identity=why, cache=why)
    of, todo = resource(), planned(resource(), seen, SETTINGS)
    found = report(of, seen, judged(of, seen), todo, ())
    assert (found.next_pass_in, found.grows_to) == (15.0, 300.0)


BLOCKED = Plan(blocked=(Blocked(Reason.STORAGE_ROLE_MISSING, "assign it"),), next_pass_in=60.0)


@pytest.mark.parametrize(
    ("todo", "grows_to"),
    [
        (BLOCKED, 300.0),
        (replace(BLOCKED, next_pass_in=20.0, exact_in=20.0), 20.0),  # a window opens, a waiver lapses
        (replace(BLOCKED, exact_in=90.0), 90.0),
        (replace(BLOCKED, waiting=Waiting(Reason.UPDATING, "Azure works on it")), None),
        (replace(BLOCKED, next_pass_in=0.0), None),
        (Plan(waiting=Waiting(Reason.SECRET_DELETING, "a finalizer keeps it"), next_pass_in=5.0), 300.0),
        (Plan(rollout=Rollout(next_pass_in=15.0), next_pass_in=15.0), 300.0),
        (Plan(next_pass_in=60.0), None),
        (Plan(rotation=Rotating(None, None, next_pass_in=15.0, is_check=True), next_pass_in=15.0), 300.0),
        (Plan(rotation=Rotating(None, None, next_pass_in=15.0), next_pass_in=15.0, exact_in=15.0), None),
    ],
)
def test_a_check_is_put_off_and_a_time_is_not(todo: Plan, grows_to: float | None) -> None:
    of, seen = resource(CORRECTING), observation(cache=cache(tags=OWNER))
    found = report(of, seen, judged(of, seen), todo, ())
    assert (found.next_pass_in, found.grows_to) == (todo.next_pass_in, grows_to)


def test_the_end_of_a_waiver_is_a_time() -> None:
    waiver = {"rule": "L1", "reason": "moving", "owner": "team", "expires": "2026-11-25"}
    of, seen = resource({"waivers": [waiver], "drift": {"intervalSeconds": 86400}}), observation()
    policy = WaiverPolicy(waivable=(Waivable(("*",), ("*",), 90),))
    assessed = assess(of, seen, cluster_uid="cluster", ca=None, waiver_policy=policy)
    todo = plan(of, seen, assessed, SETTINGS)
    assert todo.exact_in == todo.next_pass_in == 12 * 3600.0


def test_the_table_of_writes_is_whole() -> None:
    """Every write to Azure is held back by what it changes, never by its values, which may contain the time."""
    assert {PutFirewallRule, RegenerateKey, StoreKey, MarkKey} | {type(one) for one in ACTIONS} == set(
        get_args(AzureAction)
    )
