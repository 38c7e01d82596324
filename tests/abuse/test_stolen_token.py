"""What a stolen token of the operator's ServiceAccount can do: nothing but what docs/security.md lists."""

import pytest

from sandbox.api import Api
from secure_redis.api import names
from tests.abuse.conftest import PRIVATE, SHOP

# Row, method and path: what no role of the chart gives.
NO_RIGHT = [
    ("D24 all Secrets", "GET", "/api/v1/secrets"),
    ("D24 Secrets of a namespace without consent", "GET", f"/api/v1/namespaces/{PRIVATE}/secrets"),
    ("D24 a Secret by name without consent", "GET", f"/api/v1/namespaces/{PRIVATE}/secrets/any"),
    ("D24 Secrets of kube-system", "GET", "/api/v1/namespaces/kube-system/secrets"),
    ("D24 pods", "GET", "/api/v1/pods"),
    ("D24 nodes", "GET", "/api/v1/nodes"),
    ("D24 list namespaces", "GET", "/api/v1/namespaces"),
    ("D24 roles", "GET", "/apis/rbac.authorization.k8s.io/v1/clusterroles"),
    ("D24 policies", "GET", "/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicies"),
    ("D24 CRDs", "GET", "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"),
    ("D07 delete all Secrets", "DELETE", f"/api/v1/namespaces/{SHOP}/secrets"),
    ("delete all resources", "DELETE", f"/apis/{names.API_VERSION}/namespaces/{SHOP}/{names.PLURAL}"),
    ("list ServiceAccounts", "GET", f"/api/v1/namespaces/{SHOP}/serviceaccounts"),
    ("list ConfigMaps", "GET", f"/api/v1/namespaces/{SHOP}/configmaps"),
    ("read a Lease of a tenant", "GET", f"/apis/coordination.k8s.io/v1/namespaces/{SHOP}/leases/any"),
]


@pytest.mark.parametrize(("method", "path"), [row[1:] for row in NO_RIGHT], ids=[row[0] for row in NO_RIGHT])
def test_no_role_gives_it(stolen: Api, method: str, path: str) -> None:
    answer = stolen.call(method, path)
    assert answer.status == 403
    assert "cannot" in answer.message


@pytest.mark.legitimate
def test_the_token_is_accepted(stolen: Api) -> None:
    stolen.get(f"/apis/{names.API_VERSION}/{names.PLURAL}").must()
