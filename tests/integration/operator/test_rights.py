"""Nothing is granted that is unused, nothing used that is not granted: in Azure, and at the API server.

That nothing else is used in Azure follows from the simulator, which refuses every action that no role holds: all suites
run under the roles of examples/azure/roles.
"""

from pathlib import Path
from typing import Final

import pytest

from sandbox import roles
from tests.integration.operator.rights_scenario import SEARCHING, Lived, Right, granted, live, live_searching, used

# Granted, and asked for by what this scenario has no occasion for.
EXPLAINED: Final = {
    Right("secureredis.io", "securerediscaches", "get"): "after a conflict only: somebody wrote the object while the "
    "finalizer was put on or taken off (tests/integration/components/test_resources.py)",
}


@pytest.fixture(scope="module")
def lived(tmp_path_factory: pytest.TempPathFactory, hosts: Path, domain: str) -> Lived:
    return live(tmp_path_factory, hosts, domain)


@pytest.mark.parametrize("name", roles.NAMES)
def test_every_action_of_a_role_is_used(lived: Lived, name: str) -> None:
    role = roles.role(name)
    assert {*role.actions, *role.data_actions} - lived.azure[name] == set()


def test_every_right_of_the_chart_is_used(lived: Lived) -> None:
    unused = granted() - used(lived.kubernetes)
    assert unused - EXPLAINED.keys() == set()
    assert EXPLAINED.keys() - unused == set(), "explained, and used or not granted any more"


def test_no_right_is_used_that_the_chart_does_not_give(lived: Lived) -> None:
    assert used(lived.kubernetes) - granted() == set()
    assert [(e.verb, e.uri) for e in lived.kubernetes if e.code == 403] == []


def test_no_right_on_secrets_is_idle_where_they_are_searched_and_not_watched(
    tmp_path_factory: pytest.TempPathFactory, hosts: Path, domain: str
) -> None:
    searched = used(live_searching(tmp_path_factory, hosts, domain).kubernetes)
    given = granted(SEARCHING)
    assert {right for right in given if right.resource == "secrets"} - searched == set()
    assert searched - given == set()
