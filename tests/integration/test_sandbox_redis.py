"""The sandbox's endpoints against a real client: what an Azure cache enforces is enforced."""

import asyncio
import contextlib
import dataclasses
import http.client
import os
import socket
import ssl
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import redis.asyncio as redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import AuthenticationError, NoPermissionError
from redis.exceptions import ConnectionError as RedisConnectionError

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
from sandbox.waiting import PATIENCE, wait_for_async

HOST = "orders.redis.sandbox.test"
ONCE = Retry(NoBackoff(), 0)
BOTH = RedisSettings(keys=("primary-key-1", "secondary-key-1"))


@dataclasses.dataclass
class World:
    fleet: RedisFleet
    ca: CertificateAuthority
    hosts: HostsFile
    at: RedisAddress

    def trust(self, minimum: ssl.TLSVersion = ssl.TLSVersion.TLSv1_2) -> ssl.SSLContext:
        context = ssl.create_default_context(cafile=str(self.ca.ca_file))
        context.minimum_version = minimum
        return context

    async def ping(self, key: str) -> bool:
        async with self.client(key) as client:
            return bool(await client.ping())

    @contextlib.asynccontextmanager
    async def client(self, key: str) -> AsyncIterator[redis.Redis]:
        # The name is checked by the handshake below; redis-py has no way to connect to an address under a name.
        client = redis.Redis(
            host=self.at.address,
            port=self.at.tls_port,
            password=key,
            ssl=True,
            ssl_ca_certs=str(self.ca.ca_file),
            ssl_check_hostname=False,
            decode_responses=True,
            retry=ONCE,
        )
        try:
            yield client
        finally:
            await client.aclose()

    async def handshake(self, context: ssl.SSLContext | None = None, name: str = HOST) -> str:
        _, writer = await asyncio.open_connection(
            self.at.address, self.at.tls_port, ssl=context or self.trust(), server_hostname=name
        )
        version = writer.get_extra_info("ssl_object").version()
        writer.close()
        return str(version)


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    ca = CertificateAuthority.create_or_load(tmp_path / "ca")
    hosts = HostsFile(tmp_path / "hosts")
    # Only this range is the virtual network; all other clients come from outside.
    fleet = RedisFleet(tmp_path / "redis", ca, hosts, Network(virtual_network=("127.200.0.0/16",)))
    try:
        yield World(fleet, ca, hosts, await fleet.start(HOST, BOTH))
    finally:
        await fleet.close()


def connects(address: str, port: int, source: str = "127.0.0.1") -> bool:
    """Whether a client gets an answer: a refused connection is closed or reset immediately."""
    try:
        with socket.create_connection((address, port), timeout=10, source_address=(source, 0)) as client:
            client.sendall(b"PING\r\n")
            return bool(client.recv(100))
    except OSError:
        return False


def is_running(pid: int | None) -> bool:
    return Path(f"/proc/{pid}").exists()


def public_traces(pid: int | None, directory: Path) -> tuple[bytes, bytes]:
    files = b"".join(file.read_bytes() for file in directory.rglob("*") if file.is_file())
    return Path(f"/proc/{pid}/cmdline").read_bytes(), files


async def test_both_keys_are_accepted_and_a_third_is_refused(world: World) -> None:
    assert await world.ping("primary-key-1")
    assert await world.ping("secondary-key-1")
    with pytest.raises(AuthenticationError):
        await world.ping("some-other-key")


async def test_the_certificate_is_the_hosts_own(world: World) -> None:
    assert await world.handshake() == "TLSv1.3"
    with pytest.raises(ssl.SSLCertVerificationError, match="Hostname mismatch"):
        await world.handshake(name="sessions.redis.sandbox.test")
    assert world.hosts.addresses()[HOST] == world.at.address


async def test_administration_is_not_for_clients(world: World) -> None:
    async with world.client("primary-key-1") as client:
        await client.set("a", "1")
        assert await client.get("a") == "1"
        with pytest.raises(NoPermissionError):
            await client.config_get("*")


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion:DeprecationWarning")
async def test_old_protocols_are_refused_below_the_floor_and_served_above(world: World) -> None:
    old = world.trust(ssl.TLSVersion.TLSv1_1)
    old.maximum_version = ssl.TLSVersion.TLSv1_1
    old.set_ciphers("DEFAULT:@SECLEVEL=0")
    with pytest.raises(ssl.SSLError):
        await world.handshake(old)
    await world.fleet.update(HOST, dataclasses.replace(BOTH, minimum_tls="1.1"))
    assert await world.handshake(old) == "TLSv1.1"
    await world.fleet.update(HOST, BOTH)
    with pytest.raises(ssl.SSLError):
        await world.handshake(old)


async def test_the_plaintext_port_is_open_only_while_enabled(world: World) -> None:
    address, port = world.at.address, world.at.plaintext_port
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection(address, port)
    await world.fleet.update(HOST, dataclasses.replace(BOTH, plaintext_port=True))
    client = redis.Redis(host=address, port=port, password="secondary-key-1", retry=ONCE)
    assert await client.ping()
    await world.fleet.update(HOST, BOTH)
    with pytest.raises(RedisConnectionError):
        await client.ping()
    await client.aclose()
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection(address, port)


async def test_the_firewall_decides_by_the_public_address(world: World) -> None:
    def only(first: str, last: str) -> RedisSettings:
        return dataclasses.replace(BOTH, reachable=Reachability(ranges=((first, last),)))

    async with world.client("primary-key-1") as connected:
        assert await connected.ping()
        await world.fleet.update(HOST, only("198.51.100.1", "198.51.100.9"))
        with pytest.raises(RedisConnectionError):
            await connected.ping()
    with pytest.raises(OSError, match=r"reset|closed"):
        await world.handshake()
    await world.fleet.update(HOST, only("203.0.113.0", "203.0.113.63"))
    assert await world.ping("primary-key-1")


async def test_without_public_access_only_the_virtual_network_gets_in(world: World) -> None:
    settings = dataclasses.replace(BOTH, plaintext_port=True, reachable=Reachability(public=False))
    await world.fleet.update(HOST, settings)

    async def from_(source: str) -> bool:
        return await asyncio.to_thread(connects, world.at.address, world.at.plaintext_port, source)

    assert not await from_("127.0.0.1")
    assert not await from_("127.200.3.4")
    with_endpoint = Reachability(public=False, private_endpoint=True)
    await world.fleet.update(HOST, dataclasses.replace(settings, reachable=with_endpoint))
    assert await from_("127.200.3.4")
    assert not await from_("127.0.0.1")


@pytest.mark.parametrize("cut", [False, True])
async def test_a_changed_key_refuses_new_connections_and_cuts_old_ones_if_configured(world: World, cut: bool) -> None:
    async with world.client("primary-key-1") as old, old.client() as connection:
        assert await connection.ping()
        changed = dataclasses.replace(BOTH, keys=("primary-key-2", "secondary-key-1"))
        await world.fleet.update(HOST, changed, cut_connections=cut)
        if cut:
            with pytest.raises((RedisConnectionError, AuthenticationError)):
                await connection.ping()
        else:
            assert await connection.ping()
    with pytest.raises(AuthenticationError):
        await world.ping("primary-key-1")
    assert await world.ping("primary-key-2")
    assert await world.ping("secondary-key-1")


async def test_a_new_key_may_be_accepted_late(world: World) -> None:
    assert await world.ping("primary-key-1")
    changed = RedisSettings(keys=("primary-key-2", "secondary-key-1"), key_acceptance_delay_seconds=0.5)
    await world.fleet.update(HOST, changed)
    with pytest.raises(AuthenticationError):
        await world.ping("primary-key-2")
    with pytest.raises(AuthenticationError):
        await world.ping("primary-key-1")

    async def accepted() -> bool:
        try:
            return await world.ping("primary-key-2")
        except AuthenticationError:
            return False

    await wait_for_async(accepted, PATIENCE, "the new key to be accepted")


async def test_without_keys_no_client_gets_in(world: World) -> None:
    await world.fleet.update(HOST, dataclasses.replace(BOTH, keys=()), cut_connections=True)
    for key in (*BOTH.keys, "x"):
        with pytest.raises(AuthenticationError):
            await world.ping(key)


async def test_faults_begin_and_end(world: World) -> None:
    await world.fleet.set_fault(HOST, RedisFault.WRONG_CERTIFICATE)
    with pytest.raises(ssl.SSLCertVerificationError, match="Hostname mismatch"):
        await world.handshake()
    await world.fleet.set_fault(HOST, RedisFault.EXPIRED_CERTIFICATE)
    with pytest.raises(ssl.SSLCertVerificationError, match="expired"):
        await world.handshake()
    await world.fleet.set_fault(HOST, RedisFault.RESET)
    with pytest.raises(OSError, match="reset"):
        await world.handshake()
    await world.fleet.set_fault(HOST, RedisFault.HTTP)
    with pytest.raises(ssl.SSLError, match=r"WRONG_VERSION_NUMBER|UNEXPECTED|HTTP_REQUEST|RECORD_LAYER"):
        await world.handshake()
    reading = http.client.HTTPConnection(world.at.address, world.at.tls_port, timeout=10)
    await asyncio.to_thread(reading.request, "GET", "/")
    assert (await asyncio.to_thread(reading.getresponse)).status == 400
    reading.close()
    await world.fleet.set_fault(HOST, RedisFault.HANG)
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(world.handshake(), 0.5)
    await world.fleet.set_fault(HOST, None)
    assert await world.handshake() == "TLSv1.3"


async def test_a_server_that_died_comes_back_with_the_current_keys(world: World) -> None:
    assert await world.ping("primary-key-1")
    await world.fleet.update(HOST, RedisSettings(keys=("primary-key-2",)))
    pid = world.fleet.pid(HOST)
    assert pid is not None
    os.kill(pid, 9)
    assert await world.ping("primary-key-2")
    assert world.fleet.pid(HOST) != pid


async def test_a_stopped_host_is_gone(world: World) -> None:
    assert await world.ping("primary-key-1")
    pid = world.fleet.pid(HOST)
    await world.fleet.stop(HOST)
    assert HOST not in world.hosts.addresses()
    with pytest.raises(ConnectionRefusedError):
        await world.handshake()
    assert not is_running(pid)
    with pytest.raises(KeyError):
        await world.fleet.stop(HOST)


async def test_no_key_is_on_a_command_line_in_a_file_or_in_a_log(world: World, tmp_path: Path) -> None:
    assert await world.ping("primary-key-1")
    await world.fleet.update(HOST, dataclasses.replace(BOTH, keys=("primary-key-2", "secondary-key-1")))
    command, files = await asyncio.to_thread(public_traces, world.fleet.pid(HOST), tmp_path)
    assert b"bind 127." in files
    for key in (b"primary-key", b"secondary-key"):
        assert key not in command
        assert key not in files
    assert "primary-key" not in repr(BOTH)


async def test_two_fleets_do_not_collide(world: World, tmp_path: Path) -> None:
    other = RedisFleet(tmp_path / "other", world.ca, HostsFile(tmp_path / "other-hosts"))
    try:
        at = await other.start(HOST, RedisSettings(keys=("other-key",)))
        assert at.address != world.at.address
        assert await world.ping("primary-key-1")
    finally:
        await other.close()


async def test_the_servers_end_with_a_killed_parent(tmp_path: Path) -> None:
    program = f"""
import asyncio, ssl
from pathlib import Path
from sandbox.ca import CertificateAuthority
from sandbox.names import HostsFile
from sandbox.redis_servers import RedisFleet, RedisSettings
async def main():
    home = Path({str(tmp_path)!r})
    ca = CertificateAuthority.create_or_load(home / "ca")
    fleet = RedisFleet(home / "redis", ca, HostsFile(home / "hosts"))
    at = await fleet.start("a.test", RedisSettings(keys=("k",)))
    trust = ssl.create_default_context(cafile=str(ca.ca_file))
    await asyncio.open_connection(at.address, at.tls_port, ssl=trust, server_hostname="a.test")
    print(fleet.pid("a.test"), flush=True)
    await asyncio.Event().wait()
asyncio.run(main())
"""
    parent = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        program,
        stdout=asyncio.subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
    )
    assert parent.stdout is not None
    pid = int(await asyncio.wait_for(parent.stdout.readline(), 30))
    assert is_running(pid)
    parent.kill()
    await parent.wait()

    async def gone() -> bool:
        return not is_running(pid)

    await wait_for_async(gone, PATIENCE, "the redis-server to end")
