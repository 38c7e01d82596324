"""The API server with the chart installed: the operator's identity here has the chart's roles, and no others."""

from collections.abc import Iterator

import pytest

from sandbox.controlplane import ControlPlane
from sandbox.waiting import wait_for
from tests.chart.render import RELEASE_NAMESPACE, render
from tests.integration.crd.api import Api, Document

NAMESPACE = "admission-shop"
UNBOUND = "admission-unbound"
OPERATOR = "secure-redis-operator"
LEFT_OUT = {"Deployment", "CustomResourceDefinition"}  # nothing to run here; the CRD belongs to another fixture


def namespace(name: str) -> Document:
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}


def account(name: str, space: str = NAMESPACE) -> Document:
    return {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": name, "namespace": space}}


@pytest.fixture(scope="session")
def admin(crd_installed: object, control_plane: ControlPlane) -> Iterator[Api]:
    """An administrator at an API server that has the chart's roles and policies; they go with the tests."""
    api = Api(control_plane.cluster)
    chart = [document for document in render({"namespaces": [NAMESPACE]}) if document["kind"] not in LEFT_OUT]
    for name in (RELEASE_NAMESPACE, NAMESPACE, UNBOUND):
        api.apply(namespace(name)).must()
    for document in chart:
        api.apply(document).must()
    for space in (NAMESPACE, UNBOUND):
        for name in ("orders", "other", "secure-redis"):
            api.apply(account(name, space)).must()
    wait_for(lambda: in_force(api), 30, "the admission policies to be in force")
    yield api
    for document in reversed(chart):
        if document["kind"].startswith(("ValidatingAdmission", "Cluster")):
            api.delete(document)


def in_force(api: Api) -> bool:
    """Whether each policy refuses what it must: the API server takes a moment to notice a new one."""
    operator = api.service_account(RELEASE_NAMESPACE, OPERATOR)
    token = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {"audiences": ["x"]}}
    path = f"/api/v1/namespaces/{NAMESPACE}/serviceaccounts/orders/token"
    metadata = {"name": "probe", "namespace": NAMESPACE}
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": metadata}
    identifier = (
        "/subscriptions/00000000-0000-0000-0000-000000000001/resourceGroups/x/providers/Microsoft.Cache/redis/x"
    )
    cache = {
        "apiVersion": "secureredis.io/v1alpha1",
        "kind": "SecureRedisCache",
        "metadata": metadata,
        "spec": {"resourceID": identifier},
    }
    refused = [
        operator.call("POST", path, token),
        operator.create(secret, dry_run=True),
        operator.create(cache, dry_run=True),
    ]
    nobody = api.named("nobody", "system:masters").create(cache, dry_run=True)
    assert nobody.ok, nobody.message
    return all("ValidatingAdmissionPolicy" in answer.message for answer in refused[:2])


@pytest.fixture(scope="session")
def operator(admin: Api) -> Api:
    """The operator's identity, with the rights that the chart gives it."""
    return admin.service_account(RELEASE_NAMESPACE, OPERATOR)
