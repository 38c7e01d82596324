"""The API server with the chart installed: the operator's identity here has the chart's roles, and no others."""

import pytest

from sandbox.api import Api, Document
from sandbox.chart.install import install, operator_of
from sandbox.cluster import ADMIN, Cluster

NAMESPACE = "admission-shop"
UNBOUND = "admission-unbound"
# Other tests of the same control plane write statuses as its administrator.
VALUES: Document = {"namespaces": [NAMESPACE], "policies": {"statusWriters": [ADMIN]}}


def make_accounts(api: Api, *namespaces: str) -> None:
    """Make the namespaces, and in each the ServiceAccounts for which tokens are requested."""
    for space in namespaces:
        api.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": space}}).must()
        for name in ("orders", "other", "secure-redis"):
            metadata = {"name": name, "namespace": space}
            api.apply({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": metadata}).must()


@pytest.fixture(scope="module")
def admin(crd_installed: None, control_plane: Cluster) -> Api:
    """An administrator at an API server that has the chart's roles and policies, for each module as it needs them."""
    api = Api(control_plane)
    install(api, VALUES)
    make_accounts(api, NAMESPACE, UNBOUND)
    return api


@pytest.fixture(scope="module")
def operator(admin: Api) -> Api:
    """The operator's identity, with the permissions that the chart gives it."""
    return operator_of(admin)
