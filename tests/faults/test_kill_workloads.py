"""`kill -9` at every side effect of an injection and of a rotation, with real rollouts of real pods.

As in test_kill_everywhere.py; the world has a node here, and the chart gives the rights on workloads.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sandbox.chart.install import install
from sandbox.cli.supervisor import start_pods
from sandbox.controlplane import ControlPlane
from sandbox.gate import Gate
from sandbox.names import HostsFile
from sandbox.world import World
from tests.controlplane import install_crds
from tests.faults import operators
from tests.faults.consumers import EMERGENCY, FOLLOW, GO, INJECT, LED, RELEASE
from tests.faults.killing import Killing
from tests.faults.scenarios import Scenario
from tests.kube import Kube

AT_ONCE = 4  # mostly they wait
ENABLED: dict[str, Any] = {"workloads": {"enabled": True}}
INTERVALS = {"absenceConfirmationSeconds": 0.5, "operationPollSeconds": 0.2, "regenerationSettleSeconds": 2}


@pytest.fixture(scope="module")
def plane(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControlPlane]:
    """A control plane whose pods are scheduled."""
    with ControlPlane(tmp_path_factory.mktemp("workloads-plane")) as running:
        yield running
        running.check()


@pytest.fixture(scope="module")
def world(plane: ControlPlane, tmp_path_factory: pytest.TempPathFactory, hosts: Path, domain: str) -> Iterator[World]:
    """A world with a node and without an operator."""
    install_crds(Kube(plane.cluster.kubeconfig))
    made = World(
        tmp_path_factory.mktemp("workloads"),
        plane.cluster,
        hosts=hosts,
        domain=f"kills-{domain}",
        settings={"intervals": INTERVALS, **ENABLED},
    )
    made.start()
    install(made.api, ENABLED)
    pods = start_pods(
        tmp_path_factory.mktemp("pods"), plane.cluster, HostsFile(hosts).path, made.control.endpoints.ca_file
    )
    try:
        yield made
        pods.check()
    finally:
        made.stop()
        pods.terminate()


@pytest.fixture(scope="module")
def kubeconfig(world: World, gate: Gate) -> Path:
    """The operator's rights, through the gate."""
    return gate.kubeconfig(operators.operator_kubeconfig(world))


@pytest.mark.timeout(900)
@pytest.mark.parametrize(
    "scenario",
    [INJECT, FOLLOW, LED, RELEASE, GO, pytest.param(EMERGENCY, marks=pytest.mark.slow)],
    ids=lambda scenario: scenario.name,
)
def test_kill_at_every_side_effect(
    scenario: Scenario, world: World, gate: Gate, kubeconfig: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    told, wrong = Killing(world, gate, kubeconfig).everywhere(scenario, at_once=AT_ONCE)
    with capsys.disabled():
        print(f"\n{told}")  # noqa: T201
    assert not wrong, "\n".join(wrong)
