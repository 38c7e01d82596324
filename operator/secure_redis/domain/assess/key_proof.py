"""Whether a vault's value is a live key of this cache (docs/keys.md#how-a-value-is-proven).

Somebody may name any vault secret that an identity can read; without proof, the operator would hand its content out.
"""

from datetime import datetime

from secure_redis.api.reasons.reason import Reason
from secure_redis.api.resource import SecureRedisCache
from secure_redis.api.spec.spec import Access
from secure_redis.domain.assess.key_validity import slot_of, usable
from secure_redis.domain.explanation import Explanation
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
from secure_redis.domain.observe.normalise import same_id, same_word, tag
from secure_redis.domain.observe.unknown import NotRead, Unknown

PROVIDER_ADDRESS = "ProviderAddress"  # the cache's ARM id; both names are those of Microsoft's rotation functions
CREDENTIAL_ID = "CredentialId"  # Primary or Secondary


def prove(
    resource: SecureRedisCache,
    identity: Identity,
    vault: VaultSecretFacts,
    keys: ListedKeys | Unknown | NotRead,
    authentication: AuthenticationResult | Unknown | NotRead,
) -> Proven | Explanation:
    """Judge a usable vault value (see `credential.usable`).

    In this order: the vault's owner must have said yes where the operator's own identity reads; the listed keys decide
    where they could be listed, also against AUTH (Azure accepts a new key late); then AUTH decides; then the tag.
    """
    address = tag(vault.tags, PROVIDER_ADDRESS)
    tagged = same_id(address, resource.cache.text)
    if isinstance(identity, OperatorIdentity) and not tagged:
        # Before any comparison, so that a stranger's resource learns nothing about the value.
        return _untagged(resource, vault, address)
    if vault.value is None:
        return Explanation(Reason.KEY_UNPROVEN, f"{_called(vault)} was not read, so it is not proven")
    claimed = claimed_slot(vault)
    if isinstance(keys, ListedKeys):
        slot = slot_of(vault.value, keys)
        if slot is not None:
            return Proven(ProvenBy.LISTED, slot)
        return Explanation(
            Reason.KEY_MISMATCH,
            f"{_called(vault)} equals neither of the cache's keys: the key was regenerated outside Key Vault, or the "
            "secret is another cache's; store the live key as a new version",
        )
    if authentication is AuthenticationResult.ACCEPTED:
        return Proven(ProvenBy.AUTHENTICATED, claimed)
    if authentication is AuthenticationResult.REFUSED:
        return Explanation(
            Reason.KEY_MISMATCH,
            f"the cache refused {_called(vault)}: the key was regenerated outside Key Vault, or the secret is another "
            "cache's; store the live key as a new version (Azure may accept a new key minutes late)",
        )
    if tagged:
        return Proven(ProvenBy.TAGGED, claimed)
    return _unproven(resource, vault, address, keys, authentication)


def claimed_slot(vault: VaultSecretFacts) -> Slot | None:
    """Which key the tag `CredentialId` says it is. A claim: the listed keys know better."""
    said = tag(vault.tags, CREDENTIAL_ID)
    return next((slot for slot in Slot if same_word(slot, said)), None)


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
    writes = settings.key_vault.access is Access.READ_WRITE
    if isinstance(vault, VaultSecretAbsent):
        return writes and not vault.deleted
    return _open(resource, identity, vault, proven, now)


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
    return _open(resource, identity, vault, proven, now)


def _open(
    resource: SecureRedisCache, identity: Identity, vault: VaultSecretFacts, proven: Proven | None, now: datetime
) -> bool:
    if proven is not None or usable(vault, now) is not None:
        return False
    tagged = same_id(tag(vault.tags, PROVIDER_ADDRESS), resource.cache.text)
    return tagged or not isinstance(identity, OperatorIdentity)


def _untagged(resource: SecureRedisCache, vault: VaultSecretFacts, address: str | None) -> Explanation:
    wanted = f"{PROVIDER_ADDRESS}={resource.cache.text}"
    if address is None:
        return Explanation(
            Reason.KEY_UNPROVEN,
            f"{_called(vault)} lacks the tag {PROVIDER_ADDRESS}: under the operator's identity the vault's owner must "
            f"say whose key it is; set the tag {wanted} on the secret",
        )
    return Explanation(
        Reason.VAULT_SECRET_FOREIGN,
        f"the tag {PROVIDER_ADDRESS} of {_called(vault)} names another resource; if it is this cache's key, set the "
        f"tag {wanted}",
    )


def _unproven(
    resource: SecureRedisCache,
    vault: VaultSecretFacts,
    address: str | None,
    keys: Unknown | NotRead,
    authentication: Unknown | NotRead,
) -> Explanation:
    listed = keys.message if isinstance(keys, Unknown) else "not tried"
    tried = authentication.message if isinstance(authentication, Unknown) else "not tried"
    other = f"its tag {PROVIDER_ADDRESS} names another resource" if address else f"it has no tag {PROVIDER_ADDRESS}"
    return Explanation(
        Reason.KEY_UNPROVEN,
        # What to do comes first: the rest may be long, and a condition holds 1024 characters.
        f"{_called(vault)} is not proven to be a live key of this cache: allow the identity "
        "Microsoft.Cache/redis/listKeys/action, or open the way to the cache, or set the secret's tag "
        f"{PROVIDER_ADDRESS}={resource.cache.text}. Now {other}; listKeys: {listed}; AUTH: {tried}",
    )


def _called(vault: VaultSecretFacts) -> str:
    return f"version {vault.version} of secret {vault.name!r} in {vault.vault}"
