"""Whether what Key Vault holds can be used at all. No fall-back to an older version: what is disabled was meant so."""

import hmac
from datetime import datetime

from pydantic import SecretStr

from secure_redis.api.azure_ids import CacheID
from secure_redis.api.reasons.reason import Reason
from secure_redis.api.times import rfc3339
from secure_redis.domain.explanation import Explanation
from secure_redis.domain.observe.cache import Cache
from secure_redis.domain.observe.keys import (
    ListedKeys,
    Slot,
    VaultSecretAbsent,
    VaultSecretFacts,
)
from secure_redis.domain.observe.unknown import NotRead, Unknown

# Azure's access keys have 44 to 64 characters; far beyond that, something else was stored.
LONGEST_KEY = 512


def usable(vault: VaultSecretFacts, now: datetime) -> Explanation | None:
    """Why this version must not be used at `now` (aware); None if it may.

    Key Vault's own dates are informational: it hands out expired secrets, so they are judged here
    (docs/internals/azure-facts.md#secret-dates).
    """
    what = _called(vault)
    if not vault.enabled:
        return Explanation(
            Reason.VAULT_SECRET_DISABLED, f"{what} is disabled; enable it or store a new version (no older one is used)"
        )
    if vault.not_before is not None and now < vault.not_before:
        return Explanation(
            Reason.VAULT_SECRET_NOT_YET_VALID,
            f"{what} is not valid before {rfc3339(vault.not_before)}; it is looked at again then",
        )
    if vault.expires is not None and now >= vault.expires:
        return Explanation(
            Reason.VAULT_SECRET_EXPIRED,
            f"{what} expired at {rfc3339(vault.expires)}; store a new version, or move its expiry if "
            "the key is to stay",
        )
    wrong = "holds no value" if vault.value is None else malformed(vault.value)
    if wrong is not None:
        return Explanation(
            Reason.KEY_MALFORMED,
            f"{what} {wrong}, so it is no access key; store the key exactly as listKeys answers it",
        )
    return None


def malformed(value: SecretStr) -> str | None:
    """What is wrong with a value as an access key (a predicate such as "is empty"), without showing any of it.

    Access keys are base64. More is let through, but nothing that a connection string cannot carry: StackExchange has
    no way to write a comma and would take what follows it for an option such as `ssl`.
    """
    text = value.get_secret_value()
    if not text:
        return "is empty"
    if text.isspace():
        return "holds only whitespace"
    for test, fault in (
        ("\n" in text or "\r" in text, "holds a line break (often the last character, from a file or `echo`)"),
        ("\0" in text, "holds a NUL character"),
        (any(letter.isspace() for letter in text), "holds whitespace"),
        (not text.isascii(), "holds a character that is not ASCII"),
        (not text.isprintable(), "holds a character that cannot be printed"),
        ("," in text, "holds a comma"),
        (len(text) > LONGEST_KEY, f"is longer than {LONGEST_KEY} characters"),
    ):
        if test:
            return fault
    return None


def slot_of(value: SecretStr, keys: ListedKeys) -> Slot | None:
    """Which of the listed keys the value equals; both are always compared, in constant time."""
    wanted = value.get_secret_value().encode("utf-8", "surrogatepass")
    primary, secondary = (
        hmac.compare_digest(wanted, key.get_secret_value().encode("utf-8", "surrogatepass"))
        for key in (keys.primary, keys.secondary)
    )
    if primary:
        return Slot.PRIMARY
    return Slot.SECONDARY if secondary else None


def barred(cache: Cache) -> Explanation | None:
    """Why no access key can serve this cache, whatever the vault holds."""
    if cache.access_keys_enabled is False:
        return Explanation(
            Reason.ACCESS_KEYS_DISABLED,
            "access keys are disabled on the cache (disableAccessKeyAuthentication), so no key works; enable them or "
            "remove spec.authentication",
        )
    if cache.authentication_disabled:
        return Explanation(
            Reason.AUTHENTICATION_DISABLED,
            "the cache asks for no authentication (authnotrequired), so no key protects it and none is published; "
            "set redisConfiguration.authnotrequired to false",
        )
    return None


def absent(vault: VaultSecretAbsent) -> Explanation:
    """The refusal for a secret that the vault does not hold."""
    if vault.deleted:
        return Explanation(
            Reason.VAULT_SECRET_DELETED,
            f"{vault.message}; a deleted name is never recovered or purged by the operator: recover it, purge it, or "
            "name another secret",
        )
    return Explanation(
        Reason.VAULT_SECRET_NOT_FOUND,
        f"{vault.message}; store the cache's access key there or correct spec.authentication.keyVault",
    )


def foreign(vault: VaultSecretFacts, cache: CacheID) -> Explanation:
    """The refusal to write a vault secret that does not say it is this cache's."""
    return Explanation(
        Reason.VAULT_SECRET_FOREIGN,
        f"{_called(vault)} exists and its tag ProviderAddress does not name this cache, so it is not written; name "
        f"another secret, or tag it ProviderAddress={cache.text} if it is this cache's",
    )


def keys_needed(keys: Unknown | NotRead) -> Explanation:
    """The refusal to store a key that could not be listed."""
    if isinstance(keys, Unknown):
        return Explanation(
            keys.reason, f"the cache's key is to be stored, but its keys cannot be listed: {keys.message}"
        )
    return Explanation(Reason.STORING_KEY, "the cache's key is to be stored as soon as its keys are listed")


def _called(vault: VaultSecretFacts) -> str:
    pin = "" if vault.latest else " (pinned)"
    which = f"version {vault.version}" if vault.version else "the current version"
    return f"{which}{pin} of secret {vault.name!r} in {vault.vault}"
