"""The chapter on rotation: both keys are replaced while applications connect without a pause."""

import base64
import json
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sandbox.chart.render import ROOT
from sandbox.demo.shop import Shop
from sandbox.demo.stage import Stage
from sandbox.pods.images import canaries
from sandbox.pods.programs import proof
from sandbox.pods.programs.ledger import Tally, tally
from sandbox.services import CLASSIC, Service

_MANIFEST = Path(__file__).with_name("canaries.yaml")
_WRITTEN_FOR = ("sessions", "checkout", "worker")  # the resource and the workloads that the manifest names


@dataclass(frozen=True)
class Rotated:
    """The resource whose keys are rotated, its secret in the vault, and a Deployment and a StatefulSet that use it."""

    service: Service
    resource: str
    vault_secret: str
    deployment: str
    stateful_set: str
    request: str

    @property
    def names(self) -> tuple[str, str, str]:
        """Return the names that replace those of the manifest."""
        return self.resource, self.deployment, self.stateful_set

    @property
    def spec(self) -> dict[str, Any]:
        """Return the change of the resource by which the operator leads, and moves the workloads."""
        by_url = [{"name": "REDIS_URL", "key": "uri"}]
        return {
            "spec": {
                "authentication": {"rotation": {"otherConsumers": "None", "maxConcurrentWorkloads": 2}},
                "workloads": [
                    {"id": self.deployment, "kind": "Deployment", "name": self.deployment, "env": by_url},
                    {"id": self.stateful_set, "kind": "StatefulSet", "name": self.stateful_set},
                ],
            }
        }


SESSIONS = Rotated(CLASSIC, "sessions", "sessions-redis-key", "checkout", "worker", "before-the-audit")


def rotation(stage: Stage, shop: Shop) -> None:
    """Show a rotation requested by annotation, during which no client is refused."""
    rotate(stage, shop, SESSIONS)


def rotate(stage: Stage, shop: Shop, rotated: Rotated) -> None:
    """Start the applications, rotate both keys under them, and check what they counted."""
    story, resource = stage.story, rotated.resource
    if not stage.has_node():
        story.say("A rotation is shown with pods, and there are none on this system: this part is left out.")
        return
    story.say(
        f"""Two applications use `{resource}`. Their pods open a fresh TLS connection, AUTH, PING and close, again and
        again, and count what fails. They are listed in the resource, and consent by a label and an annotation; their
        manifests do not mention Redis. No other consumer holds a key, so the old one need not stay valid."""
    )
    _start(stage, rotated)
    control = rotated.service.control(stage.control)
    before, published_before = control.keys(resource), _password(stage, rotated)
    since = stage.control.log.position()
    stage.retired.update(before.values())
    begun, counted = time.monotonic(), _counted(stage, rotated)
    asked = ("annotate", "srcache", resource, f"secureredis.io/rotate={rotated.request}")
    story.say("A rotation is requested. The status changes as follows:")
    stage.show(*asked)
    phases = _follow(stage, rotated, begun)
    stage.show("get", "srcache", resource, "-o", "wide")
    stage.excerpt(resource, "Rotation")

    after, published = control.keys(resource), _password(stage, rotated)
    regenerated = [one.kind for one in stage.control.log.effects(since) if one.kind == rotated.service.regenerated]
    story.claim("its phases were reported while it ran", "RollingOut" in phases and phases[-1] == "Completed")
    story.claim(
        "both keys of the cache were replaced, each by one request to Azure",
        all(after[slot] != before[slot] for slot in before) and len(regenerated) == len(before),
    )
    newest = stage.control.keyvault.secret_versions(shop.vault, rotated.vault_secret)[-1].value
    story.claim(
        "Key Vault and the Secret hold the new key",
        published == newest and published in after.values() and newest != published_before,
    )
    pods = _ready(stage, rotated)
    good = len(pods) == 3 and all(proof.holds(pod["status"]["podIP"], published) for pod in pods)
    story.claim("each of the 3 pods proves that it holds the new key", good)
    _count(stage, rotated, counted)


def _start(stage: Stage, rotated: Rotated) -> None:
    """Start the applications, and wait until each of their pods uses Redis."""
    story, resource = stage.story, rotated.resource
    patch = json.dumps(rotated.spec, separators=(",", ":"))
    story.command(f"kubectl -n {stage.namespace} patch srcache {resource} --type=merge -p '{patch}'")
    story.output(stage.kubectl("-n", stage.namespace, "patch", "srcache", resource, "--type=merge", "-p", patch))
    manifest = _MANIFEST.read_text(encoding="utf-8")
    shown = _MANIFEST.relative_to(ROOT)
    others = [(old, new) for old, new in zip(_WRITTEN_FOR, rotated.names, strict=True) if old != new]
    if others:
        story.command(f"sed '{'; '.join(f's/{old}/{new}/' for old, new in others)}' {shown} | kubectl apply -f -")
    else:
        story.command(f"kubectl apply -f {shown}")
    for old, new in others:
        manifest = manifest.replace(old, new)
    story.output(stage.kubectl("apply", "-f", "-", stdin=manifest))
    stage.await_(lambda: len(_ready(stage, rotated)) == 3, "the applications to talk to Redis")
    stage.until(resource, "WorkloadsCurrent", "True")
    stage.show("get", "pods", "-l", f"app in ({rotated.deployment}, {rotated.stateful_set})")
    stage.show("get", "srcache", resource, "-o", "wide")


def _count(stage: Stage, rotated: Rotated, counted: Tally) -> None:
    """Show what the applications have counted, from before the rotation until they have gone on after it."""
    now = _counted(stage, rotated)
    stage.await_(lambda: _counted(stage, rotated).answered > now.answered + 30, "the applications to go on")
    total = _counted(stage, rotated)
    stage.story.say(f"All that {total.canaries} pods have counted, those that have ended too:")
    stage.story.output(f"{total.verdict()}\n{total.others()}")
    stage.story.claim(
        f"failed AUTH: {total.failed_auth} of {total.attempts}, through the whole rotation",
        total.failed_auth == 0 and counted.attempts < now.attempts and _mostly_answered(total),
    )


def _follow(stage: Stage, rotated: Rotated, begun: float) -> list[str]:
    """Print each phase, and the table while pods are replaced, until it is completed. Raises DemoError."""
    phases: list[str] = []

    def completed() -> bool:
        status = stage.status(rotated.resource)
        reported = status.get("rotation") or {}
        phase = str(reported.get("phase", ""))
        if phase and phase not in phases:
            phases.append(phase)
            stage.story.note(f"{time.monotonic() - begun:5.1f} s  {phase}: {reported.get('message', '')}")
            if phase == "RollingOut":
                stage.show("get", "srcache", rotated.resource, "-o", "wide")
        return phase == "Completed" and status.get("lastHandled", {}).get("rotate") == rotated.request

    stage.await_(completed, "the rotation to be completed")
    return phases


def _counted(stage: Stage, rotated: Rotated) -> Tally:
    """Return the counts of the applications' pods so far."""
    prefixes = (f"{rotated.deployment}-", f"{rotated.stateful_set}-")
    return tally(canaries(Path(stage.facts.ca_file)), prefixes)


def _mostly_answered(total: Tally) -> bool:
    return total.answered > 0.9 * total.attempts


def _ready(stage: Stage, rotated: Rotated) -> list[dict[str, Any]]:
    """Return the applications' pods that are ready and not terminating."""
    path = f"/api/v1/namespaces/{stage.namespace}/pods"
    found = stage.api.get(path).must()["items"]
    return [
        pod
        for pod in found
        if pod["metadata"].get("labels", {}).get("app") in (rotated.deployment, rotated.stateful_set)
        and "deletionTimestamp" not in pod["metadata"]
        and any(one["type"] == "Ready" and one["status"] == "True" for one in pod["status"].get("conditions", []))
    ]


def _password(stage: Stage, rotated: Rotated) -> str:
    return base64.b64decode(stage.get("secret", rotated.resource)["data"]["password"]).decode()
