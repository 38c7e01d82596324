"""Workloads of a case's team, their pods and rollouts; and the words that tests use of them."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from sandbox.api import Api
from sandbox.chart.install import OPERATOR, install
from sandbox.chart.render import RELEASE_NAMESPACE
from sandbox.cli.supervisor import start_pods
from sandbox.cluster import AuditEvent, Cluster
from sandbox.controlplane import ControlPlane
from sandbox.names import HostsFile
from sandbox.waiting import PATIENCE, wait_for
from sandbox.world import World
from secure_redis.api import names
from tests.controlplane import install_crds
from tests.integration.operator.support import Case
from tests.kube import Kube

Document = dict[str, Any]
USER = f"system:serviceaccount:{RELEASE_NAMESPACE}:{OPERATOR}"
SLEEP = "sandbox.test/sleep:1"
URL = {"env": [{"name": "REDIS_URL", "key": "uri"}]}
STRATEGIC = "application/strategic-merge-patch+json"


@contextmanager
def world_with_pods(
    tmp_path_factory: pytest.TempPathFactory, hosts: Path, domain: str, intervals: dict[str, float]
) -> Iterator[World]:
    """A world of its own with a node and a running operator, whose chart gives it permissions on workloads."""
    with ControlPlane(tmp_path_factory.mktemp("plane")) as plane:
        install_crds(Kube(plane.cluster.kubeconfig))
        running = World(tmp_path_factory.mktemp("world"), plane.cluster, hosts=hosts, domain=f"pods.{domain}")
        running.settings = {"intervals": intervals, "workloads": {"enabled": True}}
        running.start()
        install(Api(plane.cluster), {"workloads": {"enabled": True}})
        pods = start_pods(
            tmp_path_factory.mktemp("pods"), plane.cluster, HostsFile(hosts).path, running.control.endpoints.ca_file
        )
        try:
            running.start_operator()
            yield running
            if running.operator is not None:
                running.operator.check()
            pods.check()
        finally:
            running.stop()
            pods.terminate()


def path(kind: str, namespace: str, name: str = "") -> str:
    group = "batch/v1" if kind == "CronJob" else "apps/v1"
    return f"/apis/{group}/namespaces/{namespace}/{kind.lower()}s" + (f"/{name}" if name else "")


class Target:
    """One workload of the team that consents to the case's resource."""

    def __init__(
        self, case: Case, name: str = "web", kind: str = "Deployment", *, consents: bool = True, **pods: Any
    ) -> None:
        self.case, self.name, self.kind = case, name, kind
        labels = {"app": name}
        named = pods.pop("container", "main")
        container = {"name": named, "image": pods.pop("image", SLEEP), "env": [{"name": "MODE", "value": "calm"}]}
        spec: Document = {"containers": [container], "terminationGracePeriodSeconds": 1}
        spec["automountServiceAccountToken"] = False
        template = {"metadata": {"labels": labels}, "spec": spec}
        metadata: Document = {"name": name, "namespace": case.team.namespace, "labels": {"tier": "shop"}}
        if consents:
            metadata["labels"][names.INJECT] = "true"
            metadata["annotations"] = {names.RESOURCES: case.cache}
        body: Document = {"selector": {"matchLabels": labels}, "template": template, **pods}
        if kind in ("Deployment", "StatefulSet"):
            body.setdefault("replicas", 1)
        if kind == "StatefulSet":
            body["serviceName"] = name
        if kind == "CronJob":
            spec["restartPolicy"] = "Never"
            body = {"schedule": "0 3 1 1 *", "jobTemplate": {"spec": {"template": template}}}
        version = "batch/v1" if kind == "CronJob" else "apps/v1"
        document = {"apiVersion": version, "kind": kind, "metadata": metadata, "spec": body}
        self.made = case.world.api.create(document).must()

    @property
    def path(self) -> str:
        return path(self.kind, self.case.team.namespace, self.name)

    def now(self) -> Document:
        return self.case.world.api.get(self.path).must()

    def template(self, body: Document | None = None) -> Document:
        spec = (body or self.now())["spec"]
        found: Document = spec["jobTemplate"]["spec"]["template"] if self.kind == "CronJob" else spec["template"]
        return found

    def patch(self, body: Document) -> None:
        self.case.world.api.call("PATCH", self.path, body, kind=STRATEGIC).must()

    def version(self, body: Document | None = None) -> str | None:
        annotations = self.template(body)["metadata"].get("annotations", {})
        found: str | None = annotations.get(names.version_annotation(self.case.cache))
        return found

    def rolled(self, body: Document | None = None) -> bool:
        body = body or self.now()
        status, wanted = body.get("status", {}), body["spec"].get("replicas", 1)
        observed = status.get("observedGeneration") == body["metadata"]["generation"]
        counts = [status.get(name, 0) for name in ("replicas", "updatedReplicas", "availableReplicas")]
        return bool(observed and counts == [wanted] * 3)

    def pods(self) -> list[Document]:
        space = self.case.team.namespace
        found: list[Document] = self.case.world.api.get(
            f"/api/v1/namespaces/{space}/pods?labelSelector=app%3D{self.name}"
        ).must()["items"]
        return [pod for pod in found if "deletionTimestamp" not in pod["metadata"]]

    def until_rolled(self) -> None:
        wait_for(self.rolled, PATIENCE, f"{self.name} to be rolled out")

    def entry(self, **form: Any) -> Document:
        return {"id": self.name, "kind": self.kind, "name": self.name, **(form or URL)}

    def status(self) -> Document:
        found = [one for one in self.case.status.get("workloads", []) if one.get("name") == self.name]
        assert len(found) == 1, self.case.status.get("workloads")
        return dict(found[0])

    def until(self, reason: str) -> str:
        """Wait until the status says this of it; its message."""

        def said() -> bool:
            listed = self.case.status.get("workloads", [])
            return any(one.get("name") == self.name and one.get("reason") == reason for one in listed)

        try:
            wait_for(said, PATIENCE, f"{reason} of {self.name}")
        except TimeoutError as error:
            raise TimeoutError(f"{error}; it is {self.case.status.get('workloads')}") from None
        return str(self.status().get("message", ""))


def current(case: Case) -> None:
    case.until("WorkloadsCurrent", "True")


def rotate(case: Case) -> str:
    """A user stores the cache's other key; the version. It is published when this returns."""
    held = case.values()["password"]
    version = case.store(case.keys["Secondary" if held == case.keys["Primary"] else "Primary"])

    def published() -> bool:
        case.poke()
        return case.values()["password"] != held

    wait_for(published, PATIENCE, "the new key to be published", interval=0.3)
    return version


def workload_writes(cluster: Cluster, since: int, namespace: str) -> list[AuditEvent]:
    return cluster.audit_events(
        since=since,
        user=USER,
        where=lambda event: event.is_write and event.group in ("apps", "batch") and event.namespace == namespace,
    )
