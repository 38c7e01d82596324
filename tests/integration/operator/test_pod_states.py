"""Real pods whose containers never started, and rollouts that Kubernetes does not finish: what a rotation waits for."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sandbox.waiting import PATIENCE, wait_for
from sandbox.world import World
from tests.integration.operator.conftest import INTERVALS
from tests.integration.operator.rotation_support import answered, ask, led, ready, regenerated, rotation, until
from tests.integration.operator.support import Case
from tests.integration.operator.test_rotation import case, team
from tests.integration.operator.workload_support import SLEEP, STRATEGIC, Target, current, world_with_pods

__all__ = ["case", "team"]

GATES = [{"name": "shop.test/quota"}]
NO_IMAGE = "sandbox.test/none:1"
WAITING: dict[str, dict[str, Any]] = {
    "gated": {"schedulingGates": GATES},
    "unscheduled": {"nodeSelector": {"shop.test/none": "true"}},
    "image": {"image": NO_IMAGE},
}


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory, hosts: Path, domain: str) -> Iterator[World]:
    """Pods run here, and their kubelet reports the start of a container within seconds."""
    intervals = {**INTERVALS, "regenerationSettleSeconds": 2.0, "containerStartSeconds": 5.0}
    with world_with_pods(tmp_path_factory, hosts, domain, intervals) as running:
        yield running


def pod_path(case: Case, name: str) -> str:
    return f"/api/v1/namespaces/{case.team.namespace}/pods/{name}"


def make(case: Case, name: str, *, files: bool = False, image: str = SLEEP, **spec: Any) -> None:
    """A pod that no workload owns uses the Secret, by env or as files."""
    reference = {"secretKeyRef": {"name": case.cache, "key": "uri"}}
    by_env = {"env": [{"name": "REDIS_URL", "valueFrom": reference}]}
    by_files = {"volumeMounts": [{"name": "key", "mountPath": "/srv/redis"}]}
    container = {"name": "main", "image": image, **(by_files if files else by_env)}
    volumes = [{"name": "key", "secret": {"secretName": case.cache}}] if files else []
    body = {"containers": [container], "volumes": volumes, "automountServiceAccountToken": False, **spec}
    meta = {"name": name, "namespace": case.team.namespace}
    case.world.api.create({"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": body}).must()


def waits(case: Case, name: str) -> bool:
    """Whether the cluster has found out that this pod cannot start."""
    found = case.world.api.get(pod_path(case, name))
    status = found.must().get("status", {}) if found.status != 404 else {}
    reported = [one["state"].get("waiting", {}).get("reason") for one in status.get("containerStatuses", [])]
    refused = [one.get("reason") for one in status.get("conditions", []) if one["type"] == "PodScheduled"]
    return "ErrImageNeverPull" in reported or bool({"SchedulingGated", "Unschedulable"} & set(refused))


@pytest.mark.parametrize("request_", ["please", pytest.param("emergency-leaked", marks=pytest.mark.slow)])
def test_pods_that_never_started_do_not_keep_a_key_alive(case: Case, request_: str) -> None:
    ready(case, **led(case))
    for name, state in WAITING.items():
        make(case, name, **state)
        make(case, f"{name}-files", files=True, **state)
    names = [*WAITING, *(f"{name}-files" for name in WAITING)]
    for name in names:
        wait_for(lambda name=name: waits(case, name), PATIENCE, f"{name} to be refused")  # type: ignore[misc]
    before = dict(case.keys)
    answered(case, ask(case, request_))
    assert not set(before.values()) & set(case.keys.values())
    assert rotation(case)["phase"] == "Completed"
    assert "stalePods" not in case.status
    # A pod that starts now reads the current key, and is a consumer of it.
    gone = {"spec": {"schedulingGates": None}}
    case.world.api.call("PATCH", pod_path(case, "gated"), gone, kind=STRATEGIC).must()
    wait_for(lambda: runs(case, "gated"), PATIENCE, "the pod to run")
    asked = ask(case, f"{request_}-again")
    until(case, "RollingOut", "HoldersBehind")
    # For some seconds after the publication, a pod that waits may be starting with what was read before.
    wait_for(lambda: rotation(case).get("holders", {}).get("names") == ["gated"], PATIENCE, "one holder")
    assert "started before the current key was published: gated" in rotation(case)["message"]
    case.world.api.call("DELETE", f"{pod_path(case, 'gated')}?gracePeriodSeconds=0").must()
    answered(case, asked)


def runs(case: Case, name: str) -> bool:
    return bool(case.world.api.get(pod_path(case, name)).must().get("status", {}).get("phase") == "Running")


@pytest.mark.parametrize("request_", ["please", pytest.param("emergency-leaked", marks=pytest.mark.slow)])
def test_a_listed_workload_whose_pods_never_started_does_not_keep_a_key_alive(case: Case, request_: str) -> None:
    web, jobs = Target(case, "web"), Target(case, "jobs")
    web.patch({"spec": {"template": {"spec": {"schedulingGates": GATES}}}})
    jobs.patch({"spec": {"template": {"spec": {"containers": [{"name": "main", "image": NO_IMAGE}]}}}})
    ready(case, **led(case, maxConcurrentWorkloads=2), workloads=[web.entry(), jobs.entry()])
    wait_for(lambda: "has scheduling gates" in web.until("RollingOut"), PATIENCE, "the gate to be reported")
    wait_for(lambda: "cannot pull its image" in jobs.until("RollingOut"), PATIENCE, "the image to be reported")
    before = dict(case.keys)
    answered(case, ask(case, request_))
    assert not set(before.values()) & set(case.keys.values())
    assert case.condition("WorkloadsCurrent")[:2] == ("False", "RollingOut")
    jobs.patch({"spec": {"template": {"spec": {"containers": [{"name": "main", "image": SLEEP}]}}}})
    web.patch({"spec": {"template": {"spec": {"schedulingGates": None}}}})
    current(case)


def test_the_pod_that_blocks_a_stateful_set_is_named_at_once(case: Case) -> None:
    """kubernetes#67250: a better template does not replace a pod of the former one that is not ready."""
    db = Target(case, "db", "StatefulSet")
    ready(case, **led(case), workloads=[db.entry()])
    current(case)
    db.patch({"spec": {"template": {"spec": {"containers": [{"name": "main", "image": NO_IMAGE}]}}}})
    wait_for(lambda: waits(case, "db-0"), PATIENCE, "the broken pod")
    asked = ask(case)
    assert "kubectl delete pod db-0" in db.until("PodBlocksRollout")
    answered(case, asked)
    assert regenerated(case) == ["Secondary", "Primary"], "no container of it has read a key"
    db.patch({"spec": {"template": {"spec": {"containers": [{"name": "main", "image": SLEEP}]}}}})
    assert "kubectl delete pod db-0" in db.until("PodBlocksRollout")
    assert case.condition("WorkloadsCurrent")[:2] == ("False", "PodBlocksRollout")
    case.world.api.call("DELETE", f"{pod_path(case, 'db-0')}?gracePeriodSeconds=0").must()
    current(case)


def test_a_quota_that_leaves_no_room_for_the_rollout_is_reported_with_what_to_do(case: Case) -> None:
    """The Deployment surges: it starts a pod before it ends one."""
    web = Target(case, "web")
    web.until_rolled()
    meta = {"name": "tight", "namespace": case.team.namespace}
    where = f"/api/v1/namespaces/{case.team.namespace}/resourcequotas/tight"
    quota = {"apiVersion": "v1", "kind": "ResourceQuota", "metadata": meta, "spec": {"hard": {"pods": "1"}}}
    case.world.api.create(quota).must()
    used = {"pods": "1"}
    wait_for(lambda: case.world.api.get(where).must().get("status", {}).get("used") == used, PATIENCE, "the quota")
    ready(case, **led(case), workloads=[web.entry()])
    message = web.until("RolloutFailed")
    assert "exceeded quota: tight" in message
    assert "raise the ResourceQuota, or let the strategy end a pod before it starts one" in message
    assert rotation(case) == {}
    answered(case, ask(case))
    assert regenerated(case) == ["Secondary", "Primary"], "its former pod names no Secret of the resource"
    case.world.api.call("DELETE", where).must()
    web.patch(
        {"spec": {"template": {"metadata": {"labels": {"again": "now"}}}}}
    )  # its controller waits longer each time
    current(case)
