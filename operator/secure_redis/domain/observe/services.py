"""The facts that are known of every cache of a service before one is read."""

from collections.abc import Mapping
from typing import Final

from secure_redis.api.azure_ids import Service
from secure_redis.domain.observe.cache import Cache
from secure_redis.domain.observe.managed_redis import ManagedRedis
from secure_redis.domain.observe.redis import Redis

CACHES: Final[Mapping[Service, type[Cache]]] = {
    Service.REDIS: Redis,
    Service.MANAGED_REDIS: ManagedRedis,
}
