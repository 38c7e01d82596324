"""Try a key: AUTH over TLS whose chain and name were verified, at the host that Azure reports."""

import asyncio
import contextlib
import socket
import ssl
from collections.abc import Iterator
from typing import Final

from pydantic import SecretStr

from secure_redis.api.reasons.reason import Reason
from secure_redis.domain.observe.keys import AuthenticationResult
from secure_redis.domain.observe.unknown import Unknown
from secure_redis.probe import trust
from secure_redis.telemetry import live_values

TIMEOUT_SECONDS: Final = 5.0
# The longest answer of Redis to AUTH, the one of a server without a password, has some 130 characters.
LARGEST_ANSWER: Final = 512
# Redis before 6 has no code of its own for a wrong password.
_WRONG: Final = ("wrongpass ", "err invalid password", "err invalid username-password")
_NONE_SET: Final = ("without any password", "no password is set")
# Refusals that say nothing about the key, and what they say instead (Redis, server.c and networking.c).
_OTHER: Final = {
    "loading ": "is loading its data",
    "masterdown ": "has no primary node",
    "busy ": "is busy with a script",
    "err max number of clients": "has no connection left for another client",
}


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
    where = f"{host}:{port}"
    live_values.remember(password.get_secret_value())
    try:
        async with asyncio.timeout(timeout):
            return _read(await _exchange(host, port, _command(password, username), tls), where)
    except TimeoutError:
        return Unknown(Reason.NO_ROUTE, f"{where} did not answer in time; is there a route to it?")
    except OSError as error:
        return _unreachable(error, host, port)
    except Exception as error:
        return Unknown(Reason.INTERNAL_ERROR, f"unexpected {type(error).__name__} while AUTH was sent to {where}")


def _command(password: SecretStr, username: str | None) -> bytes:
    """Build the request in RESP (redis.io, "Redis serialization protocol specification")."""
    texts = ("AUTH", *([] if username is None else [username]), password.get_secret_value())
    parts = [text.encode("utf-8", "surrogatepass") for text in texts]
    return b"*%d\r\n" % len(parts) + b"".join(b"$%d\r\n%b\r\n" % (len(part), part) for part in parts)


async def _exchange(host: str, port: int, command: bytes, tls: ssl.SSLContext) -> bytes:
    """Connect, send `command` and return the start of the answer: its first line, as far as it fits."""
    reader, writer = await asyncio.open_connection(host, port, ssl=tls, limit=LARGEST_ANSWER)
    try:
        writer.write(command)
        await writer.drain()
        answer = b""
        while b"\r\n" not in answer and len(answer) < LARGEST_ANSWER:
            more = await reader.read(LARGEST_ANSWER - len(answer))
            if not more:
                break
            answer += more
        return answer
    finally:
        writer.transport.abort()  # not close: a peer that reads nothing must not hold the socket
        with contextlib.suppress(OSError):
            await writer.wait_closed()


def _read(answer: bytes, where: str) -> AuthenticationResult | Unknown:
    """Read the answer to AUTH. Only one line accepts the key, and only certain errors refuse it."""
    line, end, _ = answer.partition(b"\r\n")
    if not answer:
        return Unknown(Reason.UNKNOWN, f"{where} closed the connection instead of an answer to AUTH")
    if not end:
        return Unknown(Reason.UNKNOWN, f"{where} answered AUTH with a line that does not end, which Redis never does")
    if line == b"+OK":
        return AuthenticationResult.ACCEPTED
    if not line.startswith(b"-"):
        return Unknown(Reason.UNKNOWN, f"{where} gave an unexpected answer to AUTH; is it a Redis endpoint?")
    text = line[1:].decode("ascii", "replace").lower()
    if text.startswith(_WRONG):
        return AuthenticationResult.REFUSED
    if any(words in text for words in _NONE_SET):
        return Unknown(Reason.AUTHENTICATION_DISABLED, f"{where} requires no password at all")
    for words, found in _OTHER.items():
        if text.startswith(words):
            return Unknown(Reason.UNKNOWN, f"{where} {found}, so the key could not be tried")
    # Not the error's own text: it may hold what was sent.
    return Unknown(Reason.UNKNOWN, f"{where} gave an unexpected answer to AUTH")


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
    return Unknown(Reason.UNKNOWN, f"the connection to {where} failed ({type(error).__name__})")


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__
