"""The write to a Microsoft.Cache/redisEnterprise cluster or its database that a pass plans.

A creation runs in this order: the cluster, its database, the remaining steps of the creation. Each step follows from
what was observed, so it resumes after a crash at any point.
"""

from collections.abc import Mapping
from datetime import datetime
from functools import partial
from typing import Any, Final

from secure_redis.api import names
from secure_redis.api.reasons.reason import ConditionType, Reason
from secure_redis.api.resource import SecureRedisCache
from secure_redis.api.spec.persistence import KeySource, Persistence, PersistenceType
from secure_redis.api.spec.spec import ManagedRedisProvision, Mode, Provision
from secure_redis.api.status import PendingStatus
from secure_redis.api.times import rfc3339
from secure_redis.domain.assess.assessment import Assessment
from secure_redis.domain.assess.ownership import Ownership
from secure_redis.domain.explanation import Blocked
from secure_redis.domain.grants import CreationTarget, Power, refuse
from secure_redis.domain.observe.cache import CacheAbsent
from secure_redis.domain.observe.identity import Identity, NamespaceIdentity, OperatorIdentity
from secure_redis.domain.observe.managed_redis import ManagedRedis
from secure_redis.domain.observe.normalise import is_dead, same_word
from secure_redis.domain.observe.observation import Observation
from secure_redis.domain.observe.unknown import Unknown
from secure_redis.domain.plan.actions import DeleteCache
from secure_redis.domain.plan.cache import creation
from secure_redis.domain.plan.cache.managed_redis_corrections import (
    encryption,
    next_correction,
    persistence,
    user_assigned,
)
from secure_redis.domain.plan.cache.provisioning import Creation, change, create, store_key
from secure_redis.domain.plan.types import CLOCK_SKEW_SECONDS, CREATE, PERMANENT_RETRY_SECONDS, Plan, Settings

# Azure's words for a region or a size that is used up (facts: docs/internals/azure-facts.md#errors-of-managed-redis).
_NO_CAPACITY: Final = frozenset({"insufficientcapacity", "allocationfailed"})
FAILED_CREATION: Final = frozenset({Reason.INSUFFICIENT_CAPACITY, Reason.PROVISIONING_FAILED})
_SEARCH: Final = "RediSearch"


def unsupported(resource: SecureRedisCache) -> Unknown | None:
    """Name what the spec declares and the service does not have; None: nothing.

    The schema refuses each of these when an object is written. An object that was stored under an earlier schema can
    still have one.
    """
    spec, found = resource.spec, []
    if spec.network.firewall_rules:
        found.append("spec.network.firewallRules")
    if spec.connection.database != 0:
        found.append("spec.connection.database")
    if spec.persistence is not None and spec.persistence.storage is not None:
        found.append("spec.persistence.storage")
    if spec.provision is not None and spec.provision.managed_redis is None:
        found.append("spec.provision without managedRedis")
    if not found:
        return None
    return Unknown(
        Reason.SERVICE_NOT_SUPPORTED_YET,
        f"a Microsoft.Cache/redisEnterprise does not have {', '.join(found)}: remove it from the spec",
        permanent=True,
    )


def provision(resource: SecureRedisCache, observed: Observation, assessed: Assessment, settings: Settings) -> Plan:
    """Plan the one write to Azure of this pass, if any."""
    identity, cache = observed.identity, observed.cache
    if not isinstance(identity, NamespaceIdentity | OperatorIdentity):
        return Plan()
    target = _target(resource)
    if isinstance(cache, CacheAbsent):
        return create(resource, observed, cache, settings, identity, Creation(target, cluster_body))
    if not isinstance(cache, ManagedRedis):
        return Plan(pending=resource.status.pending)
    if resource.spec.mode is not Mode.PROVISION:
        return store_key(resource, observed, assessed, settings, identity)
    leftover = _leftover(resource, observed, cache, assessed, settings, identity)
    if leftover is not None:
        return leftover
    correct = partial(next_correction, resource, observed, cache, assessed.drift or (), database_properties)
    return change(resource, observed, cache, assessed, settings, identity, target, correct)


# --- what a failed creation leaves behind -----------------------------------------------------------------------------


def _leftover(
    resource: SecureRedisCache,
    observed: Observation,
    cluster: ManagedRedis,
    assessed: Assessment,
    settings: Settings,
    identity: Identity,
) -> Plan | None:
    """Plan the removal of a cluster whose creation failed, so that its name is free again. None: it is none.

    It is the operator's own by its tag and never served: it has no database, and the tag says that the creation did not
    get that far. The status is no evidence.
    """
    if assessed.ownership is not Ownership.OWNED or not cluster.never_served:
        return None
    deleting = same_word(cluster.provisioning_state, "Deleting")
    if not (is_dead(cluster.provisioning_state) or deleting):
        return None
    why = _why_failed(resource, observed)
    pending = _failed_attempt(resource, observed)
    if deleting or (observed.operation is not None and observed.operation.status == "InProgress"):
        return Plan(pending=pending, blocked=(why,), next_pass_in=settings.operation_poll)
    refused = refuse(settings.policy, identity, resource.key.namespace, Power.PROVISION, cache=resource.cache)
    if refused is not None:
        return Plan(pending=pending, blocked=(why, refused))
    return Plan(actions=(DeleteCache(),), pending=pending, blocked=(why,), next_pass_in=settings.operation_poll)


def _failed_attempt(resource: SecureRedisCache, observed: Observation) -> PendingStatus:
    """Return the intent with the time of the attempt that failed, from which the hour until the next one counts."""
    pending = resource.status.pending
    if pending is not None and pending.action == CREATE:
        age = (observed.now - datetime.fromisoformat(pending.recorded_at)).total_seconds()
        if -CLOCK_SKEW_SECONDS < age < PERMANENT_RETRY_SECONDS:
            return pending  # else the status would change in every pass
    return PendingStatus(action=CREATE, recorded_at=rfc3339(observed.now), detail=resource.cache.name)


def _why_failed(resource: SecureRedisCache, observed: Observation) -> Blocked:
    """Explain why the creation failed: by its operation, or as it was reported while that was known.

    After a restart no operation is known, and while the rest is removed it is the one of the removal.
    """
    operation, target = observed.operation, _target(resource)
    code = operation.code if operation is not None else None
    if code is not None and code.lower() in _NO_CAPACITY:
        return Blocked(
            Reason.INSUFFICIENT_CAPACITY,
            f"Azure has no capacity for {target.sku_name} in {target.location} ({code}): usually the region "
            "is short of it, and not the size. The operator removes the rest of the creation and tries again "
            "after an hour. To have it sooner, use another region or SKU in a new resource",
        )
    stalled = resource.status.condition(ConditionType.STALLED)
    if code is None and stalled is not None and stalled.reason in FAILED_CREATION:
        return Blocked(Reason(stalled.reason), stalled.message)
    detail = ": ".join(part for part in (operation.code, operation.message) if part) if operation is not None else ""
    return Blocked(
        Reason.PROVISIONING_FAILED,
        f"Azure failed to create the cluster{f' ({detail})' if detail else ''}; the operator removes what is left of "
        "it and tries again after an hour",
    )


# --- the requests of a creation ---------------------------------------------------------------------------------------


def _target(resource: SecureRedisCache) -> CreationTarget:
    """Return where and how large the cluster would be. The schema requires these for Provision."""
    declared = resource.spec.provision
    if declared is None or declared.managed_redis is None:
        return CreationTarget("", "", 0)
    return CreationTarget(declared.location, declared.managed_redis.sku, 0)


def _declared(resource: SecureRedisCache) -> tuple[Provision, ManagedRedisProvision]:
    declared = resource.spec.provision
    if declared is None or declared.managed_redis is None:
        raise ValueError("mode Provision without spec.provision.managedRedis")
    return declared, declared.managed_redis


def cluster_body(resource: SecureRedisCache, owner: str) -> Mapping[str, Any]:
    """Build the raw PUT body of the cluster: every security setting explicit; `zones` and `capacity` never."""
    declared, managed = _declared(resource)
    properties: dict[str, Any] = {
        "minimumTlsVersion": resource.spec.transport.minimum_tls_version,
        "publicNetworkAccess": resource.spec.network.public_access,
        "highAvailability": managed.high_availability,
    }
    wanted = resource.spec.persistence
    if wanted is not None and wanted.encryption.key_source is KeySource.CUSTOMER_MANAGED:
        properties["encryption"] = encryption(wanted.encryption)
    body: dict[str, Any] = {
        "location": declared.location,
        "sku": {"name": managed.sku},
        "tags": {**creation.tags(resource, owner), names.CREATION_TAG: names.CREATION_INCOMPLETE},
        "properties": properties,
    }
    own = declared.identity
    if own is not None and own.type != "None":
        body["identity"] = {"type": own.type, **user_assigned(own.user_assigned_ids)}
    return body


def database_properties(resource: SecureRedisCache) -> Mapping[str, Any]:
    """Build the properties of the database: every field explicit, because a default differs by interface version."""
    _, managed = _declared(resource)
    searches = _SEARCH in managed.modules
    properties: dict[str, Any] = {
        "clientProtocol": "Encrypted",
        "clusteringPolicy": managed.clustering_policy,
        "evictionPolicy": managed.eviction_policy or ("NoEviction" if searches else "VolatileLRU"),
        "accessKeysAuthentication": "Disabled" if resource.spec.authentication is None else "Enabled",
        "persistence": persistence(resource.spec.persistence or Persistence(type=PersistenceType.NONE)),
        "deferUpgrade": "NotDeferred",
    }
    if managed.modules:
        properties["modules"] = [{"name": name} for name in managed.modules]
    return properties
