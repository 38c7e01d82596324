"""The role is taken away while the operator runs: it says so, waits, and goes on when it is back."""

import pytest

from sandbox.chart.install import OPERATOR
from sandbox.gate import Gate
from sandbox.waiting import PATIENCE, wait_for
from sandbox.world import World
from tests.faults import operators
from tests.faults.scenarios import PUBLISH, Stage
from tests.faults.test_crd import ready, says
from tests.faults.test_outages import running

BINDING = {
    "apiVersion": "rbac.authorization.k8s.io/v1",
    "kind": "ClusterRoleBinding",
    "metadata": {"name": "secure-redis-operator"},
}


@pytest.fixture
def stage(world: World) -> Stage:
    return PUBLISH.stage(world)


def test_a_role_that_is_revoked_and_given_back(world: World, gate: Gate, stage: Stage) -> None:
    later = PUBLISH.stage(world)
    found = world.api.find(BINDING)
    assert found is not None
    binding = {**BINDING, "roleRef": found["roleRef"], "subjects": found["subjects"]}
    assert OPERATOR in str(binding["subjects"])
    kubeconfig = gate.kubeconfig(operators.operator_kubeconfig(world))
    with running(world, kubeconfig, stage, later) as operator:
        world.apply(stage.document)
        world.await_condition(stage.document, "Ready", "True")
        uid = stage.secret_uid()
        world.api.delete(BINDING).must()
        try:
            gate.close()  # an open watch goes on: it must be opened again to be refused
            gate.open()
            wait_for(lambda: says(operator, "securerediscaches"), PATIENCE, "it to say which right is missing")
            world.apply(later.document)
            operator.child.check()
        finally:
            world.api.apply(binding).must()
        wait_for(lambda: ready(operator)[0] == 200, PATIENCE, "it to be ready again")
        world.await_condition(later.document, "Ready", "True")
        assert stage.secret_uid() == uid
        operator.child.check()
