"""The probe of an endpoint against the sandbox's real Redis servers, by their names."""

import dataclasses
import datetime
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from sandbox.ca import CertificateAuthority
from sandbox.names import HostsFile
from sandbox.redis_servers import RedisFleet
from sandbox.redis_settings import (
    Network,
    Reachability,
    RedisAddress,
    RedisFault,
    RedisSettings,
)
from secure_redis.domain.observe.endpoint import (
    AddressScope,
    EndpointFacts,
    Offer,
    PlaintextPort,
    ResolvedAddress,
    Verification,
)
from secure_redis.domain.observe.unknown import Unknown
from secure_redis.probe.endpoint import probe

SAFE = RedisSettings(keys=("canary-key-1", "canary-key-2"))
TLS_CHECKS = ("chain", "name", "negotiated", "tls_1_0", "tls_1_1", "tls_1_2", "tls_1_3", "certificate")


@dataclasses.dataclass
class World:
    host: str
    fleet: RedisFleet
    ca: CertificateAuthority
    at: RedisAddress

    async def set(self, **changes: object) -> None:
        await self.fleet.update(self.host, dataclasses.replace(SAFE, **changes))  # type: ignore[arg-type]

    async def probe(self, deadline: float = 20) -> EndpointFacts:
        return await probe(
            self.host,
            self.at.tls_port,
            plaintext_port=self.at.plaintext_port,
            ca_file=str(self.ca.ca_file),
            deadline=deadline,
            now=lambda: datetime.datetime.now(datetime.UTC),
        )


@pytest.fixture
async def world(tmp_path: Path, hosts: Path, domain: str) -> AsyncIterator[World]:
    ca = CertificateAuthority.create_or_load(tmp_path / "ca")
    # No client on this machine is inside the virtual network.
    fleet = RedisFleet(tmp_path / "redis", ca, HostsFile(hosts), Network(virtual_network=()))
    host = f"probed.redis.{domain}"
    try:
        yield World(host, fleet, ca, await fleet.start(host, SAFE))
    finally:
        await fleet.close()


def unknown(facts: EndpointFacts, *checks: str) -> None:
    assert {check for check in checks if not isinstance(getattr(facts, check), Unknown)} == set()


def offers(facts: EndpointFacts) -> tuple[object, ...]:
    return facts.tls_1_0, facts.tls_1_1, facts.tls_1_2, facts.tls_1_3


async def test_a_safe_cache(world: World) -> None:
    facts = await world.probe()
    assert facts.addresses == (ResolvedAddress(world.at.address, AddressScope.LOOPBACK),)
    assert facts.reached == world.at.address
    assert facts.verified
    assert offers(facts) == (Offer.REFUSED, Offer.REFUSED, Offer.ACCEPTED, Offer.ACCEPTED)
    assert facts.plaintext is PlaintextPort.CLOSED
    assert not isinstance(facts.negotiated, Unknown)
    assert facts.negotiated.version == "1.3"
    assert facts.negotiated.cipher.startswith("TLS_")
    assert not isinstance(facts.certificate, Unknown)
    assert facts.certificate.names == (world.host,)
    assert facts.certificate.issuer == "secure-redis sandbox"
    assert facts.at is not None
    assert facts.certificate.not_before < facts.at < facts.certificate.not_after


@pytest.mark.parametrize(
    ("minimum", "old"),
    [("1.0", (Offer.ACCEPTED, Offer.ACCEPTED)), ("1.1", (Offer.REFUSED, Offer.ACCEPTED))],
)
async def test_served_old_versions_are_detected(world: World, minimum: str, old: tuple[Offer, Offer]) -> None:
    await world.set(minimum_tls=minimum)
    assert offers(await world.probe()) == (*old, Offer.ACCEPTED, Offer.ACCEPTED)
    await world.set()
    assert offers(await world.probe())[:2] == (Offer.REFUSED, Offer.REFUSED)


async def test_a_server_that_knows_nothing_newer(world: World) -> None:
    await world.fleet.set_fault(world.host, RedisFault.OLD_TLS)
    facts = await world.probe()
    assert offers(facts) == (Offer.ACCEPTED, Offer.ACCEPTED, Offer.REFUSED, Offer.REFUSED)
    unknown(facts, "chain", "name", "certificate", "negotiated")
    assert not facts.verified
    await world.fleet.set_fault(world.host, None)
    assert (await world.probe()).verified


async def test_old_versions_that_are_cut_are_refused(world: World) -> None:
    await world.fleet.set_fault(world.host, RedisFault.CUT_OLD_TLS)
    assert offers(await world.probe()) == (Offer.REFUSED, Offer.REFUSED, Offer.ACCEPTED, Offer.ACCEPTED)


async def test_an_expired_certificate(world: World) -> None:
    await world.fleet.set_fault(world.host, RedisFault.EXPIRED_CERTIFICATE)
    facts = await world.probe()
    assert facts.chain == Verification(False, "certificate has expired")
    assert facts.name == Verification(True)
    assert not isinstance(facts.certificate, Unknown)
    assert facts.at is not None
    assert facts.certificate.not_after < facts.at
    assert offers(facts) == (Offer.REFUSED, Offer.REFUSED, Offer.ACCEPTED, Offer.ACCEPTED)


async def test_a_certificate_of_another_host(world: World) -> None:
    await world.fleet.set_fault(world.host, RedisFault.WRONG_CERTIFICATE)
    facts = await world.probe()
    assert facts.chain == Verification(True)
    assert facts.name == Verification(False, f"the certificate is not for {world.host}")
    assert not facts.verified


async def test_a_self_signed_certificate(world: World) -> None:
    await world.fleet.set_fault(world.host, RedisFault.SELF_SIGNED_CERTIFICATE)
    facts = await world.probe()
    assert isinstance(facts.chain, Verification)
    assert not facts.chain.verified
    assert "self" in facts.chain.why
    assert facts.name == Verification(True)
    assert not facts.verified
    assert not isinstance(facts.certificate, Unknown)
    assert facts.certificate.issuer == world.host
    await world.fleet.set_fault(world.host, None)
    assert (await world.probe()).verified


async def test_plaintext_redis_is_detected(world: World) -> None:
    await world.set(plaintext_port=True)
    facts = await world.probe()
    assert facts.plaintext is PlaintextPort.OPEN
    assert facts.verified
    await world.set()
    assert (await world.probe()).plaintext is PlaintextPort.CLOSED


async def test_a_firewall_that_cuts_us_hides_everything_and_proves_nothing(world: World) -> None:
    # As Azure's does: the connection is taken and then cut, on both ports.
    await world.set(plaintext_port=True, reachable=Reachability(ranges=(("198.51.100.1", "198.51.100.9"),)))
    facts = await world.probe()
    assert facts.reachable
    unknown(facts, *TLS_CHECKS, "plaintext")


@pytest.mark.parametrize(
    "fault", [RedisFault.HANG, RedisFault.RESET, RedisFault.HTTP, RedisFault.GARBAGE, RedisFault.TRICKLE]
)
async def test_a_server_that_is_none_proves_nothing(world: World, fault: RedisFault) -> None:
    await world.set(plaintext_port=True)
    await world.fleet.set_fault(world.host, fault)
    facts = await world.probe(deadline=3)
    if fault is RedisFault.TRICKLE:  # it begins with a ServerHello
        unknown(facts, "chain", "name", "negotiated", "certificate", "tls_1_3", "plaintext")
    else:
        unknown(facts, *TLS_CHECKS, "plaintext")
    assert not facts.verified


async def test_without_a_server(world: World) -> None:
    await world.fleet.stop(world.host)
    facts = await world.probe()
    assert isinstance(facts.addresses, Unknown)
    unknown(facts, "reached", *TLS_CHECKS, "plaintext")
