"""The fixtures of the rooms of `kube/`: the injection here is done by them, under the chart's rights."""

from tests.integration.components.conftest import (
    bound,
    client,
    kubeconfig,
    roles,
)
from tests.integration.components.workload_support import make, workloads_on

__all__ = ["bound", "client", "kubeconfig", "make", "roles", "workloads_on"]
