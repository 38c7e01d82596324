"""The state of the simulated world. In memory only; ARM, Key Vault and the control port change it."""

import re
import time
from dataclasses import dataclass, field

from cryptography.hazmat.primitives.asymmetric import rsa

from sandbox.azure.seeds import seeds
from sandbox.azure.seeds.managed_redis import ManagedCluster
from sandbox.azure.seeds.storage import VaultKey
from sandbox.azure.state.clock import Timeline
from sandbox.azure.state.faults import Faults
from sandbox.azure.state.keyvault import VaultState
from sandbox.azure.state.listeners import Listeners, NoListeners
from sandbox.azure.state.managed_redis import ManagedState
from sandbox.azure.state.managed_redis import from_seed as cluster_from_seed
from sandbox.azure.state.operation import ManagedOperation, Operation
from sandbox.azure.state.redis import CacheState, from_seed, new_key
from sandbox.azure.state.request_log import RequestLog
from sandbox.azure.state.settings import Settings
from sandbox.azure.state.storage import StorageState


@dataclass(frozen=True, slots=True)
class Names:
    """The hosts of the made-up cloud. All are served by one port, which is part of every URL."""

    domain: str
    port: int

    @property
    def login(self) -> str:
        """Entra's URL."""
        return f"https://login.{self.domain}:{self.port}"

    @property
    def management(self) -> str:
        """Return the resource manager's URL."""
        return f"https://management.{self.domain}:{self.port}"

    @property
    def vault_resource(self) -> str:
        """Return the resource that vault tokens are for; an SDK accepts it because every vault's host is below it."""
        return f"https://vault.{self.domain}:{self.port}"

    def vault_host(self, name: str) -> str:
        """Return a vault's host name, without the port."""
        return f"{name.lower()}.vault.{self.domain}"

    def vault_url(self, name: str) -> str:
        """Return a vault's URI."""
        return f"https://{self.vault_host(name)}:{self.port}"

    def redis_host(self, name: str) -> str:
        """Return a cache's host name."""
        return f"{name.lower()}.redis.{self.domain}"

    def managed_host(self, name: str, region: str) -> str:
        """Return a cluster's host name."""
        return f"{name.lower()}.{region}.managedredis.{self.domain}"

    def host_of(self, cache: CacheState | ManagedState) -> str:
        """Return the host name of a cache of either service."""
        if isinstance(cache, ManagedState):
            return self.managed_host(cache.name, cache.region)
        return self.redis_host(cache.name)


@dataclass
class World:
    """All state. Keys of the dictionaries are lower-case names: ARM and vaults ignore case."""

    names: Names
    settings: Settings = field(default_factory=Settings)
    timeline: Timeline = field(default_factory=Timeline)
    faults: Faults = field(default_factory=Faults)
    log: RequestLog = field(default_factory=RequestLog)
    listeners: Listeners = field(default_factory=NoListeners)
    signing_key: rsa.RSAPrivateKey = field(
        default_factory=lambda: rsa.generate_private_key(public_exponent=65537, key_size=2048), repr=False
    )
    tenants: dict[str, seeds.Tenant] = field(default_factory=dict)
    apps: dict[str, seeds.App] = field(default_factory=dict)
    issuers: dict[str, seeds.Issuer] = field(default_factory=dict)
    subscriptions: dict[str, seeds.Subscription] = field(default_factory=dict)
    groups: dict[tuple[str, str], seeds.Group] = field(default_factory=dict)
    caches: dict[str, CacheState] = field(default_factory=dict)
    ghosts: list[CacheState] = field(default_factory=list)
    foreign_names: set[str] = field(default_factory=set)
    vaults: dict[str, VaultState] = field(default_factory=dict)
    vault_keys: dict[tuple[str, str], VaultKey] = field(default_factory=dict)  # by vault and name
    storage: dict[str, StorageState] = field(default_factory=dict)
    clusters: dict[str, ManagedState] = field(default_factory=dict)  # by ARM id: names are unique per region only
    assignments: list[tuple[float, seeds.RoleAssignment]] = field(default_factory=list)
    locks: list[seeds.Lock] = field(default_factory=list)
    policies: list[seeds.Policy] = field(default_factory=list)
    regions: dict[str, seeds.Region] = field(default_factory=lambda: {r.name: r for r in seeds.REGIONS})
    operations: dict[str, Operation] = field(default_factory=dict)
    managed_operations: dict[str, ManagedOperation] = field(default_factory=dict)
    capacity_failures: int = 0  # how many creations of clusters end for lack of capacity
    issued: dict[str, str] = field(default_factory=dict)  # token id -> object id
    revoked: set[str] = field(default_factory=set)  # token ids

    def token_time(self) -> float:
        """Return the Unix seconds by which tokens are made and checked.

        Not the timeline: what is put forward there (operations, propagation) must not end the tokens of a cluster
        and of clients that live in real time.
        """
        return time.time() + self.settings.clock_skew_seconds

    def subscription(self, given: str) -> seeds.Subscription | None:
        """Return the subscription of that id."""
        return self.subscriptions.get(given.lower())

    def group(self, subscription: str, name: str) -> seeds.Group | None:
        """Return the resource group of that name."""
        return self.groups.get((subscription.lower(), name.lower()))

    def cache(self, subscription: str, group: str, name: str) -> CacheState | None:
        """Return the cache with that id. Names are unique across the whole world."""
        found = self.caches.get(name.lower())
        if found is None or (found.subscription.lower(), found.group.lower()) != (subscription.lower(), group.lower()):
            return None
        return found

    def region(self, given: str) -> seeds.Region | None:
        """Return a location, in any spelling of its name."""
        return self.regions.get(re.sub(r"\s", "", given).lower())

    async def reset(self) -> None:
        """Empty the world, end its listeners, and return to real time and default settings. Names and keys stay."""
        for cache in list(self.caches.values()):
            await self.remove(cache)
        for cluster in list(self.clusters.values()):
            await self.remove_cluster(cluster)
        self.timeline.reset()
        self.faults.clear()
        self.log.clear()
        self.settings = Settings()
        self.regions = {r.name: r for r in seeds.REGIONS}
        for collection in (
            self.tenants, self.apps, self.issuers, self.subscriptions, self.groups, self.ghosts, self.foreign_names,
            self.vaults, self.assignments, self.locks, self.policies, self.operations, self.issued, self.revoked,
            self.storage, self.vault_keys, self.managed_operations,
        ):  # fmt: skip
            collection.clear()
        self.capacity_failures = 0

    async def add_cache(self, seed: seeds.Cache) -> CacheState:
        """Add a seeded cache and its listener. Raises ValueError if its subscription is not seeded."""
        subscription = self.subscription(seed.subscription)
        if subscription is None:
            raise ValueError(f"seed the subscription {seed.subscription} before its caches")
        self.groups.setdefault(
            (seed.subscription.lower(), seed.group.lower()),
            seeds.Group(subscription=seed.subscription, name=seed.group),
        )
        cache = from_seed(seed, subscription.tenant)
        self.caches[seed.name.lower()] = cache
        await self.changed(cache)
        return cache

    async def changed(self, cache: CacheState, *, cut: bool = False) -> None:
        """Record a change of a cache for late readers and update its listener. Call it after every change."""
        cache.remember(self.timeline.now(), self.names.domain)
        await self.listeners.apply(cache, cut=cut)

    async def remove(self, cache: CacheState) -> None:
        """Remove a cache. Readers that are behind still see it."""
        cache.deleted_at = self.timeline.now()
        self.caches.pop(cache.name.lower(), None)
        self.ghosts.append(cache)
        await self.listeners.apply(cache, cut=True)

    async def regenerate_key(self, cache: CacheState | ManagedState, slot: str) -> None:
        """Put a new key into one slot of a cache. The settings say when its listener learns of it."""
        if slot not in cache.keys:
            raise ValueError(f"there is no key {slot!r}")
        settings = self.settings
        old, new = cache.keys[slot], new_key()
        now = self.timeline.now()
        listed = cache.listed_keys(now)[slot]
        cache.keys[slot] = new
        if settings.new_key_listed_after_seconds > 0:
            cache.listed_late[slot] = (listed, now + settings.new_key_listed_after_seconds)

        async def accept() -> None:
            if new in cache.keys.values() and new not in cache.live_keys:
                cache.live_keys = (*cache.live_keys, new)
                await self._apply(cache)

        async def refuse() -> None:
            cache.live_keys = tuple(key for key in cache.live_keys if key != old)
            await self._apply(cache, cut=settings.regenerate_cuts_connections)

        for seconds, effect in (
            (settings.new_key_accepted_after_seconds, accept),
            (settings.old_key_refused_after_seconds, refuse),
        ):
            if seconds > 0:
                self.timeline.after(seconds, effect)
            else:
                await effect()

    async def _apply(self, cache: CacheState | ManagedState, *, cut: bool = False) -> None:
        if isinstance(cache, ManagedState):
            await self.changed_cluster(cache, cut=cut)
        else:
            await self.changed(cache, cut=cut)

    async def add_cluster(self, seed: ManagedCluster) -> None:
        """Add a seeded cluster and its listener. Raises ValueError if its subscription is not seeded."""
        if self.subscription(seed.subscription) is None:
            raise ValueError(f"seed the subscription {seed.subscription} before its clusters")
        place = (seed.subscription.lower(), seed.group.lower())
        self.groups.setdefault(place, seeds.Group(subscription=seed.subscription, name=seed.group))
        cluster = cluster_from_seed(seed)
        self.clusters[cluster.scope.lower()] = cluster
        await self.changed_cluster(cluster)

    async def changed_cluster(self, cluster: ManagedState, *, cut: bool = False) -> None:
        """Update a cluster's listener. Call it after every change of the cluster."""
        await self.listeners.apply(cluster, cut=cut)

    async def remove_cluster(self, cluster: ManagedState) -> None:
        """Remove a cluster."""
        if self.clusters.get(cluster.scope.lower()) is cluster:
            del self.clusters[cluster.scope.lower()]
        cluster.database = None
        await self.listeners.apply(cluster)

    def assign(self, assignment: seeds.RoleAssignment) -> None:
        """Add a role assignment, which takes effect after its delay."""
        delay = self.settings.role_propagation_seconds if assignment.delay is None else assignment.delay
        self.assignments.append((self.timeline.now() + delay, assignment))
