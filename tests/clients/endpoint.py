"""A TLS Redis of the sandbox that accepts one access key, and the Secret that the product builds for it."""

import asyncio
import contextlib
import dataclasses
import hashlib
import json
import threading
from collections.abc import Coroutine, Iterator, Mapping
from pathlib import Path
from typing import Any, Self, TypeVar

import redis

from sandbox.addresses import Addresses
from sandbox.ca import CertificateAuthority
from sandbox.names import HostsFile
from sandbox.redis_servers import RedisFleet
from sandbox.redis_settings import TLS_PORT, RedisSettings
from tests.builders.world import built, cache, resource
from tests.clients.relay import Relay

# The characters of base64 besides letters and digits: each of `+`, `/` and `=` ends something in a URI.
KEY = "zK/9w+rT0m+Ab/cD4eF5gH6iJ7kL8mN9oP0qR1s/u+0="
DATABASE = 3  # not 0, so that a client which ignores the number is noticed
_CERTIFIED = "orders.redis.clients.test"
_ALIAS = "sessions.redis.clients.test"  # the same server, which has no certificate for this name
_CALL_SECONDS = 60

T = TypeVar("T")


@dataclasses.dataclass(frozen=True)
class Binding:
    """The content of a Secret, and the directory in which a pod finds it."""

    entries: Mapping[str, str]
    root: Path  # what SERVICE_BINDING_ROOT names

    @property
    def ca_file(self) -> Path:
        """Return the mounted `ca.crt`."""
        return self.root / "orders" / "ca.crt"


@dataclasses.dataclass
class Traffic:
    """The traffic: connections, whether the key came without TLS, commands that Redis executed and refused."""

    connections: int = 0
    in_clear: bool = False
    commands: int = 0
    refusals: int = 0


class Endpoint:
    """The running Redis. Its event loop has a thread of its own, as the clients are awaited by another."""

    def __init__(self, directory: Path, hosts: Path) -> None:
        self._directory = directory
        self._hosts = HostsFile(hosts)
        self._authority = CertificateAuthority.create_or_load(directory / "ca")
        self._stranger = CertificateAuthority.create_or_load(directory / "other-ca")
        self._addresses = Addresses()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="clients' endpoint", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        self._call(self._start())
        return self

    def __exit__(self, *_: object) -> None:
        self._call(self._stop())
        for name in (_CERTIFIED, _ALIAS):
            self._hosts.remove(name)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def binding(self, spec: Mapping[str, Any]) -> Binding:
        """Return the Secret of a resource with this spec."""
        return self._binding("right", _CERTIFIED, self._authority, spec)

    def of_another_authority(self, spec: Mapping[str, Any]) -> Binding:
        """Return a Secret whose `ca.crt` did not issue the server's certificate."""
        return self._binding("other-authority", _CERTIFIED, self._stranger, spec)

    def of_another_host(self, spec: Mapping[str, Any]) -> Binding:
        """Return a Secret whose `host` leads to the server, which has no certificate for this name."""
        return self._binding("other-host", _ALIAS, self._authority, spec)

    def clear(self) -> None:
        """Delete all data."""
        with self._client(0) as client:
            client.flushall()

    def size(self, database: int) -> int:
        """Return how many keys a database has."""
        with self._client(database) as client:
            return int(client.dbsize())

    @contextlib.contextmanager
    def counting(self) -> Iterator[Traffic]:
        """Count what arrives at the server in this block."""
        traffic = Traffic()
        with self._client(0) as client:
            client.ping()
            before, self._relay.connections, self._relay.in_clear = _counters(client), 0, False
            yield traffic
            after = _counters(client)
        traffic.connections, traffic.in_clear = self._relay.connections, self._relay.in_clear
        # INFO is counted once it is done, so the first of the two is in the difference.
        traffic.commands = after["total_commands_processed"] - before["total_commands_processed"] - 1
        traffic.refusals = after["total_error_replies"] - before["total_error_replies"]

    def _client(self, database: int) -> redis.Redis:
        return redis.Redis(
            host=_CERTIFIED,
            port=TLS_PORT,
            password=KEY,
            db=database,
            ssl=True,
            ssl_ca_certs=str(self._authority.ca_file),
        )

    def _binding(self, kind: str, host: str, authority: CertificateAuthority, spec: Mapping[str, Any]) -> Binding:
        declared = resource({**spec, "connection": {"database": DATABASE, **spec.get("connection", {})}})
        facts = cache(host_name=host, tls_port=TLS_PORT)
        data = built(declared, KEY, facts, ca=authority.ca_file.read_text()).data
        entries = {name: value.get_secret_value().decode() for name, value in data.items()}
        tag = hashlib.sha256(json.dumps(spec, sort_keys=True).encode()).hexdigest()[:12]
        return Binding(entries, mounted(self._directory / "bindings" / f"{kind}-{tag}", entries))

    async def _start(self) -> None:
        self._fleet = RedisFleet(self._directory / "redis", self._authority, self._hosts)
        server = await self._fleet.start(_CERTIFIED, RedisSettings(keys=(KEY,)))
        self._relay = Relay(server.address, TLS_PORT, KEY.encode())
        address = self._addresses.take()
        await self._relay.open(address)
        for name in (_CERTIFIED, _ALIAS):
            self._hosts.set(name, address)

    async def _stop(self) -> None:
        await self._relay.close()
        await self._fleet.close()
        self._addresses.close()

    def _call(self, coroutine: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(_CALL_SECONDS)


def _counters(client: redis.Redis) -> dict[str, int]:
    found: dict[str, int] = client.info("stats")
    return found


def mounted(root: Path, entries: Mapping[str, str]) -> Path:
    """Write the entries as the kubelet mounts a Secret: links into `..data`, itself a link. Returns `root`."""
    volume = root / "orders"
    if volume.exists():
        return root
    release = volume / "..2026_11_24_12_00_00.000000001"
    release.mkdir(parents=True)
    (volume / "..data").symlink_to(release.name)
    for name, value in entries.items():
        (release / name).write_text(value)
        (volume / name).symlink_to(Path("..data") / name)
    return root
