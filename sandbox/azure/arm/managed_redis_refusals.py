"""Refusals of the provider of clusters, whose texts have another time and other ids each time."""

from datetime import UTC, datetime

from sandbox.azure.access.call import Call
from sandbox.azure.responses import Refusal
from sandbox.azure.state.managed_redis import TYPE

_CONFLICT = "A resource with this name already exists or is in a conflicting state."


def refusal(call: Call, status: int, code: str, text: str) -> Refusal:
    """Return a refusal in the provider's form."""
    at = datetime.fromtimestamp(call.world.timeline.now(), UTC)
    ids = f"CorrelationID={call.correlation_id} RequestID={call.request_id} Timestamp={at:%m/%d/%Y %H:%M:%S} (UTC)"
    return Refusal(status, code, f"{text} {ids}", target=True)


def bad_request(call: Call, text: str) -> Refusal:
    """Return the refusal of a value."""
    return refusal(call, 400, "BadRequest", text)


def conflict(call: Call) -> Refusal:
    """Return the refusal for a name that is taken, and for a cluster that is busy or was not created."""
    return refusal(call, 409, "Conflict", _CONFLICT)


def not_found(call: Call, what: str) -> Refusal:
    """Return the provider's refusal for a missing resource; a setting makes it Resource Manager's.

    Resource Manager sends the GET of a deleted cluster, or of a missing child, to the provider for a while.
    """
    settings = call.world.settings
    code = settings.managed_missing_database_code if "/" in what else "ResourceNotFound"
    if settings.managed_provider_words:
        return refusal(call, 404, code, "A requested resource could not be found. It may already have been deleted.")
    text = f"The Resource '{TYPE}/{what}' was not found. For more details please go to "
    return Refusal(404, code, f"{text}https://aka.ms/ARMResourceNotFoundFix")


def no_parent(scope: str, operation: str) -> Refusal:
    """Return Resource Manager's refusal of a write to the database of a missing cluster."""
    return Refusal(
        404,
        "ParentResourceNotFound",
        f"Failed to perform '{operation}' on resource(s) of type 'redisEnterprise/databases', because the parent "
        f"resource '{scope}' could not be found.",
    )


def not_supported() -> Refusal:
    """Return the refusal of a method that an address does not have."""
    return Refusal(405, "HttpMethodNotSupported", "The http method is not supported at this address.")
