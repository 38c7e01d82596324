"""The nodes of a cluster behind one endpoint: their ports, options and the nodes.conf with which they start.

Each node knows the whole cluster from its file, so a node answers CLUSTER SLOTS in full from its first command on,
whether the other nodes run or not.
"""

import dataclasses
import secrets
from collections.abc import Sequence
from typing import Self

NODES_FILE = "nodes.conf"
_SLOTS = 16384
# On the endpoint's own address, which no one else uses.
_SERVER_PORT = 16381
_BUS_PORT = 17381  # where the other nodes find a node: the port of a gate
_GATED_BUS_PORT = 18381  # where the node itself listens for them
_VACANT_PORT = 1  # nothing listens there
# A node that does not run must not count as failed: it starts when a client comes.
_NODE_TIMEOUT_MS = 10**10
# The commands of Redis Enterprise with the OSS cluster API (its list "Cluster management commands compatibility").
REFUSED_TO_CLUSTER_CLIENTS = (
    "-asking -readonly -readwrite -cluster +cluster|help +cluster|info +cluster|keyslot +cluster|nodes +cluster|slots"
)


@dataclasses.dataclass(frozen=True)
class ClusterNode:
    """One node, as it and the others know it.

    Redis lets a master that starts serve no key for two seconds (CLUSTER_WRITABLE_DELAY in cluster.c), but a replica
    immediately. So a node starts as the replica of `predecessor`, which never ran, and takes its slots over before a
    client reaches it.
    """

    index: int
    address: str
    ports: tuple[int, ...]
    ids: tuple[str, ...]
    predecessor: str

    @classmethod
    def all(cls, address: str, ports: Sequence[int]) -> tuple[Self, ...]:
        """Return a node for each of the ports that clients are sent to."""
        ids = tuple(_new_id() for _ in ports)
        return tuple(cls(index, address, tuple(ports), ids, _new_id()) for index in range(len(ports)))

    @property
    def server_port(self) -> int:
        """Return the port of its server, which clients reach through the front at the announced port."""
        return _SERVER_PORT + self.index

    @property
    def bus_port(self) -> int:
        """Return the port at which the other nodes look for it."""
        return _BUS_PORT + self.index

    @property
    def gated_bus_port(self) -> int:
        """Return the port at which it listens for the other nodes."""
        return _GATED_BUS_PORT + self.index

    def options(self) -> list[str]:
        """Return its lines of redis.conf."""
        return [
            "cluster-enabled yes",
            f"cluster-config-file {NODES_FILE}",
            f"cluster-node-timeout {_NODE_TIMEOUT_MS}",
            f"cluster-port {self.gated_bus_port}",
            f"cluster-announce-ip {self.address}",
            # Since Redis 7.2 a client with TLS is sent to the second of them, before to the first.
            f"cluster-announce-port {self.ports[self.index]}",
            f"cluster-announce-tls-port {self.ports[self.index]}",
            f"cluster-announce-bus-port {self.bus_port}",
        ]

    def view(self) -> str:
        """Return the nodes.conf with which it starts."""
        count = len(self.ports)
        lines = []
        for index in range(count):
            place = f"{self.ids[index]} {self.address}:{self.ports[index]}@{_BUS_PORT + index}"
            slots = f"{_SLOTS * index // count}-{_SLOTS * (index + 1) // count - 1}"
            epoch = index + 1
            if index == self.index:
                vacant = f"{self.address}:{_VACANT_PORT}@{_VACANT_PORT}"
                lines.append(f"{place} myself,slave {self.predecessor} 0 0 {epoch} connected")
                lines.append(f"{self.predecessor} {vacant} master - 0 0 {epoch} connected {slots}")
            else:
                lines.append(f"{place} master - 0 0 {epoch} connected {slots}")
        # Different for each, so that no two nodes take over with the same epoch.
        lines.append(f"vars currentEpoch {count + self.index} lastVoteEpoch 0")
        return "\n".join(lines) + "\n"


def _new_id() -> str:
    return secrets.token_hex(20)
