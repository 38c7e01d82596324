"""The events of a pass, which report transitions only."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from secure_redis.api.reasons.catalogue import has, needs_person
from secure_redis.api.reasons.reason import ConditionType, Reason
from secure_redis.api.reasons.row import Trait
from secure_redis.api.resource import SecureRedisCache
from secure_redis.api.status import (
    UNDER_WAY,
    CacheStatus,
    Condition,
    RotationPhase,
    RotationStatus,
    Status,
)
from secure_redis.domain.report.conditions.condition_state import (
    FALSE,
    SEE,
    TRUE,
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
    """Find the transitions. A good result of a first pass has none: the conditions show it."""
    ready = now.condition(ConditionType.READY)
    for condition in now.conditions:
        kind = ConditionType(condition.type)
        known = kind is not ConditionType.READY and ready is not None and condition.message == ready.message
        event = _ready_event if kind is ConditionType.READY else _event
        found = None if known or kind in _SILENT else event(resource.status.condition(kind), condition)
        if found is not None:
            yield found
    yield from _rotation_events(resource.status.rotation, now.rotation)
    yield from _retirement_events(resource.status.cache, now.cache)
    old, new = resource.status.credential, now.credential
    if old is not None and new is not None and old.key_vault_version != new.key_vault_version:
        yield Event("Normal", Reason.PUBLISHED, f"Secret {resource.secret_name!r} now holds the {new.slot} key")


def _retirement_events(before: CacheStatus | None, now: CacheStatus | None) -> Iterable[Event]:
    """Report the day of a retirement once: when it is first known, and when it changes."""
    if now is None or now.retires_on is None or (before is not None and before.retires_on == now.retires_on):
        return
    note = f"Microsoft retires caches of this kind on {now.retires_on} and disables them on the next day"
    yield Event("Normal", Reason.RETIREMENT_ANNOUNCED, f"{note}: plan the move to Azure Managed Redis")


def _ready_event(before: Condition | None, now: Condition) -> Event | None:
    """Report a change of Ready, and a new reason why it is not True. An outage is no event: it ends by itself."""
    if before is not None and (before.status, before.reason) == (now.status, now.reason):
        return None
    if now.status == TRUE:
        reported = before is not None and (before.status == FALSE or needs_person(before.reason))
        return Event("Normal", now.reason, f"{now.type}: {now.message}") if reported else None
    if has(now.reason, Trait.PROGRESS):
        return Event("Normal", now.reason, now.message) if now.status == FALSE else None
    if now.status == UNKNOWN and not needs_person(now.reason):
        return None
    return Event("Warning", now.reason, f"{now.type}: {now.message}")


def _event(before: Condition | None, now: Condition) -> Event | None:
    """Report that another condition turned bad, or good again. Ready reports what could not be read."""
    if now.status == UNKNOWN or (before is not None and before.status == now.status):
        return None
    good = (now.status == FALSE) == (now.type in _GOOD_WHEN_FALSE)
    fresh = before is None or before.status == UNKNOWN
    if has(now.reason, Trait.PROGRESS) or (good and fresh) or now.message.startswith(SEE):
        return None
    normal = good or now.reason == Reason.ROLLING_OUT
    return Event("Normal" if normal else "Warning", now.reason, f"{now.type}: {now.message}")


def _rotation_events(before: RotationStatus | None, now: RotationStatus | None) -> Iterable[Event]:
    if now is None or now.reason is None:
        return
    begins = now.phase == RotationPhase.INTENDED and (before is None or before.phase not in UNDER_WAY)
    if begins:
        yield Event("Normal", Reason.ROTATING, f"the {now.target} key will be regenerated")
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
