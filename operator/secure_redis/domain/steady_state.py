"""Decide whether another pass would change nothing, so that observing is enough. Pure.

Plan and report follow from the resource, the observation, the brake and the time alone. A resource is at rest when a
pass planned nothing and reported nothing new. As long as resource, observation and brake stay equal, and no moment has
come at which time alone may change the result, another pass would plan and report nothing too.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields, is_dataclass, replace
from datetime import UTC, datetime, time, timedelta
from operator import attrgetter
from typing import Any, Final

from secure_redis.api.resource import SecureRedisCache
from secure_redis.api.status import RotationPhase
from secure_redis.domain.assess.assessment import Assessment
from secure_redis.domain.assess.rotation_record import unanswered
from secure_redis.domain.assess.rules import RULES
from secure_redis.domain.assess.waivers import WaiverPolicy
from secure_redis.domain.observe.cache import Cache
from secure_redis.domain.observe.observation import Observation
from secure_redis.domain.plan.brakes import Brake
from secure_redis.domain.plan.types import Plan
from secure_redis.domain.report.drift_status import young
from secure_redis.domain.report.report import Report

# A whole pass is made this often even if nothing changes: a mistake in this module must not last.
LONGEST: Final = timedelta(hours=6)
# How long before or after an observed date the answer of a rule can change.
_HORIZONS: Final = frozenset(horizon for rule in RULES for horizon in rule.horizons)
_IDLE: Final = frozenset({RotationPhase.SCHEDULED, RotationPhase.COMPLETED, RotationPhase.SUPERSEDED})
_SECOND: Final = timedelta(seconds=1)  # the precision of a time in status
_OBSERVED: Final = attrgetter(*(field.name for field in fields(Observation) if field.name != "now"))


@dataclass(frozen=True, slots=True)
class SteadyState:
    """A pass that changed nothing. `resource`: as much of it as observing needs. `until`: when time ends the rest.

    `next_pass_in`: seconds, as that pass reported it.
    """

    resource: SecureRedisCache
    observed: Observation
    brake: Brake
    next_pass_in: float
    until: datetime

    def matches(self, observed: Observation, brake: Brake) -> bool:
        """Whether a pass on this observation would change nothing again, for the resource as it was then."""
        return (
            self.observed.now <= observed.now < self.until
            and self.brake == brake
            and bool(_OBSERVED(self.observed) == _OBSERVED(observed))
        )


def steady(
    resource: SecureRedisCache,
    observed: Observation,
    assessed: Assessment,
    plan: Plan,
    reported: Report,
    brake: Brake,
    waiver_policy: WaiverPolicy,
) -> SteadyState | None:
    """Return the record of a pass in which nothing was done; None: the next one is a whole pass."""
    if not (_settled(resource, observed) and _nothing(plan) and _silent(resource, reported)):
        return None
    if not isinstance(observed.cache, Cache) or young(resource.status, assessed, observed.now):
        return None
    # A moment that is just now may count as before or after: the next pass is a whole one then.
    coming = (moment for moment in _moments(resource, observed, waiver_policy) if moment >= observed.now)
    until = min(coming, default=observed.now + LONGEST)
    return SteadyState(
        _for_observing(resource), observed, brake, reported.next_pass_in, min(until, observed.now + LONGEST)
    )


def _settled(resource: SecureRedisCache, observed: Observation) -> bool:
    """Whether nothing is requested, under way or remembered that time alone would end."""
    status = resource.status
    requested = resource.refresh_requested or unanswered(resource, observed) is not None
    rotating = status.rotation is not None and status.rotation.phase not in _IDLE
    return not (
        resource.deleting or resource.paused or requested or rotating or status.pending or status.corrections
    ) and not (resource.spec.workloads or status.workloads)


def _nothing(plan: Plan) -> bool:
    """Whether the plan has no action, nothing blocked or waiting, and no earlier next pass than the interval's."""
    rotation = plan.rotation
    turns = rotation is not None and (rotation.action or rotation.needs_fresh_read or rotation.next_pass_in is not None)
    bare = replace(plan, rotation=None) == Plan()
    return bare and not turns


def _silent(resource: SecureRedisCache, reported: Report) -> bool:
    regular = reported.next_pass_in == resource.spec.drift.interval_seconds
    return regular and not reported.failed and not reported.events and reported.status == resource.status


def _moments(resource: SecureRedisCache, observed: Observation, waiver_policy: WaiverPolicy) -> Iterator[datetime]:
    """Find every time at which a comparison with the clock may change, in any order, past ones too."""
    horizons, interval = _HORIZONS, timedelta(seconds=resource.spec.drift.interval_seconds)
    settings = resource.spec.authentication
    if settings is not None and settings.rotation.interval_days is not None:
        horizons = horizons | {timedelta(days=settings.rotation.interval_days)}
    for date in _dates(_OBSERVED(observed)):
        yield date
        yield from (_shifted(date, horizon) for horizon in horizons)
    for waiver in resource.spec.waivers:
        ends = datetime.combine(waiver.expires, time(), UTC)
        yield from (ends, ends - interval)  # the last pass before it comes at that time, not an interval later
        yield from (_shifted(ends, -timedelta(days=one.max_days)) for one in waiver_policy.waivable)
    rotation = resource.status.rotation
    if rotation is not None and rotation.due_at is not None:
        yield datetime.fromisoformat(rotation.due_at) - interval - _SECOND  # as above


def _dates(value: Any) -> Iterator[datetime]:
    """Find every date in an observation."""
    if isinstance(value, datetime):
        yield value if value.tzinfo is not None else value.replace(tzinfo=UTC)
    elif isinstance(value, tuple | list | frozenset):
        for item in value:
            yield from _dates(item)
    elif isinstance(value, Mapping):
        yield from _dates(tuple(value.values()))
    elif is_dataclass(value):
        for field in fields(value):
            yield from _dates(getattr(value, field.name))


def _shifted(date: datetime, by: timedelta) -> datetime:
    """Return `date + by`, or the date itself where that is out of range."""
    try:
        return date + by
    except OverflowError:
        return date


def _for_observing(resource: SecureRedisCache) -> SecureRedisCache:
    """Leave out the parts that are most of a resource's size and not needed to observe: a thousand are stored."""
    emptied = {"conditions": (), "compliance": None, "drift": (), "endpoint": None}
    return replace(resource, status=resource.status.model_copy(update=emptied))
