"""The probe against servers that misbehave in ways that a real Redis does not."""

import asyncio
import contextlib
import socket
import ssl
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
import trustme

from secure_redis.api.reasons import Reason
from secure_redis.domain.endpoint import AddressScope, EndpointFacts, Offer, PlaintextPort, ResolvedAddress
from secure_redis.domain.observation import Unknown
from secure_redis.probe.endpoint import MOST_CONNECTIONS, probe

NOW = datetime(2026, 11, 24, tzinfo=UTC)
CHECKS = ("chain", "name", "negotiated", "tls_1_0", "tls_1_1", "tls_1_2", "tls_1_3", "certificate", "plaintext")
TLS_CHECKS = CHECKS[:-1]
Talk = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
ALERT_70 = bytes.fromhex("15030100020246")
ALERT_40 = bytes.fromhex("15030100020228")
SERVER_HELLO_1_1 = bytes.fromhex("160302003d020000390302") + bytes(100)


class Net:
    """Listeners on one loopback address, and how many connections they took."""

    def __init__(self, roots: trustme.CA, ca_file: str) -> None:
        self.roots = roots
        self.ca_file = ca_file
        self.taken = 0
        self.open = 0
        self.changed = asyncio.Condition()
        self._servers: list[asyncio.Server] = []

    async def listen(self, talk: Talk, address: str = "127.0.0.1") -> int:
        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            self.taken += 1
            await self._count(1)
            try:
                with contextlib.suppress(OSError):
                    await talk(reader, writer)
                    await writer.drain()
                    writer.close()
                    await writer.wait_closed()
            finally:
                writer.transport.abort()
                await self._count(-1)

        server = await asyncio.start_server(serve, address, 0)
        self._servers.append(server)
        return int(server.sockets[0].getsockname()[1])

    async def serve(self, tls: ssl.SSLContext, address: str = "127.0.0.1") -> int:
        """A TLS server that says its alerts, which asyncio's does not."""

        async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
            side = tls.wrap_bio(incoming, outgoing, server_side=True)
            while data := await reader.read(65536):
                incoming.write(data)
                try:
                    side.do_handshake()
                except ssl.SSLWantReadError:
                    pass
                except ssl.SSLError:
                    writer.write(outgoing.read())
                    return
                writer.write(outgoing.read())

        return await self.listen(talk, address=address)

    async def forward(self, route: Callable[[bytes], int | None]) -> int:
        """Let the first bytes of a client decide which port serves it; None: cut."""

        async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            start = await reader.read(65536)
            port = route(start)
            if port is None:
                reset(writer)
                return
            behind, there = await asyncio.open_connection("127.0.0.1", port)
            there.write(start)

            async def pump(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
                with contextlib.suppress(OSError):
                    while data := await source.read(65536):
                        target.write(data)
                target.close()

            await asyncio.gather(pump(reader, there), pump(behind, writer))

        return await self.listen(talk)

    def tls(self, name: str = "localhost", oldest: str = "TLSv1_2", newest: str = "TLSv1_3") -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.roots.issue_cert(name).configure_cert(context)
        context.set_ciphers("ALL:@SECLEVEL=0")
        context.minimum_version = ssl.TLSVersion[oldest]
        context.maximum_version = ssl.TLSVersion[newest]
        return context

    async def probe(
        self, port: int, plaintext_port: int, host: str = "localhost", deadline: float = 6
    ) -> EndpointFacts:
        return await probe(
            host, port, plaintext_port=plaintext_port, ca_file=self.ca_file, deadline=deadline, now=lambda: NOW
        )

    async def none_open(self) -> None:
        """Wait until every connection was closed by its other side."""
        async with asyncio.timeout(5), self.changed:
            await self.changed.wait_for(lambda: self.open == 0)

    async def _count(self, by: int) -> None:
        async with self.changed:
            self.open += by
            self.changed.notify_all()

    async def close(self) -> None:
        for server in self._servers:
            server.close()


@pytest.fixture
async def net(tmp_path: Path) -> AsyncIterator[Net]:
    roots = trustme.CA()
    path = tmp_path / "ca.pem"
    roots.cert_pem.write_to_path(str(path))
    made = Net(roots, str(path))
    yield made
    await made.close()


async def read(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
    while await reader.read(65536):
        pass


def reset(writer: asyncio.StreamWriter) -> None:
    writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


async def cut(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read(65536)
    reset(writer)


def says(data: bytes) -> Talk:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(65536)
        writer.write(data)
        await writer.drain()
        await read(reader, writer)

    return talk


def unknown(facts: EndpointFacts, *checks: str) -> set[str]:
    """Assert that these are Unknown; returns their messages."""
    found = {check: getattr(facts, check) for check in checks}
    assert {check for check, value in found.items() if not isinstance(value, Unknown)} == set()
    return {value.message for value in found.values()}


async def test_a_good_server(net: Net, unused_tcp_port: int) -> None:
    facts = await net.probe(await net.serve(net.tls()), unused_tcp_port)
    assert facts.at == NOW
    assert not isinstance(facts.addresses, Unknown)
    assert ResolvedAddress("127.0.0.1", AddressScope.LOOPBACK) in facts.addresses
    assert facts.reached == "127.0.0.1"
    assert facts.reachable
    assert facts.verified
    assert (facts.tls_1_0, facts.tls_1_1) == (Offer.REFUSED, Offer.REFUSED)
    assert (facts.tls_1_2, facts.tls_1_3) == (Offer.ACCEPTED, Offer.ACCEPTED)
    assert facts.plaintext is PlaintextPort.CLOSED
    assert not isinstance(facts.negotiated, Unknown)
    assert facts.negotiated.version == "1.3"
    assert not isinstance(facts.certificate, Unknown)
    assert facts.certificate.names == ("localhost",)
    assert facts.certificate.not_after > NOW
    await net.none_open()


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion:DeprecationWarning")
@pytest.mark.parametrize(
    ("oldest", "newest", "accepted"),
    [
        ("TLSv1", "TLSv1", "0"),
        ("TLSv1", "TLSv1_1", "01"),
        ("TLSv1_1", "TLSv1_1", "1"),
        ("TLSv1", "TLSv1_2", "012"),
        ("TLSv1_1", "TLSv1_3", "123"),
        ("TLSv1_2", "TLSv1_2", "2"),
        ("TLSv1_2", "TLSv1_3", "23"),
        ("TLSv1_3", "TLSv1_3", "3"),
    ],
)
async def test_each_version_is_told(net: Net, unused_tcp_port: int, oldest: str, newest: str, accepted: str) -> None:
    facts = await net.probe(await net.serve(net.tls(oldest=oldest, newest=newest)), unused_tcp_port)
    seen = {version: getattr(facts, f"tls_1_{version}") for version in "0123"}
    assert seen == {version: Offer.ACCEPTED if version in accepted else Offer.REFUSED for version in "0123"}
    if newest in ("TLSv1", "TLSv1_1"):
        assert unknown(facts, "chain", "name", "negotiated", "certificate") == {
            f"localhost:{facts.port} does not speak TLS 1.2 or newer"
        }
    else:
        assert facts.verified
    assert facts.plaintext is PlaintextPort.CLOSED  # the server answers us, whatever it speaks


async def test_the_chain_fails_alone(net: Net, unused_tcp_port: int) -> None:
    port = await net.serve(net.tls())
    facts = await probe("localhost", port, plaintext_port=unused_tcp_port, ca_file=None, deadline=6, now=lambda: NOW)
    assert not isinstance(facts.chain, Unknown)
    assert not facts.chain.verified
    assert facts.chain.why
    assert not isinstance(facts.name, Unknown)
    assert facts.name.verified
    assert not facts.verified
    assert not isinstance(facts.certificate, Unknown)
    assert facts.tls_1_3 is Offer.ACCEPTED
    assert net.taken <= MOST_CONNECTIONS


async def test_the_name_fails_alone(net: Net, unused_tcp_port: int) -> None:
    facts = await net.probe(await net.serve(net.tls("other.example")), unused_tcp_port)
    assert not isinstance(facts.chain, Unknown)
    assert facts.chain.verified
    assert not isinstance(facts.name, Unknown)
    assert not facts.name.verified
    assert facts.name.why == "the certificate is not for localhost"
    assert not facts.verified


async def test_no_more_than_six_connections_at_worst(net: Net) -> None:
    """An untrusted chain, only TLS 1.3, cuts for all else, and something on the non-TLS port."""
    inner = await net.serve(net.tls(oldest="TLSv1_3"))
    before = net.taken
    clear = await net.listen(says(b"-NOAUTH Authentication required.\r\n"))
    port = await net.forward(lambda start: inner if b"\x00\x2b" in start[100:] else None)
    facts = await probe("localhost", port, plaintext_port=clear, ca_file=None, deadline=6, now=lambda: NOW)
    assert facts.tls_1_3 is Offer.ACCEPTED
    assert facts.plaintext is PlaintextPort.OPEN
    fronts = net.taken - before - 2  # the two handshakes came through to the inner one as well
    assert fronts == MOST_CONNECTIONS


# --- cuts -------------------------------------------------------------------------------------------------------------


def version_of(start: bytes) -> bytes:
    return start[9:11]


async def test_a_cut_refuses_an_old_version_where_newer_ones_get_in(net: Net, unused_tcp_port: int) -> None:
    inner = await net.serve(net.tls())
    port = await net.forward(lambda start: inner if version_of(start) == b"\x03\x03" else None)
    facts = await net.probe(port, unused_tcp_port)
    assert (facts.tls_1_0, facts.tls_1_1, facts.tls_1_2) == (Offer.REFUSED, Offer.REFUSED, Offer.ACCEPTED)


async def test_a_cut_says_nothing_where_everything_is_cut(net: Net) -> None:
    port = await net.listen(cut)
    facts = await net.probe(port, port)
    messages = unknown(facts, *CHECKS)
    assert any("cut" in message for message in messages)
    assert facts.reachable


async def test_a_cut_says_nothing_once_the_server_lets_nobody_in_any_more(net: Net, unused_tcp_port: int) -> None:
    """It takes the first connection and then sheds load: the old versions were not refused, we were."""
    inner = await net.serve(net.tls())
    seen: list[bytes] = []

    def route(start: bytes) -> int | None:
        seen.append(start)
        return inner if len(seen) == 1 else None

    facts = await net.probe(await net.forward(route), unused_tcp_port)
    assert facts.verified
    assert facts.tls_1_3 is Offer.ACCEPTED
    unknown(facts, "tls_1_0", "tls_1_1", "tls_1_2", "plaintext")


async def test_the_same_with_1_2_as_the_newest(net: Net, unused_tcp_port: int) -> None:
    inner = await net.serve(net.tls(newest="TLSv1_2"))
    seen: list[bytes] = []

    def route(start: bytes) -> int | None:
        seen.append(start)
        return inner if len(seen) == 1 else None

    facts = await net.probe(await net.forward(route), unused_tcp_port)
    assert facts.tls_1_2 is Offer.ACCEPTED
    unknown(facts, "tls_1_0", "tls_1_1", "plaintext")


async def test_an_old_server_that_cuts_newer_offers_is_found(net: Net, unused_tcp_port: int) -> None:
    inner = await net.listen(says(SERVER_HELLO_1_1))
    port = await net.forward(lambda start: inner if version_of(start) == b"\x03\x02" else None)
    facts = await net.probe(port, unused_tcp_port)
    assert facts.tls_1_1 is Offer.ACCEPTED
    unknown(facts, "chain", "name", "certificate", "negotiated", "tls_1_3")


# --- what is no TLS ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("data", "word"),
    [
        (b"HTTP/1.1 400 Bad Request\r\nX: canary\r\n\r\n", "does not speak TLS"),
        (b"HTTP/1.1 302 Found\r\nLocation: https://canary.example/\r\n\r\n", "does not speak TLS"),
        (b"-ERR canary\r\n", "does not speak TLS"),
        (b"canary" * 1000, "does not speak TLS"),
        (b"\x16\x03\x03\xff\xff\x02" + b"canary" * 20000, "does not speak TLS"),  # a huge record
        (b"\x80" + bytes(range(256)) * 20, "does not speak TLS"),
        (ALERT_40 + b"canary", "refused the TLS handshake"),
        (bytes.fromhex("15030100020170") * 20, "does not speak TLS"),  # warnings without an end
    ],
)
async def test_garbage_is_unknown_and_not_shown(net: Net, data: bytes, word: str) -> None:
    port = await net.listen(says(data))
    facts = await net.probe(port, port, deadline=3)
    messages = unknown(facts, *TLS_CHECKS)
    assert any(word in message for message in messages)
    assert "canary" not in repr(facts)
    assert net.taken <= MOST_CONNECTIONS


async def test_a_handshake_without_an_end_is_left(net: Net) -> None:
    port = await net.listen(says(b"\x16\x03\x03\x40\x00\x02\x00\x3f\xfc\x03\x03" + b"canary" * 50000))
    facts = await net.probe(port, port, deadline=3)
    assert unknown(facts, "chain", "name", "negotiated", "certificate", "tls_1_3") == {
        f"localhost:{port} began a TLS handshake and did not complete it"
    }
    assert "canary" not in repr(facts)


async def test_an_alert_about_the_version_refuses_it_even_without_a_session(net: Net, unused_tcp_port: int) -> None:
    facts = await net.probe(await net.listen(says(ALERT_70)), unused_tcp_port)
    assert {facts.tls_1_0, facts.tls_1_1, facts.tls_1_2, facts.tls_1_3} == {Offer.REFUSED}
    # No ServerHello: this could be anything in between, so that the closed port proves nothing.
    unknown(facts, "chain", "name", "plaintext")


async def test_a_server_without_a_common_suite_is_no_refusal_unless_it_lets_us_in(net: Net) -> None:
    port = await net.listen(says(ALERT_40))
    unknown(await net.probe(port, port), "tls_1_0", "tls_1_1", "tls_1_2")


async def test_a_server_that_answers_with_a_newer_version_than_offered(net: Net, unused_tcp_port: int) -> None:
    facts = await net.probe(await net.listen(says(SERVER_HELLO_1_1)), unused_tcp_port, deadline=2)
    assert facts.tls_1_1 is Offer.ACCEPTED
    assert facts.tls_1_2 is Offer.REFUSED
    unknown(facts, "tls_1_0")


# --- time -------------------------------------------------------------------------------------------------------------


async def test_a_silent_server(net: Net) -> None:
    port = await net.listen(read)
    began = asyncio.get_running_loop().time()
    facts = await net.probe(port, port, deadline=1.2)
    assert asyncio.get_running_loop().time() - began < 1.2 + 0.5
    assert facts.reachable
    unknown(facts, *CHECKS)
    assert net.taken == 2  # one on each port: silence is not asked again
    assert isinstance(facts.tls_1_0, Unknown)
    assert facts.tls_1_0.reason is Reason.NO_ROUTE


async def test_a_trickling_server_is_left_in_time(net: Net) -> None:
    async def trickle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for byte in b"\x16\x03\x03\x40\x00\x02\x00\x3f\xfc\x03\x03" + bytes(10000):
            writer.write(bytes((byte,)))
            await writer.drain()
            await asyncio.sleep(0.01)

    port = await net.listen(trickle)
    began = asyncio.get_running_loop().time()
    facts = await net.probe(port, port, deadline=1.2)
    assert asyncio.get_running_loop().time() - began < 1.2 + 0.5
    unknown(facts, "chain", "name", "negotiated", "certificate", "tls_1_3", "plaintext")


async def test_a_server_that_never_reads_and_sends_without_end(net: Net) -> None:
    async def flood(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            writer.write(b"\x16\x03\x03\x10\x00" + bytes(0x1000))
            await writer.drain()

    port = await net.listen(flood)
    unknown(await net.probe(port, port, deadline=3), *CHECKS)


async def test_what_was_found_before_the_deadline_stands(net: Net) -> None:
    """Chain and name are known, then every further connection hangs and the time is over."""
    inner = await net.serve(net.tls())
    silent = await net.listen(read)
    seen: list[bytes] = []

    def route(start: bytes) -> int | None:
        seen.append(start)
        return inner if len(seen) == 1 else silent

    facts = await net.probe(await net.forward(route), silent, deadline=1.2)
    assert facts.verified
    unknown(facts, "tls_1_0", "tls_1_1", "tls_1_2", "plaintext")


async def test_cancelling_is_not_swallowed_and_closes_the_connection(net: Net) -> None:
    port = await net.listen(read)
    task = asyncio.create_task(net.probe(port, port, deadline=60))
    async with asyncio.timeout(5), net.changed:
        await net.changed.wait_for(lambda: net.open > 0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await net.none_open()


# --- the non-TLS port -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "answer",
    [
        b"+PONG\r\n",
        b"-NOAUTH Authentication required.\r\n",
        b"-ERR max number of clients reached\r\n",
        b"-DENIED Redis is running in protected mode\r\n",
        b"-LOADING Redis is loading the dataset in memory\r\n",
    ],
)
async def test_redis_in_clear_is_open(net: Net, answer: bytes) -> None:
    facts = await net.probe(await net.serve(net.tls()), await net.listen(says(answer)))
    assert facts.plaintext is PlaintextPort.OPEN


async def test_redis_in_clear_is_open_even_if_the_tls_port_is_not_there(net: Net, unused_tcp_port: int) -> None:
    facts = await net.probe(unused_tcp_port, await net.listen(says(b"+PONG\r\n")))
    assert facts.plaintext is PlaintextPort.OPEN
    assert not facts.reachable
    assert any("refuses connections" in message for message in unknown(facts, *TLS_CHECKS))


@pytest.mark.parametrize(
    ("talk", "word"),
    [
        (read, "says nothing"),
        (says(b"HTTP/1.1 400 canary\r\n\r\n"), "does not speak Redis"),
        (says(b"+"), "does not speak Redis"),
        (says(b"-err canary\r\n"), "does not speak Redis"),
        (says(bytes(100000)), "does not speak Redis"),
    ],
)
async def test_anything_else_in_clear_is_unknown(net: Net, talk: Talk, word: str) -> None:
    facts = await net.probe(await net.serve(net.tls()), await net.listen(talk), deadline=3)
    assert isinstance(facts.plaintext, Unknown)
    assert word in facts.plaintext.message
    assert "canary" not in repr(facts)


async def test_a_cut_in_clear_is_not_answering(net: Net) -> None:
    facts = await net.probe(await net.serve(net.tls()), await net.listen(cut))
    assert facts.plaintext is PlaintextPort.NOT_ANSWERING


async def test_a_port_that_drops_packets_is_not_answering(net: Net) -> None:
    """A full backlog drops the SYN, as a firewall does."""
    with socket.socket() as full, contextlib.ExitStack() as stack:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        for _ in range(8):
            client = stack.enter_context(socket.socket())
            client.setblocking(False)
            client.connect_ex(full.getsockname())
        await asyncio.sleep(0.05)
        facts = await net.probe(await net.serve(net.tls()), full.getsockname()[1], deadline=3)
        assert facts.plaintext is PlaintextPort.NOT_ANSWERING
        # The other way round it is no route: Unknown, never a pass.
        facts = await net.probe(full.getsockname()[1], full.getsockname()[1], deadline=1.2)
        assert not facts.reachable
        unknown(facts, *CHECKS)


# --- names and addresses ----------------------------------------------------------------------------------------------


async def test_a_name_that_does_not_resolve(net: Net) -> None:
    facts = await net.probe(6380, 6379, host="orders.invalid")
    assert isinstance(facts.addresses, Unknown)
    assert facts.addresses.reason is Reason.NO_ROUTE
    assert unknown(facts, "reached", *CHECKS) == {facts.addresses.message}


@pytest.mark.parametrize("host", ["", "a..b", "b\u00fccher.example", "x" * 64 + ".example", "a\r\nb", "*.example"])
async def test_what_is_no_name_is_unknown(net: Net, host: str) -> None:
    unknown(await net.probe(6380, 6379, host=host), "addresses", "reached", *CHECKS)


async def test_an_ipv6_address(net: Net, unused_tcp_port: int) -> None:
    facts = await net.probe(await net.serve(net.tls("::1"), "::1"), unused_tcp_port, host="::1")
    assert facts.addresses == (ResolvedAddress("::1", AddressScope.LOOPBACK),)
    assert facts.verified
    assert facts.tls_1_0 is Offer.REFUSED
    assert facts.plaintext is PlaintextPort.CLOSED


async def test_a_ca_file_that_is_not_there(net: Net, unused_tcp_port: int, tmp_path: Path) -> None:
    port = await net.serve(net.tls())
    facts = await probe(
        "localhost",
        port,
        plaintext_port=unused_tcp_port,
        ca_file=str(tmp_path / "none.pem"),
        deadline=6,
        now=lambda: NOW,
    )
    assert isinstance(facts.chain, Unknown)
    assert facts.chain.reason is Reason.INTERNAL_ERROR
    assert not facts.verified
    assert facts.tls_1_0 is Offer.REFUSED  # all else is told
