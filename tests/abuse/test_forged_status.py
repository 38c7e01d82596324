"""Forged, restored and lost statuses against the running operator. The admission policy on the status is removed first.

A user who may only patch the status subresource must not be able to have a key regenerated, an approval passed over,
or a request lost. `docs/internals/status-fields.md` lists every field. The pure domain tries far more statuses in
tests/unit/reconcile_pass/test_rotation_model.py.
"""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from sandbox.waiting import PATIENCE, wait_for
from sandbox.world import CACHE_KEYS, CACHE_READ, CACHE_ROTATE, VAULT_READ, VAULT_WRITE, Team, World
from tests.integration.operator.conftest import INTERVALS
from tests.integration.operator.rotation_support import (
    answered,
    ask,
    holds,
    led,
    newest_of,
    ready,
    regenerated,
    rotation,
    until,
)
from tests.integration.operator.support import Case, release
from tests.integration.operator.workload_support import Target, current, path, world_with_pods

pytestmark = pytest.mark.slow

Json = dict[str, Any]
BINDINGS = "/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicybindings"


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory, hosts: Path, domain: str) -> Iterator[World]:
    """A world in which every user with the permission may write a status."""
    with world_with_pods(tmp_path_factory, hosts, domain, {**INTERVALS, "regenerationSettleSeconds": 2.0}) as running:
        for binding in running.api.get(BINDINGS).must()["items"]:
            if binding["metadata"]["name"].endswith("-resource-reports"):
                running.api.call("DELETE", f"{BINDINGS}/{binding['metadata']['name']}").must()
        yield running


@pytest.fixture
def case(world: World) -> Iterator[Case]:
    team: Team = world.team(
        cache_actions=CACHE_READ + CACHE_KEYS + CACHE_ROTATE, vault_actions=VAULT_READ + VAULT_WRITE
    )
    made = Case(world, team)
    yield made
    for kind in ("Deployment", "StatefulSet"):
        world.api.call("DELETE", path(kind, team.namespace)).must()
    world.api.call("DELETE", f"/api/v1/namespaces/{team.namespace}/pods?gracePeriodSeconds=0").must()
    release(world, team)


def at(days: float = 0.0) -> str:
    """A time so many days from now."""
    return (datetime.now(UTC) + timedelta(days=days)).strftime("%Y-%m-%dT%H:%M:%SZ")


def forge(case: Case, **status: Any) -> None:
    """A user with `patch` on the status subresource writes it."""
    case.world.api.merge(case.document, {"status": status}, "status").must()


def restore(case: Case, status: Json) -> None:
    """A backup of the whole status is restored over what is there."""
    now = case.object
    now["status"] = status
    where = f"/apis/secureredis.io/v1alpha1/namespaces/{case.team.namespace}/securerediscaches/{case.cache}/status"

    def written() -> bool:
        newest = case.object
        return bool(case.world.api.call("PUT", where, {**newest, "status": status}).ok)

    wait_for(written, PATIENCE, "the restore")


def looked(case: Case, times: int = 3) -> None:
    """So many passes after the forging."""
    for _ in range(times):
        case.poke()


# Claims of the status, to have the Secondary key regenerated although no one requested or approved anything.
CLAIMS: dict[str, Json] = {
    "G01 an intended emergency": {"phase": "Intended", "request": "emergency-x"},
    "an intended rotation by the schedule": {"phase": "Intended"},
    "an emergency in the middle of a regeneration": {"phase": "Regenerating", "request": "emergency-x"},
    "a rollout that is to be followed by a retirement": {"phase": "RollingOut", "request": "emergency-x"},
    "a retirement": {"phase": "Retiring", "request": "emergency-x", "target": "Primary"},
    "an emergency at any price": {"phase": "Retiring", "request": "emergency-force-x", "target": "Primary"},
}


@pytest.mark.parametrize("claim", CLAIMS.values(), ids=CLAIMS.keys())
def test_a_rotation_that_only_the_status_requests_regenerates_nothing(case: Case, claim: Json) -> None:
    ready(case, **led(case, otherConsumers="Possible"))
    before = dict(case.keys)
    times = {"startedAt": at(), "recordedAt": at()}
    forge(case, rotation={"target": "Secondary", **times, **claim}, lastHandled={"rotate": "emergency-x"})
    looked(case)
    assert regenerated(case) == []
    assert case.keys == before
    assert rotation(case).get("phase") in {None, "Scheduled", "Waiting", "Completed"}


def test_an_approval_and_an_overlap_that_only_the_status_claims_do_not_count(case: Case) -> None:
    ready(case, **led(case, otherConsumers="Possible", minimumOverlapHours=1))
    done = {"phase": "Completed", "slot": "Primary", "target": "Primary", "completedAt": at(-30)}
    credential = {"slot": "Primary", "keyVaultVersion": newest_of(case).version, "publishedAt": at(-30)}
    forge(case, rotation=done, credential=credential)
    ask(case)
    until(case, "Waiting", "ApprovalRequired")
    forge(case, rotation=done, credential=credential)
    looked(case)
    assert regenerated(case) == []
    case.annotate(approve_rotation=newest_of(case).version)
    wait_for(lambda: regenerated(case) == ["Secondary"], PATIENCE, "the approved rotation")
    until(case, "Completed")
    ask(case)
    until(case, "Waiting", "OverlapNotOver")
    forge(case, rotation={"completedAt": at(-30)}, credential={"publishedAt": at(-30)})
    looked(case)
    assert regenerated(case) == ["Secondary"]


def test_a_pod_that_holds_the_old_key_keeps_it_whatever_the_status_reports_of_pods(case: Case) -> None:
    web = Target(case, "web")
    ready(case, **led(case), workloads=[web.entry()])
    current(case)
    web.patch({"spec": {"paused": True}})
    ask(case)
    until(case, "RollingOut")
    before = dict(case.keys)
    settled = [
        {"id": "web", "kind": "Deployment", "name": "web", "injected": True, "uid": web.now()["metadata"]["uid"]}
    ]
    for _ in range(3):
        forge(
            case,
            rotation={"phase": "Retiring", "holders": None},
            credential={"publishedAt": at(-30)},
            workloads=settled,
            stalePods=None,
        )
        case.poke()
    assert regenerated(case) == ["Secondary"]
    assert case.keys == before


def test_a_status_from_the_middle_of_a_rotation_is_restored_after_it_ended(case: Case) -> None:
    web = Target(case, "web")
    ready(case, **led(case), workloads=[web.entry()])
    current(case)
    web.patch({"spec": {"paused": True}})
    asked = ask(case, "emergency-leak")
    until(case, "RollingOut")
    backup = case.status
    web.patch({"spec": {"paused": False}})
    answered(case, asked)
    keys = dict(case.keys)
    restore(case, backup)
    looked(case)
    answered(case, asked)
    assert regenerated(case) == ["Secondary", "Primary"]
    assert case.keys == keys
    holds(case, "Secondary")


@pytest.mark.parametrize("handled", [None, {}, {"rotate": "another"}], ids=["lost", "empty", "forged"])
def test_an_emergency_that_was_carried_out_is_not_carried_out_again(case: Case, handled: Json | None) -> None:
    ready(case, **led(case, otherConsumers="Possible"))
    answered(case, ask(case, "emergency-leak"))
    keys = dict(case.keys)
    restore(case, {**case.status, "lastHandled": handled} if handled is not None else {})
    looked(case)
    assert regenerated(case) == ["Secondary", "Primary"]
    assert case.keys == keys


def test_a_new_request_that_the_status_claims_to_be_answered_is_carried_out(case: Case) -> None:
    ready(case, **led(case))
    case.annotate(paused="true")
    asked = ask(case, "emergency-leak")
    forge(case, lastHandled={"rotate": asked}, rotation={"phase": "Completed", "request": asked})
    case.annotate(paused=None)
    wait_for(lambda: regenerated(case) == ["Secondary", "Primary"], PATIENCE, "the rotation")
    answered(case, asked)


def test_a_rotation_whose_status_is_lost_in_the_middle_goes_on(case: Case) -> None:
    web = Target(case, "web")
    ready(case, **led(case), workloads=[web.entry()])
    current(case)
    web.patch({"spec": {"paused": True}})
    asked = ask(case)
    until(case, "RollingOut")
    restore(case, {})
    until(case, "RollingOut")
    web.patch({"spec": {"paused": False}})
    answered(case, asked)
    assert regenerated(case) == ["Secondary", "Primary"]
    holds(case, "Secondary")
