"""Brakes block writes over the whole fleet, whatever one resource declares. Pure: `reconciler.brakes` has the state.

readOnly      nothing is written to Azure or Key Vault; Secrets of proven keys and statuses go on
FirstLook     after an upgrade, the first pass over each resource only reports
MassDrift     too many resources need a correction within one interval: all corrections stop until released
Capped        this hour's corrections, or beginnings of rotations, are used up
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Final

from secure_redis.api.reasons.catalogue import has
from secure_redis.api.reasons.reason import Reason
from secure_redis.api.reasons.row import Trait
from secure_redis.api.resource import SecureRedisCache
from secure_redis.api.status import RotationPhase, RotationStatus
from secure_redis.domain.explanation import Blocked, Waiting
from secure_redis.domain.plan.actions import AzureAction
from secure_redis.domain.plan.rotation.request import RotationRequest
from secure_redis.domain.plan.types import Plan, Rotating

HOUR: Final = 3600.0
REPORT_ONLY_SECONDS: Final = 60.0  # from a first pass that only reported to the next one

READ_ONLY: Final = Blocked(
    Reason.READ_ONLY,
    "the operator's configuration has brakes.readOnly: nothing is written to Azure or Key Vault",
)
FIRST_LOOK: Final = Blocked(
    Reason.FIRST_LOOK, "the operator was upgraded: its first reconcile of the resource only reports what it would write"
)
MASS_DRIFT: Final = Blocked(
    Reason.MASS_DRIFT,
    "too many resources need a correction at the same time, so the operator makes none. Find out what changed, then "
    "set brakes.release in the operator's configuration to a new value",
)
CORRECTIONS_CAPPED: Final = Blocked(
    Reason.CAPPED, "this hour's corrections (brakes.correctionsPerHour) are used up; the operator continues later"
)
ROTATIONS_CAPPED: Final = Blocked(
    Reason.CAPPED, "this hour's rotations (brakes.rotationsPerHour) are used up; the operator continues later"
)


@dataclass(frozen=True, slots=True)
class BrakeLimits:
    """The configured limits. `release`: a new value resumes corrections.

    Mass drift: more than `share` of at least `at_least` resources, and no fewer than `minimum_corrections`.
    """

    read_only: bool = False
    corrections_per_hour: int = 100
    rotations_per_hour: int = 100
    share: float = 0.05
    at_least: int = 20
    minimum_corrections: int = 5
    release: str = ""


@dataclass(frozen=True, slots=True)
class Brake:
    """Holds what blocks one pass. `next_pass_in`: seconds until the next pass if it is blocked; None: the interval."""

    everything: Blocked | None = None
    corrections: Blocked | None = None
    rotations: Blocked | None = None
    next_pass_in: float | None = None


FREE: Final = Brake()


def is_mass_drift(wanting: int, total: int, limits: BrakeLimits) -> bool:
    """Whether more than the share of enough resources need a correction, and enough that it is no coincidence."""
    enough = total >= limits.at_least and wanting >= limits.minimum_corrections
    return enough and wanting > limits.share * total


def within_the_hour(times: Iterable[float], now: float) -> list[float]:
    """Return the times that are less than an hour ago."""
    return [time for time in times if now - time < HOUR]


def requires_correction(plan: Plan) -> bool:
    """Whether a correction would be made now or next, if there were no brake. A contested one does not count."""
    return any(
        path not in plan.not_corrected or has(plan.not_corrected[path].reason, Trait.BRAKE) for path in plan.to_correct
    )


def restrain(plan: Plan, brake: Brake) -> Plan:
    """Remove from the plan the writes to cache and vault that the brake blocks, and report them as blocked."""
    writes = any(isinstance(action, AzureAction) for action in plan.actions)
    blocked = brake.everything or (brake.corrections if plan.correcting or plan.to_correct else None)
    if blocked is None or not (writes or plan.to_correct):
        return plan
    others = brake.everything is None and not plan.correcting
    remaining = tuple(a for a in plan.actions if others or not isinstance(a, AzureAction))
    paths = {path: blocked for path in plan.to_correct if path not in plan.not_corrected}
    if not (paths or (writes and not others)):
        return plan
    # A blocked write that is no correction keeps the resource from its goal: it waits, and is no drift.
    waits = Waiting(blocked.reason, blocked.message) if writes and not plan.correcting and not others else None
    return replace(
        plan,
        actions=remaining,
        blocked=(blocked, *plan.blocked),
        waiting=plan.waiting if others else waits,
        not_corrected={**plan.not_corrected, **paths},
        correcting=(),
        next_pass_in=plan.next_pass_in if remaining else brake.next_pass_in,
        needs_fresh_read=False,
    )


def restrain_rotation(resource: SecureRedisCache, rotating: Rotating, brake: Brake) -> Rotating:
    """Keep a rotation from beginning, or from its next write, while the brake blocks it.

    The hourly cap blocks beginnings only, and never an emergency: a rotation that began is safer when finished.
    """
    before, status = resource.status.rotation, rotating.status
    begins = rotating.begins
    capped = (
        brake.rotations if begins and status is not None and not RotationRequest(status.request).emergency else None
    )
    blocked = brake.everything or capped
    if blocked is None or status is None or not (begins or rotating.action is not None):
        return rotating
    why = {"reason": str(blocked.reason), "message": blocked.message}
    if begins:
        why |= {"phase": RotationPhase.WAITING}
        nothing = {"target": None, "started_at": None, "recorded_at": None}
        reported: RotationStatus | None = status.model_copy(update={**nothing, **why})
    else:
        reported = before.model_copy(update=why) if before is not None else None
    return replace(
        rotating, status=reported, action=None, begins=False, next_pass_in=brake.next_pass_in, needs_fresh_read=False
    )
