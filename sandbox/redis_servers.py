"""The Redis endpoints of the sandbox: real redis-servers with TLS at their own address for every simulated cache."""

import asyncio
import contextlib
from functools import partial
from pathlib import Path

from sandbox.addresses import Addresses
from sandbox.ca import CertificateAuthority, IssuedCertificate
from sandbox.names import HostsFile
from sandbox.redis_front import Front, FrontError, Way
from sandbox.redis_group import ServerGroup
from sandbox.redis_process import RedisProcess
from sandbox.redis_settings import (
    PLAINTEXT_PORT,
    Network,
    RedisAddress,
    RedisFault,
    RedisSettings,
)
from sandbox.redis_tool import redis_tool

_ADDRESS_ATTEMPTS = 20


class RedisFleet:
    """Runs all endpoints. A server process starts when the first client is admitted; until then it costs one socket.

    The further nodes of a cluster start when a client is admitted at a node's port.

    Use it within one event loop. Its processes end with this one, however it ends.
    """

    def __init__(
        self, directory: Path, ca: CertificateAuthority, hosts: HostsFile, network: Network | None = None
    ) -> None:
        self._directory = directory.absolute()
        self._ca = ca
        self._hosts = hosts
        self._network = network or Network()
        self._addresses = Addresses()
        self._endpoints: dict[str, _Endpoint] = {}

    async def start(self, host: str, settings: RedisSettings) -> RedisAddress:
        """Make `host` resolve and listen. Raises RedisToolError, FrontError or AddressError, ValueError if it runs."""
        if host in self._endpoints:
            raise ValueError(f"{host} runs already")
        await asyncio.to_thread(redis_tool)
        for attempt in range(_ADDRESS_ATTEMPTS):
            address = self._addresses.take()
            endpoint = _Endpoint(self._directory / host, host, address, self._ca, self._network, settings)
            try:
                await endpoint.open()
                break
            except FrontError:
                # Another server uses this address, or all addresses: a second address shows which.
                if attempt == _ADDRESS_ATTEMPTS - 1:
                    raise
        self._endpoints[host] = endpoint
        self._hosts.set(host, address)
        return RedisAddress(address)

    async def update(self, host: str, settings: RedisSettings, *, cut_connections: bool = False) -> None:
        """Enforce these settings; `cut_connections` also closes connections that authenticated before.

        Other `node_ports` replace the servers, and their data is gone. Raises KeyError if `host` does not run.
        """
        await self._endpoints[host].update(settings, cut_connections=cut_connections)

    async def set_fault(self, host: str, fault: RedisFault | None) -> None:
        """Make `host` misbehave from the next connection on; None ends the fault. Raises KeyError."""
        await self._endpoints[host].set_fault(fault)

    async def stop(self, host: str) -> None:
        """End `host`: it no longer resolves, its connections are dropped and its data is gone. Raises KeyError."""
        endpoint = self._endpoints.pop(host)
        self._hosts.remove(host)
        await endpoint.close()
        self._addresses.give_back(endpoint.address)

    async def close(self) -> None:
        """End all."""
        for host in list(self._endpoints):
            await self.stop(host)
        self._addresses.close()

    def pid(self, host: str) -> int | None:
        """Return the first server's process id; None while no client has come. Raises KeyError."""
        return self._endpoints[host].servers.processes[0].pid

    def pids(self, host: str) -> list[int]:
        """Return the process ids of the servers that run, of a cluster those of all nodes. Raises KeyError."""
        return [one.pid for one in self._endpoints[host].servers.running if one.pid is not None]


class _Endpoint:
    def __init__(
        self,
        directory: Path,
        host: str,
        address: str,
        ca: CertificateAuthority,
        network: Network,
        settings: RedisSettings,
    ) -> None:
        self.address = address
        self._directory = directory
        self._host = host
        self._ca = ca
        self._network = network
        self._settings = settings
        # The endpoint accepts its first keys immediately; the delay is for keys that come later.
        self._accepted = settings.keys
        self._fault: RedisFault | None = None
        self._lock = asyncio.Lock()
        self._late: asyncio.Task[None] | None = None
        self.servers = ServerGroup(directory, address, settings.node_ports)
        self._fronts: dict[int, Front] = {}

    async def open(self) -> None:
        try:
            await self._arrange_fronts()
        except FrontError:
            await self._close_fronts()
            raise

    async def close(self) -> None:
        await self._forget_late()
        await self._close_fronts()
        async with self._lock:
            await self.servers.stop()

    async def update(self, settings: RedisSettings, *, cut_connections: bool) -> None:
        await self._forget_late()
        async with self._lock:
            before, self._settings = self._settings, settings
            accepted = tuple(key for key in settings.keys if key in self._accepted)
            delayed = len(accepted) < len(settings.keys) and settings.key_acceptance_delay_seconds > 0
            self._accepted = accepted if delayed else settings.keys
            if settings.node_ports != before.node_ports:
                await self.servers.stop()
                self.servers = ServerGroup(self._directory, self.address, settings.node_ports)
            for process in self.servers.running:
                if settings.minimum_tls != before.minimum_tls:
                    await self._set_tls(process)
                await process.set_keys(self._accepted, cut_connections=cut_connections)
            if delayed:
                self._late = asyncio.create_task(self._accept_late(settings))
        await self._arrange_fronts()
        for front in self._fronts.values():
            await front.enforce()

    async def set_fault(self, fault: RedisFault | None) -> None:
        async with self._lock:
            self._fault = fault
            for front in self._fronts.values():
                front.fault = fault
            for process in self.servers.running:
                await self._set_tls(process)

    async def _arrange_fronts(self) -> None:
        """Listen at exactly the ports of the settings."""
        ways = self._ways()
        for port in self._fronts.keys() - ways.keys():
            await self._fronts.pop(port).close()
        for port, way in ways.items():
            if port not in self._fronts:
                front = Front(self.address, port, self._admits, way)
                front.fault = self._fault
                await front.open()
                self._fronts[port] = front

    async def _close_fronts(self) -> None:
        for port in list(self._fronts):
            await self._fronts.pop(port).close()

    def _ways(self) -> dict[int, Way]:
        ways: dict[int, Way] = {self._settings.tls_port: self._connect}
        if self._settings.plaintext_port:
            ways[PLAINTEXT_PORT] = self._connect_plaintext
        for index, port in enumerate(self._settings.node_ports):
            ways[port] = partial(self._connect, index, whole=True)
        return ways

    async def _accept_late(self, settings: RedisSettings) -> None:
        await asyncio.sleep(settings.key_acceptance_delay_seconds)
        async with self._lock:
            self._accepted = settings.keys
            for process in self.servers.running:
                await process.set_keys(settings.keys, cut_connections=False)

    async def _forget_late(self) -> None:
        task, self._late = self._late, None
        if task is not None:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task

    def _admits(self, client: str) -> bool:
        return self._network.admits(client, self._settings.reachable)

    @property
    def _old_only(self) -> bool:
        return self._fault is RedisFault.OLD_TLS

    def _certificate(self) -> IssuedCertificate:
        if self._fault is RedisFault.SELF_SIGNED_CERTIFICATE:
            return self._ca.self_signed(self._host)
        if self._fault is RedisFault.WRONG_CERTIFICATE:
            return self._ca.issue(f"not-{self._host}")
        return self._ca.issue(self._host, expired=self._fault is RedisFault.EXPIRED_CERTIFICATE)

    async def _set_tls(self, process: RedisProcess) -> None:
        await process.set_tls(self._certificate(), self._settings.minimum_tls, old_only=self._old_only)

    async def _start(self, process: RedisProcess) -> None:
        await process.start(self._certificate(), self._settings.minimum_tls, old_only=self._old_only)
        await process.set_keys(self._accepted, cut_connections=False)

    async def _running(self, index: int, *, whole: bool) -> RedisProcess:
        async with self._lock:
            servers = self.servers.processes
            if index >= len(servers):
                raise ConnectionError("the cluster has no such node any more")
            await self.servers.ensure(self._start, whole=whole)
            return servers[index]

    async def _connect(
        self, index: int = 0, *, whole: bool = False
    ) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        process = await self._running(index, whole=whole)
        if self._settings.in_clear:
            return await asyncio.open_unix_connection(process.socket_path)
        return await asyncio.open_connection(self.address, process.port)

    async def _connect_plaintext(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        process = await self._running(0, whole=False)
        return await asyncio.open_unix_connection(process.socket_path)
