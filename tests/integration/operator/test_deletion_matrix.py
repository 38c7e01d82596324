"""A Secret is never lost, and under Retain a deletion never hangs: whatever runs, whatever deletes, and how.

`make test` runs the scenarios that differ most, `make test-all` every one.
"""

from collections.abc import Iterator

import pytest

from sandbox.chart.install import install
from sandbox.world import World
from tests.integration.operator.deletion_matrix import CELLS, SCENARIOS, VALUES, Scenario, run

COVERING = {Scenario("down", "before"), Scenario("killed", "after")}


def test_the_matrix_is_whole() -> None:
    assert (len(CELLS), len(SCENARIOS)) == (24, 7)
    assert len(set(CELLS)) == 24
    assert set(SCENARIOS) > COVERING


@pytest.fixture(scope="module")
def deletions(world: World) -> Iterator[World]:
    """The same world, whose operator may inject workloads."""
    world.stop_operator()
    install(world.api, VALUES)
    yield world
    world.stop_operator()
    world.install_chart()
    world.start_operator()


@pytest.mark.timeout(600)
@pytest.mark.parametrize(
    "scenario",
    [pytest.param(one, marks=() if one in COVERING else pytest.mark.slow) for one in SCENARIOS],
    ids=lambda one: f"operator {one.operator}, uninstalled {one.uninstall}",
)
def test_every_deletion_ends_as_the_policy_declares(deletions: World, scenario: Scenario) -> None:
    assert run(deletions, scenario) == 24
