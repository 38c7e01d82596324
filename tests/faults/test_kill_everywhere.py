"""`kill -9` at every side effect, before it happens and after: each time the next operator ends where none was killed.

A crash that matters happens between a write and the knowledge of it. Each side effect of an undisturbed run is
therefore held in its own run, once before the other side has received it and once after it has done it. The operator
is killed while it waits, and the request ends as a dead process's does. `make test` takes the short scenarios, and the
two in turns, one of them at each side effect. `make test-all` takes every scenario, and both at each.
"""

from pathlib import Path

import pytest

from sandbox.gate import Gate
from sandbox.world import World
from tests.faults import managed, operators
from tests.faults.killing import Killing
from tests.faults.scenarios import DELETE, DELETE_SECRET, PUBLISH, SCENARIOS, Scenario

AT_ONCE = 3  # mostly they wait
QUICK = (PUBLISH, DELETE, DELETE_SECRET)
THOROUGH = (*SCENARIOS, *managed.SCENARIOS)


@pytest.fixture(scope="module")
def kubeconfig(world: World, gate: Gate) -> Path:
    """The operator's kubeconfig, through the gate."""
    return gate.kubeconfig(operators.operator_kubeconfig(world))


@pytest.mark.timeout(1800)
@pytest.mark.parametrize(
    ("scenario", "thoroughly"),
    [
        *(pytest.param(one, False, id=f"{one.name}-in-turns") for one in QUICK),
        *(pytest.param(one, True, id=f"{one.name}-both", marks=pytest.mark.slow) for one in THOROUGH),
    ],
)
def test_kill_at_every_side_effect(
    scenario: Scenario, thoroughly: bool, world: World, gate: Gate, kubeconfig: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    told, wrong = Killing(world, gate, kubeconfig).everywhere(scenario, at_once=AT_ONCE, thoroughly=thoroughly)
    with capsys.disabled():
        print(f"\n{told}")  # noqa: T201
    assert not wrong, "\n".join(wrong)
