"""Checks of a Microsoft.Cache/redis cache. They do not apply to caches of other services."""

from collections.abc import Callable

from secure_redis.api.resource import SecureRedisCache
from secure_redis.domain.assess.rules.rule import Check, Result, Verdict, on_service
from secure_redis.domain.observe.observation import Observation
from secure_redis.domain.observe.redis import Redis

ONLY_REDIS = "only a Microsoft.Cache/redis has it"


def on_redis(assess: Callable[[Redis], Verdict], others: str = ONLY_REDIS) -> Check:
    """Build a check of the cache alone; `others`: why it does not apply to Managed Redis."""
    return on_observed_redis(lambda _resource, _observed, cache: assess(cache), others)


def on_observed_redis(
    assess: Callable[[SecureRedisCache, Observation, Redis], Verdict], others: str = ONLY_REDIS
) -> Check:
    """Build a check of the cache and the rest of the observation; `others` as above."""
    return on_service(Redis, Verdict(Result.NOT_APPLICABLE, others), assess)
