"""How a resource goes: Retain without Azure, Delete to its end or with a reason, and the ways out."""

import uuid
from typing import Any

import pytest

from sandbox.api import Document
from sandbox.azure.seeds import seeds
from sandbox.waiting import PATIENCE, wait_for
from sandbox.world import World
from tests.integration.operator.support import Case, provision

DELETE = {"deletionPolicy": "Delete"}
_GONE = {"deletionTimestamp": "before we looked"}


def made(case: Case, **spec: Any) -> Case:
    """A cache that the resource has made, whose deletion the resource asks for."""
    case.apply(**provision(case, **{**DELETE, **spec}))
    case.until("Ready", "True")
    case.until("DriftDetected", "False", "NoDrift")
    return case


def in_azure(case: Case) -> bool:
    """Whether the cache is there."""
    return case.control.redis.get(case.cache) is not None


def deletions(case: Case) -> int:
    """How many deletions of a cache took effect."""
    return [kind for kind, _ in case.effects()].count("cache.delete")


def notes(case: Case) -> set[tuple[str, str]]:
    """Reasons and notes of the events about the resource."""
    path = f"/apis/events.k8s.io/v1/namespaces/{case.team.namespace}/events"
    items = case.world.api.get(path).must()["items"]
    return {
        (e["reason"], e.get("note", "")) for e in items if e["regarding"]["name"] == case.document["metadata"]["name"]
    }


def unreachable(case: Case) -> None:
    """Azure does not answer this team's identity any more."""
    case.fault(service="arm", kind="reset")


# --- Retain ---------------------------------------------------------------------------------------------------------


def test_retain_needs_no_azure(world: World, case: Case) -> None:
    case.published()
    unreachable(case)
    mark = case.control.log.position()
    case.delete()
    world.await_gone(case.document)
    assert [r for r in case.control.log.requests(mark) if r.principal == case.team.object_id] == []
    assert in_azure(case)
    assert not case.must_secret()["metadata"].get("ownerReferences")


def test_retain_keeps_a_cache_that_we_made(world: World, build: Case) -> None:
    made(build, deletionPolicy="Retain")
    build.delete()
    world.await_gone(build.document)
    assert deletions(build) == 0
    assert in_azure(build)


def test_retain_while_azure_creates(world: World, build: Case) -> None:
    """Deleted during provisioning: it goes immediately, and Azure finishes the creation."""
    with build.control.settings.during(create_seconds=2.0):
        build.apply(**provision(build))
        build.until("CacheAvailable", "False", "Creating")
    build.delete()
    world.await_gone(build.document)
    assert in_azure(build)
    assert [kind for kind, _ in build.effects()] == ["cache.create"]


def test_retain_without_an_identity(world: World, case: Case) -> None:
    case.apply(key=False, identity={"serviceAccountName": "nobody"})
    case.until("CacheAvailable", "Unknown", "ServiceAccountNotFound")
    case.delete()
    world.await_gone(case.document)


def test_retain_in_a_namespace_that_withdrew_its_consent(world: World, case: Case) -> None:
    case.apply(key=False)
    case.until("CacheAvailable", "False", "CacheNotFound")
    _unbind(world, case)
    case.delete()
    world.await_gone(case.document)


# --- Delete ---------------------------------------------------------------------------------------------------------


def test_delete_waits_for_its_confirmation_and_follows_to_the_end(world: World, build: Case) -> None:
    made(build)
    build.delete()
    message = build.until("Ready", "False", "ConfirmationRequired")
    assert f"secureredis.io/confirm-delete: {build.cache}" in message
    build.annotate(confirm_delete="yes")
    build.poke()
    assert build.condition("Ready")[1] == "ConfirmationRequired"
    assert deletions(build) == 0
    with build.control.settings.during(delete_seconds=1.5):
        build.annotate(confirm_delete=build.cache)
        build.until("Ready", "False", "Deleting")
        wait_for(lambda: deletions(build) == 1, PATIENCE, "the deletion")
        assert world.get(build.document) is not None  # the finalizer stays until Azure is done
    world.await_gone(build.document)
    assert not in_azure(build)
    assert deletions(build) == 1


def test_confirmed_beforehand(world: World, build: Case) -> None:
    made(build)
    build.annotate(confirm_delete=build.cache)
    build.delete()
    world.await_gone(build.document)
    assert not in_azure(build)


def test_the_operator_dies_while_azure_deletes(world: World, build: Case) -> None:
    made(build)
    build.annotate(confirm_delete=build.cache)
    with build.control.settings.during(delete_seconds=4.0):
        build.delete()
        wait_for(lambda: deletions(build) == 1, PATIENCE, "the deletion")
    world.stop_operator(kill=True)
    world.start_operator()
    world.await_gone(build.document)
    assert not in_azure(build)
    assert deletions(build) == 1


def test_delete_without_our_tag(world: World, build: Case) -> None:
    """A user removed the tag: the cache may belong to anyone by now."""
    made(build)
    build.update(tags={"cost": "shop"})
    build.annotate(confirm_delete=build.cache)
    build.delete()
    message = build.until("Ready", "False", "NotOwned")
    assert "spec.deletionPolicy: Retain" in message
    build.poke()
    assert deletions(build) == 0
    build.change(deletionPolicy="Retain")
    world.await_gone(build.document)
    assert in_azure(build)


def test_delete_never_deletes_what_another_owns(build: Case) -> None:
    build.exists(tags={"secureredis-owner": "another.resource"})
    build.apply(annotations={"secureredis.io/confirm-delete": build.cache}, **provision(build, **DELETE))
    build.until("Ready", "False", "OwnedByAnother")
    build.delete()
    build.until("Ready", "False", "NotOwned")
    assert build.writes() == []


def test_delete_with_azure_unreachable(world: World, build: Case) -> None:
    made(build)
    build.annotate(confirm_delete=build.cache)
    unreachable(build)
    build.delete()
    message = build.until("Ready", "False", "DeletionUnknown")
    assert 'secureredis.io/abandon: "true"' in message
    assert deletions(build) == 0
    build.mend_faults()
    build.annotate(refresh="again")
    world.await_gone(build.document)
    assert not in_azure(build)


def test_abandon_gives_up_and_is_reported(world: World, build: Case) -> None:
    made(build)
    unreachable(build)
    build.delete()
    build.until("Ready", "False", "DeletionUnknown")
    build.annotate(abandon="true")
    world.await_gone(build.document)
    assert in_azure(build)
    wait_for(lambda: any(reason == "Abandoned" for reason, _ in notes(build)), PATIENCE, "the event")


def test_a_lock_blocks_the_deletion(world: World, build: Case) -> None:
    made(build)
    name = f"keep-{build.team.name}"
    build.control.seed(seeds.Lock(scope=build.team.group_scope, name=name, level="CanNotDelete"))
    build.annotate(confirm_delete=build.cache)
    build.delete()
    assert "remove the lock" in build.until("Stalled", "True", "Locked")
    assert deletions(build) == 0
    build.control.access.delete_lock(name)
    build.annotate(refresh="unlocked")
    world.await_gone(build.document)
    assert not in_azure(build)


def test_a_linked_cache_is_deleted_once_it_is_unlinked(world: World, build: Case) -> None:
    """Azure refuses to delete a geo-linked cache, with 400 and no code of its own."""
    made(build)
    build.update({"linkedServers": [{"id": build.team.cache_id("elsewhere")}]})
    build.annotate(confirm_delete=build.cache)
    build.delete()
    assert "linked servers associated with it" in build.until("Ready", "False", "RequestRefused")
    assert deletions(build) == 0
    assert in_azure(build)
    build.update({"linkedServers": []})
    build.annotate(refresh="unlinked")
    world.await_gone(build.document)
    assert not in_azure(build)


def test_ready_explains_why_the_deletion_does_not_continue(build: Case) -> None:
    made(build)
    name = f"keep-{build.team.name}"
    build.control.seed(seeds.Lock(scope=build.team.group_scope, name=name, level="CanNotDelete"))
    build.annotate(confirm_delete=build.cache)
    build.delete()
    build.until("Stalled", "True", "Locked")
    assert build.condition("Ready")[1] == "Locked"


def test_a_cache_that_is_gone_already(world: World, build: Case) -> None:
    made(build)
    build.control.redis.delete(build.cache)
    build.delete()
    world.await_gone(build.document)
    assert deletions(build) == 0


def test_paused_deletes_nothing(world: World, build: Case) -> None:
    made(build)
    build.annotate(paused="true", confirm_delete=build.cache)
    build.delete()
    build.until("Ready", "False", "Paused")
    build.poke()
    assert deletions(build) == 0
    build.annotate(paused=None)
    world.await_gone(build.document)
    assert not in_azure(build)


def test_the_key_in_key_vault_is_kept(world: World, build: Case) -> None:
    uri = build.control.endpoints.vault_url(build.team.name)
    keyed = {"keyVault": {"uri": uri, "secretName": build.cache, "access": "ReadWrite"}}
    made(build, authentication=keyed)
    build.annotate(confirm_delete=build.cache)
    build.delete()
    world.await_gone(build.document)
    assert len(build.control.keyvault.secret_versions(build.team.name, build.cache)) == 1


# --- the Secret -----------------------------------------------------------------------------------------------------


def test_the_secret_goes_with_the_resource_if_that_was_asked_for(world: World, case: Case) -> None:
    case.published(connection={"deletionPolicy": "Delete"})
    case.delete()
    world.await_gone(case.document)
    wait_for(lambda: case.secret() is None, PATIENCE, "the Secret to be gone")


def test_a_foreign_secret_stays(world: World, case: Case) -> None:
    case.exists()
    case.store()
    _foreign(world, case)
    case.apply(connection={"deletionPolicy": "Delete"})
    case.until("CredentialsSynced", "False", "SecretForeign")
    with case.untouched():
        case.delete()
        world.await_gone(case.document)


# --- the namespace --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("reachable", [True, False], ids=["reachable", "unreachable"])
def test_a_terminating_namespace_is_not_blocked(world: World, build: Case, reachable: bool) -> None:
    """Delete was asked for, and confirmed; but who deletes a namespace did not ask for that."""
    made(build)
    build.annotate(confirm_delete=build.cache)
    if not reachable:
        unreachable(build)
    world.api.delete({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": build.team.namespace}}).must()
    # The namespace controller comes to the test's objects after about 5 s.
    wait_for(
        lambda: "deletionTimestamp" in (world.get(build.document) or {"metadata": _GONE})["metadata"],
        PATIENCE,
        "its turn",
    )
    world.await_gone(build.document, 5)
    assert deletions(build) == 0
    assert in_azure(build)


def test_nothing_is_published_into_a_namespace_that_goes(world: World, case: Case) -> None:
    """Another controller's finalizer holds the object: the namespace is going, and the status says so."""
    case.exists()
    case.store()
    holder = f"example.com/hold-{uuid.uuid4().hex[:6]}"
    held: Document = case.world.resource(case.team, case.cache, key=case.cache)
    metadata = {"name": "held", "namespace": case.team.namespace}
    other: Document = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata}
    world.api.create({**other, "metadata": {**metadata, "finalizers": [holder]}}).must()
    case.document = held
    world.api.delete({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": case.team.namespace}}).must()
    refused = world.api.create(held)
    assert refused.status == 403  # the API server takes nothing new
    assert case.secret() is None
    world.api.merge(other, {"metadata": {"finalizers": None}}).must()


def _foreign(world: World, case: Case) -> None:
    metadata = {"name": case.cache, "namespace": case.team.namespace}
    world.apply({"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "stringData": {"mine": "mine"}})


def _unbind(world: World, case: Case) -> None:
    binding = {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding"}
    world.api.delete(
        {**binding, "metadata": {"name": "secure-redis-operator", "namespace": case.team.namespace}}
    ).must()
