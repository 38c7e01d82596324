"""A cap on resources per namespace: the status says where it is reached, and nothing beyond it is read from Azure."""

import uuid
from collections.abc import Callable

import pytest

from sandbox.waiting import PATIENCE, wait_for
from sandbox.world import Team, World
from tests.faults import operators


@pytest.fixture
def crowd(world: World, teams: Callable[..., Team]) -> Team:
    """A namespace that no other operator of this world reads in time to matter: limits only ever hold back."""
    return teams()


@pytest.mark.slow
def test_beyond_the_limit_nothing_is_read_and_the_secret_stays(world: World, crowd: Team) -> None:
    world.stop_operator()
    names = [f"limit-{number}-{uuid.uuid4().hex[:6]}" for number in range(3)]
    documents = []
    for name in names:
        world.cache(crowd, name)
        world.store_key(crowd, name)
        documents.append(world.resource(crowd, name, key=name, drift={"intervalSeconds": 30}))
    kubeconfig = operators.operator_kubeconfig(world)
    try:
        unlimited = operators.start(world, kubeconfig, crowd.namespace)
        try:
            for document in documents:
                world.apply(document)
                world.await_condition(document, "Ready", "True")
        finally:
            unlimited.child.kill()
        secrets = [world.secret(crowd.namespace, name) for name in names]
        mark = world.control.log.position()
        limited = operators.start(world, kubeconfig, crowd.namespace, limits={"resourcesPerNamespace": 2})
        try:
            ordered = sorted(documents, key=_age(world))
            message = world.await_condition(ordered[2], "Ready", "False", "LimitReached")
            assert "limits.resourcesPerNamespace" in message
            for document in ordered[:2]:
                world.api.merge(document, {"metadata": {"annotations": {"secureredis.io/refresh": "1"}}}).must()
                wait_for(lambda d=document: _refreshed(world, d), PATIENCE, "the served ones to be looked at")  # type: ignore[misc]
                assert (world.condition(document, "Ready") or ("",))[0] == "True"
            beyond = ordered[2]["metadata"]["name"]
            assert not [r for r in world.control.log.requests(mark) if beyond in r.path.lower()]
            assert [world.secret(crowd.namespace, name) for name in names] == secrets
            world.api.delete(ordered[0]).must()
            world.await_condition(ordered[2], "Ready", "True")
            limited.child.check()
        finally:
            limited.child.kill()
    finally:
        world.start_operator()


def _age(world: World) -> Callable[[dict[str, object]], tuple[str, str]]:
    def age(document: dict[str, object]) -> tuple[str, str]:
        meta = (world.get(document) or {})["metadata"]
        return meta["creationTimestamp"], meta["name"]

    return age


def _refreshed(world: World, document: dict[str, object]) -> bool:
    found = world.get(document) or {}
    return bool(found["status"].get("lastHandled", {}).get("refresh") == "1")
