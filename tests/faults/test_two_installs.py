"""Two installs in one cluster, each with a Lease of its own: one serves a resource, the other says so and leaves it."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from benchmarks.replicas import Replica, second_account, writes_of
from sandbox.chart.install import OPERATOR
from sandbox.chart.render import RELEASE_NAMESPACE
from sandbox.waiting import PATIENCE, wait_for
from sandbox.world import World
from tests.faults.scenarios import PUBLISH, Stage

OTHER_NAMESPACE = "another-release"
CLAIM = "secureredis.io/operator"


@pytest.fixture
def stage(world: World) -> Stage:
    return PUBLISH.stage(world)


@pytest.fixture
def other(world: World, stage: Stage) -> str:
    """The other install's identity, whose Lease is in a namespace of its own."""
    account = second_account(world)
    world.api.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": OTHER_NAMESPACE}}).must()
    rbac, metadata = "rbac.authorization.k8s.io", {"name": "leader", "namespace": OTHER_NAMESPACE}
    rule = {"apiGroups": ["coordination.k8s.io"], "resources": ["leases"], "verbs": ["get", "create", "update"]}
    role = {"apiVersion": f"{rbac}/v1", "kind": "Role", "metadata": metadata, "rules": [rule]}
    world.api.apply(role).must()
    subject = {"kind": "ServiceAccount", "name": account, "namespace": RELEASE_NAMESPACE}
    reference = {"apiGroup": rbac, "kind": "Role", "name": "leader"}
    binding = {"apiVersion": f"{rbac}/v1", "kind": "RoleBinding", "metadata": metadata}
    world.api.apply({**binding, "roleRef": reference, "subjects": [subject]}).must()
    return account


@contextmanager
def running(world: World, stage: Stage, account: str, namespace: str) -> Iterator[Replica]:
    election: dict[str, Any] = {**world.configuration()["leaderElection"], "namespace": namespace}
    replica = Replica(world, account, leaderElection=election, namespaces=[stage.team.namespace])
    try:
        replica.await_said("leading")
        yield replica
    finally:
        replica.child.kill()


def claim(world: World, stage: Stage) -> object:
    found = world.get(stage.document) or {}
    return found["metadata"].get("annotations", {}).get(CLAIM)


def test_only_one_acts_and_the_other_reports_it(world: World, stage: Stage, other: str) -> None:
    with running(world, stage, OPERATOR, RELEASE_NAMESPACE) as first:
        world.apply(stage.document)
        world.await_condition(stage.document, "Ready", "True")
        assert claim(world, stage) == f"{RELEASE_NAMESPACE}/secure-redis-operator"
        mark = world.cluster.audit_position()
        with running(world, stage, other, OTHER_NAMESPACE) as second:
            second.await_said("left to another install")
            version = world.store_key(stage.team, stage.name, slot="Secondary")
            refresh = {"metadata": {"annotations": {"secureredis.io/refresh": "1"}}}
            world.api.merge(stage.document, refresh).must()
            wait_for(lambda: _published(world, stage) == version, PATIENCE, "the first to go on")
            wait_for(lambda: second.count("left to another install") > 1, PATIENCE, "the second to have seen the edit")
            written = [write for write in writes_of(world, second, mark) if "/leases" not in write]
            assert len(written) == 1, written
            assert "/events" in written[0], "it is said to whoever looks at the resource"
            events = world.api.get(f"/apis/events.k8s.io/v1/namespaces/{stage.team.namespace}/events").must()["items"]
            (told,) = [event for event in events if event["reason"] == "OperatedByAnother"]
            assert f"{RELEASE_NAMESPACE}/secure-redis-operator" in told["note"]
            first.child.check()
            first.child.terminate(PATIENCE)
            # Moved for good: the mark is taken off, and the other one takes the resource up.
            world.api.merge(stage.document, {"metadata": {"annotations": {CLAIM: None}}}).must()
            wait_for(
                lambda: claim(world, stage) == f"{OTHER_NAMESPACE}/secure-redis-operator", 90, "the second to claim it"
            )
            latest = world.store_key(stage.team, stage.name)
            world.api.merge(stage.document, {"metadata": {"annotations": {"secureredis.io/refresh": "2"}}}).must()
            wait_for(lambda: _published(world, stage) == latest, PATIENCE, "the second to publish")


def test_a_workload_served_before_claims_existed_is_claimed_once(world: World, stage: Stage) -> None:
    with running(world, stage, OPERATOR, RELEASE_NAMESPACE) as first:
        world.apply(stage.document)
        world.await_condition(stage.document, "Ready", "True")
    world.api.merge(stage.document, {"metadata": {"annotations": {CLAIM: None}}}).must()
    mark = world.cluster.audit_position()
    with running(world, stage, OPERATOR, RELEASE_NAMESPACE) as again:
        again.await_said("pass ended")
        assert claim(world, stage) == f"{RELEASE_NAMESPACE}/secure-redis-operator"
        writes = [write for write in writes_of(world, again, mark) if f"/securerediscaches/{stage.name}" in write]
        assert len([write for write in writes if "/status" not in write]) == 1
    assert first.count("left to another install") == 0


def _published(world: World, stage: Stage) -> object:
    found = world.get(stage.document) or {}
    return found.get("status", {}).get("credential", {}).get("keyVaultVersion")
