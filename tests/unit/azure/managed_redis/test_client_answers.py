"""How the client of Managed Redis converts the answers to its reads: keys that are off, and any other answer."""

import json
import logging

import pytest
from hypothesis import given
from hypothesis import strategies as st

from secure_redis.api.reasons.reason import Reason
from secure_redis.azure.core.failures import Failure, NotFound
from secure_redis.azure.managed_redis.client import LIST_KEYS, LIST_SKUS, READ_CLUSTER, READ_DATABASE, ManagedCaches
from secure_redis.domain.observe.keys import ListedKeys
from secure_redis.domain.observe.managed_redis import ManagedDatabase, ManagedRedis
from secure_redis.domain.observe.unknown import Unknown
from tests.unit.azure.conftest import GROUP, IDENTITY, SUBSCRIPTION, Answer, World, says
from tests.unit.azure.managed_redis.scripted import (
    CALLS,
    CLUSTER,
    DATABASE,
    KEYS,
    LEAVES,
    ONE_WORLD,
    PROVIDER,
    READS,
    raw,
    refusal,
)

# --- keys -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("content_type", ["application/json", "text/plain", "application/octet-stream"])
async def test_keys_are_listed_whatever_the_content_type_and_shown_nowhere(
    world: World, clusters: ManagedCaches, content_type: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    world.script.on("POST", f"{DATABASE}/listKeys", raw(json.dumps(KEYS), content_type))
    found = await clusters.list_keys(IDENTITY, CLUSTER)
    assert isinstance(found, ListedKeys)
    assert found.primary.get_secret_value() == KEYS["primaryKey"]
    assert found.secondary.get_secret_value() == KEYS["secondaryKey"]
    assert "canary" not in repr(found) + str(found) + caplog.text


@pytest.mark.parametrize(
    "answer",
    [
        says({"primaryKey": None, "secondaryKey": None}),
        says({"primaryKey": "", "secondaryKey": ""}),
        says({}),
        refusal("BadRequest", 400, "Access keys authentication is disabled for this database."),
        refusal("OperationNotAllowed", 405, "another text"),
    ],
    ids=["null", "empty", "none", "refused", "refused otherwise"],
)
async def test_keys_that_are_off(world: World, clusters: ManagedCaches, answer: Answer) -> None:
    world.script.on("POST", f"{DATABASE}/listKeys", answer)
    found = await clusters.list_keys(IDENTITY, CLUSTER)
    assert isinstance(found, Unknown)
    assert (found.reason, found.permanent, found.permission) == (Reason.ACCESS_KEYS_DISABLED, True, None)


@pytest.mark.parametrize(
    "answer",
    [
        says({"primaryKey": "canary-one", "secondaryKey": None}),
        says({"primaryKey": None, "secondaryKey": "canary-two"}),
        says({"primaryKey": 5, "secondaryKey": ["canary"]}),
        says({"message": "Sign in to the network"}),
        says(["canary"]),
        says('{"primaryKey": "canary-one", "secondary'),
        refusal("InternalServerError", 500, "canary"),
    ],
    ids=["one", "the other", "no texts", "another object", "a list", "cut", "failed"],
)
async def test_an_answer_that_is_not_about_keys_does_not_end_in_keys_that_are_off(
    world: World, clusters: ManagedCaches, answer: Answer, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    world.script.on("POST", f"{DATABASE}/listKeys", answer)
    found = await clusters.list_keys(IDENTITY, CLUSTER)
    assert isinstance(found, Unknown)
    assert (found.reason, found.permanent) == (Reason.AZURE_ERROR, False)
    assert "canary" not in repr(found) + caplog.text


# --- any answer -----------------------------------------------------------------------------------------------------

WORDS = st.sampled_from(
    ["id", "sku", "name", "location", "tags", "zones", "identity", "properties", "provisioningState", "encryption",
     "customerManagedKeyEncryption", "maintenanceConfiguration", "maintenanceWindows", "schedule", "persistence",
     "geoReplication", "linkedDatabases", "modules", "port", "primaryKey", "secondaryKey", "skus",
     "privateEndpointConnections", "value", "nextLink"]
)  # fmt: skip
DOCUMENTS = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=5), max_leaves=12
)
EXPECTED: dict[str, tuple[type, ...]] = {
    "read": (NotFound, Unknown, ManagedRedis),
    "database": (Unknown, ManagedDatabase),
    "list_keys": (Unknown, ListedKeys),
    "scaling_options": (Unknown, tuple),
}


@ONE_WORLD
@given(DOCUMENTS)
async def test_no_answer_makes_a_read_raise(world: World, clusters: ManagedCaches, document: object) -> None:
    world.clock.now += 3600  # a full budget of requests
    world.script.on("GET", PROVIDER, says(json.dumps(document)))
    assert isinstance(await clusters.walk(IDENTITY, SUBSCRIPTION, GROUP), tuple | Failure)
    for name in READS:
        method, path, _, call = CALLS[name]
        world.script.on(method, path, says(json.dumps(document)))
        assert isinstance(await call(clusters), EXPECTED[name])


@pytest.mark.parametrize("name", READS)
async def test_an_answer_that_is_nested_too_deep(world: World, clusters: ManagedCaches, name: str) -> None:
    method, path, _, call = CALLS[name]
    world.script.on(method, path, says("[" * 100_000))
    found = await call(clusters)
    assert isinstance(found, Unknown)
    assert (found.reason, found.permanent) == (Reason.AZURE_ERROR, False)


@pytest.mark.parametrize(
    ("name", "permission"),
    [("read", READ_CLUSTER), ("database", READ_DATABASE), ("list_keys", LIST_KEYS), ("scaling_options", LIST_SKUS)],
)
async def test_a_read_that_is_denied_names_the_right(
    world: World, clusters: ManagedCaches, name: str, permission: str
) -> None:
    method, path, _, call = CALLS[name]
    world.script.on(method, path, refusal("AuthorizationFailed", 403))
    found = await call(clusters)
    assert isinstance(found, Unknown)
    assert (found.reason, found.permission) == (Reason.AZURE_DENIED, permission)
