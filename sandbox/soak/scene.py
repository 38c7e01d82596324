"""The world of a soak: one cache, one resource, and consumers of three kinds whose pods are canaries."""

import base64
import contextlib
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sandbox.api import Document
from sandbox.azure.seeds import seeds
from sandbox.chart.install import OPERATOR
from sandbox.chart.render import RELEASE_NAMESPACE
from sandbox.cli.supervisor import install_crds, start_pods
from sandbox.controlplane import ControlPlane
from sandbox.names import HostsFile
from sandbox.pods.images import canaries
from sandbox.pods.programs import proof
from sandbox.pods.programs.ledger import Tally, tally
from sandbox.processes import Child
from sandbox.services import CacheControl, Service
from sandbox.waiting import wait_for
from sandbox.world import CACHE_KEYS, CACHE_READ, CACHE_ROTATE, LEASE, VAULT_READ, VAULT_WRITE, Team, World

NAME = "orders"
IMAGE = "sandbox.test/canary:1"
PATIENCE = 300.0  # seconds for one rotation; the machine may be busy, and the operator killed again and again
_STRATEGIC = "application/strategic-merge-patch+json"
_REPLICAS = {"web": ("Deployment", 3), "workers": ("StatefulSet", 2), "agents": ("DaemonSet", 1)}
_INJECTS = {"workloads": {"enabled": True}}
_SETTINGS: dict[str, Any] = {
    "intervals": {
        "absenceConfirmationSeconds": 0.5,
        "operationPollSeconds": 0.2,
        "serviceAccountSeconds": 0.2,
        "regenerationSettleSeconds": 3,
    },
    # A new operator leads soon after one was killed.
    "leaderElection": {**LEASE, "leaseDurationSeconds": 4, "renewDeadlineSeconds": 3, "retryPeriodSeconds": 0.5},
    **_INJECTS,
}


class SoakError(RuntimeError):
    """The soak cannot continue, or something other than an AUTH failed. The text says what."""


@dataclass
class Scene:
    """The running world. `tick` is called between checks while something is awaited; it may kill the operator."""

    world: World
    team: Team
    pods: Child
    pause_seconds: float
    service: Service
    tick: Callable[[], None] = lambda: None
    resource: Document = field(default_factory=dict)

    # --- observations ----------------------------------------------------------------------------------------------

    @property
    def status(self) -> Document:
        """Return the resource's status."""
        return dict((self.world.get(self.resource) or {}).get("status", {}))

    def condition(self, kind: str, status: Document | None = None) -> tuple[str, str, str]:
        """Return status, reason and message of a condition; empty if it is missing for this generation."""
        found = self.world.get(self.resource) or {}
        for one in (found.get("status", {}) if status is None else status).get("conditions", []):
            if one["type"] == kind and one.get("observedGeneration") == found["metadata"]["generation"]:
                return one["status"], one["reason"], one.get("message", "")
        return "", "", ""

    @property
    def leader(self) -> str:
        """Return the operator that has the Lease; empty if none has it."""
        path = f"/apis/coordination.k8s.io/v1/namespaces/{RELEASE_NAMESPACE}/leases/{OPERATOR}"
        return str((self.world.api.get(path).body.get("spec") or {}).get("holderIdentity") or "")

    @property
    def control(self) -> CacheControl:
        """Return what other people do with the cache."""
        return self.service.control(self.world.control)

    @property
    def keys(self) -> dict[str, str]:
        """Return the cache's keys by slot."""
        return self.control.keys(NAME)

    @property
    def published(self) -> str:
        """Return the key in the Secret."""
        found = self.world.secret(self.team.namespace, NAME)
        return "" if found is None else base64.b64decode(found["data"]["password"]).decode()

    def tally(self) -> Tally:
        """Return the counts of all canaries so far."""
        return tally(canaries(self.world.control.endpoints.ca_file))

    def workload(self, name: str) -> Document:
        """Return a consumer's current object."""
        return self.world.api.get(self._path(name)).must()

    def live_pods(self) -> list[Document]:
        """Return the consumers' pods that are not being deleted."""
        found = self.world.api.get(f"/api/v1/namespaces/{self.team.namespace}/pods").must()["items"]
        return [pod for pod in found if "deletionTimestamp" not in pod["metadata"]]

    def check(self) -> None:
        """Raise ProcessError if a part of the world has ended by itself."""
        self.pods.check()
        if self.world.operator is not None:
            self.world.operator.check()

    # --- what is done -----------------------------------------------------------------------------------------------

    def until(self, predicate: Callable[[], object], what: str, seconds: float = PATIENCE) -> None:
        """Wait. Raises SoakError with the actual status of the resource."""

        def asked() -> bool:
            self.check()
            self.tick()
            return bool(predicate())

        try:
            wait_for(asked, seconds, what, interval=0.1)
        except TimeoutError:
            raise SoakError(f"waited {seconds:g} s for {what}. {self.says()}") from None

    def says(self) -> str:
        """Return a summary of the resource's status."""
        status = self.status
        conditions = [
            f"{one['type']}={one['status']}/{one['reason']}: {one.get('message', '')}"
            for one in status.get("conditions", [])
        ]
        parts = {name: status.get(name) for name in ("rotation", "workloads", "lastHandled", "credential")}
        return f"It says: {'; '.join(conditions)}; {parts}"

    def annotate(self, **values: str) -> None:
        """Set annotations of this project on the resource, by their names without the prefix."""
        named = {f"secureredis.io/{name}": value for name, value in values.items()}
        self.world.api.merge(self.resource, {"metadata": {"annotations": named}}).must()

    def refresh(self) -> None:
        """Request a pass, as a person does who does not wait for the interval."""
        self.annotate(refresh=uuid.uuid4().hex[:12])

    def change(self, **spec: Any) -> None:
        """Edit the spec as its author."""
        self.world.api.merge(self.resource, {"spec": spec}).must()

    def patch(self, name: str, body: Document) -> None:
        """Edit a consumer as its owner (strategic merge)."""
        self.world.api.call("PATCH", self._path(name), body, kind=_STRATEGIC).must()

    def current(self, version: str) -> bool:
        """Return whether the operator reports that this version is published and that every pod uses it."""
        status = self.status
        published = status.get("credential", {}).get("keyVaultVersion") == version
        behind = any(one.get("stalePods", {}).get("count") for one in status.get("workloads", []))
        return published and not behind and self.condition("WorkloadsCurrent", status)[0] == "True"

    def holds(self, pod: Document, key: str) -> bool:
        """Return whether the process in this pod proves that it uses the key."""
        return proof.holds(pod.get("status", {}).get("podIP", ""), key)

    def must_hold(self, key: str) -> int:
        """Require from every pod a proof that its process uses this key. Returns how many. Raises SoakError."""
        pods = self.live_pods()
        wrong = [pod["metadata"]["name"] for pod in pods if not self.holds(pod, key)]
        wanted = sum(count for _, count in _REPLICAS.values())
        if wrong or len(pods) != wanted:
            raise SoakError(
                f"the operator says that every pod holds the new key, but {', '.join(wrong) or 'none'} of {len(pods)} "
                f"pods does not ({wanted} are wanted). {self.says()}"
            )
        return len(pods)

    # --- how it begins ----------------------------------------------------------------------------------------------

    def open(self) -> None:
        """Create the cache, its key in the vault, the resource, and the consumers with all their pods ready."""
        self.service.seed(self.world, self.team, NAME)
        self.store(self.keys["Primary"], "Primary")
        for name, (kind, _) in _REPLICAS.items():
            self.world.api.create(self._consumer(name, kind)).must()
        workloads: list[Document] = [
            {"id": "web", "kind": "Deployment", "name": "web", "env": [{"name": "REDIS_URL", "key": "uri"}]},
            {"id": "workers", "kind": "StatefulSet", "name": "workers"},  # Service Binding files
            {"id": "agents", "kind": "DaemonSet", "name": "agents", "env": [{"name": "REDIS_URL", "key": "uri"}]},
        ]
        cache = self.service.id(self.team, NAME)
        self.resource = self.world.resource(self.team, NAME, key=NAME, resourceID=cache, workloads=workloads)
        self.resource["spec"]["authentication"]["rotation"] = {"maxConcurrentWorkloads": 2, "deadlineMinutes": 2}
        self.resource["metadata"]["annotations"] = {"secureredis.io/refresh": "first", "secureredis.io/rotate": "first"}
        self.world.apply(self.resource)
        version = self.world.control.keyvault.secret_versions(self.team.name, NAME)[-1].version
        self.until(lambda: self.current(version), "the consumers to be injected")
        # Not before: a StatefulSet does not replace a pod that has never been ready (kubernetes/kubernetes#67250).
        for name, (kind, count) in _REPLICAS.items():
            if kind != "DaemonSet":
                self.patch(name, {"spec": {"replicas": count}})
        self.until(lambda: all(self.rolled(name) for name in _REPLICAS), "all canaries to sing")
        self.until(lambda: self.current(version), "the resource to be steady")
        self.must_hold(self.published)

    def rolled(self, name: str) -> bool:
        """Return whether a consumer has all its pods, new and ready."""
        body = self.workload(name)
        status, count = body.get("status", {}), _REPLICAS[name][1]
        if status.get("observedGeneration") != body["metadata"]["generation"]:
            return False
        if body["kind"] == "DaemonSet":
            names = ("desiredNumberScheduled", "updatedNumberScheduled", "numberReady", "currentNumberScheduled")
        else:
            names = ("replicas", "updatedReplicas", "readyReplicas", "availableReplicas")
        return all(status.get(name, 0) == count for name in names)

    def store(self, key: str, slot: str) -> str:
        """Store a key as the vault's owner, with the tags that name its cache. Returns the version."""
        tags = {
            "CredentialId": slot,
            "ProviderAddress": self.service.id(self.team, NAME),
            "ValidityPeriodDays": "90",
        }
        return self.world.control.keyvault.set_secret(self.team.name, NAME, seeds.SecretVersion(value=key, tags=tags))

    def lead(self) -> None:
        """Let the operator rotate from now on: set the cache's tag and edit the spec."""
        system = self.world.api.get("/api/v1/namespaces/kube-system").must()["metadata"]["uid"]
        self.control.update(NAME, tags={"secureredis-leader": f"{system}/{self.team.namespace}/{NAME}"})
        self.change(authentication={"keyVault": {"access": "ReadWrite"}, "rotation": {"otherConsumers": "None"}})
        self.refresh()

    def _path(self, name: str) -> str:
        kind, _ = _REPLICAS[name]
        return f"/apis/apps/v1/namespaces/{self.team.namespace}/{kind.lower()}s/{name}"

    def _consumer(self, name: str, kind: str) -> Document:
        labels = {"app": name}
        container = {
            "name": "app",
            "image": IMAGE,
            "env": [{"name": "CANARY_PAUSE_SECONDS", "value": str(self.pause_seconds)}],
            "readinessProbe": {
                "tcpSocket": {"port": proof.PORT},
                "periodSeconds": 1,
                "failureThreshold": 3,
                "timeoutSeconds": 10,
            },
        }
        pods = {"containers": [container], "automountServiceAccountToken": False, "terminationGracePeriodSeconds": 10}
        spec: Document = {
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": pods},
        }
        if kind != "DaemonSet":
            spec["replicas"] = 0
        if kind == "Deployment":
            spec["progressDeadlineSeconds"] = 15
        if kind == "StatefulSet":
            spec["serviceName"] = name
        consent = {
            "labels": {"secureredis.io/inject": "true"},
            "annotations": {"secureredis.io/resources": NAME},
        }
        metadata = {"name": name, "namespace": self.team.namespace, **consent}
        return {"apiVersion": "apps/v1", "kind": kind, "metadata": metadata, "spec": spec}


@contextlib.contextmanager
def scene(directory: Path, pause_seconds: float, service: Service) -> Iterator[Scene]:
    """Start everything in `directory`, open the scene, and end it. The operator has the chart's permissions."""
    hosts = HostsFile(directory / "hosts")
    with contextlib.ExitStack() as stack:
        plane = stack.enter_context(ControlPlane(directory / "controlplane"))
        world = World(directory, plane.cluster, hosts=hosts.path, settings=_SETTINGS, values=_INJECTS)
        install_crds(world.api)
        stack.callback(world.stop)
        world.start()
        pods = start_pods(directory, plane.cluster, hosts.path, world.control.endpoints.ca_file)
        stack.callback(pods.terminate)
        world.start_operator()
        team = world.team(
            "shop", cache_actions=CACHE_READ + CACHE_KEYS + CACHE_ROTATE, vault_actions=VAULT_READ + VAULT_WRITE
        )
        made = Scene(world, team, pods, pause_seconds, service)
        made.open()
        yield made
