"""Writes that may have been done without an answer of success, and the missing permission of a vault."""

import socket
import ssl

import aiohttp
import pytest
from azure.core.exceptions import (
    DecodeError,
    DeserializationError,
    ServiceRequestError,
    ServiceRequestTimeoutError,
    ServiceResponseError,
    ServiceResponseTimeoutError,
)
from azure.identity import CredentialUnavailableError

from secure_redis.api.reasons.reason import Reason
from secure_redis.azure.core.errors import classify
from secure_redis.azure.core.failures import (
    Denied,
    IdentityUnavailable,
    Refused,
    Transient,
    write_failure,
)
from secure_redis.azure.core.transport import AnswerLost
from secure_redis.domain.observe.unknown import Unknown
from tests.unit.azure.core.test_errors import (
    ARM,
    ENTRA,
    KEY,
    VAULT,
    Answer,
    aadsts,
    arm,
    connection,
    http,
    vault,
)


def incomplete(status: int) -> DecodeError:
    return DecodeError("cut", response=Answer(status, '{"primaryKey": "'))  # type: ignore[arg-type]


IN_DOUBT = [
    (http(200, "<html>"), True),
    (http(202, ""), True),
    (http(307, ""), True),
    (incomplete(200), True),
    (incomplete(403), False),
    (arm(400, "BadRequest", "x"), False),
    (arm(401, "ExpiredAuthenticationToken", "x"), False),
    (arm(403, "AuthorizationFailed", "x"), False),
    (arm(404, "ResourceNotFound", "x"), False),
    (arm(408, "RequestTimeout", "x"), True),
    (arm(409, "Conflict", "x"), False),
    (arm(429, "TooManyRequests", "x"), False),
    (http(499, ""), True),
    (arm(500, "InternalServerError", "x"), True),
    (arm(500, "ScopeLocked", "a code that usually is a refusal"), True),
    (arm(500, "QuotaExceeded", "x"), True),
    (http(502, "<html>"), True),
    (arm(503, "ServerBusy", "Please try again later"), True),
    (arm(504, "GatewayTimeout", "x"), True),
    (ServiceResponseTimeoutError("slow"), True),
    (ServiceResponseError("x"), True),
    (ServiceRequestError("x"), True),
    (TimeoutError(), True),
    (DeserializationError("x"), True),
    (connection(AnswerLost("ServerDisconnectedError")), True),
    (connection(aiohttp.ServerDisconnectedError()), True),
    (connection(aiohttp.ClientOSError(104, "Connection reset by peer")), True),
    (connection(aiohttp.ClientPayloadError("not completed")), True),
    (connection(aiohttp.SocketTimeoutError("reading")), True),
    (connection(aiohttp.ConnectionTimeoutError("connecting")), False),
    (connection(aiohttp.ClientConnectorDNSError(KEY, socket.gaierror(-2, "Name or service not known"))), False),
    (connection(aiohttp.ClientConnectorError(KEY, ConnectionRefusedError(111, "refused"))), False),
    (connection(aiohttp.ClientConnectorCertificateError(KEY, ssl.SSLCertVerificationError("self-signed"))), False),
    (connection(aiohttp.ClientConnectorSSLError(KEY, ssl.SSLError("handshake"))), False),
    (connection(aiohttp.ClientProxyConnectionError(KEY, ConnectionRefusedError(111, "refused"))), False),
    (Refused(Transient(Reason.AZURE_THROTTLED, "over budget")), False),
    (IdentityUnavailable(Unknown(Reason.NAMESPACE_NOT_BOUND, "apply this")), False),
    (CredentialUnavailableError(message="no endpoint"), False),
    (aadsts(700213, "No match"), False),
]


@pytest.mark.parametrize(("error", "maybe_done"), IN_DOUBT, ids=lambda value: repr(value)[:60])
def test_writes_that_may_have_been_done(error: Exception, maybe_done: bool) -> None:
    for source in (ARM, VAULT):
        failure = classify(error, source)
        assert failure.maybe_done is maybe_done
        assert write_failure(failure).maybe_done is maybe_done
    assert not classify(error, ENTRA).maybe_done  # a token that could not be had: the request was never sent


def test_a_foreign_challenge_gets_no_request() -> None:
    error = ValueError("The challenge resource 'evil.example' does not match the requested domain.")
    assert not classify(error, VAULT).maybe_done


def test_a_connection_that_takes_too_long_is_not_a_broken_one() -> None:
    error = aiohttp.ConnectionTimeoutError("Connection timeout to host https://10.1.2.3")
    failure = classify(ServiceRequestTimeoutError(error, error=error), ARM)
    assert failure == Transient(
        Reason.AZURE_UNREACHABLE, "no connection to Azure Resource Manager could be made in time"
    )


ACTION = "Microsoft.KeyVault/vaults/secrets"
NO_POLICY = "The user, group or application 'appid=x' does not have secrets set permission on key vault 'shop'."
UPDATE = (
    f"Caller is not authorized to perform action on resource.\r\nAction: '{ACTION}/update/action'\r\nResource: '/x'"
)
READ = f"Action: '{ACTION}/getSecret/action'"
OFFICER = "give it the role Key Vault Secrets Officer or a custom role that holds it"


@pytest.mark.parametrize(
    ("message", "inner", "says"),
    [
        (UPDATE, "ForbiddenByRbac", f"lacks the permission {ACTION}/update/action on the secret; {OFFICER}"),
        (
            READ,
            "ForbiddenByRbac",
            f"lacks the permission {ACTION}/getSecret/action on the secret; give it the role Key Vault ",
        ),
        (NO_POLICY, "ForbiddenByPolicy", "lacks the permission secrets set on the secret; give it an access policy"),
        (NO_POLICY, "ForbiddenByRbac", f"lacks the permission secrets set on the secret; {OFFICER}"),
        ("no", "ForbiddenByRbac", "denies the identity access; give it the role Key Vault Secrets User ("),
        ("no", "ForbiddenByPolicy", "denies the identity access; give it an access policy"),
    ],
)
def test_the_missing_right_of_a_vault_is_named(message: str, inner: str, says: str) -> None:
    failure = classify(vault(403, "Forbidden", message, inner), VAULT)
    assert isinstance(failure, Denied)
    assert failure.reason is Reason.VAULT_FORBIDDEN
    assert says in failure.message
