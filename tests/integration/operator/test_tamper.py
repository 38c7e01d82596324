"""The published Secret is the operator's, and only that one: what is changed is repaired, what is foreign is left."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from sandbox.api import MERGE, Document, path_of
from sandbox.cluster import Cluster
from sandbox.waiting import PATIENCE, wait_for
from sandbox.world import Team, World
from secure_redis.api import names
from secure_redis.api.times import parse_rfc3339
from tests.integration.operator.support import Case

SOON = 60.0  # seconds; long before the clock's first check, so only a watch can have noticed
EVIL = "ZXZpbA=="

TAMPERINGS: dict[str, Document] = {
    "password": {"data": {"password": EVIL}},
    "plaintext uri": {"data": {"uri": EVIL, "ssl": EVIL}},
    "the layout of an earlier version": {
        "data": {"username": "", "uri": EVIL, "url": None, "ssl": "dHJ1ZQ==", "stackexchange": EVIL}
    },
    "key removed": {"data": {"uri": None}},
    "key added": {"data": {"extra": EVIL}},
    "all removed": {"data": None},
    "our label removed": {"metadata": {"labels": {"app.kubernetes.io/managed-by": None}}},
    "our labels removed": {"metadata": {"labels": None}},
    "our annotation removed": {"metadata": {"annotations": None}},
    "our label of the cache removed": {"metadata": {"labels": {"secureredis.io/cache": None}}},
    "our annotation of the uid removed": {"metadata": {"annotations": {"secureredis.io/resource-uid": None}}},
    "our annotation of the uid changed": {"metadata": {"annotations": {"secureredis.io/resource-uid": "another"}}},
}


@pytest.mark.parametrize("tampering", TAMPERINGS, ids=str)
def test_a_change_is_repaired_within_seconds(case: Case, tampering: str) -> None:
    case.published(connection={"labels": {"team": "shop"}, "annotations": {"example.com/note": "x"}})
    good = _essence(case.must_secret())
    case.edit_secret(TAMPERINGS[tampering])
    wait_for(lambda: _essence(case.must_secret()) == good, SOON, "the Secret to be repaired")
    case.until("Ready", "True")
    assert case.writes() == []


def _events(case: Case) -> list[str]:
    """The messages of the Warning events about tampering."""
    listed = case.world.api.get(f"/api/v1/namespaces/{case.team.namespace}/events").must()["items"]
    mine = [one for one in listed if one["involvedObject"]["name"] == case.document["metadata"]["name"]]
    return [one["message"] for one in mine if (one["type"], one["reason"]) == ("Warning", "SecretTampered")]


def test_tampering_is_reported_with_the_field_manager_and_never_a_value(case: Case) -> None:
    case.published()
    path = f"{path_of(case.must_secret())}?fieldManager=mallory"
    case.world.api.call("PATCH", path, {"data": {"host": EVIL, "uri": None}}, kind=MERGE).must()
    wait_for(lambda: len(_events(case)) == 2, SOON, "an event for each manager")
    changed, removed = sorted(_events(case), key=lambda text: "unknown" in text)
    assert "data.host was changed by field manager 'mallory'" in changed
    assert "data.uri" in removed
    assert not [text for text in (changed, removed) if "evil" in text or EVIL in text]


def test_a_deleted_secret_is_published_again(case: Case) -> None:
    case.published()
    before = case.must_secret()
    case.world.api.delete(before).must()
    wait_for(lambda: case.secret() is not None, SOON, "the Secret to be back")
    wait_for(lambda: [text for text in _events(case) if "was deleted" in text], SOON, "the event")
    after = case.must_secret()
    assert after["metadata"]["uid"] != before["metadata"]["uid"]
    assert after["data"] == before["data"]


def test_a_secret_that_waits_for_another_finalizer_is_published_again_after(case: Case) -> None:
    case.published()
    case.edit_secret({"metadata": {"finalizers": ["example.com/backup"]}})
    before = case.must_secret()
    case.world.api.delete(before).must()
    assert repr(case.cache) in case.until("CredentialsSynced", "False", "SecretDeleting")
    case.until("Ready", "False", "SecretDeleting")
    assert case.must_secret()["data"] == before["data"]
    case.edit_secret({"metadata": {"finalizers": None}})
    case.until("Ready", "True")
    assert case.must_secret()["metadata"]["uid"] != before["metadata"]["uid"]


def test_additions_of_others_beside_the_data_stay(case: Case) -> None:
    case.published()
    case.edit_secret({"metadata": {"labels": {"theirs": "yes"}, "annotations": {"example.com/theirs": "yes"}}})
    case.edit_secret({"data": {"password": EVIL}})
    wait_for(lambda: case.values()["password"] == case.keys["Primary"], SOON, "the Secret to be repaired")
    metadata = case.must_secret()["metadata"]
    assert metadata["labels"]["theirs"] == "yes"
    assert metadata["annotations"]["example.com/theirs"] == "yes"


def test_a_finalizer_that_someone_removed_is_put_back_at_once(case: Case) -> None:
    case.published(connection={"deletionPolicy": "Delete"})
    case.world.api.merge(case.document, {"metadata": {"finalizers": None}}).must()
    wait_for(lambda: case.object["metadata"].get("finalizers"), SOON, "the finalizer")
    case.change(connection={"deletionPolicy": "Retain"})
    wait_for(lambda: not case.object["metadata"].get("finalizers"), SOON, "the finalizer to be gone again")


def test_a_claim_that_someone_removed_is_put_back_at_once(case: Case) -> None:
    case.published()
    before = case.object["metadata"]["annotations"]["secureredis.io/operator"]
    case.annotate(operator=None)
    wait_for(lambda: case.object["metadata"]["annotations"].get("secureredis.io/operator") == before, SOON, "the claim")


def test_an_immutable_secret(case: Case) -> None:
    """Made immutable it is fine until there is a new key; then only its owner can help."""
    case.published()
    case.edit_secret({"immutable": True})
    case.poke()
    assert case.condition("Ready")[0] == "True"
    case.store(case.keys["Secondary"])
    with case.untouched():
        case.poke()
        message = case.until("CredentialsSynced", "False", "SecretImmutable")
        assert "delete it" in message
        assert case.condition("Ready")[0] == "False"
    case.world.api.delete(case.must_secret()).must()
    case.until("Ready", "True")
    assert case.values()["password"] == case.keys["Secondary"]


# --- foreign --------------------------------------------------------------------------------------------------------


def _make(case: Case, **secret: Any) -> Document:
    metadata = {"name": case.cache, "namespace": case.team.namespace, **secret.pop("metadata", {})}
    body = {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "stringData": {"mine": "mine"}, **secret}
    return case.world.api.create(body).must()


FOREIGN: dict[str, Callable[[Case], Document]] = {
    "of a user": lambda c: _make(c),
    "of our type": lambda c: _make(c, type="servicebinding.io/redis"),
    "with our labels": lambda c: _make(
        c,
        type="servicebinding.io/redis",
        metadata={"labels": {"app.kubernetes.io/managed-by": "secure-redis-operator", "secureredis.io/cache": c.cache}},
    ),
    "of another controller": lambda c: _make(
        c,
        type="servicebinding.io/redis",
        metadata={
            "labels": {"app.kubernetes.io/managed-by": "secure-redis-operator", "secureredis.io/cache": c.cache},
            "annotations": {"secureredis.io/resource": c.cache},
            "ownerReferences": [
                {"apiVersion": "v1", "kind": "ConfigMap", "name": "owner", "uid": _owner(c), "controller": True}
            ],
        },
    ),
}


def _owner_of(case: Case) -> str | None:
    """The uid that the Secret's annotation records."""
    found: str | None = case.must_secret()["metadata"]["annotations"].get("secureredis.io/resource-uid")
    return found


def _owner(case: Case) -> str:
    metadata = {"name": "owner", "namespace": case.team.namespace}
    made = case.world.apply({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata})
    return str(made["metadata"]["uid"])


@pytest.mark.parametrize("foreign", FOREIGN, ids=str)
def test_a_foreign_secret_is_never_touched(case: Case, foreign: str) -> None:
    case.exists()
    case.store()
    made = FOREIGN[foreign](case)
    with case.untouched():
        case.apply()
        message = case.until("CredentialsSynced", "False", "SecretForeign")
        assert "spec.connection.secretName" in message
        case.until("Ready", "False", "SecretForeign")
        case.poke()
        case.poke()
    assert case.must_secret()["data"] == made["data"]
    case.change(connection={"secretName": f"{case.cache}-own"})
    case.until("Ready", "True")
    assert case.values(f"{case.cache}-own")["password"] == case.keys["Primary"]
    assert case.must_secret()["metadata"]["resourceVersion"] == made["metadata"]["resourceVersion"]


def test_a_secret_replaced_by_a_foreign_one(case: Case) -> None:
    """The operator's Secret is deleted and another of its name made immediately: that one is not the operator's."""
    case.published()
    with case.control.settings.during():
        case.annotate(paused="true")
        case.poke()
        case.world.api.delete(case.must_secret()).must()
        made = _make(case)
        case.annotate(paused=None)
    case.until("CredentialsSynced", "False", "SecretForeign")
    assert case.must_secret()["metadata"]["resourceVersion"] == made["metadata"]["resourceVersion"]
    case.world.api.delete(made).must()
    case.heal()


def test_two_resources_never_publish_one_secret(world: World, team: Team, case: Case) -> None:
    case.published()
    second = Case(world, team, "second")
    second.exists()
    second.store()
    with case.untouched():
        second.apply(connection={"secretName": case.cache})
        message = second.until("CredentialsSynced", "False", "SecretForeign")
        assert case.cache in message
        second.poke()
    assert case.values()["password"] == case.keys["Primary"]
    case.delete()  # Retain: the Secret stays, and still says whose it was
    world.await_gone(case.document)
    second.poke()
    assert second.condition("CredentialsSynced")[1] == "SecretForeign"
    assert case.values()["password"] == case.keys["Primary"]


# --- names and lives ------------------------------------------------------------------------------------------------


def test_a_recreated_resource_takes_its_secret_back(world: World, case: Case) -> None:
    case.published()
    before = case.must_secret()
    case.delete()
    world.await_gone(case.document)
    case.world.apply(case.document)
    case.until("Ready", "True")
    after = case.must_secret()
    assert after["metadata"]["uid"] == before["metadata"]["uid"]
    assert after["metadata"]["annotations"]["secureredis.io/resource-uid"] == case.uid
    assert "ownerReferences" not in after["metadata"]


def test_a_secret_of_a_dead_uid_is_adopted(world: World, case: Case) -> None:
    """Restored from a backup: the Secret names an owner of the resource's name that does not exist any more."""
    case.published()
    kept = case.must_secret()
    case.annotate(paused="true")
    case.poke()
    case.delete()
    world.await_gone(case.document)
    reference = {"apiVersion": "secureredis.io/v1alpha1", "kind": "SecureRedisCache", "name": case.cache}
    dead = {**reference, "uid": "00000000-0000-4000-8000-00000000dead", "controller": True}
    case.document["metadata"]["annotations"].pop("secureredis.io/paused", None)
    case.world.api.merge(kept, {"metadata": {"ownerReferences": [dead]}}).must()
    case.world.apply(case.document)
    case.until("Ready", "True")
    assert _owner_of(case) == case.uid
    assert not case.must_secret()["metadata"].get("ownerReferences")


@pytest.mark.parametrize("policy", ["Retain", "Delete"])
def test_a_changed_name_publishes_the_new_one_and_then_parts_with_the_old(case: Case, policy: str) -> None:
    case.published(connection={"deletionPolicy": policy})
    renamed = f"{case.cache}-renamed"
    case.change(connection={"secretName": renamed})
    case.until("Ready", "True")
    assert case.values(renamed)["password"] == case.keys["Primary"]
    wait_for(lambda: case.status["binding"]["name"] == renamed, PATIENCE, "the binding")

    def parted() -> bool:
        old = case.secret()
        return old is None if policy == "Delete" else old is not None and _owner_of(case) is None

    wait_for(parted, PATIENCE, "the old Secret to be parted with")


def test_a_secret_under_an_earlier_name_is_not_repaired_any_more(case: Case) -> None:
    case.published()
    case.change(connection={"secretName": f"{case.cache}-renamed"})
    case.until("Ready", "True")
    wait_for(lambda: _owner_of(case) is None, PATIENCE, "the release")
    case.edit_secret({"data": {"password": EVIL}})
    case.poke()
    assert case.must_secret()["data"]["password"] == EVIL


# --- without permission to watch ------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def unwatched(world: World, control_plane: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """The same world, whose operator may not watch Secrets."""
    world.stop_operator()
    world.start_operator(secrets={"watch": "None"})
    yield world
    world.stop_operator()
    world.start_operator()


@pytest.mark.parametrize("tampering", ["password", "key added", "our labels removed", "deleted"])
def test_without_a_watch_it_is_repaired_at_the_next_pass(unwatched: World, case: Case, tampering: str) -> None:
    case.published()
    good = _essence(case.must_secret())
    if tampering == "deleted":
        unwatched.api.delete(case.must_secret()).must()
    else:
        case.edit_secret(TAMPERINGS[tampering])
    case.poke()
    assert _essence(case.must_secret()) == good
    case.until("Ready", "True")


def _essence(secret: Document) -> tuple[Any, ...]:
    metadata = secret["metadata"]
    owners = [(one["uid"], one.get("controller")) for one in metadata.get("ownerReferences", [])]
    annotations = dict(metadata.get("annotations") or {})
    # The time is a new one where the Secret may have held another key in the meantime.
    published = parse_rfc3339(annotations.pop(names.SECRET_PUBLISHED, None))
    return secret.get("data"), metadata.get("labels"), annotations, owners, published is not None
