"""The database of a cluster with azure-mgmt-redisenterprise and by hand: a PUT replaces it, and PATCH does nothing."""

from typing import Any

import jsonschema
import pytest
from azure.core.exceptions import HttpResponseError

from sandbox.azure.control.client import Control
from sandbox.azure.seeds.managed_redis import ManagedAssignment
from tests.contract import managed_shapes as shapes
from tests.contract.conftest import GROUP, Sdk
from tests.contract.managed_support import (
    AT_ONCE,
    CLUSTER,
    DATABASE,
    NAME,
    NEVER,
    NEWEST,
    SCOPE,
    SLOW,
    client_of,
    properties,
    refused,
    seed,
    send,
)

SEARCH = {"clusteringPolicy": "EnterpriseCluster", "evictionPolicy": "NoEviction", "modules": [{"name": "RediSearch"}]}
OTHER = SCOPE.replace(NAME, "other") + "/databases/default"


async def shown(sdk: Sdk, version: str = NEWEST) -> dict[str, Any]:
    _, answer = await send(sdk, "GET", DATABASE, expect=200, version=version)
    return dict(answer["properties"])


async def test_a_creation_with_every_default(sdk: Sdk, control: Control) -> None:
    control.seed(seed(database=None))
    control.settings.change(**SLOW, managed_state_lag_seconds=NEVER)
    headers, made = await send(sdk, "PUT", DATABASE, properties(), expect=201)
    jsonschema.validate(made, shapes.DATABASE)
    assert made["properties"] == {
        "provisioningState": "Creating",
        "resourceState": "Creating",
        "clientProtocol": "Encrypted",
        "port": 10000,
        "clusteringPolicy": "OSSCluster",
        "evictionPolicy": "VolatileLRU",
        "deferUpgrade": "NotDeferred",
        "redisVersion": "7.4",
        "accessKeysAuthentication": "Disabled",
    }
    assert "/databases/default/operationresults/" in headers["Location"]
    control.clock.advance(NEVER + 1)
    states = await shown(sdk)
    assert (states["provisioningState"], states["resourceState"]) == ("Succeeded", "Creating")
    assert "conflicting state" in await refused(sdk, "PUT", DATABASE, properties(), expect=409)
    control.clock.advance(NEVER + 1)
    assert (await shown(sdk))["resourceState"] == "Running"
    assert [(one.kind, one.target) for one in control.log.effects()] == [("database.put", f"{SCOPE}/databases/default")]


async def test_a_service_that_does_not_wait_for_the_resource_state(sdk: Sdk, control: Control) -> None:
    control.seed(seed(database=None))
    control.settings.change(**{**AT_ONCE, "managed_state_lag_seconds": NEVER}, managed_state_lag_refuses=False)
    await send(sdk, "PUT", DATABASE, properties(), expect=201)
    await send(sdk, "PUT", DATABASE, properties(), expect=200)


@pytest.mark.parametrize(
    ("version", "keys"),
    [
        ("2024-09-01-preview", "Enabled"),
        ("2025-04-01", "Enabled"),
        ("2025-07-01", "Disabled"),
        (NEWEST, "Disabled"),
    ],
)
async def test_access_keys_unless_named(sdk: Sdk, control: Control, version: str, keys: str) -> None:
    control.seed(seed(database=None))
    control.settings.change(**AT_ONCE)
    await send(sdk, "PUT", DATABASE, properties(), expect=201, version=version)
    assert (await shown(sdk, version))["accessKeysAuthentication"] == keys


async def test_a_put_replaces_the_whole(sdk: Sdk, control: Control) -> None:
    persistence = {"rdbEnabled": True, "rdbFrequency": "6h"}
    given = {"persistence": persistence, "accessKeysAuthentication": "Enabled", "evictionPolicy": "NoEviction"}
    control.seed(seed(database={**given, "deferUpgrade": "Deferred", "somethingNew": 1, "clientProtocol": "Plaintext"}))
    control.settings.change(**AT_ONCE)
    _, answer = await send(sdk, "PUT", DATABASE, properties(), expect=200)
    assert (answer["properties"]["provisioningState"], answer["properties"]["resourceState"]) == (
        "Updating",
        "Updating",
    )
    now = await shown(sdk)
    assert {"persistence", "modules", "geoReplication", "somethingNew"} & set(now) == set()
    assert (now["accessKeysAuthentication"], now["evictionPolicy"]) == ("Disabled", "VolatileLRU")
    assert (now["deferUpgrade"], now["clientProtocol"]) == ("NotDeferred", "Encrypted")


async def test_what_is_read_can_be_sent_back(sdk: Sdk, control: Control) -> None:
    whole = {**SEARCH, "persistence": {"aofEnabled": True, "aofFrequency": "1s"}, "notifyKeyspaceEvents": "KEA"}
    whole |= {"accessKeysAuthentication": "Enabled", "deferUpgrade": "Deferred", "somethingNew": {"a": [1]}}
    control.seed(seed(database=whole))
    control.settings.change(**AT_ONCE)
    before = await shown(sdk)
    await send(
        sdk, "PUT", DATABASE, {"properties": {**before, "evictionPolicy": "NoEviction"}}, expect=200, version=NEWEST
    )
    assert await shown(sdk) == before | {"modules": [{"name": "RediSearch", "args": "", "version": "1.0.0"}]}
    assert before["somethingNew"] == {"a": [1]}


@pytest.mark.parametrize("kept", [True, False])
async def test_an_older_version_and_newer_properties(sdk: Sdk, control: Control, *, kept: bool) -> None:
    control.seed(seed(database={"notifyKeyspaceEvents": "KEA"}))
    control.settings.change(**AT_ONCE, managed_old_versions_keep_newer=kept)
    assert "notifyKeyspaceEvents" not in await shown(sdk, "2025-08-01-preview")
    assert (await shown(sdk, "2026-02-01-preview"))["notifyKeyspaceEvents"] == "KEA"
    await send(sdk, "PUT", DATABASE, properties(notifyKeyspaceEvents="Ex"), expect=200)  # ignored: it does not know it
    assert (await shown(sdk)).get("notifyKeyspaceEvents") == ("KEA" if kept else None)


@pytest.mark.parametrize("wanted", [True, False])
async def test_what_is_shown_meanwhile(sdk: Sdk, control: Control, *, wanted: bool) -> None:
    control.seed(seed())
    control.settings.change(**SLOW, managed_shows_wanted_values=wanted)
    body = properties(evictionPolicy="NoEviction", accessKeysAuthentication="Enabled")
    _, answer = await send(sdk, "PUT", DATABASE, body, expect=200)
    expected = "NoEviction" if wanted else "VolatileLRU"
    assert answer["properties"]["evictionPolicy"] == (await shown(sdk))["evictionPolicy"] == expected
    control.clock.advance(NEVER + 1)
    assert (await shown(sdk))["evictionPolicy"] == "NoEviction"


@pytest.mark.parametrize("wanted", [True, False])
async def test_a_change_that_fails(sdk: Sdk, control: Control, *, wanted: bool) -> None:
    control.seed(seed())
    control.settings.change(operation_outcome="Failed", managed_shows_wanted_values=wanted)
    async with client_of(sdk) as client:
        body = properties(evictionPolicy="NoEviction", accessKeysAuthentication="Enabled")
        with pytest.raises(HttpResponseError, match="An error occurred"):
            await (await client.databases.begin_create(GROUP, NAME, "default", body)).result()
    now = await shown(sdk)
    assert (now["provisioningState"], now["resourceState"]) == ("Failed", "UpdateFailed")
    assert now["evictionPolicy"] == "VolatileLRU"


async def test_patch_is_not_implemented(sdk: Sdk, control: Control) -> None:
    control.seed(seed())
    async with client_of(sdk) as client:
        with pytest.raises(HttpResponseError, match="NotImplemented") as answer:
            await client.databases.begin_update(GROUP, NAME, "default", properties(evictionPolicy="NoEviction"))
    assert answer.value.status_code == 501
    assert control.log.effects() == []


@pytest.mark.parametrize(
    ("sku", "given", "text"),
    [
        ("Balanced_B5", {"clusteringPolicy": "Some"}, "clusteringPolicy' is invalid"),
        ("Balanced_B5", {"evictionPolicy": "Never"}, "evictionPolicy' is invalid"),
        ("Balanced_B5", {"accessKeysAuthentication": True}, "accessKeysAuthentication' is invalid"),
        ("Balanced_B5", {"port": 80}, "port' is invalid"),
        ("Balanced_B5", {"persistence": {"aofEnabled": True, "aofFrequency": "always"}}, "aofFrequency' is invalid"),
        ("Balanced_B5", {"persistence": {"rdbEnabled": True, "rdbFrequency": "2h"}}, "rdbFrequency' is invalid"),
        (
            "Balanced_B5",
            {"persistence": {"rdbEnabled": True, "rdbFrequency": "1h", "aofEnabled": True, "aofFrequency": "1s"}},
            "Only one of AOF and RDB",
        ),
        ("Balanced_B5", {"modules": [{"name": "RedisGraph"}]}, "modules' is invalid"),
        ("Balanced_B5", {**SEARCH, "clusteringPolicy": "OSSCluster"}, "requires the clustering policy"),
        ("Balanced_B5", {**SEARCH, "clusteringPolicy": "NoCluster"}, "requires the clustering policy"),
        ("Balanced_B5", {**SEARCH, "evictionPolicy": "AllKeysLRU"}, "requires the eviction policy"),
        ("FlashOptimized_A250", {"modules": [{"name": "RedisJSON"}]}, "Modules are not supported"),
        ("FlashOptimized_A250", {"clusteringPolicy": "NoCluster"}, "NoCluster is not supported"),
        ("Balanced_B50", {"clusteringPolicy": "NoCluster"}, "NoCluster is not supported"),
        ("Balanced_B1", {"geoReplication": {"groupNickname": "g"}}, "Geo-replication is not supported"),
        (
            "Balanced_B5",
            {"geoReplication": {"groupNickname": "g"}, "persistence": {"aofEnabled": True, "aofFrequency": "1s"}},
            "Persistence is not supported",
        ),
    ],
)
async def test_values_that_are_refused(sdk: Sdk, control: Control, sku: str, given: dict[str, Any], text: str) -> None:
    control.seed(seed(sku={"name": sku}, database=None))
    assert text in await refused(sdk, "PUT", DATABASE, {"properties": given})
    assert control.managed_redis.database(NAME) is None


@pytest.mark.parametrize("sku", ["Balanced_B0", "Balanced_B20", "MemoryOptimized_M20", "ComputeOptimized_X3"])
async def test_without_cluster_mode(sdk: Sdk, control: Control, sku: str) -> None:
    control.seed(seed(sku={"name": sku}, database=None))
    control.settings.change(**AT_ONCE)
    await send(sdk, "PUT", DATABASE, properties(clusteringPolicy="NoCluster"), expect=201)
    await send(sdk, "PUT", DATABASE, properties(clusteringPolicy="OSSCluster"), expect=200)
    text = await refused(sdk, "PUT", DATABASE, properties(clusteringPolicy="NoCluster"))
    assert "properties.clusteringPolicy" in text


@pytest.mark.parametrize(
    ("given", "named"),
    [
        ({}, "properties.clusteringPolicy,properties.modules"),
        ({**SEARCH, "port": 10001}, "properties.port"),
        ({**SEARCH, "modules": []}, "properties.modules"),
        ({**SEARCH, "geoReplication": {"groupNickname": "g"}}, "properties.geoReplication"),
    ],
)
async def test_what_cannot_be_changed(sdk: Sdk, control: Control, given: dict[str, Any], named: str) -> None:
    control.seed(seed(database=dict(SEARCH)))
    assert f"'{named}'" in await refused(sdk, "PUT", DATABASE, {"properties": given})


async def test_linked_databases(sdk: Sdk, control: Control) -> None:
    control.seed(seed(database={"accessKeysAuthentication": "Disabled"}))
    control.settings.change(**AT_ONCE)
    own = f"{SCOPE}/databases/default"
    control.managed_redis.link(NAME, own, OTHER)
    geo = (await shown(sdk))["geoReplication"]
    assert [one["id"] for one in geo["linkedDatabases"]] == [own, OTHER]
    assert "Linked databases cannot by removed with this API" in await refused(sdk, "PUT", DATABASE, properties())
    fewer = {"groupNickname": "group", "linkedDatabases": [{"id": own}]}
    assert "geoReplication" in await refused(sdk, "PUT", DATABASE, properties(geoReplication=fewer))
    keys = properties(geoReplication=geo, accessKeysAuthentication="Enabled")
    assert "Unlink first" in await refused(sdk, "PUT", DATABASE, keys)
    await send(sdk, "PUT", DATABASE, properties(geoReplication=geo, evictionPolicy="NoEviction"), expect=200)
    assert (await shown(sdk))["geoReplication"] == geo


async def test_only_one_database(sdk: Sdk, control: Control) -> None:
    control.seed(seed())
    text = await refused(sdk, "PUT", f"{CLUSTER}/databases/second", properties())
    assert "You can currently only create or update a single RedisEnterprise database" in text
    text = await refused(sdk, "PUT", DATABASE.replace(NAME, "none"), properties(), expect=404)
    assert "ParentResourceNotFound" in text


@pytest.mark.parametrize("state", ["Creating", "Disabled", "UpdateFailed"])
async def test_a_cluster_that_does_not_run(sdk: Sdk, control: Control, state: str) -> None:
    control.seed(seed(database=None, properties={"resourceState": state}))
    assert "conflicting state" in await refused(sdk, "PUT", DATABASE, properties(), expect=409)


async def test_a_deletion(sdk: Sdk, control: Control) -> None:
    control.seed(seed(primary_key="first", secondary_key="second"))
    control.settings.change(managed_state_lag_seconds=0)
    async with client_of(sdk) as client:
        await (await client.databases.begin_delete(GROUP, NAME, "default")).result()
        assert [one async for one in client.databases.list_by_cluster(GROUP, NAME)] == []
        assert (await client.redis_enterprise.get(GROUP, NAME)).provisioning_state == "Succeeded"
        body = properties(accessKeysAuthentication="Enabled", clusteringPolicy="EnterpriseCluster")
        made = await (await client.databases.begin_create(GROUP, NAME, "default", body)).result()
        keys = await client.databases.list_keys(GROUP, NAME, "default")
    assert (made.clustering_policy, made.resource_state) == ("EnterpriseCluster", "Running")
    assert {keys.primary_key, keys.secondary_key} & {"first", "second"} == set()
    await send(sdk, "DELETE", f"{CLUSTER}/databases/second", expect=204)
    assert [effect.kind for effect in control.log.effects()] == ["database.delete", "database.put"]


async def test_assignments(sdk: Sdk, control: Control) -> None:
    oid = "99999999-0000-4000-8000-000000000001"
    control.seed(seed(assignments=(ManagedAssignment(name=oid, object_id=oid, access_string="+@read ~a:*"),)))
    async with client_of(sdk) as client:
        [listed] = [one async for one in client.access_policy_assignment.list(GROUP, NAME, "default")]
    assert (listed.name, listed.user.object_id, listed.access_policy_name) == (oid, oid, "default")
    path = f"{DATABASE}/accessPolicyAssignments"
    for version, text in (("2026-02-01-preview", None), ("2026-05-01-preview", "+@read ~a:*")):
        _, answer = await send(sdk, "GET", f"{path}/{oid}", expect=200, version=version)
        assert answer["properties"].get("accessString") == text
    error = {"code": "InvalidAccessString", "message": "ERR"}
    control.managed_redis.set_assignments(NAME, ManagedAssignment(name="b", object_id=oid, state="Failed", error=error))
    _, answer = await send(sdk, "GET", path, expect=200, version=NEWEST)
    [one] = answer["value"]
    assert (one["name"], one["properties"]["provisioningError"]) == ("b", error)
    await refused(sdk, "GET", f"{path}/{oid}", expect=404)
    await refused(sdk, "PUT", f"{path}/c", {}, expect=405)
