"""Reads a Microsoft.Cache/redisEnterprise cluster from the inventory, with its database and its encryption key.

There is no list of the databases of a subscription, and a list of clusters is read with an interface version that every
region serves. So database and cluster are read by themselves, with the newest version, at the cadence of a cache's
children: two reads for each cluster.
"""

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import urlsplit

from secure_redis.api.azure_ids import KeyScope
from secure_redis.api.resource import Key, SecureRedisCache
from secure_redis.api.spec.persistence import KeySource
from secure_redis.api.spec.spec import Mode
from secure_redis.azure.governance.reads import Governance
from secure_redis.azure.inventory import Inventory
from secure_redis.azure.keyvault.encryption_keys import KeyVaults
from secure_redis.azure.managed_redis.client import ManagedCaches
from secure_redis.domain.assess.disruption import allowed
from secure_redis.domain.assess.managed_redis import ENCRYPTION, SKU, differences
from secure_redis.domain.grants import GrantPolicy, Power, VaultTarget
from secure_redis.domain.observe.cache import CacheAbsent
from secure_redis.domain.observe.identity import Identity
from secure_redis.domain.observe.managed_redis import ManagedDatabase, ManagedRedis
from secure_redis.domain.observe.normalise import same_word
from secure_redis.domain.observe.observation import Observation
from secure_redis.domain.observe.observation import changed as replace
from secure_redis.domain.observe.storage import EncryptionKeyFacts, KeyVaultFacts
from secure_redis.domain.observe.unknown import NOT_READ, NotRead, Unknown
from secure_redis.reconciler.edge import guarded
from secure_redis.reconciler.observe.ages import Ages
from secure_redis.reconciler.observe.direct_reads import needs_direct_read
from secure_redis.reconciler.observe.operation import OperationReader
from secure_redis.reconciler.observe.permission import refused
from secure_redis.reconciler.pass_state import PassState

_RETRY_SECONDS = 60.0  # seconds until what could not be read is read again


@dataclass(frozen=True, slots=True)
class _Cached:
    """The answers read besides the list. `key`: which identity read it, of which cluster and encryption key."""

    key: tuple[Identity, str, str | None]
    at: float
    cluster: ManagedRedis  # with its database
    encryption_key: EncryptionKeyFacts | Unknown | NotRead

    @property
    def settled(self) -> bool:
        """Whether everything answered and Azure changes nothing, so that a quick second read shows the same."""
        if not isinstance(self.cluster.database, ManagedDatabase) or self.cluster.busy_state is not None:
            return False
        key = self.encryption_key
        if isinstance(key, Unknown | NotRead):
            return isinstance(key, NotRead)
        return not any(isinstance(part, Unknown) for part in (key.vault, key.key, key.newest))


class ManagedReader:
    """Keeps, per resource, the database and what else is not in a list of clusters."""

    def __init__(
        self,
        *,
        policy: GrantPolicy,
        clusters: ManagedCaches,
        inventory: Inventory[ManagedRedis],
        vaults: KeyVaults,
        governance: Governance,
        ages: Ages,
        monotonic: Callable[[], float],
    ) -> None:
        self._policy = policy
        self._clusters = clusters
        self._inventory = inventory
        self._vaults = vaults
        self._governance = governance
        self._ages = ages
        self._monotonic = monotonic
        self._cached: dict[Key, _Cached] = {}
        self._existed: dict[Key, str] = {}  # the uid of the resource for which the cluster was read
        self._operations = OperationReader()

    async def read(
        self, resource: SecureRedisCache, observed: Observation, identity: Identity, pass_state: PassState
    ) -> Observation:
        """Add the cluster, or why it could not be read."""
        cache = resource.cache
        denied = refused(self._policy, identity, resource, Power.OBSERVE)
        if denied is not None:
            return replace(observed, cache=denied)
        polled = self._clusters.operation(identity, cache)
        operation = await self._operations.read(resource, polled, pass_state)
        running = operation is not None and not self._operations.has_failed(resource.key)
        direct = pass_state.direct or running or needs_direct_read(resource)
        if direct:
            found = await guarded(self._inventory.fresh(identity, cache), "the cache")
        else:
            age = 0.0 if pass_state.refresh else self._ages.of(resource)
            found = await guarded(self._inventory.cache(identity, cache, max_age=age), "the cache")
        existed = self._existed.get(resource.key) == resource.uid
        observed = replace(observed, cache=found, cache_fresh=direct, cache_existed=existed, operation=operation)
        if not isinstance(found, ManagedRedis):
            self._cached.pop(resource.key, None)
            if isinstance(found, CacheAbsent) and not existed:
                self._operations.forget(resource.key)  # the rest of a failed creation is gone: it is tried again
            return observed
        cached = await self._besides(resource, found, identity, pass_state, direct=direct)
        cluster = cached.cluster
        pass_state.direct = cluster.busy_state is not None
        if not cluster.never_served:
            self._existed[resource.key] = resource.uid
        observed = replace(
            observed,
            cache=cluster,
            cache_existed=self._existed.get(resource.key) == resource.uid,
            encryption_key=cached.encryption_key,
        )
        return observed if resource.deleting else await self._before_changes(resource, observed, cluster, identity)

    def forget(self, key: Key) -> None:
        """Forget a resource that is gone."""
        self._cached.pop(key, None)
        self._existed.pop(key, None)
        self._operations.forget(key)

    async def _besides(
        self,
        resource: SecureRedisCache,
        listed: ManagedRedis,
        identity: Identity,
        pass_state: PassState,
        *,
        direct: bool,
    ) -> _Cached:
        """Read the database, the encryption key, and of a cluster from a list what only a direct read shows."""
        cache = resource.cache
        key = (identity, cache.key, listed.key_url)
        cached = self._cached.get(resource.key)
        if cached is not None and cached.key == key and not pass_state.refresh and not direct:
            age = self._ages.children if cached.settled else min(_RETRY_SECONDS, self._ages.children)
            if self._monotonic() - cached.at < age:
                return _Cached(key, cached.at, _joined(listed, cached.cluster), cached.encryption_key)
        at, cluster = self._monotonic(), listed
        if listed.api_version is None:
            alone = await guarded(self._clusters.read(identity, cache), "the cache")
            cluster = _joined(listed, alone) if isinstance(alone, ManagedRedis) else listed
        database = await guarded(self._clusters.database(identity, cache), "the database")
        encryption: EncryptionKeyFacts | Unknown | NotRead = NOT_READ
        if cluster.key_url is not None:
            key_of_cluster = self._vaults.in_use(identity, cache.subscription, cluster.key_url)
            encryption = await guarded(key_of_cluster, "the encryption key")
        fresh = _Cached(key, at, dataclasses.replace(cluster, database=database), encryption)
        self._cached[resource.key] = fresh
        return fresh

    async def _before_changes(
        self, resource: SecureRedisCache, observed: Observation, cluster: ManagedRedis, identity: Identity
    ) -> Observation:
        """Read what decides a correction that was consented to: the SKUs that Azure offers, the key for the disks.

        Before that consent nothing is decided by it, and a difference that waits would cost a call in every pass.
        """
        spec = resource.spec
        managed = spec.provision.managed_redis if spec.provision is not None else None
        if spec.mode is not Mode.PROVISION or managed is None:
            return observed
        if allowed(resource, SKU) and not same_word(managed.sku, cluster.sku_name) and not cluster.geo_linked:
            options = self._clusters.scaling_options(identity, resource.cache)
            observed = replace(observed, scaling_options=await guarded(options, "the sizes that Azure offers"))
        wanted = spec.persistence.encryption if spec.persistence is not None else None
        if wanted is None or wanted.key_source is not KeySource.CUSTOMER_MANAGED or wanted.key_url is None:
            return observed
        differing = {one.path for one in differences(cluster, resource, observed)}
        if not any(path in differing and allowed(resource, path) for path in ENCRYPTION):
            return observed
        key = await self._declared_key(resource, identity, wanted.key_url)
        observed = replace(observed, declared_key=key)
        principal = cluster.principal_of(wanted.identity_id)
        if principal is None or not isinstance(key, EncryptionKeyFacts) or not isinstance(key.vault, KeyVaultFacts):
            return observed
        if not key.vault.by_roles:
            return observed  # its access policies were read with it
        scope = KeyScope(key.vault.resource_id, urlsplit(wanted.key_url).path.split("/")[2])
        roles = self._governance.role_assignments(identity, scope, principal)
        return replace(observed, key_roles=await guarded(roles, "the roles on the declared encryption key"))

    async def _declared_key(
        self, resource: SecureRedisCache, identity: Identity, url: str
    ) -> EncryptionKeyFacts | Unknown:
        """Read the key that the spec names, where a grant covers its vault: an author could search for keys else."""
        parts = urlsplit(url)
        target = VaultTarget(f"{parts.scheme}://{parts.netloc}", parts.path.split("/")[2])
        denied = refused(self._policy, identity, resource, Power.OBSERVE, vault=target)
        if denied is not None:
            return denied
        found = self._vaults.of_url(identity, resource.cache.subscription, url)
        return await guarded(found, "the declared encryption key")


def _joined(listed: ManagedRedis, alone: ManagedRedis) -> ManagedRedis:
    """Add to a cluster of a list what was read by itself."""
    if listed.api_version is not None:
        return dataclasses.replace(listed, database=alone.database)
    return dataclasses.replace(
        listed,
        api_version=alone.api_version,
        maintenance_windows=alone.maintenance_windows,
        database=alone.database,
    )
