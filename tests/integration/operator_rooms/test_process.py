"""The operator as a process, under the chart's rights: it waits, leads, passes, goes, and leaves no lease behind."""

import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from sandbox.chart.render import RELEASE_NAMESPACE
from sandbox.waiting import wait_for
from secure_redis.api import names
from secure_redis.api.resource import SecureRedisCache
from tests.kube import Kube

LEASE = "secure-redis-operator"
CONFIG = """
leaderElection: {namespace: %s, leaseDurationSeconds: 6, renewDeadlineSeconds: 4, retryPeriodSeconds: 1}
health: {port: 0}
logging: {level: DEBUG}
"""


class Operator:
    """One `secure-redis run`."""

    def __init__(self, kubeconfig: Path, directory: Path, name: str) -> None:
        config = directory / "config.yaml"
        config.write_text(CONFIG % RELEASE_NAMESPACE)
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

    def terminate(self) -> float:
        started = time.monotonic()
        self.process.send_signal(signal.SIGTERM)
        assert self.process.wait(30) == 0, self._log.read_text()[-3000:]
        return time.monotonic() - started

    def end(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait(10)


@pytest.fixture
def operator(kubeconfig: Path, kube: Kube, tmp_path: Path) -> Iterator[Callable[[str], Operator]]:
    started: list[Operator] = []
    kube.delete("Lease", LEASE, RELEASE_NAMESPACE, "coordination.k8s.io/v1")

    def start(name: str) -> Operator:
        started.append(Operator(kubeconfig, tmp_path, name))
        return started[-1]

    yield start
    for one in started:
        one.end()


def condition(kube: Kube, resource: SecureRedisCache, kind: str = "Ready") -> str:
    body = kube.get(names.KIND, resource.key.name, resource.key.namespace, names.API_VERSION) or {}
    found = [c for c in body.get("status", {}).get("conditions", []) if c["type"] == kind]
    return str(found[0]["reason"]) if found else ""


def test_a_resource_is_answered_and_an_orderly_end_hands_over(
    operator: Callable[[str], Operator], make: Callable[..., SecureRedisCache], kube: Kube
) -> None:
    first = operator("first")
    wait_for(lambda: first.says("leading"), 30, "the first to lead")
    standby = operator("standby")
    wait_for(lambda: standby.says("health and metrics are served"), 30, "the standby to be up")
    assert standby.get("/readyz")[0] == 200, "a standby is ready"

    resource = make()
    wait_for(lambda: condition(kube, resource) == "NoIdentity", 30, "the status")
    body = kube.get(names.KIND, resource.key.name, resource.key.namespace, names.API_VERSION)
    assert body is not None
    assert body["metadata"]["finalizers"] == [names.FINALIZER]
    status, metrics = first.get("/metrics")
    assert status == 200
    assert 'leader_election_master_status{name="secure-redis-operator"} 1.0' in metrics
    assert f'name="{resource.key.name}"' in metrics

    edit = {"metadata": {"annotations": {names.REFRESH: "1"}}}
    kube.patch(names.KIND, resource.key.name, edit, resource.key.namespace, names.API_VERSION)

    def refreshed() -> bool:
        now = kube.get(names.KIND, resource.key.name, resource.key.namespace, names.API_VERSION) or {}
        return bool(now["status"].get("lastHandled", {}).get("refresh") == "1")

    wait_for(refreshed, 30, "the request by annotation to be answered")

    assert first.terminate() < 10
    wait_for(lambda: standby.says("leading"), 10, "the standby to lead")
    kube.delete(names.KIND, resource.key.name, resource.key.namespace, names.API_VERSION)
    gone = f'name="{resource.key.name}"'
    wait_for(
        lambda: kube.get(names.KIND, resource.key.name, resource.key.namespace, names.API_VERSION) is None,
        30,
        "the finalizer to be released",
    )
    wait_for(lambda: gone not in standby.get("/metrics")[1], 30, "the resource's series to go")
    standby.terminate()


def test_a_frozen_leader_ends_itself(operator: Callable[[str], Operator], kube: Kube) -> None:
    first = operator("first")
    wait_for(lambda: first.says("leading"), 30, "the first to lead")
    second = operator("second")
    first.process.send_signal(signal.SIGSTOP)
    wait_for(lambda: second.says("leading"), 30, "the second to lead")
    first.process.send_signal(signal.SIGCONT)
    assert first.process.wait(20) == 1
    second.terminate()
