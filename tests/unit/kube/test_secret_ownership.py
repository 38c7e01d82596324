"""Whose a Secret is: by a controller, else by the operator's annotations; and by which resource it may be adopted."""

from typing import Any

import pytest

from secure_redis.api import names
from secure_redis.domain.plan.secret import adoptable
from secure_redis.kube.secret_facts import facts, publisher
from tests.builders.passes import resource
from tests.builders.world import UID

LABELS = {names.MANAGED_BY: names.MANAGER, names.CACHE_LABEL: "orders"}
ANNOTATIONS = {names.SECRET_RESOURCE: "orders", names.SECRET_UID: UID}
WRITTEN = [{"manager": names.FIELD_MANAGER, "operation": "Apply", "fieldsV1": {"f:data": {"f:password": {}}}}]


def secret(**metadata: Any) -> dict[str, Any]:
    given = {"labels": LABELS, "annotations": ANNOTATIONS, **metadata}
    return {"metadata": {"name": "s", "uid": "s", "resourceVersion": "1", **given}, "type": names.SECRET_TYPE}


def controller(kind: str = names.KIND, group: str = names.API_VERSION, **more: Any) -> dict[str, Any]:
    return {"apiVersion": group, "kind": kind, "name": "orders", "uid": UID, "controller": True, **more}


@pytest.mark.parametrize(
    ("metadata", "owner"),
    [
        ({}, UID),
        ({"annotations": None}, None),
        ({"annotations": {**ANNOTATIONS, names.SECRET_UID: "dead"}}, "dead"),
        ({"annotations": None, "ownerReferences": [controller()]}, UID),
        ({"ownerReferences": [controller("ExternalSecret", "external-secrets.io/v1", uid="other")]}, "other"),
        ({"ownerReferences": [controller(name="sessions", uid="living")]}, "living"),
        ({"ownerReferences": [controller("ConfigMap", "v1", uid="other", controller=False)]}, UID),
    ],
)
def test_a_controller_counts_before_an_annotation_which_anyone_may_copy(
    metadata: dict[str, Any], owner: str | None
) -> None:
    found = facts(secret(**metadata))
    assert found.owner_uid == owner
    assert publisher(secret(**metadata)) == (owner if found.owner_kind == names.KIND else None)


def test_a_reference_is_found_whether_or_not_it_is_the_controller() -> None:
    assert facts(secret()).referenced_by == frozenset()
    assert facts(secret(ownerReferences=[controller(controller=False)])).referenced_by == {UID}
    assert facts(secret(ownerReferences=[controller("ConfigMap", "v1")])).referenced_by == frozenset()


@pytest.mark.parametrize(
    ("metadata", "adopted"),
    [
        ({"annotations": {**ANNOTATIONS, names.SECRET_UID: "dead"}}, True),
        ({"annotations": {names.SECRET_RESOURCE: "orders"}}, True),
        ({"annotations": {names.SECRET_RESOURCE: "sessions", names.SECRET_UID: "other"}}, False),
        ({"annotations": None}, False),  # anyone may set labels
        ({"annotations": None, "managedFields": WRITTEN}, True),
        ({"annotations": {names.SECRET_RESOURCE: "orders"}, "labels": None, "managedFields": WRITTEN}, True),
        ({"annotations": {names.SECRET_RESOURCE: "orders"}, "labels": None}, False),
        ({"annotations": None, "labels": None, "managedFields": WRITTEN}, False),  # of which resource?
        ({"annotations": {names.SECRET_RESOURCE: "sessions"}, "managedFields": WRITTEN}, False),
        ({"annotations": None, "ownerReferences": [controller(uid="dead")], "managedFields": WRITTEN}, True),
        ({"ownerReferences": [controller("ExternalSecret", "external-secrets.io/v1")]}, False),
    ],
)
def test_only_what_a_resource_of_this_name_published_is_adopted(metadata: dict[str, Any], adopted: bool) -> None:
    assert adoptable(resource(), facts(secret(**metadata))) is adopted
    assert not adoptable(resource(), facts({**secret(**metadata), "type": "Opaque"}))
