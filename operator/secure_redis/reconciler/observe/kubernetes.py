"""What of a resource is in Kubernetes: its Secrets, its workloads, and who holds a Secret's values."""

from dataclasses import replace

from secure_redis.api import names
from secure_redis.api.resource import SecureRedisCache
from secure_redis.api.spec.spec import DeletionPolicy
from secure_redis.domain.observe.observation import Observation
from secure_redis.domain.observe.secret import SecretFacts
from secure_redis.domain.observe.unknown import Unknown
from secure_redis.domain.plan.rollout import disruption_budgets, waves
from secure_redis.domain.plan.rotation import required_reads
from secure_redis.kube.secrets import Secrets
from secure_redis.kube.workloads.client import Workloads
from secure_redis.reconciler.memory import Memory
from secure_redis.reconciler.observe.usage import Usage


class KubernetesObserver:
    """The observer's eye on Kubernetes."""

    def __init__(self, secrets: Secrets, workloads: Workloads, usage: Usage) -> None:
        self._secrets = secrets
        self._workloads = workloads
        self._usage = usage

    async def observe(self, resource: SecureRedisCache, seen: Observation, memory: Memory) -> Observation:
        """The observation with what is there in Kubernetes."""
        seen = await self._with_workloads(resource, await self._with_secrets(resource, seen), memory)
        seen = await self._usage.copies(resource, seen, memory)
        return await self._with_holders(resource, seen)

    async def _with_workloads(self, resource: SecureRedisCache, seen: Observation, memory: Memory) -> Observation:
        """Workloads only where some are listed or were injected; pods only while something is not current."""
        kept = resource.deleting and resource.spec.connection.deletion_policy is DeletionPolicy.RETAIN
        if kept or not waves.wants_workloads(resource):
            return seen
        entries = () if resource.deleting else resource.spec.workloads
        found = await self._workloads.find(
            resource,
            entries,
            waves.named(resource),
            thorough=resource.deleting or memory.searched != resource.generation,
        )
        if isinstance(found, Unknown):
            return replace(seen, workloads=found)
        memory.searched = resource.generation
        at = {(facts.kind, facts.name): facts for facts in found}
        wanted = waves.pods_wanted(resource, found, _published_version(resource, seen))
        pods = {place: await self._workloads.pods(resource, at[place]) for place in wanted}
        if disruption_budgets.budgets_wanted(resource, found, _published_version(resource, seen)):
            seen = replace(seen, budgets=await self._workloads.budgets(resource, found))
        seen = await self._usage.connections(resource, seen, found, fresh=memory.refresh)
        return replace(seen, workloads=found, pods=pods)

    async def _with_holders(self, resource: SecureRedisCache, seen: Observation) -> Observation:
        if resource.deleting or not required_reads.needs_holders(resource, seen):
            return seen
        carrying = seen.workloads if isinstance(seen.workloads, tuple) else ()
        return replace(seen, holders=await self._workloads.holders(resource, resource.secret_name, carrying))

    async def _with_secrets(self, resource: SecureRedisCache, seen: Observation) -> Observation:
        if resource.spec.authentication is None and resource.status.binding is None:
            return seen
        namespace = resource.key.namespace
        secret = await self._secrets.read(namespace, resource.secret_name)
        return replace(seen, secret=secret, former_secrets=await self._former(resource))

    async def _former(self, resource: SecureRedisCache) -> tuple[SecretFacts, ...] | Unknown:
        """Secrets of ours under other names: what the watch shows, and what the status still binds."""
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


def _published_version(resource: SecureRedisCache, seen: Observation) -> str | None:
    """The Key Vault version that our Secret holds."""
    ours = isinstance(seen.secret, SecretFacts) and seen.secret.owner_uid == resource.uid
    return seen.secret.annotations.get(names.SECRET_VERSION) if ours and isinstance(seen.secret, SecretFacts) else None
