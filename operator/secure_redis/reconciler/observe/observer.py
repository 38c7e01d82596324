"""Reads the world into one immutable `Observation`. Asks only for what the next steps can use."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import Protocol

from pydantic import SecretStr

from secure_redis.api import names
from secure_redis.api.azure_ids import CacheID, Service
from secure_redis.api.reasons.reason import Reason
from secure_redis.api.resource import Key, SecureRedisCache
from secure_redis.api.spec.spec import DeletionPolicy, Mode, Probe
from secure_redis.azure.governance.activity_log import Activity
from secure_redis.azure.inventory import Inventory
from secure_redis.azure.keyvault.secrets import Vaults
from secure_redis.azure.redis.client import Caches
from secure_redis.domain.assess import key_proof
from secure_redis.domain.assess.assessment import Assessment
from secure_redis.domain.explanation import Refusal
from secure_redis.domain.grants import (
    Power,
    VaultTarget,
    refuse,
    resolve_identity,
)
from secure_redis.domain.observe import probe_target
from secure_redis.domain.observe.identity import Identity, NamespaceIdentity, OperatorIdentity
from secure_redis.domain.observe.keys import (
    AuthenticationResult,
    ListedKeys,
    Proven,
    VaultSecretFacts,
)
from secure_redis.domain.observe.managed_redis import ManagedFacts
from secure_redis.domain.observe.normalise import is_busy
from secure_redis.domain.observe.observation import Observation, of_either
from secure_redis.domain.observe.observation import changed as replace
from secure_redis.domain.observe.redis import (
    CacheAbsent,
    CacheFacts,
    FirewallRuleFacts,
    OperationFacts,
)
from secure_redis.domain.observe.unknown import NOT_READ, NotRead, Unknown
from secure_redis.domain.plan import types
from secure_redis.domain.plan.cache.creation import was_seen
from secure_redis.domain.plan.rotation import required_reads
from secure_redis.domain.report import drift_status
from secure_redis.domain.report.endpoint_status import awaited, recalled
from secure_redis.kube.namespaces import Namespaces
from secure_redis.kube.secrets import Secrets
from secure_redis.kube.service_accounts import ServiceAccounts
from secure_redis.kube.workloads.client import Workloads
from secure_redis.reconciler.memory import Ages, Memory
from secure_redis.reconciler.observe.governance import Around
from secure_redis.reconciler.observe.kubernetes import KubernetesObserver
from secure_redis.reconciler.observe.managed_redis import ManagedObserver
from secure_redis.reconciler.observe.probes import Probes
from secure_redis.reconciler.observe.storage import StorageObserver
from secure_redis.reconciler.observe.usage import Usage

FRESH_AUTHENTICATIONS = 3
ASK_SECONDS = 240.0
ASK_AT_MOST_SECONDS = 5.0
ASK_SINCE = timedelta(hours=24)


class Authenticate(Protocol):
    """AUTH over verified TLS (see `probe.authentication`)."""

    def __call__(self, host: str, port: int, password: SecretStr) -> Awaitable[AuthenticationResult | Unknown]:
        """Try one AUTH."""


class Observer:
    """The eye of the corridor. Before every read it is asked whether the identity may be used for it."""

    def __init__(
        self,
        *,
        settings: types.Settings,
        ages: Ages,
        caches: Caches,
        activity: Activity | None,
        inventory: Inventory,
        vaults: Vaults,
        authenticate: Authenticate,
        probes: Probes,
        accounts: ServiceAccounts,
        namespaces: Namespaces,
        secrets: Secrets,
        workloads: Workloads,
        storage: StorageObserver,
        managed: ManagedObserver,
        around: Around,
        usage: Usage,
        now: Callable[[], datetime],
        monotonic: Callable[[], float],
    ) -> None:
        self._settings = settings
        self._policy = settings.policy
        self._ages = ages
        self._caches = caches
        self._activity = activity
        self._inventory = inventory
        self._vaults = vaults
        self._authenticate = authenticate
        self._probes = probes
        self._accounts = accounts
        self._namespaces = namespaces
        self._kubernetes = KubernetesObserver(secrets, workloads, usage)
        self._storage = storage
        self._managed = managed
        self._around = around
        self._now = now
        self._monotonic = monotonic

    async def observe(self, resource: SecureRedisCache, memory: Memory) -> Observation:
        """Look once."""
        seen = await self._observe(resource, memory)
        if isinstance(seen.endpoint, NotRead):  # not wanted, not allowed, or the resource leaves
            self._probes.leave(resource.key)
        return seen

    async def _observe(self, resource: SecureRedisCache, memory: Memory) -> Observation:
        going = await self._namespaces.terminating(resource.key.namespace, fresh=resource.deleting)
        seen = Observation(now=self._now(), namespace_terminating=going)
        memory.refresh = memory.refresh or resource.refresh_asked
        memory.look_within = None
        leaving = resource.deleting
        if leaving and (seen.namespace_terminating or not _azure_matters(resource)):
            return seen if seen.namespace_terminating else await self._kubernetes.observe(resource, seen, memory)
        barred = self._managed.barred(resource, seen)
        if barred is not None:
            return barred
        identity = await self._identity(resource)
        seen = replace(seen, identity=identity)
        if isinstance(identity, Unknown):
            return await self._kubernetes.observe(resource, seen, memory)
        if resource.cache.service is Service.MANAGED_REDIS:
            seen = await self._managed.observe(resource, seen, identity, memory)
            seen = self._with_endpoint(resource, seen, memory)
            seen = await self._around.look(resource, seen, identity, memory)
            return await self._kubernetes.observe(resource, seen, memory)
        seen = await self._with_cache(resource, seen, identity, memory)
        if not leaving:
            seen = await self._storage.observe(resource, seen, identity, memory)
            seen = self._with_endpoint(resource, seen, memory)
            seen = await self._with_credential(resource, seen, identity, memory)
            seen = await self._with_rotation(resource, seen, identity, memory)
            seen = await self._around.look(resource, seen, identity, memory)
        return await self._kubernetes.observe(resource, seen, memory)

    # --- identity ---------------------------------------------------------------------------------------------------

    async def _identity(self, resource: SecureRedisCache) -> Identity | Unknown:
        name = resource.spec.identity.service_account_name or names.DEFAULT_SERVICE_ACCOUNT
        account = await self._accounts.read(resource.key.namespace, name)
        identity = resolve_identity(resource, account, self._policy)
        if isinstance(identity, Refusal):
            return Unknown(identity.reason, identity.message)
        return identity

    def _refused(
        self, resource: SecureRedisCache, identity: Identity, power: Power, vault: VaultTarget | None = None
    ) -> Unknown | None:
        refusal = refuse(self._policy, identity, resource.key.namespace, power, cache=resource.cache, vault=vault)
        return None if refusal is None else Unknown(refusal.reason, refusal.message, permanent=True)

    # --- the cache --------------------------------------------------------------------------------------------------

    async def _with_cache(
        self, resource: SecureRedisCache, seen: Observation, identity: Identity, memory: Memory
    ) -> Observation:
        denied = self._refused(resource, identity, Power.OBSERVE)
        if denied is not None:
            return replace(seen, cache=denied)
        operation = await self._operation(resource, identity, memory)
        running = operation is not None and memory.failed is None
        direct = memory.direct or running or _wants_direct(resource)
        if direct:
            cache = await self._inventory.fresh(identity, resource.cache)
        else:
            cache = await self._inventory.cache(identity, resource.cache, max_age=self._max_age(resource, memory))
        if isinstance(cache, CacheFacts):
            memory.direct = is_busy(cache.provisioning_state)
        seen = replace(seen, cache=cache, cache_fresh=direct, operation=operation)
        if isinstance(cache, CacheFacts):
            return replace(seen, firewall_rules=await self._firewall(resource, cache, identity, memory, direct))
        if isinstance(cache, CacheAbsent) and cache.confirmed and _about_to_create(resource):
            return replace(seen, name_available=await self._caches.name_available(identity, resource.cache))
        return seen

    async def _operation(self, resource: SecureRedisCache, identity: Identity, memory: Memory) -> OperationFacts | None:
        """The operation we started, or the one that failed: that is remembered until somebody acts."""
        operation = await self._caches.operation(identity, resource.cache)
        if operation is not None and operation.status in {"Failed", "Canceled"}:
            memory.failed = (resource.generation, operation)
        elif (
            operation is not None
            or memory.refresh
            or (memory.failed is not None and memory.failed[0] != resource.generation)
        ):
            memory.failed = None
        return operation or (memory.failed[1] if memory.failed is not None else None)

    async def _firewall(
        self, resource: SecureRedisCache, cache: CacheFacts, identity: Identity, memory: Memory, direct: bool
    ) -> tuple[FirewallRuleFacts, ...] | Unknown | NotRead:
        closed = (cache.public_network_access or "").lower() == "disabled"
        if closed and resource.spec.network.firewall_rules is None:
            return NOT_READ
        held = memory.firewall
        if held is not None and held[0] == identity and not direct:
            max_age = 0.0 if memory.refresh else self._ages.children
            if self._monotonic() - held[2] < max_age:
                return held[1]
        rules = await self._caches.firewall_rules(identity, resource.cache)
        if not isinstance(rules, Unknown):
            memory.firewall = (identity, rules, self._monotonic())
        return rules

    def _max_age(self, resource: SecureRedisCache, memory: Memory) -> float:
        if memory.refresh:
            return 0.0
        return resource.spec.drift.interval_seconds * self._ages.of_interval

    def _with_endpoint(self, resource: SecureRedisCache, seen: Observation, memory: Memory) -> Observation:
        """What the probe last saw; nothing is waited for. Only what ARM reported to this identity is connected to."""
        cache = of_either(seen)
        if not isinstance(cache, CacheFacts | ManagedFacts) or resource.spec.transport.probe is Probe.DISABLED:
            return seen
        endpoint = probe_target.target(cache)
        if isinstance(endpoint, Unknown):
            self._probes.leave(resource.key)
            return replace(seen, endpoint=endpoint)
        found = self._probes.latest(
            resource.key,
            endpoint,
            settings=probe_target.settings_of(cache),
            refresh=resource.refresh if memory.refresh else None,
            recalled=recalled(resource.status, endpoint),
            awaited=awaited(resource.status),
        )
        return replace(seen, endpoint=found)

    async def who(
        self, resource: SecureRedisCache, seen: Observation, means: Assessment, memory: Memory
    ) -> Observation:
        """Who made a difference that is new: one question, seldom, short, and never a reason to fail."""
        identity, now = seen.identity, self._monotonic()
        if self._activity is None or not isinstance(identity, NamespaceIdentity | OperatorIdentity):
            return seen
        about = drift_status.untold(resource.status, means, seen.now)
        again = about <= memory.asked_about
        if not about or now < memory.asked_again or (again and now < memory.asked_again + ASK_SECONDS):
            return seen
        memory.asked_about, memory.asked_again = about, now
        try:
            async with asyncio.timeout(ASK_AT_MOST_SECONDS):
                writes = await self._activity.writes(identity, resource.cache, seen.now - ASK_SINCE, seen.now)
        except TimeoutError:
            return seen
        if isinstance(writes, Unknown) and (writes.permanent or writes.reason is Reason.AZURE_DENIED):
            memory.asked_again = now + types.PERMANENT_RETRY_SECONDS
        return replace(seen, writes=writes)

    # --- the credential ---------------------------------------------------------------------------------------------

    async def _with_credential(
        self, resource: SecureRedisCache, seen: Observation, identity: Identity, memory: Memory
    ) -> Observation:
        settings, cache = resource.spec.authentication, seen.cache
        if settings is None or not isinstance(cache, CacheFacts):
            return seen
        vault = VaultTarget(settings.key_vault.uri, settings.key_vault.secret_name)
        denied = self._refused(resource, identity, Power.PUBLISH_KEY, vault)
        if denied is not None:
            return replace(seen, vault=denied)
        age = 0.0 if seen.cache_fresh else self._max_age(resource, memory)
        found = await self._vaults.current(
            identity, vault.uri, vault.secret_name, settings.key_vault.version, max_age=age
        )
        seen = replace(seen, vault=found)
        if isinstance(found, VaultSecretFacts):
            held = memory.proofs.get(_proof_key(identity, resource.cache, vault, found))
            rotating = required_reads.under_way(resource) is not None
            age = self._ages.proof_in_rotation if rotating else self._ages.proof
            if held is not None and self._monotonic() - held[1] < age and not memory.refresh:
                return replace(seen, proven=held[0])
        return await self._with_proof(resource, seen, identity, cache)

    async def _with_proof(
        self, resource: SecureRedisCache, seen: Observation, identity: Identity, cache: CacheFacts
    ) -> Observation:
        if key_proof.needs_keys(resource, identity, seen.vault, seen.proven, seen.now):
            seen = replace(seen, keys=await self._caches.list_keys(identity, resource.cache))
        vault, host, port = seen.vault, cache.host_name, cache.tls_port
        wanted = key_proof.needs_authentication(resource, identity, vault, seen.keys, seen.proven, seen.now)
        if wanted and isinstance(vault, VaultSecretFacts) and vault.value is not None and host and port:
            seen = replace(seen, authentication=await self._authenticate(host, port, vault.value))
        return seen

    async def _with_rotation(
        self, resource: SecureRedisCache, seen: Observation, identity: Identity, memory: Memory
    ) -> Observation:
        """The listed keys where a regeneration is at hand, and whether the cache accepts one that was made."""
        cache, of = seen.cache, required_reads.occasion_of(resource)
        if of is not None:
            seen = replace(seen, attempted=_attempted(seen, of, memory))
        if not isinstance(cache, CacheFacts) or not required_reads.needs_keys(resource, seen, self._settings):
            return seen
        if isinstance(seen.keys, NotRead):
            # An earlier proof says nothing about the keys that are listed now.
            keys = await self._caches.list_keys(identity, resource.cache)
            seen = replace(seen, keys=keys, proven=None if isinstance(keys, ListedKeys) else seen.proven)
        new, host, port = required_reads.candidate(resource, seen), cache.host_name, cache.tls_port
        if new is None or not host or not port:
            return seen
        tried = await self._authenticate(host, port, new)
        for _ in range(FRESH_AUTHENTICATIONS - 1):  # behind one name there are several nodes
            if tried is AuthenticationResult.ACCEPTED:
                tried = await self._authenticate(host, port, new)
        return replace(seen, regenerated=tried)

    def remember(self, resource: SecureRedisCache, seen: Observation, proven: Proven | None, memory: Memory) -> None:
        """Keep a fresh proof, so that listKeys is not asked at every look; one proof of one version is kept."""
        if not any(isinstance(u, Unknown) and not u.permanent for u in (seen.identity, of_either(seen), seen.vault)):
            memory.refresh = False
        settings, identity = resource.spec.authentication, seen.identity
        if settings is None or not isinstance(identity, NamespaceIdentity | OperatorIdentity):
            return
        if isinstance(seen.vault, Unknown):
            return
        if not isinstance(seen.vault, VaultSecretFacts) or proven is None:
            memory.proofs.clear()
            return
        if seen.proven is None:
            vault = VaultTarget(settings.key_vault.uri, settings.key_vault.secret_name)
            memory.proofs = {_proof_key(identity, resource.cache, vault, seen.vault): (proven, self._monotonic())}

    def forget(self, key: Key) -> None:
        """The resource is gone: its endpoint is not looked at for it any more."""
        self._probes.leave(key)


def _attempted(seen: Observation, of: str, memory: Memory) -> datetime | None:
    """When a recorded regeneration may last have been asked of Azure.

    By an earlier process: any time until this one first saw that it is recorded.
    """
    if memory.regeneration is None or memory.regeneration[0] != of:
        memory.regeneration = (of, seen.now)
    return memory.regeneration[1]


def _azure_matters(resource: SecureRedisCache) -> bool:
    """Whether a leaving resource has anything to do in Azure. Retain never touches it."""
    deletes = resource.spec.mode is Mode.PROVISION and resource.spec.deletion_policy is DeletionPolicy.DELETE
    abandoned = resource.requests.get(names.ABANDON, "").lower() == "true"
    return deletes and not abandoned


def _wants_direct(resource: SecureRedisCache) -> bool:
    """An inventory's page is not fresh enough for what is irreversible or under way."""
    if resource.deleting or resource.status.pending is not None:
        return True
    if resource.spec.mode is Mode.PROVISION and not was_seen(resource):
        return True
    state = resource.status.cache.provisioning_state if resource.status.cache else None
    return state is not None and is_busy(state)


def _about_to_create(resource: SecureRedisCache) -> bool:
    pending = resource.status.pending
    provision = resource.spec.mode is Mode.PROVISION and not resource.deleting
    return provision and pending is not None and pending.action == types.CREATE


def _proof_key(
    identity: Identity, cache: CacheID, vault: VaultTarget, secret: VaultSecretFacts
) -> tuple[Identity, str, str, str]:
    return (identity, cache.key, f"{vault.uri}/{vault.secret_name}".lower(), secret.version)
