"""The API server with the CRD, as these tests speak to it."""

import pytest

from sandbox.controlplane import ControlPlane
from tests.integration.crd.api import Api


@pytest.fixture(scope="session")
def api(crd_installed: object, control_plane: ControlPlane) -> Api:
    """An administrator at the API server of the pinned minor."""
    return Api(control_plane.cluster)
