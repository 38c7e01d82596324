"""The probe against small servers that speak just enough Redis over real TLS."""

import asyncio
import contextlib
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


ODD = {
    "a length that is none": b"$abc\r\n",
    "an endless line": b"+" + b"x" * 1_000_000,
    "an endless error": b"-ERR " + b"x" * 1_000_000 + b"\r\n",
    "an endless refusal": b"-WRONGPASS " + b"x" * 1_000_000 + b"\r\n",
    "a refusal of 600 bytes": b"-WRONGPASS " + b"x" * 600 + b"\r\n",
    "nested arrays": b"*1\r\n" * 100_000,
    "an attribute of RESP3": b"|1\r\n+ttl\r\n:3600\r\n+OK\r\n",
    "a push of RESP3": b">2\r\n+invalidate\r\n*0\r\n+OK\r\n",
    "a bulk string": b"$2\r\nOK\r\n",
    "a bulk string of 10 GB": b"$9999999999\r\n",
    "OK and more": b"+OK, almost\r\n",
    "ok in lower case": b"+ok\r\n",
    "OK without an end": b"+OK",
    "no byte but line feeds": b"\n" * 1000,
    "zeros": bytes(10_000),
    "a refusal within another": b"-ERR said: WRONGPASS invalid password\r\n",
    "bytes that are no text": bytes(range(128, 256)) * 10,
    "the key": b"-ERR unknown " + KEY.encode() + b"\r\n",
}


@pytest.mark.parametrize("name", ODD)
async def test_an_odd_answer_proves_nothing(serve: Server, roots: tuple[trustme.CA, str], name: str) -> None:
    port = await serve(ODD[name])
    # "OK without an end" waits for its end, as for any answer.
    outcome = await authenticate("localhost", port, SecretStr(KEY), ca_file=roots[1], timeout=0.5)
    assert isinstance(outcome, Unknown)
    assert KEY not in outcome.message
    assert len(outcome.message) < 200


async def test_nothing_but_the_start_of_an_answer_is_read(roots: tuple[trustme.CA, str]) -> None:
    sent = 0

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        await reader.read(4096)
        with contextlib.suppress(OSError):
            while True:
                writer.write(b"x" * 65536)
                await writer.drain()
                sent += 65536

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    roots[0].issue_cert("localhost").configure_cert(context)
    server = await asyncio.start_server(talk, "127.0.0.1", 0, ssl=context)
    port = int(server.sockets[0].getsockname()[1])
    outcome = await authenticate("localhost", port, SecretStr(KEY), ca_file=roots[1])
    server.close()
    assert isinstance(outcome, Unknown)
    assert "does not end" in outcome.message
    assert sent < 64 * 1024 * 1024  # what fits into the buffers of both sides


@pytest.mark.parametrize("key", ["", "a\r\nAUTH other", "\ud800", "x" * 100_000, "\x00"])
async def test_any_key_is_one_argument(serve: Server, heard: Heard, roots: tuple[trustme.CA, str], key: str) -> None:
    port = await serve(b"-WRONGPASS no\r\n")
    assert await authenticate("localhost", port, SecretStr(key), ca_file=roots[1]) is AuthenticationResult.REFUSED
    raw = key.encode("utf-8", "surrogatepass")
    assert heard.data.startswith(b"*2\r\n$4\r\nAUTH\r\n$%d\r\n" % len(raw) + raw[:1000])


async def test_a_user_is_named(serve: Server, heard: Heard, roots: tuple[trustme.CA, str]) -> None:
    port = await serve(b"+OK\r\n")
    outcome = await authenticate("localhost", port, SecretStr(KEY), username="app", ca_file=roots[1])
    assert outcome is AuthenticationResult.ACCEPTED
    assert heard.data == b"*3\r\n$4\r\nAUTH\r\n$3\r\napp\r\n$10\r\ncanary-key\r\n"


async def test_a_name_that_is_none() -> None:
    outcome = await authenticate("a" * 64 + ".example", 6380, SecretStr(KEY))
    assert isinstance(outcome, Unknown)


async def test_what_only_this_reader_would_raise_is_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    async def odd(*_: object, **__: object) -> None:
        raise OverflowError

    monkeypatch.setattr(asyncio, "open_connection", odd)
    outcome = await authenticate("localhost", 1, SecretStr(KEY))
    assert isinstance(outcome, Unknown)
    assert (outcome.reason, "OverflowError" in outcome.message) == (Reason.INTERNAL_ERROR, True)
