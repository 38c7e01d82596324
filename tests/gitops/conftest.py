"""The fixtures of the rooms of `kube/`: the injection here is done by them, under the chart's rights."""

from tests.integration.operator_rooms.conftest import bound, client, kubeconfig, make, roles
from tests.integration.operator_rooms.workload_support import workloads_on

__all__ = ["bound", "client", "kubeconfig", "make", "roles", "workloads_on"]
