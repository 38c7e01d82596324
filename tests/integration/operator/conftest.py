"""The operator itself, running with the chart's permissions, between a real API server and the simulated Azure."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from sandbox.chart.render import RELEASE_NAMESPACE
from sandbox.controlplane import ControlPlane
from sandbox.waiting import PATIENCE, wait_for
from sandbox.world import Team, World
from tests.controlplane import install_crds
from tests.integration.operator.support import Bystander, Case, provisioning_team, release
from tests.kube import Kube
from tests.managed_other_way import MANAGED_OTHER_WAY

# Shorter than shipped where a test would otherwise wait for a clock.
INTERVALS = {"absenceConfirmationSeconds": 0.5, "operationPollSeconds": 0.2, "serviceAccountSeconds": 0.2}


# The opposites of unverified assumptions about Azure (docs/internals/assumptions.md).
# `make test-all` runs these tests a second time with them: SECURE_REDIS_OTHER_WAY=1.
OTHER_WAY: dict[str, object] = {
    "put_returns_keys": False,
    "delete_missing_status": 404,
    "regenerate_cuts_connections": True,
    "list_keys_refused_when_disabled": True,
    "patch_at_once": False,
    "unrecorded_patch_by_operation": False,
    "list_needs_scope_right": False,
    "page_size": 2,
    "versions_page_size": 2,
    "secrets_page_size": 2,
    "listed_secret_moves": False,
    **{name: value for name, value in MANAGED_OTHER_WAY.items() if not name.endswith("_seconds")},
}


def leads(world: World) -> bool:
    """Whether an operator holds the Lease. Raises ProcessError if it has ended instead."""
    if world.operator is not None:
        world.operator.check()
    lease = {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease"}
    named = {**lease, "metadata": {"name": "secure-redis-operator", "namespace": RELEASE_NAMESPACE}}
    return bool(((world.api.find(named) or {}).get("spec") or {}).get("holderIdentity"))


@pytest.fixture(scope="session")
def world(tmp_path_factory: pytest.TempPathFactory, hosts: Path, domain: str) -> Iterator[World]:
    """One world with a running operator for all tests of this worker; each test has a team of its own in it.

    With a control plane of its own: what other tests make must not be this operator's business, nor its Lease theirs.
    """
    with ControlPlane(tmp_path_factory.mktemp("operator-plane")) as plane:
        install_crds(Kube(plane.cluster.kubeconfig))
        yield from _world(World(tmp_path_factory.mktemp("world"), plane.cluster, hosts=hosts, domain=domain))
        plane.check()


def _world(running: World) -> Iterator[World]:
    running.settings = {"intervals": INTERVALS}
    running.start()
    try:
        if os.environ.get("SECURE_REDIS_OTHER_WAY"):
            running.control.settings.change(**OTHER_WAY)
        running.start_operator()
        wait_for(lambda: leads(running), PATIENCE, "the operator to lead")  # else every test would wait for it in vain
        yield running
        if running.operator is not None:
            running.operator.check()
    finally:
        running.stop()


@pytest.fixture(autouse=True)
def no_pass_ends_in_an_exception(request: pytest.FixtureRequest) -> Iterator[None]:
    """Every failure during a test becomes a reason, never a stack trace or an error in the operator's log."""
    if "world" not in request.fixturenames:
        yield
        return
    log: Path = request.getfixturevalue("world").operator_log
    before = log.stat().st_size
    yield
    with log.open("rb") as file:
        file.seek(before)
        lines = file.read().decode(errors="replace").splitlines()
    # A brake that stops all corrections is an error for the person who runs the operator.
    assert [line for line in lines if _is_defect(line) and "mass drift: " not in line] == []


def _is_defect(line: str) -> bool:
    return any(text in line for text in ("Traceback", "failed unexpectedly", "InternalError", '"level": "error"'))


@pytest.fixture
def team(world: World) -> Iterator[Team]:
    """A consenting namespace with an identity, a resource group and a vault."""
    made = world.team()
    yield made
    release(world, made)


@pytest.fixture
def builders(world: World) -> Iterator[Team]:
    """A team whose identity may create, change and delete caches and store secrets."""
    made = provisioning_team(world)
    yield made
    release(world, made)


@pytest.fixture
def teams(world: World) -> Iterator[Callable[..., Team]]:
    """Makes teams with other permissions than the ordinary ones; arguments as of `World.team`."""
    made: list[Team] = []

    def make(**options: object) -> Team:
        made.append(world.team(**options))  # type: ignore[arg-type]
        return made[-1]

    yield make
    for one in made:
        release(world, one)


@pytest.fixture
def case(world: World, team: Team) -> Iterator[Case]:
    """One cache and one resource of an ordinary team."""
    made = Case(world, team)
    yield made
    made.mend_faults()


@pytest.fixture
def build(world: World, builders: Team) -> Iterator[Case]:
    """One cache and one resource of a team that may provision."""
    made = Case(world, builders)
    yield made
    made.mend_faults()


@pytest.fixture(scope="session")
def bystander(world: World) -> Bystander:
    """A good resource of another team; nothing that happens to other resources may change it."""
    made = Bystander(world, world.team(), "bystander")
    made.published()
    return made
