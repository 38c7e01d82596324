"""What went wrong, in the four kinds that the rest of the code tells apart.

`maybe_done` on each: what was asked for may have been done all the same, because no answer of the service says that it
was not. It matters for writes only.
"""

from dataclasses import dataclass
from enum import StrEnum

from azure.core.exceptions import AzureError

from secure_redis.api.reasons.reason import Reason
from secure_redis.domain.observe.unknown import Unknown
from secure_redis.domain.plan.write_failure import WriteFailure


class Source(StrEnum):
    """Who was asked."""

    RESOURCE_MANAGER = "Azure Resource Manager"
    VAULT = "the Key Vault"
    ENTRA = "Microsoft Entra ID"


class Guard(StrEnum):
    """What denied a request."""

    ROLE = "Role"
    POLICY = "Policy"
    LOCK = "Lock"
    FIREWALL = "Firewall"
    TENANT = "Tenant"
    ENTRA = "Entra"
    CLOUD = "Cloud"  # ourselves: the host is not one of the configured cloud


class Missing(StrEnum):
    """What a 404 is about."""

    RESOURCE = "Resource"
    GROUP = "Group"
    SECRET = "Secret"  # noqa: S105 - a kind of thing


@dataclass(frozen=True, slots=True)
class Transient:
    """Mends itself. `retry_after` in seconds where the other side named a time."""

    reason: Reason
    message: str
    retry_after: float | None = None
    maybe_done: bool = False


@dataclass(frozen=True, slots=True)
class Permanent:
    """No retry mends it: the request, the spec or the subscription has to change."""

    reason: Reason
    message: str
    maybe_done: bool = False


@dataclass(frozen=True, slots=True)
class NotFound:
    """The other side said that there is no such thing."""

    reason: Reason
    message: str
    what: Missing = Missing.RESOURCE
    maybe_done: bool = False


@dataclass(frozen=True, slots=True)
class Denied:
    """Somebody has to allow it; a later try may succeed. `by` says who refused, `code` is the service's own word."""

    reason: Reason
    message: str
    by: Guard
    code: str = ""
    maybe_done: bool = False


Failure = Transient | Permanent | NotFound | Denied


def unknown(failure: Failure) -> Unknown:
    """Why a read failed."""
    return Unknown(
        reason=failure.reason,
        message=failure.message,
        retry_after=failure.retry_after if isinstance(failure, Transient) else None,
        permanent=isinstance(failure, Permanent),
    )


def write_failure(failure: Failure) -> WriteFailure:
    """Why a write failed."""
    return WriteFailure(
        reason=failure.reason,
        message=failure.message,
        retry_after=failure.retry_after if isinstance(failure, Transient) else None,
        permanent=isinstance(failure, Permanent),
        maybe_done=failure.maybe_done,
    )


class Refused(AzureError):
    """Raised on our side of the wire, by a policy or a credential, with the failure already known."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.message)
        self.failure = failure


class IdentityUnavailable(Exception):
    """For `request_token`: the Kubernetes side could not get the ServiceAccount's token; `unknown` says why."""

    def __init__(self, unknown: Unknown) -> None:
        super().__init__(unknown.message)
        self.unknown = unknown
