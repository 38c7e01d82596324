"""The API servers with the CRD, as these tests speak to them."""

import pytest

from sandbox.api import Api
from sandbox.cluster import Cluster
from tests.kube import Kube


@pytest.fixture(scope="session")
def api(crd_installed: None, control_plane: Cluster) -> Api:
    """An administrator at the API server of the pinned minor."""
    return Api(control_plane)


@pytest.fixture(scope="session")
def floor_api(floor_kube: Kube, floor_control_plane: Cluster) -> Api:
    """An administrator at the API server of the oldest supported minor."""
    return Api(floor_control_plane)
