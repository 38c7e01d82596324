"""Workloads of every kind, as tests make and read them."""

import copy
import itertools
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from sandbox.api import Api
from sandbox.chart.install import install, operator_of
from sandbox.cluster import Cluster
from sandbox.waiting import PATIENCE, wait_for
from secure_redis.api import names
from secure_redis.api.resource import SecureRedisCache
from secure_redis.api.spec.spec import Workload
from tests.integration.components.conftest import VALUES, maker
from tests.kube import Kube

Document = dict[str, Any]
KINDS = ("Deployment", "StatefulSet", "DaemonSet", "CronJob")
_numbers = itertools.count()
_FORMS: tuple[Document, ...] = ({}, {"env": [{"name": "REDIS_URI", "key": "uri"}], "mountPath": "/keys"})
# A spec that lists every kind of workload, with every form that these tests inject.
LISTED: Document = {
    "authentication": {"keyVault": {"uri": "https://shop.vault.azure.net", "secretName": "orders-redis-key"}},
    "connection": {"secretName": "orders"},
    "workloads": [
        {"id": f"{kind.lower()}-{number}", "kind": kind, "selector": {}, **form}
        for kind in KINDS
        for number, form in enumerate(_FORMS)
    ],
}


@pytest.fixture(scope="module", autouse=True)
def workloads_on(roles: None, control_plane: Cluster) -> Iterator[None]:
    """The chart's permissions on workloads, for this module only."""
    api = Api(control_plane)
    operator = operator_of(api)

    def may() -> bool:
        return operator.get("/apis/apps/v1/namespaces/rooms/deployments").ok

    install(api, {**VALUES, "workloads": {"enabled": True}})
    wait_for(may, PATIENCE, "the rights on workloads")
    yield
    install(api, VALUES)
    wait_for(lambda: not may(), PATIENCE, "the rights on workloads to be gone")


@pytest.fixture
def make(kube: Kube, bound: str) -> Callable[..., SecureRedisCache]:
    """Creates a resource that lists what these tests inject: the policy allows nothing else."""
    return maker(kube, bound, **LISTED)


def template(kind: str) -> Document:
    main = {
        "name": "main",
        "image": "shop.test/app:1",
        "env": [{"name": "MODE", "value": "calm"}, {"name": "SEEN", "value": "in $(MODE) mode"}],
        "volumeMounts": [{"name": "scratch", "mountPath": "/scratch"}],
        "ports": [{"containerPort": 80}],
    }
    spec: Document = {
        "containers": [main, {"name": "side", "image": "shop.test/side:1"}],
        "initContainers": [{"name": "first", "image": "shop.test/first:1"}],
        "volumes": [{"name": "scratch", "emptyDir": {}}],
    }
    if kind == "CronJob":
        spec["restartPolicy"] = "Never"
    return {"metadata": {"labels": {"app": "x"}}, "spec": spec}


def document(kind: str, namespace: str, *resources: str, **template_changes: Any) -> Document:
    metadata: Document = {"name": f"w-{next(_numbers)}", "namespace": namespace}
    if resources:
        metadata |= {
            "labels": {names.INJECT: "true", "team": "shop"},
            "annotations": {names.RESOURCES: ", ".join(resources)},
        }
    pods = template(kind)
    pods["spec"] |= template_changes
    if kind == "CronJob":
        spec: Document = {"schedule": "0 3 1 1 *", "suspend": True, "jobTemplate": {"spec": {"template": pods}}}
        return {"apiVersion": "batch/v1", "kind": kind, "metadata": metadata, "spec": spec}
    spec = {"selector": {"matchLabels": {"app": "x"}}, "template": pods}
    if kind != "DaemonSet":
        spec["replicas"] = 0
    if kind == "StatefulSet":
        spec["serviceName"] = "x"
    return {"apiVersion": "apps/v1", "kind": kind, "metadata": metadata, "spec": spec}


def entry(kind: str, name: str | None = None, **more: Any) -> Workload:
    return Workload.model_validate({"id": "one", "kind": kind, "name": name, **more})


def spec_of(body: Document) -> Document:
    """The parts that its author wrote, without what controllers write."""
    body = copy.deepcopy(body)
    body.pop("status", None)
    body["metadata"].pop("resourceVersion")
    for entry in [one for one in body["metadata"]["managedFields"] if one["manager"] == "kube-controller-manager"]:
        body["metadata"]["managedFields"].remove(entry)
    body["metadata"].get("annotations", {}).pop("deployment.kubernetes.io/revision", None)
    return body


def now(kube: Kube, made: Document) -> Document:
    meta = made["metadata"]
    found = kube.get(made["kind"], meta["name"], meta["namespace"], made["apiVersion"])
    assert found is not None
    return found


def pods_of(body: Document) -> Document:
    spec: Document = body["spec"]
    found: Document = spec["jobTemplate"]["spec"]["template"] if body["kind"] == "CronJob" else spec["template"]
    return found
