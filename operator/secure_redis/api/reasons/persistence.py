"""Persistence and the account that it goes to: its reasons, one row each."""

from collections.abc import Mapping
from typing import Final

from secure_redis.api.reasons.reason import ConditionType, Reason
from secure_redis.api.reasons.row import ReasonRow, Trait, row

PERSISTENCE_REASONS: Final[Mapping[Reason, ReasonRow]] = {
    Reason.PERSISTENCE_ENCRYPTED: row(
        "What the cache persists is encrypted as declared; every link up to the key was checked.",
        on={ConditionType.PERSISTENCE_ENCRYPTED},
    ),
    Reason.PERSISTENCE_OFF: row(
        "Persistence is declared and the cache persists nothing.",
        "Set it in Azure, or let the operator: mode Provision, and Availability in spec.drift.correct.",
        on={ConditionType.PERSISTENCE_ENCRYPTED},
    ),
    Reason.PERSISTENCE_NOT_OFFERED: row(
        "Persistence is declared, and the cache's tier cannot persist.",
        "Scale the cache to Premium, or set spec.persistence.type to None.",
        on={ConditionType.PERSISTENCE_ENCRYPTED},
    ),
    Reason.STORAGE_OTHER_ACCOUNT: row(
        "The cache persists into another storage account than the declared one.",
        "Change it in Azure or in the spec, or let the operator: mode Provision, and Security in spec.drift.correct. "
        "What was written to the other account stays there until a person deletes it.",
        on={ConditionType.PERSISTENCE_ENCRYPTED},
    ),
    Reason.STORAGE_UNREAD: row(
        "Azure did not report what was needed about the storage account or its key.",
        "Wait for the next pass; if it lasts, inspect the account in Azure.",
        on={ConditionType.PERSISTENCE_ENCRYPTED, ConditionType.DRIFT_DETECTED},
        traits=Trait.ABOUT_CORRECTION | Trait.ABOUT_PERSISTENCE,
    ),
    Reason.STORAGE_NOT_FOUND: row(
        "The storage account is not there.",
        "Restore the account (Azure keeps deleted ones for 14 days), or name another one.",
        on={ConditionType.PERSISTENCE_ENCRYPTED, ConditionType.DRIFT_DETECTED},
        traits=Trait.ABOUT_CORRECTION | Trait.ABOUT_PERSISTENCE,
    ),
    Reason.STORAGE_NOT_ENCRYPTED: row(
        "Azure reports that the account does not encrypt its blobs.",
        "Persist into another account.",
        on={ConditionType.PERSISTENCE_ENCRYPTED},
    ),
    Reason.STORAGE_KEY_UNWANTED: row(
        "The account (Managed Redis: the cluster) is encrypted with another key than spec.persistence.encryption has.",
        "Change the encryption in Azure, or the expectation. The operator never changes an account; for a cluster see "
        "`status.drift` and consent with `secureredis.io/allow-disruption`.",
        on={ConditionType.PERSISTENCE_ENCRYPTED},
    ),
    Reason.ENCRYPTION_KEY_UNUSABLE: row(
        "The customer-managed key that encrypts the account (Managed Redis: the cluster) is missing, disabled, expired "
        "or not valid yet; or the cluster's identity may not use the key that the spec declares.",
        "Enable or renew the key in its vault, give the identity the role that the message names, or have another key "
        "used.",
        on={ConditionType.PERSISTENCE_ENCRYPTED},
    ),
    Reason.INFRASTRUCTURE_ENCRYPTION_MISSING: row(
        "Infrastructure encryption was expected and the account has none.",
        "It can only be chosen when an account is created: persist into a new one.",
        on={ConditionType.PERSISTENCE_ENCRYPTED},
    ),
    Reason.STORAGE_TRANSPORT_WEAK: row(
        "The account takes HTTP, or a TLS version below 1.2.",
        "Set `--https-only true --min-tls-version TLS1_2` on the account.",
        on={ConditionType.PERSISTENCE_ENCRYPTED},
    ),
    Reason.STORAGE_OPEN: row(
        "The account serves what it decrypts: public blobs are allowed, or every network has access.",
        "Set `--allow-blob-public-access false`, and with managed identity `--default-action Deny --bypass "
        "AzureServices`.",
        on={ConditionType.PERSISTENCE_ENCRYPTED},
    ),
    Reason.STORAGE_ROLE_MISSING: row(
        "The cache's identity may not write into the storage account yet, or it cannot be read whether it may.",
        "Assign Storage Blob Data Contributor on the account to the identity that the message names; where the "
        "operator may not see role assignments, annotate secureredis.io/confirm-storage-role: <account name>.",
        on={ConditionType.PERSISTENCE_ENCRYPTED, ConditionType.DRIFT_DETECTED},
        traits=Trait.ABOUT_CORRECTION | Trait.ABOUT_PERSISTENCE,
    ),
    Reason.STORAGE_SECRET_MISSING: row(
        "The Secret that should hold the connection string is not there.",
        "Create it with type secureredis.io/storage-connection and the key connectionString.",
        on={ConditionType.PERSISTENCE_ENCRYPTED, ConditionType.DRIFT_DETECTED},
        traits=Trait.ABOUT_CORRECTION | Trait.ABOUT_PERSISTENCE,
    ),
    Reason.STORAGE_SECRET_REFUSED: row(
        "The Secret does not hold an acceptable connection string of the declared account; nothing was sent.",
        "Put in the connection string with an account key: `az storage account show-connection-string`.",
        on={ConditionType.PERSISTENCE_ENCRYPTED, ConditionType.DRIFT_DETECTED},
        traits=Trait.ABOUT_CORRECTION | Trait.ABOUT_PERSISTENCE,
    ),
}
