"""Reads a Microsoft.Cache/redisEnterprise cluster from the inventory, with its database and its encryption key.

There is no list of the databases of a subscription, so each is read by itself, at the cadence of a cache's children.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

from secure_redis.api.resource import Key, SecureRedisCache
from secure_redis.azure.inventory import Inventory
from secure_redis.azure.keyvault.encryption_keys import KeyVaults
from secure_redis.azure.managed_redis.client import ManagedCaches
from secure_redis.domain.grants import GrantPolicy, Power
from secure_redis.domain.observe.identity import Identity
from secure_redis.domain.observe.managed_redis import ManagedDatabase, ManagedRedis
from secure_redis.domain.observe.normalise import is_busy
from secure_redis.domain.observe.observation import Observation
from secure_redis.domain.observe.storage import EncryptionKeyFacts
from secure_redis.domain.observe.unknown import NOT_READ, NotRead, Unknown
from secure_redis.reconciler.edge import guarded
from secure_redis.reconciler.observe.ages import Ages
from secure_redis.reconciler.observe.permission import refused
from secure_redis.reconciler.pass_state import PassState

_RETRY_SECONDS = 60.0  # seconds until what could not be read is read again


@dataclass(frozen=True, slots=True)
class _Cached:
    """The answers read besides the cluster. `key`: which identity read it, of which cluster and encryption key."""

    key: tuple[Identity, str, str | None]
    at: float
    database: ManagedDatabase | Unknown | None
    encryption_key: EncryptionKeyFacts | Unknown | NotRead

    @property
    def settled(self) -> bool:
        """Whether everything answered and Azure changes nothing, so that a quick second read shows the same."""
        if not isinstance(self.database, ManagedDatabase) or is_busy(self.database.provisioning_state):
            return False
        key = self.encryption_key
        if isinstance(key, Unknown | NotRead):
            return isinstance(key, NotRead)
        return not (isinstance(key.vault, Unknown) or isinstance(key.key, Unknown))


class ManagedReader:
    """Reads a cluster for a resource that is only assessed. It writes nothing and reads no key of the cache."""

    def __init__(
        self,
        *,
        policy: GrantPolicy,
        clusters: ManagedCaches,
        inventory: Inventory[ManagedRedis],
        vaults: KeyVaults,
        ages: Ages,
        monotonic: Callable[[], float],
    ) -> None:
        self._policy = policy
        self._clusters = clusters
        self._inventory = inventory
        self._vaults = vaults
        self._ages = ages
        self._monotonic = monotonic
        self._cached: dict[Key, _Cached] = {}

    async def read(
        self, resource: SecureRedisCache, observed: Observation, identity: Identity, pass_state: PassState
    ) -> Observation:
        """Add the cluster, or why it could not be read."""
        cache = resource.cache
        denied = refused(self._policy, identity, resource, Power.OBSERVE)
        if denied is not None:
            return replace(observed, cache=denied)
        state = resource.status.cache.provisioning_state if resource.status.cache else None
        direct = pass_state.direct or (state is not None and is_busy(state))
        if direct:
            found = await guarded(self._inventory.fresh(identity, cache), "the cache")
        else:
            age = 0.0 if pass_state.refresh else self._ages.of(resource)
            found = await guarded(self._inventory.cache(identity, cache, max_age=age), "the cache")
        if not isinstance(found, ManagedRedis):
            self.forget(resource.key)
            return replace(observed, cache=found, cache_fresh=direct)
        pass_state.direct = is_busy(found.provisioning_state)
        cached = await self._besides(resource, found, identity, pass_state)
        return replace(
            observed,
            cache=replace(found, database=cached.database),
            encryption_key=cached.encryption_key,
            cache_fresh=direct,
        )

    def forget(self, key: Key) -> None:
        """Forget a resource that is gone, or whose cluster is gone."""
        self._cached.pop(key, None)

    async def _besides(
        self, resource: SecureRedisCache, cluster: ManagedRedis, identity: Identity, pass_state: PassState
    ) -> _Cached:
        cache = resource.cache
        key = (identity, cache.key, cluster.key_url)
        cached = self._cached.get(resource.key)
        if cached is not None and cached.key == key and not pass_state.refresh and not pass_state.direct:
            age = self._ages.children if cached.settled else min(_RETRY_SECONDS, self._ages.children)
            if self._monotonic() - cached.at < age:
                return cached
        at = self._monotonic()
        database = await guarded(self._clusters.database(identity, cache), "the database")
        encryption: EncryptionKeyFacts | Unknown | NotRead = NOT_READ
        if cluster.key_url is not None:
            key_of_cluster = self._vaults.of_url(identity, cache.subscription, cluster.key_url)
            encryption = await guarded(key_of_cluster, "the encryption key")
        fresh = _Cached(key, at, database, encryption)
        self._cached[resource.key] = fresh
        return fresh
