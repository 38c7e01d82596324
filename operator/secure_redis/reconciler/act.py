"""Performs the actions of a plan, one per call. Each is safe to repeat after a crash at any point."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, assert_never

from secure_redis.api.azure_ids import Service
from secure_redis.api.reasons.reason import Reason
from secure_redis.api.resource import SecureRedisCache
from secure_redis.azure.cache_client import CacheClient
from secure_redis.azure.core.policies import correlation
from secure_redis.azure.inventory import Inventory
from secure_redis.azure.keyvault.secrets import Vaults
from secure_redis.azure.managed_redis.client import ManagedCaches
from secure_redis.azure.redis.client import Caches
from secure_redis.domain.observe.identity import Identity, NamespaceIdentity, OperatorIdentity
from secure_redis.domain.observe.observation import Observation
from secure_redis.domain.plan.actions import (
    Action,
    AddFinalizer,
    AdoptCache,
    ApplySecret,
    AzureAction,
    CacheAction,
    CreateCache,
    CreateDatabase,
    CreateSecret,
    DeleteCache,
    DeleteFirewallRule,
    DeleteSecret,
    InjectWorkload,
    KubernetesAction,
    MarkKey,
    PersistCache,
    PutFirewallRule,
    PutPatchSchedule,
    RecordSecrets,
    RegenerateKey,
    ReleaseSecret,
    ReleaseWorkload,
    RemoveFinalizer,
    RemoveOwnerReference,
    ResourceAction,
    StoreKey,
    UpdateCache,
    UpdateDatabase,
    VaultAction,
)
from secure_redis.domain.plan.outcomes import Done, Failed, Outcome
from secure_redis.domain.plan.write_failure import WriteFailure
from secure_redis.kube.resources import Resources
from secure_redis.kube.secrets import Secrets
from secure_redis.kube.workloads.client import Workloads
from secure_redis.reconciler.edge import attempted
from secure_redis.telemetry.audit import Auditor


@dataclass(frozen=True, slots=True)
class Performed:
    """The outcome of one action. `body`: the resource's object, if the action wrote it and it still exists."""

    outcome: Outcome
    body: Mapping[str, Any] | None = None


class Executor:
    """Performs single actions, with one audit record per write to Azure, a vault or a workload."""

    def __init__(
        self,
        *,
        resources: Resources,
        secrets: Secrets,
        workloads: Workloads,
        clients: Mapping[Service, CacheClient],
        caches: Caches,
        clusters: ManagedCaches,
        inventories: Mapping[Service, Inventory[Any]],
        vaults: Vaults,
        audit: Auditor,
    ) -> None:
        self._resources = resources
        self._secrets = secrets
        self._workloads = workloads
        self._clients = clients
        self._caches = caches
        self._clusters = clusters
        self._inventories = inventories
        self._vaults = vaults
        self._audit = audit

    async def perform(
        self, resource: SecureRedisCache, observed: Observation, action: Action, trigger: str
    ) -> Performed:
        """Perform one action. `resource`: as it was last written.

        Raises:
            ResourceGone: the object was deleted meanwhile.
            ResourceChanged: others wrote the object at the same time.
            ApiFailure: the API server did not change the object.

        """
        if isinstance(action, ResourceAction):
            return Performed(Done(action), await self._change_resource(resource, action))
        if isinstance(action, AzureAction):
            identity = observed.identity
            if not isinstance(identity, NamespaceIdentity | OperatorIdentity):  # a plan without one has no such action
                failure = WriteFailure(Reason.NO_IDENTITY, "no identity for a write to Azure", permanent=True)
                return Performed(Failed(action, failure))
            return Performed(await self._change_azure(resource, identity, action, trigger))
        written = await attempted(self._change_kubernetes(resource, action), type(action).__name__)
        outcome = _outcome(action, written)
        self._record(resource, action, "the operator's ServiceAccount", trigger, outcome)
        return Performed(outcome)

    async def _change_resource(self, resource: SecureRedisCache, action: ResourceAction) -> Mapping[str, Any] | None:
        match action:
            case AddFinalizer():
                return await self._resources.add_finalizer(resource)
            case RemoveFinalizer():
                return await self._resources.remove_finalizer(resource)
            case RecordSecrets():
                return await self._resources.record_secrets(resource, action.names)
            case _:
                assert_never(action)

    async def _change_kubernetes(self, resource: SecureRedisCache, action: KubernetesAction) -> WriteFailure | None:
        match action:
            case CreateSecret():
                written = await self._secrets.create(resource, action)
                return written if isinstance(written, WriteFailure) else None
            case ApplySecret():
                written = await self._secrets.apply(resource, action)
                return written if isinstance(written, WriteFailure) else None
            case ReleaseSecret():
                return await self._secrets.release(resource, action)
            case RemoveOwnerReference():
                return await self._secrets.remove_owner_reference(resource, action)
            case DeleteSecret():
                return await self._secrets.delete(resource.key.namespace, action)
            case InjectWorkload():
                return await self._workloads.inject(resource, action)
            case ReleaseWorkload():
                return await self._workloads.release(resource, action)
            case _:
                assert_never(action)

    async def _change_azure(
        self, resource: SecureRedisCache, identity: Identity, action: AzureAction, trigger: str
    ) -> Outcome:
        name = type(action).__name__
        if isinstance(action, CacheAction):
            failure = await attempted(self._change_cache(resource, identity, action), name)
            self._inventories[resource.cache.service].invalidate(resource.cache)
        else:
            failure = await attempted(self._change_vault(identity, action), name)
        outcome = _outcome(action, failure)
        self._record(resource, action, str(identity), trigger, outcome)
        return outcome

    async def _change_cache(
        self, resource: SecureRedisCache, identity: Identity, action: CacheAction
    ) -> WriteFailure | None:
        cache = resource.cache
        client = self._clients[cache.service]
        match action:
            case CreateCache():
                return await client.create(identity, cache, action.body)
            case UpdateCache():
                return await client.update(identity, cache, action.body)
            case CreateDatabase():
                return await self._clusters.create_database(identity, cache, action.properties)
            case UpdateDatabase():
                return await self._clusters.change_database(identity, cache, action.changes)
            case PersistCache():
                return await client.update(identity, cache, _persistence(action))
            case AdoptCache():
                return await client.update(identity, cache, {"tags": dict(action.tags)})
            case PutFirewallRule():
                return await self._caches.put_firewall_rule(identity, cache, action.rule)
            case PutPatchSchedule():
                return await self._caches.put_patch_schedule(identity, cache, action.windows)
            case DeleteFirewallRule():
                return await self._caches.delete_firewall_rule(identity, cache, action.name)
            case DeleteCache():
                return await client.delete(identity, cache)
            case RegenerateKey():
                return await client.regenerate_key(identity, cache, action.slot)
            case _:
                assert_never(action)

    async def _change_vault(self, identity: Identity, action: VaultAction) -> WriteFailure | None:
        match action:
            case StoreKey():
                stored = await self._vaults.store(
                    identity, action.vault, action.secret_name, action.value, action.tags, action.expires
                )
                return stored if isinstance(stored, WriteFailure) else None
            case MarkKey():
                return await self._vaults.mark(identity, action.vault, action.secret_name, action.version, action.tags)
            case _:
                assert_never(action)

    def _record(
        self, resource: SecureRedisCache, action: Action, identity: str, trigger: str, outcome: Outcome
    ) -> None:
        self._audit.record(
            resource=resource,
            action=type(action).__name__,
            target=action.target(resource),
            fields=action.audited_fields,
            identity=identity,
            trigger=trigger,
            correlation_id=correlation.get() or "",
            result="done" if isinstance(outcome, Done) else outcome.failure.reason,
        )


def _outcome(action: Action, failure: WriteFailure | None) -> Outcome:
    return Done(action) if failure is None else Failed(action, failure)


def _persistence(action: PersistCache) -> Mapping[str, Any]:
    """Compose the body of the PATCH. Only here is the connection string unwrapped."""
    settings = dict(action.settings)
    if action.secret is not None and action.secret_setting is not None:
        settings[action.secret_setting] = action.secret.get_secret_value()
    return {"properties": {"redisConfiguration": settings}}
