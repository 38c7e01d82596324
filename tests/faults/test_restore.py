"""etcd is put back to a backup under running operators: they end, and new ones follow what the API server has."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from sandbox.chart.render import RELEASE_NAMESPACE
from sandbox.controlplane import ControlPlane
from sandbox.waiting import PATIENCE, wait_for
from sandbox.world import World
from tests.faults import operators
from tests.faults.operators import Operator
from tests.integration.operator.support import Case

# Longer than the API server is away, so that no operator loses the Lease meanwhile.
PATIENT = {
    "namespace": RELEASE_NAMESPACE,
    "leaseDurationSeconds": 120,
    "renewDeadlineSeconds": 100,
    "retryPeriodSeconds": 0.5,
}


def named(case: Case, name: str) -> None:
    """Publish the key under another name."""
    case.change(connection={"secretName": name})
    wait_for(lambda: case.secret(name) is not None, PATIENCE, f"the Secret {name} of {case.cache}")
    wait_for(lambda: case.status.get("binding") == {"name": name}, PATIENCE, f"the status of {case.cache}")


@pytest.fixture
def running(world: World) -> Iterator[dict[str, tuple[Operator, Case]]]:
    """An operator that leads by a Lease, and one without election, each with a resource of its own."""
    kubeconfig = operators.operator_kubeconfig(world)
    started: dict[str, tuple[Operator, Case]] = {}
    try:
        for name, election in (("lease", PATIENT), ("alone", operators.NO_ELECTION)):
            team = world.team()
            operator = operators.start(
                world, kubeconfig, team.namespace, leaderElection=election, intervals={"resyncSeconds": 5}
            )
            case = Case(world, team, name)
            started[name] = (operator, case)
            case.published(connection={"secretName": "s1"})
        yield started
    finally:
        for operator, _ in started.values():
            operator.child.kill()


@pytest.mark.timeout(400)
def test_a_restore_ends_every_operator_and_the_next_one_follows_the_backup(
    world: World, plane: ControlPlane, running: dict[str, tuple[Operator, Case]]
) -> None:
    backup: Path = plane.back_up()
    for operator, case in running.values():
        assert operator.child.alive, operator.child.tail()
        named(case, "s2")
    plane.restore(backup)
    for name, (operator, _) in running.items():
        assert operator.child.wait(PATIENCE) == 1, f"{name}: {operator.child.tail()}"
        why = "the API server's data are older than what was observed; ending"
        assert operator.said(why) is not None, f"{name}: {operator.child.tail()}"
    for _, case in running.values():
        assert case.secret("s2") is None, "an edit that no API server has was followed"
    again = operators.start(
        world, operators.operator_kubeconfig(world), *(case.team.namespace for _, case in running.values())
    )
    try:
        for _, case in running.values():
            named(case, "s3")
            case.until("Ready", "True")
            assert case.secret("s2") is None
        assert again.child.terminate(PATIENCE) == 0
    finally:
        again.child.kill()
