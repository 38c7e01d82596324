"""`kill -9` at every side effect of an injection and of a rotation, with real rollouts of real pods.

As in test_kill_everywhere.py; the world has a node here, and the chart gives the rights on workloads.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sandbox.azure.state.faults import Fault
from sandbox.chart.install import install
from sandbox.cli.supervisor import start_pods
from sandbox.controlplane import ControlPlane
from sandbox.gate import Gate
from sandbox.names import HostsFile
from sandbox.waiting import PATIENCE, wait_for
from sandbox.world import World
from tests.controlplane import install_crds
from tests.faults import operators
from tests.faults.consumers import EMERGENCY, FOLLOW, GO, INJECT, LED, RELEASE, Consumed
from tests.faults.killing import BOTH, Killing
from tests.faults.scenarios import Scenario
from tests.kube import Kube

AT_ONCE = 6  # mostly they wait
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


@BOTH
@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize(
    "scenario",
    [LED, INJECT, GO, FOLLOW, RELEASE, EMERGENCY],
    ids=lambda scenario: scenario.name,
)
def test_kill_at_every_side_effect(
    scenario: Scenario, thoroughly: bool, world: World, gate: Gate, kubeconfig: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    told, wrong = Killing(world, gate, kubeconfig).everywhere(scenario, at_once=AT_ONCE, thoroughly=thoroughly)
    with capsys.disabled():
        print(f"\n{told}")  # noqa: T201
    assert not wrong, "\n".join(wrong)


@pytest.mark.timeout(300)
def test_a_regeneration_that_azure_does_late_is_not_asked_for_twice(world: World, gate: Gate, kubeconfig: Path) -> None:
    """What was asked long after its intent was recorded, by an operator that then died, may still come to pass."""
    stage = LED.stage(world)
    assert isinstance(stage, Consumed)
    control, space = world.control, stage.team.namespace
    settle = {"intervals": {**INTERVALS, "regenerationSettleSeconds": 8}}
    # Between intent and request more time passes than the one for which Azure's lost requests are waited for.
    path = f"^/secrets/{stage.name}/"
    marking = Fault(service="vault", method="PATCH", path=path, kind="delay", when="after", seconds=9)
    late = ""
    first = operators.start(world, kubeconfig, space, **settle)
    try:
        assert LED.begin is not None
        LED.begin(stage)
        control.faults.add(marking)
        late = control.faults.add_regeneration(stage.name, "late", seconds=5)
        LED.trigger(stage)
        wait_for(lambda: control.faults.hits().get(late), PATIENCE, "the key to be asked for")
        comes = control.clock.now() + 5
    finally:
        first.child.kill()
        control.faults.remove(late)
    assert stage.regenerated() == []
    second = operators.start(world, kubeconfig, space, **settle)
    try:
        wait_for(lambda: LED.done(stage), PATIENCE, "the rotation to be done")
        wait_for(lambda: control.clock.now() > comes + 1, PATIENCE, "the late regeneration")
        assert stage.regenerated() == ["Secondary", "Primary"]
        assert stage.dangers() == []
        assert second.child.terminate(PATIENCE) == 0
    finally:
        second.child.kill()
    stage.clean()
