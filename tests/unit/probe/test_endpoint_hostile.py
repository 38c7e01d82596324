"""The probe against servers that are none, and against time."""

import asyncio

import pytest

from secure_redis.api.reasons.reason import Reason
from secure_redis.domain.observe.endpoint import Offer
from secure_redis.domain.observe.unknown import Unknown
from secure_redis.probe import connections
from secure_redis.probe.endpoint import MOST_CONNECTIONS
from tests.unit.probe.net import ALERT_40, ALERT_70, CHECKS, SERVER_HELLO_1_1, TLS_CHECKS, Net, read, says, unknown

# --- what is no TLS --------------------------------------------------------------------------------------------------


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


async def test_a_handshake_that_is_larger_than_any_is_left(net: Net, monkeypatch: pytest.MonkeyPatch) -> None:
    """OpenSSL has bounds of its own, which come first: so the bound is lowered for a server that is good."""
    monkeypatch.setattr(connections, "_LARGEST_HANDSHAKE", 200)
    port = await net.serve(net.tls())
    facts = await net.probe(port, port, deadline=3)
    assert f"localhost:{port} began a TLS handshake and did not complete it" in unknown(facts, "chain", "name")


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


# --- time ------------------------------------------------------------------------------------------------------------


async def test_a_silent_server(net: Net) -> None:
    port = await net.listen(read)
    began = asyncio.get_running_loop().time()
    facts = await net.probe(port, port, deadline=1.2)
    assert asyncio.get_running_loop().time() - began < 1.2 + 5
    assert facts.reachable
    unknown(facts, *CHECKS)
    assert net.taken == 2  # one on each port: silence is not probed again
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
    assert asyncio.get_running_loop().time() - began < 1.2 + 5
    unknown(facts, "chain", "name", "negotiated", "certificate", "tls_1_3", "plaintext")


async def test_a_server_that_never_reads_and_sends_without_end(net: Net) -> None:
    async def flood(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            writer.write(b"\x16\x03\x03\x10\x00" + bytes(0x1000))
            await writer.drain()

    port = await net.listen(flood)
    unknown(await net.probe(port, port, deadline=3), *CHECKS)


async def test_findings_before_the_deadline_are_kept(net: Net) -> None:
    """Chain and name are known, then every further connection hangs and the time is over."""
    inner = await net.serve(net.tls())
    silent = await net.listen(read)
    observed: list[bytes] = []

    def route(start: bytes) -> int | None:
        observed.append(start)
        return inner if len(observed) == 1 else silent

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
