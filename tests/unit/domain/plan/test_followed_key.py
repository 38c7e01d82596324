"""With access Read, workloads move to a new key only while one of `rotation.windows` is open."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from secure_redis.api import names
from secure_redis.api.resource import SecureRedisCache
from secure_redis.domain.plan.rollout.waves import Rollout, roll
from tests.builders.passes import resource
from tests.builders.workloads import V1, V2, injected, pods, workload
from tests.builders.world import AUTHENTICATION, NOW
from tests.unit.domain.plan.test_rollout import ALL, acts, current_status, observation, told

OPENS = NOW + timedelta(hours=10)  # 22:00
WINDOW = {"schedule": "0 22 * * *", "durationMinutes": 60}


def declared(access: str = "Read", annotations: dict[str, str] | None = None, **window: Any) -> SecureRedisCache:
    vault = {**AUTHENTICATION["keyVault"], "access": access}
    authentication = {"keyVault": vault, "rotation": {"windows": [{**WINDOW, **window}]}}
    return resource({"authentication": authentication, "workloads": [ALL]}, annotations=annotations)


def rolled(res: SecureRedisCache, after_opening: timedelta, *, new: bool = False) -> Rollout:
    """One pass after the other party stored V2. `new`: the workload is not injected yet."""
    app = workload("a")
    before = app if new else injected(res, app, V1)
    known = replace(res, status=res.status.model_validate(current_status(before) if not new else {}))
    seen = observation(before, held={"a": pods(V1)})
    return roll(known, replace(seen, now=OPENS + after_opening), V2)


@pytest.mark.parametrize(("seconds", "moves"), [(-1, False), (0, True), (3599, True), (3600, False)])
def test_a_workload_moves_only_while_a_window_is_open(seconds: int, moves: bool) -> None:
    found = rolled(declared(), timedelta(seconds=seconds))
    assert acts(found) == (["+a"] if moves else [])
    assert told(found)["a"][1] == ("RollingOut" if moves else "OutsideWindow")


def test_the_status_says_when_the_window_opens_and_the_next_pass_is_at_that_time() -> None:
    found = rolled(declared(), timedelta(seconds=-60))
    assert "opens at 2026-11-24T22:00:00Z" in (found.statuses[0].message or "")
    assert (found.opens_in, found.next_pass_in) == (60.0, None)
    assert rolled(declared(), timedelta(hours=-9)).opens_in is None, "the ordinary pass comes first"


def test_the_operators_own_key_does_not_wait() -> None:
    assert acts(rolled(declared("ReadWrite"), timedelta(hours=-1))) == ["+a"]


def test_a_first_injection_does_not_wait() -> None:
    assert acts(rolled(declared(), timedelta(hours=-1), new=True)) == ["+a"]


def test_a_move_that_replaces_no_pod_does_not_wait() -> None:
    before = injected(declared(), workload("a", replicas=0), V1)
    assert acts(roll(declared(), observation(before), V2)) == ["+a"]


def test_an_annotation_moves_them_at_once() -> None:
    asked = declared(annotations={names.ALLOW_DISRUPTION: "workloads"})
    assert acts(rolled(asked, timedelta(hours=-1))) == ["+a"]


def test_a_window_that_cannot_be_used_moves_nothing_and_is_reported() -> None:
    found = rolled(declared(timeZone="Europe/Berln"), timedelta(0))
    assert acts(found) == []
    assert told(found)["a"][1] == "InvalidSpec"
