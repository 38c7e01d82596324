"""The credential in Key Vault and the published Secret: its reasons, one row each."""

from collections.abc import Mapping
from typing import Final

from secure_redis.api.reasons.reason import ConditionType, Reason
from secure_redis.api.reasons.row import ON_CREDENTIALS, ReasonRow, Trait, row

CREDENTIAL_REASONS: Final[Mapping[Reason, ReasonRow]] = {
    Reason.PUBLISHED: row("The Secret holds a key that was proven to be live.", on={ConditionType.CREDENTIALS_SYNCED}),
    Reason.ACCESS_KEYS_DISABLED: row(
        "The cache does not accept access keys.",
        "Enable them, or take spec.authentication out until Entra authentication is supported.",
        on=ON_CREDENTIALS,
        traits=Trait.TERMINAL,
    ),
    Reason.AUTHENTICATION_DISABLED: row(
        "The cache requires no password at all (authnotrequired).",
        "Enable authentication on the cache. The operator publishes no Secret for a cache without a password.",
        on=ON_CREDENTIALS,
        traits=Trait.TERMINAL,
    ),
    Reason.VAULT_NOT_ALLOWED: row(
        "The vault's host does not belong to the configured cloud. The operator sends no token to it.",
        "Correct spec.authentication.keyVault.uri.",
        on=ON_CREDENTIALS | {ConditionType.PERSISTENCE_ENCRYPTED},
        traits=Trait.TERMINAL,
    ),
    Reason.VAULT_NOT_FOUND: row(
        "The vault's name does not resolve or it does not answer.",
        "Correct the vault's name: spec.authentication.keyVault.uri, or the URI of the encryption key.",
        on=ON_CREDENTIALS | {ConditionType.PERSISTENCE_ENCRYPTED},
    ),
    Reason.VAULT_FORBIDDEN: row(
        "The identity has no permission to read (or write) the secret.",
        "Assign the role that the message names on the vault or the secret (docs/azure-roles.md). To read: PublishKey "
        "or Key Vault Secrets User. To write: StoreKey. To rotate: Rotate.",
        on=ON_CREDENTIALS,
        traits=Trait.MISSING_RIGHT,
    ),
    Reason.VAULT_FIREWALL: row(
        "The vault's firewall refuses the operator.",
        "Allow the cluster's egress, or use a private endpoint.",
        on=ON_CREDENTIALS,
    ),
    Reason.VAULT_OTHER_TENANT: row(
        "The vault belongs to another Entra tenant than the identity.",
        "Use an identity of its tenant.",
        on=ON_CREDENTIALS | {ConditionType.PERSISTENCE_ENCRYPTED},
        traits=Trait.TERMINAL,
    ),
    Reason.VAULT_SECRET_NOT_FOUND: row(
        "The vault holds no secret (or version) of that name.",
        "Store the access key there, or correct the name.",
        on=ON_CREDENTIALS,
    ),
    Reason.VAULT_SECRET_DISABLED: row(
        "The secret's current version is disabled. The operator never uses an older one instead.",
        "Enable it or set a new one.",
        on=ON_CREDENTIALS,
    ),
    Reason.VAULT_SECRET_EXPIRED: row(
        "The secret's current version has expired. The operator never uses an older one instead.",
        "Set a new version.",
        on=ON_CREDENTIALS,
    ),
    Reason.VAULT_SECRET_NOT_YET_VALID: row(
        "The secret's current version is not valid yet (nbf). The operator never uses an older one instead.",
        "Wait until it is valid, or correct the date.",
        on=ON_CREDENTIALS,
    ),
    Reason.VAULT_SECRET_FOREIGN: row(
        "The vault secret is not marked as this cache's, so it is not overwritten.",
        "Tag its current version `ProviderAddress: <resourceID>`, or choose another secretName.",
        on=ON_CREDENTIALS,
    ),
    Reason.VAULT_SECRET_DELETED: row(
        "The secret is soft-deleted. Its name cannot be used until it is recovered or purged.",
        "Recover or purge it in Key Vault, or choose another secretName. The operator does neither.",
        on=ON_CREDENTIALS,
    ),
    Reason.KEY_MALFORMED: row(
        "The vault value cannot be an access key (empty, with white space, not text, or too long).",
        "Store the key itself, without a newline.",
        on=ON_CREDENTIALS,
        traits=Trait.TERMINAL,
    ),
    Reason.KEY_MISMATCH: row(
        "The vault value is no live key of this cache: another party regenerated it, or it is another cache's.",
        "Store a current key of this cache in Key Vault. The published Secret stays as it is.",
        on=ON_CREDENTIALS,
    ),
    Reason.KEY_UNPROVEN: row(
        "Nothing shows that the vault value is a key of this cache, so it is not published.",
        "Grant listKeys, open a route for AUTH, or tag the secret `ProviderAddress: <resourceID>`.",
        on=ON_CREDENTIALS,
    ),
    Reason.STORING_KEY: row(
        "The cache's key is being stored in Key Vault.",
        "Wait.",
        on=ON_CREDENTIALS | {ConditionType.RECONCILING},
        traits=Trait.PROGRESS | Trait.ROTATION_STEP,
    ),
    Reason.NOT_OWNED: row(
        "The cache does not carry this resource's ownership tag.",
        "Adopt it first, or use access: Read.",
        on=ON_CREDENTIALS,
    ),
    Reason.SECRET_TAMPERED: row(
        "Another field manager changed the published Secret or the injected fields of a workload. The operator "
        "restored it. "
        "The event names the entries and, where Kubernetes recorded it, the field manager.",
        "Find out who uses that field manager (the API server's audit log has the user), and stop it.",
        traits=Trait.EVENT_ONLY,
    ),
    Reason.NOT_COMPLIANT: row(
        "`spec.connection.publish: WhenCompliant` withholds a new Secret: a rule of severity High or above fails or is "
        "unknown.",
        "Resolve the findings in `status.compliance.findings`, or waive them in `spec.waivers`. A Secret that is "
        "published already stays and is kept up to date.",
        on=ON_CREDENTIALS,
        traits=Trait.NEEDS_HUMAN | Trait.ABOUT_SECRET,
    ),
    Reason.SECRET_FOREIGN: row(
        "A Secret of that name exists and belongs to another owner. The operator does not change it.",
        "Delete it or choose another spec.connection.secretName.",
        on=ON_CREDENTIALS,
        traits=Trait.TERMINAL | Trait.NEEDS_HUMAN | Trait.ABOUT_SECRET,
    ),
    Reason.SECRET_IMMUTABLE: row(
        "The Secret is immutable and contains something else.",
        "Delete it. The operator then publishes it again.",
        on=ON_CREDENTIALS,
        traits=Trait.TERMINAL | Trait.ABOUT_SECRET,
    ),
    Reason.SECRET_DELETING: row(
        "The Secret is being deleted.",
        "Wait, or remove the finalizer that holds it.",
        on=ON_CREDENTIALS | {ConditionType.RECONCILING},
        traits=Trait.ABOUT_SECRET,
    ),
    Reason.SECRET_IN_USE: row(
        "A Secret is to be deleted, and a workload or pod still names it, or the operator cannot check whether one "
        "does. The Secret stays.",
        "Delete or change what the message names, or resume its workload. To keep the Secret, set "
        "`spec.connection.deletionPolicy: Retain`.",
        on={ConditionType.READY, ConditionType.RECONCILING},
    ),
    Reason.SECRET_REFUSED: row(
        "The API server refused the Secret.",
        "Change what the message names: a quota or an admission rule.",
        on=ON_CREDENTIALS,
        traits=Trait.ABOUT_SECRET,
    ),
    Reason.NAMESPACE_TERMINATING: row("The namespace is being deleted.", "There is nothing to do.", on=ON_CREDENTIALS),
}
