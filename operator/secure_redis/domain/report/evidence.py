"""Decide until when a result is good, and report results that are no longer known. Pure.

A condition reports what a pass observed. Passes come at least once an interval. So a result of which no pass has been
made for several intervals is Unknown, whatever the reason: a pass that fails or hangs, an outage, or no free place.
"""

from datetime import datetime, timedelta
from typing import Final

from secure_redis.api.reasons.reason import ConditionType, Reason
from secure_redis.api.reasons.row import SAFETY
from secure_redis.api.resource import Envelope
from secure_redis.api.status import Condition, Status, merge_conditions
from secure_redis.api.times import rfc3339
from secure_redis.domain.report.conditions.condition_state import FALSE, SEE, TRUE, UNKNOWN
from secure_redis.domain.report.conditions.way_out import with_way_out

_INTERVALS: Final = 3
# The longest back-off (10 minutes) and the longest pass (5 minutes) fit into it, so no retry is reported as no pass.
LEAST_SECONDS: Final = 900.0
# The conditions that every status has. The others are reported only where they were before.
_ALWAYS: Final = frozenset(
    {
        ConditionType.READY,
        ConditionType.CACHE_AVAILABLE,
        ConditionType.TRANSPORT_SECURED,
        ConditionType.COMPLIANT,
        ConditionType.DRIFT_DETECTED,
    }
)


def good_for(interval_seconds: float) -> float:
    """Return how many seconds after its observation a result is good. `interval_seconds`: of the resource's passes."""
    return max(LEAST_SECONDS, _INTERVALS * interval_seconds)


def is_over(since: str, now: datetime, interval_seconds: float) -> bool:
    """Whether a result last observed at `since` (RFC 3339) is not good any more. True if `since` is no valid time."""
    try:
        return now - datetime.fromisoformat(since) > timedelta(seconds=good_for(interval_seconds))
    except (ValueError, TypeError):  # written by hand
        return True


def failed(resource: Envelope, now: datetime, error: str) -> Status:
    """Compose the status after failed passes: every safety condition is Unknown. `error`: the exception's class."""
    message = f"the last reconciles of this resource ended with an error of the operator ({error})"
    return _unknown(resource, now, _reported(resource), Reason.INTERNAL_ERROR, message)


def unserved(resource: Envelope, now: datetime, message: str) -> Status:
    """Compose the status of a resource that no install of the operator serves: every safety condition is Unknown."""
    return _unknown(resource, now, _reported(resource), Reason.OPERATOR_GONE, message)


def expired(resource: Envelope, now: datetime) -> Status:
    """Compose the status of a resource that no pass observed for too long. Good results are Unknown, the rest stays."""
    good = [ConditionType(one.type) for one in resource.status.conditions if _is_good(one)]
    message = "the operator has not observed this resource for several intervals"
    return _unknown(resource, now, good, Reason.NOT_OBSERVED, message)


def _reported(resource: Envelope) -> list[ConditionType]:
    there = {condition.type for condition in resource.status.conditions}
    return [kind for kind in ConditionType if kind in SAFETY and (kind in _ALWAYS or kind in there)]


def _is_good(condition: Condition) -> bool:
    good = FALSE if condition.type == ConditionType.DRIFT_DETECTED else TRUE
    return condition.type in SAFETY and condition.status == good


def _unknown(resource: Envelope, now: datetime, kinds: list[ConditionType], reason: Reason, message: str) -> Status:
    if not kinds:
        return resource.status
    before, first = resource.status, kinds[0]
    unknown = [
        Condition(
            type=kind,
            status=UNKNOWN,
            reason=reason,
            message=with_way_out(resource, kind, message) if kind is first else f"{SEE}{first}",
        )
        for kind in kinds
    ]
    kept = [condition for condition in before.conditions if condition.type not in kinds]
    generation = resource.generation
    stamped = [condition.model_copy(update={"observed_generation": generation}) for condition in (*unknown, *kept)]
    conditions = merge_conditions(before.conditions, stamped, rfc3339(now))
    return before.model_copy(update={"observed_generation": generation, "conditions": conditions})
