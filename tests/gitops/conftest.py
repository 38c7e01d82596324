"""The fixtures of the rooms of `kube/`: the rooms do the injection here, with the chart's permissions."""

from tests.integration.components.conftest import (
    bound,
    client,
    kubeconfig,
    roles,
)
from tests.integration.components.workload_support import make, workloads_on

__all__ = ["bound", "client", "kubeconfig", "make", "roles", "workloads_on"]
