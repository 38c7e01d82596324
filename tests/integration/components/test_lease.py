"""Two processes and one Lease: hand-over, death, and a leader that was frozen."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from sandbox.chart.render import RELEASE_NAMESPACE
from sandbox.waiting import PATIENCE, wait_for
from tests.integration.components.contender import DURATION
from tests.kube import Kube

LEASE = "secure-redis-operator"
CONTENDER = Path(__file__).with_name("contender.py")


class Contender:
    """One process that leads as often as it can and writes a line for each act."""

    def __init__(self, kubeconfig: Path, name: str, directory: Path) -> None:
        self.name = name
        self.out = directory / f"{name}.jsonl"
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
        self.process = subprocess.Popen(
            [sys.executable, str(CONTENDER), str(kubeconfig), RELEASE_NAMESPACE, name, str(self.out)], env=environment
        )

    def lines(self) -> list[dict[str, float | str]]:
        text = self.out.read_text() if self.out.exists() else ""
        return [json.loads(line) for line in text.splitlines()]

    def acts(self) -> list[float]:
        return [float(line["at"]) for line in self.lines() if line["what"] == "act"]

    def said(self, what: str) -> bool:
        return any(line["what"] == what for line in self.lines())

    def end(self) -> None:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGCONT)
            self.process.kill()
        self.process.wait(PATIENCE)


@pytest.fixture
def contender(kubeconfig: Path, kube: Kube, tmp_path: Path) -> Iterator[Callable[[str], Contender]]:
    started: list[Contender] = []

    def start(name: str) -> Contender:
        started.append(Contender(kubeconfig, name, tmp_path))
        return started[-1]

    kube.delete("Lease", LEASE, RELEASE_NAMESPACE, "coordination.k8s.io/v1")
    yield start
    for one in started:
        one.end()


def leads(one: Contender) -> None:
    wait_for(lambda: bool(one.acts()), PATIENCE, f"{one.name} to lead")


def test_a_stopped_leader_releases_the_lease_at_once(contender: Callable[[str], Contender]) -> None:
    first = contender("first")
    leads(first)
    second = contender("second")
    wait_for(lambda: second.said("waiting"), PATIENCE, "the second to wait")
    assert not second.acts()
    first.process.send_signal(signal.SIGTERM)
    assert first.process.wait(PATIENCE) == 0
    stopped = time.time()
    leads(second)
    assert second.acts()[0] - stopped < DURATION - 1, "given back, not expired"
    assert max(first.acts()) < min(second.acts())


def test_a_killed_leader_is_followed_after_its_lease(contender: Callable[[str], Contender]) -> None:
    first = contender("first")
    leads(first)
    second = contender("second")
    wait_for(lambda: second.said("waiting"), PATIENCE, "the second to wait")
    first.process.kill()
    leads(second)
    assert max(first.acts()) < min(second.acts())


def test_a_frozen_leader_never_acts_again(contender: Callable[[str], Contender]) -> None:
    first = contender("first")
    leads(first)
    second = contender("second")
    wait_for(lambda: second.said("waiting"), PATIENCE, "the second to wait")
    first.process.send_signal(signal.SIGSTOP)
    leads(second)
    first.process.send_signal(signal.SIGCONT)
    assert first.process.wait(PATIENCE) == 1, "a leader that lost ends itself"
    assert max(first.acts()) < min(second.acts())
    assert first.said("lost")
