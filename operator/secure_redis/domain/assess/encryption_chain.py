"""Follow what the cache persists, link by link, to the key that encrypts it. An unknown link is not safe."""

from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import urlsplit

from secure_redis.api.reasons.reason import Reason
from secure_redis.api.resource import SecureRedisCache
from secure_redis.api.spec.persistence import Encryption, KeySource, PersistenceType
from secure_redis.domain.assess import persistence
from secure_redis.domain.explanation import Explanation
from secure_redis.domain.observe import normalise
from secure_redis.domain.observe.cache import LOWEST_TLS, Cache
from secure_redis.domain.observe.observation import Observation
from secure_redis.domain.observe.redis import PersistenceFacts, Redis
from secure_redis.domain.observe.storage import (
    CIPHER,
    BlobServiceFacts,
    KeyAbsent,
    KeyFacts,
    StorageAbsent,
    StorageEncryption,
    StorageFacts,
)
from secure_redis.domain.observe.unknown import NotRead, Unknown


@dataclass(frozen=True, slots=True)
class Link:
    """One link of the chain. `encrypted`: None where it could not be read."""

    encrypted: bool | None
    reason: Reason
    message: str


def follow(
    resource: SecureRedisCache, observed: Observation, cache: Redis, blocked: Explanation | None = None
) -> Link | None:
    """Find the first broken link, else the first that could not be read, else report that all are as required.

    None: nothing is persisted and none is declared. `blocked`: why the operator does not set the declared persistence,
    where it otherwise would.
    """
    facts = cache.persistence
    if not facts.on:
        return _not_persisted(resource, cache, blocked)
    if persistence.elsewhere(resource, facts):
        account = persistence.declared_account(resource)
        return _broken(
            Reason.STORAGE_OTHER_ACCOUNT,
            f"the cache persists into account {facts.account!r} and not into {account.name if account else ''!r}: "
            "change it in Azure, or spec.persistence.storage.accountID",
        )
    if facts.account is None:
        return _unknown(Reason.STORAGE_UNREAD, "Azure does not report into which storage account the cache persists")
    storage = observed.storage
    if isinstance(storage, Unknown):
        return _unread(f"storage account {facts.account!r}", storage)
    if isinstance(storage, NotRead):
        return _unknown(Reason.STORAGE_UNREAD, f"storage account {facts.account!r} was not read yet")
    if isinstance(storage, StorageAbsent):
        return _broken(
            Reason.STORAGE_NOT_FOUND,
            f"storage account {facts.account!r}, into which the cache persists, is not there: nothing is written any "
            "more; restore it, or persist into another one",
        )
    links = [*_place_links(facts, storage), *_links(resource, observed, facts, storage)]
    for wrong in (False, None):
        first = next((link for link in links if link.encrypted is wrong), None)
        if first is not None:
            return first
    return Link(True, Reason.PERSISTENCE_ENCRYPTED, _encrypted(observed, facts, storage))


def _not_persisted(resource: SecureRedisCache, cache: Redis, blocked: Explanation | None) -> Link | None:
    declared = persistence.required(resource)
    if declared is None:
        return None
    if not cache.can_persist:
        return _broken(
            Reason.PERSISTENCE_NOT_OFFERED,
            f"{declared.type} is declared, and a cache of tier {cache.sku_name} cannot persist: scale it to Premium, "
            "or set spec.persistence.type to None",
        )
    if blocked is not None:
        return _broken(blocked.reason, blocked.message)
    return _broken(Reason.PERSISTENCE_OFF, f"{declared.type} is declared, and the cache persists nothing")


# --- links ----------------------------------------------------------------------------------------------------------


def _place_links(facts: PersistenceFacts, storage: StorageFacts) -> Iterator[Link]:
    """Check that the account that was read is the one that the data goes to, by name and by host where reported."""
    name = storage.account_id.name
    if name.lower() != (facts.account or "").lower():
        yield _unknown(Reason.STORAGE_UNREAD, f"storage account {facts.account!r} was not read yet")
    host = _host(storage.blob_endpoint or "")
    if facts.endpoint is None or facts.endpoint == host:
        return
    if not host:
        yield _unknown(Reason.STORAGE_UNREAD, f"Azure does not report the blob endpoint of account {name!r}")
    else:
        yield _broken(
            Reason.STORAGE_OTHER_ACCOUNT,
            f"the cache's connection string sends the data to another endpoint than {host}, which is that of account "
            f"{name!r}: set persistence again without an endpoint of its own",
        )


def _links(
    resource: SecureRedisCache, observed: Observation, facts: PersistenceFacts, storage: StorageFacts
) -> Iterator[Link]:
    declared = resource.spec.persistence
    expected = declared.encryption if declared is not None else Encryption()
    name = storage.account_id.name
    encryption = storage.encryption
    if encryption is None or encryption.customer_managed is None:
        yield _unknown(Reason.STORAGE_UNREAD, f"Azure does not report with whose key account {name!r} is encrypted")
    else:
        yield from _key_links(observed, expected, encryption, name)
    yield from _transport_links(storage, name)
    yield from _access_links(facts, storage, name)
    if not isinstance(
        observed.blob_service, BlobServiceFacts
    ):  # whether it keeps overwritten data is a remark, if known
        yield _unread(f"the blob service of account {name!r}", observed.blob_service)


def _key_links(observed: Observation, expected: Encryption, found: StorageEncryption, name: str) -> Iterator[Link]:
    if found.blob_encrypted is False:
        yield _broken(Reason.STORAGE_NOT_ENCRYPTED, f"account {name!r} does not encrypt its blobs: persist elsewhere")
    elif found.blob_encrypted is None:
        yield _unknown(Reason.STORAGE_UNREAD, f"Azure does not report whether account {name!r} encrypts its blobs")
    own = bool(found.customer_managed)
    if expected.key_source is not None and own is not (expected.key_source is KeySource.CUSTOMER_MANAGED):
        shown = KeySource.CUSTOMER_MANAGED if own else KeySource.MICROSOFT_MANAGED
        yield _broken(
            Reason.STORAGE_KEY_UNWANTED,
            f"account {name!r} is encrypted with a {shown} key and not with a {expected.key_source} one: change "
            "encryption.keySource of the account",
        )
    if own and expected.key_url is not None and not _same_key(expected.key_url, found):
        yield _broken(
            Reason.STORAGE_KEY_UNWANTED,
            f"account {name!r} is encrypted with the key {found.key_name!r} of {_host(found.vault_uri or '')} and not "
            f"with {expected.key_url}",
        )
    if expected.infrastructure_encryption == "Required" and found.infrastructure is not True:
        yield _broken(
            Reason.INFRASTRUCTURE_ENCRYPTION_MISSING,
            f"account {name!r} has no infrastructure encryption, which can only be chosen when an account is created: "
            "persist into a new one",
        )
    if own:
        yield from _usable(observed, found)


def _usable(observed: Observation, found: StorageEncryption) -> Iterator[Link]:
    known = observed.encryption_key
    if found.current_key_expires is not None and found.current_key_expires <= observed.now:
        yield _unusable(
            f"the key {found.key_name!r} that encrypts the account expired on {found.current_key_expires:%Y-%m-%d}"
        )
    if isinstance(known, Unknown | NotRead):
        yield _unread(f"the key {found.key_name!r}", known)
        return
    key = known.key
    if isinstance(key, KeyAbsent):
        yield _unusable(key.message)
    elif isinstance(key, Unknown):
        yield _unread(f"the key {found.key_name!r}", key)
    else:
        yield from _state(observed, key)
    if isinstance(known.vault, Unknown):
        yield _unread(f"the vault of the key {found.key_name!r}", known.vault)


def _state(observed: Observation, key: KeyFacts) -> Iterator[Link]:
    why = key.unusable(observed.now)
    if why is not None:
        yield _unusable(f"the key {key.name!r} that encrypts the account {why}")
    if key.enabled is None:
        yield _unknown(Reason.STORAGE_UNREAD, f"Key Vault does not report whether the key {key.name!r} is enabled")


def _transport_links(storage: StorageFacts, name: str) -> Iterator[Link]:
    remedy = f"az storage account update -n {name.lower()} --https-only true --min-tls-version TLS1_2"
    if storage.https_only is False:
        yield _broken(Reason.STORAGE_TRANSPORT_WEAK, f"account {name!r} accepts HTTP without TLS: {remedy}")
    lowest = normalise.tls_version(storage.minimum_tls_version)
    if storage.minimum_tls_version is None:
        yield _broken(
            Reason.STORAGE_TRANSPORT_WEAK, f"account {name!r} sets no minimum TLS version, which is 1.0: {remedy}"
        )
    elif lowest is None:
        yield _unknown(Reason.STORAGE_UNREAD, f"the minimum TLS version of account {name!r} is not known")
    elif lowest < LOWEST_TLS:
        yield _broken(Reason.STORAGE_TRANSPORT_WEAK, f"account {name!r} accepts TLS {lowest[0]}.{lowest[1]}: {remedy}")
    if storage.https_only is None:
        yield _unknown(Reason.STORAGE_UNREAD, f"Azure does not report whether account {name!r} accepts HTTPS only")


def _access_links(facts: PersistenceFacts, storage: StorageFacts, name: str) -> Iterator[Link]:
    """Check who can fetch a blob: it is returned decrypted, so encryption at rest does not protect an open account."""
    if storage.public_blobs_allowed:
        yield _broken(
            Reason.STORAGE_OPEN,
            f"account {name!r} allows public blobs, which anyone can read decrypted: az storage account update -n "
            f"{name.lower()} --allow-blob-public-access false",
        )
    elif storage.public_blobs_allowed is None:  # older accounts allow them then (Microsoft, "Remediate anonymous read")
        yield _unknown(
            Reason.STORAGE_UNREAD,
            f"Azure does not report whether account {name!r} allows public blobs: az storage account update -n "
            f"{name.lower()} --allow-blob-public-access false",
        )
    if not facts.by_identity:
        # With a connection string the cache itself needs the open network
        # (docs/internals/azure-facts.md#storage-account-network).
        return
    shut = any(normalise.same_word(storage.public_network_access, w) for w in ("Disabled", "SecuredByPerimeter"))
    if shut:
        return
    if storage.network_default_action is None:
        yield _unknown(Reason.STORAGE_UNREAD, f"Azure does not report which networks account {name!r} admits")
    elif not normalise.same_word(storage.network_default_action, "Deny"):
        yield _broken(
            Reason.STORAGE_OPEN,
            f"account {name!r} admits every network: az storage account update -n {name.lower()} --default-action "
            "Deny --bypass AzureServices",
        )


# --- texts ----------------------------------------------------------------------------------------------------------


def _encrypted(observed: Observation, facts: PersistenceFacts, storage: StorageFacts) -> str:
    found = storage.encryption
    whose = "a customer-managed key" if found is not None and found.customer_managed else "a Microsoft-managed key"
    twice = ", with infrastructure encryption" if found is not None and found.infrastructure else ""
    how = "managed identity" if facts.by_identity else "a connection string"
    kind = persistence.kind(facts)
    kind_text = "RDB" if kind is PersistenceType.RDB else "AOF"
    remarks = "".join(f"; {remark}" for remark in _remarks(observed, facts, storage))
    return (
        f"{kind_text} by {how} into account {storage.account_id.name!r}, {CIPHER} under {whose}{twice}, over "
        f"TLS 1.2 or newer{remarks}"
    )


def _remarks(observed: Observation, facts: PersistenceFacts, storage: StorageFacts) -> Iterator[str]:
    """List what does not break the chain and deserves attention; each has a rule of its own."""
    if facts.by_identity and storage.shared_key_allowed is not False:
        yield "account keys still work"
    blobs = observed.blob_service
    if isinstance(blobs, BlobServiceFacts) and blobs.keeping:
        yield "soft delete or versions keep, and bill, every overwritten copy"
    cache = observed.cache
    where = storage.primary_location or storage.location
    if isinstance(cache, Cache) and where and normalise.location(where) != normalise.location(cache.location):
        yield f"the account lies in {where}, another region than the cache"
    if storage.geo_redundant:
        yield f"copies lie in {storage.secondary_location or 'another region'}"


def _same_key(url: str, found: StorageEncryption) -> bool:
    """Whether `https://<vault>/keys/<name>[/<version>]` names the key in use; without a version, any matches."""
    parts = [part for part in urlsplit(url).path.split("/") if part]
    if len(parts) < 2 or _host(url) != _host(found.vault_uri or ""):
        return False
    if not normalise.same_word(parts[1], found.key_name):
        return False
    in_use = found.key_version or (found.current_key_id or "").rstrip("/").rpartition("/")[2]
    return len(parts) == 2 or normalise.same_word(parts[2], in_use)


def _host(url: str) -> str:
    try:
        return (urlsplit(url).hostname or "").lower()
    except ValueError:
        return ""


def _unread(what: str, why: Unknown | NotRead) -> Link:
    if isinstance(why, NotRead):
        return _unknown(Reason.STORAGE_UNREAD, f"{what} was not read yet")
    needed = f" (permission {why.permission})" if why.permission and why.permission not in why.message else ""
    return _unknown(why.reason, f"{what} could not be read: {why.message}{needed}")


def _unusable(what: str) -> Link:
    return _broken(Reason.ENCRYPTION_KEY_UNUSABLE, f"{what}: renew or enable it, or have the account use another key")


def _broken(reason: Reason, message: str) -> Link:
    return Link(False, reason, message)


def _unknown(reason: Reason, message: str) -> Link:
    return Link(None, reason, message)
