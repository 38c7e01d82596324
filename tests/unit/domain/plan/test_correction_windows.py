"""Corrections wait for `drift.windows`, and say when the next one opens."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from secure_redis.api import names
from secure_redis.api.reasons.reason import ConditionType, Reason
from secure_redis.api.resource import SecureRedisCache
from secure_redis.api.status import PendingStatus
from secure_redis.domain.observe.observation import Observation
from secure_redis.domain.plan.actions import UpdateCache
from tests.builders.passes import OWNER, PROVISION, cache, observation, planned, reported, resource
from tests.builders.world import NOW

DRIFT = [{"path": "transport.nonTLSPort", "declared": "Disabled", "observed": "Enabled", "class": "Security"}]
OPENS = NOW + timedelta(hours=10)  # 22:00
WINDOW = {"schedule": "0 22 * * *", "durationMinutes": 60}
OPEN_PORT = cache(tags=OWNER, plaintext_open=True)


def declared(*windows: dict[str, Any], annotations: dict[str, str] | None = None, **spec: Any) -> SecureRedisCache:
    drift = {"correct": ["Security", "Availability"], "windows": list(windows)}
    given = {"mode": "Provision", "provision": PROVISION, "drift": drift, **spec}
    return resource(given, annotations=annotations, status={"drift": DRIFT})


def at(now: datetime) -> Observation:
    return replace(observation(cache=OPEN_PORT), now=now)


@pytest.mark.parametrize(
    ("after_opening", "corrects"),
    [(timedelta(seconds=-1), False), (timedelta(0), True), (timedelta(minutes=59), True), (timedelta(hours=1), False)],
)
def test_a_correction_is_made_only_while_a_window_is_open(after_opening: timedelta, corrects: bool) -> None:
    plan = planned(declared(WINDOW), at(OPENS + after_opening))
    assert bool(plan.actions) is corrects
    assert (Reason.OUTSIDE_WINDOW in {one.reason for one in plan.blocked}) is not corrects


def test_without_windows_it_is_made_at_any_time() -> None:
    assert planned(declared(), at(NOW)).actions


def test_the_condition_and_the_entry_say_when_the_window_opens() -> None:
    status = reported(declared(WINDOW), at(NOW)).status
    drift = status.condition(ConditionType.DRIFT_DETECTED)
    assert drift is not None
    assert (drift.status, drift.reason) == ("True", "OutsideWindow")
    assert "opens at 2026-11-24T22:00:00Z" in drift.message
    assert status.drift[0].reason == "OutsideWindow"


@pytest.mark.parametrize(("before", "expected"), [(299.0, 299.0), (301.0, None)])
def test_the_next_pass_is_at_the_opening_if_that_is_before_the_next_check(
    before: float, expected: float | None
) -> None:
    plan = planned(declared(WINDOW), at(OPENS - timedelta(seconds=before)))
    assert (plan.exact_in, plan.next_pass_in) == (expected, expected)


def test_a_path_that_is_named_by_annotation_does_not_wait() -> None:
    asked = declared(WINDOW, annotations={names.ALLOW_DISRUPTION: "transport.nonTLSPort"})
    assert planned(asked, at(NOW)).actions
    asked = declared(WINDOW, annotations={names.ALLOW_DISRUPTION: "transport.minimumTLSVersion"})
    assert not planned(asked, at(NOW)).actions


def test_a_window_that_cannot_be_used_corrects_nothing_and_is_reported() -> None:
    found = reported(declared({**WINDOW, "timeZone": "Europe/Berln"}), at(OPENS))
    drift = found.status.condition(ConditionType.DRIFT_DETECTED)
    assert drift is not None
    assert drift.reason == "InvalidSpec"
    assert "spec.drift.windows[0].timeZone" in drift.message
    assert not planned(declared({**WINDOW, "timeZone": "Europe/Berln"}), at(OPENS)).actions


def test_a_creation_is_completed_outside_the_windows() -> None:
    opening = declared(WINDOW, network={"publicAccess": "Enabled"})
    closed = replace(at(NOW), cache=cache(tags=OWNER, public_network_access="Disabled"))
    assert not planned(opening, closed).actions
    pending = PendingStatus(action="CompleteCache", recorded_at="2026-11-24T12:00:00Z")
    forged = replace(opening, status=opening.status.model_copy(update={"pending": pending}))
    assert not planned(forged, closed).actions
    tags = {**OWNER, names.CREATION_TAG: names.CREATION_INCOMPLETE}
    created = replace(closed, cache=cache(tags=tags, public_network_access="Disabled"))
    (action,) = planned(opening, created).actions
    assert isinstance(action, UpdateCache)
    assert action.fields == ("publicNetworkAccess",)
