"""`kill -9` at every side effect of an injection and of a rotation, with real rollouts of real pods.

As in test_kill_everywhere.py; the world has a node here, and the chart gives the permissions on workloads.
"""

import re
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
from tests.faults.killing import Killing
from tests.faults.managed import ROTATIONS, on_managed
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
    """The operator's kubeconfig, through the gate."""
    return gate.kubeconfig(operators.operator_kubeconfig(world))


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize(
    "scenario",
    [LED, INJECT, GO, FOLLOW, RELEASE, EMERGENCY, *ROTATIONS],
    ids=lambda scenario: scenario.name,
)
def test_kill_at_every_side_effect(
    scenario: Scenario, world: World, gate: Gate, kubeconfig: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    told, wrong = Killing(world, gate, kubeconfig).everywhere(scenario, at_once=AT_ONCE)
    with capsys.disabled():
        print(f"\n{told}")  # noqa: T201
    assert not wrong, "\n".join(wrong)


@pytest.mark.timeout(300)
@pytest.mark.parametrize(
    "scenario", [LED, pytest.param(on_managed(LED), marks=pytest.mark.slow)], ids=lambda scenario: scenario.name
)
def test_a_regeneration_that_azure_does_late_is_not_asked_for_twice(
    scenario: Scenario, world: World, gate: Gate, kubeconfig: Path
) -> None:
    """A request sent long after its intent was recorded, by an operator that then died, may still be carried out."""
    stage = scenario.stage(world)
    assert isinstance(stage, Consumed)
    control = world.control
    # Between intent and request more time passes than the one for which Azure's lost requests are waited for.
    path = f"^/secrets/{stage.name}/"
    marking = Fault(service="vault", method="PATCH", path=path, kind="delay", when="after", seconds=9)
    late = ""
    try:
        with operators.running(_patient(world, kubeconfig, stage)):
            assert scenario.begin is not None
            scenario.begin(stage)
            control.faults.add(marking)
            late = control.faults.add_regeneration(stage.name, "late", seconds=5)
            scenario.trigger(stage)
            wait_for(lambda: control.faults.hits().get(late), PATIENCE, "the key to be asked for")
            comes = control.clock.now() + 5
    finally:
        control.faults.remove(late)
    assert stage.regenerated() == []
    with operators.running(_patient(world, kubeconfig, stage)) as second:
        wait_for(lambda: scenario.done(stage), PATIENCE, "the rotation to be done")
        wait_for(lambda: control.clock.now() > comes + 1, PATIENCE, "the late regeneration")
        _must_have_rotated_once(stage, second)
    stage.clean()


@pytest.mark.timeout(300)
def test_a_regeneration_that_still_runs_is_not_asked_for_twice(world: World, gate: Gate, kubeconfig: Path) -> None:
    """The operator dies while Azure regenerates, for longer than a lost request is waited for. No read shows that."""
    scenario = on_managed(LED)
    stage = scenario.stage(world)
    assert isinstance(stage, Consumed)
    path = f"/redisEnterprise/{stage.name}/databases/default/regenerateKey$"
    asked = Fault(service="arm", method="POST", path=path, kind="hang", when="after")
    try:
        with world.control.settings.during(managed_regenerate_seconds=300.0):
            with operators.running(operators.start(world, kubeconfig, stage.team.namespace)):
                assert scenario.begin is not None
                scenario.begin(stage)
                world.control.faults.add(asked)
                scenario.trigger(stage)
                wait_for(lambda: world.control.faults.hits().get(asked.id), PATIENCE, "the key to be asked for")
            assert stage.regenerated() == []
    finally:
        world.control.faults.remove(asked.id)
    before = world.control.log.position()
    with operators.running(operators.start(world, kubeconfig, stage.team.namespace)) as second:
        # The refusal says that an operation runs. It may be the lost one, so a repetition waits once more.
        wait_for(lambda: _refused(world, before, path), PATIENCE, "a repetition to be refused")
        world.control.clock.advance(300)
        wait_for(lambda: scenario.done(stage), PATIENCE, "the rotation to be done")
        _must_have_rotated_once(stage, second)
    stage.clean()


def _refused(world: World, since: int, path: str) -> bool:
    asked = [one for one in world.control.log.writes(since) if re.search(path, one.path)]
    return any(one.status == 409 for one in asked)


def _patient(world: World, kubeconfig: Path, stage: Consumed) -> operators.Operator:
    """An operator that waits longer for the effect of a regeneration than it takes here."""
    settle = {"intervals": {**INTERVALS, "regenerationSettleSeconds": 8}}
    return operators.start(world, kubeconfig, stage.team.namespace, **settle)


def _must_have_rotated_once(stage: Consumed, operator: operators.Operator) -> None:
    assert stage.regenerated() == ["Secondary", "Primary"]
    assert stage.dangers() == []
    assert operator.child.terminate(PATIENCE) == 0
