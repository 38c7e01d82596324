"""The chapter on rotation: both keys are replaced while applications connect without a pause."""

import base64
import json
import time
from pathlib import Path
from typing import Any

from sandbox.demo.shop import Shop
from sandbox.demo.stage import Stage
from sandbox.pods.images import canaries
from sandbox.pods.programs import proof
from sandbox.pods.programs.ledger import Tally, tally

_MANIFEST = Path(__file__).with_name("canaries.yaml")
_RESOURCE, _REQUEST = "sessions", "before-the-audit"
_WORKLOADS = {"checkout": ("Deployment", 2), "worker": ("StatefulSet", 1)}
_SPEC = {
    "spec": {
        "authentication": {"rotation": {"otherConsumers": "None", "maxConcurrentWorkloads": 2}},
        "workloads": [
            {"id": "checkout", "kind": "Deployment", "name": "checkout", "env": [{"name": "REDIS_URL", "key": "uri"}]},
            {"id": "worker", "kind": "StatefulSet", "name": "worker"},
        ],
    }
}


def rotation(stage: Stage, shop: Shop) -> None:
    """Show a rotation requested by annotation, during which no client is refused."""
    story, control = stage.story, stage.control
    if not stage.has_node():
        story.say("A rotation is shown with pods, and there are none on this system: this chapter is left out.")
        return
    story.say(
        """Two applications use `sessions`. Their pods open a fresh TLS connection, AUTH, PING and close, again and
        again, and count what fails. They are listed in the resource, and consent by a label and an annotation; their
        manifests say nothing of Redis. Nobody else holds a key, so the old one need not live on."""
    )
    patch = json.dumps(_SPEC, separators=(",", ":"))
    story.command(f"kubectl -n {stage.namespace} patch srcache {_RESOURCE} --type=merge -p '{patch}'")
    story.output(stage.kubectl("-n", stage.namespace, "patch", "srcache", _RESOURCE, "--type=merge", "-p", patch))
    story.command("kubectl apply -f sandbox/demo/canaries.yaml")
    story.output(stage.kubectl("apply", "-f", str(_MANIFEST)))
    stage.await_(lambda: len(_ready(stage)) == 3, "the applications to talk to Redis")
    stage.until(_RESOURCE, "WorkloadsCurrent", "True")
    stage.show("get", "pods", "-l", "app in (checkout, worker)")
    stage.show("get", "srcache", _RESOURCE, "-o", "wide")

    before, published_before, since = control.redis.keys(_RESOURCE), _password(stage), control.log.position()
    stage.retired.update(before.values())
    begun, counted = time.monotonic(), _counted(stage)
    asked = ("annotate", "srcache", _RESOURCE, f"secureredis.io/rotate={_REQUEST}")
    story.say("A rotation is asked for. What follows is what the status says, as it changes:")
    stage.show(*asked)
    phases = _follow(stage, begun)
    stage.show("get", "srcache", _RESOURCE, "-o", "wide")
    stage.excerpt(_RESOURCE, "Rotation")

    after, published = control.redis.keys(_RESOURCE), _password(stage)
    asked_of_azure = [one.kind for one in control.log.effects(since) if one.kind == "cache.regenerateKey"]
    story.claim("its phases were reported while it ran", "RollingOut" in phases and phases[-1] == "Completed")
    story.claim(
        "both keys of the cache were replaced, each by one request to Azure",
        all(after[slot] != before[slot] for slot in before) and len(asked_of_azure) == len(before),
    )
    newest = control.keyvault.secret_versions(shop.vault, "sessions-redis-key")[-1].value
    story.claim(
        "Key Vault and the Secret hold the new key",
        published == newest and published in after.values() and newest != published_before,
    )
    pods = _ready(stage)
    good = len(pods) == 3 and all(proof.holds(pod["status"]["podIP"], published) for pod in pods)
    story.claim("each of the 3 pods proves that it holds the new key", good)
    now = _counted(stage)
    stage.await_(lambda: _counted(stage).answered > now.answered + 30, "the applications to go on")
    total = _counted(stage)
    story.say(f"All that {total.canaries} pods have counted, those that have ended too:")
    story.output(f"{total.verdict()}\n{total.others()}")
    story.claim(
        f"failed AUTH: {total.failed_auth} of {total.attempts}, through the whole rotation",
        total.failed_auth == 0 and counted.attempts < now.attempts and _mostly_answered(total),
    )


def _follow(stage: Stage, begun: float) -> list[str]:
    """Print each phase, and the table while pods are replaced, until it is completed. Raises DemoError."""
    phases: list[str] = []

    def completed() -> bool:
        status = stage.status(_RESOURCE)
        reported = status.get("rotation") or {}
        phase = str(reported.get("phase", ""))
        if phase and phase not in phases:
            phases.append(phase)
            stage.story.note(f"{time.monotonic() - begun:5.1f} s  {phase}: {reported.get('message', '')}")
            if phase == "RollingOut":
                stage.show("get", "srcache", _RESOURCE, "-o", "wide")
        return phase == "Completed" and status.get("lastHandled", {}).get("rotate") == _REQUEST

    stage.await_(completed, "the rotation to be completed")
    return phases


def _counted(stage: Stage) -> Tally:
    return tally(canaries(Path(stage.facts.ca_file)))


def _mostly_answered(total: Tally) -> bool:
    return total.answered > 0.9 * total.attempts


def _ready(stage: Stage) -> list[dict[str, Any]]:
    """Return the applications' pods that are ready and not terminating."""
    path = f"/api/v1/namespaces/{stage.namespace}/pods"
    found = stage.api.get(path).must()["items"]
    return [
        pod
        for pod in found
        if pod["metadata"].get("labels", {}).get("app") in _WORKLOADS
        and "deletionTimestamp" not in pod["metadata"]
        and any(one["type"] == "Ready" and one["status"] == "True" for one in pod["status"].get("conditions", []))
    ]


def _password(stage: Stage) -> str:
    return base64.b64decode(stage.get("secret", _RESOURCE)["data"]["password"]).decode()
