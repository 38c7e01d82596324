"""Rules on the Key Vault secret that holds the access key."""

from datetime import timedelta

from secure_redis.api.resource import SecureRedisCache
from secure_redis.domain.assess.key_value import slot_of
from secure_redis.domain.assess.rotation_record import claimed_slot
from secure_redis.domain.assess.rules.rule import (
    NOT_APPLICABLE,
    PASS,
    READ_SECRET,
    Rule,
    Severity,
    Verdict,
    date,
    fail,
    on_vault,
    some,
    unread,
)
from secure_redis.domain.observe.keys import (
    ListedKeys,
    ProvenBy,
    Slot,
    VaultSecretFacts,
)
from secure_redis.domain.observe.observation import Observation
from secure_redis.domain.observe.unknown import NotRead, Unknown

# Key Vault itself announces SecretNearExpiry this long before (docs/internals/azure-facts.md#expiry-events).
NEAR = timedelta(days=30)


def _expiry_set(vault: VaultSecretFacts, _: Observation) -> Verdict:
    return PASS if vault.expires is not None else fail("the secret's version has no expiry date")


def _not_expired(vault: VaultSecretFacts, observed: Observation) -> Verdict:
    if vault.expires is None:
        return NOT_APPLICABLE
    day = date(vault.expires)
    if observed.now >= vault.expires:
        return fail(f"the secret's version expired on {day}")
    return fail(f"the secret's version expires on {day}") if observed.now >= vault.expires - NEAR else PASS


def _enabled(vault: VaultSecretFacts, _: Observation) -> Verdict:
    return PASS if vault.enabled else fail("the secret's version is disabled")


def _not_pinned(vault: VaultSecretFacts, _: Observation) -> Verdict:
    return PASS if vault.latest else fail("a version is pinned and it is not the newest")


def _vault_protected(resource: SecureRedisCache, observed: Observation) -> Verdict:
    if resource.spec.authentication is None:
        return NOT_APPLICABLE
    found = observed.vault_properties
    if isinstance(found, Unknown | NotRead):
        return unread("the vault's properties", found, "Microsoft.KeyVault/vaults/read")
    wrong = ["no soft delete"] if found.soft_delete is False else []
    if not found.purge_protection:
        wrong.append("no purge protection")
    return fail(f"vault {found.name!r} has {some(wrong)}") if wrong else PASS


def _tags_consistent(vault: VaultSecretFacts, observed: Observation) -> Verdict:
    claimed, slot = claimed_slot(vault.tags), _listed_slot(vault, observed)
    if claimed is None or slot is None:
        return NOT_APPLICABLE  # rule A7 reports a value that is no live key at all
    if slot is claimed:
        return PASS
    return fail(f"the tag CredentialId is {claimed}, but the value is the {slot} key; a rotation would cut clients")


def _listed_slot(vault: VaultSecretFacts, observed: Observation) -> Slot | None:
    """Find which listed key the value is, in this pass or in the one that proved it, so that the result is stable."""
    if isinstance(observed.keys, ListedKeys):
        return None if vault.value is None else slot_of(vault.value, observed.keys)
    return observed.proven.slot if observed.proven is not None and observed.proven.by is ProvenBy.LISTED else None


RULES = (
    Rule(
        "K1",
        "The key in Key Vault has an expiry date",
        Severity.LOW,
        on_vault(_expiry_set),
        "set the expiry date when a version is stored, so that Key Vault announces it",
        strict=Severity.MEDIUM,
        why="Key Vault does not remind you to rotate the key.",
        reads="the version in Key Vault",
        needs=(READ_SECRET,),
    ),
    Rule(
        "K2",
        "The key in Key Vault is not expired or about to expire",
        Severity.HIGH,
        on_vault(_not_expired),
        "rotate the key and store it as a new version",
        why=(
            "The operator does not use an expired version, so it publishes nothing new. Key Vault announces the expiry "
            "30 days ahead, and so does this rule."
        ),
        reads="the version in Key Vault; not applicable without an expiry date (K1)",
        needs=(READ_SECRET,),
        horizons=(-NEAR,),
    ),
    Rule(
        "K3",
        "The key in Key Vault is enabled",
        Severity.HIGH,
        on_vault(_enabled),
        "enable the version or store a new one",
        why="The operator does not use a disabled version, so it publishes nothing new.",
        reads="the version in Key Vault",
        needs=(READ_SECRET,),
    ),
    Rule(
        "K4",
        "The newest version in Key Vault is followed",
        Severity.LOW,
        on_vault(_not_pinned),
        "remove spec.authentication.keyVault.version",
        strict=Severity.MEDIUM,
        why="A rotation does not reach the pods.",
        reads="the version in Key Vault, and which one is the newest",
        needs=(READ_SECRET,),
    ),
    Rule(
        "K5",
        "The key's vault keeps what is deleted",
        Severity.LOW,
        _vault_protected,
        "switch purge protection on (it cannot be switched off again), and soft delete in an old vault",
        strict=Severity.HIGH,
        why="A deleted secret or vault is lost immediately, with the record of the current key.",
        reads="the properties of the vault in spec.authentication.keyVault",
        needs=("Microsoft.KeyVault/vaults/read",),
    ),
    Rule(
        "K6",
        "The rotation tag in Key Vault names the right key",
        Severity.MEDIUM,
        on_vault(_tags_consistent),
        "correct the tag CredentialId of the secret",
        why="The next rotation would regenerate the key that clients use.",
        reads=(
            "the tag CredentialId of the version in Key Vault, against the listed keys; not applicable without that tag"
        ),
        needs=(READ_SECRET, "Microsoft.Cache/redis/listKeys/action"),
    ),
)
