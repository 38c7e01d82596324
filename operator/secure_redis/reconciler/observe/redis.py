"""Reads everything in Azure that belongs to a Microsoft.Cache/redis cache."""

from secure_redis.api.resource import Key, SecureRedisCache
from secure_redis.domain.observe.identity import Identity
from secure_redis.domain.observe.observation import Observation
from secure_redis.domain.observe.redis import Redis
from secure_redis.reconciler.observe.cache import CacheReader
from secure_redis.reconciler.observe.credential import CredentialReader
from secure_redis.reconciler.observe.rotation import RotationReader
from secure_redis.reconciler.observe.storage import StorageReader
from secure_redis.reconciler.pass_state import PassState


class RedisReader:
    """Reads the cache first, because it decides what else is read."""

    def __init__(
        self, *, cache: CacheReader, storage: StorageReader, credential: CredentialReader, rotation: RotationReader
    ) -> None:
        self._cache = cache
        self._storage = storage
        self._credential = credential
        self._rotation = rotation

    async def read(
        self, resource: SecureRedisCache, observed: Observation, identity: Identity, pass_state: PassState
    ) -> Observation:
        """Add the cache; where the resource stays, also its storage, its credential and its rotation."""
        observed = await self._cache.read(resource, observed, identity, pass_state)
        if resource.deleting:
            return observed
        if isinstance(observed.cache, Redis):
            observed = await self._storage.read(resource, observed, observed.cache, identity, pass_state)
        observed = await self._credential.read(resource, observed, identity, pass_state)
        return await self._rotation.read(resource, observed, identity, pass_state)

    def forget(self, key: Key) -> None:
        """The resource is gone."""
        self._cache.forget(key)
        self._storage.forget(key)
