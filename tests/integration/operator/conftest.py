"""The operator itself, running under the chart's rights, between a real API server and the simulated Azure."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from sandbox.cluster import Cluster
from sandbox.world import Team, World


@pytest.fixture(scope="session")
def world(
    crd_installed: None, control_plane: Cluster, tmp_path_factory: pytest.TempPathFactory, hosts: Path, domain: str
) -> Iterator[World]:
    """One world with a running operator for all tests of this worker; each test has a team of its own in it."""
    running = World(tmp_path_factory.mktemp("world"), control_plane, hosts=hosts, domain=domain)
    running.start()
    try:
        running.start_operator()
        yield running
        if running.operator is not None:
            running.operator.check()
    finally:
        running.stop()


@pytest.fixture
def team(world: World) -> Team:
    """A consenting namespace with an identity, a resource group and a vault."""
    return world.team()
