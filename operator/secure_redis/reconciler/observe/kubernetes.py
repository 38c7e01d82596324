"""Reads what a resource has in Kubernetes: its Secrets, its workloads, and the pods that use a Secret."""

from dataclasses import replace

from secure_redis.api import names
from secure_redis.api.resource import Key, SecureRedisCache
from secure_redis.api.spec.spec import DeletionPolicy, Mode
from secure_redis.domain.observe.observation import Observation
from secure_redis.domain.observe.secret import SecretFacts
from secure_redis.domain.observe.unknown import Unknown
from secure_redis.domain.plan import finalizer, secret_removal
from secure_redis.domain.plan.rollout import disruption_budgets, waves
from secure_redis.domain.plan.rotation import required_reads
from secure_redis.domain.plan.secret import unreferenced
from secure_redis.domain.plan.types import Settings
from secure_redis.kube.secrets import Secrets
from secure_redis.kube.workloads.client import Workloads
from secure_redis.reconciler.edge import guarded
from secure_redis.reconciler.observe.usage import Usage
from secure_redis.reconciler.pass_state import PassState


class KubernetesReader:
    """Reads Secrets, workloads and pods, as far as the next steps need them."""

    def __init__(self, settings: Settings, secrets: Secrets, workloads: Workloads, usage: Usage) -> None:
        self._settings = settings
        self._secrets = secrets
        self._workloads = workloads
        self._usage = usage

    async def read(self, resource: SecureRedisCache, observed: Observation, pass_state: PassState) -> Observation:
        """Add the workloads and pods, as far as they decide something. `read_secrets` comes before."""
        observed = await self._with_workloads(resource, observed, pass_state)
        observed = await self._usage.copies(resource, observed, pass_state)
        return await self._with_secret_users(resource, await self._with_consumers(resource, observed))

    async def read_secrets(
        self, resource: SecureRedisCache, observed: Observation, pass_state: PassState
    ) -> Observation:
        """Add the resource's Secrets. They come first: the published one records which rotation was answered."""
        found = await self._with_secrets(resource, observed)
        return found if is_new(resource) else with_references(resource, found, pass_state)

    def forget(self, key: Key) -> None:
        """Forget a resource that is gone."""
        self._workloads.injections.forget(key)
        self._secrets.forget(key)

    async def _with_workloads(
        self, resource: SecureRedisCache, observed: Observation, pass_state: PassState
    ) -> Observation:
        """Read workloads only where some are listed or injected; pods only while something is not current.

        The injections are found by managedFields, whatever spec and status name. At a deletion under Retain they stay,
        except those that the spec does not list any more.
        """
        retained = resource.deleting and resource.spec.connection.deletion_policy is DeletionPolicy.RETAIN
        if resource.abandoned and resource.deleting:
            return observed
        entries = resource.spec.workloads if retained or not resource.deleting else ()
        named = waves.named(resource) | await self._workloads.injected(resource)
        if not entries and not named:
            return observed
        found = await guarded(self._workloads.find(resource, entries, named), "the workloads")
        if retained or isinstance(found, Unknown):
            return replace(observed, workloads=found)
        at = {(facts.kind, facts.name): facts for facts in found}
        required = waves.required_pods(
            resource,
            found,
            _published_version(resource, observed),
            verify=required_reads.proves_pods(resource, observed, self._settings),
        )
        pods = {place: await guarded(self._workloads.pods(resource, at[place]), "the pods") for place in required}
        if disruption_budgets.needs_budgets(resource, found, _published_version(resource, observed)):
            budgets = await guarded(self._workloads.budgets(resource, found), "the PodDisruptionBudgets")
            observed = replace(observed, budgets=budgets)
        observed = await self._usage.connections(resource, observed, found, fresh=pass_state.refresh)
        return replace(observed, workloads=found, pods=pods)

    async def _with_consumers(self, resource: SecureRedisCache, observed: Observation) -> Observation:
        if resource.deleting or not required_reads.needs_consumers(resource, observed, self._settings):
            return observed
        injected = observed.workloads if isinstance(observed.workloads, tuple) else ()
        consumers = self._workloads.consumers(resource, resource.secret_name, injected)
        return replace(observed, consumers=await guarded(consumers, "the pods that use the Secret"))

    async def _with_secret_users(self, resource: SecureRedisCache, observed: Observation) -> Observation:
        if not secret_removal.needs_users(resource, observed):
            return observed
        secrets = frozenset(secret.name for secret in secret_removal.removable(resource, observed))
        users = self._workloads.secret_users(resource, secrets)
        return replace(observed, secret_users=await guarded(users, "who uses the Secret"))

    async def _with_secrets(self, resource: SecureRedisCache, observed: Observation) -> Observation:
        """Read the declared Secret, and every Secret of this resource, whatever spec and status name."""
        name, declared = resource.secret_name, resource.spec.authentication is not None
        own = self._secrets.published_by(resource, besides=name if declared else None)
        published = await guarded(own, "the resource's Secrets")
        if isinstance(published, Unknown):
            observed = replace(observed, former_secrets=published)
        else:
            former = tuple(secret for secret in published.secrets if secret.name != name)
            observed = replace(observed, former_secrets=former, secrets_listed=published.listed)
            kept = next((secret for secret in published.secrets if secret.name == name), None)
            observed = observed if kept is None else replace(observed, secret=kept)
        if not declared:
            return observed
        if is_new(resource):  # the creation finds a Secret that has the name and that no watch delivered
            return replace(observed, secret=self._secrets.store.get(resource.key.namespace, name))
        secret = await guarded(self._secrets.read(resource.key.namespace, name), f"Secret {name!r}")
        return replace(observed, secret=secret)


def is_new(resource: SecureRedisCache) -> bool:
    """Whether no pass over the resource has ended yet, and nothing but a creation of its Secret depends on the Secret.

    A lost status makes a resource look new. A Secret that exists keeps a cache from being created again, so a resource
    that provisions is never taken for new.
    """
    reported = resource.status.observed_generation is not None
    traces = reported or resource.recorded_secrets or resource.has_finalizer
    return resource.spec.mode is Mode.VALIDATE and not traces


def with_references(resource: SecureRedisCache, observed: Observation, pass_state: PassState) -> Observation:
    """Add whether an ownerReference can be left on a Secret. An earlier result stays true: the operator sets none."""
    if finalizer.secrets_known(resource, observed) and observed.secrets_listed:
        pass_state.unreferenced = None if unreferenced(resource, observed) else resource.uid
    return replace(observed, unreferenced=pass_state.unreferenced == resource.uid)


def _published_version(resource: SecureRedisCache, observed: Observation) -> str | None:
    """Return the Key Vault version that this resource's Secret holds."""
    own = isinstance(observed.secret, SecretFacts) and observed.secret.owner_uid == resource.uid
    return (
        observed.secret.annotations.get(names.SECRET_VERSION)
        if own and isinstance(observed.secret, SecretFacts)
        else None
    )
