"""Reads what a resource has in Kubernetes: its Secrets, its workloads, and the pods that use a Secret."""

from dataclasses import replace

from secure_redis.api import names
from secure_redis.api.resource import Key, SecureRedisCache
from secure_redis.api.spec.spec import DeletionPolicy
from secure_redis.domain.observe.observation import Observation
from secure_redis.domain.observe.secret import SecretFacts
from secure_redis.domain.observe.unknown import Unknown
from secure_redis.domain.plan.rollout import disruption_budgets, waves
from secure_redis.domain.plan.rotation import required_reads
from secure_redis.kube.secrets import Secrets
from secure_redis.kube.workloads.client import Workloads
from secure_redis.reconciler.observe.usage import Usage
from secure_redis.reconciler.pass_state import PassState


class KubernetesReader:
    """Reads Secrets, workloads and pods, as far as the next steps need them."""

    def __init__(self, secrets: Secrets, workloads: Workloads, usage: Usage) -> None:
        self._secrets = secrets
        self._workloads = workloads
        self._usage = usage
        # The generation for which every consenting workload was searched for injections that no status records.
        self._searched: dict[Key, int] = {}

    async def read(self, resource: SecureRedisCache, observed: Observation, pass_state: PassState) -> Observation:
        """Add what exists in Kubernetes."""
        observed = await self._with_workloads(resource, await self._with_secrets(resource, observed), pass_state)
        observed = await self._usage.copies(resource, observed, pass_state)
        return await self._with_consumers(resource, observed)

    def forget(self, key: Key) -> None:
        """Forget a resource that is gone."""
        self._searched.pop(key, None)

    async def _with_workloads(
        self, resource: SecureRedisCache, observed: Observation, pass_state: PassState
    ) -> Observation:
        """Read workloads only where some are listed or were injected; pods only while something is not current."""
        retained = resource.deleting and resource.spec.connection.deletion_policy is DeletionPolicy.RETAIN
        if not waves.needs_workloads(resource) or resource.abandoned:
            return observed
        if retained:  # injections stay, except those that the spec does not list any more
            left = await self._workloads.find(resource, resource.spec.workloads, waves.named(resource), thorough=True)
            return replace(observed, workloads=left)
        entries = () if resource.deleting else resource.spec.workloads
        found = await self._workloads.find(
            resource,
            entries,
            waves.named(resource),
            thorough=resource.deleting or self._searched.get(resource.key) != resource.generation,
        )
        if isinstance(found, Unknown):
            return replace(observed, workloads=found)
        self._searched[resource.key] = resource.generation
        at = {(facts.kind, facts.name): facts for facts in found}
        required = waves.required_pods(resource, found, _published_version(resource, observed))
        pods = {place: await self._workloads.pods(resource, at[place]) for place in required}
        if disruption_budgets.needs_budgets(resource, found, _published_version(resource, observed)):
            observed = replace(observed, budgets=await self._workloads.budgets(resource, found))
        observed = await self._usage.connections(resource, observed, found, fresh=pass_state.refresh)
        return replace(observed, workloads=found, pods=pods)

    async def _with_consumers(self, resource: SecureRedisCache, observed: Observation) -> Observation:
        if resource.deleting or not required_reads.needs_consumers(resource, observed):
            return observed
        injected = observed.workloads if isinstance(observed.workloads, tuple) else ()
        return replace(observed, consumers=await self._workloads.consumers(resource, resource.secret_name, injected))

    async def _with_secrets(self, resource: SecureRedisCache, observed: Observation) -> Observation:
        published = resource.spec.authentication is not None or resource.status.binding is not None
        if not (published or resource.has_finalizer):
            return observed
        namespace = resource.key.namespace
        secret = await self._secrets.read(namespace, resource.secret_name)
        return replace(observed, secret=secret, former_secrets=await self._former(resource))

    async def _former(self, resource: SecureRedisCache) -> tuple[SecretFacts, ...] | Unknown:
        """Read this resource's Secrets under other names: those that the watch shows or the status still binds."""
        namespace, binding = resource.key.namespace, resource.status.binding
        if self._secrets.store.synced(namespace):
            published = await self._secrets.published_by(resource)
            if isinstance(published, Unknown):
                return published
            return tuple(secret for secret in published if secret.name != resource.secret_name)
        if binding is None or binding.name == resource.secret_name:
            return ()
        earlier = await self._secrets.read(namespace, binding.name)
        if isinstance(earlier, Unknown):
            return earlier
        return () if earlier is None else (earlier,)


def _published_version(resource: SecureRedisCache, observed: Observation) -> str | None:
    """Return the Key Vault version that this resource's Secret holds."""
    own = isinstance(observed.secret, SecretFacts) and observed.secret.owner_uid == resource.uid
    return (
        observed.secret.annotations.get(names.SECRET_VERSION)
        if own and isinstance(observed.secret, SecretFacts)
        else None
    )
