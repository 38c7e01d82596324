"""Follow earlier corrections: a value that came back is not changed, a refused write is not repeated. Pure.

The records are in the status, so that a restart forgets nothing. A changed spec or a refresh resets them.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Final

from secure_redis.api import names
from secure_redis.api.reasons.catalogue import has
from secure_redis.api.reasons.reason import Reason
from secure_redis.api.reasons.row import Trait
from secure_redis.api.resource import SecureRedisCache
from secure_redis.api.status import MESSAGE_LIMIT, CorrectionStatus
from secure_redis.api.times import rfc3339
from secure_redis.domain.explanation import Blocked
from secure_redis.domain.plan.outcomes import Done, Failed, Outcome
from secure_redis.domain.plan.types import CLOCK_SKEW_SECONDS, PERMANENT_RETRY_SECONDS

TWICE: Final = 2
# A value that comes back later than this was changed again manually, not reverted.
WINDOW: Final = timedelta(hours=24)
MOST_RECORDS: Final = 50


def blocked(resource: SecureRedisCache, path: str, now: datetime) -> Blocked | None:
    """Explain why this path is not corrected: it is contested, or Azure refused the write within the hour."""
    record = next((one for one in records(resource) if one.path == path), None)
    if record is None or _is_ahead(record, now):
        return None
    age = now - datetime.fromisoformat(record.at)
    if record.count >= TWICE:
        return Blocked(
            Reason.CONTESTED,
            f"{path} was corrected twice, last at {record.at}, and came back: another party sets it. The operator "
            f"does not correct it until the spec changes or the annotation {names.REFRESH} has a new value",
        )
    if (
        record.reason is not None
        and has(record.reason, Trait.NOT_REPEATED)
        and age.total_seconds() < PERMANENT_RETRY_SECONDS
    ):
        return Blocked(Reason(record.reason), record.message or f"Azure refused to change {path}")
    return None


def records(resource: SecureRedisCache) -> tuple[CorrectionStatus, ...]:
    """Return the records that still count."""
    if resource.refresh_requested:
        return ()
    return tuple(one for one in resource.status.corrections if one.generation == resource.generation)


def after(
    resource: SecureRedisCache,
    differing: frozenset[str] | None,
    now: datetime,
    corrected: Iterable[str] = (),
    outcome: Outcome | None = None,
    owed: Iterable[str] = (),
) -> tuple[CorrectionStatus, ...]:
    """Return the records as the status keeps them. `differing`: paths that differ now; None: not known.

    `corrected` and `outcome`: the paths that were corrected by the one write of this pass and what came of it.
    `owed`: those that it brings for a creation, which is no correction: only that it was refused is kept.
    """
    kept = {one.path: one for one in records(resource) if _counts(one, differing, now)}
    for path in corrected:
        entry = None if outcome is None else _entry(resource, kept.get(path), path, outcome, now)
        if entry is not None:
            kept[path] = entry
    for path in owed:
        entry = kept.pop(path, None)
        if isinstance(outcome, Failed):
            entry = _entry(resource, entry, path, outcome, now)
        elif isinstance(outcome, Done) and entry is not None and not entry.count:
            entry = None
        if entry is not None:
            kept[path] = entry
    newest = sorted(kept.values(), key=lambda one: one.at, reverse=True)[:MOST_RECORDS]
    return tuple(sorted(newest, key=lambda one: one.path))


def count(records_of: Iterable[CorrectionStatus], path: str) -> CorrectionStatus | None:
    """Return the record of one path."""
    return next((one for one in records_of if one.path == path), None)


def _counts(record: CorrectionStatus, differing: frozenset[str] | None, now: datetime) -> bool:
    if _is_ahead(record, now):
        return False
    recent = now - datetime.fromisoformat(record.at) < WINDOW
    if record.count >= TWICE:  # for as long as it differs
        return recent or differing is None or record.path in differing
    return recent


def _is_ahead(record: CorrectionStatus, now: datetime) -> bool:
    """Whether the record's time lies ahead, so that it was not written by an operator."""
    return (datetime.fromisoformat(record.at) - now).total_seconds() > CLOCK_SKEW_SECONDS


def _entry(
    resource: SecureRedisCache, before: CorrectionStatus | None, path: str, outcome: Outcome, now: datetime
) -> CorrectionStatus | None:
    made = before.count if before is not None else 0
    if isinstance(outcome, Done):
        return CorrectionStatus(path=path, count=made + 1, at=rfc3339(now), generation=resource.generation)
    if outcome.permanent and has(outcome.reason, Trait.NOT_REPEATED):
        return CorrectionStatus(
            path=path,
            count=made,
            at=rfc3339(now),
            generation=resource.generation,
            reason=outcome.reason,
            message=outcome.message[:MESSAGE_LIMIT],
        )
    return before
