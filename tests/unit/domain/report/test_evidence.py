"""A condition that reports something good does so only while there is evidence for it."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from secure_redis.api.reasons.catalogue import reasons_on
from secure_redis.api.reasons.reason import ConditionType, Reason
from secure_redis.api.reasons.row import SAFETY
from secure_redis.api.status import Status
from secure_redis.api.times import rfc3339
from secure_redis.domain.observe.unknown import Unknown
from secure_redis.domain.report import evidence
from tests.builders.passes import observation, published, reported, resource
from tests.builders.world import AUTHENTICATION, NOW

VALIDATE = {"authentication": AUTHENTICATION}
LATER = NOW + timedelta(hours=1)
DOWN = Unknown(Reason.AZURE_UNREACHABLE, "no answer")


def settled() -> dict[str, Any]:
    return reported(resource(VALIDATE), observation()).status.document()


def states(status: Status) -> dict[str, tuple[str, str]]:
    return {one.type: (one.status, one.reason) for one in status.conditions}


@pytest.mark.parametrize(("interval", "seconds"), [(60, 900), (300, 900), (301, 903), (3600, 10800)])
def test_a_result_is_good_for_three_intervals_and_a_quarter_of_an_hour_at_least(interval: int, seconds: int) -> None:
    assert evidence.good_for(interval) == seconds


def test_after_failed_passes_nothing_is_known() -> None:
    found = evidence.failed(resource(VALIDATE, status=settled()), LATER, "OverflowError")
    kinds = ("Ready", "CacheAvailable", "TransportSecured", "CredentialsSynced", "Compliant", "DriftDetected")
    assert states(found) == dict.fromkeys(kinds, ("Unknown", "InternalError"))
    ready = found.condition(ConditionType.READY)
    assert ready is not None
    assert "OverflowError" in ready.message
    assert ready.last_transition_time == rfc3339(LATER)
    assert {one.message for one in found.conditions if one.type != "Ready"} == {"see Ready"}
    assert found.cache == reported(resource(VALIDATE), observation()).status.cache, "what was known of the cache stays"


def test_a_first_pass_that_fails_is_reported_too() -> None:
    found = evidence.failed(resource(VALIDATE), NOW, "KeyError")
    assert states(found).keys() == {"Ready", "CacheAvailable", "TransportSecured", "Compliant", "DriftDetected"}


def test_a_report_is_written_once() -> None:
    first = evidence.failed(resource(VALIDATE, status=settled()), NOW, "KeyError")
    assert evidence.failed(resource(VALIDATE, status=first.document()), LATER, "KeyError") == first
    old = evidence.expired(resource(VALIDATE, status=settled()), NOW)
    assert evidence.expired(resource(VALIDATE, status=old.document()), LATER) == old


def test_what_was_good_expires_and_what_was_bad_stays() -> None:
    before = settled()
    for condition in before["conditions"]:
        if condition["type"] in {"TransportSecured", "DriftDetected"}:
            condition |= {"status": "False" if condition["type"] == "TransportSecured" else "True", "reason": "Bad"}
    found = states(evidence.expired(resource(VALIDATE, status=before), LATER))
    assert found.pop("TransportSecured") == ("False", "Bad")
    assert found.pop("DriftDetected") == ("True", "Bad")
    assert set(found.values()) == {("Unknown", "NotObserved")}
    assert found.keys() == {"Ready", "CacheAvailable", "CredentialsSynced", "Compliant"}


def test_a_status_without_anything_good_is_not_changed() -> None:
    of = resource(VALIDATE)
    assert evidence.expired(of, NOW) is of.status


@pytest.mark.parametrize("reason", [Reason.INTERNAL_ERROR, Reason.NOT_OBSERVED, Reason.PASS_DEADLINE])
def test_the_reason_is_documented_on_every_safety_condition(reason: Reason) -> None:
    assert {kind for kind in ConditionType if reason in reasons_on(kind)} == SAFETY


@pytest.mark.parametrize(("age", "over"), [(900, False), (901, True)])
def test_an_outage_keeps_ready_only_while_the_last_result_is_good(age: int, over: bool) -> None:
    of = resource(VALIDATE)
    secret = published(of, observation())
    began = reported(resource(VALIDATE, status=settled()), observation(cache=DOWN, vault=DOWN, secret=secret))
    assert states(began.status)["Ready"] == ("True", "Ready")
    during = replace(observation(cache=DOWN, vault=DOWN, secret=secret), now=NOW + timedelta(seconds=age))
    found = reported(resource(VALIDATE, status=began.status.document()), during)
    assert states(found.status)["Ready"] == (("Unknown", "AzureUnreachable") if over else ("True", "Ready"))


def test_a_time_that_was_forged_counts_as_old() -> None:
    assert evidence.is_over("yesterday", NOW, 300)
    assert evidence.is_over("2026-11-24T12:00:00", NOW, 300), "a time without a zone cannot be compared"
