"""What `status.cache` tells of a cache of either service."""

from datetime import date

from secure_redis.api.status import CacheStatus
from secure_redis.domain.assess.ownership import Ownership
from secure_redis.domain.assess.retirement import retires_on
from secure_redis.domain.observe.managed_redis import ManagedDatabase, ManagedFacts
from secure_redis.domain.observe.observation import Observation, of_either
from secure_redis.domain.observe.redis import CacheFacts


def cache_status(observed: Observation, ownership: Ownership | None, before: CacheStatus | None) -> CacheStatus | None:
    """What was read; what was told `before` stays while nothing could be."""
    facts = of_either(observed)
    if isinstance(facts, CacheFacts):
        return _cache(facts, ownership)
    return _cluster(facts) if isinstance(facts, ManagedFacts) else before


def _cache(facts: CacheFacts, ownership: Ownership | None) -> CacheStatus:
    return CacheStatus(
        host_name=facts.host_name,
        port=facts.tls_port,
        service=facts.resource_id.service,
        sku=f"{facts.sku_name} {facts.sku_family}{facts.sku_capacity}",
        provisioning_state=facts.provisioning_state,
        redis_version=facts.redis_version,
        ownership=ownership,
        retires_on=_day(retires_on(facts.resource_id.service)),
    )


def _cluster(facts: ManagedFacts) -> CacheStatus:
    database = facts.database if isinstance(facts.database, ManagedDatabase) else None
    return CacheStatus(
        host_name=facts.host_name,
        port=facts.port,
        service=facts.resource_id.service,
        sku=facts.sku_name,
        provisioning_state=facts.provisioning_state,
        # Recorded answers have it in the database, the API's examples in both.
        redis_version=(database.redis_version if database is not None else None) or facts.redis_version,
        retires_on=_day(retires_on(facts.resource_id.service, facts.sku_name)),
    )


def _day(day: date | None) -> str | None:
    return None if day is None else day.isoformat()
