"""Which access key may be published or must be stored (docs/keys.md#how-a-value-is-proven). Pure.

The stages, in this order: may a key be used at all, must one be stored first, is the vault's version usable. The last
stage: is its value proven to be a live key of this cache. Without proof, the operator would publish the content of any
vault secret that an identity can read and that a resource names. No older version is used instead: a disabled version
was disabled on purpose.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from pydantic import SecretStr

from secure_redis.api.reasons.reason import Reason
from secure_redis.api.resource import SecureRedisCache
from secure_redis.api.spec.spec import Access
from secure_redis.api.times import rfc3339
from secure_redis.domain.assess import connection_secret
from secure_redis.domain.assess.connection.kept import kept
from secure_redis.domain.assess.connection_secret import ConnectionData
from secure_redis.domain.assess.key_value import malformed, shape, slot_of
from secure_redis.domain.assess.ownership import leads, not_leading
from secure_redis.domain.assess.rotation_record import claimed_slot, secret_annotations
from secure_redis.domain.explanation import Explanation
from secure_redis.domain.observe.cache import Cache
from secure_redis.domain.observe.identity import Identity, OperatorIdentity
from secure_redis.domain.observe.keys import (
    AuthenticationResult,
    ListedKeys,
    Proven,
    ProvenBy,
    Slot,
    VaultSecretAbsent,
    VaultSecretFacts,
)
from secure_redis.domain.observe.normalise import same_id, tag
from secure_redis.domain.observe.observation import Observation
from secure_redis.domain.observe.unknown import NotRead, Unknown

PROVIDER_ADDRESS: Final = (
    "ProviderAddress"  # the cache's ARM id; both names are those of Microsoft's rotation functions
)


@dataclass(frozen=True, slots=True)
class ToStore:
    """A key that belongs into Key Vault and is not there."""

    slot: Slot


@dataclass(frozen=True, slots=True)
class CredentialAssessment:
    """Either `data` to publish, or why there is none (`refused`). `store`: the key must go to Key Vault first."""

    proven: Proven | None = None
    data: ConnectionData | None = None
    refused: Explanation | Unknown | None = None
    store: ToStore | None = None


def assess_credential(
    resource: SecureRedisCache, observed: Observation, cache: Cache, *, cluster_uid: str, ca: str | None
) -> CredentialAssessment:
    """Find the key to publish or to store first, or why there is none. Empty: none is declared, or none was read."""
    settings, vault, identity = resource.spec.authentication, observed.vault, observed.identity
    if settings is None or isinstance(vault, NotRead) or isinstance(identity, Unknown | NotRead):
        return CredentialAssessment()
    if isinstance(vault, Unknown):
        return CredentialAssessment(refused=vault)
    explanation = keys_not_accepted(cache)
    if explanation is not None:
        return CredentialAssessment(refused=explanation)
    if settings.key_vault.access is Access.READ_WRITE:
        if not leads(cache, cluster_uid, resource):
            return CredentialAssessment(refused=not_leading(cluster_uid, resource))
        to_store = key_to_store(resource, vault, observed.keys)
        if isinstance(to_store, ToStore):
            return CredentialAssessment(store=to_store)
        if to_store is not None:
            return CredentialAssessment(refused=to_store)
    if isinstance(vault, VaultSecretAbsent):
        return CredentialAssessment(refused=secret_missing(vault))
    value = usable_value(vault, observed.now)
    if isinstance(value, Explanation):
        return CredentialAssessment(refused=value)
    proven = observed.proven or prove(resource, identity, vault, observed.keys, observed.authentication)
    if isinstance(proven, Explanation):
        return CredentialAssessment(refused=proven)
    data = connection_secret.build(
        resource,
        cache,
        value,
        vault=vault,
        slot=proven.slot,
        ca=ca,
        in_use=kept(resource, observed),
        records=secret_annotations(resource, observed, vault, value.get_secret_value().encode()),
    )
    if isinstance(data, Explanation):
        return CredentialAssessment(proven=proven, refused=data)
    return CredentialAssessment(proven=proven, data=data)


# --- may a key be used at all? ----------------------------------------------------------------------------------------


def keys_not_accepted(cache: Cache) -> Explanation | None:
    """Explain why no access key can serve this cache, whatever the vault contains; None: one can."""
    if cache.keys_are_off:
        return Explanation(Reason.ACCESS_KEYS_DISABLED, cache.KEYS_DISABLED)
    if cache.authentication_disabled:
        return Explanation(
            Reason.AUTHENTICATION_DISABLED,
            "the cache requires no authentication (authnotrequired), so no key protects it and none is published; "
            "set redisConfiguration.authnotrequired to false",
        )
    return None


# --- must a key be stored first? --------------------------------------------------------------------------------------


def key_to_store(
    resource: SecureRedisCache, vault: VaultSecretFacts | VaultSecretAbsent, keys: ListedKeys | Unknown | NotRead
) -> ToStore | Explanation | None:
    """Find the key that the vault lacks under ReadWrite, or why it cannot be stored; None: the vault lacks none.

    A vault secret is written only if it is absent or its current version is tagged with this cache.
    """
    if isinstance(vault, VaultSecretAbsent):
        if vault.deleted:
            return secret_missing(vault)
        return ToStore(Slot.PRIMARY) if isinstance(keys, ListedKeys) else _keys_not_listed(keys)
    if not _tagged(resource, vault):
        return _not_to_be_overwritten(resource, vault)
    if not isinstance(keys, ListedKeys) or vault.value is None or not vault.enabled:
        return None
    if slot_of(vault.value, keys) is not None:
        return None
    # Tagged with this cache, and no key of it any more: another party regenerated the key.
    return ToStore(claimed_slot(vault.tags) or Slot.PRIMARY)


def _keys_not_listed(keys: Unknown | NotRead) -> Explanation:
    """Explain that a key cannot be stored because it was not listed."""
    if isinstance(keys, Unknown):
        return Explanation(
            keys.reason, f"the cache's key is to be stored, but its keys cannot be listed: {keys.message}"
        )
    return Explanation(Reason.STORING_KEY, "the cache's key is to be stored as soon as its keys are listed")


def _not_to_be_overwritten(resource: SecureRedisCache, vault: VaultSecretFacts) -> Explanation:
    """Explain that a vault secret is not written because its tag does not name this cache."""
    address = resource.cache.text
    return Explanation(
        Reason.VAULT_SECRET_FOREIGN,
        f"{_version(vault)} exists and its tag ProviderAddress does not name this cache, so it is not written. Name "
        f"another secret, or tag it ProviderAddress={address} if it is this cache's",
    )


# --- is the vault's version usable? -----------------------------------------------------------------------------------


def secret_missing(vault: VaultSecretAbsent) -> Explanation:
    """Explain that the vault has no such secret."""
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


def usable_value(vault: VaultSecretFacts, now: datetime) -> SecretStr | Explanation:
    """Return the version's value, or why it must not be used at `now` (aware).

    Key Vault does not enforce its own dates: it returns expired secrets, so they are checked here
    (docs/internals/azure-facts.md#secret-dates).
    """
    what = _version(vault)
    if not vault.enabled:
        return Explanation(
            Reason.VAULT_SECRET_DISABLED, f"{what} is disabled; enable it or store a new version (no older one is used)"
        )
    if vault.not_before is not None and now < vault.not_before:
        return Explanation(
            Reason.VAULT_SECRET_NOT_YET_VALID,
            f"{what} is not valid before {rfc3339(vault.not_before)}; it is read again then",
        )
    if vault.expires is not None and now >= vault.expires:
        return Explanation(
            Reason.VAULT_SECRET_EXPIRED,
            f"{what} expired at {rfc3339(vault.expires)}; store a new version, or move its expiry if "
            "the key is to stay",
        )
    fault = "holds no value" if vault.value is None else malformed(vault.value)
    if vault.value is None or fault is not None:
        hint = "" if vault.value is None else shape(vault.value)
        return Explanation(
            Reason.KEY_MALFORMED,
            f"{what} {fault}, so it is no access key; store the key exactly as listKeys answers it{hint}",
        )
    return vault.value


# --- is its value a live key of this cache? ---------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Evidence:
    """The facts that can prove that a vault's value is a live key of the cache."""

    resource: SecureRedisCache
    identity: Identity
    vault: VaultSecretFacts
    keys: ListedKeys | Unknown | NotRead
    authentication: AuthenticationResult | Unknown | NotRead


def prove(
    resource: SecureRedisCache,
    identity: Identity,
    vault: VaultSecretFacts,
    keys: ListedKeys | Unknown | NotRead,
    authentication: AuthenticationResult | Unknown | NotRead,
) -> Proven | Explanation:
    """Find the proof that a usable value is a live key of the cache, or why there is none. The first check decides."""
    given = Evidence(resource, identity, vault, keys, authentication)
    return next((found for check in PROOFS if (found := check(given)) is not None), None) or _unproven(given)


def operators_identity_needs_the_tag(given: Evidence) -> Explanation | None:
    """Under the operator's identity, the vault's owner must have named this cache.

    This comes before any comparison, so that the resource of another party learns nothing about the value.
    """
    vault, address = given.vault, tag(given.vault.tags, PROVIDER_ADDRESS)
    if not isinstance(given.identity, OperatorIdentity) or _tagged(given.resource, vault):
        return None
    required = f"{PROVIDER_ADDRESS}={given.resource.cache.text}"
    if address is None:
        return Explanation(
            Reason.KEY_UNPROVEN,
            f"{_version(vault)} lacks the tag {PROVIDER_ADDRESS}: under the operator's identity the vault's owner must "
            f"declare whose key it is; set the tag {required} on the secret",
        )
    return Explanation(
        Reason.VAULT_SECRET_FOREIGN,
        f"the tag {PROVIDER_ADDRESS} of {_version(vault)} names another resource; if it is this cache's key, set the "
        f"tag {required}",
    )


def value_was_not_read(given: Evidence) -> Explanation | None:
    """Nothing can be compared."""
    if given.vault.value is not None:
        return None
    return Explanation(Reason.KEY_UNPROVEN, f"{_version(given.vault)} was not read, so it is not proven")


def listed_keys_decide(given: Evidence) -> Proven | Explanation | None:
    """The listed keys count more than AUTH, because Azure accepts a new key late."""
    if not isinstance(given.keys, ListedKeys) or given.vault.value is None:
        return None
    slot = slot_of(given.vault.value, given.keys)
    if slot is not None:
        return Proven(ProvenBy.LISTED, slot)
    return Explanation(
        Reason.KEY_MISMATCH,
        f"{_version(given.vault)} equals neither of the cache's keys: the key was regenerated outside Key Vault, or "
        f"the secret is another cache's. Store the live key as a new version{shape(given.vault.value)}",
    )


def authentication_decides(given: Evidence) -> Proven | Explanation | None:
    """AUTH decides where the keys could not be listed."""
    if given.authentication is AuthenticationResult.ACCEPTED:
        return Proven(ProvenBy.AUTHENTICATED, claimed_slot(given.vault.tags))
    if given.authentication is AuthenticationResult.REFUSED:
        hint = "" if given.vault.value is None else shape(given.vault.value)
        return Explanation(
            Reason.KEY_MISMATCH,
            f"the cache refused {_version(given.vault)}: the key was regenerated outside Key Vault, or the secret is "
            f"another cache's. Store the live key as a new version (Azure may accept a new key minutes late){hint}",
        )
    return None


def owners_tag_decides(given: Evidence) -> Proven | None:
    """The vault's owner named this cache, and nothing contradicts it."""
    return Proven(ProvenBy.TAGGED, claimed_slot(given.vault.tags)) if _tagged(given.resource, given.vault) else None


PROOFS: Final[tuple[Callable[[Evidence], Proven | Explanation | None], ...]] = (
    operators_identity_needs_the_tag,
    value_was_not_read,
    listed_keys_decide,
    authentication_decides,
    owners_tag_decides,
)


def _unproven(given: Evidence) -> Explanation:
    address = tag(given.vault.tags, PROVIDER_ADDRESS)
    listed = given.keys.message if isinstance(given.keys, Unknown) else "not tried"
    tried = given.authentication.message if isinstance(given.authentication, Unknown) else "not tried"
    other = f"its tag {PROVIDER_ADDRESS} names another resource" if address else f"it has no tag {PROVIDER_ADDRESS}"
    return Explanation(
        Reason.KEY_UNPROVEN,
        # What to do comes first: the rest may be long, and a condition holds 1024 characters.
        f"{_version(given.vault)} is not proven to be a live key of this cache. Allow the identity "
        "Microsoft.Cache/redis/listKeys/action, open a route to the cache, or set the secret's tag "
        f"{PROVIDER_ADDRESS}={given.resource.cache.text}. Now {other}. listKeys: {listed}. AUTH: {tried}",
    )


# --- what must be read to prove it? -----------------------------------------------------------------------------------


def needs_keys(
    resource: SecureRedisCache,
    identity: Identity,
    vault: VaultSecretFacts | VaultSecretAbsent | Unknown | NotRead,
    proven: Proven | None,
    now: datetime,
) -> bool:
    """Whether the listed keys (listKeys) would decide something, now that the vault was read.

    False once a value is proven, where nothing could be published anyway, and where the operator's identity lacks the
    tag (then nothing may be compared). Under ReadWrite also to store the key that the vault lacks.
    """
    settings = resource.spec.authentication
    if settings is None or isinstance(vault, Unknown | NotRead):
        return False
    if isinstance(vault, VaultSecretAbsent):
        return settings.key_vault.access is Access.READ_WRITE and not vault.deleted
    return _needs_proof(resource, identity, vault, proven, now)


def needs_authentication(
    resource: SecureRedisCache,
    identity: Identity,
    vault: VaultSecretFacts | VaultSecretAbsent | Unknown | NotRead,
    keys: ListedKeys | Unknown | NotRead,
    proven: Proven | None,
    now: datetime,
) -> bool:
    """Whether AUTH at the endpoint would decide something: only where the keys could not be listed."""
    if resource.spec.authentication is None or not isinstance(vault, VaultSecretFacts) or isinstance(keys, ListedKeys):
        return False
    return _needs_proof(resource, identity, vault, proven, now)


def _needs_proof(
    resource: SecureRedisCache, identity: Identity, vault: VaultSecretFacts, proven: Proven | None, now: datetime
) -> bool:
    if proven is not None or isinstance(usable_value(vault, now), Explanation):
        return False
    return _tagged(resource, vault) or not isinstance(identity, OperatorIdentity)


# --- the vault secret's tags and name ---------------------------------------------------------------------------------


def _tagged(resource: SecureRedisCache, vault: VaultSecretFacts) -> bool:
    """Whether the vault's owner tagged the secret with this cache."""
    return same_id(tag(vault.tags, PROVIDER_ADDRESS), resource.cache.text)


def _version(vault: VaultSecretFacts) -> str:
    pin = "" if vault.latest else " (pinned)"
    which = f"version {vault.version}" if vault.version else "the current version"
    return f"{which}{pin} of secret {vault.name!r} in {vault.vault}"
