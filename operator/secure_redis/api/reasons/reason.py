"""Condition types and reasons, each one word. A reason's row (`catalogue.REASONS`) holds its consequences."""

from enum import StrEnum


class ConditionType(StrEnum):
    """The conditions of a resource. Reconciling, Stalled and DriftDetected are abnormal when True (kstatus)."""

    READY = "Ready"
    RECONCILING = "Reconciling"
    STALLED = "Stalled"
    CACHE_AVAILABLE = "CacheAvailable"
    TRANSPORT_SECURED = "TransportSecured"
    PERSISTENCE_ENCRYPTED = "PersistenceEncrypted"
    CREDENTIALS_SYNCED = "CredentialsSynced"
    COMPLIANT = "Compliant"
    DRIFT_DETECTED = "DriftDetected"
    WORKLOADS_CURRENT = "WorkloadsCurrent"


class Reason(StrEnum):
    """Why a condition is as it is. Values are API: never renamed."""

    # Good or passing states
    PENDING = "Pending"
    READY = "Ready"
    NOT_READY = "NotReady"
    ASSESSED = "Assessed"
    AVAILABLE = "Available"
    SECURED = "Secured"
    PUBLISHED = "Published"
    COMPLIANT = "Compliant"
    NO_DRIFT = "NoDrift"
    DRIFTED = "Drifted"
    PROGRESSING = "Progressing"
    PAUSED = "Paused"
    # The spec
    INVALID_SPEC = "InvalidSpec"
    INVALID_RESOURCE_ID = "InvalidResourceID"
    LIMIT_REACHED = "LimitReached"
    SERVICE_NOT_SUPPORTED_YET = "ServiceNotSupportedYet"
    UNKNOWN_ANNOTATION = "UnknownAnnotation"
    # Identity, consent and grants
    SERVICE_ACCOUNT_NOT_FOUND = "ServiceAccountNotFound"
    SERVICE_ACCOUNT_NOT_ANNOTATED = "ServiceAccountNotAnnotated"
    CONSENT_MISSING = "ConsentMissing"
    NAMESPACE_NOT_BOUND = "NamespaceNotBound"
    NO_IDENTITY = "NoIdentity"
    NOT_GRANTED = "NotGranted"
    TOKEN_REFUSED = "TokenRefused"  # noqa: S105 - a reason, not a token
    # Azure at large
    AZURE_UNREACHABLE = "AzureUnreachable"
    AZURE_THROTTLED = "AzureThrottled"
    AZURE_DENIED = "AzureDenied"
    AZURE_ERROR = "AzureError"
    API_VERSION_NOT_SERVED = "ApiVersionNotServed"
    SUBSCRIPTION_UNAVAILABLE = "SubscriptionUnavailable"
    DENIED_BY_POLICY = "DeniedByPolicy"
    LOCKED = "Locked"
    # The cache
    CACHE_NOT_FOUND = "CacheNotFound"
    CACHE_GONE = "CacheGone"
    CONFIRMING_ABSENCE = "ConfirmingAbsence"
    CREATE_INTENDED = "CreateIntended"
    CREATING = "Creating"
    UPDATING = "Updating"
    DELETING = "Deleting"
    CACHE_FAILED = "CacheFailed"
    CACHE_DISABLED = "CacheDisabled"
    PROVISIONING_FAILED = "ProvisioningFailed"
    RETIRED = "Retired"
    RETIREMENT_ANNOUNCED = "RetirementAnnounced"
    NAME_TAKEN = "NameTaken"
    QUOTA_EXCEEDED = "QuotaExceeded"
    INSUFFICIENT_CAPACITY = "InsufficientCapacity"
    SIZE_NOT_OFFERED = "SizeNotOffered"
    REQUEST_REFUSED = "RequestRefused"
    BUSY = "Busy"
    ADOPTION_REQUIRED = "AdoptionRequired"
    OWNED_BY_ANOTHER = "OwnedByAnother"
    NO_ROUTE = "NoRoute"
    DATABASE_MISSING = "DatabaseMissing"
    WOULD_DISCONNECT = "WouldDisconnect"
    # Corrections that are blocked
    DISRUPTION_NOT_ALLOWED = "DisruptionNotAllowed"
    CONTESTED = "Contested"
    CORRECTING = "Correcting"
    READ_ONLY = "ReadOnly"
    CAPPED = "Capped"
    MASS_DRIFT = "MassDrift"
    FIRST_LOOK = "FirstLook"
    # Transport
    NON_TLS_PORT_OPEN = "NonTLSPortOpen"
    PLAINTEXT_PROTOCOL = "PlaintextProtocol"
    MINIMUM_TLS_TOO_LOW = "MinimumTLSTooLow"
    MINIMUM_TLS_UNSET = "MinimumTLSUnset"
    TLS_TOO_OLD_ACCEPTED = "TLSTooOldAccepted"
    CERTIFICATE_NOT_TRUSTED = "CertificateNotTrusted"
    CERTIFICATE_NAME_MISMATCH = "CertificateNameMismatch"
    CERTIFICATE_EXPIRED = "CertificateExpired"
    UNKNOWN = "Unknown"
    # Persistence and the account it goes to
    PERSISTENCE_ENCRYPTED = "PersistenceEncrypted"
    PERSISTENCE_OFF = "PersistenceOff"
    PERSISTENCE_NOT_OFFERED = "PersistenceNotOffered"
    STORAGE_OTHER_ACCOUNT = "StorageOtherAccount"
    STORAGE_UNREAD = "StorageUnread"
    STORAGE_NOT_FOUND = "StorageNotFound"
    STORAGE_NOT_ENCRYPTED = "StorageNotEncrypted"
    STORAGE_KEY_UNWANTED = "StorageKeyUnwanted"
    ENCRYPTION_KEY_UNUSABLE = "EncryptionKeyUnusable"
    INFRASTRUCTURE_ENCRYPTION_MISSING = "InfrastructureEncryptionMissing"
    STORAGE_TRANSPORT_WEAK = "StorageTransportWeak"
    STORAGE_OPEN = "StorageOpen"
    STORAGE_ROLE_MISSING = "StorageRoleMissing"
    STORAGE_SECRET_MISSING = "StorageSecretMissing"  # noqa: S105 - a reason
    STORAGE_SECRET_REFUSED = "StorageSecretRefused"  # noqa: S105 - a reason
    # Findings
    FINDINGS = "Findings"
    # The credential
    ACCESS_KEYS_DISABLED = "AccessKeysDisabled"
    AUTHENTICATION_DISABLED = "AuthenticationDisabled"
    VAULT_NOT_ALLOWED = "VaultNotAllowed"
    VAULT_NOT_FOUND = "VaultNotFound"
    VAULT_FORBIDDEN = "VaultForbidden"
    VAULT_FIREWALL = "VaultFirewall"
    VAULT_OTHER_TENANT = "VaultOtherTenant"
    VAULT_SECRET_NOT_FOUND = "VaultSecretNotFound"  # noqa: S105 - a reason
    VAULT_SECRET_DISABLED = "VaultSecretDisabled"  # noqa: S105 - a reason
    VAULT_SECRET_EXPIRED = "VaultSecretExpired"  # noqa: S105 - a reason
    VAULT_SECRET_NOT_YET_VALID = "VaultSecretNotYetValid"  # noqa: S105 - a reason
    VAULT_SECRET_FOREIGN = "VaultSecretForeign"  # noqa: S105 - a reason
    VAULT_SECRET_DELETED = "VaultSecretDeleted"  # noqa: S105 - a reason
    KEY_MALFORMED = "KeyMalformed"
    KEY_MISMATCH = "KeyMismatch"
    KEY_UNPROVEN = "KeyUnproven"
    STORING_KEY = "StoringKey"
    NOT_OWNED = "NotOwned"
    # The Secret
    SECRET_TAMPERED = "SecretTampered"  # noqa: S105 - a reason
    NOT_COMPLIANT = "NotCompliant"
    SECRET_FOREIGN = "SecretForeign"  # noqa: S105 - a reason
    SECRET_IMMUTABLE = "SecretImmutable"  # noqa: S105 - a reason
    SECRET_DELETING = "SecretDeleting"  # noqa: S105 - a reason
    SECRET_IN_USE = "SecretInUse"  # noqa: S105 - a reason
    SECRET_REFUSED = "SecretRefused"  # noqa: S105 - a reason
    NAMESPACE_TERMINATING = "NamespaceTerminating"
    # Workloads
    WORKLOADS_CURRENT = "WorkloadsCurrent"
    ROLLING_OUT = "RollingOut"
    ROLLOUT_FAILED = "RolloutFailed"
    ROLLOUT_DEADLINE = "RolloutDeadline"
    POD_BLOCKS_ROLLOUT = "PodBlocksRollout"
    TARGET_NOT_FOUND = "TargetNotFound"
    TARGET_NOT_CONSENTING = "TargetNotConsenting"
    TARGET_CONFLICT = "TargetConflict"
    TARGET_PAUSED = "TargetPaused"
    TARGET_ON_DELETE = "TargetOnDelete"
    TARGET_REFUSED = "TargetRefused"
    TARGET_REPLACED = "TargetReplaced"
    CONTAINER_NOT_FOUND = "ContainerNotFound"
    INJECTION_UNSAFE = "InjectionUnsafe"
    TARGET_BUDGET = "TargetBudget"
    KEY_NOT_PUBLISHED = "KeyNotPublished"
    NO_WORKLOAD_RIGHTS = "NoWorkloadRights"
    # Rotation
    ROTATING = "Rotating"
    ROTATED = "Rotated"
    ROTATION_SCHEDULED = "RotationScheduled"
    ROTATION_READ_ONLY = "RotationReadOnly"
    NOT_LEADING = "NotLeading"
    GEO_REPLICATED = "GeoReplicated"
    APPROVAL_REQUIRED = "ApprovalRequired"
    OVERLAP_NOT_OVER = "OverlapNotOver"
    OUTSIDE_WINDOW = "OutsideWindow"
    HOLDERS_BEHIND = "HoldersBehind"
    FORCE_NOT_ALLOWED = "ForceNotAllowed"
    REGENERATING = "Regenerating"
    KEY_NOT_ACCEPTED = "KeyNotAccepted"
    ROTATION_SUPERSEDED = "RotationSuperseded"
    # Deletion
    CONFIRMATION_REQUIRED = "ConfirmationRequired"
    DELETION_UNKNOWN = "DeletionUnknown"
    ABANDONED = "Abandoned"
    RETAINED = "Retained"
    # The operator itself
    OPERATED_BY_ANOTHER = "OperatedByAnother"
    OPERATOR_GONE = "OperatorGone"
    INTERNAL_ERROR = "InternalError"
    PASS_DEADLINE = "PassDeadline"  # noqa: S105 - a reason
    NOT_OBSERVED = "NotObserved"
