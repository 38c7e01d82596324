"""An older read does not replace a newer one, and the operator does after an outage what was asked for in it."""

import uuid
from collections.abc import Iterator
from dataclasses import replace

import pytest

from sandbox.azure.state.faults import Fault
from sandbox.waiting import PATIENCE, wait_for
from sandbox.world import World
from tests.faults import operators
from tests.faults.operators import Operator
from tests.faults.scenarios import CORRECT, PUBLISH, Stage, reported_only


@pytest.fixture
def stage(world: World) -> Stage:
    """A cache of the operator as declared; differences are reported, not corrected."""
    return replace(CORRECT, spec=reported_only).stage(world)


@pytest.fixture
def operator(world: World, stage: Stage) -> Iterator[Operator]:
    """An operator that has seen the cache once, directly."""
    running = operators.start(world, operators.operator_kubeconfig(world), stage.team.namespace)
    try:
        assert CORRECT.begin is not None
        CORRECT.begin(stage)
        yield running
    finally:
        running.child.kill()


def annotate(stage: Stage, name: str) -> str:
    value = uuid.uuid4().hex
    stage.world.api.merge(stage.document, {"metadata": {"annotations": {f"secureredis.io/{name}": value}}}).must()
    return value


def passes(operator: Operator) -> int:
    return sum(entry.get("message") == "pass ended" for entry in operator.entries())


def test_observed_drift_is_not_removed_by_an_older_read(world: World, stage: Stage, operator: Operator) -> None:
    world.control.redis.update(stage.name, {"enableNonSslPort": True})
    annotate(stage, "refresh")
    world.await_condition(stage.document, "DriftDetected", "True")
    for _ in range(3):
        before = passes(operator)
        annotate(stage, "look-again")
        wait_for(lambda before=before: passes(operator) > before, PATIENCE, "another pass")  # type: ignore[misc]
        drift = [entry["path"] for entry in (world.get(stage.document) or {})["status"].get("drift", [])]
        assert drift == ["transport.nonTLSPort"]


def test_a_refresh_that_failed_is_done_when_azure_is_back(world: World) -> None:
    stage = PUBLISH.stage(world)
    running = operators.start(world, operators.operator_kubeconfig(world), stage.team.namespace)
    try:
        world.apply(stage.document)
        world.await_condition(stage.document, "Ready", "True")
        away = [
            world.control.faults.add(Fault(service="arm", kind="reset", times=None)),
            world.control.faults.add(Fault(service="vault", kind="reset", times=None)),
        ]
        version = world.store_key(stage.team, stage.name, slot="Secondary")
        annotate(stage, "refresh")
        world.await_condition(stage.document, "CacheAvailable", "Unknown")
        for fault in away:
            world.control.faults.remove(fault)

        def published() -> bool:
            status = (world.get(stage.document) or {}).get("status", {})
            return bool(status.get("credential", {}).get("keyVaultVersion") == version)

        wait_for(published, PATIENCE, "the version that the refresh was for")
    finally:
        running.child.kill()
