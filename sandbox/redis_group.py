"""The redis-servers behind one endpoint: one, or the nodes of a cluster."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from pathlib import Path

from sandbox.redis_cluster import ClusterNode
from sandbox.redis_front import Front
from sandbox.redis_process import RedisProcess
from sandbox.redis_tool import redis_tool
from sandbox.waiting import wait_for_async

_LINK_SECONDS = 15


class ServerGroup:
    """Starts the servers when they are needed. Its owner sees to it that no two calls run at the same time.

    The nodes of a cluster find each other through gates, which open when all nodes are ready. While a node starts it
    would show the others a role that it gives up immediately.
    """

    def __init__(self, directory: Path, address: str, node_ports: Sequence[int]) -> None:
        nodes = ClusterNode.all(address, node_ports)
        tool = redis_tool()
        self.processes: tuple[RedisProcess, ...] = tuple(
            RedisProcess(tool, directory / str(node_ports[node.index]), address, node) for node in nodes
        ) or (RedisProcess(tool, directory, address),)
        self._gates = tuple(
            Front(address, node.bus_port, _everyone, partial(asyncio.open_connection, address, node.gated_bus_port))
            for node in nodes
        )
        self._linked = not nodes

    @property
    def running(self) -> list[RedisProcess]:
        """Return the servers that run."""
        return [one for one in self.processes if one.alive]

    async def ensure(self, start: Callable[[RedisProcess], Awaitable[None]], *, whole: bool) -> None:
        """Start the first server if it does not run; `whole`: all of them, and wait until they know each other.

        Raises ProcessError, FrontError or TimeoutError.
        """
        missing = [one for one in (self.processes if whole else self.processes[:1]) if not one.alive]
        if not missing and (self._linked or not whole):
            return
        await self._shut_gates()
        for one in missing:
            try:
                await start(one)
            except BaseException:
                await one.stop()  # it runs without its keys
                raise
        if self._gates and len(self.running) == len(self.processes):
            await self._link()

    async def stop(self) -> None:
        """End all servers; their data goes with them."""
        await self._shut_gates()
        for one in self.processes:
            await one.stop()

    async def _link(self) -> None:
        for gate in self._gates:
            await gate.open()

        async def linked() -> bool:
            return all([await one.linked() for one in self.processes])

        await wait_for_async(linked, _LINK_SECONDS, "the nodes to connect to each other", interval=0.01)
        self._linked = True

    async def _shut_gates(self) -> None:
        self._linked = not self._gates
        for gate in self._gates:
            await gate.close()


def _everyone(_client: str) -> bool:
    return True
