"""Plan the operator's finalizer: it is on an object exactly while a deletion of the object leaves work. Pure.

Under Retain nothing is left to do, so the object has no finalizer and its deletion needs no operator.
"""

from secure_redis.api.resource import SecureRedisCache
from secure_redis.api.spec.spec import DeletionPolicy, Mode
from secure_redis.api.status import UNDER_WAY
from secure_redis.domain.observe.observation import Observation
from secure_redis.domain.observe.secret import SecretFacts
from secure_redis.domain.observe.unknown import Unknown
from secure_redis.domain.observe.workload_match import consents, matches
from secure_redis.domain.observe.workloads import WorkloadFacts
from secure_redis.domain.plan.actions import Action, AddFinalizer, RemoveFinalizer
from secure_redis.domain.plan.rotation.required_reads import reported_under_way
from secure_redis.domain.plan.secret import unreferenced
from secure_redis.domain.plan.types import Rotating


def deletes_cache(resource: SecureRedisCache) -> bool:
    """Whether the deletion of the resource deletes the cache in Azure."""
    return resource.spec.mode is Mode.PROVISION and resource.spec.deletion_policy is DeletionPolicy.DELETE


def deletes_secret(resource: SecureRedisCache) -> bool:
    """Whether the deletion of the resource removes the injections and deletes the Secret."""
    return resource.spec.connection.deletion_policy is DeletionPolicy.DELETE


def ends_rotation(resource: SecureRedisCache) -> bool:
    """Whether the deletion of the resource ends a rotation whose key the Secret may have to hold yet."""
    return reported_under_way(resource) and not (resource.paused or deletes_cache(resource) or deletes_secret(resource))


def to_release(resource: SecureRedisCache, facts: WorkloadFacts) -> bool:
    """Whether the resource still owns an injection that the spec does not ask for any more."""
    if not facts.owned.anything or facts.deleting:
        return False
    return not (consents(resource, facts) and any(matches(entry, facts) for entry in resource.spec.workloads))


def set_finalizer(resource: SecureRedisCache, observed: Observation, rotating: Rotating) -> tuple[Action, ...]:
    """Plan the first actions of a pass over a resource that is not being deleted.

    They come before the work that the finalizer is for. The finalizer stays until it is known that no ownerReference
    is left: with one, the garbage collector would delete the Secret with the object.
    """
    if observed.namespace_terminating:
        return ()
    references = unreferenced(resource, observed)
    if _work_at_deletion(resource, observed, rotating):
        return references if resource.has_finalizer else (*references, AddFinalizer())
    return (*references, RemoveFinalizer()) if resource.has_finalizer and _is_known(resource, observed) else references


def ends_with_this_pass(resource: SecureRedisCache, rotating: Rotating) -> bool:
    """Whether the next pass may remove the finalizer, because this one ends a rotation."""
    return resource.has_finalizer and reported_under_way(resource) and not _is_under_way(rotating)


def _work_at_deletion(resource: SecureRedisCache, observed: Observation, rotating: Rotating) -> bool:
    if deletes_cache(resource) or deletes_secret(resource):
        return True
    if reported_under_way(resource) or _is_under_way(rotating):
        return True
    found = observed.workloads if isinstance(observed.workloads, tuple) else ()
    return any(to_release(resource, facts) for facts in found)


def _is_known(resource: SecureRedisCache, observed: Observation) -> bool:
    """Whether nothing that decides about the finalizer is unknown: an unknown value causes no write."""
    return secrets_known(resource, observed) and not isinstance(observed.workloads, Unknown)


def _is_under_way(rotating: Rotating) -> bool:
    return rotating.status is not None and rotating.status.phase in UNDER_WAY


def secrets_known(resource: SecureRedisCache, observed: Observation) -> bool:
    """Whether every Secret of the resource was read.

    Without `authentication` no Secret is declared, and the one of that name is read with all others of the resource.
    """
    declared = resource.spec.authentication is not None
    read = observed.secret is None or isinstance(observed.secret, SecretFacts) or not declared
    return read and not any(isinstance(one, Unknown) for one in (observed.secret, observed.former_secrets))
