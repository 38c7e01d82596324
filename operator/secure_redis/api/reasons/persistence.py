"""Persistence and the account that it goes to: its reasons, one row each."""

from collections.abc import Mapping
from typing import Final

from secure_redis.api.reasons.reason import ConditionType, Reason
from secure_redis.api.reasons.row import ReasonRow, Trait, row

PERSISTENCE_REASONS: Final[Mapping[Reason, ReasonRow]] = {
    Reason.PERSISTENCE_ENCRYPTED: row(
        "The persisted data is encrypted as declared. The operator checked every link up to the key.",
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
        "Change it in Azure or in the spec. The operator changes it in mode Provision with Security in "
        "spec.drift.correct. Data in the other account stays there until a person deletes it.",
        on={ConditionType.PERSISTENCE_ENCRYPTED},
    ),
    Reason.STORAGE_UNREAD: row(
        "Azure did not report everything that the operator requires about the storage account or its key.",
        "Wait for the next reconcile. If it lasts, inspect the account in Azure.",
        on={ConditionType.PERSISTENCE_ENCRYPTED, ConditionType.DRIFT_DETECTED},
        traits=Trait.ABOUT_CORRECTION | Trait.ABOUT_PERSISTENCE,
    ),
    Reason.STORAGE_NOT_FOUND: row(
        "The storage account does not exist.",
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
        "Change the encryption in Azure, or the expectation. The operator never changes an account. For a cluster see "
        "`status.drift` and consent with `secureredis.io/allow-disruption`.",
        on={ConditionType.PERSISTENCE_ENCRYPTED},
    ),
    Reason.ENCRYPTION_KEY_UNUSABLE: row(
        "The customer-managed key that encrypts the account (Managed Redis: the cluster) is missing, disabled, expired "
        "or not valid yet. Or the cluster's identity has no permission to use the key that the spec declares.",
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
        "The account accepts HTTP, or a TLS version below 1.2.",
        "Let the account accept HTTPS with TLS 1.2 or newer only.",
        on={ConditionType.PERSISTENCE_ENCRYPTED},
    ),
    Reason.STORAGE_OPEN: row(
        "The account is open: it allows public blobs, or every network has access.",
        "Forbid public blobs. With a managed identity, deny other networks and let Azure services bypass the rule.",
        on={ConditionType.PERSISTENCE_ENCRYPTED},
    ),
    Reason.STORAGE_ROLE_MISSING: row(
        "The cache's identity has no permission to write into the storage account yet, or the operator cannot read "
        "whether "
        "it has.",
        "Assign Storage Blob Data Contributor on the account to the identity that the message names. If the operator "
        "cannot read role assignments, annotate secureredis.io/confirm-storage-role: <account name>.",
        on={ConditionType.PERSISTENCE_ENCRYPTED, ConditionType.DRIFT_DETECTED},
        traits=Trait.ABOUT_CORRECTION | Trait.ABOUT_PERSISTENCE,
    ),
    Reason.STORAGE_SECRET_MISSING: row(
        "The Secret for the connection string does not exist.",
        "Create it with type secureredis.io/storage-connection and the key connectionString.",
        on={ConditionType.PERSISTENCE_ENCRYPTED, ConditionType.DRIFT_DETECTED},
        traits=Trait.ABOUT_CORRECTION | Trait.ABOUT_PERSISTENCE,
    ),
    Reason.STORAGE_SECRET_REFUSED: row(
        "The Secret does not hold an acceptable connection string of the declared account. Nothing was sent.",
        "Store the connection string with an account key, as `az storage account show-connection-string` prints it.",
        on={ConditionType.PERSISTENCE_ENCRYPTED, ConditionType.DRIFT_DETECTED},
        traits=Trait.ABOUT_CORRECTION | Trait.ABOUT_PERSISTENCE,
    ),
}
