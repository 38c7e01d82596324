"""Rules on how clients authenticate."""

import re
from collections.abc import Iterable, Mapping
from datetime import timedelta
from urllib.parse import unquote_to_bytes

from secure_redis.api.reasons.reason import Reason
from secure_redis.api.resource import SecureRedisCache
from secure_redis.api.spec.spec import Profile
from secure_redis.domain.assess.key import prove, usable_value
from secure_redis.domain.assess.rules.managed_redis import on_database, on_observed_database
from secure_redis.domain.assess.rules.redis import on_observed_redis, on_redis
from secure_redis.domain.assess.rules.rule import (
    NOT_APPLICABLE,
    PASS,
    READ_ASSIGNMENTS,
    READ_CACHE,
    READ_DATABASE,
    READ_SECRET,
    Rule,
    Severity,
    Verdict,
    by_service,
    date,
    fail,
    some,
    unknown,
    unread,
)
from secure_redis.domain.explanation import Explanation
from secure_redis.domain.observe.governance import LIST_KEYS, LIST_MANAGED_KEYS, AccessPolicyFacts
from secure_redis.domain.observe.keys import Proven, VaultSecretFacts
from secure_redis.domain.observe.managed_redis import ManagedDatabase, ManagedRedis
from secure_redis.domain.observe.normalise import same_word
from secure_redis.domain.observe.observation import Observation
from secure_redis.domain.observe.redis import Redis
from secure_redis.domain.observe.secret import SecretFacts
from secure_redis.domain.observe.services import CACHES
from secure_redis.domain.observe.unknown import NotRead, Unknown

# Days a key may be in use where no rotation sets another limit.
OLDEST = {Profile.BASELINE: 365, Profile.STRICT: 90}
MOST_HOLDERS = 5  # of the permission to list the keys
DATA_OWNER = "Data Owner"
# Azure's access keys are 32 bytes in base64 (docs/internals/azure-facts.md#access-keys).
_KEY = re.compile(rb"(?<![A-Za-z0-9+/])[A-Za-z0-9+/]{43}=(?!=)")
_ALL_COMMANDS = re.compile(r"(?:^|\s)(\+@all|allcommands)(?:\s|$)", re.IGNORECASE)
_ALL_KEYS = re.compile(r"(?:^|\s)(~\*|allkeys)(?:\s|$)", re.IGNORECASE)


def _access_keys(cache: Redis) -> Verdict:
    if cache.access_keys_enabled is None:
        return unknown("Azure did not report whether access keys are accepted")
    return fail("the cache accepts access keys") if cache.access_keys_enabled else PASS


def _entra(cache: Redis) -> Verdict:
    if cache.entra_enabled is None:
        return unknown("Azure did not report whether Entra authentication is on")
    return PASS if cache.entra_enabled else fail("Entra authentication is off")


def _authentication_on(cache: Redis) -> Verdict:
    if cache.authentication_disabled:
        return fail("the cache requires no password at all (authnotrequired)")
    if cache.authentication_disabled is False:
        return PASS
    # Azure allows authnotrequired only inside a virtual network, and omits it where never set
    # (docs/internals/azure-facts.md#properties-and-defaults).
    if cache.in_virtual_network:
        return unknown("the cache is in a virtual network and Azure did not report whether it requires a password")
    return NOT_APPLICABLE


def _live_key(resource: SecureRedisCache, observed: Observation) -> Verdict:
    if resource.spec.authentication is None:
        return NOT_APPLICABLE
    vault = observed.vault
    if not isinstance(vault, VaultSecretFacts):
        return unread("the Key Vault secret", vault)
    if isinstance(usable_value(vault, observed.now), Explanation):
        return unknown("the Key Vault secret cannot be used, so its value was not compared")
    if isinstance(observed.identity, Unknown | NotRead):
        return unread("the identity", observed.identity)
    verdict = observed.proven or prove(resource, observed.identity, vault, observed.keys, observed.authentication)
    if isinstance(verdict, Proven):
        return PASS
    mismatch = verdict.reason in {Reason.KEY_MISMATCH, Reason.VAULT_SECRET_FOREIGN}
    return fail(verdict.message) if mismatch else unknown(verdict.message)


def _access_policies(_: SecureRedisCache, observed: Observation, cache: Redis) -> Verdict:
    if cache.entra_enabled is False:
        return NOT_APPLICABLE
    assignments, policies = observed.access_assignments, observed.access_policies
    if isinstance(assignments, Unknown | NotRead):
        return unread(
            "the access policy assignments", assignments, "Microsoft.Cache/redis/accessPolicyAssignments/read"
        )
    # Only the permissions of a custom policy have to be read.
    wide = [one for one in assignments if same_word(one.policy, DATA_OWNER)]
    others = [one for one in assignments if not same_word(one.policy, DATA_OWNER)]
    if isinstance(policies, tuple):
        by_name = {policy.name.strip().lower(): policy for policy in policies}
        wide += [one for one in others if _all_of(by_name, one.policy)]
    if wide:
        return _too_wide(f"{one.alias or one.object_id} ({one.policy})" for one in wide)
    if others and isinstance(policies, Unknown | NotRead):
        return unread("the access policies", policies, "Microsoft.Cache/redis/accessPolicies/read")
    return PASS


def _all_of(policies: Mapping[str, AccessPolicyFacts], name: str) -> bool:
    policy = policies.get(name.strip().lower())
    return policy is not None and _unrestricted(policy.permissions or "")


def _unrestricted(permissions: str) -> bool:
    """Whether the words of Redis ACLs permit every command on every key."""
    narrowed = re.search(r"(?:^|\s)-", permissions)
    return bool(_ALL_COMMANDS.search(permissions) and _ALL_KEYS.search(permissions) and not narrowed)


def _too_wide(assignees: Iterable[str]) -> Verdict:
    return fail(f"may run every command on every key: {some(assignees)}")


def _access_strings(observed: Observation, _: ManagedRedis, __: ManagedDatabase) -> Verdict:
    found = observed.access_assignments
    if isinstance(found, Unknown | NotRead):
        return unread("the access policy assignments", found, READ_ASSIGNMENTS)
    wide = [one.object_id for one in found if one.permissions is not None and _unrestricted(one.permissions)]
    if wide:
        return _too_wide(wide)
    if any(one.permissions is None for one in found):
        return unknown("the interface version that the region serves does not show what the assignments permit")
    return PASS


def _managed_keys(database: ManagedDatabase) -> Verdict:
    if database.access_keys is None:
        return unknown("Azure did not report whether the database accepts access keys")
    return PASS if same_word(database.access_keys, "Disabled") else fail("the database accepts access keys")


def _key_age(resource: SecureRedisCache, observed: Observation) -> Verdict:
    settings = resource.spec.authentication
    if settings is None:
        return NOT_APPLICABLE
    if not isinstance(observed.vault, VaultSecretFacts):
        return unread("the Key Vault secret", observed.vault, READ_SECRET)
    if observed.vault.created is None:
        return unknown("Key Vault did not report when the version was stored")
    days = settings.rotation.interval_days or OLDEST[resource.spec.profile]
    if observed.now - observed.vault.created <= timedelta(days=days):
        return PASS
    return fail(f"the key was stored on {date(observed.vault.created)}, and should be no older than {days} days")


def _one_key_each(resource: SecureRedisCache, observed: Observation) -> Verdict:
    secret = observed.secret
    if resource.spec.authentication is None:
        return NOT_APPLICABLE
    if isinstance(secret, Unknown | NotRead):
        return unread("the published Secret", secret)
    if secret is None:
        return PASS  # without a Secret there is no second key; the result stays when one is published
    if secret.owner_uid != resource.uid:
        return NOT_APPLICABLE
    extra = sorted(name for name in secret.data if name != "password" and _other_keys(secret, name))
    return fail(f"the Secret {secret.name!r} holds a second key in {some(extra)}") if extra else PASS


def _other_keys(secret: SecretFacts, name: str) -> bool:
    """Whether an entry contains text of the form of a key of the cache that is not the one in `password`."""
    password = secret.data["password"].get_secret_value() if "password" in secret.data else b""
    text = secret.data[name].get_secret_value()
    if text.lstrip().startswith(b"-----BEGIN"):
        return False  # a certificate is base64 too
    return any(found != password for form in (text, unquote_to_bytes(text)) for found in _KEY.findall(form))


def _key_holders(resource: SecureRedisCache, observed: Observation) -> Verdict:
    action = CACHES[resource.cache.service].LIST_KEYS
    found = observed.role_assignments
    if isinstance(found, Unknown | NotRead):
        return unread("the role assignments", found, "Microsoft.Authorization/roleAssignments/read")
    answers = [(one, one.permits(action)) for one in found]
    holders = sorted({one.principal_id for one, permitted in answers if permitted})
    if len(holders) > MOST_HOLDERS:
        return fail(f"{len(holders)} principals may list the access keys: {some(holders)}")
    if any(permitted is None for _, permitted in answers):
        return unknown(
            "the permissions of some of the assigned roles are not known; the right that allows it is "
            "Microsoft.Authorization/roleDefinitions/read"
        )
    return PASS


RULES = (
    Rule(
        "A1",
        "Access keys are off",
        Severity.INFO,
        on_redis(_access_keys, "rule A4 judges the access keys of Managed Redis"),
        "move clients to Entra authentication, then set disableAccessKeyAuthentication (this drops all connections)",
        (
            "Azure Policy 3827af20-8f80-4b15-8300-6db0873ec901",
            "PSRule AZR-000496",
            "monkey365 azure-cache-redis-access-key-authentication-disabled",
        ),
        strict=Severity.LOW,
        why=("An access key is one secret for all clients, does not expire, and does not show which client uses it."),
        reads="the cache's disableAccessKeyAuthentication",
        needs=(READ_CACHE,),
    ),
    Rule(
        "A2",
        "Entra authentication is on",
        Severity.INFO,
        on_redis(_entra, "Managed Redis always accepts Entra authentication"),
        "set redisConfiguration.aad-enabled to true (this can take half an hour and restarts nodes)",
        ("PSRule AZR-000427", "monkey365 azure-cache-redis-entra-auth-disabled"),
        strict=Severity.LOW,
        why="Without it, clients can connect with access keys only, so the keys cannot be switched off.",
        reads="the cache's redisConfiguration.aad-enabled",
        needs=(READ_CACHE,),
    ),
    Rule(
        "A3",
        "No principal is assigned every command on every key",
        Severity.LOW,
        by_service({Redis: on_observed_redis(_access_policies), ManagedRedis: on_observed_database(_access_strings)}),
        "assign Data Contributor, Data Reader or a custom policy with the commands and keys that are used. For Managed "
        "Redis, set accessString of the assignment, such as `+@read ~cache:*`",
        ("monkey365 azure-cache-redis-access-policies-not-implemented",),
        strict=Severity.MEDIUM,
        why=(
            "Data Owner, or an equally wide permission, can flush the cache and read the data of others. Every "
            "assignment "
            "of Managed Redis that was made without an accessString is as wide."
        ),
        reads=(
            "the cache's access policies and their assignments. For Managed Redis, the accessString of the "
            "database's assignments, which is unknown if the region serves no interface version that shows it; not "
            "applicable while Entra authentication is off"
        ),
        needs=(
            "Microsoft.Cache/redis/accessPolicyAssignments/read",
            "Microsoft.Cache/redis/accessPolicies/read",
            READ_ASSIGNMENTS,
        ),
    ),
    Rule(
        "A4",
        "Access keys of the Managed Redis database are off",
        Severity.INFO,
        on_database(_managed_keys),
        "move clients to Entra authentication, then set accessKeysAuthentication to Disabled",
        ("monkey365 azure-cache-redis-enterprise-access-key-authentication-disabled",),
        strict=Severity.LOW,
        why="An access key is one secret for all clients and does not expire.",
        reads="accessKeysAuthentication of the cluster's database `default`",
        needs=(READ_DATABASE,),
    ),
    Rule(
        "A5",
        "The cache requires authentication",
        Severity.CRITICAL,
        on_redis(_authentication_on, "Managed Redis always requires authentication"),
        "set redisConfiguration.authnotrequired to false",
        why="Every client that reaches the cache can read and write everything.",
        reads=(
            "the cache's redisConfiguration.authnotrequired, which only a cache in a virtual network can have; not "
            "applicable to other caches"
        ),
        needs=(READ_CACHE,),
    ),
    Rule(
        "A6",
        "The key is not too old",
        Severity.LOW,
        _key_age,
        "rotate the key (spec.authentication.rotation, or the process that stores it in Key Vault)",
        strict=Severity.MEDIUM,
        why="The longer a key is in use, the more places contain it.",
        reads=(
            "when the version in Key Vault was stored; the limit is rotation.intervalDays, else "
            f"{OLDEST[Profile.BASELINE]} days ({OLDEST[Profile.STRICT]} where spec.profile is Strict)"
        ),
        needs=(READ_SECRET,),
        horizons=tuple(timedelta(days=days) for days in OLDEST.values()),
    ),
    Rule(
        "A7",
        "The key in Key Vault is a live key of the cache",
        Severity.HIGH,
        _live_key,
        "store the cache's live key in Key Vault as a new version",
        why="Pods that start now get a key that the cache refuses.",
        reads="the version in Key Vault, against the listed keys or an AUTH",
        needs=(READ_SECRET, LIST_KEYS, LIST_MANAGED_KEYS),
    ),
    Rule(
        "A8",
        "The published Secret holds one key only",
        Severity.HIGH,
        _one_key_each,
        "remove what was added to the Secret; the operator publishes one key",
        why="No rotation cuts off a consumer that holds both keys, so a leaked key stays valid.",
        reads="the published Secret",
        needs=("the operator's RoleBinding in the namespace",),
    ),
    Rule(
        "A9",
        "Few principals may list the access keys",
        Severity.INFO,
        _key_holders,
        "assign roles without Microsoft.Cache/redis/listKeys/action (Managed Redis: redisEnterprise/databases/listKeys/"
        "action), such as Reader",
        ("AzTS Azure_RedisCache_AuthZ_Grant_Min_RBAC_Access",),
        strict=Severity.LOW,
        why=f"Each of them can read the key without Key Vault. The rule accepts up to {MOST_HOLDERS}.",
        reads="the role assignments that apply at the cache, and what the roles permit",
        needs=("Microsoft.Authorization/roleAssignments/read", "Microsoft.Authorization/roleDefinitions/read"),
    ),
)
