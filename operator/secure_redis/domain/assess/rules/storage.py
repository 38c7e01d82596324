"""Rules on the storage account that a Premium cache persists into: the rest of the encryption chain."""

from collections.abc import Callable, Iterable

from secure_redis.api.resource import SecureRedisCache
from secure_redis.api.spec.spec import Profile
from secure_redis.domain.assess.rules.managed_redis import OWN_DISKS
from secure_redis.domain.assess.rules.redis import on_observed_redis
from secure_redis.domain.assess.rules.rule import (
    NOT_APPLICABLE,
    PASS,
    Check,
    Rule,
    Severity,
    Verdict,
    fail,
    some,
    unknown,
    unread,
)
from secure_redis.domain.observe.cache import LOWEST_TLS
from secure_redis.domain.observe.normalise import same_word, tls_version
from secure_redis.domain.observe.observation import Observation
from secure_redis.domain.observe.redis import Redis
from secure_redis.domain.observe.storage import BlobServiceFacts, StorageFacts
from secure_redis.domain.observe.unknown import NotRead, Unknown

READ_ACCOUNT = "Microsoft.Storage/storageAccounts/read"
READ_BLOBS = "Microsoft.Storage/storageAccounts/blobServices/read"

AccountCheck = Callable[[SecureRedisCache, Redis, StorageFacts], Verdict]


def _on_account(assess: AccountCheck) -> Check:
    """Build a check of the account; not applicable while nothing is persisted into one."""

    def check(resource: SecureRedisCache, observed: Observation, cache: Redis) -> Verdict:
        account = observed.storage
        if not cache.persists:
            return NOT_APPLICABLE
        if not isinstance(account, StorageFacts):
            named = f"the storage account {cache.persistence.account!r}" if cache.persistence.account else "the account"
            return unread(named, account, READ_ACCOUNT)
        return assess(resource, cache, account)

    return on_observed_redis(check, OWN_DISKS)


def _verdict(wrong: Iterable[str], unclear: Iterable[str], account: StorageFacts) -> Verdict:
    """Build the verdict: a fault weighs more than a value that is not known."""
    faults, gaps, name = list(wrong), list(unclear), account.account_id.name
    if faults:
        return fail(f"storage account {name!r} {some(faults)}")
    return unknown(f"Azure did not report whether storage account {name!r} {some(gaps)}") if gaps else PASS


def _transport(_: SecureRedisCache, __: Redis, account: StorageFacts) -> Verdict:
    wrong, unclear = [], []
    if account.https_only is False:
        wrong.append("accepts HTTP without TLS")
    elif account.https_only is None:
        unclear.append("accepts HTTPS only")  # on by default in accounts of newer APIs only
    lowest = tls_version(account.minimum_tls_version)
    if account.minimum_tls_version is None:
        wrong.append("accepts TLS 1.0 (its minimum is not set)")
    elif lowest is None:
        unclear.append("accepts old TLS versions")
    elif lowest < LOWEST_TLS:
        wrong.append(f"accepts TLS {lowest[0]}.{lowest[1]}")
    return _verdict(wrong, unclear, account)


def _encryption(resource: SecureRedisCache, _: Redis, account: StorageFacts) -> Verdict:
    found = account.encryption
    if found is None or found.customer_managed is None:
        return _verdict((), ("is encrypted, and with whose key",), account)
    wrong = ["does not encrypt blobs"] if found.blob_encrypted is False else []
    unclear = ["encrypts blobs"] if found.blob_encrypted is None else []
    if resource.spec.profile is Profile.STRICT:
        if not found.customer_managed:
            wrong.append("is encrypted with a key of Microsoft's")
        if not found.infrastructure:
            wrong.append("has no infrastructure encryption")
    return _verdict(wrong, unclear, account)


def _shared_key(_: SecureRedisCache, cache: Redis, account: StorageFacts) -> Verdict:
    if not cache.persistence.by_identity:
        return NOT_APPLICABLE  # persistence itself needs it (P2)
    # Absent is allowed (docstring of azure-mgmt-storage).
    return PASS if account.shared_key_allowed is False else _verdict(["accepts account keys"], (), account)


def _reachable(_: SecureRedisCache, cache: Redis, account: StorageFacts) -> Verdict:
    wrong, unclear = [], []
    if account.public_blobs_allowed:
        wrong.append("allows public blobs")
    elif account.public_blobs_allowed is None:
        unclear.append("allows public blobs")
    closed = same_word(account.public_network_access, "Disabled") or same_word(
        account.public_network_access, "SecuredByPerimeter"
    )
    if not closed:
        if account.network_default_action is None:
            unclear.append("admits every network")
        elif not same_word(account.network_default_action, "Deny"):
            hint = "" if cache.persistence.by_identity else " (a firewall needs managed identity first, see P2)"
            wrong.append(f"admits every network{hint}")
    if cache.persistence.by_identity and account.trusted_services_pass is False and (closed or not wrong):
        wrong.append("does not admit trusted services, so the cache cannot write")
    return _verdict(wrong, unclear, account)


def _soft_delete(_: SecureRedisCache, observed: Observation, cache: Redis) -> Verdict:
    if not cache.persists:
        return NOT_APPLICABLE
    found = observed.blob_service
    if isinstance(found, Unknown | NotRead):
        return unread("the account's blob service", found, READ_BLOBS)
    return _kept(found)


def _kept(found: BlobServiceFacts) -> Verdict:
    if found.keeping:
        return fail(f"the account keeps every overwritten copy, and bills it: {some(found.keeping)}")
    return unknown("Azure did not report whether soft delete is on") if found.soft_delete is None else PASS


RULES = (
    Rule(
        "P3",
        "The persistence account accepts HTTPS with TLS 1.2 or newer only",
        Severity.HIGH,
        _on_account(_transport),
        "set supportsHttpsTrafficOnly to true and minimumTlsVersion to TLS1_2 on the storage account",
        why="A party between the cache (or a reader) and the account can read the persisted data.",
        reads="the account's settings. A minimum that is not set is TLS 1.0; not applicable while nothing is persisted",
        needs=(READ_ACCOUNT,),
    ),
    Rule(
        "P4",
        "The persistence account is encrypted as the profile requires",
        Severity.MEDIUM,
        _on_account(_encryption),
        "choose a customer-managed key for the account; infrastructure encryption needs a new account",
        strict=Severity.HIGH,
        why=(
            "Baseline: blobs are encrypted, with whatever key. Strict: with a customer-managed key and infrastructure "
            "encryption in addition, so that the key can be withdrawn and no single key opens the data."
        ),
        reads="the account's encryption; not applicable while nothing is persisted",
        needs=(READ_ACCOUNT,),
    ),
    Rule(
        "P5",
        "The persistence account refuses account keys",
        Severity.LOW,
        _on_account(_shared_key),
        "set allowSharedKeyAccess to false on the storage account, after checking who else uses its keys",
        strict=Severity.HIGH,
        why="The cache does not use them any more, and each key gives access to the whole account.",
        reads="the account's allowSharedKeyAccess; not applicable until persistence uses a managed identity",
        needs=(READ_ACCOUNT,),
    ),
    Rule(
        "P6",
        "The persistence account is closed to other parties",
        Severity.HIGH,
        _on_account(_reachable),
        (
            "set allowBlobPublicAccess to false and the default network action to Deny, with the bypass AzureServices "
            "so that the cache can still connect"
        ),
        strict=Severity.CRITICAL,
        why="The account contains a copy of all data in Redis. A public container or an open network exposes it.",
        reads="the account's public blob access, network rules and bypass; not applicable while nothing is persisted",
        needs=(READ_ACCOUNT,),
    ),
    Rule(
        "P7",
        "The persistence account keeps no overwritten copies",
        Severity.LOW,
        on_observed_redis(_soft_delete, OWN_DISKS),
        "use an account for persistence alone and switch soft delete, versions and point-in-time restore off there",
        why=("Persistence overwrites files continuously. Costs grow without limit, and deleted data stays readable."),
        reads="the account's blob service; not applicable while nothing is persisted",
        needs=(READ_BLOBS,),
    ),
)
