"""What every kind of test may ask for.

One control plane per xdist worker, started when the first test of that worker needs it: cluster-wide objects (CRDs,
policies, roles) of a session fixture then never meet another worker's, and nobody has to count who still uses it. The
second one costs about 500 MB and 4 s beside the first; a shared one would need every cluster-wide test to be alone.
"""

import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from sandbox.controlplane import FLOOR_VERSION, Cluster, ControlPlane, wait_for
from tests.kube import Kube, KubeError

ROOT = Path(__file__).parents[1]
GROUP_VERSION = "secureredis.io/v1alpha1"


def enter_names() -> None:
    """The hook for made-up host names: where this process will enter a mount namespace with a hosts file of its own.

    Called once in each process that runs tests, before any test and any thread of ours.
    """


def pytest_configure(config: pytest.Config) -> None:
    enter_names()


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


def install_crds(kube: Kube) -> None:
    """Apply every CRD and wait until the API server answers for it."""
    names = [kube.apply(path)["metadata"]["name"] for path in sorted((ROOT / "crds").glob("*.yaml"))]
    wait_for(lambda: all(serves(kube, name) for name in names), 30, "the CRDs to be served")


def serves(kube: Kube, name: str) -> bool:
    """Whether this CRD is established and each served version can be listed.

    Established comes first: for a moment after it, and after each change of the schema, a list gets 429 "storage is
    (re)initializing" (measured on 1.36).
    """
    found = kube.get("CustomResourceDefinition", name, api_version="apiextensions.k8s.io/v1")
    conditions = (found or {}).get("status", {}).get("conditions") or []  # null for a moment
    if found is None or not any(c["type"] == "Established" and c["status"] == "True" for c in conditions):
        return False
    spec = found["spec"]
    try:
        for version in (v["name"] for v in spec["versions"] if v["served"]):
            kube.list(spec["names"]["kind"], api_version=f"{spec['group']}/{version}")
    except KubeError as error:
        if error.status in (404, 429):
            return False
        raise
    return True


@pytest.fixture
def new_namespace(kube: Kube) -> Iterator[Callable[..., str]]:
    """Makes namespaces with unique names: `new_namespace(prefix="t", labels={…})`; deleted after the test.

    Deletion is not awaited. Resources of ours lose their finalizers then, since no operator may be running to do it.
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
    served = any(
        crd["spec"]["group"] == GROUP_VERSION.split("/")[0]
        for crd in (kube.list("CustomResourceDefinition", api_version="apiextensions.k8s.io/v1") if made else [])
    )
    for name in made:
        kube.delete("Namespace", name)
        for cache in kube.list("SecureRedisCache", name, GROUP_VERSION) if served else []:
            if cache["metadata"].get("finalizers"):
                body = {"metadata": {"finalizers": None}}
                kube.patch("SecureRedisCache", cache["metadata"]["name"], body, name, GROUP_VERSION)


@pytest.fixture
def namespace(new_namespace: Callable[..., str]) -> str:
    """A namespace of this test's own."""
    return new_namespace()
