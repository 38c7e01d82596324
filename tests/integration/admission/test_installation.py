"""The chart on a real API server: pod security, type-checked policies, a real token, and what no role gives."""

from typing import Any

import pytest

from sandbox.api import Api, Document, path_of
from sandbox.chart.install import OPERATOR, install, operator_of
from sandbox.chart.render import RELEASE_NAMESPACE, pick, render
from sandbox.cluster import Cluster
from sandbox.waiting import PATIENCE, wait_for
from secure_redis.api import names
from tests.integration.admission.conftest import NAMESPACE
from tests.integration.admission.test_authors import CACHES, RESOURCE_ID, give, secrets, tokens
from tests.kube import Kube

OPENSHIFT: Document = {"podSecurityContext": {"runAsUser": None, "runAsGroup": None}}
EXTRA: Document = {
    "extraContainers": [{"name": "a", "image": "b"}],
    "extraInitContainers": [{"name": "c", "image": "d"}],
}


@pytest.mark.parametrize("values", [{}, OPENSHIFT, EXTRA], ids=["plain", "openshift", "sidecar"])
def test_the_pod_passes_the_restricted_profile(admin: Api, values: Document) -> None:
    space = "restricted"
    labels = {"pod-security.kubernetes.io/enforce": "restricted"}
    admin.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": space, "labels": labels}}).must()
    admin.apply(
        {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": OPERATOR, "namespace": space}}
    ).must()
    template = pick(render(values), "Deployment")["spec"]["template"]
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "operator", "namespace": space},
        "spec": template["spec"],
    }
    admin.create(pod, dry_run=True).must()
    template["spec"]["containers"][0]["securityContext"]["allowPrivilegeEscalation"] = True
    assert "violates PodSecurity" in admin.create(pod, dry_run=True).message


def test_everything_the_chart_renders_is_accepted(admin: Api) -> None:
    for document in render({"namespaces": [NAMESPACE], "config": {"grants": []}}):
        admin.apply(document, dry_run=True).must()


def test_the_policies_type_check(admin: Api) -> None:
    """The controller manager checks each expression against the schemas of what the policy matches."""
    policies = [doc for doc in render() if doc["kind"] == "ValidatingAdmissionPolicy"]

    def status(policy: Document) -> dict[str, Any]:
        found: dict[str, Any] = admin.get(path_of(policy)).must().get("status", {})
        return found

    assert policies
    for policy in policies:
        wait_for(lambda one=policy: "typeChecking" in status(one), PATIENCE, "a policy to be type-checked")  # type: ignore[misc]
        assert status(policy)["typeChecking"].get("expressionWarnings", []) == []


def test_a_real_token_of_the_operator_is_bound_like_the_name(admin: Api, control_plane: Cluster) -> None:
    token = control_plane.service_account_token(RELEASE_NAMESPACE, OPERATOR)
    operator = admin.bearer(token)
    assert operator.get(f"/apis/{names.API_VERSION}/{names.PLURAL}").ok
    secret = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "real", "namespace": NAMESPACE},
        "type": "Opaque",
    }
    assert "only Secrets of type servicebinding.io/redis" in operator.create(secret).message


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/api/v1/secrets"),
        ("GET", f"/api/v1/namespaces/{RELEASE_NAMESPACE}/secrets"),
        ("GET", "/api/v1/serviceaccounts"),
        ("GET", "/api/v1/namespaces"),
        ("GET", "/api/v1/nodes"),
        ("GET", f"/api/v1/namespaces/{NAMESPACE}/serviceaccounts"),
        ("GET", f"/api/v1/namespaces/{NAMESPACE}/pods"),
        ("GET", f"/apis/apps/v1/namespaces/{NAMESPACE}/deployments"),
        ("GET", "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"),
        ("GET", f"/apis/coordination.k8s.io/v1/namespaces/{RELEASE_NAMESPACE}/leases/other"),
        ("GET", f"/apis/coordination.k8s.io/v1/namespaces/{NAMESPACE}/leases/other"),
        ("DELETE", f"/api/v1/namespaces/{NAMESPACE}/secrets"),
        ("DELETE", f"/api/v1/namespaces/{NAMESPACE}/serviceaccounts/orders"),
        ("GET", f"/api/v1/namespaces/{NAMESPACE}/configmaps"),
    ],
)
def test_the_operator_may_not(operator: Api, method: str, path: str) -> None:
    assert operator.call(method, path).status == 403


@pytest.mark.floor
def test_roles_and_policies_work_on_the_floor(floor_kube: Kube, floor_control_plane: Cluster) -> None:
    admin = Api(floor_control_plane)
    install(admin, {"namespaces": [NAMESPACE]})
    operator = operator_of(admin)
    metadata = {"name": "floor", "namespace": NAMESPACE}
    labels = {names.MANAGED_BY: names.MANAGER, names.CACHE_LABEL: "floor"}
    secret = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {**metadata, "labels": labels},
        "type": names.SECRET_TYPE,
    }
    operator.create(secret).must()
    operator.merge(secret, {"data": {"host": ""}}).must()
    assert "must carry the labels" in operator.merge(secret, {"metadata": {"labels": None}}).message
    operator.delete(secret).must()

    key_vault = {"uri": "https://shop.vault.azure.net", "secretName": "x"}
    spec = {"resourceID": RESOURCE_ID, "authentication": {"keyVault": key_vault}}
    cache = {"apiVersion": names.API_VERSION, "kind": names.KIND, "metadata": metadata, "spec": spec}
    admin.create(cache, dry_run=True).must()
    give(admin, "floor-author", NAMESPACE, CACHES)
    assert 'to use the ServiceAccount "secure-redis"' in admin.named("floor-author").create(cache, dry_run=True).message
    give(admin, "floor-reader", NAMESPACE, CACHES, tokens("secure-redis"), secrets("floor", "get", "create"))
    assert "(patch is missing)" in admin.named("floor-reader").create(cache, dry_run=True).message
    give(admin, "floor-owner", NAMESPACE, CACHES, tokens("secure-redis"), secrets("floor", "get", "create", "patch"))
    admin.named("floor-owner").create(cache, dry_run=True).must()
