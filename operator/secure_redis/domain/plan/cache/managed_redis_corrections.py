"""Choose the next correction of a Microsoft.Cache/redisEnterprise cluster or its database. Pure.

A cluster is changed by a minimal PATCH, a database by a PUT of the whole that was read.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any, Final

from secure_redis.api.reasons.reason import Reason
from secure_redis.api.resource import SecureRedisCache
from secure_redis.api.spec.persistence import Encryption, KeySource, Persistence, PersistenceType
from secure_redis.api.spec.spec import ManagedRedisProvision, Provision
from secure_redis.domain.assess.drift import Drift
from secure_redis.domain.assess.managed_redis import (
    ACCESS_KEYS,
    CLUSTERING,
    ENCRYPTION,
    EVICTION,
    HIGH_AVAILABILITY,
    MINIMUM_TLS,
    PERSISTENCE,
    PROTOCOL,
    PUBLIC_ACCESS,
    SKU,
    WINDOWS,
)
from secure_redis.domain.explanation import Blocked
from secure_redis.domain.grants import CreationTarget
from secure_redis.domain.observe import normalise
from secure_redis.domain.observe.managed_redis import ManagedRedis
from secure_redis.domain.observe.observation import Observation
from secure_redis.domain.observe.storage import EncryptionKeyFacts, KeyAbsent, KeyVaultFacts
from secure_redis.domain.observe.unknown import NotRead, Unknown
from secure_redis.domain.plan.actions import AzureAction, CreateDatabase, UpdateCache, UpdateDatabase
from secure_redis.domain.plan.cache.corrections import Choice, Correction, Owed
from secure_redis.domain.plan.cache.corrections import next_correction as next_of
from secure_redis.domain.plan.cache.setting_corrections import identity_change, tags_change

_FREQUENCIES: Final = {60: "1h", 360: "6h", 720: "12h"}
_MOST_OFFERED: Final = 20  # names in a message
Database = Callable[[SecureRedisCache], Mapping[str, Any]]


def next_correction(
    resource: SecureRedisCache,
    observed: Observation,
    cluster: ManagedRedis,
    found: tuple[Drift, ...],
    database: Database,
    owes: Owed = Owed.NOTHING,
) -> Correction:
    """Choose the next correction. `database`: builds the properties of the one that a creation still requires.

    `owes`: what a creation by the operator still has to set on the cluster.
    """
    if cluster.database is None and owes is Owed.ALL:
        return Correction(action=CreateDatabase(database(resource)), network_left=True)
    if cluster.known_database is None:
        return Correction(owing=owes is not Owed.NOTHING)
    # The interface version that creates a cluster may be too old for windows; that is known once it was read.
    owed = {d.path for d in found if d.correctable and d.path == WINDOWS and owes is not Owed.NOTHING}

    def choose(due: set[str]) -> Choice:
        return _choose(resource, observed, cluster, found, due)

    return next_of(resource, observed, found, owed, frozenset(), choose)


def persistence(declared: Persistence) -> Mapping[str, Any]:
    """Build `persistence` of a database: both kinds explicit, at most one of them on."""
    if declared.type is PersistenceType.RDB:
        frequency = _FREQUENCIES.get(declared.frequency_minutes, "1h")
        return {"aofEnabled": False, "rdbEnabled": True, "rdbFrequency": frequency}
    if declared.type is PersistenceType.AOF:
        return {"aofEnabled": True, "aofFrequency": "1s", "rdbEnabled": False}
    return {"aofEnabled": False, "rdbEnabled": False}


def encryption(declared: Encryption) -> Mapping[str, Any]:
    """Build `encryption` of a cluster. An empty object gives the disks back to Microsoft's key."""
    if declared.key_source is not KeySource.CUSTOMER_MANAGED:
        return {"customerManagedKeyEncryption": {}}
    return {
        "customerManagedKeyEncryption": {
            "keyEncryptionKeyIdentity": {
                "identityType": "userAssignedIdentity",
                "userAssignedIdentityResourceId": declared.identity_id,
            },
            "keyEncryptionKeyUrl": declared.key_url,
        }
    }


def user_assigned(ids: Iterable[str]) -> Mapping[str, Any]:
    """Build the part of `identity` that names user-assigned identities; empty: there are none."""
    named: dict[str, Any] = {one: {} for one in ids}
    return {"userAssignedIdentities": named} if named else {}


def _choose(
    resource: SecureRedisCache, observed: Observation, cluster: ManagedRedis, found: tuple[Drift, ...], due: set[str]
) -> Choice:
    """Choose, the worst first. Settings of the database that are due together go into one PUT."""
    for path, properties in _cluster_settings(resource):
        if path in due:
            return Choice(UpdateCache({"properties": properties}, tuple(properties)), (path,))
    changes = {path: change for path, change in _database_settings(resource) if path in due}
    if changes:
        merged = {name: value for change in changes.values() for name, value in change.items()}
        return Choice(UpdateDatabase(merged), tuple(changes))
    not_corrected: dict[str, Blocked] = {}
    if due & set(ENCRYPTION):
        step = _encrypt(resource, observed, cluster)
        paths = tuple(path for path in ENCRYPTION if path in due)
        if not isinstance(step, Blocked):
            return Choice(step, paths)
        not_corrected |= dict.fromkeys(paths, step)
    return _provisioned(resource.spec.provision, observed, cluster, due, not_corrected)


def _cluster_settings(resource: SecureRedisCache) -> Iterable[tuple[str, Mapping[str, Any]]]:
    yield MINIMUM_TLS, {"minimumTlsVersion": resource.spec.transport.minimum_tls_version}
    yield PUBLIC_ACCESS, {"publicNetworkAccess": resource.spec.network.public_access}


def _database_settings(resource: SecureRedisCache) -> Iterable[tuple[str, Mapping[str, Any]]]:
    """List the paths that a PUT of the database corrects, with the properties of each."""
    spec = resource.spec
    yield PROTOCOL, {"clientProtocol": "Encrypted"}
    if spec.authentication is not None:
        yield ACCESS_KEYS, {"accessKeysAuthentication": "Enabled"}
    if spec.persistence is not None:
        yield from ((path, {"persistence": persistence(spec.persistence)}) for path in PERSISTENCE)
    managed = spec.provision.managed_redis if spec.provision is not None else None
    if managed is not None:
        yield CLUSTERING, {"clusteringPolicy": managed.clustering_policy}
        yield EVICTION, {"evictionPolicy": managed.eviction_policy}


def _encrypt(resource: SecureRedisCache, observed: Observation, cluster: ManagedRedis) -> AzureAction | Blocked:
    """Return the next step towards the declared key: the identity, then its role, then the key itself."""
    declared = (resource.spec.persistence or Persistence()).encryption
    change = UpdateCache({"properties": {"encryption": encryption(declared)}}, ("encryption",))
    if declared.key_source is not KeySource.CUSTOMER_MANAGED or declared.identity_id is None:
        return change
    own = resource.spec.provision.identity if resource.spec.provision is not None else None
    reader = normalise.id_set([declared.identity_id])
    if own is not None and not reader <= normalise.id_set(own.user_assigned_ids):
        return Blocked(
            Reason.ENCRYPTION_KEY_UNUSABLE,
            f"provision.identity does not list {declared.identity_id}, by which the cluster is to read the key: add it",
        )
    if not reader <= normalise.id_set(cluster.user_assigned_ids):
        kinds = normalise.identity_kinds(cluster.identity_type) | {"userassigned"}
        kind = ", ".join(one for one in ("SystemAssigned", "UserAssigned") if one.lower() in kinds)
        ids = (*cluster.user_assigned_ids, declared.identity_id)
        return UpdateCache({"identity": {"type": kind, **user_assigned(ids)}}, ("identity",))
    key = observed.declared_key
    if isinstance(key, NotRead):
        return Blocked(Reason.ENCRYPTION_KEY_UNUSABLE, f"the key {declared.key_url} was not read yet")
    unusable = _unusable(key, observed, declared) or _unreadable(key, observed, cluster, declared)
    return change if unusable is None else Blocked(Reason.ENCRYPTION_KEY_UNUSABLE, unusable)


def _unusable(key: EncryptionKeyFacts | Unknown, observed: Observation, declared: Encryption) -> str | None:
    """Explain why the cluster could not read its disks under the declared key. None: nothing known is against it."""
    if isinstance(key, Unknown):
        return f"the key {declared.key_url} could not be read: {key.message}"
    if isinstance(key.key, KeyAbsent):
        return f"the key {declared.key_url} is not there: {key.key.message}"
    if isinstance(key.key, Unknown):
        return f"the key {declared.key_url} could not be read: {key.key.message}"
    why = key.key.unusable(observed.now)
    return f"the key {declared.key_url} {why}" if why is not None else None


def _unreadable(
    key: EncryptionKeyFacts | Unknown, observed: Observation, cluster: ManagedRedis, declared: Encryption
) -> str | None:
    """Explain why the declared identity could not read its disks under the key. None: it certainly can."""
    principal, roles = cluster.principal_of(declared.identity_id), observed.key_roles
    if principal is None or not isinstance(key, EncryptionKeyFacts) or not isinstance(key.vault, KeyVaultFacts):
        return f"Azure does not report the object id of {declared.identity_id}, so its role is not known"
    if key.vault.by_roles and not isinstance(roles, tuple):
        why = roles.message if isinstance(roles, Unknown) else "they were not read yet"
        return f"the roles of {declared.identity_id} on {declared.key_url} could not be read: {why}"
    if key.vault.lets_encrypt(principal, roles if isinstance(roles, tuple) else ()):
        return None
    how = "assign it the role Key Vault Crypto Service Encryption User there"
    if not key.vault.by_roles:
        how = f"give its object id {principal} the key permissions get, wrapKey and unwrapKey in the access policies"
    return f"{declared.identity_id} may not read, wrap and unwrap with {declared.key_url}: {how}"


def _provisioned(
    declared: Provision | None,
    observed: Observation,
    cluster: ManagedRedis,
    due: set[str],
    not_corrected: Mapping[str, Blocked],
) -> Choice:
    """Choose among the settings of spec.provision."""
    if declared is None or declared.managed_redis is None:
        return Choice(not_corrected=not_corrected)
    sized = _sized(declared.managed_redis, observed, cluster) if SKU in due else Choice()
    not_corrected = {**not_corrected, **sized.not_corrected}
    if sized.action is not None:
        return replace(sized, not_corrected=not_corrected)
    if HIGH_AVAILABILITY in due:
        change: Mapping[str, Any] = {"highAvailability": declared.managed_redis.high_availability}
        return Choice(UpdateCache({"properties": change}, tuple(change)), (HIGH_AVAILABILITY,), not_corrected)
    if WINDOWS in due:
        change = {"maintenanceConfiguration": {"maintenanceWindows": _windows(declared.managed_redis)}}
        return Choice(UpdateCache({"properties": change}, tuple(change)), (WINDOWS,), not_corrected)
    setting = identity_change(declared.identity, due) or tags_change(declared.tags, cluster, due)
    if setting is None:
        return Choice(not_corrected=not_corrected)
    return Choice(setting.action, setting.paths, not_corrected)


def _sized(declared: ManagedRedisProvision, observed: Observation, cluster: ManagedRedis) -> Choice:
    """Scale, only to a SKU that Azure offers for this cluster; else explain why not."""
    offered = observed.scaling_options
    if isinstance(offered, NotRead):
        return Choice()
    if isinstance(offered, Unknown):
        return Choice(not_corrected={SKU: Blocked(offered.reason, f"the sizes that Azure offers: {offered.message}")})
    if declared.sku.lower() not in {one.lower() for one in offered}:
        others = ", ".join(sorted(offered)[:_MOST_OFFERED]) or "none"
        why = f"Azure does not offer {declared.sku} for this cluster of {cluster.sku_name}; it offers {others}"
        return Choice(not_corrected={SKU: Blocked(Reason.SIZE_NOT_OFFERED, why)})
    target = CreationTarget(cluster.location, declared.sku, 0)
    return Choice(UpdateCache({"sku": {"name": declared.sku}}, ("sku",)), (SKU,), target=target)


def _windows(declared: ManagedRedisProvision) -> list[Mapping[str, Any]]:
    return [
        {
            "type": "Weekly",
            "duration": f"PT{one.duration_hours}H",
            "startHourUtc": one.start_hour,
            "schedule": {"dayOfWeek": one.day},
        }
        for one in declared.maintenance_windows
    ]
