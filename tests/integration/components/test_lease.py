"""Two processes and one Lease: hand-over, death, a frozen leader, and one whose event loop does not run."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import datetime
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

    def __init__(self, kubeconfig: Path, name: str, directory: Path, duration: int, deadline: float) -> None:
        self.name = name
        self.out = directory / f"{name}.jsonl"
        self._block = directory / f"{name}.block"
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
        command = [sys.executable, str(CONTENDER), str(kubeconfig), RELEASE_NAMESPACE, name, str(self.out)]
        self.process = subprocess.Popen([*command, str(duration), str(deadline), str(self._block)], env=environment)

    def block(self) -> float:
        """Keep its event loop busy. Returns the time at which that has begun."""
        self._block.touch()
        wait_for(lambda: self.said("blocked"), PATIENCE, f"{self.name} to be blocked")
        return float(next(line["at"] for line in self.lines() if line["what"] == "blocked"))

    def unblock(self) -> None:
        self._block.unlink()

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
def contender(kubeconfig: Path, kube: Kube, tmp_path: Path) -> Iterator[Callable[..., Contender]]:
    started: list[Contender] = []

    def start(name: str, duration: int = DURATION, deadline: float = 8) -> Contender:
        started.append(Contender(kubeconfig, name, tmp_path, duration, deadline))
        return started[-1]

    kube.delete("Lease", LEASE, RELEASE_NAMESPACE, "coordination.k8s.io/v1")
    yield start
    for one in started:
        one.end()


def leads(one: Contender) -> None:
    wait_for(lambda: bool(one.acts()), PATIENCE, f"{one.name} to lead")


def test_a_stopped_leader_releases_the_lease_at_once(contender: Callable[..., Contender]) -> None:
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


def test_a_killed_leader_is_followed_after_its_lease(contender: Callable[..., Contender]) -> None:
    first = contender("first")
    leads(first)
    second = contender("second")
    wait_for(lambda: second.said("waiting"), PATIENCE, "the second to wait")
    first.process.kill()
    leads(second)
    assert max(first.acts()) < min(second.acts())


def test_a_frozen_leader_never_acts_again(contender: Callable[..., Contender]) -> None:
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


def renewed(kube: Kube) -> tuple[str, float]:
    """Return the Lease's holder, and the time at which the holder last renewed it."""
    lease = kube.get("Lease", LEASE, RELEASE_NAMESPACE, "coordination.k8s.io/v1") or {}
    spec = lease.get("spec") or {}
    return str(spec.get("holderIdentity")), datetime.fromisoformat(spec["renewTime"]).timestamp()


def test_a_leader_whose_event_loop_is_blocked_keeps_the_lease(contender: Callable[..., Contender], kube: Kube) -> None:
    """Neither a long pass nor a large page may cost the leadership: the block lasts several renew deadlines."""
    deadline = 2.5
    first = contender("first", 4, deadline)
    leads(first)
    second = contender("second", 4, deadline)
    wait_for(lambda: second.said("waiting"), PATIENCE, "the second to wait")
    began = first.block()
    wait_for(lambda: renewed(kube)[1] > began + 3 * deadline, PATIENCE, "the Lease to be renewed all the while")
    assert renewed(kube)[0] == "first"
    acts = len(first.acts())
    first.unblock()
    wait_for(lambda: len(first.acts()) > acts, PATIENCE, "the fence to be open for the first")
    assert not second.acts()
    assert not first.said("lost")


def test_a_leader_whose_event_loop_hangs_loses_the_lease_and_ends(contender: Callable[..., Contender]) -> None:
    first = contender("first", 3, 2)
    leads(first)
    second = contender("second", 3, 2)
    wait_for(lambda: second.said("waiting"), PATIENCE, "the second to wait")
    first.block()
    assert first.process.wait(PATIENCE) == 1
    leads(second)
    assert max(first.acts()) < min(second.acts())
