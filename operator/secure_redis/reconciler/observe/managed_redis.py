"""Looks at a Microsoft.Cache/redisEnterprise cluster: from the inventory, with its database and its encryption key.

There is no list of the databases of a subscription, so each is read by itself, at the cadence of a cache's children.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

from secure_redis.api.resource import SecureRedisCache
from secure_redis.azure.inventory import Inventory
from secure_redis.azure.keyvault.encryption_keys import KeyVaults
from secure_redis.azure.managed_redis.client import ManagedCaches
from secure_redis.domain.grants import GrantPolicy, Power, refuse
from secure_redis.domain.observe.identity import Identity
from secure_redis.domain.observe.managed_redis import ManagedDatabase, ManagedRedis
from secure_redis.domain.observe.normalise import is_busy
from secure_redis.domain.observe.observation import Observation
from secure_redis.domain.observe.storage import EncryptionKeyFacts
from secure_redis.domain.observe.unknown import NOT_READ, NotRead, Unknown
from secure_redis.reconciler.pass_state import Ages, PassState

_AGAIN = 60.0  # seconds until what could not be read is asked for again


@dataclass(frozen=True, slots=True)
class _Held:
    """What was read besides the cluster. `key`: by whom, of which cluster, with which encryption key."""

    key: tuple[Identity, str, str | None]
    at: float
    database: ManagedDatabase | Unknown | None
    encryption_key: EncryptionKeyFacts | NotRead

    @property
    def settled(self) -> bool:
        """Whether everything answered and Azure is at rest, so that a quick look again would show the same."""
        if not isinstance(self.database, ManagedDatabase) or is_busy(self.database.provisioning_state):
            return False
        key = self.encryption_key
        return isinstance(key, NotRead) or not (isinstance(key.vault, Unknown) or isinstance(key.key, Unknown))


class ManagedObserver:
    """Reads a cluster for a resource that is judged only. Nothing here can write, and no key of the cache is read."""

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

    async def observe(
        self, resource: SecureRedisCache, observed: Observation, identity: Identity, pass_state: PassState
    ) -> Observation:
        """Look once."""
        cache = resource.cache
        refusal = refuse(self._policy, identity, resource.key.namespace, Power.OBSERVE, cache=cache)
        if refusal is not None:
            return replace(observed, cache=Unknown(refusal.reason, refusal.message, permanent=True))
        state = resource.status.cache.provisioning_state if resource.status.cache else None
        direct = pass_state.direct or (state is not None and is_busy(state))
        if direct:
            found = await self._inventory.fresh(identity, cache)
        else:
            interval = resource.spec.drift.interval_seconds * self._ages.of_interval
            found = await self._inventory.cache(identity, cache, max_age=0.0 if pass_state.refresh else interval)
        if not isinstance(found, ManagedRedis):
            pass_state.managed = None
            return replace(observed, cache=found, cache_fresh=direct)
        pass_state.direct = is_busy(found.provisioning_state)
        held = await self._besides(resource, found, identity, pass_state)
        return replace(
            observed,
            cache=replace(found, database=held.database),
            encryption_key=held.encryption_key,
            cache_fresh=direct,
        )

    async def _besides(
        self, resource: SecureRedisCache, cluster: ManagedRedis, identity: Identity, pass_state: PassState
    ) -> _Held:
        cache = resource.cache
        key = (identity, cache.key, cluster.key_url)
        held = pass_state.managed
        if isinstance(held, _Held) and held.key == key and not pass_state.refresh and not pass_state.direct:
            age = self._ages.children if held.settled else min(_AGAIN, self._ages.children)
            if self._monotonic() - held.at < age:
                return held
        at = self._monotonic()
        database = await self._clusters.database(identity, cache)
        encryption: EncryptionKeyFacts | NotRead = NOT_READ
        if cluster.key_url is not None:
            encryption = await self._vaults.of_url(identity, cache.subscription, cluster.key_url)
        fresh = _Held(key, at, database, encryption)
        pass_state.managed = fresh
        return fresh
