"""Single connections to an endpoint: open it, send one request, close it. All that the server sends is bounded."""

import asyncio
import contextlib
import re
import secrets
import ssl
from collections.abc import AsyncIterator
from dataclasses import dataclass
from enum import Enum
from typing import Final

from secure_redis.probe.hello import (
    ANSWER_BYTES,
    CUT,
    OTHER,
    RANDOM_BYTES,
    SILENT,
    Answer,
    Version,
    client_hello,
    read_answer,
)
from secure_redis.telemetry.external_text import clean

_CHUNK: Final = 16 * 1024
# A handshake's largest: OpenSSL takes 100 KiB of certificates (SSL_CTX_set_max_cert_list) and little else.
_LARGEST_HANDSHAKE: Final = 192 * 1024
_PING: Final = b"*1\r\n$4\r\nPING\r\n"
# A simple string or an error with its code word, such as NOAUTH, ERR, DENIED, LOADING.
_RESP: Final = re.compile(rb"\+PONG\r\n|-[A-Z]{2,20} ")
_RESP_BYTES: Final = 64

# The server accepted and closed before the connection was complete here. A closed port refuses instead.
_CUT_AT_ONCE: Final = (ConnectionResetError, ConnectionAbortedError, BrokenPipeError)

Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@dataclass(frozen=True, slots=True)
class Session:
    """A completed handshake: OpenSSL's names of version and cipher, and the server's certificate (DER)."""

    version: str
    cipher: str
    certificate: bytes


@dataclass(frozen=True, slots=True)
class Untrusted:
    """A handshake that this side ended because the chain could not be verified; `why` in OpenSSL's fixed words."""

    why: str


class PlainAnswer(Enum):
    """The kind of answer that a port gave to a Redis PING without TLS."""

    REDIS = "Redis"
    CUT = "nothing, and closed"
    SILENT = "nothing in time"
    OTHER = "something else"


async def handshake(
    address: str, port: int, context: ssl.SSLContext, name: str, seconds: float
) -> Session | Untrusted | Answer:
    """Connect and shake hands under `name`. Without a session, the start of the server's answer is returned.

    Raises OSError if no connection comes about (TimeoutError too).
    """
    head = bytearray()
    end = asyncio.get_running_loop().time() + seconds
    try:
        async with _connected(address, port, seconds) as streams:
            try:
                async with asyncio.timeout_at(end):
                    return await _shake_hands(streams, context, name, head)
            except ssl.SSLCertVerificationError as error:
                return Untrusted(clean(error.verify_message))
            except ssl.SSLError:
                return read_answer(bytes(head)) or OTHER
            except TimeoutError:
                return read_answer(bytes(head)) or SILENT
            except (OSError, EOFError):
                return read_answer(bytes(head)) or CUT
    except _CUT_AT_ONCE:
        return CUT


async def offer(address: str, port: int, version: Version, name: str | None, seconds: float) -> Answer:
    """Connect, offer `version` as the newest and read the first answer; the handshake is never completed.

    Raises OSError if no connection comes about (TimeoutError too).
    """
    end = asyncio.get_running_loop().time() + seconds
    try:
        async with _connected(address, port, seconds) as (reader, writer):
            try:
                async with asyncio.timeout_at(end):
                    writer.write(client_hello(version, name, secrets.token_bytes(RANDOM_BYTES)))
                    await writer.drain()
                    data = b""
                    while (answer := read_answer(data)) is None:
                        more = await reader.read(ANSWER_BYTES - len(data))
                        if not more:
                            return OTHER if data else CUT
                        data += more
                    return answer
            except TimeoutError:
                return SILENT
            except OSError:
                return CUT
    except _CUT_AT_ONCE:
        return CUT


async def ping(address: str, port: int, seconds: float) -> PlainAnswer:
    """Connect, send PING without TLS and read the start of the answer.

    Raises OSError if no connection comes about (TimeoutError too).
    """
    end = asyncio.get_running_loop().time() + seconds
    data = b""
    try:
        async with _connected(address, port, seconds) as (reader, writer):
            try:
                async with asyncio.timeout_at(end):
                    writer.write(_PING)
                    await writer.drain()
                    while len(data) < _RESP_BYTES and (more := await reader.read(_RESP_BYTES - len(data))):
                        data += more
                        if _RESP.match(data):
                            return PlainAnswer.REDIS
            except TimeoutError:
                return PlainAnswer.OTHER if data else PlainAnswer.SILENT
            except OSError:
                pass
    except _CUT_AT_ONCE:
        pass
    return PlainAnswer.OTHER if data else PlainAnswer.CUT


@contextlib.asynccontextmanager
async def _connected(address: str, port: int, seconds: float) -> AsyncIterator[Streams]:
    async with asyncio.timeout(seconds):
        reader, writer = await asyncio.open_connection(address, port, limit=_CHUNK)
    try:
        yield reader, writer
    finally:
        writer.transport.abort()  # not close: a peer that reads nothing must not hold the socket
        with contextlib.suppress(OSError):
            await writer.wait_closed()


async def _shake_hands(streams: Streams, context: ssl.SSLContext, name: str, head: bytearray) -> Session:
    """Shake hands. `head` receives the server's first bytes. Raises ssl.SSLError, OSError, EOFError."""
    reader, writer = streams
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = context.wrap_bio(incoming, outgoing, server_hostname=name)
    received = 0
    while True:
        try:
            tls.do_handshake()
            break
        except ssl.SSLWantReadError:
            await _flush(outgoing, writer)
        except ssl.SSLError:
            with contextlib.suppress(OSError):
                await _flush(outgoing, writer)  # the alert that names the cause
            raise
        data = await reader.read(_CHUNK)
        if not data:
            raise EOFError
        head += data[: ANSWER_BYTES - len(head)]
        received += len(data)
        if received > _LARGEST_HANDSHAKE:
            raise ssl.SSLError("the handshake is larger than any")
        incoming.write(data)
    version, cipher, certificate = tls.version(), tls.cipher(), tls.getpeercert(binary_form=True)
    with contextlib.suppress(ssl.SSLError):
        tls.unwrap()  # sends close_notify, and does not wait for the server's
    with contextlib.suppress(OSError):
        await _flush(outgoing, writer)
    return Session(version or "", cipher[0] if cipher else "", certificate or b"")


async def _flush(outgoing: ssl.MemoryBIO, writer: asyncio.StreamWriter) -> None:
    if outgoing.pending:
        writer.write(outgoing.read())
        await writer.drain()
