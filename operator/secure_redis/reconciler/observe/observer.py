"""Reads Azure and Kubernetes into one immutable `Observation`, and only what the next steps can use."""

from collections.abc import Awaitable, Mapping
from datetime import datetime
from enum import StrEnum
from typing import Final, Protocol

from secure_redis.api.azure_ids import Service
from secure_redis.api.resource import Key, SecureRedisCache
from secure_redis.domain.observe.identity import Identity
from secure_redis.domain.observe.observation import Observation
from secure_redis.domain.observe.observation import changed as replace
from secure_redis.domain.observe.unknown import NotRead, Unknown
from secure_redis.domain.plan import finalizer
from secure_redis.domain.plan.cache.services import SERVICES as PLANS
from secure_redis.kube.namespaces import Namespaces
from secure_redis.reconciler.edge import (
    AZURE_SECONDS,
    KUBERNETES_SECONDS,
    guarded_part,
    reading_within,
)
from secure_redis.reconciler.observe.endpoint import EndpointReader
from secure_redis.reconciler.observe.governance import KINDS, GovernanceReader
from secure_redis.reconciler.observe.identity import IdentityReader
from secure_redis.reconciler.observe.keys import KeyReader
from secure_redis.reconciler.observe.kubernetes import KubernetesReader
from secure_redis.reconciler.observe.writers import WriterReader
from secure_redis.reconciler.pass_state import PassState


class ServiceReader(Protocol):
    """Reads a cache of one service, and what only caches of that service have."""

    async def read(
        self, resource: SecureRedisCache, observed: Observation, identity: Identity, pass_state: PassState
    ) -> Observation:
        """Add the cache, or why it could not be read."""

    def forget(self, key: Key) -> None:
        """Forget a resource that is gone."""


class Part(StrEnum):
    """The parts of an observation, one per reader, in the words of a message."""

    IDENTITY = "the identity"
    CACHE = "the cache"
    ENDPOINT = "the result of the probe"
    KEYS = "the key and its proof"
    GOVERNANCE = "what governs the cache"
    SECRETS = "the Secrets"
    KUBERNETES = "the workloads"
    WRITERS = "who made a difference"


# The fields of each part that are Unknown where its reader fails. Who made a difference is left out of a report.
_FIELDS: Final[Mapping[Part, tuple[str, ...]]] = {
    Part.IDENTITY: ("identity",),
    Part.CACHE: ("cache",),
    Part.ENDPOINT: ("endpoint",),
    Part.KEYS: ("vault", "keys", "authentication", "regenerated"),
    Part.GOVERNANCE: KINDS,
    Part.SECRETS: ("secret", "former_secrets"),
    Part.KUBERNETES: ("workloads", "consumers", "budgets", "secret_users"),
    Part.WRITERS: (),
}


class Observer:
    """Calls one reader per subject, in order. Each reader checks the grants before it uses an identity."""

    def __init__(
        self,
        *,
        namespaces: Namespaces,
        identity: IdentityReader,
        services: Mapping[Service, ServiceReader],
        endpoint: EndpointReader,
        keys: KeyReader,
        governance: GovernanceReader,
        kubernetes: KubernetesReader,
        writers: WriterReader,
    ) -> None:
        self._namespaces = namespaces
        self._identity = identity
        self._services = services
        self._endpoint = endpoint
        self._keys = keys
        self._governance = governance
        self._kubernetes = kubernetes
        self._writers = writers

    async def observe(
        self, resource: SecureRedisCache, pass_state: PassState, now: datetime, *, attribute_drift: bool = True
    ) -> Observation:
        """Read once. `attribute_drift`: also read who made a difference that is new."""
        pass_state.refresh = pass_state.refresh or resource.refresh_requested
        pass_state.next_pass_within = None
        observed = await self._observe(resource, pass_state, now)
        if isinstance(observed.endpoint, NotRead):  # not declared, not allowed, or the resource is deleted
            self._endpoint.forget(resource.key)
        if not attribute_drift:
            return observed
        return await _part(self._writers.read(resource, observed), observed, Part.WRITERS)

    def unchanged(self, key: Key, now: datetime) -> None:
        """Note that a resource was observed as by the last whole pass."""
        self._writers.unchanged(key, now)

    def forget(self, key: Key) -> None:
        """Drop everything about a resource that is gone."""
        for service in self._services.values():
            service.forget(key)
        self._endpoint.forget(key)
        self._governance.forget(key)
        self._kubernetes.forget(key)
        self._writers.forget(key)

    async def _observe(self, resource: SecureRedisCache, pass_state: PassState, now: datetime) -> Observation:
        terminating = await self._namespaces.terminating(resource.key.namespace, fresh=resource.deleting)
        observed = Observation(now=now, namespace_terminating=terminating)
        if resource.deleting and (terminating or not resource.has_finalizer):
            return observed
        if not resource.deleting or _needs_azure(resource):
            unsupported = PLANS[resource.cache.service].unsupported(resource)
            if unsupported is not None:  # Azure is not read at all
                return replace(observed, cache=unsupported)
        with reading_within(KUBERNETES_SECONDS):
            secrets = self._kubernetes.read_secrets(resource, observed, pass_state)
            observed = await _part(secrets, observed, Part.SECRETS)
        if not resource.deleting or _needs_azure(resource):
            with reading_within(AZURE_SECONDS):
                observed = await self._with_azure(resource, observed, pass_state)
        with reading_within(KUBERNETES_SECONDS):
            return await _part(self._kubernetes.read(resource, observed, pass_state), observed, Part.KUBERNETES)

    async def _with_azure(
        self, resource: SecureRedisCache, observed: Observation, pass_state: PassState
    ) -> Observation:
        observed = await _part(self._with_identity(resource, observed), observed, Part.IDENTITY)
        identity = observed.identity
        if isinstance(identity, Unknown | NotRead):
            return observed
        service = self._services[resource.cache.service]
        observed = await _part(service.read(resource, observed, identity, pass_state), observed, Part.CACHE)
        if not resource.deleting:
            observed = await _part(self._with_endpoint(resource, observed, pass_state), observed, Part.ENDPOINT)
        if not resource.deleting or finalizer.ends_rotation(resource):
            observed = await _part(self._keys.read(resource, observed, identity, pass_state), observed, Part.KEYS)
        if not resource.deleting:
            governed = self._governance.read(resource, observed, identity, pass_state)
            observed = await _part(governed, observed, Part.GOVERNANCE)
        return observed

    async def _with_identity(self, resource: SecureRedisCache, observed: Observation) -> Observation:
        return replace(observed, identity=await self._identity.read(resource))

    async def _with_endpoint(
        self, resource: SecureRedisCache, observed: Observation, pass_state: PassState
    ) -> Observation:
        return self._endpoint.read(resource, observed, pass_state)


async def _part(read: Awaitable[Observation], before: Observation, part: Part) -> Observation:
    """Return what a reader adds to the observation; all that it could have added is Unknown where it fails."""
    found = await guarded_part(read, part)
    return replace(before, **dict.fromkeys(_FIELDS[part], found)) if isinstance(found, Unknown) else found


def _needs_azure(resource: SecureRedisCache) -> bool:
    """Whether a deleted resource reads Azure. With Retain it does only while a rotation is under way."""
    return not resource.abandoned and (finalizer.deletes_cache(resource) or finalizer.ends_rotation(resource))
