"""The status of a resource beyond its namespace's limits."""

from datetime import datetime

from secure_redis.api.reasons.reason import ConditionType, Reason
from secure_redis.api.resource import SecureRedisCache
from secure_redis.api.status import Condition, Status, merge_conditions
from secure_redis.api.times import rfc3339
from secure_redis.domain.report.conditions.condition_state import FALSE


def status(resource: SecureRedisCache, message: str, now: datetime) -> Status:
    """Compose the status of a resource beyond its namespace's limits: not Ready; values that were known before stay."""
    before = resource.status
    kept = [c for c in before.conditions if c.type not in {ConditionType.READY, ConditionType.RECONCILING}]
    limited = Condition(type=ConditionType.READY, status=FALSE, reason=Reason.LIMIT_REACHED, message=message)
    stamped = [c.model_copy(update={"observed_generation": resource.generation}) for c in (limited, *kept)]
    conditions = merge_conditions(before.conditions, stamped, rfc3339(now))
    return before.model_copy(update={"observed_generation": resource.generation, "conditions": conditions})
