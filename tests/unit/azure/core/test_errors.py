"""Every refusal that facts and documentation name, as the SDKs deliver it."""

import json
import socket
import ssl
from typing import Any

import aiohttp
import pytest
from aiohttp.client_reqrep import ConnectionKey
from azure.core.exceptions import (
    ClientAuthenticationError,
    DecodeError,
    DeserializationError,
    HttpResponseError,
    ResourceExistsError,
    ResourceNotFoundError,
    ServiceRequestError,
    ServiceResponseError,
    ServiceResponseTimeoutError,
)
from azure.identity import CredentialUnavailableError
from azure.mgmt.core.exceptions import ARMErrorFormat

from secure_redis.api.reasons.reason import Reason
from secure_redis.azure.core.errors import classify
from secure_redis.azure.core.failures import (
    Denied,
    Failure,
    Guard,
    IdentityUnavailable,
    Missing,
    NotFound,
    Permanent,
    Source,
    Transient,
    unknown,
)
from secure_redis.domain.observe.unknown import Unknown

REQUEST = "0f8fad5b-d9cb-469f-a165-70867728950e"
SUBSCRIPTION = "11111111-2222-3333-4444-555555555555"
CACHE = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/shop/providers/Microsoft.Cache/redis/orders"
ARM, VAULT, ENTRA = Source.RESOURCE_MANAGER, Source.VAULT, Source.ENTRA


class Answer:
    """An answer as azure-core's exceptions read it."""

    def __init__(self, status: int, text: str, headers: dict[str, str] | None = None) -> None:
        self.status_code = status
        self.reason = "reason"
        self.headers = headers or {}
        self._text = text

    def text(self, encoding: str | None = None) -> str:
        return self._text


def http(status: int, body: Any, headers: dict[str, str] | None = None) -> HttpResponseError:
    kinds = {401: ClientAuthenticationError, 404: ResourceNotFoundError, 409: ResourceExistsError}
    text = body if isinstance(body, str) else json.dumps(body)
    kind: type[HttpResponseError] = kinds.get(status, HttpResponseError)
    return kind(response=Answer(status, text, headers), error_format=ARMErrorFormat)  # type: ignore[arg-type]


def arm(status: int, code: str, message: str, **more: Any) -> HttpResponseError:
    return http(status, {"error": {"code": code, "message": message, **more}})


def vault(status: int, code: str, message: str, inner: str | None = None) -> HttpResponseError:
    error: dict[str, Any] = {"code": code, "message": message}
    if inner:
        error["innererror"] = {"code": inner}
    return http(status, {"error": error})


ARM_TABLE = [
    (
        arm(
            400,
            "BadRequest",
            "Azure Cache for Redis is retiring, create Azure Managed Redis instance instead. "
            f"https://aka.ms/AzureCacheForRedisRetirement\nRequestID={REQUEST}",
        ),
        Permanent,
        Reason.RETIRED,
    ),
    (
        arm(
            400,
            "BadRequest",
            "Creation of new Azure Cache for Redis Enterprise resources is no longer supported. "
            "Azure Cache for Redis Enterprise is retiring, please create Azure Managed Redis instead.",
        ),
        Permanent,
        Reason.RETIRED,
    ),
    (
        arm(
            409,
            "Conflict",
            f"The resource '{CACHE}' is busy processing a previous update request or is undergoing system "
            "maintenance.  As such, it is currently unable to accept the update request.  Please try again later.\n"
            f"RequestID={REQUEST}",
        ),
        Transient,
        Reason.BUSY,
    ),
    (
        arm(409, "NameNotAvailable", "An error occured when trying to reserve the DNS name for the cache instance."),
        Transient,
        Reason.NAME_TAKEN,
    ),
    (
        arm(409, "MissingSubscriptionRegistration", "The subscription is not registered to use namespace"),
        Permanent,
        Reason.SUBSCRIPTION_UNAVAILABLE,
    ),
    (
        arm(404, "SubscriptionNotFound", f"The subscription '{SUBSCRIPTION}' could not be found."),
        Permanent,
        Reason.SUBSCRIPTION_UNAVAILABLE,
    ),
    (
        arm(
            409,
            "ReadOnlyDisabledSubscription",
            f"The subscription '{SUBSCRIPTION}' is disabled and therefore marked as read only.",
        ),
        Permanent,
        Reason.SUBSCRIPTION_UNAVAILABLE,
    ),
    (
        arm(403, "ReadOnlyDisabledSubscription", "The subscription is disabled"),
        Permanent,
        Reason.SUBSCRIPTION_UNAVAILABLE,
    ),
    (
        arm(400, "BadRequest", "Access key authentication is disabled for this cache. Keys cannot be listed."),
        Permanent,
        Reason.ACCESS_KEYS_DISABLED,
    ),
    (arm(409, "QuotaExceeded", "The quota is exceeded"), Permanent, Reason.QUOTA_EXCEEDED),
    (
        arm(400, "BadRequest", "Operation results in exceeding approved quota of caches"),
        Permanent,
        Reason.QUOTA_EXCEEDED,
    ),
    (
        arm(403, "ScopeLocked", f"The scope '{CACHE}' cannot perform delete operation because of locks"),
        Denied,
        Reason.LOCKED,
    ),
    (arm(409, "ScopeLocked", "The scope is locked"), Denied, Reason.LOCKED),
    (arm(409, "SomeConflict", "A conflict"), Transient, Reason.BUSY),
    (
        arm(400, "InvalidRequestBody", f"The value is invalid.\r\nRequestID={REQUEST}"),
        Permanent,
        Reason.REQUEST_REFUSED,
    ),
    (arm(500, "InternalServerError", "x"), Transient, Reason.AZURE_ERROR),
    (arm(503, "ServerBusy", "x"), Transient, Reason.AZURE_ERROR),
    (arm(504, "GatewayTimeout", "x"), Transient, Reason.AZURE_ERROR),
    (arm(401, "InvalidAuthenticationToken", "The access token is invalid."), Transient, Reason.TOKEN_REFUSED),
    (http(502, "<html>Bad gateway</html>"), Transient, Reason.AZURE_ERROR),
    (http(200, "<html>Sign in</html>"), Transient, Reason.AZURE_ERROR),
    (http(400, '{"error": {"code": "BadReq'), Transient, Reason.AZURE_ERROR),
    (http(307, ""), Transient, Reason.AZURE_ERROR),
    (
        arm(404, "ResourceNotFound", f"The Resource 'Microsoft.Cache/redis/orders' was not found. {REQUEST}"),
        NotFound,
        Reason.CACHE_NOT_FOUND,
    ),
    (http(404, ""), Transient, Reason.AZURE_ERROR),
    (arm(404, "InvalidResourceType", "The resource type could not be found"), Transient, Reason.AZURE_ERROR),
    (arm(404, "ParentResourceNotFound", "the parent could not be found"), NotFound, Reason.CACHE_NOT_FOUND),
    (DecodeError(message="JSON is invalid"), Transient, Reason.AZURE_ERROR),
    (DeserializationError("x"), Transient, Reason.AZURE_ERROR),
    (ServiceResponseTimeoutError("x"), Transient, Reason.AZURE_UNREACHABLE),
    (TimeoutError(), Transient, Reason.AZURE_UNREACHABLE),
    (ServiceResponseError("Connection reset"), Transient, Reason.AZURE_UNREACHABLE),
    (RuntimeError("x"), Transient, Reason.INTERNAL_ERROR),
]


@pytest.mark.parametrize(("error", "kind", "reason"), ARM_TABLE)
def test_resource_manager(error: Exception, kind: type[Failure], reason: Reason) -> None:
    failure = classify(error, ARM)
    assert isinstance(failure, kind)
    assert failure.reason is reason
    assert REQUEST not in failure.message or "Resource '" in failure.message


def test_a_denied_action_names_action_and_scope() -> None:
    failure = classify(
        arm(
            403,
            "AuthorizationFailed",
            f"The client '{REQUEST}' with object id '{REQUEST}' does not have authorization to perform action "
            f"'Microsoft.Cache/redis/read' over scope '{CACHE}' or the scope is invalid. If access was recently "
            "granted, please refresh your credentials.",
        )
    )
    assert isinstance(failure, Denied)
    assert (failure.reason, failure.by) == (Reason.AZURE_DENIED, Guard.ROLE)
    assert f"Microsoft.Cache/redis/read on {CACHE.lower()}" in failure.message


def test_a_denied_linked_resource_is_reported() -> None:
    failure = classify(
        arm(
            403,
            "LinkedAuthorizationFailed",
            "The client has permission to perform action 'Microsoft.Network/virtualNetworks/subnets/join/action' on "
            "the linked scope(s) but not here",
        )
    )
    assert isinstance(failure, Denied)
    assert "subnets/join/action" in failure.message
    assert "links to" in failure.message


def test_a_policy_is_named() -> None:
    failure = classify(
        arm(
            403,
            "RequestDisallowedByPolicy",
            "Resource 'orders' was disallowed by policy.",
            additionalInfo=[
                {
                    "type": "PolicyViolation",
                    "info": {"policyAssignmentName": "deny-public", "policyAssignmentDisplayName": "No public caches"},
                }
            ],
        )
    )
    assert isinstance(failure, Denied)
    assert (failure.reason, failure.by) == (Reason.DENIED_BY_POLICY, Guard.POLICY)
    assert "No public caches" in failure.message


def test_a_policy_is_named_from_the_text_too() -> None:
    failure = classify(
        arm(
            403,
            "RequestDisallowedByPolicy",
            "Resource 'orders' was disallowed by policy. Policy identifiers: '[{\"policyAssignment\":"
            '{"name":"deny-public","id":"/subscriptions/x"},"policyDefinition":{"name":"y"}}]\'.',
        )
    )
    assert "deny-public" in failure.message


def test_a_missing_group_is_distinguished_from_a_missing_cache() -> None:
    failure = classify(arm(404, "ResourceGroupNotFound", "Resource group 'shop' could not be found."))
    assert isinstance(failure, NotFound)
    assert failure.what is Missing.GROUP


@pytest.mark.parametrize(("source"), [ARM, VAULT, ENTRA])
def test_throttling_carries_the_required_seconds(source: Source) -> None:
    failure = classify(http(429, {"error": {"code": "TooManyRequests", "message": "x"}}, {"Retry-After": "17"}), source)
    assert isinstance(failure, Transient)
    assert (failure.reason, failure.retry_after) == (Reason.AZURE_THROTTLED, 17)


def test_503_carries_them_too() -> None:
    failure = classify(http(503, "busy", {"Retry-After": "9"}))
    assert isinstance(failure, Transient)
    assert failure.retry_after == 9


VAULT_TABLE = [
    (vault(404, "SecretNotFound", "A secret with (name/id) x was not found"), NotFound, Reason.VAULT_SECRET_NOT_FOUND),
    (vault(403, "Forbidden", "x", "ForbiddenByRbac"), Denied, Reason.VAULT_FORBIDDEN),
    (vault(403, "Forbidden", "x", "ForbiddenByPolicy"), Denied, Reason.VAULT_FORBIDDEN),
    (vault(403, "Forbidden", "x", "AccessDenied"), Denied, Reason.VAULT_FORBIDDEN),
    (
        vault(403, "Forbidden", "Client address is not authorized", "ForbiddenByFirewall"),
        Denied,
        Reason.VAULT_FIREWALL,
    ),
    (
        vault(403, "Forbidden", "Operation get is not allowed on a disabled secret.", "SecretDisabled"),
        Denied,
        Reason.VAULT_SECRET_DISABLED,
    ),
    (
        vault(409, "Conflict", "Secret x is currently deleted", "ObjectIsDeletedButRecoverable"),
        Permanent,
        Reason.VAULT_SECRET_DELETED,
    ),
    (vault(409, "Conflict", "x", "ObjectIsBeingDeleted"), Permanent, Reason.VAULT_SECRET_DELETED),
    (vault(401, "Unauthorized", "AKV10000: missing"), Transient, Reason.TOKEN_REFUSED),
    (vault(401, "Unauthorized", "AKV10032: Invalid issuer."), Denied, Reason.VAULT_OTHER_TENANT),
    (vault(400, "BadParameter", "The request URI contains an invalid name"), Permanent, Reason.REQUEST_REFUSED),
    (vault(500, "InternalServerError", "x"), Transient, Reason.AZURE_ERROR),
    (http(200, "<html>"), Transient, Reason.AZURE_ERROR),
    (
        ValueError("The challenge resource 'evil.example' does not match the requested domain."),
        Denied,
        Reason.VAULT_NOT_ALLOWED,
    ),
]


@pytest.mark.parametrize(("error", "kind", "reason"), VAULT_TABLE)
def test_vault(error: Exception, kind: type[Failure], reason: Reason) -> None:
    failure = classify(error, VAULT)
    assert isinstance(failure, kind)
    assert failure.reason is reason


def aadsts(number: int, text: str, status: int = 400) -> ClientAuthenticationError:
    message = f"AADSTS{number}: {text} Trace ID: {REQUEST} Correlation ID: {REQUEST} Timestamp: 2026-11-24 10:00:00Z"
    body = {"error": "invalid_client", "error_description": message, "error_codes": [number]}
    return ClientAuthenticationError(message=message, response=Answer(status, json.dumps(body)))  # type: ignore[arg-type]


@pytest.mark.parametrize("source", [ARM, VAULT, ENTRA])
@pytest.mark.parametrize(
    ("error", "reason", "says"),
    [
        (
            aadsts(700213, "No match for subject 'system:serviceaccount:shop:orders'."),
            Reason.TOKEN_REFUSED,
            "shop:orders",
        ),
        (aadsts(700211, "issuer"), Reason.TOKEN_REFUSED, "issuer"),
        (aadsts(700212, "audience"), Reason.TOKEN_REFUSED, "audience"),
        (aadsts(700016, "app"), Reason.TOKEN_REFUSED, "client-id"),
        (aadsts(90002, "tenant"), Reason.TOKEN_REFUSED, "tenant-id"),
        (aadsts(700024, "not within its valid time range"), Reason.TOKEN_REFUSED, "clock"),
        (aadsts(123456789, "new"), Reason.TOKEN_REFUSED, "AADSTS123456789"),
        (aadsts(90033, "temporarily unavailable"), Reason.AZURE_ERROR, "passing"),
        (aadsts(50196, "loop"), Reason.AZURE_THROTTLED, "throttling"),
        (aadsts(0, "x", 429), Reason.AZURE_THROTTLED, "throttling"),
    ],
)
def test_entra(error: Exception, reason: Reason, says: str, source: Source) -> None:
    failure = classify(error, source)
    assert failure.reason is reason
    assert says in failure.message
    assert REQUEST not in failure.message
    assert "2026" not in failure.message


def test_an_identity_that_is_not_there() -> None:
    failure = classify(CredentialUnavailableError(message="ManagedIdentityCredential: no endpoint"), ARM)
    assert failure.reason is Reason.TOKEN_REFUSED


def test_the_message_from_kubernetes_is_passed_on() -> None:
    failure = classify(IdentityUnavailable(Unknown(Reason.NAMESPACE_NOT_BOUND, "apply this", 5.0)))
    assert failure == Transient(Reason.NAMESPACE_NOT_BOUND, "apply this", 5.0)


KEY = ConnectionKey("shop.vault.azure.net", 443, True, True, None, None, None)


def connection(error: aiohttp.ClientError) -> ServiceRequestError:
    return ServiceRequestError(error, error=error)


@pytest.mark.parametrize(
    ("inner", "reason", "says"),
    [
        (
            aiohttp.ClientConnectorDNSError(KEY, socket.gaierror(-2, "Name or service not known")),
            Reason.VAULT_NOT_FOUND,
            "does not resolve",
        ),
        (
            aiohttp.ClientConnectorError(KEY, ConnectionRefusedError(111, "Connect call failed ('10.1.2.3', 443)")),
            Reason.AZURE_UNREACHABLE,
            "refuses connections",
        ),
        (
            aiohttp.ClientConnectorCertificateError(KEY, ssl.SSLCertVerificationError("self-signed")),
            Reason.AZURE_UNREACHABLE,
            "certificate",
        ),
        (aiohttp.ServerDisconnectedError(), Reason.AZURE_UNREACHABLE, "broke"),
        (aiohttp.ClientOSError(104, "Connection reset by peer"), Reason.AZURE_UNREACHABLE, "broke"),
        (aiohttp.ClientPayloadError("not completed"), Reason.AZURE_ERROR, "truncated"),
    ],
)
def test_connections(inner: aiohttp.ClientError, reason: Reason, says: str) -> None:
    failure = classify(connection(inner), VAULT)
    assert isinstance(failure, Transient)
    assert failure.reason is reason
    assert says in failure.message
    assert "10.1.2.3" not in failure.message  # another address at the next try would change the status


def test_only_the_lasting_ones_are_permanent() -> None:
    assert unknown(Permanent(Reason.RETIRED, "x")).permanent
    assert unknown(Transient(Reason.BUSY, "x", 3.0)) == Unknown(Reason.BUSY, "x", 3.0)
    assert not unknown(Denied(Reason.LOCKED, "x", Guard.LOCK)).permanent
    assert not unknown(NotFound(Reason.CACHE_NOT_FOUND, "x")).permanent
