"""The probe against TLS servers of each version, and against cuts that may mean anything."""

import pytest

from secure_redis.domain.observe.endpoint import (
    AddressScope,
    Offer,
    PlaintextPort,
    ResolvedAddress,
)
from secure_redis.domain.observe.unknown import Unknown
from secure_redis.probe.endpoint import MOST_CONNECTIONS, probe
from tests.unit.probe.net import CHECKS, NOW, SERVER_HELLO_1_1, Net, cut, says, unknown


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
async def test_each_version_is_reported(
    net: Net, unused_tcp_port: int, oldest: str, newest: str, accepted: str
) -> None:
    facts = await net.probe(await net.serve(net.tls(oldest=oldest, newest=newest)), unused_tcp_port)
    observed = {version: getattr(facts, f"tls_1_{version}") for version in "0123"}
    assert observed == {version: Offer.ACCEPTED if version in accepted else Offer.REFUSED for version in "0123"}
    if newest in ("TLSv1", "TLSv1_1"):
        assert unknown(facts, "chain", "name", "negotiated", "certificate") == {
            f"localhost:{facts.port} does not speak TLS 1.2 or newer"
        }
    else:
        assert facts.verified
    assert facts.plaintext is PlaintextPort.CLOSED  # the server answers us, whatever it speaks


async def test_one_port_that_speaks_tls_is_also_probed_without_tls(net: Net) -> None:
    """Managed Redis has no other port. A TLS server says something to a PING, and it is not Redis."""
    port = await net.serve(net.tls())
    facts = await net.probe(port, port)
    assert facts.verified
    assert facts.plaintext is PlaintextPort.NOT_ANSWERING


async def test_one_port_that_speaks_redis_in_clear(net: Net) -> None:
    port = await net.listen(says(b"-NOAUTH Authentication required.\r\n"))
    facts = await net.probe(port, port)
    assert facts.plaintext is PlaintextPort.OPEN
    assert not facts.verified


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
    assert "TLSV1_ALERT_UNKNOWN_CA" in net.alerts  # the server is sent the cause


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


# --- cuts ------------------------------------------------------------------------------------------------------------


def version_of(start: bytes) -> bytes:
    return start[9:11]


async def test_a_cut_refuses_an_old_version_where_newer_ones_get_in(net: Net, unused_tcp_port: int) -> None:
    inner = await net.serve(net.tls())
    port = await net.forward(lambda start: inner if version_of(start) == b"\x03\x03" else None)
    facts = await net.probe(port, unused_tcp_port)
    assert (facts.tls_1_0, facts.tls_1_1, facts.tls_1_2) == (Offer.REFUSED, Offer.REFUSED, Offer.ACCEPTED)


async def test_a_disconnect_proves_nothing_where_every_connection_is_cut(net: Net) -> None:
    port = await net.listen(cut)
    facts = await net.probe(port, port)
    messages = unknown(facts, *CHECKS)
    assert any("cut" in message for message in messages)
    assert facts.reachable


async def test_a_disconnect_proves_nothing_once_the_server_accepts_no_connection(
    net: Net, unused_tcp_port: int
) -> None:
    """It takes the first connection and then sheds load: the old versions were not refused, we were."""
    inner = await net.serve(net.tls())
    observed: list[bytes] = []

    def route(start: bytes) -> int | None:
        observed.append(start)
        return inner if len(observed) == 1 else None

    facts = await net.probe(await net.forward(route), unused_tcp_port)
    assert facts.verified
    assert facts.tls_1_3 is Offer.ACCEPTED
    unknown(facts, "tls_1_0", "tls_1_1", "tls_1_2", "plaintext")


async def test_the_same_with_1_2_as_the_newest(net: Net, unused_tcp_port: int) -> None:
    inner = await net.serve(net.tls(newest="TLSv1_2"))
    observed: list[bytes] = []

    def route(start: bytes) -> int | None:
        observed.append(start)
        return inner if len(observed) == 1 else None

    facts = await net.probe(await net.forward(route), unused_tcp_port)
    assert facts.tls_1_2 is Offer.ACCEPTED
    unknown(facts, "tls_1_0", "tls_1_1", "plaintext")


async def test_an_old_server_that_cuts_newer_offers_is_found(net: Net, unused_tcp_port: int) -> None:
    inner = await net.listen(says(SERVER_HELLO_1_1))
    port = await net.forward(lambda start: inner if version_of(start) == b"\x03\x02" else None)
    facts = await net.probe(port, unused_tcp_port)
    assert facts.tls_1_1 is Offer.ACCEPTED
    unknown(facts, "chain", "name", "certificate", "negotiated", "tls_1_3")
