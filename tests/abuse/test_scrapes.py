"""A client of the port of /metrics cannot end the leader, starve the probes, or learn which programs serve it."""

import asyncio
import json
import os
import socket
import subprocess
import sys
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from sandbox.api import Api
from sandbox.chart.install import OPERATOR
from sandbox.chart.render import RELEASE_NAMESPACE
from sandbox.cluster import Cluster
from sandbox.waiting import PATIENCE, wait_for, wait_for_async
from secure_redis.api import names
from tests.abuse.conftest import SHOP

CLIENTS = 200
RENEW_DEADLINE = 4.5  # seconds
RESOURCES = 40  # their series make a rendering large
CONFIG = f"""
leaderElection:
  namespace: {RELEASE_NAMESPACE}
  leaseDurationSeconds: 6
  renewDeadlineSeconds: {RENEW_DEADLINE}
  retryPeriodSeconds: 0.5
namespaces: [{SHOP}]
health: {{port: 0}}
"""
LEASE = {
    "apiVersion": "coordination.k8s.io/v1",
    "kind": "Lease",
    "metadata": {"name": "secure-redis-operator", "namespace": RELEASE_NAMESPACE},
}
Client = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


class Leader:
    """The operator as a process, with the chart's permissions and the port that every client reaches."""

    def __init__(self, api: Api, kubeconfig: Path, directory: Path) -> None:
        self._api = api
        self._log = directory / "log"
        config = directory / "config.yaml"
        config.write_text(CONFIG)
        command = [sys.executable, "-m", "secure_redis", "run", "--config", str(config), "--kubeconfig"]
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "POD_NAME": "attacked"}
        with self._log.open("w") as log:
            self.process = subprocess.Popen([*command, str(kubeconfig)], env=environment, stdout=log, stderr=log)

    def records(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self._log.read_text().splitlines() if line.startswith("{")]

    def says(self, message: str) -> bool:
        assert self.process.poll() is None, self._log.read_text()[-3000:]
        return any(one["message"] == message for one in self.records())

    @property
    def port(self) -> int:
        (port,) = [one["port"] for one in self.records() if one["message"] == "health and metrics are served"]
        return int(port)

    def lease(self) -> dict[str, Any]:
        return dict((self._api.find(LEASE) or {}).get("spec") or {})

    def renewed(self) -> float:
        return datetime.fromisoformat(self.lease()["renewTime"]).timestamp()


@pytest.fixture(scope="module")
def leader(admin: Api, control_plane: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Leader]:
    admin.delete(LEASE)
    made = []
    for number in range(RESOURCES):
        cache = (
            f"/subscriptions/{uuid.UUID(int=1)}/resourceGroups/shop/providers/Microsoft.Cache/redis/scraped-{number}"
        )
        metadata = {"name": f"scraped-{number}", "namespace": SHOP}
        document = {"apiVersion": names.API_VERSION, "kind": names.KIND, "metadata": metadata}
        made.append(document)
        admin.apply({**document, "spec": {"resourceID": cache}}).must()
    kubeconfig = control_plane.service_account_kubeconfig(RELEASE_NAMESPACE, OPERATOR)
    one = Leader(admin, kubeconfig, tmp_path_factory.mktemp("scrapes"))
    wait_for(lambda: one.says("leading"), PATIENCE, "it to lead")
    yield one
    one.process.kill()
    one.process.wait(PATIENCE)
    for document in made:
        admin.delete(document)


async def scrape(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n")
    await reader.read()


async def other_series(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(f"GET /metrics?name[]={uuid.uuid4().hex} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
    await reader.read()


async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read()


async def endless_header(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"GET /metrics HTTP/1.1\r\nX: ")
    while True:
        writer.write(b"x")
        await writer.drain()
        await asyncio.sleep(0.5)


async def takes_nothing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n")
    await asyncio.sleep(PATIENCE)


def exchange(port: int, path: str) -> bytes:
    """Ask as the kubelet does: with a new connection each time, and the request immediately."""
    answer = b""
    with socket.create_connection(("127.0.0.1", port), PATIENCE) as connection:
        connection.sendall(f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
        while more := connection.recv(65536):
            answer += more
    return answer


@asynccontextmanager
async def attacked(port: int, client: Client) -> AsyncIterator[None]:
    """200 clients that begin again as soon as the server ends their connection."""

    async def forever() -> None:
        while True:
            with suppress(OSError):
                reader, writer = await asyncio.open_connection("127.0.0.1", port)
                try:
                    await client(reader, writer)
                finally:
                    writer.close()
            await asyncio.sleep(0)

    tasks = [asyncio.create_task(forever()) for _ in range(CLIENTS)]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


@pytest.mark.parametrize(
    "client",
    [
        pytest.param(scrape, id="H02 scrape without end"),
        pytest.param(other_series, id="ask for other series each time", marks=pytest.mark.slow),
        pytest.param(silent, id="connect and send nothing", marks=pytest.mark.slow),
        pytest.param(endless_header, id="send a header without end", marks=pytest.mark.slow),
        pytest.param(takes_nothing, id="scrape and take nothing", marks=pytest.mark.slow),
    ],
)
async def test_200_clients_end_neither_the_leader_nor_the_probes(leader: Leader, client: Client) -> None:
    before = leader.lease()
    began, port = leader.renewed(), leader.port
    probes: list[bytes] = []

    async def held() -> bool:
        probes.append(await asyncio.to_thread(exchange, port, "/healthz"))
        probes.append(await asyncio.to_thread(exchange, port, "/readyz"))
        return await asyncio.to_thread(leader.renewed) > began + 2 * RENEW_DEADLINE

    async with attacked(port, client):
        await wait_for_async(held, PATIENCE, "the Lease to be renewed for longer than the renew deadline")
    assert [probe for probe in probes if not probe.startswith(b"HTTP/1.1 200 ")] == []
    after = leader.lease()
    assert (after["holderIdentity"], after["leaseTransitions"]) == (
        before["holderIdentity"],
        before["leaseTransitions"],
    )
    assert not leader.says("leadership lost")
    wait_for(lambda: b"scraped-0" in exchange(port, "/metrics"), PATIENCE, "it to be served again")


@pytest.mark.parametrize(
    "path",
    ["/", "/debug/pprof", "/config", "/../etc/passwd", "/metrics/../config", "/%2e%2e/config", "/healthz/x"],
    ids=lambda path: f"H01 {path}",
)
def test_no_other_path_is_served_and_no_program_is_named(leader: Leader, path: str) -> None:
    answer = exchange(leader.port, path)
    assert answer.startswith(b"HTTP/1.1 404 ")
    for word in (b"server:", b"python", b"aiohttp"):
        assert word not in answer.lower()
