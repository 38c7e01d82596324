"""Brakes on rotations: beginnings wait, emergencies are not capped, a rotation under way stays in its phase."""

from typing import Any

import pytest

from secure_redis.api.reasons.reason import Reason
from secure_redis.api.status import RotationPhase, RotationStatus
from secure_redis.domain.plan.actions import MarkKey
from secure_redis.domain.plan.brakes import (
    READ_ONLY,
    ROTATIONS_CAPPED,
    Brake,
    restrain_rotation,
)
from secure_redis.domain.plan.types import Rotating
from tests.builders.passes import resource

AT = "2026-11-24T12:00:00Z"
CAPPED = Brake(rotations=ROTATIONS_CAPPED)
HELD = Brake(everything=READ_ONLY)


def intended(request: str | None = None) -> Rotating:
    status = RotationStatus(
        phase=RotationPhase.INTENDED, target="Secondary", request=request, started_at=AT, recorded_at=AT
    )
    return Rotating(status, None, next_pass_in=0.0, begins=True)


def under_way() -> tuple[dict[str, Any], Rotating]:
    before = RotationStatus(phase=RotationPhase.INTENDED, target="Secondary", started_at=AT, recorded_at=AT)
    action = MarkKey("https://v", "s", "1", {})
    now = before.model_copy(update={"phase": RotationPhase.REGENERATING})
    return {"rotation": before.model_dump(by_alias=True, exclude_none=True)}, Rotating(now, None, action, 0.0)


@pytest.mark.parametrize("brake", [CAPPED, HELD])
def test_a_waiting_start_is_reported_with_its_reason(brake: Brake) -> None:
    res = resource()
    held = restrain_rotation(res, intended("now"), brake)
    assert held.status is not None
    assert (held.status.phase, held.status.request) == (RotationPhase.WAITING, "now")
    assert (held.status.target, held.status.recorded_at) == (None, None)
    assert held.status.reason in {Reason.CAPPED, Reason.READ_ONLY}
    assert held.next_pass_in is None
    assert not held.begins


def test_an_emergency_is_not_capped_but_read_only_blocks_it() -> None:
    leaked = intended("emergency-1")
    assert restrain_rotation(resource(), leaked, CAPPED) is leaked
    assert restrain_rotation(resource(), leaked, HELD) is not leaked


def test_a_cap_does_not_stop_what_is_under_way_and_read_only_does() -> None:
    status, step = under_way()
    res = resource(status=status)
    assert restrain_rotation(res, step, CAPPED) is step
    held = restrain_rotation(res, step, HELD)
    assert held.action is None
    assert held.status is not None
    assert (held.status.phase, held.status.recorded_at) == (RotationPhase.INTENDED, AT)
    assert held.status.reason == Reason.READ_ONLY


def test_a_status_that_claims_a_rotation_does_not_lift_the_cap() -> None:
    status, _ = under_way()
    held = restrain_rotation(resource(status=status), intended("now"), CAPPED)
    assert held.status is not None
    assert held.status.phase == RotationPhase.WAITING


def test_other_phases_are_not_changed() -> None:
    rest = Rotating(RotationStatus(phase=RotationPhase.COMPLETED), None)
    assert restrain_rotation(resource(), rest, HELD) is rest
