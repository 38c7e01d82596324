"""Worlds for the rules on the governance of a cache: for each one that passes, one that fails, one unknown."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

from pydantic import SecretBytes

from secure_redis.api import names
from secure_redis.api.reasons.reason import Reason
from secure_redis.api.resource import SecureRedisCache
from secure_redis.domain.assess.rules.rule import Result
from secure_redis.domain.observe.cache import PrivateEndpoint
from secure_redis.domain.observe.endpoint import (
    AddressScope,
    CertificateFacts,
    Offer,
    PlaintextPort,
    ResolvedAddress,
    Verification,
)
from secure_redis.domain.observe.governance import LIST_KEYS, DiagnosticSettingFacts, LockFacts
from secure_redis.domain.observe.managed_redis import MaintenanceWindow
from secure_redis.domain.observe.redis import PersistenceFacts
from secure_redis.domain.observe.storage import (
    BlobServiceFacts,
    EncryptionKeyFacts,
    KeyAbsent,
    KeyFacts,
    StorageAbsent,
)
from secure_redis.domain.observe.unknown import NOT_READ, NOT_READ_YET, Unknown
from secure_redis.domain.observe.usage import Change, PlaintextUse, SecretCopy
from secure_redis.domain.observe.workloads import ContainerFacts, EnvFacts, WorkloadFacts
from tests.builders import managed_redis, storage
from tests.builders.endpoint import endpoint
from tests.builders.governance import assigned, custom, permitted, role_assignment
from tests.builders.managed_redis import MANAGED_ID, managed
from tests.builders.storage import ACCOUNT, BY_IDENTITY, account, encryption, key_vault, protected_key
from tests.builders.world import (
    CACHE_ID,
    NOW,
    PRIMARY,
    SECONDARY,
    built,
    cache,
    provisioning,
    published,
    resource,
    vault,
)

PASS, FAIL, UNKNOWN, NA = Result.PASS, Result.FAIL, Result.UNKNOWN, Result.NOT_APPLICABLE
BLIND = Unknown(Reason.AZURE_DENIED, "no right to read it", permission="Microsoft.Some/thing/read")
DAY = timedelta(days=1)
REDIS = resource()
MANAGED = resource({"resourceID": MANAGED_ID})
PROVISIONED = {"resourceID": MANAGED_ID, "mode": "Provision"}
STRICT = resource({"profile": "Strict"})
INJECTED = resource({"workloads": [{"id": "app", "kind": "Deployment", "name": "app", "containers": ["main"]}]})
ON_DELETE = resource({"workloads": [{"id": "app", "kind": "Deployment", "name": "app", "restart": "OnDelete"}]})
UNPROBED = tuple(resource({"transport": {"probe": "Disabled"}, "profile": name}) for name in ("Baseline", "Strict"))
STORAGE = {"accountID": ACCOUNT, "authentication": "ManagedIdentity"}
PERSISTENT = resource({"persistence": {"type": "RDB", "frequencyMinutes": 60, "storage": STORAGE}})
IN_CLEAR = PlaintextUse("Deployment", "app", "main", "REDIS_URL")
DELETING = provisioning(deletionPolicy="Delete")
PUBLISHED = published(built())
VERSION = vault().version


def managed_provisioning(**declared: Any) -> SecureRedisCache:
    made = {"sku": "Balanced_B5", "clusteringPolicy": "EnterpriseCluster", "modules": ["RedisJSON"], **declared}
    return resource({**PROVISIONED, "provision": {"location": "westeurope", "managedRedis": made}})


def app(version: str = VERSION, **changes: Any) -> WorkloadFacts:
    facts: dict[str, Any] = {
        "kind": "Deployment",
        "name": "app",
        "uid": "u",
        "resource_version": "1",
        "labels": {names.INJECT: "true"},
        "annotations": {names.RESOURCES: "orders"},
        "template_annotations": {names.version_annotation("orders"): version},
        "containers": (ContainerFacts("main"),),
    }
    return WorkloadFacts(**{**facts, **changes})


def persisting(facts: PersistenceFacts, **changes: Any) -> dict[str, Any]:
    return {"cache": cache(persistence=facts, **changes)}


def probed(**changes: Any) -> dict[str, Any]:
    return {"endpoint": endpoint(**changes)}


def stored(**changes: Any) -> dict[str, Any]:
    return {"storage": account(**changes)}


def address(text: str, scope: AddressScope) -> dict[str, Any]:
    return probed(addresses=(ResolvedAddress(text, scope),))


def with_key(name: str, text: str) -> dict[str, Any]:
    return {"secret": published(built(), data={**PUBLISHED.data, name: SecretBytes(text.encode())})}


def cluster(**changes: Any) -> dict[str, Any]:
    return {"cache": managed(**changes)}


def database(**changes: Any) -> dict[str, Any]:
    return cluster(database=managed_redis.database(**changes))


def newest(key: Any) -> dict[str, Any]:
    """A cluster that uses version v of its key; `key`: the newest version."""
    return {**cluster(), "encryption_key": replace(protected_key(), newest=key)}


def certificate(days: int) -> dict[str, Any]:
    return probed(certificate=CertificateFacts(NOW - 90 * DAY, NOW + days * DAY, "x", ("x",)))


OFF = PersistenceFacts()
# The permissions of the assignments of a database.
PERMITTED: list[tuple[tuple[str | None, ...], Result]] = [
    ((), PASS),
    (("+@read ~cache:*",), PASS),
    (("+@all -@dangerous ~*",), PASS),
    (("+@all ~cache:*",), PASS),
    (("+@read ~cache:*", "+@all ~*"), FAIL),
    ((None, "+@all ~*"), FAIL),
    (("+@read ~cache:*", None), UNKNOWN),
]
DECLARED = managed_provisioning()
WITHOUT_REPLICA = managed_provisioning(highAvailability="Disabled")
FITTED = managed_redis.database(clustering_policy="EnterpriseCluster", modules=("RedisJSON",))
FITTING = cluster(high_availability="Enabled", database=FITTED)
NOT_VALID = Verification(verified=False, why="self-signed certificate")
UNREACHED = probed(
    **dict.fromkeys(("reached", "chain", "name", "tls_1_0", "tls_1_1", "certificate", "plaintext"), BLIND)
)
BY_KEY = persisting(storage.BY_KEY)["cache"]
MICROSOFTS = encryption(key_source="Microsoft.Storage", identity_id=None)
HOLDERS = tuple(role_assignment(name, LIST_KEYS) for name in "abcdef")

CASES: list[tuple[str, SecureRedisCache, dict[str, Any], Result]] = [
    ("T2", MANAGED, cluster(), PASS),
    ("T2", MANAGED, cluster(minimum_tls_version="1.0"), FAIL),
    ("T2", MANAGED, cluster(minimum_tls_version=None), UNKNOWN),
    ("T3", MANAGED, cluster(), PASS),
    ("T3", MANAGED, database(client_protocol="Plaintext"), FAIL),
    ("T3", MANAGED, database(client_protocol=None), UNKNOWN),
    ("T3", MANAGED, {"cache": BLIND}, UNKNOWN),
    ("T3", MANAGED, cluster(database=None), NA),
    ("T3", REDIS, {}, NA),
    ("T4", REDIS, {}, PASS),
    ("T4", REDIS, probed(plaintext=PlaintextPort.CLOSED), PASS),
    ("T4", REDIS, probed(plaintext=PlaintextPort.OPEN), FAIL),
    ("T4", REDIS, UNREACHED, UNKNOWN),
    ("T4", REDIS, {"endpoint": BLIND}, UNKNOWN),
    ("T4", REDIS, {"endpoint": NOT_READ}, NA),
    ("T5", REDIS, {}, PASS),
    ("T5", REDIS, probed(tls_1_0=Offer.ACCEPTED), FAIL),
    ("T5", REDIS, probed(tls_1_1=Offer.ACCEPTED), FAIL),
    ("T5", REDIS, probed(tls_1_1=Offer.ACCEPTED, chain=BLIND), FAIL),
    ("T5", REDIS, probed(chain=NOT_VALID), FAIL),
    ("T5", REDIS, probed(name=NOT_VALID), FAIL),
    ("T5", REDIS, certificate(15), PASS),
    ("T5", REDIS, certificate(13), FAIL),
    ("T5", REDIS, certificate(-1), FAIL),
    ("T5", REDIS, probed(tls_1_0=BLIND), UNKNOWN),
    ("T5", REDIS, UNREACHED, UNKNOWN),
    ("T5", REDIS, {"endpoint": NOT_READ}, NA),
    *((rule, blind, {"endpoint": NOT_READ}, UNKNOWN) for rule in ("T4", "T5", "N5") for blind in UNPROBED),
    *((rule, REDIS, probed(at=None), UNKNOWN) for rule in ("T4", "T5", "N5")),
    ("T4", REDIS, probed(at=None, plaintext=PlaintextPort.OPEN), FAIL),
    ("T5", REDIS, probed(at=None, chain=NOT_VALID), FAIL),
    ("T7", REDIS, {}, PASS),
    ("T7", INJECTED, {"plaintext_uses": (IN_CLEAR,)}, FAIL),
    ("T7", INJECTED, {"plaintext_uses": BLIND}, UNKNOWN),
    ("T7", INJECTED, {"plaintext_uses": (), "plaintext_unread": BLIND}, UNKNOWN),
    ("T7", INJECTED, {"plaintext_uses": (IN_CLEAR,), "plaintext_unread": BLIND}, FAIL),
    ("T7", INJECTED, {"plaintext_uses": NOT_READ}, UNKNOWN),
    ("T7", REDIS, {"plaintext_uses": NOT_READ}, NA),
    ("A3", REDIS, {}, PASS),
    ("A3", REDIS, {"access_assignments": ()}, PASS),
    ("A3", REDIS, {"access_assignments": assigned("data owner")}, FAIL),
    ("A3", REDIS, {"access_assignments": assigned("data owner"), "access_policies": BLIND}, FAIL),
    ("A3", REDIS, {"access_assignments": assigned("mine")}, PASS),
    *(
        ("A3", REDIS, {"access_assignments": assigned("mine"), "access_policies": custom(acl)}, result)
        for acl, result in (("+@all ~*", FAIL), ("allkeys allcommands", FAIL), ("+@all -flushall ~*", PASS))
    ),
    ("A3", REDIS, {"access_assignments": assigned("mine"), "access_policies": BLIND}, UNKNOWN),
    ("A3", REDIS, {"access_assignments": BLIND}, UNKNOWN),
    ("A3", REDIS, {"cache": cache(entra_enabled=False), "access_assignments": NOT_READ}, NA),
    *(
        ("A3", MANAGED, {**cluster(), "access_assignments": permitted(*strings)}, result)
        for strings, result in PERMITTED
    ),
    ("A3", MANAGED, {**cluster(), "access_assignments": BLIND}, UNKNOWN),
    ("A3", MANAGED, {**cluster(database=BLIND), "access_assignments": ()}, UNKNOWN),
    ("A3", MANAGED, {**cluster(database=None), "access_assignments": BLIND}, NA),
    ("A4", MANAGED, cluster(), PASS),
    ("A4", MANAGED, database(access_keys="Enabled"), FAIL),
    ("A4", MANAGED, database(access_keys=None), UNKNOWN),
    ("A4", REDIS, {}, NA),
    ("A6", REDIS, {}, PASS),
    ("A6", REDIS, {"vault": vault(created=NOW - 365 * DAY)}, PASS),
    ("A6", REDIS, {"vault": vault(created=NOW - 366 * DAY)}, FAIL),
    ("A6", STRICT, {"vault": vault(created=NOW - 91 * DAY)}, FAIL),
    (
        "A6",
        resource(
            {
                "authentication": {
                    "keyVault": {"uri": "https://v.vault.azure.net", "secretName": "s"},
                    "rotation": {"intervalDays": 30},
                }
            }
        ),
        {"vault": vault(created=NOW - 31 * DAY)},
        FAIL,
    ),
    ("A6", REDIS, {"vault": vault(created=None)}, UNKNOWN),
    ("A6", REDIS, {"vault": BLIND}, UNKNOWN),
    ("A8", REDIS, {"secret": PUBLISHED}, PASS),
    ("A8", REDIS, {"secret": None}, PASS),
    ("A8", REDIS, with_key("secondary", SECONDARY), FAIL),
    (
        "A8",
        REDIS,
        with_key("uri2", f"rediss://:{SECONDARY.replace('+', '%2B').replace('/', '%2F').replace('=', '%3D')}@h:1"),
        FAIL,
    ),
    ("A8", REDIS, with_key("again", PRIMARY), PASS),
    ("A8", REDIS, with_key("ca.crt", f"-----BEGIN CERTIFICATE-----\n{SECONDARY}\n-----END"), PASS),
    ("A8", REDIS, {"secret": BLIND}, UNKNOWN),
    ("A9", REDIS, {}, PASS),
    ("A9", REDIS, {"role_assignments": HOLDERS}, FAIL),
    ("A9", REDIS, {"role_assignments": HOLDERS[:5]}, PASS),
    ("A9", REDIS, {"role_assignments": (*HOLDERS[:5], *HOLDERS[:5])}, PASS),
    ("A9", REDIS, {"role_assignments": (role_assignment("a", permissions=None),)}, UNKNOWN),
    ("A9", REDIS, {"role_assignments": BLIND}, UNKNOWN),
    ("N1", MANAGED, cluster(), PASS),
    ("N1", MANAGED, cluster(public_network_access="Enabled"), FAIL),
    ("N1", MANAGED, cluster(public_network_access=None), UNKNOWN),
    ("N2", MANAGED, cluster(), PASS),
    ("N2", MANAGED, cluster(private_endpoints=()), FAIL),
    ("N3", MANAGED, cluster(private_endpoints=(PrivateEndpoint("pe", "Pending"),)), FAIL),
    ("N4", MANAGED, cluster(), NA),
    ("N5", REDIS, {}, PASS),
    ("N5", REDIS, address("20.1.2.3", AddressScope.PUBLIC), FAIL),
    ("N5", REDIS, address("100.64.0.1", AddressScope.SHARED), UNKNOWN),
    ("N5", REDIS, probed(addresses=BLIND), UNKNOWN),
    ("N5", REDIS, {"endpoint": NOT_READ}, NA),
    ("N5", REDIS, {"cache": cache(public_network_access="Enabled", private_endpoints=())}, NA),
    ("N5", MANAGED, {**cluster(), **address("20.1.2.3", AddressScope.PUBLIC)}, FAIL),
    ("P1", REDIS, {}, PASS),
    ("P1", REDIS, persisting(OFF), FAIL),
    ("P1", REDIS, persisting(OFF, sku_name="Standard"), NA),
    ("P1", REDIS, {"cache": BLIND}, UNKNOWN),
    ("P1", MANAGED, database(rdb_enabled=True), PASS),
    ("P1", MANAGED, database(rdb_enabled=False, aof_enabled=True), PASS),
    ("P1", MANAGED, database(), FAIL),
    ("P1", MANAGED, database(rdb_enabled=False, aof_enabled=False), FAIL),
    ("P1", MANAGED, database(geo_linked=("/other",)), NA),
    ("P1", MANAGED, cluster(database=None), NA),
    ("P1", MANAGED, cluster(database=BLIND), UNKNOWN),
    ("P2", REDIS, {}, PASS),
    ("P2", REDIS, {"cache": BY_KEY}, FAIL),
    ("P2", REDIS, persisting(PersistenceFacts(rdb=True)), FAIL),
    ("P2", REDIS, persisting(OFF), NA),
    ("P2", REDIS, {"cache": BLIND}, UNKNOWN),
    ("P3", REDIS, {}, PASS),
    ("P3", REDIS, stored(https_only=False), FAIL),
    ("P3", REDIS, stored(minimum_tls_version="TLS1_1"), FAIL),
    ("P3", REDIS, stored(minimum_tls_version=None), FAIL),
    ("P3", REDIS, stored(minimum_tls_version="TLS1_3"), PASS),
    ("P3", REDIS, stored(minimum_tls_version="Newest"), UNKNOWN),
    ("P3", REDIS, stored(https_only=None), UNKNOWN),
    ("P4", REDIS, {}, PASS),
    ("P4", REDIS, stored(encryption=MICROSOFTS), PASS),
    ("P4", STRICT, {}, PASS),
    ("P4", STRICT, stored(encryption=MICROSOFTS), FAIL),
    ("P4", STRICT, stored(encryption=encryption(infrastructure=None)), FAIL),
    ("P4", REDIS, stored(encryption=encryption(blob_encrypted=False)), FAIL),
    ("P4", REDIS, stored(encryption=None), UNKNOWN),
    ("P4", REDIS, stored(encryption=encryption(blob_encrypted=None)), UNKNOWN),
    ("P5", REDIS, {}, PASS),
    ("P5", REDIS, stored(shared_key_allowed=True), FAIL),
    ("P5", REDIS, stored(shared_key_allowed=None), FAIL),
    ("P5", REDIS, {"cache": BY_KEY, **stored(shared_key_allowed=True)}, NA),
    ("P6", REDIS, {}, PASS),
    ("P6", REDIS, stored(public_blobs_allowed=True), FAIL),
    ("P6", REDIS, stored(public_blobs_allowed=None), UNKNOWN),
    ("P6", REDIS, stored(network_default_action="Allow"), FAIL),
    ("P6", REDIS, stored(network_bypass=("Logging",)), FAIL),
    ("P6", REDIS, stored(network_default_action="Allow", public_network_access="Disabled"), PASS),
    ("P6", REDIS, stored(network_default_action=None), UNKNOWN),
    *((rule, REDIS, {"storage": BLIND}, UNKNOWN) for rule in ("P3", "P4", "P5", "P6", "P9")),
    *((rule, REDIS, {"storage": StorageAbsent("no such account")}, UNKNOWN) for rule in ("P3", "P4", "P5", "P6", "P9")),
    *((rule, REDIS, {"storage": NOT_READ}, UNKNOWN) for rule in ("P3", "P4", "P5", "P6")),
    *(
        (rule, REDIS, {**persisting(OFF), "storage": NOT_READ, "blob_service": NOT_READ}, NA)
        for rule in ("P3", "P4", "P5", "P6", "P7", "P9")
    ),
    *((rule, MANAGED, cluster(), NA) for rule in ("P2", "P3", "P4", "P5", "P6", "P7")),
    ("P7", REDIS, {}, PASS),
    ("P7", REDIS, {"blob_service": BlobServiceFacts(soft_delete=True)}, FAIL),
    ("P7", REDIS, {"blob_service": BlobServiceFacts(soft_delete=False, versioning=True)}, FAIL),
    ("P7", REDIS, {"blob_service": BlobServiceFacts()}, UNKNOWN),
    ("P7", REDIS, {"blob_service": BLIND}, UNKNOWN),
    ("P8", MANAGED, cluster(), PASS),
    ("P8", MANAGED, cluster(key_url=None), FAIL),
    ("P8", MANAGED, {"cache": BLIND}, UNKNOWN),
    ("P8", REDIS, {}, NA),
    ("P9", REDIS, {}, PASS),
    ("P9", REDIS, {"encryption_key": protected_key(enabled=False)}, FAIL),
    ("P9", REDIS, {"encryption_key": protected_key(not_before=NOW + DAY)}, FAIL),
    ("P9", REDIS, stored(encryption=encryption(current_key_expires=NOW)), FAIL),
    ("P9", REDIS, {"encryption_key": protected_key(expires=NOW + 29 * DAY)}, FAIL),
    ("P9", REDIS, {"encryption_key": protected_key(expires=NOW + 30 * DAY)}, FAIL),
    ("P9", REDIS, {"encryption_key": protected_key(expires=NOW + 31 * DAY)}, PASS),
    ("P9", REDIS, {"encryption_key": protected_key(expires=None)}, PASS),
    ("P9", REDIS, {"encryption_key": EncryptionKeyFacts(key_vault(), KeyAbsent("no such key"))}, FAIL),
    (
        "P9",
        REDIS,
        {"encryption_key": EncryptionKeyFacts(key_vault(purge_protection=None), protected_key().key)},
        FAIL,
    ),
    ("P9", REDIS, {"encryption_key": EncryptionKeyFacts(BLIND, protected_key(enabled=False).key)}, FAIL),
    ("P9", REDIS, {"encryption_key": EncryptionKeyFacts(BLIND, protected_key().key)}, UNKNOWN),
    ("P9", REDIS, {"encryption_key": EncryptionKeyFacts(key_vault(), BLIND)}, UNKNOWN),
    ("P9", REDIS, {"encryption_key": protected_key(enabled=None)}, UNKNOWN),
    ("P9", REDIS, {"encryption_key": BLIND}, UNKNOWN),
    ("P9", REDIS, stored(encryption=encryption(identity_id=None)), FAIL),
    ("P9", REDIS, stored(encryption=MICROSOFTS), NA),
    ("P9", REDIS, stored(encryption=encryption(key_source="New")), UNKNOWN),
    ("P9", MANAGED, cluster(), PASS),
    ("P9", MANAGED, cluster(key_identity=None), FAIL),
    ("P9", MANAGED, cluster(key_url=None), NA),
    ("P10", PERSISTENT, {"cache": cache()}, PASS),
    ("P10", PERSISTENT, {"cache": cache(sku_name="Standard")}, FAIL),
    ("P10", PERSISTENT, {"cache": cache(sku_name="basic")}, FAIL),
    ("P10", PERSISTENT, {"cache": BLIND}, UNKNOWN),
    ("P10", REDIS, {"cache": cache(sku_name="Standard")}, NA),
    ("P10", resource({"persistence": {"type": "None"}}), {"cache": cache(sku_name="Standard")}, NA),
    ("P10", MANAGED, cluster(), NA),
    ("P12", MANAGED, cluster(), PASS),
    ("P12", MANAGED, cluster(key_url="https://shop.vault.azure.net/keys/cmk"), FAIL),
    ("P12", MANAGED, cluster(key_url="https://shop.vault.azure.net/keys/cmk/"), FAIL),
    ("P12", MANAGED, cluster(key_url=None), NA),
    ("P12", MANAGED, {"cache": BLIND}, UNKNOWN),
    ("P12", REDIS, {}, NA),
    ("P13", MANAGED, cluster(), PASS),
    ("P13", MANAGED, cluster(key_url="https://shop.vault.azure.net/keys/cmk/V"), PASS),
    ("P13", MANAGED, newest(KeyFacts("cmk", "w", enabled=True)), FAIL),
    ("P13", MANAGED, newest(KeyFacts("cmk", "w", enabled=False)), UNKNOWN),
    ("P13", MANAGED, newest(KeyFacts("cmk", "w", enabled=True, expires=NOW - DAY)), UNKNOWN),
    ("P13", MANAGED, newest(KeyFacts("cmk", "v", enabled=False)), PASS),  # P9 judges the version in use
    ("P13", MANAGED, newest(KeyAbsent("no such key")), UNKNOWN),
    ("P13", MANAGED, newest(BLIND), UNKNOWN),
    ("P13", MANAGED, newest(NOT_READ), UNKNOWN),
    ("P13", MANAGED, {**cluster(), "encryption_key": BLIND}, UNKNOWN),
    ("P13", MANAGED, cluster(key_url="https://shop.vault.azure.net/keys/cmk"), NA),
    ("P13", MANAGED, cluster(key_url=None), NA),
    ("P13", MANAGED, {"cache": BLIND}, UNKNOWN),
    ("P13", REDIS, {}, NA),
    ("R2", MANAGED, cluster(), PASS),
    ("R2", MANAGED, cluster(redundancy="LR"), FAIL),
    ("R2", MANAGED, cluster(redundancy="LR", zones=("1", "2", "3")), FAIL),
    ("R2", MANAGED, cluster(redundancy="None"), FAIL),
    ("R2", MANAGED, cluster(redundancy=None), UNKNOWN),
    ("R2", MANAGED, cluster(redundancy=None, zones=("1", "2", "3")), UNKNOWN),
    ("R3", REDIS, persisting(OFF, geo_linked=("/other",)), PASS),
    ("R3", REDIS, persisting(OFF), FAIL),
    ("R3", REDIS, {}, NA),
    ("R3", REDIS, {"cache": BLIND}, UNKNOWN),
    ("R3", MANAGED, database(geo_linked=("/other",)), PASS),
    ("R3", MANAGED, database(), FAIL),
    ("R3", MANAGED, cluster(sku_name="Balanced_B10"), FAIL),
    *(("R3", MANAGED, cluster(sku_name=sku), NA) for sku in ("Balanced_B0", "balanced_b1", "FlashOptimized_A250")),
    ("R3", MANAGED, database(aof_enabled=True), NA),
    ("R3", MANAGED, cluster(database=BLIND), UNKNOWN),
    ("R4", REDIS, {}, PASS),
    ("R4", REDIS, {"cache": cache(memory_reserved_mb=613)}, FAIL),
    ("R4", REDIS, {"cache": cache(memory_reserved_mb=None)}, UNKNOWN),
    ("R4", REDIS, {"cache": cache(sku_capacity=9)}, UNKNOWN),
    ("R4", REDIS, {"cache": cache(sku_name="Basic", memory_reserved_mb=None)}, NA),
    ("R5", REDIS, persisting(BY_IDENTITY), PASS),
    ("R5", REDIS, persisting(BY_IDENTITY, eviction_policy="allkeys-lru"), FAIL),
    ("R5", REDIS, persisting(BY_IDENTITY, eviction_policy=None), UNKNOWN),
    ("R5", REDIS, persisting(OFF, eviction_policy="allkeys-lru"), NA),
    ("R5", MANAGED, database(rdb_enabled=True, eviction_policy="VolatileLRU"), PASS),
    ("R5", MANAGED, database(rdb_enabled=True, eviction_policy="NoEviction"), PASS),
    ("R5", MANAGED, database(aof_enabled=True, eviction_policy="AllKeysLFU"), FAIL),
    ("R5", MANAGED, database(rdb_enabled=True, eviction_policy=None), UNKNOWN),
    ("R5", MANAGED, database(eviction_policy="AllKeysLFU"), NA),
    ("R5", MANAGED, cluster(database=BLIND), UNKNOWN),
    ("R6", DECLARED, FITTING, PASS),
    ("R6", DECLARED, cluster(database=FITTED, high_availability="Disabled"), PASS),  # Azure switches it on
    ("R6", WITHOUT_REPLICA, FITTING, FAIL),
    ("R6", DECLARED, cluster(high_availability="Enabled", database=replace(FITTED, modules=())), FAIL),
    ("R6", DECLARED, cluster(high_availability="Enabled", database=replace(FITTED, clustering_policy="X")), FAIL),
    ("R6", DECLARED, cluster(high_availability="Enabled", database=replace(FITTED, clustering_policy=None)), UNKNOWN),
    ("R6", DECLARED, cluster(high_availability="Enabled", database=BLIND), UNKNOWN),
    ("R6", WITHOUT_REPLICA, cluster(high_availability="Enabled", database=BLIND), FAIL),
    ("R6", DECLARED, {"cache": BLIND}, UNKNOWN),
    ("R6", MANAGED, cluster(), NA),
    ("R6", resource({**PROVISIONED, "provision": {"location": "westeurope"}}), FITTING, NA),
    ("R6", provisioning(), {}, PASS),
    ("R6", provisioning(), {"cache": cache(zones=("1", "3"))}, FAIL),
    ("R6", provisioning(), {"cache": cache(replicas=3)}, FAIL),
    ("R6", provisioning(), {"cache": cache(shards=2)}, FAIL),
    ("R6", provisioning(), {"cache": cache(sku_name="Basic", zones=("1", "2"))}, FAIL),
    ("R6", provisioning(), {"cache": cache(sku_name="Standard")}, PASS),
    ("R6", provisioning(), {"cache": cache(sku_name="Enterprise")}, UNKNOWN),
    ("R6", REDIS, {}, NA),
    ("O1", REDIS, {}, PASS),
    ("O1", REDIS, {"patch_schedule": ()}, FAIL),
    ("O1", REDIS, {"patch_schedule": BLIND}, UNKNOWN),
    ("O1", MANAGED, cluster(maintenance_windows=(MaintenanceWindow("Monday", 22, "PT6H"),)), PASS),
    ("O1", MANAGED, cluster(maintenance_windows=()), FAIL),
    ("O1", MANAGED, cluster(maintenance_windows=None), UNKNOWN),
    ("O2", REDIS, {}, PASS),
    ("O2", REDIS, {"diagnostics": ()}, FAIL),
    ("O2", REDIS, {"diagnostics": (DiagnosticSettingFacts("metrics only"),)}, FAIL),
    ("O2", REDIS, {"diagnostics": BLIND}, UNKNOWN),
    ("O3", MANAGED, database(redis_version="7.4"), PASS),
    ("O3", MANAGED, database(redis_version="5.0"), FAIL),
    ("O3", MANAGED, cluster(cluster_redis_version="7.4"), PASS),
    ("O3", MANAGED, cluster(), UNKNOWN),
    ("O3", MANAGED, cluster(database=BLIND), UNKNOWN),
    ("O3", MANAGED, cluster(database=None), NA),
    ("O4", REDIS, {}, PASS),
    ("O4", REDIS, {"cache": cache(tags={names.OWNER_TAG: "x"})}, FAIL),
    ("O4", REDIS, {"cache": BLIND}, UNKNOWN),
    ("O5", REDIS, {"cache": cache(identity_type="SystemAssigned")}, PASS),
    ("O5", REDIS, {"cache": cache(identity_type="None")}, FAIL),
    ("O5", REDIS, {"cache": cache(identity_type=None, sku_name="Standard")}, NA),
    ("O5", REDIS, {"cache": BLIND}, UNKNOWN),
    ("O6", REDIS, {}, PASS),
    ("O6", REDIS, {"cache": cache(update_channel="Preview")}, FAIL),
    ("O6", REDIS, {"cache": cache(update_channel=None)}, UNKNOWN),
    ("O7", MANAGED, cluster(), PASS),
    ("O7", MANAGED, cluster(provisioning_state="Canceled"), FAIL),
    ("O7", MANAGED, cluster(provisioning_state="Updating"), NA),
    ("O7", MANAGED, database(provisioning_state="Failed"), FAIL),
    ("O7", MANAGED, cluster(resource_state="Running"), PASS),
    ("O7", MANAGED, cluster(resource_state="UpdateFailed"), FAIL),
    ("O7", MANAGED, database(resource_state="CreateFailed"), FAIL),
    ("O7", MANAGED, cluster(provisioning_state="Failed", database=BLIND), FAIL),
    ("O7", MANAGED, cluster(database=BLIND), UNKNOWN),
    ("O8", REDIS, {}, PASS),
    ("O8", REDIS, {"locks": (LockFacts("x", "ReadOnly", CACHE_ID),)}, PASS),
    ("O8", REDIS, {"locks": ()}, FAIL),
    ("O8", REDIS, {"locks": BLIND}, UNKNOWN),
    ("O8", DELETING, {"locks": ()}, NA),
    ("O9", MANAGED, database(defer_upgrade="NotDeferred"), PASS),
    ("O9", MANAGED, database(defer_upgrade="deferred"), FAIL),
    ("O9", MANAGED, database(defer_upgrade=None), UNKNOWN),
    ("O9", MANAGED, cluster(database=BLIND), UNKNOWN),
    ("O9", MANAGED, cluster(database=None), NA),
    ("O9", REDIS, {}, NA),
    ("L1", REDIS, {}, FAIL),
    ("L1", MANAGED, cluster(sku_name="Enterprise_E10"), FAIL),
    ("L1", MANAGED, cluster(), NA),
    ("L1", REDIS, {"cache": BLIND}, UNKNOWN),
    ("L2", provisioning(), {"changes": ()}, PASS),
    ("L2", provisioning(), {"changes": (Change(NOW, "us", "write", own=True),)}, PASS),
    ("L2", provisioning(), {"changes": (Change(NOW, "terraform", "write", own=False),)}, FAIL),
    ("L2", provisioning(), {"changes": BLIND}, UNKNOWN),
    ("L2", provisioning(), {"changes": NOT_READ}, NA),
    ("L2", provisioning(), {"changes": NOT_READ_YET}, UNKNOWN),
    ("L2", REDIS, {"changes": (Change(NOW, "terraform", "write", own=False),)}, NA),
    ("K5", REDIS, {}, PASS),
    ("K5", REDIS, {"vault_properties": key_vault(purge_protection=None)}, FAIL),
    ("K5", REDIS, {"vault_properties": key_vault(soft_delete=False)}, FAIL),
    ("K5", REDIS, {"vault_properties": BLIND}, UNKNOWN),
    ("W1", INJECTED, {"secret": PUBLISHED, "workloads": (app(),)}, PASS),
    ("W1", INJECTED, {"secret": PUBLISHED, "workloads": (app("older"),)}, FAIL),
    ("W1", INJECTED, {"secret": PUBLISHED, "workloads": (app(failed="ProgressDeadlineExceeded"),)}, FAIL),
    ("W1", INJECTED, {"secret": PUBLISHED, "workloads": (app(rolled=False),)}, NA),
    ("W1", INJECTED, {"secret": PUBLISHED, "workloads": (app("older", annotations={}),)}, PASS),
    ("W1", ON_DELETE, {"secret": PUBLISHED, "workloads": (app("older"),)}, PASS),
    ("W1", INJECTED, {"secret": PUBLISHED, "workloads": BLIND}, UNKNOWN),
    ("W1", INJECTED, {"secret": BLIND, "workloads": (app(),)}, UNKNOWN),
    ("W1", INJECTED, {"secret": None, "workloads": (app(),)}, NA),
    ("W1", REDIS, {}, NA),
    ("W2", REDIS, {"secret_copies": ()}, PASS),
    ("W2", REDIS, {"secret_copies": (SecretCopy("legacy", "REDIS_PASSWORD"),)}, FAIL),
    ("W2", REDIS, {"secret_copies": (SecretCopy("legacy", "REDIS_URL", plaintext=True),)}, FAIL),
    ("W2", REDIS, {"secret_copies": BLIND}, UNKNOWN),
    ("W2", REDIS, {"secret_copies": NOT_READ_YET}, UNKNOWN),
    ("W2", resource({"authentication": None}), {"secret_copies": ()}, NA),
    ("W2", REDIS, {"secret_copies": NOT_READ}, NA),
    ("W3", INJECTED, {"workloads": (app(),)}, PASS),
    (
        "W3",
        INJECTED,
        {"workloads": (app(containers=(ContainerFacts("main", env=(EnvFacts("P", "orders", "uri"),)),)),)},
        FAIL,
    ),
    ("W3", INJECTED, {"workloads": BLIND}, UNKNOWN),
    ("W4", INJECTED, {"workloads": (app(),)}, PASS),
    ("W4", INJECTED, {"workloads": ()}, FAIL),
    ("W4", INJECTED, {"workloads": (app(deleting=True),)}, FAIL),
    ("W4", INJECTED, {"workloads": (app(containers=(ContainerFacts("main", init=True),)),)}, FAIL),
    ("W4", INJECTED, {"workloads": BLIND}, UNKNOWN),
]
