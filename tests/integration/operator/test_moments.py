"""Events in the middle of something else, and writes that go wrong: it converges, and does nothing twice."""

import itertools
from dataclasses import dataclass, field
from typing import Any

import pytest

from sandbox.azure.seeds import seeds
from sandbox.waiting import PATIENCE, wait_for
from sandbox.world import World
from tests.integration.operator.support import Bystander, Case, provision

HERE = seeds.FirewallRule(name="here", start="127.0.0.1", end="127.0.0.1")
CORRECT = {"drift": {"correct": ["Security", "Availability"]}}


# --- the object -----------------------------------------------------------------------------------------------------


def test_edited_while_a_pass_runs(case: Case) -> None:
    """The author's last write counts, and the pass under way does not undo it."""
    case.exists()
    case.store()
    case.fault(service="vault", kind="delay", seconds=0.6, times=2)
    case.apply(connection={"labels": {"edition": "first"}})
    case.change(connection={"labels": {"edition": "second"}})
    case.until("Ready", "True")
    assert case.must_secret()["metadata"]["labels"]["edition"] == "second"
    assert case.status["observedGeneration"] == case.object["metadata"]["generation"]


def test_deleted_while_a_pass_runs(world: World, case: Case) -> None:
    case.exists()
    case.store()
    case.fault(service="vault", kind="delay", seconds=0.6, times=2)
    case.apply()
    case.delete()
    world.await_gone(case.document)
    left = case.secret()  # published by the pass that was under way, or not at all; but nothing deletes it
    assert left is None or not left["metadata"].get("ownerReferences")


@pytest.mark.parametrize("confirmed", [True, False], ids=["confirmed", "unconfirmed"])
def test_deleted_during_provisioning(world: World, build: Case, confirmed: bool) -> None:
    """Delete was asked for while Azure still creates: it waits for the end, then deletes, once."""
    with build.control.settings.during(create_seconds=1.5):
        build.apply(**provision(build, deletionPolicy="Delete"))
        build.until("CacheAvailable", "False", "Creating")
    if confirmed:
        build.annotate(confirm_delete=build.cache)
    build.delete()
    if not confirmed:
        build.until("Ready", "False", "ConfirmationRequired")
        assert [kind for kind, _ in build.effects()].count("cache.delete") == 0
        build.annotate(confirm_delete=build.cache)
    world.await_gone(build.document)
    assert [kind for kind, _ in build.effects() if kind.startswith("cache.")][-1] == "cache.delete"
    assert build.control.redis.get(build.cache) is None


def test_abandoned_during_provisioning(world: World, build: Case) -> None:
    with build.control.settings.during(create_seconds=1.5):
        build.apply(**provision(build, deletionPolicy="Delete"))
        build.until("CacheAvailable", "False", "Creating")
    build.annotate(abandon="true")
    build.delete()
    world.await_gone(build.document)
    assert [kind for kind, _ in build.effects()] == ["cache.create"]


def test_changed_in_the_portal_while_it_is_corrected(build: Case) -> None:
    """Another update runs: the operator's is refused as busy, the status says so, and it is made afterwards."""
    build.apply(**provision(build, **CORRECT))
    build.until("DriftDetected", "False", "NoDrift")
    build.update({"enableNonSslPort": True}, busy=True)
    build.poke()
    wait_for(lambda: build.condition("DriftDetected")[1] == "Busy", PATIENCE, "the refusal to be said")
    build.update(busy=False)
    build.heal("DriftDetected", "False", "NoDrift")
    build.until("TransportSecured", "True")  # the probe of the closed port ends after the correction


def test_a_busy_cache_gets_fewer_and_fewer_writes(build: Case) -> None:
    """Azure refuses the write for as long as this test runs. The poll (0.2 s here) does not repeat it."""
    build.apply(**provision(build, **CORRECT))
    build.until("DriftDetected", "False", "NoDrift")
    mark = build.control.log.position()
    build.update({"enableNonSslPort": True}, busy=True)
    build.poke()

    def patches() -> list[float]:
        mine = [one for one in build.control.log.requests(mark) if one.principal == build.team.object_id]
        return [one.time for one in mine if one.method == "PATCH"]

    wait_for(lambda: len(patches()) >= 4, PATIENCE, "the fourth write")
    pauses = [later - earlier for earlier, later in itertools.pairwise(patches()[:4])]
    assert all(pause >= least for pause, least in zip(pauses, (5, 10, 20), strict=True)), pauses
    assert build.condition("DriftDetected")[1] == "Busy"
    build.update(busy=False)
    build.heal("DriftDetected", "False", "NoDrift")


# --- writes that go wrong -------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Wrong:
    """A fault of the one write; `reason` is not awaited where the next check may already have repaired it."""

    name: str
    fault: dict[str, Any] = field(default_factory=dict)


def _error(status: int, **headers: str) -> dict[str, Any]:
    body = {"error": {"code": "ServerBusy", "message": "sorry"}}
    return {"status": status, "body": body, "headers": {name.replace("_", "-"): text for name, text in headers.items()}}


WRONG = (
    Wrong("500", _error(500)),
    Wrong("503 with Retry-After", _error(503, Retry_After="1")),
    Wrong("429 with Retry-After", _error(429, Retry_After="1")),
    Wrong("HTML", {"kind": "html", "status": 502}),
    Wrong("truncated", {"kind": "truncated"}),
    Wrong("reset before", {"kind": "reset"}),
    Wrong("reset after", {"kind": "reset", "when": "after"}),
    Wrong("500 after", {**_error(500), "when": "after"}),
)


@pytest.mark.parametrize("wrong", WRONG, ids=lambda one: one.name)
def test_a_creation_that_is_answered_badly(build: Case, bystander: Bystander, wrong: Wrong) -> None:
    build.fault(service="arm", method="PUT", path=f"/redis/{build.cache}$", **{"times": 1, **wrong.fault})
    build.apply(**provision(build))
    wait_for(lambda: build.control.faults.hits()[build.faults[0]], PATIENCE, "the creation")
    bystander.goes_on()
    build.heal()
    assert [kind for kind, _ in build.effects()].count("cache.create") == 1


@pytest.mark.parametrize("wrong", WRONG, ids=lambda one: one.name)
def test_a_correction_that_is_answered_badly(build: Case, wrong: Wrong) -> None:
    build.apply(**provision(build, **CORRECT))
    build.until("DriftDetected", "False", "NoDrift")
    build.fault(service="arm", method="PATCH", path=f"/redis/{build.cache}$", **{"times": 1, **wrong.fault})
    build.update({"enableNonSslPort": True})
    build.heal("DriftDetected", "False", "NoDrift")
    build.until("TransportSecured", "True")  # the probe of the closed port ends after the correction
    updates = [fields for kind, fields in build.effects() if kind == "cache.update"]
    assert updates.count(("properties.enableNonSslPort",)) == 1


@pytest.mark.parametrize("outcome", ["Failed", "FailedWithoutError"])
def test_a_correction_that_azure_accepts_and_then_fails(build: Case, outcome: str) -> None:
    """Not tried again by itself: only when the spec changes or a user asks."""
    build.apply(**provision(build, **CORRECT))
    build.until("DriftDetected", "False", "NoDrift")
    before = len(build.writes())
    with build.control.settings.during(operation_outcome=outcome, patch_at_once=False):
        build.update({"enableNonSslPort": True})
        build.poke()
        message = build.until("DriftDetected", "True", "ProvisioningFailed")
    assert "secureredis.io/refresh" in message
    build.until("Stalled", "True", "ProvisioningFailed")
    assert len(build.writes()) == before + 1
    build.update({"provisioningState": "Succeeded"})
    build.heal("DriftDetected", "False", "NoDrift")


# --- the Secret -----------------------------------------------------------------------------------------------------


def test_a_quota_on_secrets(case: Case) -> None:
    """The API server refuses the Secret because of the namespace's quota: the status quotes it, and it recovers."""
    metadata = {"name": "few", "namespace": case.team.namespace}
    quota = {"apiVersion": "v1", "kind": "ResourceQuota", "metadata": metadata}
    case.world.apply({**quota, "spec": {"hard": {"secrets": "0"}}})
    wait_for(lambda: (case.world.api.find(quota) or {}).get("status", {}).get("hard"), PATIENCE, "the quota")
    case.exists()
    case.store()
    case.apply()
    message = case.until("CredentialsSynced", "False", "SecretRefused")
    assert "exceeded quota" in message
    assert "NamespaceNotBound" not in {case.condition(kind)[1] for kind in ("Ready", "CacheAvailable")}
    case.world.api.delete(quota).must()
    case.heal()


def test_a_label_that_is_added(case: Case) -> None:
    case.published()
    case.change(connection={"labels": {"cost-centre": "shop"}, "annotations": {"example.com/note": "n"}})
    wait_for(lambda: case.must_secret()["metadata"]["labels"].get("cost-centre") == "shop", PATIENCE, "the label")
    assert case.must_secret()["metadata"]["annotations"]["example.com/note"] == "n"


def test_a_label_that_is_taken_back(case: Case) -> None:
    case.published(connection={"labels": {"cost-centre": "shop"}, "annotations": {"example.com/note": "n"}})
    case.change(connection={"labels": None, "annotations": None})
    case.poke()
    wait_for(lambda: "cost-centre" not in case.must_secret()["metadata"]["labels"], PATIENCE, "its removal")
    assert "example.com/note" not in case.must_secret()["metadata"]["annotations"]
