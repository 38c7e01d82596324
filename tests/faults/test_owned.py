"""The operator finds what it owns from the objects that exist: neither spec nor status have to name it.

The first test holds every origin of an injection that neither of them names; many objects share one world.
"""

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from sandbox.chart.install import install
from sandbox.cli.supervisor import start_pods
from sandbox.cluster import ADMIN
from sandbox.controlplane import ControlPlane
from sandbox.names import HostsFile
from sandbox.waiting import PATIENCE, wait_for
from sandbox.world import Team, World
from secure_redis.api import names
from tests.controlplane import install_crds
from tests.faults import operators
from tests.faults.operators import Operator
from tests.integration.operator.support import Case
from tests.integration.operator.workload_support import Target, current
from tests.kube import Kube

# The administrator takes parts of a status away.
ENABLED: dict[str, Any] = {"workloads": {"enabled": True}, "policies": {"statusWriters": [ADMIN]}}
UNWATCHED: dict[str, Any] = {**ENABLED, "secrets": {"watch": "None"}}
INTERVALS = {"absenceConfirmationSeconds": 0.5, "operationPollSeconds": 0.2}
GAPS = (0.0, 0.1, 0.3, 0.5, 0.7)  # seconds between listing a workload and taking it out again

pytestmark = pytest.mark.timeout(600)


@pytest.fixture(scope="module")
def plane(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControlPlane]:
    """A control plane whose pods are scheduled."""
    with ControlPlane(tmp_path_factory.mktemp("owned-plane")) as running:
        yield running
        running.check()


@pytest.fixture(scope="module")
def world(plane: ControlPlane, tmp_path_factory: pytest.TempPathFactory, hosts: Path, domain: str) -> Iterator[World]:
    """A world with a node and without an operator."""
    install_crds(Kube(plane.cluster.kubeconfig))
    made = World(
        tmp_path_factory.mktemp("owned"),
        plane.cluster,
        hosts=hosts,
        domain=f"owned-{domain}",
        settings={"intervals": INTERVALS, "workloads": {"enabled": True}},
    )
    made.start()
    install(made.api, ENABLED)
    pods = start_pods(
        tmp_path_factory.mktemp("pods"), plane.cluster, HostsFile(hosts).path, made.control.endpoints.ca_file
    )
    try:
        yield made
        pods.check()
    finally:
        made.stop()
        pods.terminate()


@contextmanager
def running(world: World, team: Team, **settings: Any) -> Iterator[Operator]:
    """An operator for one team; it ends in order unless the test kills it."""
    operator = operators.start(world, operators.operator_kubeconfig(world), team.namespace, **settings)
    try:
        yield operator
        if operator.child.alive:
            assert operator.child.terminate(PATIENCE) == 0
    except Exception as error:
        error.add_note(f"the operator's last words:\n{operator.child.tail()}")
        raise
    finally:
        operator.child.kill()


def prepared(world: World, team: Team, name: str) -> Case:
    """A cache whose key is in the vault."""
    case = Case(world, team, name)
    case.exists()
    case.store()
    return case


def injected(target: Target) -> bool:
    return "secretKeyRef" in json.dumps(target.template())


def released(target: Target) -> bool:
    """Whether no field in it belongs to a resource. A release takes two writes."""
    managers = (entry["manager"] for entry in target.now()["metadata"]["managedFields"])
    return not injected(target) and not any(manager.startswith(names.MANAGER_PREFIX) for manager in managers)


def until_released(*targets: Target) -> None:
    for target in targets:
        wait_for(lambda target=target: released(target), PATIENCE, f"{target.name} to be released")  # type: ignore[misc]


def lose_status(case: Case, status: Any) -> None:
    """The status as it was before the last writes, or as a backup without status leaves it."""
    case.world.api.merge(case.document, {"status": status}, "status").must()


def test_a_secret_without_its_label_is_found_after_the_status_is_lost(world: World) -> None:
    team = world.team()
    case = prepared(world, team, "shop")
    with running(world, team) as operator:
        case.apply()
        case.until("Ready", "True")
        operator.child.kill()
    secret = case.must_secret()
    world.api.merge(secret, {"metadata": {"labels": {names.MANAGED_BY: None}}}).must()
    lose_status(case, None)
    with running(world, team):
        case.until("Ready", "True")
        found = case.must_secret()
    assert found["metadata"]["uid"] == secret["metadata"]["uid"]
    assert found["metadata"]["labels"][names.MANAGED_BY] == names.MANAGER
    assert found["data"] == secret["data"]


def test_an_injection_that_neither_spec_nor_status_names_is_released(world: World) -> None:
    team = world.team()
    entries = ("killed", "lost", "down", "retained")
    cases = {name: prepared(world, team, name) for name in entries}
    targets = {name: Target(case, case.cache) for name, case in cases.items()}
    with running(world, team) as operator:
        for name, case in cases.items():
            case.apply(workloads=[targets[name].entry()])
        for case in cases.values():
            current(case)
        operator.child.kill()
    killed, lost, down, retained = (cases[name] for name in entries)
    # Killed between the injection and the status, and taken out of the list while it was down.
    lose_status(killed, {"workloads": None})
    killed.change(workloads=[])
    # The whole status is gone, and so is the workload's consent.
    lose_status(lost, None)
    lost.change(workloads=[])
    labels = {"metadata": {"labels": {names.INJECT: None}, "annotations": {names.RESOURCES: None}}}
    world.api.merge(targets["lost"].made, labels).must()
    # Deleted without its finalizer, and made again without entries.
    world.api.merge(down.document, {"metadata": {"finalizers": None}}).must()
    down.delete()
    world.await_gone(down.document)
    down.apply()

    with running(world, team):
        until_released(*(targets[name] for name in ("killed", "lost", "down")))
        for name in ("killed", "lost", "down"):
            wait_for(lambda name=name: not cases[name].status.get("workloads"), PATIENCE, f"{name} to end")  # type: ignore[misc]
        # Retained, and made again without entries: documented steps only.
        assert injected(targets["retained"])
        retained.delete()
        world.await_gone(retained.document)
        retained.apply(connection={"deletionPolicy": "Delete"})
        retained.until("Ready", "True")
        until_released(targets["retained"])
        retained.delete()
        world.await_gone(retained.document, PATIENCE)
        assert retained.secret() is None
        targets["retained"].until_rolled()
        # Listed and taken out again while the pass that injects is under way.
        raced = [prepared(world, team, f"raced-{number}") for number in range(len(GAPS))]
        aims = [Target(case, case.cache) for case in raced]
        for case in raced:
            case.apply()
        for case in raced:
            case.until("Ready", "True")
        for case, target, gap in zip(raced, aims, GAPS, strict=True):
            case.change(workloads=[target.entry()])
            time.sleep(gap)  # the moment is the case, nothing is awaited
            case.change(workloads=[])
        for case in raced:
            case.until("Ready", "True")
            case.poke()
        until_released(*aims)
    until_released(*aims, *targets.values())  # after the operator's last pass, too


def test_a_secret_that_is_in_use_is_deleted_at_a_rename_only_when_nothing_names_it(world: World) -> None:
    team = world.team()
    deletes = {"secretName": "", "deletionPolicy": "Delete"}
    paused, on_delete, unlisted = (prepared(world, team, name) for name in ("paused", "ondelete", "unlisted"))
    web = Target(paused, paused.cache)
    db = Target(on_delete, on_delete.cache, "StatefulSet", updateStrategy={"type": "OnDelete"})
    with running(world, team):
        for case, entries in ((paused, [web.entry()]), (on_delete, [db.entry()]), (unlisted, [])):
            case.apply(workloads=entries, connection={**deletes, "secretName": f"{case.cache}-1"})
            case.until("Ready", "True")
        current(paused)
        db.until("TargetOnDelete")
        world.api.call("DELETE", pod_path(db)).must()
        current(on_delete)
        bare = using(world, team, f"{unlisted.cache}-1")
        web.patch({"spec": {"paused": True}})
        cases = (paused, on_delete, unlisted)
        for case in cases:
            case.change(connection={"secretName": f"{case.cache}-2"})
        # A listed workload is waited for by itself, every other user is named.
        web.until("TargetPaused")
        db.until("TargetOnDelete")
        until_named(unlisted, "Reconciling", f"Secret '{unlisted.cache}-1' stays, because it is used by Pod 'bare'")
        for case in cases:
            assert case.secret(f"{case.cache}-1") is not None
            assert case.secret(f"{case.cache}-2") is not None
            assert case.condition("Ready")[0] == "True"
            assert case.status["binding"] == {"name": f"{case.cache}-2"}
        web.patch({"spec": {"paused": False}})
        world.api.call("DELETE", pod_path(db)).must()
        world.api.delete(bare).must()
        for case in cases:
            wait_for(lambda case=case: case.secret(f"{case.cache}-1") is None, PATIENCE, f"{case.cache}-1 to go")  # type: ignore[misc]
            assert case.secret(f"{case.cache}-2") is not None
        # The same at a deletion: a pod that is not listed.
        bare = using(world, team, f"{unlisted.cache}-2")
        unlisted.delete()
        until_named(unlisted, "Ready", "is used by Pod 'bare'")
        assert unlisted.secret(f"{unlisted.cache}-2") is not None
        world.api.delete(bare).must()
        world.await_gone(unlisted.document, PATIENCE)
        assert unlisted.secret(f"{unlisted.cache}-2") is None


def test_every_former_name_is_found_where_secrets_may_not_be_listed(world: World) -> None:
    team = world.team()
    settings = {"secrets": {"watch": "None"}}
    renamed, killed, without = (prepared(world, team, name) for name in ("renamed", "killed", "without"))
    install(world.api, UNWATCHED)
    try:
        with running(world, team, **settings) as operator:
            for case in (renamed, killed):
                case.apply(connection={"secretName": f"{case.cache}-1", "deletionPolicy": "Delete"})
                case.until("Ready", "True")
                assert recorded(case) == {f"{case.cache}-1"}
            without.apply()
            without.until("Ready", "True")
            for number in (2, 3, 4):
                renamed.change(connection={"secretName": f"{renamed.cache}-{number}"})
                time.sleep(0.3)  # the moment is the case, nothing is awaited
            wait_for(lambda: secrets(renamed) == {f"{renamed.cache}-4"}, PATIENCE, "the former names to go")
            wait_for(lambda: recorded(renamed) == {f"{renamed.cache}-4"}, PATIENCE, "the record to follow")
            killed.change(connection={"secretName": f"{killed.cache}-2"})
            wait_for(lambda: killed.secret(f"{killed.cache}-2"), PATIENCE, "the second name", interval=0.01)
            operator.child.kill()
        # As if it had died before the status of either was written.
        lose_status(killed, {"binding": {"name": f"{killed.cache}-1"}})
        killed.change(connection={"secretName": f"{killed.cache}-3"})
        lose_status(without, {"binding": None, "credential": None})
        world.api.merge(without.document, {"spec": {"authentication": None}}).must()
        with running(world, team, **settings):
            wait_for(lambda: secrets(killed) == {f"{killed.cache}-3"}, PATIENCE, "the former names to go")
            without.until("Ready", "True", "Assessed")
            assert "binding" not in without.status
            without.delete()
            world.await_gone(without.document)
        kept = without.must_secret()
        assert not kept["metadata"].get("ownerReferences"), "it would be garbage-collected under Retain"
    finally:
        install(world.api, ENABLED)


def test_a_secret_that_the_status_does_not_name_is_found_without_authentication(world: World) -> None:
    team = world.team()
    kept, gone = (prepared(world, team, name) for name in ("kept", "gone"))
    with running(world, team) as operator:
        kept.apply()
        gone.apply(connection={"deletionPolicy": "Delete"})
        for case in (kept, gone):
            case.until("Ready", "True")
        operator.child.kill()
    for case in (kept, gone):
        lose_status(case, {"binding": None, "credential": None})
        world.api.merge(case.document, {"spec": {"authentication": None}}).must()
    with running(world, team):
        for case in (kept, gone):
            case.until("Ready", "True", "Assessed")
            assert case.secret() is not None, case.object
            case.delete()
            world.await_gone(case.document, PATIENCE)
        assert gone.secret() is None
    assert not kept.must_secret()["metadata"].get("ownerReferences"), "it would be garbage-collected under Retain"


def until_named(case: Case, kind: str, text: str) -> None:
    """Wait until a condition names who uses a Secret."""

    def reported() -> bool:
        found = case.world.condition(case.document, kind)
        return found is not None and found[1] == "SecretInUse" and text in found[2]

    wait_for(reported, PATIENCE, f"{kind} of {case.cache} to name {text}")


def recorded(case: Case) -> set[str]:
    annotation = case.object["metadata"]["annotations"].get("secureredis.io/secrets", "")
    return set(annotation.split(","))


def secrets(case: Case) -> set[str]:
    """The Secrets of this case's names."""
    path = f"/api/v1/namespaces/{case.team.namespace}/secrets"
    found = (item["metadata"]["name"] for item in case.world.api.get(path).must()["items"])
    return {name for name in found if name.startswith(f"{case.cache}-")}


def pod_path(target: Target) -> str:
    (pod,) = target.pods()
    return f"/api/v1/namespaces/{target.case.team.namespace}/pods/{pod['metadata']['name']}"


def using(world: World, team: Team, secret: str) -> dict[str, Any]:
    """Return a pod that is not listed, with the Secret as variables."""
    container = {"name": "main", "image": "sandbox.test/sleep:1", "envFrom": [{"secretRef": {"name": secret}}]}
    spec = {"containers": [container], "automountServiceAccountToken": False, "terminationGracePeriodSeconds": 1}
    meta = {"name": "bare", "namespace": team.namespace}
    return world.api.create({"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": spec}).must()
