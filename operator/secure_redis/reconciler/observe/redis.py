"""Reads a Microsoft.Cache/redis cache: its settings, its operation, its firewall rules, and where it persists to."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from typing import Generic, TypeVar

from secure_redis.api.resource import Key, SecureRedisCache
from secure_redis.api.spec.spec import Mode
from secure_redis.azure.governance.reads import Governance
from secure_redis.azure.inventory import Inventory
from secure_redis.azure.redis.client import Caches
from secure_redis.domain.grants import GrantPolicy, Power
from secure_redis.domain.observe.cache import CacheAbsent, PublicAddress
from secure_redis.domain.observe.firewall import FirewallRuleFacts
from secure_redis.domain.observe.governance import PatchWindow
from secure_redis.domain.observe.identity import Identity
from secure_redis.domain.observe.normalise import is_busy
from secure_redis.domain.observe.observation import Observation
from secure_redis.domain.observe.observation import changed as replace
from secure_redis.domain.observe.redis import Redis
from secure_redis.domain.observe.unknown import NOT_READ, NotRead, Unknown
from secure_redis.domain.plan.cache.creation import maintenance_windows
from secure_redis.reconciler.edge import guarded
from secure_redis.reconciler.observe.ages import Ages
from secure_redis.reconciler.observe.direct_reads import about_to_create, needs_direct_read
from secure_redis.reconciler.observe.operation import OperationReader
from secure_redis.reconciler.observe.permission import refused
from secure_redis.reconciler.observe.storage import StorageReader
from secure_redis.reconciler.pass_state import PassState

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class _Child(Generic[T]):
    """The items that `identity` read beside the cache at the monotonic time `at`."""

    identity: Identity
    items: tuple[T, ...]
    at: float


class RedisReader:
    """Keeps, per resource, the firewall rules and the maintenance windows."""

    def __init__(
        self,
        *,
        policy: GrantPolicy,
        caches: Caches,
        governance: Governance,
        inventory: Inventory[Redis],
        storage: StorageReader,
        ages: Ages,
        monotonic: Callable[[], float],
    ) -> None:
        self._policy = policy
        self._caches = caches
        self._governance = governance
        self._inventory = inventory
        self._storage = storage
        self._ages = ages
        self._monotonic = monotonic
        self._rules: dict[Key, _Child[FirewallRuleFacts]] = {}
        self._windows: dict[Key, _Child[PatchWindow]] = {}
        self._existed: dict[Key, str] = {}  # the uid of the resource for which the cache was read
        self._operations = OperationReader()

    async def read(
        self, resource: SecureRedisCache, observed: Observation, identity: Identity, pass_state: PassState
    ) -> Observation:
        """Add the cache, or why it could not be read."""
        denied = refused(self._policy, identity, resource, Power.OBSERVE)
        if denied is not None:
            return replace(observed, cache=denied)
        polled = self._caches.operation(identity, resource.cache)
        operation = await self._operations.read(resource, polled, pass_state)
        running = operation is not None and not self._operations.has_failed(resource.key)
        direct = pass_state.direct or running or needs_direct_read(resource)
        if direct:
            cache = await guarded(self._inventory.fresh(identity, resource.cache), "the cache")
        else:
            age = 0.0 if pass_state.refresh else self._ages.of(resource)
            cache = await guarded(self._inventory.cache(identity, resource.cache, max_age=age), "the cache")
        if isinstance(cache, Redis):
            self._existed[resource.key] = resource.uid
        existed = self._existed.get(resource.key) == resource.uid
        observed = replace(observed, cache=cache, cache_fresh=direct, cache_existed=existed, operation=operation)
        if isinstance(cache, Unknown):
            return observed
        if isinstance(cache, CacheAbsent):
            if cache.confirmed and about_to_create(resource):
                available = self._caches.name_available(identity, resource.cache)
                return replace(observed, name_available=await guarded(available, "whether the name is free"))
            return observed
        pass_state.direct = is_busy(cache.provisioning_state)
        rules = await self._firewall(resource, cache, identity, pass_state, direct)
        observed = replace(observed, firewall_rules=rules)
        if resource.deleting:
            return observed
        if resource.spec.mode is Mode.PROVISION and maintenance_windows(resource):  # else read with what governs it
            schedule = partial(self._governance.patch_schedule, identity, resource.cache)
            windows = await self._child(
                self._windows, resource.key, identity, pass_state, direct, schedule, "the maintenance windows"
            )
            observed = replace(observed, patch_schedule=windows)
        return await self._storage.read(resource, observed, cache, identity, pass_state)

    def forget(self, key: Key) -> None:
        """Forget a resource that is gone."""
        self._rules.pop(key, None)
        self._windows.pop(key, None)
        self._existed.pop(key, None)
        self._operations.forget(key)
        self._storage.forget(key)

    async def _firewall(
        self, resource: SecureRedisCache, cache: Redis, identity: Identity, pass_state: PassState, direct: bool
    ) -> tuple[FirewallRuleFacts, ...] | Unknown | NotRead:
        judged = cache.public_address not in {PublicAddress.CLOSED, PublicAddress.NONE}  # by rule N4
        if not judged and not resource.spec.network.firewall_rules:
            return NOT_READ
        rules = partial(self._caches.firewall_rules, identity, resource.cache)
        return await self._child(self._rules, resource.key, identity, pass_state, direct, rules, "the firewall rules")

    async def _child(
        self,
        kept: dict[Key, _Child[T]],
        key: Key,
        identity: Identity,
        pass_state: PassState,
        direct: bool,
        read: Callable[[], Awaitable[tuple[T, ...] | Unknown]],
        what: str,
    ) -> tuple[T, ...] | Unknown:
        """Return what was kept, or read it.

        Changes of others may be noticed later, those of the operator immediately.
        """
        cached = kept.get(key)
        if cached is not None and cached.identity == identity and not direct:
            max_age = 0.0 if pass_state.refresh else self._ages.children
            if self._monotonic() - cached.at < max_age:
                return cached.items
        items = await guarded(read(), what)
        if not isinstance(items, Unknown):
            kept[key] = _Child(identity, items, self._monotonic())
        return items
