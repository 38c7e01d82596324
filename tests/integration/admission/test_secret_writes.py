"""The operator's Secret writes: its connection Secrets and nothing else, whatever its roles allow."""

import itertools
from base64 import b64encode
from typing import Any

import pytest

from sandbox.api import APPLY, Api, Document, path_of
from secure_redis.api import names
from tests.integration.admission.conftest import NAMESPACE, UNBOUND
from tests.integration.admission.test_authors import RESOURCE_ID

OURS = {names.MANAGED_BY: names.MANAGER, names.CACHE_LABEL: "orders"}
_numbers = itertools.count()


def secret(*, kind: str = names.SECRET_TYPE, labels: dict[str, str] | None = None, **more: Any) -> Document:
    metadata: Document = {
        "name": f"secret-{next(_numbers)}",
        "namespace": NAMESPACE,
        "labels": OURS if labels is None else labels,
    }
    metadata |= more.pop("metadata", {})
    data = {"host": b64encode(b"orders.redis.sandbox.test").decode()}
    return {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "type": kind, "data": data, **more}


def test_a_connection_secret_is_created_applied_and_deleted(operator: Api) -> None:
    ours = secret()
    made = operator.create(ours).must()
    change = {
        **ours,
        "metadata": {**ours["metadata"], "uid": made["metadata"]["uid"]},
        "data": {"port": b64encode(b"6380").decode()},
    }
    query = {"fieldManager": names.FIELD_MANAGER, "force": "true"}
    operator.call("PATCH", path_of(ours), change, kind=APPLY, query=query).must()
    assert "port" in operator.get(path_of(ours)).must()["data"]
    operator.delete(ours).must()


@pytest.mark.parametrize(
    ("document", "words"),
    [
        (secret(kind="Opaque"), "only Secrets of type servicebinding.io/redis"),
        (secret(kind="bootstrap.kubernetes.io/token"), "only Secrets of type servicebinding.io/redis"),
        (
            secret(
                kind="kubernetes.io/service-account-token",
                metadata={"annotations": {"kubernetes.io/service-account.name": "orders"}},
            ),
            "only Secrets of type servicebinding.io/redis",
        ),
        (secret(labels={}), "must carry the labels"),
        (secret(labels={names.MANAGED_BY: names.MANAGER}), "must carry the labels"),
        (secret(labels={names.CACHE_LABEL: "orders"}), "must carry the labels"),
        (secret(labels={**OURS, names.MANAGED_BY: "Helm"}), "must carry the labels"),
        (secret(immutable=True), "must not make a Secret immutable"),
    ],
    ids=lambda value: value["type"] if isinstance(value, dict) else None,
)
def test_any_other_secret_is_not_created(operator: Api, document: Document, words: str) -> None:
    answer = operator.create(document)
    assert answer.status == 403
    assert words in answer.message
    assert operator.get(path_of(document)).status == 404


@pytest.mark.parametrize(
    "foreign",
    [secret(kind="Opaque"), secret(labels={}), secret(labels={**OURS, names.MANAGED_BY: "someone"})],
    ids=["type", "labels", "manager"],
)
def test_a_foreign_secret_is_neither_changed_nor_deleted(admin: Api, operator: Api, foreign: Document) -> None:
    before = admin.create(foreign).must()
    mine = {"metadata": {"labels": OURS}, "data": {"host": b64encode(b"evil").decode()}}
    for answer in (operator.merge(foreign, mine), operator.delete(foreign)):
        assert answer.status == 403
        assert "may change and delete only Secrets of type servicebinding.io/redis" in answer.message
    assert admin.get(path_of(foreign)).must() == before


def test_labels_that_someone_removed_are_put_back(admin: Api, operator: Api) -> None:
    ours = secret(metadata={"annotations": {names.SECRET_RESOURCE: "orders", names.SECRET_UID: "u"}})
    operator.create(ours).must()
    admin.merge(ours, {"metadata": {"labels": None}}).must()
    assert operator.merge(ours, {"metadata": {"labels": OURS}}).must()["metadata"]["labels"] == OURS
    admin.delete(ours)


def test_the_operator_adds_no_owner_reference_and_may_remove_one(admin: Api, operator: Api) -> None:
    """With an ownerReference a foreground deletion of the resource deletes the Secret immediately."""
    metadata = {"name": "owner-of-secrets", "namespace": NAMESPACE}
    resource = {"apiVersion": names.API_VERSION, "kind": names.KIND, "metadata": metadata}
    # A living owner: the garbage collector takes the Secret of a dead one.
    made = admin.create({**resource, "spec": {"resourceID": RESOURCE_ID}}).must()
    owner = {"apiVersion": names.API_VERSION, "kind": names.KIND, "name": metadata["name"]}
    owned: Document = {"metadata": {"ownerReferences": [{**owner, "uid": made["metadata"]["uid"], "controller": True}]}}
    words = "must not add an ownerReference"
    assert words in operator.create(secret(**owned)).message
    ours = secret()
    operator.create(ours).must()
    assert words in operator.merge(ours, owned).message
    admin.merge(ours, owned).must()
    operator.merge(ours, {"data": {"host": None}}).must()
    assert "ownerReferences" not in operator.merge(ours, {"metadata": {"ownerReferences": None}}).must()["metadata"]
    admin.delete(ours)
    admin.delete(made)


def test_the_operator_cannot_remove_its_labels(operator: Api) -> None:
    ours = secret()
    operator.create(ours).must()
    answer = operator.merge(ours, {"metadata": {"labels": {names.CACHE_LABEL: None}}})
    assert answer.status == 403
    assert "must carry the labels" in answer.message


def test_the_operator_cannot_make_it_immutable_later(operator: Api) -> None:
    ours = secret()
    operator.create(ours).must()
    assert "must not make a Secret immutable" in operator.merge(ours, {"immutable": True}).message


def test_without_a_binding_no_secret_is_touched(operator: Api) -> None:
    document = secret(metadata={"namespace": UNBOUND})
    for answer in (
        operator.create(document),
        operator.get(path_of(document)),
        operator.get(f"/api/v1/namespaces/{UNBOUND}/secrets"),
    ):
        assert answer.status == 403
        assert "cannot" in answer.message


def test_secrets_are_not_readable_cluster_wide(operator: Api) -> None:
    assert operator.get("/api/v1/secrets").status == 403


def test_others_are_not_concerned(admin: Api) -> None:
    document = secret(kind="Opaque", labels={})
    admin.create(document).must()
    admin.delete(document).must()
