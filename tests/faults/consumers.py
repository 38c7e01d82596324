"""Injection and rotation as scenarios: two Deployments with pods that consume the key of one cache."""

import json
import uuid
from dataclasses import dataclass
from typing import Any

from sandbox.api import Document
from sandbox.waiting import PATIENCE, wait_for
from secure_redis.api import names
from tests.faults.scenarios import Json, Scenario, Stage, annotate, apply, converged, delete, existing, ready, store

WORKLOADS = ("app-a", "app-b")
_SLEEP = "sandbox.test/sleep:1"


@dataclass(frozen=True)
class Consumed(Stage):
    """A stage with Deployments."""

    def create(self) -> None:
        """The Deployments, which consent."""
        for name in WORKLOADS:
            labels = {"app": name}
            pod = {
                "containers": [{"name": "main", "image": _SLEEP, "env": [{"name": "MODE", "value": "calm"}]}],
                "terminationGracePeriodSeconds": 1,
                "automountServiceAccountToken": False,
            }
            metadata = {
                "name": name,
                "namespace": self.team.namespace,
                "labels": {names.INJECT: "true"},
                "annotations": {names.RESOURCES: self.name},
            }
            template = {"metadata": {"labels": labels}, "spec": pod}
            spec = {"replicas": 1, "selector": {"matchLabels": labels}, "template": template}
            body = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": metadata, "spec": spec}
            self.world.api.create(body).must()

    def end(self) -> Json:
        """With what became of the Deployments, their pods and the rotation."""
        status: Json = (self.world.get(self.document) or {}).get("status", {})
        rotation: Json = status.get("rotation") or {}
        return {
            **super().end(),
            "workloads": [
                {name: one.get(name) for name in ("id", "kind", "name", "injected", "reason", "stalePods", "dropped")}
                for one in status.get("workloads", [])
            ],
            "rotation": {name: rotation.get(name) for name in ("phase", "target", "slot", "reason", "message")},
            "templates": [self._template(body) for body in self.deployments()],
            "managers": [self._managers(body) for body in self.deployments()],
            "pods": sorted({self._which(pod) for pod in self.pods()}),
            "regenerated": self.regenerated(),
        }

    def dangers(self) -> list[str]:
        """With the pods: none may run with a key that is dead."""
        keys = set(self.control.keys(self.name).values())
        live = {one.version for one in self._versions() if one.value in keys}
        held = {pod["metadata"]["name"]: self._held(pod) for pod in self.pods()}
        dead = sorted(name for name, version in held.items() if version is not None and version not in live)
        return [*super().dangers(), *(f"{name} runs with a dead key" for name in dead)]

    def clean(self) -> None:
        """Delete the Deployments: their pods are processes."""
        self.world.api.call("DELETE", self._path("apps/v1", "deployments")).must()

    # --- what the scenarios ask -------------------------------------------------------------------------------------

    def deployments(self) -> list[Document]:
        """Both of them, as they are."""
        found: list[Document] = self.world.api.get(self._path("apps/v1", "deployments")).must()["items"]
        return sorted(found, key=lambda body: str(body["metadata"]["name"]))

    def pods(self) -> list[Document]:
        """Those that are not ending."""
        found: list[Document] = self.world.api.get(f"/api/v1/namespaces/{self.team.namespace}/pods").must()["items"]
        return [pod for pod in found if "deletionTimestamp" not in pod["metadata"]]

    def current(self) -> bool:
        """Whether both are at the vault's current version, with all their pods, and the status says so."""
        return (
            self._all_at(self._versions()[-1].version) and self.conditions().get("WorkloadsCurrent", ("",))[0] == "True"
        )

    def released(self) -> bool:
        """Return whether none of them and none of their pods holds anything of the operator."""
        return self._all_at(None) and not any("secretKeyRef" in json.dumps(pod["spec"]) for pod in self.pods())

    def regenerated(self) -> list[str]:
        """The slots whose keys were regenerated, in order."""
        effects = self.world.control.log.effects()
        mine = [one for one in effects if one.kind == self.service.regenerated and self._is_mine(one.target)]
        return [slot for one in mine for slot in one.fields]

    def status(self) -> Json:
        """The resource's status."""
        found: Json = (self.world.get(self.document) or {}).get("status", {})
        return found

    def _is_mine(self, target: str) -> bool:
        return f"/{self.name}" in target.lower()

    def _all_at(self, version: str | None) -> bool:
        bodies = self.deployments()
        if any(self._version(body["spec"]["template"]) != version or not _rolled(body) for body in bodies):
            return False
        return all(self._held(pod) == version for pod in self.pods())

    def _versions(self) -> list[Any]:
        return list(self.world.control.keyvault.secret_versions(self.team.name, self.name))

    def _version(self, template: Document) -> str | None:
        found: str | None = template["metadata"].get("annotations", {}).get(names.version_annotation(self.name))
        return found

    def _held(self, pod: Document) -> str | None:
        return self._version(pod)

    def _which(self, one: Document) -> str:
        held = self._version(one)
        return "none" if held is None else "current" if held == self._versions()[-1].version else "older"

    def _template(self, body: Document) -> Json:
        """The pod template, in which only what is random in each run has another name."""
        template = body["spec"]["template"]
        text = json.dumps(template).replace(self.name, "NAME")
        held = self._version(template)
        told: Json = json.loads(text if held is None else text.replace(held, self._which(template)))
        return told

    def _managers(self, body: Document) -> list[str]:
        listed = [str(entry.get("manager")) for entry in body["metadata"].get("managedFields", [])]
        return sorted({one.replace(self.name, "NAME") for one in listed if one.startswith(names.MANAGER_PREFIX)})

    def _path(self, version: str, plural: str) -> str:
        return f"/apis/{version}/namespaces/{self.team.namespace}/{plural}"


def _rolled(body: Document) -> bool:
    status, wanted = body.get("status", {}), body["spec"]["replicas"]
    observed = status.get("observedGeneration") == body["metadata"]["generation"]
    return (
        observed
        and [status.get(name, 0) for name in ("replicas", "updatedReplicas", "availableReplicas")] == [wanted] * 3
    )


# --- the scenarios --------------------------------------------------------------------------------------------------


def _of(stage: Stage) -> Consumed:
    assert isinstance(stage, Consumed)
    return stage


def _entries() -> list[Json]:
    """One by env, one by a mounted volume: both ways of writing have their own order."""
    env = [{"name": "REDIS_URL", "key": "uri"}]
    return [
        {"id": "a", "kind": "Deployment", "name": WORKLOADS[0], "env": env},
        {"id": "b", "kind": "Deployment", "name": WORKLOADS[1]},
    ]


def _consumed(stage: Stage) -> None:
    existing(stage)
    _of(stage).create()


def _led(stage: Stage) -> None:
    """A cache whose owner lets the resource lead, and its key in the vault."""
    world = stage.world
    cluster = world.api.get("/api/v1/namespaces/kube-system").must()["metadata"]["uid"]
    leads = {names.LEADER_TAG: f"{cluster}/{stage.team.namespace}/{stage.name}"}
    stage.service.seed(world, stage.team, stage.name, tags=leads)
    store(stage, tagged=True)
    _of(stage).create()


def _injected(stage: Stage) -> Json:
    return {"workloads": _entries()}


def _leading(stage: Stage) -> Json:
    authentication: Json = stage.document["spec"]["authentication"]
    vault = {**authentication["keyVault"], "access": "ReadWrite"}
    return {**_injected(stage), "authentication": {"keyVault": vault, "rotation": {"otherConsumers": "None"}}}


def _going(stage: Stage) -> Json:
    return {**_injected(stage), "connection": {"deletionPolicy": "Delete"}}


def _published(stage: Stage) -> None:
    apply(stage)
    converged(stage)


def _consuming(stage: Stage) -> None:
    """Published, injected and rolled out."""
    apply(stage)
    try:
        wait_for(
            lambda: ready(stage) and _of(stage).current(), PATIENCE, f"the consumers of {stage.name} to begin with"
        )
    except TimeoutError as error:
        raise TimeoutError(f"{error}; it is {stage.conditions()}") from None


def _change(stage: Stage, workloads: list[Json] | None) -> None:
    stage.world.api.merge(stage.document, {"spec": {"workloads": workloads}}).must()


def _stored(stage: Stage) -> None:
    """A person stores the other key."""
    store(stage, "Secondary")
    annotate(stage, refresh=uuid.uuid4().hex)


def _followed(stage: Stage) -> bool:
    consumed = _of(stage)
    published = consumed.status().get("credential", {}).get("slot") == "Secondary"
    return published and ready(stage) and consumed.current()


def _let_go(stage: Stage) -> bool:
    consumed = _of(stage)
    return consumed.released() and not consumed.status().get("workloads") and ready(stage)


def _gone(stage: Stage) -> bool:
    return stage.world.get(stage.document) is None and stage.secret_uid() is None and _of(stage).released()


def _rotated(stage: Stage) -> bool:
    found = stage.world.get(stage.document) or {}
    asked = found.get("metadata", {}).get("annotations", {}).get(names.ROTATE)
    status: Json = found.get("status", {})
    answered = asked is not None and status.get("lastHandled", {}).get("rotate") == asked
    completed = status.get("rotation", {}).get("phase") == "Completed"
    return answered and completed and ready(stage) and _of(stage).current()


INJECT = Scenario(
    "inject",
    prepare=_consumed,
    spec=lambda stage: {},
    begin=_published,
    trigger=lambda stage: _change(stage, _entries()),
    done=lambda stage: ready(stage) and _of(stage).current(),
    writes=False,
    made=Consumed,
)
RELEASE = Scenario(
    "release",
    prepare=_consumed,
    spec=_injected,
    begin=_consuming,
    trigger=lambda stage: _change(stage, None),
    done=_let_go,
    writes=False,
    made=Consumed,
)
GO = Scenario(
    "go",
    prepare=_consumed,
    spec=_going,
    begin=_consuming,
    trigger=delete,
    done=_gone,
    writes=False,
    loses_secret=True,
    made=Consumed,
)
FOLLOW = Scenario(
    "follow",
    prepare=_consumed,
    spec=_injected,
    begin=_consuming,
    trigger=_stored,
    done=_followed,
    writes=False,
    made=Consumed,
)
LED = Scenario(
    "led rotation",
    prepare=_led,
    spec=_leading,
    begin=_consuming,
    trigger=lambda stage: annotate(stage, rotate=uuid.uuid4().hex),
    done=_rotated,
    rotates=True,
    made=Consumed,
)
EMERGENCY = Scenario(
    "emergency",
    prepare=_led,
    spec=_leading,
    begin=_consuming,
    trigger=lambda stage: annotate(stage, rotate=f"{names.EMERGENCY}{uuid.uuid4().hex}"),
    done=_rotated,
    rotates=True,
    made=Consumed,
)
