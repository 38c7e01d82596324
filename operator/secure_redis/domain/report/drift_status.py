"""Report drift: its entries and corrections in the status, and what the next correction will cause. Pure."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Final

from secure_redis.api.reasons.catalogue import has
from secure_redis.api.reasons.reason import Reason
from secure_redis.api.reasons.row import Trait
from secure_redis.api.resource import SecureRedisCache
from secure_redis.api.status import MESSAGE_LIMIT, CorrectionStatus, DriftStatus, Status
from secure_redis.api.times import rfc3339
from secure_redis.domain.assess.assessment import Assessment
from secure_redis.domain.assess.disruption import SENTENCES
from secure_redis.domain.observe.authors import Author
from secure_redis.domain.observe.observation import Observation
from secure_redis.domain.plan.actions import AzureAction
from secure_redis.domain.plan.cache import correction_history
from secure_redis.domain.plan.outcomes import Outcome
from secure_redis.domain.plan.types import Plan

# Events of the Activity Log appear up to 20 minutes late.
YOUNG: Final = timedelta(minutes=30)


def entries(before: Status, observed: Observation, assessed: Assessment, plan: Plan, at: str) -> Iterable[DriftStatus]:
    """`status.drift`; `at`: the time for what was not known to differ."""
    since = {entry.path: entry.since for entry in before.drift}
    known = {(entry.path, entry.observed): entry.by for entry in before.drift}
    for entry in assessed.drift or ():
        record, why = correction_history.count(before.corrections, entry.path), plan.not_corrected.get(entry.path)
        difference = (entry.path, entry.observed)
        author = observed.authors.get(difference, Author(known.get(difference)))
        noted = since.get(entry.path) or at
        yield DriftStatus(
            path=entry.path,
            declared=entry.declared,
            observed=entry.observed,
            drift_class=entry.drift_class,
            since=noted if author.at is None else min(noted, rfc3339(author.at), key=datetime.fromisoformat),
            effect=entry.effect,
            reason=why.reason if why is not None else None,
            corrections=record.count if record is not None and record.count else None,
            by=author.caller,
        )


def young(before: Status, assessed: Assessment, now: datetime) -> frozenset[tuple[str, str]]:
    """Find young differences, as path and observed value: the log can still get events about who made them.

    There are none while a creation is completed: the operator makes those itself.
    """
    if before.pending is not None:
        return frozenset()
    known = {(entry.path, entry.observed): entry for entry in before.drift}
    found = set()
    for difference in assessed.drift or ():
        entry = known.get((difference.path, difference.observed))
        since = datetime.fromisoformat(entry.since) if entry is not None and entry.since else now
        if not difference.path.startswith("(") and now - since <= YOUNG:
            found.add((difference.path, difference.observed))
    return frozenset(found)


def corrections(
    resource: SecureRedisCache, observed: Observation, assessed: Assessment, plan: Plan, outcomes: tuple[Outcome, ...]
) -> tuple[CorrectionStatus, ...]:
    """`status.corrections`, with what came of this pass's one."""
    differing = frozenset(d.path for d in assessed.drift) if assessed.drift is not None else None
    writes = [o for o in outcomes if isinstance(o.action, AzureAction) and o.action in plan.actions]
    made = writes[0] if (plan.correcting or plan.owed) and writes else None
    return correction_history.after(resource, differing, observed.now, plan.correcting, made, plan.owed)


def refusals_recorded(plan: Plan, refused: set[Reason]) -> bool:
    """Whether the status keeps the refusals: then reading goes on, and only the write is not repeated."""
    return bool(plan.correcting) or (bool(plan.owed) and all(has(one, Trait.NOT_REPEATED) for one in refused))


def announced(resource: SecureRedisCache, assessed: Assessment, plan: Plan) -> Iterable[str]:
    """Announce once, in the pass before, what the next pass corrects and what that causes."""
    known = {entry.path for entry in resource.status.drift}
    for entry in assessed.drift or ():
        if entry.path in plan.to_correct and entry.path not in known and entry.path not in plan.not_corrected:
            change = f"from {entry.observed} to {entry.declared}"
            yield f"{entry.path} is corrected next, {change}: {SENTENCES[entry.effect]}"[:MESSAGE_LIMIT]
