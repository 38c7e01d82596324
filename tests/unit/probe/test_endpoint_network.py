"""The probe of the non-TLS port, and what names and addresses do to it."""

import contextlib
import socket
import struct
import threading
from pathlib import Path

import pytest

from secure_redis.api.reasons.reason import Reason
from secure_redis.domain.observe.endpoint import (
    AddressScope,
    Offer,
    PlaintextPort,
    ResolvedAddress,
)
from secure_redis.domain.observe.unknown import Unknown
from secure_redis.domain.report.endpoint_status import to_status
from secure_redis.probe.endpoint import probe
from tests.unit.probe.net import CHECKS, NOW, TLS_CHECKS, Net, Talk, cut, dropping, read, resolves, says, unknown

# --- the non-TLS port ------------------------------------------------------------------------------------------------


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
        (read, "sends nothing"),
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
    with dropping("127.0.0.1") as dropped:
        facts = await net.probe(await net.serve(net.tls()), dropped, deadline=3)
        assert facts.plaintext is PlaintextPort.NOT_ANSWERING
        # The other way round it is no route: Unknown, never a pass.
        facts = await net.probe(dropped, dropped, deadline=1.2)
        assert not facts.reachable
        unknown(facts, *CHECKS)


async def test_the_whole_is_over_in_time(net: Net, monkeypatch: pytest.MonkeyPatch) -> None:
    """Three addresses that drop packets on both ports take all the time, and the resolver is slow too."""
    addresses = ("127.0.0.1", "127.0.0.2", "127.0.0.3")
    with dropping(*addresses) as dropped:
        resolves(monkeypatch, *addresses, seconds=0.2)
        facts = await net.probe(dropped, dropped, host="orders.example", deadline=1)
    assert isinstance(facts.plaintext, Unknown)
    assert "not over in time" in facts.plaintext.message
    unknown(facts, *CHECKS)


# --- names and addresses ---------------------------------------------------------------------------------------------


async def test_a_name_that_does_not_resolve(net: Net) -> None:
    facts = await net.probe(6380, 6379, host="orders.invalid")
    assert isinstance(facts.addresses, Unknown)
    assert facts.addresses.reason is Reason.NO_ROUTE
    assert unknown(facts, "reached", *CHECKS) == {facts.addresses.message}


@pytest.mark.parametrize("host", ["", "a..b", "b\u00fccher.example", "x" * 64 + ".example", "a\r\nb", "*.example"])
async def test_an_invalid_name_is_unknown(net: Net, host: str) -> None:
    unknown(await net.probe(6380, 6379, host=host), "addresses", "reached", *CHECKS)


@pytest.mark.parametrize("ports", [(0, 6379), (70000, 6379), (6380, -1), (6380, 1 << 40)])
async def test_an_invalid_port_is_unknown(net: Net, ports: tuple[int, int]) -> None:
    unknown(await net.probe(*ports), "addresses", "reached", *CHECKS)


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


# --- the resolver: the loop's, replaced for answers that no resolver here gives --------------------------------------


async def test_the_next_address_is_tried_and_kept(
    net: Net, unused_tcp_port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    port = await net.serve(net.tls("orders.example"))
    resolves(monkeypatch, "127.255.255.254", "127.0.0.1", "127.255.255.253")
    facts = await net.probe(port, unused_tcp_port, host="orders.example")
    assert not isinstance(facts.addresses, Unknown)
    assert [one.address for one in facts.addresses] == ["127.0.0.1", "127.255.255.253", "127.255.255.254"]
    assert facts.reached == "127.0.0.1"
    assert facts.verified
    assert facts.tls_1_1 is Offer.REFUSED


async def test_all_addresses_are_reported_and_few_are_tried(net: Net, monkeypatch: pytest.MonkeyPatch) -> None:
    port = await net.serve(net.tls("orders.example"))
    resolves(monkeypatch, *(f"127.255.255.{number}" for number in range(1, 5)), "10.1.2.3", "127.0.0.1")
    facts = await net.probe(port, port, host="orders.example")
    assert not isinstance(facts.addresses, Unknown)
    assert len(facts.addresses) == 6
    assert facts.addresses[0] == ResolvedAddress("10.1.2.3", AddressScope.PRIVATE)
    assert not facts.reachable
    assert net.taken == 0


async def test_one_answer_repeated_is_one_address(net: Net, monkeypatch: pytest.MonkeyPatch) -> None:
    resolves(monkeypatch, *["127.255.255.254"] * 1000)
    facts = await net.probe(1, 1, host="orders.example")
    assert facts.addresses == (ResolvedAddress("127.255.255.254", AddressScope.LOOPBACK),)


async def test_a_flood_of_addresses_is_bounded(net: Net, monkeypatch: pytest.MonkeyPatch) -> None:
    resolves(monkeypatch, *(f"127.250.{number // 250}.{number % 250}" for number in range(5000)))
    facts = await net.probe(1, 1, host="orders.example")
    assert not isinstance(facts.addresses, Unknown)
    assert len(facts.addresses) == 64


@pytest.mark.parametrize(
    "error",
    [
        socket.gaierror(socket.EAI_AGAIN, "canary"),
        socket.gaierror(socket.EAI_NONAME, "canary"),
        UnicodeError("canary"),
        OSError(24, "canary"),
        None,  # no answer at all
    ],
)
async def test_a_resolver_that_fails(net: Net, monkeypatch: pytest.MonkeyPatch, error: Exception | None) -> None:
    resolves(monkeypatch, error=error)
    facts = await net.probe(1, 1, host="orders.example", deadline=0.6)
    unknown(facts, "addresses", "reached", *CHECKS)
    assert isinstance(facts.addresses, Unknown)
    assert facts.addresses.reason is Reason.NO_ROUTE
    assert "resolve" in facts.addresses.message
    assert "canary" not in repr(facts)


async def test_an_immediate_disconnect_is_always_reported_the_same_way(net: Net) -> None:
    """The reset may arrive while we still connect: else each look at a firewall that cuts would be another change."""
    ports = []
    with contextlib.ExitStack() as stack:
        for _ in range(2):
            listener = stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=64))
            threading.Thread(target=_reset_all, args=(listener,), daemon=True).start()
            stack.callback(listener.shutdown, socket.SHUT_RDWR)
            ports.append(listener.getsockname()[1])
        looks = [to_status(await net.probe(*ports)) for _ in range(40)]
    assert looks == [looks[0]] * 40
    assert {part for group in looks[0].unknown for part in group.parts} >= {"chain", "TLS 1.0", "nonTLSPort"}


def _reset_all(listener: socket.socket) -> None:
    while True:
        try:
            taken, _ = listener.accept()
        except OSError:
            return
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        taken.close()
