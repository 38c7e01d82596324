"""The probe against small servers that speak just enough Redis over real TLS."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest
import trustme
from pydantic import SecretStr

from secure_redis.api.reasons.reason import Reason
from secure_redis.domain.observe.keys import AuthenticationResult
from secure_redis.domain.observe.unknown import Unknown
from secure_redis.probe.authentication import authenticate

KEY = "canary-key"
Server = Callable[..., Awaitable[int]]


@pytest.fixture
def roots(tmp_path: Path) -> tuple[trustme.CA, str]:
    authority = trustme.CA()
    path = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(str(path))
    return authority, str(path)


class Heard:
    def __init__(self) -> None:
        self.data = b""


@pytest.fixture
def heard() -> Heard:
    return Heard()


@pytest.fixture
async def serve(roots: tuple[trustme.CA, str], heard: Heard) -> AsyncIterator[Server]:
    servers: list[asyncio.Server] = []

    async def start(
        answer: bytes, *, name: str = "localhost", tls: bool = True, newest: ssl.TLSVersion | None = None
    ) -> int:
        async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            while data := await reader.read(4096):
                heard.data += data
                if not answer:
                    continue
                writer.write(answer)
                await writer.drain()
            writer.close()

        context = None
        if tls:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            roots[0].issue_cert(name).configure_cert(context)
            if newest is not None:
                context.minimum_version = ssl.TLSVersion.TLSv1
                context.maximum_version = newest
                context.set_ciphers("ALL:@SECLEVEL=0")
        server = await asyncio.start_server(talk, "127.0.0.1", 0, ssl=context)
        servers.append(server)
        return int(server.sockets[0].getsockname()[1])

    yield start
    for server in servers:
        server.close()


async def test_accepted(serve: Server, heard: Heard, roots: tuple[trustme.CA, str]) -> None:
    port = await serve(b"+OK\r\n")
    assert await authenticate("localhost", port, SecretStr(KEY), ca_file=roots[1]) is AuthenticationResult.ACCEPTED
    assert heard.data == b"*2\r\n$4\r\nAUTH\r\n$10\r\ncanary-key\r\n"


@pytest.mark.parametrize(
    "answer",
    [
        b"-WRONGPASS invalid username-password pair or user is disabled.\r\n",
        b"-ERR invalid password\r\n",
    ],
)
async def test_refused(serve: Server, roots: tuple[trustme.CA, str], answer: bytes) -> None:
    port = await serve(answer)
    assert await authenticate("localhost", port, SecretStr(KEY), ca_file=roots[1]) is AuthenticationResult.REFUSED


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (
            (
                b"-ERR AUTH <password> called without any password configured for the default user. "
                b"Are you sure your configuration is correct?\r\n"
            ),
            Reason.AUTHENTICATION_DISABLED,
        ),
        (b"-ERR Client sent AUTH, but no password is set\r\n", Reason.AUTHENTICATION_DISABLED),
        (b"-LOADING Redis is loading the dataset in memory\r\n", Reason.UNKNOWN),
        (b"-ERR max number of clients reached\r\n", Reason.UNKNOWN),
        (b"-ERR unknown command canary-key\r\n", Reason.UNKNOWN),
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", Reason.UNKNOWN),
        (b"+canary-key\r\n", Reason.UNKNOWN),
    ],
)
async def test_what_is_neither_is_unknown(
    serve: Server, roots: tuple[trustme.CA, str], answer: bytes, reason: Reason
) -> None:
    port = await serve(answer)
    outcome = await authenticate("localhost", port, SecretStr(KEY), ca_file=roots[1])
    assert isinstance(outcome, Unknown)
    assert outcome.reason is reason
    assert KEY not in outcome.message


async def test_a_certificate_of_another_name_gets_no_key(
    serve: Server, heard: Heard, roots: tuple[trustme.CA, str]
) -> None:
    port = await serve(b"+OK\r\n", name="other.example")
    outcome = await authenticate("localhost", port, SecretStr(KEY), ca_file=roots[1])
    assert isinstance(outcome, Unknown)
    assert "certificate" in outcome.message
    assert heard.data == b""


async def test_an_unknown_root_gets_no_key(serve: Server, heard: Heard) -> None:
    port = await serve(b"+OK\r\n")
    outcome = await authenticate("localhost", port, SecretStr(KEY))
    assert isinstance(outcome, Unknown)
    assert "certificate" in outcome.message
    assert heard.data == b""


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion:DeprecationWarning")
@pytest.mark.parametrize("newest", [None, ssl.TLSVersion.TLSv1_1])
async def test_no_tls_or_too_old_a_one_gets_no_key(
    serve: Server, heard: Heard, roots: tuple[trustme.CA, str], newest: ssl.TLSVersion | None
) -> None:
    port = await serve(b"-ERR\r\n", tls=newest is not None, newest=newest)
    outcome = await authenticate("localhost", port, SecretStr(KEY), ca_file=roots[1])
    assert isinstance(outcome, Unknown)
    assert "TLS" in outcome.message
    assert KEY.encode() not in heard.data


async def test_a_port_without_a_listener(unused_tcp_port: int) -> None:
    outcome = await authenticate("localhost", unused_tcp_port, SecretStr(KEY))
    assert isinstance(outcome, Unknown)
    assert outcome.reason is Reason.NO_ROUTE


async def test_no_answer(serve: Server, roots: tuple[trustme.CA, str]) -> None:
    port = await serve(b"")
    outcome = await authenticate("localhost", port, SecretStr(KEY), ca_file=roots[1], timeout=0.2)
    assert isinstance(outcome, Unknown)
    assert outcome.reason is Reason.NO_ROUTE


async def test_no_such_name() -> None:
    outcome = await authenticate("orders.invalid", 6380, SecretStr(KEY))
    assert isinstance(outcome, Unknown)
    assert outcome.reason is Reason.NO_ROUTE


async def test_a_ca_file_that_is_not_there(tmp_path: Path) -> None:
    outcome = await authenticate("localhost", 1, SecretStr(KEY), ca_file=str(tmp_path / "none.pem"))
    assert isinstance(outcome, Unknown)
    assert "none.pem" in outcome.message
