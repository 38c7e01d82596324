"""A cluster of the sandbox against real clients: its nodes, and that an endpoint's rules apply to each of them."""

import asyncio
import contextlib
import dataclasses
import os
import socket
import ssl
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import redis.asyncio as redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import AuthenticationError, MovedError, NoPermissionError, ResponseError
from redis.exceptions import ConnectionError as RedisConnectionError

from sandbox.ca import CertificateAuthority
from sandbox.names import HostsFile
from sandbox.redis_servers import RedisFleet
from sandbox.redis_settings import Network, Reachability, RedisAddress, RedisFault, RedisSettings
from sandbox.waiting import PATIENCE, wait_for_async

HOST = "orders.redis.sandbox.test"
ENDPOINT, NODES = 10000, (8500, 8501, 8502)
EVERY_PORT = (ENDPOINT, *NODES)
CLUSTER = RedisSettings(keys=("primary-key-1", "secondary-key-1"), tls_port=ENDPOINT, node_ports=NODES)
ONE_SERVER = dataclasses.replace(CLUSTER, node_ports=())
OWNERS = {"b": 8500, "c": 8501, "a": 8502}  # a key of each node


@dataclasses.dataclass
class World:
    fleet: RedisFleet
    ca: CertificateAuthority
    at: RedisAddress

    @contextlib.asynccontextmanager
    async def client(self, port: int, key: str = "primary-key-1", *, tls: bool = True) -> AsyncIterator[redis.Redis]:
        # By address: `handshake` below checks the name. redis-py cannot connect to an address under a name.
        options = {"ssl": True, "ssl_ca_certs": str(self.ca.ca_file), "ssl_check_hostname": False} if tls else {}
        client = redis.Redis(
            host=self.at.address,
            port=port,
            password=key,
            decode_responses=True,
            retry=Retry(NoBackoff(), 0),
            **options,  # type: ignore[arg-type]
        )
        try:
            yield client
        finally:
            await client.aclose()

    async def ping(self, port: int, key: str = "primary-key-1") -> bool:
        async with self.client(port, key) as client:
            return bool(await client.ping())

    async def ask(self, port: int, *command: str) -> object:
        async with self.client(port) as client:
            return await client.execute_command(*command)  # type: ignore[no-untyped-call]

    async def handshake(self, port: int, name: str) -> None:
        trust = ssl.create_default_context(cafile=str(self.ca.ca_file))
        _, writer = await asyncio.open_connection(self.at.address, port, ssl=trust, server_hostname=name)
        writer.close()

    async def nodes(self, port: int) -> list[list[str]]:
        """Return the fields of each node but its id, in the order of their slots."""
        lines = str(await self.ask(port, "CLUSTER", "NODES")).splitlines()
        return sorted((line.split()[1:] for line in lines), key=lambda fields: fields[-1])


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    ca = CertificateAuthority.create_or_load(tmp_path / "ca")
    # Only this range is the virtual network; everyone else comes from outside.
    network = Network(virtual_network=("127.200.0.0/16",))
    fleet = RedisFleet(tmp_path / "redis", ca, HostsFile(tmp_path / "hosts"), network)
    try:
        yield World(fleet, ca, await fleet.start(HOST, CLUSTER))
    finally:
        await fleet.close()


def connects(address: str, port: int, source: str) -> bool:
    """Whether a client gets an answer, here to a command without TLS: a refused connection is reset immediately."""
    try:
        with socket.create_connection((address, port), timeout=10, source_address=(source, 0)) as client:
            client.sendall(b"PING\r\n")
            return bool(client.recv(100))
    except OSError:
        return False


def content(directory: Path) -> bytes:
    return b"".join(file.read_bytes() for file in directory.rglob("*") if file.is_file())


def is_running(pid: int) -> bool:
    return Path(f"/proc/{pid}").exists()


async def test_a_client_of_the_endpoint_costs_one_server_that_knows_the_whole_cluster(world: World) -> None:
    assert world.fleet.pids(HOST) == []
    found = await world.ask(ENDPOINT, "CLUSTER SLOTS")
    assert isinstance(found, list)
    assert [(first, last, node[:2]) for first, last, node, *_ in found] == [
        (0, 5460, [world.at.address, 8500]),
        (5461, 10921, [world.at.address, 8501]),
        (10922, 16383, [world.at.address, 8502]),
    ]
    assert "cluster_state:ok" in str(await world.ask(ENDPOINT, "CLUSTER", "INFO"))
    async with world.client(ENDPOINT) as client:
        assert await client.set("b", "1")  # served immediately: a master that starts would refuse it for two seconds
    assert world.fleet.pids(HOST) == [world.fleet.pid(HOST)]


async def test_a_node_serves_its_own_slots_and_names_the_owner_of_others(world: World) -> None:
    for port in EVERY_PORT:
        async with world.client(port) as client:
            for key, owner in OWNERS.items():
                if owner == (NODES[0] if port == ENDPOINT else port):
                    assert await client.set(key, str(port))
                    continue
                with pytest.raises(MovedError) as moved:
                    await client.set(key, str(port))
                assert (moved.value.host, moved.value.port) == (world.at.address, owner)


async def test_a_client_of_a_node_meets_a_cluster_whose_nodes_know_each_other(world: World) -> None:
    async with world.client(NODES[1]) as client, client.pubsub() as subscriber:
        await subscriber.subscribe("news")
        assert (await subscriber.get_message(timeout=PATIENCE) or {})["type"] == "subscribe"
        assert len(world.fleet.pids(HOST)) == 3
        await world.ask(ENDPOINT, "PUBLISH", "news", "hello")
        assert (await subscriber.get_message(timeout=PATIENCE) or {})["data"] == "hello"
    for port in EVERY_PORT:
        nodes = await world.nodes(port)
        assert {fields[0].split("@")[0] for fields in nodes} == {f"{world.at.address}:{one}" for one in NODES}
        assert {fields[1].removeprefix("myself,") for fields in nodes} == {"master"}
        assert {fields[6] for fields in nodes} == {"connected"}


async def test_the_certificate_is_for_the_hosts_name_at_every_port(world: World) -> None:
    for port in EVERY_PORT:
        await world.handshake(port, HOST)
        with pytest.raises(ssl.SSLCertVerificationError, match="IP address mismatch"):
            await world.handshake(port, world.at.address)


async def test_keys_apply_to_every_node(world: World) -> None:
    for port in EVERY_PORT:
        assert await world.ping(port, "primary-key-1")
        assert await world.ping(port, "secondary-key-1")
        with pytest.raises(AuthenticationError):
            await world.ping(port, "some-other-key")
    await world.fleet.update(HOST, dataclasses.replace(CLUSTER, keys=("primary-key-2", "secondary-key-1")))
    for port in EVERY_PORT:
        assert await world.ping(port, "primary-key-2")
        with pytest.raises(AuthenticationError):
            await world.ping(port, "primary-key-1")


@pytest.mark.parametrize("cut", [False, True])
async def test_connections_to_every_node_are_cut_or_not(world: World, cut: bool) -> None:
    async with contextlib.AsyncExitStack() as stack:
        connections = []
        for port in EVERY_PORT:
            client = await stack.enter_async_context(world.client(port))
            connections.append(await stack.enter_async_context(client.client()))
            assert await connections[-1].ping()
        await world.fleet.update(HOST, dataclasses.replace(CLUSTER, keys=("primary-key-2",)), cut_connections=cut)
        for connection in connections:
            if cut:
                with pytest.raises((RedisConnectionError, AuthenticationError)):
                    await connection.ping()
            else:
                assert await connection.ping()


async def test_a_new_key_may_be_accepted_late_by_every_node(world: World) -> None:
    assert await world.ping(NODES[2])
    late = dataclasses.replace(CLUSTER, keys=("primary-key-2",), key_acceptance_delay_seconds=3600)
    await world.fleet.update(HOST, late)
    for port in NODES:
        with pytest.raises(AuthenticationError):
            await world.ping(port, "primary-key-2")
    await world.fleet.update(HOST, dataclasses.replace(late, key_acceptance_delay_seconds=0.1))

    async def accepted() -> bool:
        try:
            return all([await world.ping(port, "primary-key-2") for port in NODES])
        except AuthenticationError:
            return False

    await wait_for_async(accepted, PATIENCE, "the new key to be accepted")


async def test_the_network_applies_to_every_node(world: World) -> None:
    in_clear = dataclasses.replace(CLUSTER, in_clear=True)
    await world.fleet.update(HOST, in_clear)

    async def admitted(source: str) -> set[bool]:
        return {await asyncio.to_thread(connects, world.at.address, port, source) for port in EVERY_PORT}

    assert await admitted("127.0.0.1") == {True}
    async with world.client(NODES[1], tls=False) as client, client.client() as connection:
        assert await connection.ping()
        private = Reachability(public=False, private_endpoint=True)
        await world.fleet.update(HOST, dataclasses.replace(in_clear, reachable=private))
        with pytest.raises(RedisConnectionError):
            await connection.ping()
    assert await admitted("127.0.0.1") == {False}
    assert await admitted("127.200.3.4") == {True}


async def test_faults_apply_to_every_node(world: World) -> None:
    assert await world.ping(NODES[0])
    await world.fleet.set_fault(HOST, RedisFault.WRONG_CERTIFICATE)
    for port in EVERY_PORT:
        with pytest.raises(ssl.SSLCertVerificationError, match="Hostname mismatch"):
            await world.handshake(port, HOST)
    await world.fleet.set_fault(HOST, RedisFault.RESET)
    for port in EVERY_PORT:
        with pytest.raises(OSError, match="reset"):
            await world.handshake(port, HOST)
    await world.fleet.set_fault(HOST, None)
    for port in EVERY_PORT:
        await world.handshake(port, HOST)


async def test_without_tls_a_client_is_sent_to_the_same_ports(world: World) -> None:
    await world.fleet.update(HOST, dataclasses.replace(CLUSTER, in_clear=True))
    async with world.client(ENDPOINT, tls=False) as first, world.client(8501, tls=False) as second:
        with pytest.raises(MovedError) as moved:
            await first.set("c", "1")
        assert (moved.value.host, moved.value.port) == (world.at.address, 8501)
        assert await second.set("c", "1")


async def test_clients_may_ask_about_the_cluster_and_not_change_it(world: World) -> None:
    for question in ("HELP", "INFO", "NODES", "SLOTS"):
        assert await world.ask(NODES[0], "CLUSTER", question)
    assert await world.ask(NODES[0], "CLUSTER", "KEYSLOT", "a") == 15495
    for refused in ("CLUSTER SHARDS", "CLUSTER MYID", "CLUSTER RESET", "CLUSTER FAILOVER", "READONLY", "ASKING"):
        with pytest.raises(NoPermissionError):
            await world.ask(NODES[0], *refused.split())
    with pytest.raises(ResponseError):
        await world.ask(NODES[0], "SELECT", "1")


@pytest.mark.parametrize("killed", [0, 1])
async def test_a_node_that_died_comes_back_with_its_slots_and_the_current_keys(world: World, killed: int) -> None:
    assert await world.ping(NODES[2])
    await world.fleet.update(HOST, dataclasses.replace(CLUSTER, keys=("primary-key-1",)))
    before = world.fleet.pids(HOST)
    os.kill(before[killed], 9)

    async def ended() -> bool:
        return before[killed] not in world.fleet.pids(HOST)

    await wait_for_async(ended, PATIENCE, "the node to end")
    async with world.client(NODES[killed]) as client:
        assert await client.set({port: key for key, port in OWNERS.items()}[NODES[killed]], "1")
    after = world.fleet.pids(HOST)
    assert [old == new for old, new in zip(before, after, strict=True)] == [index != killed for index in range(3)]
    for port in NODES:
        nodes = await world.nodes(port)
        assert [fields[-1] for fields in nodes] == ["0-5460", "10922-16383", "5461-10921"]
        assert {(fields[1].removeprefix("myself,"), fields[6]) for fields in nodes} == {("master", "connected")}
        assert "cluster_state:ok" in str(await world.ask(port, "CLUSTER", "INFO"))


async def test_another_policy_replaces_the_servers_and_their_data(world: World) -> None:
    await world.fleet.update(HOST, ONE_SERVER)
    async with world.client(ENDPOINT) as client:
        for key in OWNERS:
            assert await client.set(key, "1")
        (single,) = world.fleet.pids(HOST)
        with pytest.raises(ConnectionRefusedError):
            await world.handshake(NODES[0], HOST)
        await world.fleet.update(HOST, CLUSTER)
        assert not is_running(single)
        with pytest.raises(RedisConnectionError):
            await client.get("b")
        assert await client.get("b") is None
        with pytest.raises(MovedError):
            await client.get("c")
    assert await world.ping(NODES[2])
    pids = world.fleet.pids(HOST)
    assert len(pids) == 3
    await world.fleet.update(HOST, ONE_SERVER)
    assert not any(is_running(pid) for pid in pids)
    with pytest.raises(ConnectionRefusedError):
        await world.handshake(NODES[0], HOST)


async def test_all_nodes_end_with_their_host_and_no_key_is_in_their_files(world: World, tmp_path: Path) -> None:
    assert await world.ping(NODES[0])
    pids = world.fleet.pids(HOST)
    files = await asyncio.to_thread(content, tmp_path)
    assert b"cluster-enabled yes" in files
    assert b"primary-key" not in files
    await world.fleet.stop(HOST)
    assert len(pids) == 3
    assert not any(is_running(pid) for pid in pids)
    for port in EVERY_PORT:
        with pytest.raises(ConnectionRefusedError):
            await world.handshake(port, HOST)
