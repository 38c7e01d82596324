"""Define the four kinds of failures that all other code distinguishes.

`maybe_done` on each: the request may have taken effect all the same, because no answer of the service reports that it
did not. It matters for writes only.
"""

from dataclasses import dataclass
from enum import StrEnum

from azure.core.exceptions import AzureError

from secure_redis.api.reasons.reason import Reason
from secure_redis.domain.observe.unknown import Unknown
from secure_redis.domain.plan.write_failure import WriteFailure


class Source(StrEnum):
    """The service that was called."""

    RESOURCE_MANAGER = "Azure Resource Manager"
    VAULT = "the Key Vault"
    ENTRA = "Microsoft Entra ID"


class Guard(StrEnum):
    """The kind of control that denied a request."""

    ROLE = "Role"
    POLICY = "Policy"
    LOCK = "Lock"
    FIREWALL = "Firewall"
    TENANT = "Tenant"
    ENTRA = "Entra"
    CLOUD = "Cloud"  # the operator itself: the host is not one of the configured cloud


class Missing(StrEnum):
    """The kind of object that a 404 is about."""

    RESOURCE = "Resource"
    GROUP = "Group"
    SECRET = "Secret"  # noqa: S105 - a kind of thing


@dataclass(frozen=True, slots=True)
class Transient:
    """A failure that ends by itself. `retry_after` in seconds where the service named a time."""

    reason: Reason
    message: str
    retry_after: float | None = None
    maybe_done: bool = False


@dataclass(frozen=True, slots=True)
class Permanent:
    """A failure that no retry repairs: the request, the spec or the subscription has to change."""

    reason: Reason
    message: str
    maybe_done: bool = False


@dataclass(frozen=True, slots=True)
class NotFound:
    """The service answered that the object does not exist."""

    reason: Reason
    message: str
    what: Missing = Missing.RESOURCE
    maybe_done: bool = False


@dataclass(frozen=True, slots=True)
class Denied:
    """A request that a person has to allow. `by`: what refused it. `code`: the service's own code."""

    reason: Reason
    message: str
    by: Guard
    code: str = ""
    maybe_done: bool = False


Failure = Transient | Permanent | NotFound | Denied


def unknown(failure: Failure) -> Unknown:
    """Return why a read failed."""
    return Unknown(
        reason=failure.reason,
        message=failure.message,
        retry_after=failure.retry_after if isinstance(failure, Transient) else None,
        permanent=isinstance(failure, Permanent),
    )


def write_failure(failure: Failure) -> WriteFailure:
    """Return why a write failed."""
    return WriteFailure(
        reason=failure.reason,
        message=failure.message,
        retry_after=failure.retry_after if isinstance(failure, Transient) else None,
        permanent=isinstance(failure, Permanent),
        maybe_done=failure.maybe_done,
    )


class Refused(AzureError):
    """Raised before a request is sent, by a policy or a credential, with the failure already known."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.message)
        self.failure = failure


class IdentityUnavailable(Exception):
    """For `request_token`: the Kubernetes side could not get the ServiceAccount's token; `unknown` names the cause."""

    def __init__(self, unknown: Unknown) -> None:
        super().__init__(unknown.message)
        self.unknown = unknown
