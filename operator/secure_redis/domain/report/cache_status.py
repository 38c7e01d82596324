"""Compose `status.cache`."""

from secure_redis.api.status import CacheStatus
from secure_redis.domain.assess.ownership import Ownership
from secure_redis.domain.observe.cache import Cache
from secure_redis.domain.observe.observation import Observation


def cache_status(observed: Observation, ownership: Ownership | None, before: CacheStatus | None) -> CacheStatus | None:
    """Report what was read; `before` stays while nothing could be read."""
    cache = observed.cache
    if not isinstance(cache, Cache):
        return before
    return CacheStatus(
        host_name=cache.host_name,
        port=cache.tls_port,
        service=cache.service,
        sku=cache.sku,
        # It means a cache that existed, and that is not created again: not for the rest of a failed creation.
        provisioning_state=None if cache.never_served else cache.provisioning_state,
        redis_version=cache.redis_version,
        ownership=ownership,
        retires_on=None if cache.retirement is None else cache.retirement.on.isoformat(),
        api_version=cache.api_version,
    )
