"""The rooms of `kube/` under the identity that the chart gives the operator, against a real API server."""

import uuid
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from sandbox.api import Api
from sandbox.chart.install import OPERATOR, install
from sandbox.chart.render import RELEASE_NAMESPACE
from sandbox.cluster import ADMIN, Cluster
from sandbox.waiting import PATIENCE, wait_for
from secure_redis.api import names
from secure_redis.api.resource import SecureRedisCache, parse
from secure_redis.kube.client import KubeClient, connect
from tests.kube import Kube

RESOURCE_ID = (
    "/subscriptions/00000000-0000-0000-0000-000000000001/resourceGroups/shop/providers/Microsoft.Cache/redis/orders"
)


RBAC = "rbac.authorization.k8s.io/v1"
POOR = "poor"  # the ServiceAccount of an operator that has few permissions

# Other tests of the same control plane write statuses as its administrator.
WRITERS = [ADMIN, f"system:serviceaccount:{RELEASE_NAMESPACE}:{POOR}"]
VALUES: dict[str, Any] = {"namespaces": ["rooms"], "policies": {"statusWriters": WRITERS}}


@pytest.fixture(scope="module")
def roles(crd_installed: None, control_plane: Cluster) -> None:
    """The chart's roles and policies, for each module: others of the control plane install it with other values."""
    install(Api(control_plane), VALUES)


@pytest.fixture
def kubeconfig(roles: None, control_plane: Cluster) -> Path:
    """The operator's identity: its permissions and no others."""
    return control_plane.service_account_kubeconfig(RELEASE_NAMESPACE, OPERATOR)


@pytest.fixture
def poor(kube: Kube, roles: None, control_plane: Cluster) -> Iterator[Path]:
    """An identity that may take the Lease and read namespaces, and has no permission on what the operator serves."""
    account = {"name": POOR, "namespace": RELEASE_NAMESPACE}
    kube.apply({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": account})
    leader = {"apiGroup": RBAC.split("/")[0], "kind": "Role", "name": "secure-redis-operator-leader"}
    subject = {"kind": "ServiceAccount", **account}
    metadata = {"name": POOR, "namespace": RELEASE_NAMESPACE}
    kube.apply(
        {"apiVersion": RBAC, "kind": "RoleBinding", "metadata": metadata, "roleRef": leader, "subjects": [subject]}
    )
    rules = [{"apiGroups": [""], "resources": ["namespaces"], "verbs": ["get"]}]
    kube.apply({"apiVersion": RBAC, "kind": "ClusterRole", "metadata": {"name": POOR}, "rules": rules})
    kube.apply(cluster_binding(POOR, POOR, POOR))
    yield control_plane.service_account_kubeconfig(RELEASE_NAMESPACE, POOR)
    kube.delete("ClusterRoleBinding", POOR, api_version=RBAC)
    kube.delete("ClusterRole", POOR, api_version=RBAC)
    kube.delete("RoleBinding", POOR, RELEASE_NAMESPACE, RBAC)


def cluster_binding(name: str, role: str, account: str) -> dict[str, Any]:
    subject = {"kind": "ServiceAccount", "name": account, "namespace": RELEASE_NAMESPACE}
    reference = {"apiGroup": RBAC.split("/")[0], "kind": "ClusterRole", "name": role}
    metadata = {"name": name}
    return {
        "apiVersion": RBAC,
        "kind": "ClusterRoleBinding",
        "metadata": metadata,
        "roleRef": reference,
        "subjects": [subject],
    }


@pytest.fixture
def bound(roles: None, control_plane: Cluster, kube: Kube, new_namespace: Callable[..., str]) -> str:
    """A namespace whose owner has consented."""
    name = new_namespace()
    kube.create(consent(name))
    api = Api(control_plane)
    right = {"namespace": name, "verb": "list", "resource": "secrets"}
    user = f"system:serviceaccount:{RELEASE_NAMESPACE}:{OPERATOR}"
    review = {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SubjectAccessReview",
        "spec": {"user": user, "resourceAttributes": right},
    }

    def effective() -> bool:
        answer = api.call("POST", "/apis/authorization.k8s.io/v1/subjectaccessreviews", review).must()
        return bool(answer["status"]["allowed"])

    wait_for(effective, PATIENCE, "the RoleBinding to take effect")  # the server takes a moment to learn of it
    return name


def consent(namespace: str) -> dict[str, Any]:
    return {
        "apiVersion": RBAC,
        "kind": "RoleBinding",
        "metadata": {"name": "secure-redis-operator", "namespace": namespace},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "secure-redis-namespace"},
        "subjects": [{"kind": "ServiceAccount", "name": OPERATOR, "namespace": RELEASE_NAMESPACE}],
    }


@pytest.fixture
async def client(kubeconfig: Path) -> AsyncIterator[KubeClient]:
    opened = KubeClient(await connect(kubeconfig))
    yield opened
    await opened.close()


@pytest.fixture
def make(kube: Kube, bound: str) -> Callable[..., SecureRedisCache]:
    """Creates a resource in the bound namespace and parses it."""
    return maker(kube, bound)


def maker(kube: Kube, bound: str, **defaults: Any) -> Callable[..., SecureRedisCache]:
    """Returns a function that creates a resource in the namespace and parses it. `defaults`: of its spec."""

    def create(name: str | None = None, namespace: str = bound, **spec: Any) -> SecureRedisCache:
        body = {
            "apiVersion": names.API_VERSION,
            "kind": names.KIND,
            "metadata": {"name": name or f"cache-{uuid.uuid4().hex[:8]}", "namespace": namespace},
            "spec": {"resourceID": RESOURCE_ID, **defaults, **spec},
        }
        resource = parse(kube.create(body))
        assert isinstance(resource, SecureRedisCache)
        return resource

    return create


@pytest.fixture
def control_plane_kubeconfig(crd_installed: None, control_plane: Cluster) -> Path:
    """The administrator's: may watch Secrets everywhere."""
    return control_plane.kubeconfig
