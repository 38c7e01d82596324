"""Reads the world into one immutable `Observation`. Asks only for what the next steps can use."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
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
from secure_redis.domain.explanation import Explanation
from secure_redis.domain.grants import (
    Power,
    VaultTarget,
    refuse,
    resolve_identity,
)
from secure_redis.domain.observe import probe_target
from secure_redis.domain.observe.cache import Cache, CacheAbsent, OperationFacts
from secure_redis.domain.observe.firewall import FirewallRuleFacts
from secure_redis.domain.observe.identity import Identity, NamespaceIdentity, OperatorIdentity
from secure_redis.domain.observe.keys import (
    AuthenticationResult,
    ListedKeys,
    Proven,
    VaultSecretFacts,
)
from secure_redis.domain.observe.normalise import is_busy
from secure_redis.domain.observe.observation import Observation
from secure_redis.domain.observe.observation import changed as replace
from secure_redis.domain.observe.redis import Redis
from secure_redis.domain.observe.unknown import NOT_READ, NotRead, Unknown
from secure_redis.domain.plan import types
from secure_redis.domain.plan.cache.creation import was_seen
from secure_redis.domain.plan.cache.services import SERVICES as PLANS
from secure_redis.domain.plan.rotation import required_reads
from secure_redis.domain.report import drift_status
from secure_redis.domain.report.endpoint_status import awaited, recalled
from secure_redis.kube.namespaces import Namespaces
from secure_redis.kube.secrets import Secrets
from secure_redis.kube.service_accounts import ServiceAccounts
from secure_redis.kube.workloads.client import Workloads
from secure_redis.reconciler.observe.governance import GovernanceObserver
from secure_redis.reconciler.observe.kubernetes import KubernetesObserver
from secure_redis.reconciler.observe.managed_redis import ManagedObserver
from secure_redis.reconciler.observe.probes import Probes
from secure_redis.reconciler.observe.storage import StorageObserver
from secure_redis.reconciler.observe.usage import Usage
from secure_redis.reconciler.pass_state import Ages, PassState

FRESH_AUTHENTICATIONS = 3
ASK_SECONDS = 240.0
ASK_AT_MOST_SECONDS = 5.0
ASK_SINCE = timedelta(hours=24)


# Adds a cache of one service, and what only caches of that service have, to what was observed.
ObserveCache = Callable[[SecureRedisCache, Observation, Identity, PassState], Awaitable[Observation]]


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
        inventory: Inventory[Redis],
        vaults: Vaults,
        authenticate: Authenticate,
        probes: Probes,
        accounts: ServiceAccounts,
        namespaces: Namespaces,
        secrets: Secrets,
        workloads: Workloads,
        storage: StorageObserver,
        managed: ManagedObserver,
        governance: GovernanceObserver,
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
        self._of_service: Mapping[Service, ObserveCache] = {
            Service.REDIS: self._with_redis,
            Service.MANAGED_REDIS: managed.observe,
        }
        self._around = governance
        self._now = now
        self._monotonic = monotonic

    async def observe(self, resource: SecureRedisCache, pass_state: PassState) -> Observation:
        """Look once."""
        observed = await self._observe(resource, pass_state)
        if isinstance(observed.endpoint, NotRead):  # not wanted, not allowed, or the resource leaves
            self._probes.leave(resource.key)
        return observed

    async def _observe(self, resource: SecureRedisCache, pass_state: PassState) -> Observation:
        going = await self._namespaces.terminating(resource.key.namespace, fresh=resource.deleting)
        observed = Observation(now=self._now(), namespace_terminating=going)
        pass_state.refresh = pass_state.refresh or resource.refresh_asked
        pass_state.look_within = None
        leaving = resource.deleting
        if leaving and (observed.namespace_terminating or not _azure_matters(resource)):
            return (
                observed
                if observed.namespace_terminating
                else await self._kubernetes.observe(resource, observed, pass_state)
            )
        unsupported = PLANS[resource.cache.service].unsupported(resource)
        if unsupported is not None:  # Azure is not asked at all
            return replace(observed, cache=unsupported)
        identity = await self._identity(resource)
        observed = replace(observed, identity=identity)
        if isinstance(identity, Unknown):
            return await self._kubernetes.observe(resource, observed, pass_state)
        observed = await self._of_service[resource.cache.service](resource, observed, identity, pass_state)
        if not leaving:
            observed = self._with_endpoint(resource, observed, pass_state)
            observed = await self._with_credential(resource, observed, identity, pass_state)
            observed = await self._with_rotation(resource, observed, identity, pass_state)
            observed = await self._around.look(resource, observed, identity, pass_state)
        return await self._kubernetes.observe(resource, observed, pass_state)

    # --- identity ---------------------------------------------------------------------------------------------------

    async def _identity(self, resource: SecureRedisCache) -> Identity | Unknown:
        name = resource.spec.identity.service_account_name or names.DEFAULT_SERVICE_ACCOUNT
        account = await self._accounts.read(resource.key.namespace, name)
        identity = resolve_identity(resource, account, self._policy)
        if isinstance(identity, Explanation):
            return Unknown(identity.reason, identity.message)
        return identity

    def _refused(
        self, resource: SecureRedisCache, identity: Identity, power: Power, vault: VaultTarget | None = None
    ) -> Unknown | None:
        refusal = refuse(self._policy, identity, resource.key.namespace, power, cache=resource.cache, vault=vault)
        return None if refusal is None else Unknown(refusal.reason, refusal.message, permanent=True)

    # --- the cache --------------------------------------------------------------------------------------------------

    async def _with_redis(
        self, resource: SecureRedisCache, observed: Observation, identity: Identity, pass_state: PassState
    ) -> Observation:
        denied = self._refused(resource, identity, Power.OBSERVE)
        if denied is not None:
            return replace(observed, cache=denied)
        operation = await self._operation(resource, identity, pass_state)
        running = operation is not None and pass_state.failed is None
        direct = pass_state.direct or running or _wants_direct(resource)
        if direct:
            cache = await self._inventory.fresh(identity, resource.cache)
        else:
            cache = await self._inventory.cache(identity, resource.cache, max_age=self._max_age(resource, pass_state))
        observed = replace(observed, cache=cache, cache_fresh=direct, operation=operation)
        if isinstance(cache, Unknown):
            return observed
        if isinstance(cache, CacheAbsent):
            if cache.confirmed and _about_to_create(resource):
                return replace(observed, name_available=await self._caches.name_available(identity, resource.cache))
            return observed
        pass_state.direct = is_busy(cache.provisioning_state)
        rules = await self._firewall(resource, cache, identity, pass_state, direct)
        observed = replace(observed, firewall_rules=rules)
        if resource.deleting:
            return observed
        return await self._storage.observe(resource, observed, cache, identity, pass_state)

    async def _operation(
        self, resource: SecureRedisCache, identity: Identity, pass_state: PassState
    ) -> OperationFacts | None:
        """The operation we started, or the one that failed: that is remembered until somebody acts."""
        operation = await self._caches.operation(identity, resource.cache)
        if operation is not None and operation.status in {"Failed", "Canceled"}:
            pass_state.failed = (resource.generation, operation)
        elif (
            operation is not None
            or pass_state.refresh
            or (pass_state.failed is not None and pass_state.failed[0] != resource.generation)
        ):
            pass_state.failed = None
        return operation or (pass_state.failed[1] if pass_state.failed is not None else None)

    async def _firewall(
        self, resource: SecureRedisCache, cache: Redis, identity: Identity, pass_state: PassState, direct: bool
    ) -> tuple[FirewallRuleFacts, ...] | Unknown | NotRead:
        if cache.public_access_off and resource.spec.network.firewall_rules is None:
            return NOT_READ
        held = pass_state.firewall
        if held is not None and held[0] == identity and not direct:
            max_age = 0.0 if pass_state.refresh else self._ages.children
            if self._monotonic() - held[2] < max_age:
                return held[1]
        rules = await self._caches.firewall_rules(identity, resource.cache)
        if not isinstance(rules, Unknown):
            pass_state.firewall = (identity, rules, self._monotonic())
        return rules

    def _max_age(self, resource: SecureRedisCache, pass_state: PassState) -> float:
        if pass_state.refresh:
            return 0.0
        return resource.spec.drift.interval_seconds * self._ages.of_interval

    def _with_endpoint(self, resource: SecureRedisCache, observed: Observation, pass_state: PassState) -> Observation:
        """What the probe last saw; nothing is waited for. Only what ARM reported to this identity is connected to."""
        cache = observed.cache
        if not isinstance(cache, Cache) or resource.spec.transport.probe is Probe.DISABLED:
            return observed
        endpoint = probe_target.target(cache)
        if isinstance(endpoint, Unknown):
            self._probes.leave(resource.key)
            return replace(observed, endpoint=endpoint)
        found = self._probes.latest(
            resource.key,
            endpoint,
            settings=probe_target.settings_of(cache),
            refresh=resource.refresh if pass_state.refresh else None,
            recalled=recalled(resource.status, endpoint),
            awaited=awaited(resource.status),
        )
        return replace(observed, endpoint=found)

    async def who(
        self, resource: SecureRedisCache, observed: Observation, assessed: Assessment, pass_state: PassState
    ) -> Observation:
        """Who made a difference that is new: one question, seldom, short, and never a reason to fail."""
        identity, now = observed.identity, self._monotonic()
        if self._activity is None or not isinstance(identity, NamespaceIdentity | OperatorIdentity):
            return observed
        about = drift_status.untold(resource.status, assessed, observed.now)
        again = about <= pass_state.asked_about
        if not about or now < pass_state.asked_again or (again and now < pass_state.asked_again + ASK_SECONDS):
            return observed
        pass_state.asked_about, pass_state.asked_again = about, now
        try:
            async with asyncio.timeout(ASK_AT_MOST_SECONDS):
                writes = await self._activity.writes(identity, resource.cache, observed.now - ASK_SINCE, observed.now)
        except TimeoutError:
            return observed
        if isinstance(writes, Unknown) and (writes.permanent or writes.reason is Reason.AZURE_DENIED):
            pass_state.asked_again = now + types.PERMANENT_RETRY_SECONDS
        return replace(observed, writes=writes)

    # --- the credential ---------------------------------------------------------------------------------------------

    async def _with_credential(
        self, resource: SecureRedisCache, observed: Observation, identity: Identity, pass_state: PassState
    ) -> Observation:
        settings, cache = resource.spec.authentication, observed.cache
        if settings is None or not isinstance(cache, Cache):
            return observed
        vault = VaultTarget(settings.key_vault.uri, settings.key_vault.secret_name)
        denied = self._refused(resource, identity, Power.PUBLISH_KEY, vault)
        if denied is not None:
            return replace(observed, vault=denied)
        age = 0.0 if observed.cache_fresh else self._max_age(resource, pass_state)
        found = await self._vaults.current(
            identity, vault.uri, vault.secret_name, settings.key_vault.version, max_age=age
        )
        observed = replace(observed, vault=found)
        if isinstance(found, VaultSecretFacts):
            held = pass_state.proofs.get(_proof_key(identity, resource.cache, vault, found))
            rotating = required_reads.under_way(resource) is not None
            age = self._ages.proof_in_rotation if rotating else self._ages.proof
            if held is not None and self._monotonic() - held[1] < age and not pass_state.refresh:
                return replace(observed, proven=held[0])
        return await self._with_proof(resource, observed, identity, cache)

    async def _with_proof(
        self, resource: SecureRedisCache, observed: Observation, identity: Identity, cache: Cache
    ) -> Observation:
        if key_proof.needs_keys(resource, identity, observed.vault, observed.proven, observed.now):
            observed = replace(observed, keys=await self._caches.list_keys(identity, resource.cache))
        vault, host, port = observed.vault, cache.host_name, cache.tls_port
        wanted = key_proof.needs_authentication(resource, identity, vault, observed.keys, observed.proven, observed.now)
        if wanted and isinstance(vault, VaultSecretFacts) and vault.value is not None and host and port:
            observed = replace(observed, authentication=await self._authenticate(host, port, vault.value))
        return observed

    async def _with_rotation(
        self, resource: SecureRedisCache, observed: Observation, identity: Identity, pass_state: PassState
    ) -> Observation:
        """The listed keys where a regeneration is at hand, and whether the cache accepts one that was made."""
        cache, of = observed.cache, required_reads.attempt_of(resource)
        if of is not None:
            observed = replace(observed, attempted=_attempted(observed, of, pass_state))
        if not isinstance(cache, Cache) or not required_reads.needs_keys(resource, observed, self._settings):
            return observed
        if isinstance(observed.keys, NotRead):
            # An earlier proof says nothing about the keys that are listed now.
            keys = await self._caches.list_keys(identity, resource.cache)
            observed = replace(observed, keys=keys, proven=None if isinstance(keys, ListedKeys) else observed.proven)
        new, host, port = required_reads.candidate(resource, observed), cache.host_name, cache.tls_port
        if new is None or not host or not port:
            return observed
        tried = await self._authenticate(host, port, new)
        for _ in range(FRESH_AUTHENTICATIONS - 1):  # behind one name there are several nodes
            if tried is AuthenticationResult.ACCEPTED:
                tried = await self._authenticate(host, port, new)
        return replace(observed, regenerated=tried)

    def remember(
        self, resource: SecureRedisCache, observed: Observation, proven: Proven | None, pass_state: PassState
    ) -> None:
        """Keep a fresh proof, so that listKeys is not asked at every look; one proof of one version is kept."""
        if not any(
            isinstance(u, Unknown) and not u.permanent for u in (observed.identity, observed.cache, observed.vault)
        ):
            pass_state.refresh = False
        settings, identity = resource.spec.authentication, observed.identity
        if settings is None or not isinstance(identity, NamespaceIdentity | OperatorIdentity):
            return
        if isinstance(observed.vault, Unknown):
            return
        if not isinstance(observed.vault, VaultSecretFacts) or proven is None:
            pass_state.proofs.clear()
            return
        if observed.proven is None:
            vault = VaultTarget(settings.key_vault.uri, settings.key_vault.secret_name)
            pass_state.proofs = {
                _proof_key(identity, resource.cache, vault, observed.vault): (proven, self._monotonic())
            }

    def forget(self, key: Key) -> None:
        """The resource is gone: its endpoint is not looked at for it any more."""
        self._probes.leave(key)


def _attempted(observed: Observation, of: str, pass_state: PassState) -> datetime | None:
    """When a recorded regeneration may last have been asked of Azure.

    By an earlier process: any time until this one first saw that it is recorded.
    """
    if pass_state.regeneration is None or pass_state.regeneration[0] != of:
        pass_state.regeneration = (of, observed.now)
    return pass_state.regeneration[1]


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
