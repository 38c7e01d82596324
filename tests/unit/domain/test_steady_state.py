"""A pass that is left out would have planned nothing and reported nothing."""

import re
from dataclasses import replace
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st

from secure_redis.api import names
from secure_redis.api.reasons.reason import Reason
from secure_redis.api.resource import SecureRedisCache
from secure_redis.domain import steady_state
from secure_redis.domain.assess.assessment import assess
from secure_redis.domain.assess.waivers import Waivable, WaiverPolicy
from secure_redis.domain.observe.endpoint import CertificateFacts
from secure_redis.domain.observe.keys import Proven, ProvenBy, Slot
from secure_redis.domain.observe.observation import Observation, changed
from secure_redis.domain.observe.unknown import NOT_READ, Unknown
from secure_redis.domain.plan.brakes import FREE, READ_ONLY, Brake
from secure_redis.domain.plan.plan import plan
from secure_redis.domain.plan.types import Plan, Settings
from secure_redis.domain.report.report import Report, report
from secure_redis.domain.steady_state import SteadyState
from tests.builders.endpoint import HOST, endpoint
from tests.builders.managed_redis import MANAGED_ID, database, managed
from tests.builders.passes import cache as facts
from tests.builders.passes import observation as well
from tests.builders.passes import published, resource, vault
from tests.builders.storage import BY_IDENTITY, account, protected_key
from tests.builders.world import AUTHENTICATION, CLUSTER, NOW

FLOOR = WaiverPolicy(waivable=(Waivable(("*",), ("*",), 30),))
SETTINGS = Settings(cluster_uid=CLUSTER, waiver_policy=FLOOR)
DAY, MICROSECOND = timedelta(days=1), timedelta(microseconds=1)
DOMAIN = Path(steady_state.__file__).parent


def passed(
    res: SecureRedisCache, observed: Observation, brake: Brake = FREE
) -> tuple[Plan, Report, SteadyState | None]:
    """A whole pass of which nothing has to be done."""
    assessed = assess(res, observed, cluster_uid=CLUSTER, ca=None, waiver_policy=FLOOR)
    todo = plan(res, observed, assessed, SETTINGS, brake)
    told = report(res, observed, assessed, todo, ())
    return todo, told, steady_state.steady(res, observed, assessed, todo, told, brake, FLOOR)


def settled(res: SecureRedisCache, observed: Observation) -> SecureRedisCache:
    """The resource with the status that a pass writes."""
    return replace(res, status=passed(res, observed)[1].status)


def same(res: SecureRedisCache, observed: Observation, found: SteadyState) -> bool:
    """Whether a whole pass comes to nothing now, and looks again when the rest says."""
    todo, told, _ = passed(res, observed)
    silent = told.status == res.status and not told.events and not told.failed
    return not todo.actions and silent and told.next_pass_in == found.next_pass_in


def auditor(**spec: Any) -> SecureRedisCache:
    return resource({"transport": {"probe": "Disabled"}, **spec})


def observation(**changes: Any) -> Observation:
    base = {"cache_fresh": False, "keys": NOT_READ, "vault": NOT_READ, "secret": NOT_READ}
    return changed(well(), **{**base, **changes})


def published_world() -> tuple[SecureRedisCache, Observation]:
    res = resource({"authentication": AUTHENTICATION, "transport": {"probe": "Disabled"}})
    held = vault(created=NOW - 80 * DAY, expires=NOW + 40 * DAY)
    proven = Proven(ProvenBy.LISTED, Slot.PRIMARY)
    observed = observation(vault=held, proven=proven)
    return res, changed(observed, secret=published(res, observed))


# Around the distances at which rules change their mind: within the hours that a rest can last.
_DISTANCES = (0, 14, 30, 90, 365, -14, -30, -90, -365, -7, 200)
dates = st.builds(
    lambda days, minutes: NOW + days * DAY + timedelta(minutes=minutes),
    st.sampled_from(_DISTANCES),
    st.integers(-60, 13 * 60),
)
later = st.one_of(st.integers(0, 6 * 3600).map(lambda seconds: timedelta(seconds=seconds)), st.just(MICROSECOND))


@st.composite
def worlds(draw: st.DrawFn) -> tuple[SecureRedisCache, Observation]:
    """Resources and observations of them, with near and far dates on which rules depend."""
    spec: dict[str, Any] = {"profile": draw(st.sampled_from(["Baseline", "Strict"]))}
    if draw(st.booleans()):
        ends = (NOW + timedelta(days=draw(st.sampled_from([0, 1, 2, 30, 31, 32])))).date()
        rule = draw(st.sampled_from(["A1", "P1", "A2"]))
        spec["waivers"] = [{"rule": rule, "reason": "r", "owner": "o", "expires": ends.isoformat()}]
    changes: dict[str, Any] = {}
    if draw(st.booleans()):
        changes["cache"] = facts(
            plaintext_open=draw(st.booleans()),
            public_network_access=draw(st.sampled_from(["Enabled", "Disabled", None])),
        )
    if draw(st.booleans()):
        certificate = CertificateFacts(NOW - 30 * DAY, draw(dates), "issuer", (HOST,))
        changes["endpoint"] = endpoint(certificate=certificate)
    if draw(st.booleans()):
        key = protected_key(expires=draw(dates), not_before=draw(st.none() | dates))
        changes |= {"storage": account(), "encryption_key": key, "cache": facts(persistence=BY_IDENTITY)}
    if draw(st.integers(0, 3)) == 0:
        spec["resourceID"] = MANAGED_ID
        key = protected_key(expires=draw(dates), not_before=draw(st.none() | dates))
        persists = database(port=10000, rdb_enabled=draw(st.booleans()))
        changes |= {"storage": NOT_READ, "encryption_key": key, "cache": managed(database=persists)}
    res = auditor(**spec)
    observed = observation(
        now=NOW + timedelta(hours=draw(st.sampled_from([0, 7]))), **changes
    )  # 7: past midnight in a rest
    if "resourceID" not in spec and draw(st.booleans()):
        rotation = {"intervalDays": draw(st.integers(1, 400))} if draw(st.booleans()) else {}
        access = draw(st.sampled_from(["Read", "ReadWrite"])) if rotation else "Read"
        key_vault = {**AUTHENTICATION["keyVault"], "access": access}
        res = auditor(**spec, authentication={"keyVault": key_vault, "rotation": rotation})
        held = vault(created=draw(dates), expires=draw(dates), not_before=draw(st.none() | dates))
        observed = changed(observed, vault=held, proven=Proven(ProvenBy.LISTED, Slot.PRIMARY))
        if assess(res, observed, cluster_uid=CLUSTER, ca=None).credential.data is not None:
            observed = changed(observed, secret=published(res, observed))
    return settled(res, observed), observed


@given(worlds(), later)
@settings(max_examples=300, deadline=None)
def test_skipped_passes_would_have_changed_nothing(
    world: tuple[SecureRedisCache, Observation], after: timedelta
) -> None:
    res, observed = world
    found = passed(res, observed)[2]
    if found is None:
        return
    for moment in {
        observed.now + after,
        found.until - MICROSECOND,
        min(observed.now + after, found.until - MICROSECOND),
    }:
        again = changed(observed, now=moment)
        if found.matches(again, FREE):
            event("rests")
            assert same(res, again, found)


@given(worlds(), st.integers(0, 800 * 24))
@settings(max_examples=100, deadline=None)
def test_no_steady_state_lasts_longer_than_the_longest(world: tuple[SecureRedisCache, Observation], hours: int) -> None:
    res, observed = world
    found = passed(res, observed)[2]
    if found is not None and found.matches(changed(observed, now=observed.now + timedelta(hours=hours)), FREE):
        assert timedelta(hours=hours) < steady_state.LONGEST


def test_a_settled_auditor_is_steady_and_a_new_one_is_not() -> None:
    res, observed = auditor(), observation()
    assert passed(res, observed)[2] is None  # its status is still to be written
    found = passed(settled(res, observed), observed)[2]
    assert found is not None
    assert found.matches(changed(observed, now=NOW + timedelta(minutes=5)), FREE)
    assert not found.matches(changed(observed, now=NOW - MICROSECOND), FREE)  # the clock was set back


def test_a_settled_auditor_of_a_cluster_is_steady() -> None:
    res, observed = auditor(resourceID=MANAGED_ID), observation(cache=managed())
    found = passed(settled(res, observed), observed)[2]
    assert found is not None
    assert not found.matches(changed(observed, cache=managed(database=None)), FREE)


def test_a_published_secret_is_steady() -> None:
    res, observed = published_world()
    todo, told, _ = passed(res, observed)
    assert not todo.actions
    assert passed(replace(res, status=told.status), observed)[2] is not None


@pytest.mark.parametrize(
    "moment",
    [NOW + 10 * DAY, NOW + 9 * DAY + timedelta(hours=23)],
    ids=["30 days before it expires", "an hour before that"],
)
def test_an_approaching_date_ends_the_steady_state(moment: datetime) -> None:
    res, observed = published_world()
    observed = changed(observed, now=moment - timedelta(hours=1))
    found = passed(settled(res, observed), observed)[2]
    assert found is not None
    assert found.matches(changed(observed, now=moment), FREE) == (moment < NOW + 10 * DAY)


def test_a_waiver_ends_the_steady_state_when_it_lapses() -> None:
    ends = date(2026, 11, 25)
    res = auditor(waivers=[{"rule": "N1", "reason": "r", "owner": "o", "expires": ends.isoformat()}])
    observed = observation(now=NOW + timedelta(hours=9))
    found = passed(settled(res, observed), observed)[2]
    assert found is not None
    assert found.until == NOW + timedelta(hours=12) - timedelta(seconds=300)  # a last check just before it is planned


@pytest.mark.parametrize(
    "other",
    [
        {"cache": facts(plaintext_open=True)},
        {"cache": Unknown(Reason.AZURE_ERROR, "no answer")},
        {"identity": Unknown(Reason.NO_IDENTITY, "none")},
        {"cache_fresh": True},
        {"namespace_terminating": True},
        {"locks": ()},
        {"firewall_rules": ()},
    ],
    ids=lambda one: next(iter(one)),
)
def test_any_changed_fact_ends_the_steady_state(other: dict[str, Any]) -> None:
    res, observed = auditor(), observation()
    found = passed(settled(res, observed), observed)[2]
    assert found is not None
    assert not found.matches(changed(observed, **other), FREE)


def test_a_brake_ends_the_steady_state() -> None:
    res, observed = auditor(), observation()
    found = passed(settled(res, observed), observed)[2]
    assert found is not None
    assert not found.matches(observed, Brake(everything=READ_ONLY))


@pytest.mark.parametrize(
    "annotations", [{names.PAUSED: "true"}, {names.REFRESH: "now"}, {names.ROTATE: "now"}], ids=lambda one: str(one)
)
def test_a_request_is_no_steady_state(annotations: dict[str, str]) -> None:
    observed = observation()
    plain = settled(auditor(), observed)
    asked = replace(plain, requests=annotations)
    assert passed(asked, observed)[2] is None


def test_recent_drift_is_no_steady_state_while_its_author_may_be_read() -> None:
    observed = observation(cache=facts(plaintext_open=True))
    res = settled(auditor(), observed)
    assert passed(res, observed)[2] is None
    older = changed(observed, now=NOW + timedelta(hours=1))
    assert passed(res, older)[2] is not None  # reported, and old: no part of it changes by itself


# Who reads the clock, besides the rules: those declare their distances, and assess/test_rule_horizons.py tries them.
# A new one has to be thought of in `steady_state`: is its moment a date that was observed (then `_moments` finds it),
# or is it only asked where nothing rests?
CLOCKS = {
    "assess/encryption_chain.py",
    "assess/key.py",
    "assess/rotation_record.py",
    "assess/rules/__init__.py",
    "plan/cache/corrections.py",
    "plan/cache/managed_redis.py",
    "plan/cache/managed_redis_corrections.py",
    "plan/cache/provisioning.py",
    "plan/cache/redis_corrections.py",
    "plan/deletion.py",
    "plan/plan.py",
    "plan/rollout/disruption_budgets.py",
    "plan/rollout/waves.py",
    "plan/rollout/workload_state.py",
    "plan/rotation/ending.py",
    "plan/rotation/regenerating.py",
    "plan/rotation/request.py",
    "plan/rotation/waiting.py",
    "plan/secret_removal.py",
    "report/conditions/managed_redis.py",
    "report/conditions/readiness.py",  # where the goal is not known: that pass failed, so nothing rests
    "report/conditions/redis.py",
    "report/drift_status.py",
    "report/status.py",
    "steady_state.py",
}


def test_every_reader_of_the_clock_is_known() -> None:
    read = re.compile(r"\bobserved\.now\b|\bself\.now\b")
    others = [path for path in DOMAIN.rglob("*.py") if path.parent.name != "rules" or path.name == "__init__.py"]
    found = {str(path.relative_to(DOMAIN)) for path in others if read.search(path.read_text())}
    assert found == CLOCKS


def test_changed_is_replace() -> None:
    observed = well()
    assert changed(observed, cache=NOT_READ) == replace(observed, cache=NOT_READ)
    with pytest.raises(TypeError):
        changed(observed, nonsense=1)


def test_dates_are_found_wherever_they_are() -> None:
    held = vault(expires=NOW + DAY, created=NOW - DAY)
    key = protected_key(expires=NOW + 2 * DAY)
    assert {NOW + DAY, NOW - DAY, NOW + 2 * DAY, NOW} <= set(steady_state._dates((held, [key], {"at": NOW})))
