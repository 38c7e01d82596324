"""`kill -9` at every side effect of setting persistence; as in test_kill_everywhere.py.

In between another person assigns the role: the operator waits for that whatever crashes, and never persists before.
"""

from pathlib import Path

import pytest

from sandbox.gate import Gate
from sandbox.world import World
from tests.faults import operators
from tests.faults.killing import Killing
from tests.faults.persisting import BY_ROLE, BY_STRING, BY_WORD, CREATED, OFF
from tests.faults.scenarios import Scenario

AT_ONCE = 4  # mostly they wait


@pytest.fixture(scope="module")
def kubeconfig(world: World, gate: Gate) -> Path:
    """The operator's kubeconfig, through the gate."""
    return gate.kubeconfig(operators.operator_kubeconfig(world))


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize(
    "scenario",
    [BY_ROLE, BY_STRING, BY_WORD, CREATED, OFF],
    ids=lambda scenario: scenario.name,
)
def test_kill_at_every_side_effect(
    scenario: Scenario, world: World, gate: Gate, kubeconfig: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    told, wrong = Killing(world, gate, kubeconfig).everywhere(scenario, at_once=AT_ONCE)
    with capsys.disabled():
        print(f"\n{told}")  # noqa: T201
    assert not wrong, "\n".join(wrong)
