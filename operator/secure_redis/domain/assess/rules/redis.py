"""Checks of a Microsoft.Cache/redis cache. They do not apply to caches of other services."""

from collections.abc import Callable

from secure_redis.api.resource import SecureRedisCache
from secure_redis.domain.assess.rules.rule import Check, Result, Verdict, on_service
from secure_redis.domain.observe.observation import Observation
from secure_redis.domain.observe.redis import Redis

ONLY_REDIS = Verdict(Result.NOT_APPLICABLE, "only a Microsoft.Cache/redis has it")


def on_redis(judge: Callable[[Redis], Verdict]) -> Check:
    """Make a check of a judgement on the cache alone."""
    return on_service(Redis, ONLY_REDIS, lambda _resource, _observed, cache: judge(cache))


def on_observed_redis(judge: Callable[[SecureRedisCache, Observation, Redis], Verdict]) -> Check:
    """Make a check of a judgement on the cache and what else was observed."""
    return on_service(Redis, ONLY_REDIS, judge)
