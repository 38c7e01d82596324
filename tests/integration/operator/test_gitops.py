"""A GitOps tool's view of a resource: clean after the operator has worked, with a health that moves as documented."""

import subprocess
from typing import Any

import pytest
import yaml

from sandbox.toolchain import kubectl
from sandbox.waiting import PATIENCE, wait_for
from scripts import argocd
from tests.integration.operator.support import Case
from tests.unit.examples.test_argocd import run

HEALTH = argocd.health(strict=False)


def health(case: Case) -> dict[str, Any]:
    """The health that Argo CD would show now."""
    found: dict[str, Any] = run(HEALTH, case.world.api.find(case.document))
    return found


def ask(case: Case, *arguments: str, document: Any = None) -> subprocess.CompletedProcess[str]:
    command = [str(kubectl()), "--kubeconfig", str(case.world.cluster.kubeconfig), *arguments, "-f", "-"]
    text = yaml.safe_dump(document or case.document)
    return subprocess.run(command, input=text, text=True, capture_output=True, timeout=60, check=False)


@pytest.mark.parametrize("sync", [("apply",), ("apply", "--server-side", "--field-manager=argocd-controller")])
def test_a_second_sync_finds_nothing_to_do(case: Case, sync: tuple[str, ...]) -> None:
    case.exists()
    case.store()
    case.spec()
    assert ask(case, *sync).returncode == 0
    assert health(case)["status"] in {"Progressing", "Healthy"}
    case.until("Ready", "True")
    assert health(case)["status"] == "Healthy"
    wait_for(
        lambda: case.status.get("endpoint", {}).get("tlsVersions"), PATIENCE, "what the probe saw"
    )  # the last to arrive
    before = case.world.api.find(case.document)
    diff = ask(case, "diff", *sync[1:])
    assert (diff.returncode, diff.stdout) == (0, "")
    again = ask(case, *sync)
    assert again.returncode == 0
    after = case.world.api.find(case.document)
    assert after is not None
    assert before is not None
    assert after["metadata"]["resourceVersion"] == before["metadata"]["resourceVersion"]


def test_health_through_a_resources_life(case: Case) -> None:
    case.exists()
    case.apply()
    case.until("Ready", "False", "VaultSecretNotFound")
    assert health(case)["status"] == "Progressing"  # good as soon as the key is stored
    assert health(case)["message"].startswith("VaultSecretNotFound: ")
    case.store()
    case.poke()
    case.until("Ready", "True")
    case.update({"enableNonSslPort": True})
    case.poke()
    case.until("TransportSecured", "False")
    found = health(case)
    assert found["status"] == "Healthy"
    assert "TransportSecured=False: NonTLSPortOpen" in found["message"]
    assert run(argocd.health(strict=True), case.world.api.find(case.document))["status"] == "Degraded"
    case.annotate(paused="true")
    wait_for(lambda: health(case)["status"] == "Suspended", PATIENCE, "the pause")


def test_stalled_is_degraded(case: Case) -> None:
    case.exists()
    case.store()
    foreign = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": case.cache, "namespace": case.team.namespace},
        "stringData": {"mine": "x"},
    }
    case.world.apply(foreign)
    case.apply()
    case.until("Stalled", "True", "SecretForeign")
    assert health(case)["status"] == "Degraded"
