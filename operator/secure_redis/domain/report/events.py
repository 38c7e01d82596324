"""The events of a pass, which report transitions only."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from secure_redis.api.reasons.catalogue import has
from secure_redis.api.reasons.reason import ConditionType, Reason
from secure_redis.api.reasons.row import Trait
from secure_redis.api.resource import SecureRedisCache
from secure_redis.api.status import (
    UNDER_WAY,
    RotationPhase,
    RotationStatus,
    Status,
)
from secure_redis.domain.report.conditions.condition_state import (
    FALSE,
    UNKNOWN,
)


@dataclass(frozen=True, slots=True)
class Event:
    """One event about a transition. `kind`: Normal or Warning."""

    kind: Literal["Normal", "Warning"]
    reason: str
    note: str


_GOOD_WHEN_FALSE = frozenset({ConditionType.DRIFT_DETECTED, ConditionType.STALLED})


_SILENT = frozenset({ConditionType.RECONCILING})


def events_of(resource: SecureRedisCache, now: Status) -> Iterable[Event]:
    """Find the transitions. A first pass that finds everything good has none: the conditions show it."""
    for condition in now.conditions:
        kind = ConditionType(condition.type)
        if kind in _SILENT or condition.status == UNKNOWN:
            continue
        before = resource.status.condition(kind)
        fresh = before is None or before.status == UNKNOWN
        good = (condition.status == FALSE) == (kind in _GOOD_WHEN_FALSE)
        changed = before is None or before.status != condition.status
        if not changed and not (kind is ConditionType.READY and not good and before.reason != condition.reason):  # type: ignore[union-attr]
            continue
        if has(condition.reason, Trait.PROGRESS):
            if kind is ConditionType.READY:
                yield Event("Normal", condition.reason, condition.message)
            continue
        if good and fresh:
            continue
        normal = good or condition.reason == Reason.ROLLING_OUT
        yield Event("Normal" if normal else "Warning", condition.reason, f"{kind}: {condition.message}")
    yield from _rotation_events(resource.status.rotation, now.rotation)
    old, new = resource.status.credential, now.credential
    if old is not None and new is not None and old.key_vault_version != new.key_vault_version:
        yield Event("Normal", Reason.PUBLISHED, f"Secret {resource.secret_name!r} now holds the {new.slot} key")


def _rotation_events(before: RotationStatus | None, now: RotationStatus | None) -> Iterable[Event]:
    if now is None or now.reason is None:
        return
    begins = now.phase == RotationPhase.INTENDED and (before is None or before.phase not in UNDER_WAY)
    if begins:
        yield Event("Normal", Reason.ROTATING, f"the {now.target} key is to be regenerated")
    if before is not None and (before.phase, before.reason) == (now.phase, now.reason):
        return
    ended = now.phase in {RotationPhase.COMPLETED, RotationPhase.SUPERSEDED}
    if ended and before is not None and before.phase in UNDER_WAY:
        kind: Literal["Normal", "Warning"] = "Normal" if now.phase == RotationPhase.COMPLETED else "Warning"
        yield Event(kind, now.reason, now.message or "")
    elif not ended and now.phase != RotationPhase.SCHEDULED and not has(now.reason, Trait.ROTATION_STEP):
        yield Event(
            "Normal" if has(now.reason, Trait.ROTATION_WAIT) else "Warning", now.reason, f"rotation: {now.message}"
        )
