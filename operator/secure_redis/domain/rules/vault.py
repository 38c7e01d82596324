"""Rules on the Key Vault secret that holds the access key."""

from datetime import timedelta

from secure_redis.domain.credential import slot_of
from secure_redis.domain.observation import ListedKeys, Observation, ProvenBy, Slot, VaultSecretFacts
from secure_redis.domain.proof import claimed_slot
from secure_redis.domain.rules.rule import NOT_APPLICABLE, PASS, Rule, Severity, Verdict, fail, on_vault

# Key Vault itself announces SecretNearExpiry this long before (facts/azure.md D).
NEAR = timedelta(days=30)


def _expiry_set(vault: VaultSecretFacts, _: Observation) -> Verdict:
    return PASS if vault.expires is not None else fail("the secret's version has no expiry date")


def _not_expired(vault: VaultSecretFacts, seen: Observation) -> Verdict:
    if vault.expires is None:
        return NOT_APPLICABLE
    date = vault.expires.strftime("%Y-%m-%d")
    if seen.now >= vault.expires:
        return fail(f"the secret's version expired on {date}")
    return fail(f"the secret's version expires on {date}") if seen.now >= vault.expires - NEAR else PASS


def _enabled(vault: VaultSecretFacts, _: Observation) -> Verdict:
    return PASS if vault.enabled else fail("the secret's version is disabled")


def _not_pinned(vault: VaultSecretFacts, _: Observation) -> Verdict:
    return PASS if vault.latest else fail("a version is pinned and it is not the newest")


def _tags_consistent(vault: VaultSecretFacts, seen: Observation) -> Verdict:
    claimed, slot = claimed_slot(vault), _listed_slot(vault, seen)
    if claimed is None or slot is None:
        return NOT_APPLICABLE  # a value that is no live key at all is A7's to tell
    if slot is claimed:
        return PASS
    return fail(f"the tag CredentialId says {claimed}, but the value is the {slot} key; a rotation would cut clients")


def _listed_slot(vault: VaultSecretFacts, seen: Observation) -> Slot | None:
    """Which key it is by listKeys, of this pass or of the one that proved this version: the result must not flicker."""
    if isinstance(seen.keys, ListedKeys):
        return None if vault.value is None else slot_of(vault.value, seen.keys)
    return seen.proven.slot if seen.proven is not None and seen.proven.by is ProvenBy.LISTED else None


RULES = (
    Rule(
        "K1",
        "The key in Key Vault has an expiry date",
        Severity.LOW,
        on_vault(_expiry_set),
        "set the expiry date when a version is stored, so that Key Vault announces it",
    ),
    Rule(
        "K2",
        "The key in Key Vault is not expired or about to",
        Severity.HIGH,
        on_vault(_not_expired),
        "rotate the key and store it as a new version",
    ),
    Rule(
        "K3",
        "The key in Key Vault is enabled",
        Severity.HIGH,
        on_vault(_enabled),
        "enable the version or store a new one",
    ),
    Rule(
        "K4",
        "The newest version in Key Vault is followed",
        Severity.LOW,
        on_vault(_not_pinned),
        "remove spec.authentication.keyVault.version",
    ),
    Rule(
        "K6",
        "The rotation tag in Key Vault tells the right key",
        Severity.MEDIUM,
        on_vault(_tags_consistent),
        "correct the tag CredentialId of the secret",
    ),
)
