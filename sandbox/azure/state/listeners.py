"""The real Redis listeners of caches: their settings follow from the state of the cache."""

import ipaddress
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from sandbox.azure.state.managed_redis import ManagedState
from sandbox.azure.state.redis import CacheState
from sandbox.redis_servers import RedisFleet
from sandbox.redis_settings import RedisSettings

Cache = CacheState | ManagedState
_UNREACHABLE = frozenset({"Creating", "CreateFailed", "Deleting", "Provisioning", "Unprovisioning", "Disabled"})
_NODE_PORTS = (8500, 8501, 8502)  # of the range 85xx in which Managed Redis announces the nodes of OSSCluster


class Listeners(Protocol):
    """Keeps the listeners of caches equal to the caches' state."""

    async def apply(self, cache: Cache, *, cut: bool = False) -> None:
        """Update a cache's listener to the cache's state. `cut` closes its connections."""

    async def set_fault(self, cache: Cache, fault: str | None) -> None:
        """Make a cache's listener misbehave (a value of RedisFault); None ends the fault."""

    async def close(self) -> None:
        """Stop all."""


class NoListeners:
    """Starts no listener: caches exist in ARM only."""

    async def apply(self, cache: Cache, *, cut: bool = False) -> None:
        """Do nothing, because nothing listens."""

    async def set_fault(self, cache: Cache, fault: str | None) -> None:
        """Raise ValueError, because nothing listens."""
        raise ValueError("start the simulator with --redis to have listeners")

    async def close(self) -> None:
        """Do nothing, because nothing runs."""


class FleetListeners:
    """Runs the TLS `redis-server`s of every cache that accepts connections."""

    def __init__(self, fleet: RedisFleet, host_of: Callable[[Cache], str]) -> None:
        self._fleet = fleet
        self._host_of = host_of
        self._running: dict[str, RedisSettings] = {}

    async def apply(self, cache: Cache, *, cut: bool = False) -> None:
        """Start, change or stop the server. A cache that is being created or deleted has none."""
        host = self._host_of(cache)
        wanted = managed_settings(cache) if isinstance(cache, ManagedState) else redis_settings(cache)
        if wanted is None:
            if self._running.pop(host, None) is not None:
                await self._fleet.stop(host)
            return
        if host not in self._running:
            await self._fleet.start(host, wanted)
        elif self._running[host] != wanted or cut:
            await self._fleet.update(host, wanted, cut_connections=cut)
        self._running[host] = wanted

    async def set_fault(self, cache: Cache, fault: str | None) -> None:
        """Set a listener's fault. Raises ValueError for an unknown fault or a cache without a listener."""
        from sandbox.redis_settings import RedisFault

        host = self._host_of(cache)
        if host not in self._running:
            raise ValueError(f"{host} does not listen")
        await self._fleet.set_fault(host, RedisFault(fault) if fault else None)

    async def close(self) -> None:
        """Stop all servers."""
        await self._fleet.close()


def redis_settings(cache: CacheState) -> RedisSettings | None:
    """Return the listener's keys, minimum TLS, non-TLS port and reachability. None: nothing listens."""
    from sandbox.redis_settings import Reachability, RedisSettings

    if cache.deleted_at is not None or cache.state in _UNREACHABLE:
        return None
    ranges = tuple((start, end) for start, end in sorted(cache.firewall.values()) if _is_ipv4(start) and _is_ipv4(end))
    minimum = str(cache.properties.get("minimumTlsVersion") or "1.2")
    return RedisSettings(
        keys=() if cache.keys_disabled else cache.live_keys,
        minimum_tls="1.0" if minimum == "1.0" else "1.1" if minimum == "1.1" else "1.2",
        plaintext_port=bool(cache.properties.get("enableNonSslPort")),
        reachable=Reachability(
            public=cache.public,
            ranges=ranges,
            private_endpoint=any(e.status == "Approved" for e in cache.private_endpoints.values()),
        ),
    )


def managed_settings(cluster: ManagedState) -> RedisSettings | None:
    """Return the settings of a cluster, whose ports speak TLS or, with clientProtocol Plaintext, plaintext.

    With clusteringPolicy OSSCluster there are nodes behind its port; with any other it is one server.
    """
    from sandbox.redis_settings import Reachability, RedisSettings

    database = cluster.database
    if database is None or {database["provisioningState"], database.get("resourceState")} & _UNREACHABLE:
        return None
    minimum = str(cluster.properties.get("minimumTlsVersion") or "1.2")
    return RedisSettings(
        keys=cluster.live_keys if cluster.keys_enabled else (),
        minimum_tls="1.0" if minimum == "1.0" else "1.1" if minimum == "1.1" else "1.2",
        tls_port=int(database["port"]),
        in_clear=database.get("clientProtocol") == "Plaintext",
        node_ports=_NODE_PORTS if database.get("clusteringPolicy") == "OSSCluster" else (),
        reachable=Reachability(
            public=cluster.public,
            private_endpoint=any(e.status == "Approved" for e in cluster.private_endpoints.values()),
        ),
    )


def _is_ipv4(text: str) -> bool:
    try:
        ipaddress.IPv4Address(text)
    except ValueError:
        return False
    return True


def fleet_listeners(directory: Path, ca_directory: Path, hosts: Path, host_of: Callable[[Cache], str]) -> Listeners:
    """Return listeners that run real servers below `directory` and add their names to the hosts file `hosts`."""
    from sandbox.ca import CertificateAuthority
    from sandbox.names import HostsFile
    from sandbox.redis_servers import RedisFleet

    fleet = RedisFleet(directory, CertificateAuthority.create_or_load(ca_directory), HostsFile(hosts))
    return FleetListeners(fleet, host_of)
