"""The condition of a cache that no network path leads to; the same for every service."""

from secure_redis.api.reasons.reason import Reason
from secure_redis.domain.observe.cache import Cache
from secure_redis.domain.report.conditions.condition_state import FALSE, ConditionState


def no_route(cache: Cache) -> ConditionState | None:
    """Report that nothing can reach the cache; None: something may."""
    if not cache.unreachable:
        return None
    return ConditionState(
        FALSE,
        Reason.NO_ROUTE,
        "public access is off and there is no approved private endpoint: nothing can reach the cache; "
        f"{cache.PRIVATE_LINK}",
    )
