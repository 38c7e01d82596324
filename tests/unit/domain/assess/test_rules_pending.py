"""A restart does not change the findings on what a new process has not read yet."""

from typing import Any

import pytest

from secure_redis.api.resource import SecureRedisCache
from secure_redis.domain.assess.rules import evaluate
from secure_redis.domain.assess.rules.rule import Result
from secure_redis.domain.observe.observation import Observation
from secure_redis.domain.observe.unknown import NOT_READ, NOT_READ_YET
from tests.builders.endpoint import endpoint
from tests.builders.passes import cache, resource
from tests.builders.world import NOW

FOUND = {"rule": "O8", "result": "Fail", "severity": "Low", "message": "no lock; set one"}


def earlier(*findings: dict[str, Any], generation: int = 1, passed: str = "") -> SecureRedisCache:
    compliance = {
        "passed": 1,
        "failed": {"low": len(findings)},
        "unknown": 0,
        "findings": list(findings),
        "passedRules": passed,
    }
    return resource(status={"observedGeneration": generation, "compliance": compliance})


def observation(locks: Any = NOT_READ_YET) -> Observation:
    return Observation(now=NOW, cache=cache(), locks=locks)


def test_a_finding_stays_as_reported() -> None:
    found = evaluate(earlier(FOUND), observation())
    finding = next(one for one in found.findings if one.rule == "O8")
    assert (finding.result, finding.message) == (Result.FAIL, "no lock; set one")


def test_a_passed_rule_stays_passed() -> None:
    assert evaluate(earlier(passed="O7 O8"), observation()).results["O8"].result is Result.PASS


def test_a_rule_that_an_earlier_version_did_not_know_is_unknown() -> None:
    """After an upgrade, a rule without an earlier finding is not taken as passed."""
    assert evaluate(earlier(passed="O88 T1"), observation()).results["O8"].result is Result.UNKNOWN


def test_an_expired_waiver_is_not_kept() -> None:
    waived = {**FOUND, "result": "Waived"}
    assert evaluate(earlier(waived), observation()).results["O8"].result is Result.UNKNOWN


def test_without_an_earlier_status_it_is_unknown() -> None:
    found = evaluate(resource(), observation()).results["O8"]
    assert found.result is Result.UNKNOWN
    assert found.message == "not read yet: the locks"


def test_an_edited_spec_makes_it_unknown() -> None:
    assert evaluate(earlier(generation=0), observation()).results["O8"].result is Result.UNKNOWN


def test_a_fact_that_is_never_read_is_unknown_whatever_was_reported() -> None:
    assert evaluate(earlier(), observation(NOT_READ)).results["O8"].result is Result.UNKNOWN


def test_a_current_read_counts() -> None:
    finding = next(one for one in evaluate(earlier(FOUND), observation(())).findings if one.rule == "O8")
    assert finding.message != FOUND["message"]


@pytest.mark.parametrize("result", ["Fail", "Unknown"])
def test_an_endpoint_in_the_status_turns_no_finding_into_a_pass(result: str) -> None:
    """A party that can write the status could change it; only a probe by this process counts."""
    recorded = {**FOUND, "rule": "T5", "result": result}
    recalled = Observation(now=NOW, cache=cache(), endpoint=endpoint(at=None))
    assert evaluate(earlier(recorded), recalled).results["T5"].result is Result(result)
    probed = Observation(now=NOW, cache=cache(), endpoint=endpoint())
    assert evaluate(earlier(recorded), probed).results["T5"].result is Result.PASS


def test_a_pass_before_a_restart_is_kept_until_the_first_probe() -> None:
    recalled = Observation(now=NOW, cache=cache(), endpoint=endpoint(at=None))
    assert evaluate(earlier(passed="T5"), recalled).results["T5"].result is Result.PASS
    assert evaluate(earlier(), recalled).results["T5"].result is Result.UNKNOWN
    assert evaluate(resource(), recalled).results["T5"].result is Result.UNKNOWN
