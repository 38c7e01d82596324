"""What each condition means and which reasons it can carry: the source of the generated documentation."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from secure_redis.api.reasons.catalogue import REASONS
from secure_redis.api.reasons.reason import ConditionType, Reason


@dataclass(frozen=True, slots=True)
class ConditionText:
    """What a condition tells. `absent`: when it is not there at all; empty if it always is."""

    question: str
    when_true: str
    when_false: str
    when_unknown: str
    reasons: frozenset[Reason]
    absent: str = ""


# What holds one workload back; `status.workloads[].reason` carries the same.
WORKLOADS: Final = frozenset(
    {
        Reason.ROLLING_OUT,
        Reason.ROLLOUT_FAILED,
        Reason.ROLLOUT_DEADLINE,
        Reason.TARGET_NOT_FOUND,
        Reason.TARGET_NOT_CONSENTING,
        Reason.TARGET_CONFLICT,
        Reason.TARGET_PAUSED,
        Reason.TARGET_ON_DELETE,
        Reason.TARGET_REFUSED,
        Reason.TARGET_REPLACED,
        Reason.TARGET_BUDGET,
        Reason.CONTAINER_NOT_FOUND,
        Reason.KEY_NOT_PUBLISHED,
    }
)
# Which link between a cache's persisted data and the key that encrypts it is broken or missing.
PERSISTENCE: Final = frozenset(
    {
        Reason.PERSISTENCE_OFF,
        Reason.PERSISTENCE_NOT_OFFERED,
        Reason.STORAGE_OTHER_ACCOUNT,
        Reason.STORAGE_UNREAD,
        Reason.STORAGE_NOT_FOUND,
        Reason.STORAGE_NOT_ENCRYPTED,
        Reason.STORAGE_KEY_UNWANTED,
        Reason.ENCRYPTION_KEY_UNUSABLE,
        Reason.INFRASTRUCTURE_ENCRYPTION_MISSING,
        Reason.STORAGE_TRANSPORT_WEAK,
        Reason.STORAGE_OPEN,
        Reason.STORAGE_ROLE_MISSING,
        Reason.STORAGE_SECRET_MISSING,
        Reason.STORAGE_SECRET_REFUSED,
    }
)
# Why Azure could not be asked, or did not answer: carried by every condition that rests on the cache.
_UNREAD: Final = frozenset(
    {
        Reason.PENDING,
        Reason.PAUSED,
        Reason.UNKNOWN,
        Reason.SERVICE_NOT_SUPPORTED_YET,
        Reason.SERVICE_ACCOUNT_NOT_FOUND,
        Reason.SERVICE_ACCOUNT_NOT_ANNOTATED,
        Reason.CONSENT_MISSING,
        Reason.NAMESPACE_NOT_BOUND,
        Reason.NO_IDENTITY,
        Reason.NOT_GRANTED,
        Reason.TOKEN_REFUSED,
        Reason.AZURE_UNREACHABLE,
        Reason.AZURE_THROTTLED,
        Reason.AZURE_DENIED,
        Reason.AZURE_ERROR,
        Reason.SUBSCRIPTION_UNAVAILABLE,
        Reason.REQUEST_REFUSED,
        Reason.UPDATING,  # our own write overtook the read
        Reason.INTERNAL_ERROR,
    }
)
_ABSENT: Final = frozenset(
    {
        Reason.CACHE_NOT_FOUND,
        Reason.CACHE_GONE,
        Reason.CONFIRMING_ABSENCE,
        Reason.CREATE_INTENDED,
        Reason.CREATING,
    }
)
_WRITE_REFUSED: Final = frozenset(
    {
        Reason.DENIED_BY_POLICY,
        Reason.LOCKED,
        Reason.RETIRED,
        Reason.NAME_TAKEN,
        Reason.QUOTA_EXCEEDED,
        Reason.REQUEST_REFUSED,
        Reason.BUSY,
        Reason.READ_ONLY,
        Reason.FIRST_LOOK,
    }
)
# Why a correction that is wanted is not made.
_HELD_CORRECTION: Final = frozenset({Reason.DISRUPTION_NOT_ALLOWED, Reason.CONTESTED, Reason.CAPPED, Reason.MASS_DRIFT})
_AVAILABLE: Final = (
    _UNREAD
    | _ABSENT
    | _WRITE_REFUSED
    | {
        Reason.AVAILABLE,
        Reason.UPDATING,
        Reason.DELETING,
        Reason.CACHE_FAILED,
        Reason.CACHE_DISABLED,
        Reason.PROVISIONING_FAILED,
        Reason.NO_ROUTE,
        Reason.DATABASE_MISSING,
        Reason.DELETION_UNKNOWN,
    }
)
_CREDENTIALS: Final = (_UNREAD - {Reason.SERVICE_NOT_SUPPORTED_YET}) | {
    Reason.PUBLISHED,
    Reason.PROGRESSING,
    Reason.ACCESS_KEYS_DISABLED,
    Reason.AUTHENTICATION_DISABLED,
    Reason.VAULT_NOT_ALLOWED,
    Reason.VAULT_NOT_FOUND,
    Reason.VAULT_FORBIDDEN,
    Reason.VAULT_FIREWALL,
    Reason.VAULT_OTHER_TENANT,
    Reason.VAULT_SECRET_NOT_FOUND,
    Reason.VAULT_SECRET_DISABLED,
    Reason.VAULT_SECRET_EXPIRED,
    Reason.VAULT_SECRET_NOT_YET_VALID,
    Reason.VAULT_SECRET_FOREIGN,
    Reason.VAULT_SECRET_DELETED,
    Reason.KEY_MALFORMED,
    Reason.KEY_MISMATCH,
    Reason.KEY_UNPROVEN,
    Reason.STORING_KEY,
    Reason.NOT_OWNED,
    Reason.NOT_LEADING,
    Reason.READ_ONLY,
    Reason.FIRST_LOOK,
    Reason.SECRET_FOREIGN,
    Reason.SECRET_IMMUTABLE,
    Reason.SECRET_DELETING,
    Reason.SECRET_REFUSED,
    Reason.NAMESPACE_TERMINATING,
}
_READY: Final = ((_AVAILABLE | _CREDENTIALS) - {Reason.AVAILABLE, Reason.PUBLISHED}) | {
    Reason.READY,
    Reason.ASSESSED,
    Reason.OWNED_BY_ANOTHER,
    Reason.CONFIRMATION_REQUIRED,
    Reason.INVALID_SPEC,
    Reason.INVALID_RESOURCE_ID,
    Reason.LIMIT_REACHED,
}

CONDITIONS: Final[Mapping[ConditionType, ConditionText]] = {
    ConditionType.READY: ConditionText(
        "Is what was asked for in place, for this generation of the object?",
        "The published Secret holds a proven key and the cache serves; without `spec.authentication`, the cache was "
        "assessed. It does not say that the cache is safe: see TransportSecured and Compliant.",
        "Something that was asked for is missing; the reason says what.",
        "Not looked at yet, or it could not be seen. A resource that was Ready for this generation stays Ready while "
        "only an outage of Azure or Key Vault hides it and its Secret is intact.",
        _READY,
    ),
    ConditionType.RECONCILING: ConditionText(
        "Is the operator waiting for something that is under way?",
        "Work is under way, in Azure or here; the reason says what is awaited.",
        "Never written: the condition is left out instead.",
        "Never written.",
        frozenset(
            {
                Reason.CONFIRMING_ABSENCE,
                Reason.CREATE_INTENDED,
                Reason.CREATING,
                Reason.UPDATING,
                Reason.DELETING,
                Reason.STORING_KEY,
                Reason.SECRET_DELETING,
                Reason.ROLLING_OUT,
                Reason.ROTATING,
            }
        ),
        "Nothing is awaited, or the resource is Stalled or paused.",
    ),
    ConditionType.STALLED: ConditionText(
        "Is there something that no retry mends?",
        "Somebody has to act; the reason says on what. The operator still looks again, in case somebody did.",
        "Never written: the condition is left out instead.",
        "Never written.",
        frozenset(reason for reason, text in REASONS.items() if text.terminal),
        "Nothing is known that only a person can mend.",
    ),
    ConditionType.CACHE_AVAILABLE: ConditionText(
        "Does the cache exist and serve under the host and port shown?",
        "Azure reports it usable, and there is a route: public access, an approved private endpoint or a subnet.",
        "It is not there, is not usable, or nothing can reach it.",
        "It could not be read.",
        _AVAILABLE,
    ),
    ConditionType.TRANSPORT_SECURED: ConditionText(
        "Does the cache accept TLS 1.2 or newer and nothing else?",
        "Azure reports the non-TLS port off (Managed Redis: clientProtocol Encrypted) and a minimum TLS version of 1.2 "
        "or newer, set explicitly, and the probe saw nothing else. What the probe could not see changes nothing here; "
        "the message tells it.",
        "The non-TLS port is open, or a broken TLS version is accepted, by what Azure reports or by what the probe "
        "saw; or the probe saw a certificate that is expired, not trusted or for another name.",
        "The cache could not be read, or Azure did not say. Absent is never taken as safe.",
        _UNREAD
        | _ABSENT
        | _WRITE_REFUSED
        | {
            Reason.SECURED,
            Reason.NON_TLS_PORT_OPEN,
            Reason.PLAINTEXT_PROTOCOL,
            Reason.DATABASE_MISSING,
            Reason.MINIMUM_TLS_TOO_LOW,
            Reason.MINIMUM_TLS_UNSET,
            Reason.TLS_TOO_OLD_ACCEPTED,
            Reason.CERTIFICATE_NOT_TRUSTED,
            Reason.CERTIFICATE_NAME_MISMATCH,
            Reason.CERTIFICATE_EXPIRED,
            Reason.DELETION_UNKNOWN,
        },
    ),
    ConditionType.PERSISTENCE_ENCRYPTED: ConditionText(
        "Is what the cache persists encrypted as wanted, all the way to the key?",
        "Every link was seen: the account that holds the data, whose key encrypts it and that the key can be used, "
        "infrastructure encryption where it is required, HTTPS with TLS 1.2 or newer, no public blobs and, with "
        "managed identity, no open network. Managed Redis: its own disks, and that a key of yours can be used.",
        "A link is broken, or what was asked for is not persisted; the message names the first such link and a remedy.",
        "The cache, the account or its key could not be read; the message names the permission that is missing.",
        _UNREAD
        | _ABSENT
        | _WRITE_REFUSED
        | PERSISTENCE
        | {
            Reason.PERSISTENCE_ENCRYPTED,
            Reason.VAULT_NOT_FOUND,
            Reason.VAULT_NOT_ALLOWED,
            Reason.VAULT_OTHER_TENANT,
            Reason.DELETION_UNKNOWN,
        },
        "Nothing is persisted and nothing was asked for.",
    ),
    ConditionType.CREDENTIALS_SYNCED: ConditionText(
        "Does the Secret hold the key that Key Vault holds, and was that key proven to be live?",
        "The Secret is published with a proven key.",
        "It is not, and the reason says why. A good Secret that was published earlier stays as it is.",
        "Key Vault, Azure or the Secret could not be read.",
        _CREDENTIALS | {Reason.BUSY, Reason.LOCKED, Reason.DENIED_BY_POLICY, Reason.CACHE_NOT_FOUND},
        "No `spec.authentication`: no Secret was asked for.",
    ),
    ConditionType.COMPLIANT: ConditionText(
        "Did every security rule pass?",
        "No rule failed and none was left unjudged. Rules of severity Low and Info, and waived ones, do not count.",
        "At least one rule failed; `status.compliance.findings` lists them.",
        "The cache could not be read, or a rule could not be judged.",
        _UNREAD | _ABSENT | _WRITE_REFUSED | {Reason.COMPLIANT, Reason.FINDINGS, Reason.DELETION_UNKNOWN},
    ),
    ConditionType.DRIFT_DETECTED: ConditionText(
        "Does Azure differ from what the spec declares?",
        "It does; `status.drift` lists each field with what it endangers, and the reason says why a wanted correction "
        "is held back. This is the abnormal state.",
        "Azure is as declared.",
        "The cache could not be read. Unknown is never shown as no drift.",
        _UNREAD
        | _ABSENT
        | _WRITE_REFUSED
        | {
            Reason.DRIFTED,
            Reason.NO_DRIFT,
            Reason.DELETION_UNKNOWN,
            Reason.ADOPTION_REQUIRED,
            Reason.WOULD_DISCONNECT,
            Reason.NOT_GRANTED,
            Reason.PROVISIONING_FAILED,
            Reason.STORAGE_ROLE_MISSING,
            Reason.STORAGE_SECRET_MISSING,
            Reason.STORAGE_SECRET_REFUSED,
            Reason.STORAGE_NOT_FOUND,
            Reason.STORAGE_UNREAD,
            *_HELD_CORRECTION,
        },
    ),
    ConditionType.WORKLOADS_CURRENT: ConditionText(
        "Does every pod of the listed workloads hold the key that the Secret holds?",
        "Every workload of `spec.workloads` is injected, and each of its pods was started with the current key (or "
        "re-reads it, as `reloadsFiles` says).",
        "A workload is not injected, or a pod is behind; the reason says why and `status.workloads` lists which.",
        "The workloads could not be read, or no Secret is published yet.",
        WORKLOADS
        | {
            Reason.WORKLOADS_CURRENT,
            Reason.NO_WORKLOAD_RIGHTS,
            Reason.UNKNOWN,
            Reason.PENDING,
            Reason.PAUSED,
            Reason.INTERNAL_ERROR,
        },
        "No `spec.workloads`, and none was injected.",
    ),
}

# Told by an event only: no status is left to write, or it is another install's; or a correction comes next.
EVENT_ONLY: Final = frozenset({Reason.RETAINED, Reason.ABANDONED, Reason.CORRECTING, Reason.OPERATED_BY_ANOTHER})

# Where a rotation is, or what it waits for: on `status.rotation.reason`, and in events.
ROTATION: Final = frozenset(
    {
        Reason.ROTATING,
        Reason.ROTATED,
        Reason.ROTATION_SCHEDULED,
        Reason.ROTATION_READ_ONLY,
        Reason.NOT_LEADING,
        Reason.GEO_REPLICATED,
        Reason.APPROVAL_REQUIRED,
        Reason.OVERLAP_NOT_OVER,
        Reason.OUTSIDE_WINDOW,
        Reason.HOLDERS_BEHIND,
        Reason.FORCE_NOT_ALLOWED,
        Reason.REGENERATING,
        Reason.KEY_NOT_ACCEPTED,
        Reason.ROTATION_SUPERSEDED,
        Reason.CAPPED,
        Reason.READ_ONLY,
        Reason.FIRST_LOOK,
    }
)
