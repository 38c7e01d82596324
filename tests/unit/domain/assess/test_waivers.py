"""Profiles, waivers and the operator's floor: what a resource may accept, and for how long."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from secure_redis.api.resource import SecureRedisCache
from secure_redis.api.spec.spec import Profile
from secure_redis.domain.assess.assessment import assess as whole_assessment
from secure_redis.domain.assess.rules import RULES, Compliance, evaluate
from secure_redis.domain.assess.rules.rule import Result, Severity
from secure_redis.domain.assess.waivers import Waivable, WaiverPolicy
from secure_redis.domain.plan.plan import plan
from secure_redis.domain.plan.types import Settings
from secure_redis.domain.report.report import report
from tests.builders.complete import complete
from tests.builders.managed_redis import managed
from tests.builders.storage import BY_IDENTITY, account, encryption
from tests.builders.world import NOW, cache, resource

LEAVE = WaiverPolicy(waivable=(Waivable(("*",), ("shop",), 90),))
SHARED = cache(sku_name="Basic", persistence=BY_IDENTITY, identity_type="SystemAssigned")


def waiver(rule: str = "R1", days: int = 30, **changes: str) -> dict[str, str]:
    until = (NOW + timedelta(days=days)).date().isoformat()
    return {"rule": rule, "reason": "a test environment", "owner": "team-shop", "expires": until, **changes}


def waiving(*waivers: dict[str, str], **spec: Any) -> SecureRedisCache:
    return resource({"waivers": list(waivers), **spec})


def evaluated(of: SecureRedisCache, waiver_policy: WaiverPolicy = LEAVE, **changes: Any) -> Compliance:
    return evaluate(of, complete(**{"cache": SHARED, **changes}), waiver_policy=waiver_policy)


def finding(found: Compliance, rule: str = "R1") -> str:
    return next(one.message for one in found.findings if one.rule == rule)


def failed(found: Compliance) -> int:
    return sum(found.failed.values())


def waived(found: Compliance) -> int:
    return found.count(Result.WAIVED)


def test_a_permitted_waiver_is_shown_as_that() -> None:
    without, found = evaluated(resource()), evaluated(waiving(waiver()))
    assert without.results["R1"].result is Result.FAIL
    assert found.results["R1"].result is Result.WAIVED
    assert (failed(found), waived(found)) == (failed(without) - 1, 1)
    assert found.passed == without.passed
    assert found.notes == ()
    for text in ("2026-12-24", "team-shop", "a test environment", "shares a machine"):
        assert text in finding(found)
    assert found.findings[-1].rule == "R1", "what is waived comes last"
    assert found.findings[-1].severity is Severity.MEDIUM


def test_an_unknown_finding_can_be_waived_and_stays_reported() -> None:
    blind = cache(minimum_tls_version=None)
    assert evaluated(resource(), cache=blind).compliant is None
    found = evaluated(waiving(waiver("T2")), cache=blind)
    assert found.results["T2"].result is Result.WAIVED
    assert found.compliant is True
    assert "Unknown" in finding(found, "T2")


def test_a_waiver_of_what_passes_changes_nothing() -> None:
    found = evaluated(waiving(waiver("T1")))
    assert replace(found, lapses=None) == evaluated(resource())


@pytest.mark.parametrize(
    ("waiver_policy", "text"),
    [
        (WaiverPolicy(), "does not let namespace 'shop' waive it"),
        (WaiverPolicy(waivable=(Waivable(("R1",), ("dev-*",), 90),)), "does not let namespace 'shop' waive it"),
        (WaiverPolicy(waivable=(Waivable(("T*",), ("shop",), 90),)), "does not let namespace 'shop' waive it"),
        (WaiverPolicy(waivable=(Waivable(("R1",), ("shop",), 10),)), "10 days ahead at most"),
    ],
)
def test_a_forbidden_waiver_is_reported_and_changes_nothing(waiver_policy: WaiverPolicy, text: str) -> None:
    found, without = evaluated(waiving(waiver()), waiver_policy), evaluated(resource(), waiver_policy)
    assert found.results["R1"].result is Result.FAIL
    assert text in finding(found)
    assert "shares a machine" in finding(found)
    assert (failed(found), waived(found), found.lapses) == (failed(without), 0, None)


def test_the_longest_of_several_leaves_counts() -> None:
    waiver_policy = WaiverPolicy(
        waivable=(Waivable(("R1",), ("*",), 1), Waivable(("R?",), ("sh*",), 60), Waivable(("*",), ("x",), 999))
    )
    assert waived(evaluated(waiving(waiver(days=60)), waiver_policy)) == 1
    assert waived(evaluated(waiving(waiver(days=61)), waiver_policy)) == 0


def test_a_waiver_lapses_by_itself_as_its_day_begins() -> None:
    of = waiving(waiver(expires="2026-12-01"))
    last = datetime(2026, 11, 30, 23, 59, 59, tzinfo=UTC)
    assert evaluated(of, now=last).results["R1"].result is Result.WAIVED
    lapsed = evaluated(of, now=last + timedelta(seconds=1))
    assert lapsed.results["R1"].result is Result.FAIL
    assert "its waiver lapsed on 2026-12-01" in finding(lapsed)
    assert lapsed.lapses is None


@given(
    expires=st.dates(date(2026, 1, 1), date(2030, 1, 1)),
    now=st.timedeltas(timedelta(0), timedelta(days=1460)).map(lambda since: datetime(2026, 1, 1, tzinfo=UTC) + since),
    days=st.integers(1, 3650),
)
def test_a_waiver_applies_exactly_before_its_day_and_within_the_policy(expires: date, now: datetime, days: int) -> None:
    waiver_policy = WaiverPolicy(waivable=(Waivable(("R1",), ("shop",), days),))
    found = evaluated(waiving(waiver(expires=expires.isoformat())), waiver_policy, now=now)
    left = datetime(expires.year, expires.month, expires.day, tzinfo=UTC) - now
    holds = timedelta(0) < left <= timedelta(days=days)
    assert found.results["R1"].result is (Result.WAIVED if holds else Result.FAIL)
    assert found.lapses == (now + left if holds else None)


@given(rules=st.sets(st.sampled_from([rule.id for rule in RULES])), permitted=st.booleans())
def test_no_waiver_makes_a_pass_or_touches_another_rule(rules: set[str], permitted: bool) -> None:
    waiver_policy = LEAVE if permitted else WaiverPolicy()
    bad = cache(sku_name="Basic", plaintext_open=True, minimum_tls_version=None, public_network_access="Enabled")
    before = evaluate(resource(), complete(cache=bad), waiver_policy=waiver_policy).results
    after = evaluate(
        waiving(*(waiver(rule) for rule in rules)), complete(cache=bad), waiver_policy=waiver_policy
    ).results
    for rule, verdict in after.items():
        was = before[rule].result
        accepted = permitted and rule in rules and was in {Result.FAIL, Result.UNKNOWN}
        assert verdict.result is (Result.WAIVED if accepted else was)


def test_a_waiver_without_a_rule_is_reported() -> None:
    found = evaluated(waiving(waiver("X9"), waiver("R1")))
    assert [note for note in found.notes if "'X9'" in note] == list(found.notes) != []
    assert waived(found) == 1


def test_strict_weighs_more_and_the_operator_can_demand_it() -> None:
    strict = waiving(profile="Strict")
    declared, demanded = evaluated(strict), evaluated(resource(), WaiverPolicy(minimum_profile=Profile.STRICT))
    weights = {one.rule: one.severity for one in declared.findings}
    assert weights["R1"] is Severity.HIGH
    assert weights["A1"] is Severity.LOW
    assert failed(declared) > failed(evaluated(resource()))
    assert declared.findings == demanded.findings
    assert declared.notes == ()
    assert "Strict applies instead of Baseline" in demanded.notes[0]
    assert evaluated(strict, WaiverPolicy(minimum_profile=Profile.BASELINE)) == declared, "a minimum is no maximum"


def test_a_demanded_profile_is_the_one_that_rules_judge_by() -> None:
    of_microsoft = complete(storage=account(encryption=encryption(key_source="Microsoft.Storage")))
    demanding = WaiverPolicy(minimum_profile=Profile.STRICT)
    assert evaluate(resource(), of_microsoft).results["P4"].result is Result.PASS
    assert evaluate(resource(), of_microsoft, waiver_policy=demanding).results["P4"].result is Result.FAIL
    assert evaluate(resource(), complete(), waiver_policy=demanding).results["P4"].result is Result.PASS


def test_the_next_pass_starts_when_the_waiver_lapses() -> None:
    of = waiving(waiver(expires="2026-12-01"), drift={"intervalSeconds": 300})

    def next_pass_in(before: int) -> float | None:
        obs = complete(cache=SHARED, now=datetime(2026, 12, 1, tzinfo=UTC) - timedelta(seconds=before))
        assessed = whole_assessment(of, obs, cluster_uid="cluster", ca=None, waiver_policy=LEAVE)
        return plan(of, obs, assessed, Settings(cluster_uid="cluster", waiver_policy=LEAVE)).next_pass_in

    assert next_pass_in(100) == 100
    assert next_pass_in(86400) != 86400


def test_the_status_reports_everything() -> None:
    of, obs = waiving(waiver(), waiver("X9")), complete(cache=SHARED)
    assessed = whole_assessment(of, obs, cluster_uid="cluster", ca=None, waiver_policy=LEAVE)
    settings = Settings(cluster_uid="cluster", waiver_policy=LEAVE)
    status = report(of, obs, assessed, plan(of, obs, assessed, settings), ()).status
    assert status.compliance is not None
    assert status.compliance.waived == 1
    assert [one.result for one in status.compliance.findings if one.rule == "R1"] == ["Waived"]
    assert "X9" in status.compliance.notes[0]
    assert status.cache is not None
    assert status.cache.retires_on == "2028-09-30"
    assert status.document()["cache"]["retiresOn"] == "2028-09-30"


def test_a_managed_cluster_is_judged_too() -> None:
    of = resource({"resourceID": managed().resource_id.text})
    assessed = whole_assessment(of, complete(cache=managed()), cluster_uid="cluster", ca=None)
    assert assessed.compliance is not None
    assert assessed.compliance.results["T3"].result is Result.PASS
    assert assessed.drift == ()
