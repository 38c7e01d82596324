"""The API server's body of a pod, as kubelets write it, and the facts that are read from it."""

from datetime import UTC, datetime
from typing import Any

import pytest

from secure_redis.domain.observe.workloads import ContainerState, Obstacle, Reads
from secure_redis.kube.workloads.pod_facts import pod

Document = dict[str, Any]
EARLY, LATE = "2026-11-01T08:00:00Z", "2026-11-01T09:00:00Z"
AT_EARLY, AT_LATE = datetime(2026, 11, 1, 8, tzinfo=UTC), datetime(2026, 11, 1, 9, tzinfo=UTC)
BY_ENV: Document = {"env": [{"name": "A", "valueFrom": {"secretKeyRef": {"name": "orders", "key": "uri"}}}]}
BY_ENV_FROM: Document = {"envFrom": [{"secretRef": {"name": "orders"}}]}
VOLUMES: list[Document] = [
    {"name": "whole", "secret": {"secretName": "orders"}},
    {"name": "part", "projected": {"sources": [{"configMap": {"name": "x"}}, {"secret": {"name": "orders"}}]}},
    {"name": "other", "secret": {"secretName": "sessions"}},
]


def body(main: Document | None = None, reported: Document | None = None, **more: Any) -> Document:
    """A pod with one container, accepted by a kubelet."""
    spec = {"nodeName": "n", "containers": [{"name": "main", **(main or BY_ENV)}], "volumes": VOLUMES}
    status: Document = {"phase": "Running", "startTime": EARLY}
    if reported is not None:
        status["containerStatuses"] = [{"name": "main", "restartCount": 0, **reported}]
    spec.update(more.get("spec", {}))
    status.update(more.get("status", {}))
    meta = {"name": "p", "creationTimestamp": EARLY, **more.get("metadata", {})}
    return {"metadata": meta, "spec": spec, "status": status}


def mount(volume: str, **more: str) -> Document:
    return {"volumeMounts": [{"name": volume, "mountPath": "/x", **more}]}


@pytest.mark.parametrize(
    ("main", "reads"),
    [
        (BY_ENV, Reads.ENV),
        (BY_ENV_FROM, Reads.ENV),
        (mount("whole"), Reads.FILES),
        (mount("part"), Reads.FILES),
        (mount("other"), Reads.NOTHING),
        (mount("whole", subPath="uri"), Reads.SUB_PATH),
        (mount("whole", subPathExpr="$(X)"), Reads.SUB_PATH),
        ({**BY_ENV, **mount("whole")}, Reads.ENV | Reads.FILES),
        ({"env": [{"name": "A", "value": "orders"}]}, Reads.NOTHING),
    ],
)
def test_how_a_container_reads_the_secret(main: Document, reads: Reads) -> None:
    (found,) = pod(body(main), "orders", "orders").containers
    assert found.reads == reads


@pytest.mark.parametrize("field", ["initContainers", "ephemeralContainers"])
def test_every_kind_of_container_is_read(field: str) -> None:
    reported = {f"{field.removesuffix('s')}Statuses": [{"name": "x", "state": {"running": {"startedAt": LATE}}}]}
    found = pod(body(spec={field: [{"name": "x", **BY_ENV}]}, status=reported), "orders", "orders").containers
    assert ContainerState("x", Reads.ENV, first_start=AT_LATE) in found


RUNNING, WAITING = {"running": {"startedAt": LATE}}, {"waiting": {"reason": "ContainerCreating"}}
ENDED = {"terminated": {"startedAt": EARLY, "exitCode": 1}}


@pytest.mark.parametrize(
    ("reported", "started", "first", "running"),
    [
        (None, False, None, False),
        ({"state": WAITING}, False, None, False),
        ({"state": {"waiting": {"reason": "ImagePullBackOff"}}, "started": False}, False, None, False),
        ({"state": RUNNING}, True, AT_LATE, True),
        ({"state": ENDED}, True, AT_EARLY, False),
        ({"state": RUNNING, "lastState": ENDED, "restartCount": 1}, True, AT_EARLY, True),
        ({"state": WAITING, "lastState": ENDED}, True, AT_EARLY, False),
        ({"state": WAITING, "lastState": ENDED, "restartCount": 1}, True, None, False),
        ({"state": RUNNING, "lastState": ENDED, "restartCount": 2}, True, None, True),
        ({"state": RUNNING, "restartCount": 1}, True, None, True),
        ({"state": {"running": {}}}, True, None, True),
        ({"state": WAITING, "restartCount": 3}, True, None, False),
    ],
)
def test_whether_a_container_started_and_when_first(
    reported: Document | None, started: bool, first: datetime | None, running: bool
) -> None:
    (found,) = pod(body(reported=reported), "orders", "orders").containers
    assert (found.started, found.first_start, found.running) == (started, first, running)


def test_a_pod_on_no_node() -> None:
    gates: Document = {"nodeName": None, "schedulingGates": [{"name": "x"}]}
    gated = pod(body(spec=gates, status={"phase": "Pending", "startTime": None}), "orders", "orders")
    assert (gated.bound, gated.accepted, gated.obstacle, gated.started) == (False, False, Obstacle.GATED, AT_EARLY)
    refused = {"conditions": [{"type": "PodScheduled", "status": "False", "reason": "Unschedulable"}]}
    waits = pod(body(spec={"nodeName": ""}, status=refused), "orders", "orders")
    assert (waits.bound, waits.obstacle) == (False, Obstacle.UNSCHEDULED)
    assert pod(body(spec={"nodeName": ""}), "orders", "orders").obstacle is None


@pytest.mark.parametrize(
    ("reason", "expected"),
    [
        ("ErrImagePull", Obstacle.IMAGE),
        ("ImagePullBackOff", Obstacle.IMAGE),
        ("CreateContainerConfigError", Obstacle.CONFIGURATION),
        ("ContainerCreating", None),
    ],
)
def test_a_container_that_waits(reason: str, expected: Obstacle | None) -> None:
    assert pod(body(reported={"state": {"waiting": {"reason": reason}}}), "orders", "orders").obstacle is expected


@pytest.mark.parametrize(
    ("phase", "state", "ended"),
    [
        ("Succeeded", ENDED, True),
        ("Failed", ENDED, True),
        ("Failed", None, True),
        ("Failed", RUNNING, False),
        ("Running", ENDED, False),
        ("Unknown", ENDED, False),
    ],
)
def test_an_end_that_a_running_container_contradicts_is_none(phase: str, state: Document | None, ended: bool) -> None:
    reported = {"state": state} if state is not None else None
    assert pod(body(reported=reported, status={"phase": phase}), "orders", "orders").ended is ended


def test_identity_and_deletion() -> None:
    meta = {
        "deletionTimestamp": LATE,
        "annotations": {"secureredis.io/orders.version": "v"},
        "labels": {"controller-revision-hash": "web-1"},
    }
    found = pod(body(metadata=meta), "orders", "orders")
    assert (found.deleting, found.ends, found.revision, found.uses) == (True, AT_LATE, "web-1", True)
    assert not pod(body(), "orders", "order").uses
