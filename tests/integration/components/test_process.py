"""The operator process, with the chart's permissions: it waits, leads, passes, ends, and leaves no lease behind."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from sandbox.chart.render import RELEASE_NAMESPACE
from sandbox.waiting import PATIENCE, wait_for
from secure_redis import controller
from secure_redis.api import names
from secure_redis.api.resource import SecureRedisCache
from secure_redis.kube.client import KubeClient, connect
from secure_redis.kube.streams import Streams
from tests.integration.components.conftest import POOR, RBAC, cluster_binding
from tests.kube import Kube

LEASE = "secure-redis-operator"
CONFIG = """
leaderElection: {namespace: %s, leaseDurationSeconds: 10, renewDeadlineSeconds: 8, retryPeriodSeconds: 1}
health: {port: 0}
logging: {level: DEBUG}
"""


class Operator:
    """One `secure-redis run`."""

    def __init__(self, kubeconfig: Path, directory: Path, name: str, more: str = "") -> None:
        config = directory / f"{name}.yaml"
        config.write_text(CONFIG % RELEASE_NAMESPACE + more)
        self._log = directory / f"{name}.log"
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "POD_NAME": name}
        environment.pop("KUBECONFIG", None)
        command = [sys.executable, "-m", "secure_redis", "run"]
        command += ["--config", str(config), "--kubeconfig", str(kubeconfig)]
        with self._log.open("w") as log:
            self.process = subprocess.Popen(command, env=environment, stderr=log, stdout=log)

    def records(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self._log.read_text().splitlines() if line.startswith("{")]

    def says(self, message: str) -> bool:
        assert self.process.poll() is None, self._log.read_text()[-3000:]
        return any(record["message"] == message for record in self.records())

    def get(self, path: str) -> tuple[int, str]:
        (port,) = [r["port"] for r in self.records() if r["message"] == "health and metrics are served"]
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=5) as answer:
            return answer.status, answer.read().decode()

    def ready(self) -> bool:
        """Whether it says so; served from the start, and true once the Lease was read."""
        return self.readiness()[0] == 200

    def readiness(self) -> tuple[int, str]:
        """Status code and body of the answer of /readyz."""
        try:
            return self.get("/readyz")
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()

    def terminate(self) -> float:
        started = time.monotonic()
        self.process.send_signal(signal.SIGTERM)
        assert self.process.wait(PATIENCE) == 0, self._log.read_text()[-3000:]
        return time.monotonic() - started

    def end(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait(PATIENCE)


@pytest.fixture
def operator_as(kube: Kube, roles: None, tmp_path: Path) -> Iterator[Callable[..., Operator]]:
    started: list[Operator] = []
    kube.delete("Lease", LEASE, RELEASE_NAMESPACE, "coordination.k8s.io/v1")

    def start(kubeconfig: Path, name: str, more: str = "") -> Operator:
        started.append(Operator(kubeconfig, tmp_path, name, more))
        return started[-1]

    yield start
    for one in started:
        one.end()


@pytest.fixture
def operator(operator_as: Callable[..., Operator], kubeconfig: Path) -> Callable[[str], Operator]:
    return lambda name: operator_as(kubeconfig, name)


def condition(kube: Kube, resource: SecureRedisCache, kind: str = "Ready") -> str:
    body = kube.get(names.KIND, resource.key.name, resource.key.namespace, names.API_VERSION) or {}
    found = [c for c in body.get("status", {}).get("conditions", []) if c["type"] == kind]
    return str(found[0]["reason"]) if found else ""


def test_a_resource_is_answered_and_an_orderly_end_releases_the_lease(
    operator: Callable[[str], Operator], make: Callable[..., SecureRedisCache], kube: Kube
) -> None:
    first = operator("first")
    wait_for(lambda: first.says("leading"), PATIENCE, "the first to lead")
    standby = operator("standby")
    wait_for(lambda: standby.says("health and metrics are served"), PATIENCE, "the standby to be up")
    wait_for(standby.ready, PATIENCE, "the standby to be ready")

    resource = make()
    wait_for(lambda: condition(kube, resource) == "NoIdentity", PATIENCE, "the status")
    body = kube.get(names.KIND, resource.key.name, resource.key.namespace, names.API_VERSION)
    assert body is not None
    assert "finalizers" not in body["metadata"], "under Retain a deletion needs no operator"
    assert body["metadata"]["annotations"][names.OPERATOR]
    status, metrics = first.get("/metrics")
    assert status == 200
    assert 'leader_election_master_status{name="secure-redis-operator"} 1.0' in metrics
    assert f'name="{resource.key.name}"' in metrics

    edit = {"metadata": {"annotations": {names.REFRESH: "1"}}}
    kube.patch(names.KIND, resource.key.name, edit, resource.key.namespace, names.API_VERSION)

    def refreshed() -> bool:
        now = kube.get(names.KIND, resource.key.name, resource.key.namespace, names.API_VERSION) or {}
        return bool(now["status"].get("lastHandled", {}).get("refresh") == "1")

    wait_for(refreshed, PATIENCE, "the request by annotation to be answered")

    assert first.terminate() < 20, "no pass runs, so it does not wait for the whole drain"
    wait_for(lambda: standby.says("leading"), PATIENCE, "the standby to lead")
    kube.delete(names.KIND, resource.key.name, resource.key.namespace, names.API_VERSION)
    gone = f'name="{resource.key.name}"'
    wait_for(
        lambda: kube.get(names.KIND, resource.key.name, resource.key.namespace, names.API_VERSION) is None,
        PATIENCE,
        "the resource to be gone",
    )
    wait_for(lambda: gone not in standby.get("/metrics")[1], PATIENCE, "the resource's series to go")
    standby.terminate()


def test_a_frozen_leader_ends_itself(operator: Callable[[str], Operator], kube: Kube) -> None:
    first = operator("first")
    wait_for(lambda: first.says("leading"), PATIENCE, "the first to lead")
    second = operator("second")
    first.process.send_signal(signal.SIGSTOP)
    wait_for(lambda: second.says("leading"), PATIENCE, "the second to lead")
    first.process.send_signal(signal.SIGCONT)
    assert first.process.wait(PATIENCE) == 1
    second.terminate()


def test_without_rights_it_waits_and_heals(
    operator_as: Callable[..., Operator], make: Callable[..., SecureRedisCache], kube: Kube, poor: Path
) -> None:
    waiting = operator_as(poor, "waiting")
    wait_for(lambda: waiting.says("waiting: resources cannot be served"), PATIENCE, "it to say what is in the way")
    assert waiting.get("/healthz")[0] == 200, "waiting is no reason for a restart"
    resource = make()
    kube.create(cluster_binding("poor-later", "secure-redis-operator", POOR))
    try:
        wait_for(lambda: condition(kube, resource) == "NamespaceNotBound", PATIENCE, "the status")
        assert sum(r["message"] == "waiting: resources cannot be served" for r in waiting.records()) == 1
        waiting.terminate()
    finally:
        kube.delete("ClusterRoleBinding", "poor-later", api_version=RBAC)


async def test_kopf_ends_where_it_may_not_watch(poor: Path, bound: str) -> None:
    api = await connect(poor)
    with pytest.raises(Exception, match=r"(?i)forbidden"):
        await asyncio.wait_for(
            asyncio.to_thread(
                controller.watch, lambda kind, body: None, api.configuration, [bound], controller.StopFlag(), Streams()
            ),
            PATIENCE,
        )
    await KubeClient(api).close()
