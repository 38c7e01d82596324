"""Fixtures for every kind of test.

Each xdist worker has its own control plane, started when the worker's first test needs it. The cluster-wide objects
(CRDs, policies, roles) of a session fixture then never meet another worker's, and no users have to be counted. The
second one costs about 500 MB and 4 s beside the first; a shared one would need every cluster-wide test to be alone.
"""

import os
import tempfile
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from sandbox.cluster import Cluster
from sandbox.controlplane import ControlPlane
from sandbox.names import HostsFile, enter
from sandbox.toolchain import FLOOR_VERSION
from sandbox.waiting import wait_for
from tests.controlplane import empty, install_crds
from tests.kube import Kube

HOSTS = "SECURE_REDIS_TEST_HOSTS"  # environment: the hosts file by which made-up names resolve in the tests


def pytest_configure(config: pytest.Config) -> None:
    """Once, before any thread: the namespace is inherited by xdist's workers, as is the variable."""
    settings.register_profile("suite", deadline=None)  # tests do not measure time; a busy machine is slow
    settings.load_profile("suite")
    if HOSTS not in os.environ:
        hosts = Path(tempfile.mkdtemp(prefix="secure-redis-test-")) / "hosts"
        HostsFile(hosts)
        os.environ[HOSTS] = str(hosts)
        enter(hosts)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print how many attempts of tests/abuse were refused. A skipped attempt is not counted as refused."""
    stats = terminalreporter.stats
    refused = {one.nodeid for one in stats.get("passed", ()) if "attempt" in one.keywords and one.when == "call"}
    others = {
        one.nodeid
        for key in ("failed", "error", "skipped")
        for one in stats.get(key, ())
        if "attempt" in getattr(one, "keywords", ())  # a file that cannot be collected has none
    }
    if refused or others:
        terminalreporter.write_line(f"abuse: {len(refused - others)} of {len(refused | others)} refused")


@pytest.fixture(scope="session")
def hosts() -> Path:
    """The hosts file of the whole run."""
    return Path(os.environ[HOSTS])


@pytest.fixture(scope="session")
def domain(worker_id: str) -> str:
    """A domain of this worker's own, since all workers share the hosts file."""
    return f"{worker_id}.sandbox.test"


def run_plane(directory: Path, **options: object) -> Iterator[Cluster]:
    """A control plane as a fixture: if one of its processes died in between, that is the error to report."""
    plane = ControlPlane(directory, **options)  # type: ignore[arg-type]
    with plane:
        yield plane.cluster
        plane.check()


@pytest.fixture(scope="session")
def control_plane(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """The pinned Kubernetes with controller manager and scheduler; this worker's own."""
    yield from run_plane(tmp_path_factory.mktemp("control-plane"))


@pytest.fixture(scope="session")
def floor_control_plane(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """The oldest supported Kubernetes, with its controller manager; for tests marked `floor`."""
    directory = tmp_path_factory.mktemp("floor-control-plane")
    yield from run_plane(directory, version=FLOOR_VERSION, scheduler=False)


@pytest.fixture(scope="session")
def kube(control_plane: Cluster) -> Kube:
    """The administrator's client."""
    return Kube(control_plane.kubeconfig)


@pytest.fixture(scope="session")
def crd_installed(kube: Kube) -> None:
    """The project's CRDs, served by the control plane."""
    install_crds(kube)


@pytest.fixture(scope="session")
def floor_kube(floor_control_plane: Cluster) -> Kube:
    """The administrator's client of the oldest supported Kubernetes, with the project's CRDs served there."""
    client = Kube(floor_control_plane.kubeconfig)
    install_crds(client)
    return client


@pytest.fixture
def new_namespace(kube: Kube) -> Iterator[Callable[..., str]]:
    """Makes namespaces with unique names: `new_namespace(prefix="t", labels={…})`; deleted after the test.

    The namespace's own end is not awaited (5 s). The objects that an operator watches are gone before the next test
    begins, and so cannot wake that test's operator. The fixture removes the finalizers of this project's resources,
    since no operator may be running to do it.
    """
    made: list[str] = []

    def make(prefix: str = "t", labels: dict[str, str] | None = None) -> str:
        name = f"{prefix}-{uuid.uuid4().hex[:10]}"
        metadata = {"name": name, "labels": labels or {}}
        kube.create({"apiVersion": "v1", "kind": "Namespace", "metadata": metadata})
        made.append(name)
        wait_for(lambda: kube.get("ServiceAccount", "default", name), 30, f"the default ServiceAccount of {name}")
        return name

    yield make
    for name in made:
        empty(kube, name)
        kube.delete("Namespace", name)


@pytest.fixture
def namespace(new_namespace: Callable[..., str]) -> str:
    """A namespace of this test's own."""
    return new_namespace()
