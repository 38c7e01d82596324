"""Reads Azure and Kubernetes into one immutable `Observation`, and only what the next steps can use."""

from collections.abc import Mapping
from datetime import datetime
from typing import Protocol

from secure_redis.api.azure_ids import Service
from secure_redis.api.resource import Key, SecureRedisCache
from secure_redis.domain.observe.identity import Identity
from secure_redis.domain.observe.observation import Observation
from secure_redis.domain.observe.observation import changed as replace
from secure_redis.domain.observe.unknown import NotRead, Unknown
from secure_redis.domain.plan import finalizer
from secure_redis.domain.plan.cache.services import SERVICES as PLANS
from secure_redis.kube.namespaces import Namespaces
from secure_redis.reconciler.observe.endpoint import EndpointReader
from secure_redis.reconciler.observe.governance import GovernanceReader
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
        return await self._writers.read(resource, observed) if attribute_drift else observed

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
        if resource.deleting and not _needs_azure(resource):
            return await self._kubernetes.read(resource, observed, pass_state)
        unsupported = PLANS[resource.cache.service].unsupported(resource)
        if unsupported is not None:  # Azure is not read at all
            return replace(observed, cache=unsupported)
        identity = await self._identity.read(resource)
        observed = replace(observed, identity=identity)
        if not isinstance(identity, Unknown):
            service = self._services[resource.cache.service]
            observed = await service.read(resource, observed, identity, pass_state)
            if not resource.deleting:
                observed = self._endpoint.read(resource, observed, pass_state)
            if not resource.deleting or finalizer.ends_rotation(resource):
                observed = await self._keys.read(resource, observed, identity, pass_state)
            if not resource.deleting:
                observed = await self._governance.read(resource, observed, identity, pass_state)
        return await self._kubernetes.read(resource, observed, pass_state)


def _needs_azure(resource: SecureRedisCache) -> bool:
    """Whether a deleted resource reads Azure. With Retain it does only while a rotation is under way."""
    return not resource.abandoned and (finalizer.deletes_cache(resource) or finalizer.ends_rotation(resource))
