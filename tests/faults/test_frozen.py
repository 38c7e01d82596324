"""Two operators with an identity each on one API server: what a frozen leader does is in the server's log."""

import os
import signal
import uuid
from collections.abc import Iterator

import pytest

from benchmarks.replicas import Replica, second_account, writes_of
from sandbox.azure.state.faults import Fault
from sandbox.chart.install import OPERATOR
from sandbox.waiting import PATIENCE, wait_for
from sandbox.world import World
from tests.faults.scenarios import PUBLISH, Stage


@pytest.fixture
def stage(world: World) -> Stage:
    return PUBLISH.stage(world)


@pytest.fixture
def replicas(world: World, stage: Stage) -> Iterator[tuple[Replica, Replica]]:
    """A leader and a standby that has read the Lease."""
    other = second_account(world)  # after the stage: its namespace's binding is then copied too
    settings = {"namespaces": [stage.team.namespace]}
    leader = Replica(world, OPERATOR, **settings)
    leader.await_said("leading")
    mark = world.cluster.audit_position()
    standby = Replica(world, other, **settings)
    try:
        wait_for(
            lambda: world.cluster.audit_events(since=mark, user=standby.user, where=lambda e: e.resource == "leases"),
            PATIENCE,
            "the standby to look at the Lease",
        )
        yield leader, standby
        standby.child.check()
    finally:
        leader.child.kill()
        standby.child.terminate(PATIENCE)  # in good order: it leads, and the next test needs its Lease


@pytest.mark.parametrize(
    "moment",
    [
        pytest.param("at rest", marks=pytest.mark.slow),
        "in a pass",
        pytest.param("Azure has just answered", marks=pytest.mark.slow),
    ],
)
def test_a_frozen_leader_writes_nothing(
    world: World, stage: Stage, replicas: tuple[Replica, Replica], moment: str
) -> None:
    leader, standby = replicas
    world.apply(stage.document)
    world.await_condition(stage.document, "Ready", "True")
    assert standby.count("leading") == 0
    hanging = None
    if moment != "at rest":
        fault = Fault(service="arm", method="POST", path="listKeys", kind="hang", when="after")
        hanging = world.control.faults.add(fault)
    version = world.store_key(stage.team, stage.name, slot="Secondary")
    if hanging is not None:
        _refresh(stage)
        wait_for(lambda: world.control.faults.hits().get(hanging), PATIENCE, "the leader to wait for Azure")
    os.kill(leader.child.pid, signal.SIGSTOP)
    if hanging is not None and moment == "Azure has just answered":
        world.control.faults.remove(hanging)  # the answer waits in its socket when it wakes
    standby.await_said("leading")
    # By now the server has answered what the leader had sent before it froze.
    mark, azure = world.cluster.audit_position(), world.control.log.position()
    if hanging is not None and moment == "in a pass":
        world.control.faults.remove(hanging)
    _refresh(stage)
    wait_for(lambda: _published(stage) == version, PATIENCE, "the standby to publish")
    os.kill(leader.child.pid, signal.SIGCONT)
    assert leader.child.wait(PATIENCE) == 1, "a former leader ends, and says by its code that it did not end as asked"
    assert writes_of(world, leader, mark) == []
    assert world.control.log.writes(azure) == []
    # The same read would have shown them: the present leader has written.
    assert writes_of(world, standby, mark)


def _refresh(stage: Stage) -> None:
    value = uuid.uuid4().hex
    stage.world.api.merge(stage.document, {"metadata": {"annotations": {"secureredis.io/refresh": value}}}).must()


def _published(stage: Stage) -> object:
    found = stage.world.get(stage.document) or {}
    return found.get("status", {}).get("credential", {}).get("keyVaultVersion")
