"""A rollout that ends no pod before a new one is available, derived from the strategy as Kubernetes reads it."""

from typing import Any

import pytest

from secure_redis.kube.workloads.convert import workload


def surges(kind: str, replicas: int, strategy: dict[str, Any]) -> bool:
    spec: dict[str, Any] = {"replicas": replicas, "template": {}}
    spec["strategy" if kind == "Deployment" else "updateStrategy"] = strategy
    meta = {"name": "web", "uid": "u", "resourceVersion": "1"}
    status = {"desiredNumberScheduled": replicas}
    return workload({"kind": kind, "metadata": meta, "spec": spec, "status": status}, "orders").surges


@pytest.mark.parametrize(
    ("kind", "replicas", "strategy", "expected"),
    [
        ("Deployment", 1, {}, True),
        ("Deployment", 3, {}, True),
        ("Deployment", 4, {}, False),  # a quarter of them
        ("Deployment", 4, {"type": "Recreate"}, False),
        ("Deployment", 9, {"rollingUpdate": {"maxUnavailable": 0, "maxSurge": 1}}, True),
        ("Deployment", 9, {"rollingUpdate": {"maxUnavailable": "0%", "maxSurge": "10%"}}, True),
        ("Deployment", 9, {"rollingUpdate": {"maxUnavailable": "10%"}}, True),
        ("Deployment", 10, {"rollingUpdate": {"maxUnavailable": "10%"}}, False),
        (
            "Deployment",
            2,
            {"rollingUpdate": {"maxUnavailable": "10%", "maxSurge": 0}},
            False,
        ),  # then one may be missing
        ("DaemonSet", 3, {}, False),
        ("DaemonSet", 3, {"rollingUpdate": {"maxUnavailable": 0, "maxSurge": 1}}, True),
        ("StatefulSet", 3, {}, False),
    ],
)
def test_which_workloads_surge(kind: str, replicas: int, strategy: dict[str, Any], expected: bool) -> None:
    assert surges(kind, replicas, strategy) is expected


def test_a_failure_is_the_same_at_each_try() -> None:
    def failure(used: int) -> str | None:
        message = f"exceeded quota: compute, requested: pods=1, used: pods={used}, limited: pods=9"
        condition = {"type": "ReplicaFailure", "status": "True", "reason": "FailedCreate", "message": message}
        meta = {"name": "web", "uid": "u", "resourceVersion": "1"}
        body = {"kind": "Deployment", "metadata": meta, "spec": {"template": {}}, "status": {"conditions": [condition]}}
        return workload(body, "orders").failed

    assert failure(8) == failure(9)
    assert "exceeded quota: compute" in str(failure(9))
