"""Try a key: AUTH over TLS whose chain and name were verified, at the host that Azure reports."""

import asyncio
import socket
import ssl
from collections.abc import Iterator
from typing import Final

from pydantic import SecretStr
from redis.asyncio.connection import SSLConnection
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import AuthenticationError, RedisError
from redis.exceptions import TimeoutError as RedisTimeoutError

from secure_redis.api.reasons.reason import Reason
from secure_redis.domain.observe.keys import AuthenticationResult
from secure_redis.domain.observe.unknown import Unknown
from secure_redis.probe import trust

TIMEOUT_SECONDS: Final = 5.0
# Redis before 6 has no code of its own for a wrong password.
_WRONG: Final = ("invalid password", "invalid username-password")
_NONE_SET: Final = ("without any password", "no password is set")


async def authenticate(
    host: str,
    port: int,
    password: SecretStr,
    *,
    username: str | None = None,
    ca_file: str | None = None,
    timeout: float = TIMEOUT_SECONDS,  # noqa: ASYNC109 - of the whole exchange, and not raised
) -> AuthenticationResult | Unknown:
    """Connect once and send AUTH. The password is sent only after the certificate's chain and name were verified.

    `ca_file`: PEM roots besides the system's. At least TLS 1.2. `timeout` in seconds, for the whole exchange.
    A key that is refused gives REFUSED; no route, no TLS, a busy or foreign server give Unknown. Without `username`
    the one-argument AUTH is sent: a server that requires no password at all then reports it, instead of accepting any.
    """
    try:
        tls = trust.verifying(ca_file)
    except OSError as error:  # ssl.SSLError is one too
        return Unknown(Reason.INTERNAL_ERROR, f"the CA file {ca_file} cannot be used ({type(error).__name__})")
    try:
        async with asyncio.timeout(timeout):
            return await _exchange(host, port, password, username, tls, timeout)
    except (TimeoutError, RedisTimeoutError):
        return Unknown(Reason.NO_ROUTE, f"{host}:{port} did not answer in time; is there a route to it?")
    except AuthenticationError as error:
        return _refused(error, host, port)
    except (RedisError, OSError) as error:
        return _unreachable(error, host, port)


async def _exchange(
    host: str, port: int, password: SecretStr, username: str | None, tls: ssl.SSLContext, seconds: float
) -> AuthenticationResult:
    connection = SSLConnection(
        host=host,
        port=port,
        username=username,
        password=password.get_secret_value(),
        socket_connect_timeout=seconds,
        socket_timeout=seconds,
        retry=Retry(NoBackoff(), 0),
        protocol=2,
        driver_info=None,
    )
    connection.ssl_context.context = tls
    try:
        await connection.connect()  # type: ignore[no-untyped-call]
    finally:
        await connection.disconnect(nowait=True)
    return AuthenticationResult.ACCEPTED


def _refused(error: AuthenticationError, host: str, port: int) -> AuthenticationResult | Unknown:
    text = str(error).lower()
    if getattr(error, "status_code", None) == "WRONGPASS" or any(word in text for word in _WRONG):
        return AuthenticationResult.REFUSED
    if any(word in text for word in _NONE_SET):
        return Unknown(Reason.AUTHENTICATION_DISABLED, f"{host}:{port} requires no password at all")
    return Unknown(Reason.UNKNOWN, f"{host}:{port} gave an unexpected answer to AUTH")


def _unreachable(error: BaseException, host: str, port: int) -> Unknown:
    causes = tuple(_causes(error))
    where = f"{host}:{port}"
    if any(isinstance(cause, ssl.SSLCertVerificationError) for cause in causes):
        return Unknown(Reason.UNKNOWN, f"the certificate of {where} could not be verified; the key was not sent to it")
    if any(isinstance(cause, socket.gaierror) for cause in causes):
        return Unknown(Reason.NO_ROUTE, f"the name {host} does not resolve")
    # How Azure's front end and firewalls refuse a client: accepted, then closed.
    if any(isinstance(cause, ConnectionResetError | ConnectionAbortedError | ssl.SSLEOFError) for cause in causes):
        return Unknown(
            Reason.NO_ROUTE,
            f"the connection to {where} was cut: by a firewall, or by a server without TLS 1.2 or newer",
        )
    if any(isinstance(cause, ssl.SSLError) for cause in causes):
        return Unknown(Reason.UNKNOWN, f"{where} does not speak TLS 1.2 or newer; the key was not sent to it")
    if any(isinstance(cause, OSError) for cause in causes):
        return Unknown(Reason.NO_ROUTE, f"no connection to {where}; is there a route to it?")
    # Not the error's own text: it may hold what the server sent back.
    return Unknown(Reason.UNKNOWN, f"{where} gave an unexpected answer to AUTH")


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__
