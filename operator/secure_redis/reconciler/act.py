"""Performs the actions of a plan, one at a time. Each is safe to repeat after a crash at any point."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from secure_redis.api.names import ROTATION_TAG
from secure_redis.api.reasons.reason import Reason
from secure_redis.api.resource import SecureRedisCache
from secure_redis.azure.core.policies import correlation
from secure_redis.azure.inventory import Inventory
from secure_redis.azure.keyvault.secrets import Vaults
from secure_redis.azure.redis.client import Caches
from secure_redis.domain.observe.identity import Identity, NamespaceIdentity, OperatorIdentity
from secure_redis.domain.observe.observation import Observation
from secure_redis.domain.observe.redis import Redis
from secure_redis.domain.observe.unknown import Unknown
from secure_redis.domain.plan.actions import (
    Action,
    AddFinalizer,
    AdoptCache,
    ApplySecret,
    AzureAction,
    CreateCache,
    CreateSecret,
    DeleteCache,
    DeleteFirewallRule,
    DeleteSecret,
    Done,
    Failed,
    InjectWorkload,
    MarkKey,
    Outcome,
    PersistCache,
    PutFirewallRule,
    RegenerateKey,
    ReleaseSecret,
    ReleaseWorkload,
    RemoveFinalizer,
    StoreKey,
    UpdateCache,
    WorkloadAction,
)
from secure_redis.kube.resources import Resources
from secure_redis.kube.secrets import Secrets
from secure_redis.kube.workloads.client import Workloads
from secure_redis.telemetry.audit import Auditor


class Executor:
    """The hands of the corridor. Writes nothing that the plan does not hold, and one audit record per write."""

    def __init__(
        self,
        *,
        resources: Resources,
        secrets: Secrets,
        workloads: Workloads,
        caches: Caches,
        inventory: Inventory[Redis],
        vaults: Vaults,
        audit: Auditor,
        written: Callable[[Mapping[str, Any]], SecureRedisCache],
    ) -> None:
        self._resources = resources
        self._secrets = secrets
        self._workloads = workloads
        self._caches = caches
        self._inventory = inventory
        self._vaults = vaults
        self._audit = audit
        self._written = written

    async def act(
        self, resource: SecureRedisCache, observed: Observation, actions: Iterable[Action], trigger: str
    ) -> tuple[SecureRedisCache | None, tuple[Outcome, ...]]:
        """Do the actions in order; the first that fails ends it, but for workloads.

        Returns the resource as last written (None: the object is gone) and what came of each action.
        """
        outcomes: list[Outcome] = []
        current: SecureRedisCache | None = resource
        for action in actions:
            if current is None:
                break
            if isinstance(action, AddFinalizer):
                current = self._written(await self._resources.add_finalizer(current))
                outcomes.append(Done(action))
                continue
            if isinstance(action, RemoveFinalizer):
                body = await self._resources.remove_finalizer(current)
                current = None if body is None else self._written(body)
                outcomes.append(Done(action))
                continue
            outcome = await self._perform(current, observed, action, trigger)
            outcomes.append(outcome)
            # One workload that refuses does not hold the others up.
            if isinstance(outcome, Failed) and not isinstance(action, WorkloadAction):
                break
        return current, tuple(outcomes)

    async def _perform(
        self, resource: SecureRedisCache, observed: Observation, action: Action, trigger: str
    ) -> Outcome:
        identity = observed.identity if isinstance(observed.identity, NamespaceIdentity | OperatorIdentity) else None
        if isinstance(action, AzureAction):
            if identity is None:  # the plan never holds one without an identity
                return Failed(action, Reason.NO_IDENTITY, "no identity for a write to Azure", permanent=True)
            failure = await self._azure(resource, identity, action)
            if not isinstance(action, StoreKey | MarkKey):
                self._inventory.invalidate(resource.cache)
        else:
            failure = await self._kubernetes(resource, action)
        self._audit.record(
            resource=resource,
            action=type(action).__name__,
            target=_target(resource, action),
            fields=_fields(action),
            identity=str(identity) if isinstance(action, AzureAction) else "the operator's ServiceAccount",
            trigger=trigger,
            correlation_id=correlation.get() or "",
            result="done" if failure is None else failure.reason,
        )
        if failure is None:
            return Done(action)
        return Failed(
            action, failure.reason, failure.message, failure.permanent, failure.retry_after, failure.maybe_done
        )

    async def _kubernetes(self, resource: SecureRedisCache, action: Action) -> Unknown | None:
        match action:
            case CreateSecret():
                written = await self._secrets.create(resource, action)
            case ApplySecret():
                written = await self._secrets.apply(resource, action)
            case ReleaseSecret():
                return await self._secrets.release(resource, action)
            case DeleteSecret():
                return await self._secrets.delete(resource.key.namespace, action)
            case InjectWorkload():
                return await self._workloads.inject(resource, action)
            case ReleaseWorkload():
                return await self._workloads.release(resource, action)
            case _:
                raise TypeError(f"no hand for {type(action).__name__}")
        return written if isinstance(written, Unknown) else None

    async def _azure(self, resource: SecureRedisCache, identity: Identity, action: AzureAction) -> Unknown | None:
        cache = resource.cache
        match action:
            case CreateCache():
                return await self._caches.create(identity, cache, action.body)
            case UpdateCache():
                return await self._caches.update(identity, cache, action.body)
            case PersistCache():
                return await self._caches.update(identity, cache, _persistence(action))
            case AdoptCache():
                return await self._caches.update(identity, cache, {"tags": dict(action.tags)})
            case PutFirewallRule():
                return await self._caches.put_firewall_rule(identity, cache, action.rule)
            case DeleteFirewallRule():
                return await self._caches.delete_firewall_rule(identity, cache, action.name)
            case DeleteCache():
                return await self._caches.delete(identity, cache)
            case StoreKey():
                stored = await self._vaults.store(
                    identity, action.vault, action.secret_name, action.value, action.tags, action.expires
                )
                return stored if isinstance(stored, Unknown) else None
            case MarkKey():
                return await self._vaults.mark(identity, action.vault, action.secret_name, action.version, action.tags)
            case RegenerateKey():
                return await self._caches.regenerate_key(identity, cache, action.slot)
            case _:
                raise TypeError(f"no hand for {type(action).__name__}")


def _persistence(action: PersistCache) -> Mapping[str, Any]:
    """The body of the PATCH: here, and nowhere else, the connection string is unwrapped."""
    settings = dict(action.settings)
    if action.secret is not None and action.secret_setting is not None:
        settings[action.secret_setting] = action.secret.get_secret_value()
    return {"properties": {"redisConfiguration": settings}}


def _target(resource: SecureRedisCache, action: Action) -> str:
    match action:
        case CreateSecret(name=name) | ApplySecret(name=name) | ReleaseSecret(name=name) | DeleteSecret(name=name):
            return f"Secret {resource.key.namespace}/{name}"
        case WorkloadAction(kind=kind, name=name):
            return f"{kind} {resource.key.namespace}/{name}"
        case StoreKey(vault=vault, secret_name=name) | MarkKey(vault=vault, secret_name=name):
            return f"{vault}/secrets/{name}"
        case _:
            return resource.cache.text


def _fields(action: Action) -> tuple[str, ...]:
    """Names only, never values."""
    match action:
        case CreateSecret(data=data) | ApplySecret(data=data):
            return tuple(sorted(data))
        case CreateCache(body=body):
            return tuple(sorted([*body, *(f"properties.{name}" for name in body.get("properties", {}))]))
        case UpdateCache(fields=fields):
            return fields
        case PersistCache(settings=settings, secret_setting=secret_setting):
            named = (*settings, *((secret_setting,) if secret_setting else ()))
            return tuple(sorted(f"redisConfiguration.{name}" for name in named))
        case AdoptCache():
            return ("tags",)
        case PutFirewallRule(rule=rule):
            return (f"firewallRules/{rule.name}",)
        case DeleteFirewallRule(name=name):
            return (f"firewallRules/{name}",)
        case WorkloadAction(apply=apply, strategic=strategic):
            return (*(("annotations", "volumes") if apply else ()), *(("env", "volumeMounts") if strategic else ()))
        case StoreKey(tags=tags):
            return ("value", *(f"tags.{name}" for name in sorted(tags)))
        case MarkKey():
            return (f"tags.{ROTATION_TAG}",)
        case RegenerateKey(slot=slot):
            return (f"keys.{slot}",)
        case _:
            return ()
