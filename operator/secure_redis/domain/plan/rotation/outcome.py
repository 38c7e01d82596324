"""The status of a rotation after its step was tried. Pure."""

from collections.abc import Iterable

from secure_redis.api.status import RotationStatus
from secure_redis.domain.plan.outcomes import Failed, Outcome
from secure_redis.domain.plan.types import Rotating


def status_after(
    before: RotationStatus | None, rotating: Rotating, outcomes: Iterable[Outcome]
) -> RotationStatus | None:
    """Return the status after the step: a failure is reported, and the phase stays where it was."""
    status = rotating.status
    if status is None or rotating.action is None:
        return status
    outcome = next((one for one in outcomes if one.action is rotating.action), None)
    if outcome is None:  # something before it failed, and it was not tried
        return before
    if not isinstance(outcome, Failed):
        return status
    phase = status.phase if before is None or outcome.maybe_done else before.phase
    return status.model_copy(update={"phase": phase, "reason": outcome.reason, "message": outcome.message})
