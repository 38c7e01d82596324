"""How a Microsoft.Cache/redisEnterprise cluster and its database are compared with their spec, and who owns them."""

from collections.abc import Iterable
from dataclasses import replace
from typing import Final

from secure_redis.api.resource import SecureRedisCache
from secure_redis.api.spec.persistence import KeySource, Persistence, PersistenceType
from secure_redis.api.spec.spec import CacheIdentity, DriftClass, ManagedRedisProvision, Mode, Provision
from secure_redis.domain.assess import ownership
from secure_redis.domain.assess.disruption import Effect, effect
from secure_redis.domain.assess.drift import (
    NOT_REPORTED,
    NOT_SET,
    ORDER,
    Drift,
    listed,
    location,
    minimum_tls,
    public_access,
    short,
    tags,
)
from secure_redis.domain.observe import normalise
from secure_redis.domain.observe.managed_redis import MaintenanceWindow, ManagedDatabase, ManagedRedis
from secure_redis.domain.observe.normalise import same_word
from secure_redis.domain.observe.observation import Observation

MINIMUM_TLS: Final = "transport.minimumTLSVersion"
PROTOCOL: Final = "transport.clientProtocol"
PUBLIC_ACCESS: Final = "network.publicAccess"
ACCESS_KEYS: Final = "authentication.accessKeys"
PERSISTENCE_TYPE: Final = "persistence.type"
FREQUENCY: Final = "persistence.frequencyMinutes"
KEY_SOURCE: Final = "persistence.encryption.keySource"
KEY_URL: Final = "persistence.encryption.keyURL"
KEY_IDENTITY: Final = "persistence.encryption.identityID"
SKU: Final = "provision.managedRedis.sku"
HIGH_AVAILABILITY: Final = "provision.managedRedis.highAvailability"
CLUSTERING: Final = "provision.managedRedis.clusteringPolicy"
EVICTION: Final = "provision.managedRedis.evictionPolicy"
MODULES: Final = "provision.managedRedis.modules"
WINDOWS: Final = "provision.managedRedis.maintenanceWindows"
IDENTITY_TYPE: Final = "provision.identity.type"
IDENTITY_IDS: Final = "provision.identity.userAssignedIDs"
PERSISTENCE: Final = (PERSISTENCE_TYPE, FREQUENCY)
ENCRYPTION: Final = (KEY_SOURCE, KEY_URL, KEY_IDENTITY)
COMPARED: tuple[str, ...] = (
    PROTOCOL,
    MINIMUM_TLS,
    PUBLIC_ACCESS,
    ACCESS_KEYS,
    *PERSISTENCE,
    *ENCRYPTION,
    "provision.location",
    "provision.tags",
    SKU,
    HIGH_AVAILABILITY,
    CLUSTERING,
    EVICTION,
    MODULES,
    WINDOWS,
    IDENTITY_TYPE,
    IDENTITY_IDS,
)
_MINUTES: Final = {"1h": 60, "6h": 360, "12h": 720}
_NEW_DATABASE: Final = "it needs a new database: the data and both keys are lost, so move to another cache instead"


def owner(cluster: ManagedRedis, cluster_uid: str, resource_uid: str) -> ownership.Ownership | None:
    """Read from the cluster's tag which resource owns it."""
    return ownership.ownership(cluster, cluster_uid, resource_uid)


def differences(cluster: ManagedRedis, resource: SecureRedisCache, _: Observation) -> tuple[Drift, ...]:
    """Compare the spec with the cluster and its database. The settings of a missing database are no difference."""
    found = [*minimum_tls(resource, cluster), *_public_access(resource, cluster), *_encryption(resource, cluster)]
    database = cluster.known_database
    if database is not None:
        found += [*_protocol(database), *_persistence(resource, database)]
    provision = resource.spec.provision
    if resource.spec.mode is Mode.PROVISION and provision is not None:
        found += [*location(provision, cluster), *_identity(provision, cluster), *tags(provision, cluster)]
        found += () if database is None else _access_keys(resource, database)
        if provision.managed_redis is not None:
            found += _cluster(provision.managed_redis, cluster)
            found += () if database is None else _database(provision.managed_redis, database)
    found.sort(key=lambda entry: ORDER[entry.drift_class])
    return tuple(_with_effect(one, cluster) for one in found)


def required_access_keys(resource: SecureRedisCache) -> str | None:
    """Return whether the database must take access keys. None: nothing is declared that needs them or forbids them."""
    return None if resource.spec.authentication is None else "Enabled"


def minutes(frequency: str | None) -> int | None:
    """Return the minutes between two snapshots; None: none, or a frequency that is not known."""
    return _MINUTES.get((frequency or "").strip().lower())


def kind(database: ManagedDatabase) -> PersistenceType:
    """Return how the database persists now."""
    if database.rdb_enabled:
        return PersistenceType.RDB
    return PersistenceType.AOF if database.aof_enabled else PersistenceType.NONE


def windows(declared: ManagedRedisProvision) -> frozenset[tuple[str, int, str]]:
    """Return the declared maintenance windows in the form in which Azure answers them."""
    return frozenset(
        (one.day.lower(), one.start_hour, f"pt{one.duration_hours}h") for one in declared.maintenance_windows
    )


# --- security ---------------------------------------------------------------------------------------------------------


def _public_access(resource: SecureRedisCache, cluster: ManagedRedis) -> Iterable[Drift]:
    """Compare public access. A setting that a cluster of an old interface lacks cannot be set (SDK docstring)."""
    unset = cluster.public_network_access is None
    return (replace(one, correctable=not unset) for one in public_access(resource, cluster))


def _protocol(database: ManagedDatabase) -> Iterable[Drift]:
    if not same_word(database.client_protocol, "Encrypted"):
        shown = short(database.client_protocol or NOT_SET)
        note = "keys and data can travel unencrypted; the correction disconnects clients that do not use TLS"
        yield Drift(PROTOCOL, "Encrypted", shown, DriftClass.SECURITY, True, note)


def _access_keys(resource: SecureRedisCache, database: ManagedDatabase) -> Iterable[Drift]:
    """Compare whether access keys are on, where the spec publishes one."""
    required = required_access_keys(resource)
    if required is None or same_word(database.access_keys, required):
        return
    shown = short(database.access_keys or NOT_REPORTED)
    note = "no key works until they are on; the switch cuts every connection once, those by Entra too"
    yield Drift(ACCESS_KEYS, required, shown, DriftClass.AVAILABILITY, database.access_keys is not None, note)


def _persistence(resource: SecureRedisCache, database: ManagedDatabase) -> Iterable[Drift]:
    declared, observed = resource.spec.persistence, kind(database)
    if declared is None:
        return
    correctable, why = not database.geo_linked, "Azure persists no database that is geo-replicated"
    if declared.type is not observed:
        losing = declared.type is PersistenceType.NONE
        drift_class = DriftClass.SECURITY if losing else DriftClass.AVAILABILITY
        note = "data is written to disks although none is declared" if losing else ""
        yield Drift(PERSISTENCE_TYPE, declared.type, observed, drift_class, correctable, note if correctable else why)
    elif observed is PersistenceType.RDB and minutes(database.rdb_frequency) != declared.frequency_minutes:
        shown = short(database.rdb_frequency or NOT_REPORTED)
        yield Drift(FREQUENCY, str(declared.frequency_minutes), shown, DriftClass.AVAILABILITY, correctable)


def _encryption(resource: SecureRedisCache, cluster: ManagedRedis) -> Iterable[Drift]:
    """Compare the key of the cluster's disks. An empty key URL is Microsoft's key."""
    declared = resource.spec.persistence
    if declared is None or declared.encryption.key_source is None:
        return
    wanted, url = declared.encryption, cluster.key_url
    source = KeySource.CUSTOMER_MANAGED if url else KeySource.MICROSOFT_MANAGED
    security = DriftClass.SECURITY
    if wanted.key_source is not None and wanted.key_source is not source:
        yield Drift(KEY_SOURCE, wanted.key_source, source, security, _can_encrypt(declared))
        return
    if wanted.key_url is not None and url is not None and not _same_key(wanted.key_url, url):
        yield Drift(KEY_URL, short(wanted.key_url), short(url), security, _can_encrypt(declared))
    if wanted.identity_id is not None and not normalise.same_id(wanted.identity_id, cluster.key_identity):
        shown = short(cluster.key_identity or NOT_REPORTED)
        yield Drift(KEY_IDENTITY, short(wanted.identity_id), shown, security, _can_encrypt(declared))


def _can_encrypt(declared: Persistence) -> bool:
    encryption = declared.encryption
    if encryption.key_source is KeySource.MICROSOFT_MANAGED:
        return True
    return encryption.identity_id is not None and encryption.key_url is not None and _version(encryption.key_url) != ""


def _same_key(declared: str, observed: str) -> bool:
    """Whether two key URLs name one key; a declared URL without version names every version."""
    wanted, there = declared.rstrip("/").lower(), observed.rstrip("/").lower()
    return there == wanted or (not _version(wanted) and there.rpartition("/")[0] == wanted)


def _version(url: str) -> str:
    """Return the version in a key URL; empty: it names none."""
    parts = url.rstrip("/").split("/")
    return parts[5] if len(parts) > 5 else ""


# --- provision --------------------------------------------------------------------------------------------------------


def _cluster(declared: ManagedRedisProvision, cluster: ManagedRedis) -> Iterable[Drift]:
    availability = DriftClass.AVAILABILITY
    if not same_word(declared.sku, cluster.sku_name):
        linked = bool(cluster.geo_linked)
        note = "Azure does not scale one cache of a geo-replication group: unlink it first" if linked else ""
        yield Drift(SKU, declared.sku, short(cluster.sku_name), availability, not linked, note)
    observed = cluster.high_availability
    if not same_word(declared.high_availability, observed):
        on = same_word(declared.high_availability, "Enabled")
        note = "" if on else "Azure does not switch it off: create another cache"
        yield Drift(
            HIGH_AVAILABILITY, declared.high_availability, short(observed or NOT_REPORTED), availability, on, note
        )
    if declared.maintenance_windows and windows(declared) != _observed_windows(cluster.maintenance_windows):
        found, known = cluster.maintenance_windows, cluster.maintenance_windows is not None
        note = "" if known else "the interface version that the region serves does not have them"
        shown = NOT_REPORTED if found is None else listed(_text(one) for one in _observed_windows(found))
        yield Drift(WINDOWS, listed(_text(one) for one in windows(declared)), shown, availability, known, note)


def _database(declared: ManagedRedisProvision, database: ManagedDatabase) -> Iterable[Drift]:
    availability = DriftClass.AVAILABILITY
    if not same_word(declared.clustering_policy, database.clustering_policy):
        observed = database.clustering_policy
        possible = same_word(observed, "NoCluster")
        note = "clients must know the new policy first" if possible else _NEW_DATABASE
        yield Drift(
            CLUSTERING, declared.clustering_policy, short(observed or NOT_REPORTED), availability, possible, note
        )
    if declared.eviction_policy is not None and not same_word(declared.eviction_policy, database.eviction_policy):
        shown = short(database.eviction_policy or NOT_REPORTED)
        yield Drift(EVICTION, declared.eviction_policy, shown, availability, True)
    if {name.lower() for name in declared.modules} != {name.lower() for name in database.modules}:
        yield Drift(MODULES, listed(declared.modules), listed(database.modules), availability, note=_NEW_DATABASE)


def _identity(provision: Provision, cluster: ManagedRedis) -> Iterable[Drift]:
    """Compare the cluster's own identity, where one is declared."""
    declared = provision.identity
    if declared is None:
        return
    if normalise.identity_kinds(declared.type) != normalise.identity_kinds(cluster.identity_type):
        yield _identity_drift(IDENTITY_TYPE, declared.type, short(cluster.identity_type or "None"), declared, cluster)
    elif normalise.id_set(declared.user_assigned_ids) != normalise.id_set(cluster.user_assigned_ids):
        wanted, shown = listed(declared.user_assigned_ids), listed(cluster.user_assigned_ids)
        yield _identity_drift(IDENTITY_IDS, wanted, shown, declared, cluster)


def _identity_drift(path: str, wanted: str, shown: str, declared: CacheIdentity, cluster: ManagedRedis) -> Drift:
    """Build the difference. The identity that reads the encryption key must not go: the disks need it."""
    needed = cluster.key_url and cluster.key_identity
    lost = needed and not normalise.id_set([cluster.key_identity or ""]) <= normalise.id_set(declared.user_assigned_ids)
    note = "the cluster reads its encryption key by an identity that is not declared" if lost else ""
    return Drift(path, wanted, shown, DriftClass.AVAILABILITY, not lost, note)


def _observed_windows(found: tuple[MaintenanceWindow, ...] | None) -> frozenset[tuple[str, int, str]]:
    return frozenset((one.day.lower(), one.start_hour, one.duration.lower()) for one in found or ())


def _text(window: tuple[str, int, str]) -> str:
    day, hour, duration = window
    return f"{day.capitalize()} {hour:02}:00 {duration.upper()}"


_OF_DATABASE: Final = frozenset({PROTOCOL, ACCESS_KEYS, *PERSISTENCE, CLUSTERING, EVICTION, MODULES})


def _with_effect(found: Drift, cluster: ManagedRedis) -> Drift:
    """Add the effect. A geo-replicated database is not written: every PUT must repeat what others linked."""
    known = effect(found.path, found.declared, found.observed, cluster)
    if cluster.geo_linked and found.path in _OF_DATABASE:
        note = found.note or "the operator writes no geo-replicated database"
        return replace(found, effect=known, correctable=False, note=note)
    return replace(found, effect=known, correctable=found.correctable and known is not Effect.NEEDS_REPLACEMENT)
