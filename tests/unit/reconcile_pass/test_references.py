"""This process's reads of a resource's Secrets; a deletion under Retain relies on them when consent is gone."""

from dataclasses import replace
from typing import Any

import pytest

from secure_redis.api import names
from secure_redis.api.reasons.reason import Reason
from secure_redis.domain.observe.unknown import NOT_READ, Unknown
from secure_redis.reconciler.observe.kubernetes import is_new, with_references
from secure_redis.reconciler.pass_state import PassState
from tests.builders.passes import PROVISION, observation, published, resource
from tests.builders.world import AUTHENTICATION, UID

RES = resource({"authentication": AUTHENTICATION})
UNREAD = Unknown(Reason.NAMESPACE_NOT_BOUND, "no consent")
DARK = observation(secret=UNREAD, former_secrets=UNREAD)


def test_it_is_remembered_only_after_every_secret_was_read() -> None:
    state = PassState()
    own = published(RES, observation())
    for unread in (DARK, observation(secret=NOT_READ), observation(secret=own, secrets_listed=False)):
        assert not with_references(RES, unread, state).unreferenced
    assert with_references(RES, observation(secret=own), state).unreferenced
    assert with_references(RES, DARK, state).unreferenced, "what was read stays true"


def test_a_reference_and_another_life_of_the_name_are_not_forgotten() -> None:
    state = PassState()
    own = published(RES, observation())
    assert with_references(RES, observation(secret=own), state).unreferenced
    referenced = replace(own, referenced_by=frozenset({UID}))
    assert not with_references(RES, observation(secret=referenced), state).unreferenced
    assert not with_references(RES, DARK, state).unreferenced
    assert with_references(RES, observation(secret=own), state).unreferenced
    successor = resource({"authentication": AUTHENTICATION}, uid="22222222-0000-0000-0000-000000000002")
    assert not with_references(successor, DARK, state).unreferenced


@pytest.mark.parametrize(
    ("more", "new"),
    [
        ({}, True),
        ({"status": {"conditions": []}}, True),
        ({"status": {"observedGeneration": 1}}, False),
        ({"annotations": {names.SECRETS: "orders"}}, False),
        ({"finalizer": True}, False),
    ],
    ids=["no trace", "the status that the CRD sets", "reported", "recorded", "finalizer"],
)
def test_a_secret_is_not_read_before_its_creation_where_the_resource_is_new(more: dict[str, Any], new: bool) -> None:
    assert is_new(resource({"authentication": AUTHENTICATION}, **more)) is new


def test_a_resource_that_provisions_is_never_taken_for_new() -> None:
    assert not is_new(resource({"authentication": AUTHENTICATION, "mode": "Provision", "provision": PROVISION}))
