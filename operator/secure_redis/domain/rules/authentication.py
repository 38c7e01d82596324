"""Rules on how clients authenticate."""

from secure_redis.api.reasons import Reason
from secure_redis.api.resource import SecureRedisCache
from secure_redis.domain.credential import usable
from secure_redis.domain.observation import (
    CacheFacts,
    NotRead,
    Observation,
    Proven,
    Unknown,
    VaultSecretFacts,
)
from secure_redis.domain.proof import prove
from secure_redis.domain.rules.rule import (
    NOT_APPLICABLE,
    PASS,
    Rule,
    Severity,
    Verdict,
    fail,
    on_cache,
    unknown,
    unread,
)


def _access_keys(cache: CacheFacts) -> Verdict:
    if cache.access_keys_disabled is None:
        return unknown("Azure did not say whether access keys are accepted")
    return PASS if cache.access_keys_disabled else fail("the cache accepts access keys")


def _entra(cache: CacheFacts) -> Verdict:
    if cache.entra_enabled is None:
        return unknown("Azure did not say whether Entra authentication is on")
    return PASS if cache.entra_enabled else fail("Entra authentication is off")


def _authentication_on(cache: CacheFacts) -> Verdict:
    if cache.authentication_disabled:
        return fail("the cache asks for no password at all (authnotrequired)")
    # Azure allows authnotrequired only inside a virtual network (facts/azure.md A.2), and omits it where never set.
    if cache.authentication_disabled is None and cache.subnet_id is not None:
        return unknown("the cache is in a virtual network and Azure did not say whether it asks for a password")
    return PASS


def _live_key(resource: SecureRedisCache, seen: Observation) -> Verdict:
    if resource.spec.authentication is None:
        return NOT_APPLICABLE
    vault = seen.vault
    if not isinstance(vault, VaultSecretFacts):
        return unread("the Key Vault secret", vault)
    if usable(vault, seen.now) is not None:
        return unknown("the Key Vault secret cannot be used, so its value was not compared")
    if isinstance(seen.identity, Unknown | NotRead):
        return unread("the identity", seen.identity)
    verdict = seen.proven or prove(resource, seen.identity, vault, seen.keys, seen.authentication)
    if isinstance(verdict, Proven):
        return PASS
    mismatch = verdict.reason in {Reason.KEY_MISMATCH, Reason.VAULT_SECRET_FOREIGN}
    return fail(verdict.message) if mismatch else unknown(verdict.message)


RULES = (
    Rule(
        "A1",
        "Access keys are off",
        Severity.INFO,
        on_cache(_access_keys),
        "move clients to Entra authentication, then set disableAccessKeyAuthentication (this drops all connections)",
        (
            "Azure Policy 3827af20-8f80-4b15-8300-6db0873ec901",
            "PSRule AZR-000496",
            "monkey365 azure-cache-redis-access-key-authentication-disabled",
        ),
    ),
    Rule(
        "A2",
        "Entra authentication is on",
        Severity.INFO,
        on_cache(_entra),
        "set redisConfiguration.aad-enabled to true (this can take half an hour and restarts nodes)",
        ("PSRule AZR-000427", "monkey365 azure-cache-redis-entra-auth-disabled"),
    ),
    Rule(
        "A5",
        "The cache asks for authentication",
        Severity.CRITICAL,
        on_cache(_authentication_on),
        "set redisConfiguration.authnotrequired to false",
    ),
    Rule(
        "A7",
        "The key in Key Vault is a live key of the cache",
        Severity.HIGH,
        _live_key,
        "store the cache's live key in Key Vault as a new version",
    ),
)
