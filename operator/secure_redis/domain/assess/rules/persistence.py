"""Rules on whether and how data is persisted, and on the keys that encrypt it. The account itself: `storage`."""

from datetime import timedelta

from secure_redis.api.resource import SecureRedisCache
from secure_redis.domain.assess import persistence
from secure_redis.domain.assess.rules.managed_redis import (
    OWN_DISKS,
    on_cluster,
    on_observed_cluster,
    on_observed_database,
)
from secure_redis.domain.assess.rules.redis import on_redis
from secure_redis.domain.assess.rules.rule import (
    NOT_APPLICABLE,
    PASS,
    READ_CACHE,
    READ_DATABASE,
    READ_MANAGED,
    Result,
    Rule,
    Severity,
    Verdict,
    by_service,
    date,
    fail,
    some,
    unknown,
    unread,
    unread_cache,
)
from secure_redis.domain.observe.cache import Cache
from secure_redis.domain.observe.managed_redis import ManagedDatabase, ManagedRedis
from secure_redis.domain.observe.normalise import key_version
from secure_redis.domain.observe.observation import Observation
from secure_redis.domain.observe.redis import Redis
from secure_redis.domain.observe.services import CACHES
from secure_redis.domain.observe.storage import EncryptionKeyFacts, KeyAbsent, StorageFacts
from secure_redis.domain.observe.unknown import NotRead, Unknown

NEAR = timedelta(days=30)  # as K2
READ_KEYS = ("Microsoft.KeyVault/vaults/read", "Microsoft.KeyVault/vaults/keys/read")


_MICROSOFTS = Verdict(Result.NOT_APPLICABLE, "Microsoft manages the key of the cluster's disks: see rule P8")


def _persistence_on(cache: Redis) -> Verdict:
    if not cache.can_persist:
        return NOT_APPLICABLE  # only Premium can
    return PASS if cache.persists else fail("nothing is persisted: what the nodes lose together is gone")


def _disks_written(_: Observation, cluster: ManagedRedis, __: ManagedDatabase) -> Verdict:
    if cluster.geo_linked:
        return Verdict(Result.NOT_APPLICABLE, "Azure persists no database that is geo-replicated")
    return PASS if cluster.persists else fail("nothing is persisted: what the nodes lose together is gone")


def _tier(resource: SecureRedisCache, observed: Observation) -> Verdict:
    declared = persistence.required(resource)
    if declared is None:
        return NOT_APPLICABLE
    if CACHES[resource.cache.service].OWN_DISKS:
        return Verdict(Result.NOT_APPLICABLE, "every tier of Managed Redis persists")
    cache = observed.cache
    if not isinstance(cache, Cache):
        return unread_cache(resource, cache)
    if cache.can_persist:
        return PASS
    return fail(f"{declared.type} is declared, and a cache of tier {cache.sku_name} cannot persist")


def _managed_identity(cache: Redis) -> Verdict:
    facts = cache.persistence
    if not facts.on:
        return NOT_APPLICABLE
    if facts.by_identity:
        return PASS
    return fail("the cache writes to its storage account with an account key (a connection string)")


def _customer_key(cluster: ManagedRedis) -> Verdict:
    return PASS if cluster.key_url else fail("the cluster's disks are encrypted with a Microsoft-managed key")


def _key_versioned(cluster: ManagedRedis) -> Verdict:
    if not cluster.key_url:
        return _MICROSOFTS
    if key_version(cluster.key_url) is None:
        return fail(f"the cluster names its key without a version: {cluster.key_url}")
    return PASS


def _key_current(_: SecureRedisCache, observed: Observation, cluster: ManagedRedis) -> Verdict:
    if not cluster.key_url:
        return _MICROSOFTS
    used = key_version(cluster.key_url)
    if used is None:
        return Verdict(Result.NOT_APPLICABLE, "the cluster names no version: see rule P12")
    found = observed.encryption_key
    if isinstance(found, Unknown | NotRead):
        return unread("the encryption key", found, READ_KEYS[1])
    newest = found.newest
    if isinstance(newest, KeyAbsent):
        return unknown(newest.message)
    if isinstance(newest, Unknown | NotRead):
        return unread("the key's newest version", newest, READ_KEYS[1])
    if newest.version.lower() == used.lower():
        return PASS
    why = newest.unusable(observed.now)
    if why is not None:
        return unknown(f"key {newest.name!r} has a newer version than the one in use, which {why}")
    return fail(f"key {newest.name!r} has a newer version than the one that the cluster uses")


def _key_health(resource: SecureRedisCache, observed: Observation) -> Verdict:
    wrong: list[str] = []
    if CACHES[resource.cache.service].OWN_DISKS:
        cache = observed.cache
        if not isinstance(cache, Cache):
            return unread_cache(resource, cache)
        if not cache.key_url:
            return _MICROSOFTS
        if cache.key_identity is None:
            wrong.append("no user-assigned identity reads the key")
    else:
        if isinstance(observed.storage, NotRead):
            return NOT_APPLICABLE
        if not isinstance(observed.storage, StorageFacts):
            return unread("the storage account", observed.storage, "Microsoft.Storage/storageAccounts/read")
        encryption = observed.storage.encryption
        if encryption is None or encryption.customer_managed is None:
            return unknown("Azure did not report whose key encrypts the storage account")
        if not encryption.customer_managed:
            return NOT_APPLICABLE
        if encryption.identity_id is None:
            wrong.append("no user-assigned identity reads the key")
        ends = encryption.current_key_expires
        if ends is not None and ends <= observed.now:
            wrong.append(f"the version of the key in use expired on {date(ends)}")
    found = observed.encryption_key
    if isinstance(found, Unknown | NotRead):
        return fail(some(wrong)) if wrong else unread("the encryption key", found, READ_KEYS[1])
    return _key_verdict(found, observed, wrong)


def _key_verdict(found: EncryptionKeyFacts, observed: Observation, wrong: list[str]) -> Verdict:
    """Build the verdict: a fault weighs more than a value that could not be read."""
    key, vault = found.key, found.vault
    missing: Verdict | None = None
    if isinstance(key, KeyAbsent):
        wrong.append(key.message)
    elif isinstance(key, Unknown):
        missing = unread("the key", key, READ_KEYS[1])
    else:
        why = key.unusable(observed.now)
        if why is not None:
            wrong.append(f"key {key.name!r} {why}")
        elif key.expires is not None and observed.now >= key.expires - NEAR:
            wrong.append(f"key {key.name!r} expires on {date(key.expires)}")
        if key.enabled is None:
            missing = unknown("Key Vault did not report whether the key is enabled")
    if isinstance(vault, Unknown):
        missing = missing or unread("the key's vault", vault, READ_KEYS[0])
    else:
        if vault.soft_delete is False:
            wrong.append(f"vault {vault.name!r} has no soft delete")
        if not vault.purge_protection:
            wrong.append(f"vault {vault.name!r} has no purge protection")
    return fail(some(wrong)) if wrong else missing or PASS


RULES = (
    Rule(
        "P1",
        "A Premium cache or Managed Redis persists its data",
        Severity.INFO,
        by_service({Redis: on_redis(_persistence_on), ManagedRedis: on_observed_database(_disks_written)}),
        "set rdb-backup-enabled or aof-backup-enabled (Managed Redis: persistence of the database), if the data is "
        "more than a cache",
        ("AzTS Azure_RedisCache_BCDR_Use_RDB_Backup",),
        strict=Severity.LOW,
        why="If all nodes are lost together, so is the data. That is intended where Redis is only a cache.",
        reads=(
            "the cache's redisConfiguration (a database's persistence). A setting that was never set counts as off; "
            "not applicable to Basic and Standard and to a geo-replicated database, which cannot persist"
        ),
        needs=(READ_CACHE, READ_DATABASE),
    ),
    Rule(
        "P2",
        "Persistence authenticates with a managed identity",
        Severity.MEDIUM,
        on_redis(_managed_identity, OWN_DISKS),
        (
            "give the cache an identity with the role Storage Blob Data Contributor on the account, then set "
            "preferred-data-persistence-auth-method to ManagedIdentity"
        ),
        strict=Severity.HIGH,
        why=(
            "An account key gives access to the whole account. Nothing can restrict it, the account's firewall must "
            "stay open, "
            "and persistence stops when the key is regenerated."
        ),
        reads="the cache's redisConfiguration; not applicable while nothing is persisted",
        needs=(READ_CACHE,),
    ),
    Rule(
        "P8",
        "Managed Redis is encrypted with a key of your own",
        Severity.INFO,
        on_cluster(_customer_key),
        "set encryption.customerManagedKeyEncryption with a user-assigned identity (the switch disrupts connections)",
        ("Azure Policy 09aa11bb-87ec-409f-bf0b-49b7c1561a87",),
        strict=Severity.MEDIUM,
        why="You can neither withdraw nor rotate a Microsoft-managed key.",
        reads=(
            "the cluster's keyEncryptionKeyUrl. An object without one, which the check of Azure Policy accepts, is a "
            "Microsoft-managed key"
        ),
        needs=(READ_MANAGED,),
    ),
    Rule(
        "P9",
        "The customer-managed key is usable and protected",
        Severity.HIGH,
        _key_health,
        (
            "enable or renew the key, switch purge protection on, and let a user-assigned identity with the role Key "
            "Vault Crypto Service Encryption User read it"
        ),
        strict=Severity.CRITICAL,
        why=(
            "Without the key, no one can read the data: a disabled, expired or purged key loses it. Azure deletes a "
            "system-assigned identity together with its resource."
        ),
        reads=(
            "the key of the storage account or cluster, and its vault; not applicable to a Microsoft-managed key, "
            "or while "
            "nothing is persisted"
        ),
        needs=(*READ_KEYS, "Microsoft.KeyVault/vaults/keys/versions/read"),
        horizons=(-NEAR,),
    ),
    Rule(
        "P10",
        "The tier supports the declared persistence",
        Severity.HIGH,
        _tier,
        "scale the cache to Premium, or set spec.persistence.type to None",
        why="An application relies on data that is not stored anywhere. The operator does not change the tier.",
        reads="spec.persistence and the cache's sku; not applicable where the spec declares no persistence",
        needs=(READ_CACHE,),
    ),
    Rule(
        "P12",
        "Managed Redis names the version of its customer-managed key",
        Severity.LOW,
        on_cluster(_key_versioned),
        "set keyEncryptionKeyUrl to the URL of the key's newest version",
        strict=Severity.MEDIUM,
        why=(
            "Azure documents versioned URLs only. Without a version, you cannot know which one encrypts the disks, "
            "nor when you can disable it."
        ),
        reads="the cluster's keyEncryptionKeyUrl; not applicable to a Microsoft-managed key",
        needs=(READ_MANAGED,),
    ),
    Rule(
        "P13",
        "Managed Redis uses the newest version of its customer-managed key",
        Severity.LOW,
        on_observed_cluster(_key_current),
        "set keyEncryptionKeyUrl to the URL of the newest version (the switch is long and disturbs clients); keep the "
        "older version enabled until it is done",
        strict=Severity.MEDIUM,
        why="Azure does not follow a rotation of the key. The disks stay encrypted with the older version.",
        reads=(
            "the version in the cluster's keyEncryptionKeyUrl, and the key's newest version in the vault; not "
            "applicable to a Microsoft-managed key or to a URL without a version"
        ),
        needs=(READ_MANAGED, *READ_KEYS),
    ),
)
