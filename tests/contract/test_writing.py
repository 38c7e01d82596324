"""Creating, changing and deleting caches with azure-mgmt-redis: ladders, normalisation, and what is answered when."""

from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

import jsonschema
import pytest
from azure.core.exceptions import HttpResponseError, ResourceExistsError, ResourceNotFoundError

from sandbox.azure.control.client import Control
from sandbox.azure.seeds import seeds
from tests.contract import shapes
from tests.contract.conftest import GROUP, OBJECT, SUBSCRIPTION, Sdk, cache_seed

STANDARD: dict[str, Any] = {"name": "Standard", "family": "C", "capacity": 1}
PREMIUM: dict[str, Any] = {"name": "Premium", "family": "p", "capacity": 1}
NEVER = 600.0  # seconds: an operation that ends only when the clock is put forward


def creation(sku: dict[str, Any] | None = None, **properties: Any) -> dict[str, Any]:
    return {"location": "westus2", "properties": {"sku": sku or STANDARD, **properties}}


async def test_a_creation_is_normalised(sdk: Sdk, control: Control) -> None:
    control.settings.change(create_seconds=NEVER)
    body = creation(PREMIUM, redisVersion="6", redisConfiguration={"maxmemory-delta": "10"})
    body["tags"] = {"team": "Shop"}
    async with sdk.redis() as client:
        await client.redis.begin_create(GROUP, "orders", body, polling=False)
        found = await client.redis.get(GROUP, "orders")
        assert found.provisioning_state == "Creating"
        assert found.access_keys is None
        control.clock.advance(NEVER + 1)
        found = await client.redis.get(GROUP, "orders")
    assert found.provisioning_state == "Succeeded"
    assert (found.location, found.redis_version, found.sku.family) == ("West US 2", "6.0", "P")
    settings = found.redis_configuration
    assert (settings.maxmemory_delta, settings.maxclients) == ("642", "7500")
    assert (settings.maxmemory_reserved, settings.maxfragmentationmemory_reserved) == ("642", "642")
    assert found.minimum_tls_version is None
    assert found.public_network_access == "Enabled"
    assert found.enable_non_ssl_port is False
    assert found.tags == {"team": "Shop"}


async def _put(sdk: Sdk, name: str, body: dict[str, Any], expect: int) -> tuple[int, dict[str, str], Any]:
    return await send(sdk, "PUT", f"/providers/Microsoft.Cache/redis/{name}", body, expect)


async def send(
    sdk: Sdk, method: str, path: str, body: Any = None, expect: int | None = None
) -> tuple[int, dict[str, str], Any]:
    """A raw request through the official pipeline's credential, for what the SDK's models do not show."""
    token = await sdk.credential().get_token(sdk.control.endpoints.management_scope)
    base = f"{sdk.control.endpoints.management}/subscriptions/{SUBSCRIPTION}/resourceGroups/{GROUP}"
    url = path if path.startswith("https://") else f"{base}{path}?api-version=2024-11-01"
    async with sdk.session.request(
        method, url, json=body, headers={"Authorization": f"Bearer {token.token}"}
    ) as answer:
        text = await answer.read()
        if expect is not None:
            assert answer.status == expect, text
        return answer.status, dict(answer.headers), (await answer.json()) if text else None


async def test_the_wire_of_a_creation(sdk: Sdk, control: Control) -> None:
    control.settings.change(create_seconds=NEVER)
    _, headers, shown = await _put(sdk, "orders", creation(), expect=201)
    assert shown["properties"]["provisioningState"] == "Creating"
    jsonschema.validate(shown, shapes.CACHE)
    keys = shown["properties"]["accessKeys"]
    assert [len(keys["primaryKey"]), len(keys["secondaryKey"])] == [44, 44]
    operation = headers["Azure-AsyncOperation"]
    prefix = f"{control.endpoints.management}/subscriptions/{SUBSCRIPTION}/providers/Microsoft.Cache/locations/"
    assert operation.startswith(f"{prefix}West%20US%202/asyncOperations/")
    assert "Retry-After" not in headers
    assert "/redis/orders" in headers["Location"]
    _, polled, status = await send(sdk, "GET", operation, expect=200)
    assert status["status"] == "InProgress"
    jsonschema.validate(status, shapes.OPERATION)
    assert set(status) == {
        "id", "name", "status", "startTime", "endTime", "percentComplete", "properties", "error",
    }  # fmt: skip
    assert polled["Azure-AsyncOperation"] == operation
    control.clock.advance(NEVER + 1)
    assert (await send(sdk, "GET", operation))[2]["status"] == "Succeeded"
    _, again_headers, again = await _put(sdk, "orders", creation(), expect=200)
    assert "Azure-AsyncOperation" not in again_headers
    assert again["properties"]["accessKeys"] == keys
    assert again["properties"]["provisioningState"] == "Succeeded"


async def test_a_premium_cache_with_everything_has_the_described_shape(sdk: Sdk, control: Control) -> None:
    identity = "/subscriptions/s/resourceGroups/g/providers/Microsoft.ManagedIdentity/userAssignedIdentities/one"
    control.seed(seeds.RoleAssignment(object_id=OBJECT, scope=identity, actions=("*",)))
    connection = "DefaultEndpointsProtocol=https;AccountName=backup;AccountKey=canary;EndpointSuffix=core.windows.net"
    settings = {"rdb-backup-enabled": "true", "rdb-backup-frequency": "60", "rdb-storage-connection-string": connection}
    body = creation(PREMIUM, shardCount=2, replicasPerPrimary=2, enableNonSslPort=True, redisConfiguration=settings)
    body |= {"zones": ["1", "2"], "tags": {"team": "shop"}}
    body["identity"] = {"type": "SystemAssigned, UserAssigned", "userAssignedIdentities": {identity: {}}}
    _, _, made = await send(sdk, "PUT", "/providers/Microsoft.Cache/redis/orders", body, expect=201)
    control.clock.advance(60)
    control.redis.set_private_endpoint("orders", "pe1")
    _, _, shown = await send(sdk, "GET", "/providers/Microsoft.Cache/redis/orders", expect=200)
    for one in (made, shown):
        jsonschema.validate(one, shapes.CACHE)
    assert "canary" not in str(shown)
    properties = shown["properties"]
    assert (
        "AccountName=backup;AccountKey=[key hidden]"
        in properties["redisConfiguration"]["rdb-storage-connection-string"]
    )
    assert len(properties["instances"]) == 6
    assert properties["instances"][0]["nonSslPort"] == 13000
    assert (properties["zonalAllocationPolicy"], properties["replicasPerMaster"]) == ("UserDefined", 2)


async def test_settings_must_be_strings(sdk: Sdk) -> None:
    """The SDK's models turn them into strings; who sends raw bodies learns it from the service."""
    body = creation(PREMIUM, redisConfiguration={"aof-backup-enabled": True})
    _, _, refused = await _put(sdk, "orders", body, expect=400)
    assert refused["error"]["code"] == "InvalidRequestBody"
    assert "'aof-backup-enabled' is invalid.\r\nRequestID=" in refused["error"]["message"]


async def test_begin_create_polls_to_the_end(sdk: Sdk) -> None:
    async with sdk.redis() as client:
        poller = await client.redis.begin_create(GROUP, "orders", creation())
        made = await poller.result()
        assert made.provisioning_state == "Succeeded"
        keys = await client.redis.list_keys(GROUP, "orders")
    assert len(keys.primary_key) == 44


PATH = "/providers/Microsoft.Cache/redis/orders"
ASSIGNED = "/subscriptions/s/resourceGroups/g/providers/Microsoft.ManagedIdentity/userAssignedIdentities/one"


@pytest.mark.parametrize(
    ("before", "body"),
    [
        ({"enableNonSslPort": True}, {"properties": {"enableNonSslPort": False}, "tags": {"c": "3"}}),
        ({}, {"properties": {"updateChannel": "Preview"}}),
        ({"disableAccessKeyAuthentication": True}, {"properties": {"disableAccessKeyAuthentication": False}}),
        ({}, {"properties": {"redisConfiguration": {"maxmemory-policy": "noeviction"}}}),
    ],
)
async def test_most_changes_are_done_by_the_answer(
    sdk: Sdk, control: Control, before: dict[str, Any], body: dict[str, Any]
) -> None:
    control.seed(cache_seed(tags={"a": "1", "b": "2"}, properties=before))
    control.settings.change(update_seconds=NEVER)
    _, headers, shown = await send(sdk, "PATCH", PATH, body, expect=200)
    assert {"Azure-AsyncOperation", "Location"}.isdisjoint(headers)
    assert shown["properties"]["provisioningState"] == "Succeeded"
    assert shown["properties"]["accessKeys"] is None
    wanted = {**body["properties"]}
    settings = wanted.pop("redisConfiguration", {})
    assert {name: shown["properties"][name] for name in wanted} == wanted
    assert {name: shown["properties"]["redisConfiguration"][name] for name in settings} == settings
    assert shown["tags"] == body.get("tags", {"a": "1", "b": "2"})  # tags replace all tags
    assert (await send(sdk, "GET", PATH, expect=200))[2] == shown
    [effect] = control.log.effects()
    assert effect.kind == "cache.update"


@pytest.mark.parametrize(
    ("body", "state"),
    [
        ({"properties": {"publicNetworkAccess": "Disabled"}, "tags": {"a": "1"}}, "Updating"),
        ({"properties": {"redisConfiguration": {"aad-enabled": "true"}}}, "ConfiguringAAD"),
        ({"properties": {"minimumTlsVersion": "1.2"}}, "Updating"),  # never recorded
    ],
)
async def test_other_changes_are_an_operation_that_shows_the_old_values(
    sdk: Sdk, control: Control, body: dict[str, Any], state: str
) -> None:
    control.seed(cache_seed(absent=("minimumTlsVersion",)))
    control.settings.change(update_seconds=NEVER)
    _, _, before = await send(sdk, "GET", PATH, expect=200)
    _, headers, shown = await send(sdk, "PATCH", PATH, body, expect=202)
    assert headers["Location"] == headers["Azure-AsyncOperation"]
    assert shown["properties"].pop("provisioningState") == state
    before["properties"].pop("provisioningState")
    assert shown == before
    control.clock.advance(NEVER + 1)
    _, _, after = await send(sdk, "GET", PATH, expect=200)
    assert after["properties"]["provisioningState"] == "Succeeded"
    assert after != before


async def test_an_identity_is_shown_at_once(sdk: Sdk, control: Control) -> None:
    control.seed(cache_seed(), seeds.RoleAssignment(object_id=OBJECT, scope=ASSIGNED, actions=("*",)))
    control.settings.change(update_seconds=NEVER)
    body: dict[str, Any] = {"identity": {"type": "SystemAssigned"}, "properties": {"publicNetworkAccess": "Enabled"}}
    _, headers, shown = await send(sdk, "PATCH", PATH, body, expect=202)  # public access does not change
    assert "Azure-AsyncOperation" in headers
    assert shown["properties"]["provisioningState"] == "UpdatingManagedIdentity"
    principal = shown["identity"]["principalId"]
    control.clock.advance(NEVER + 1)
    both = {"type": "SystemAssigned, UserAssigned", "userAssignedIdentities": {ASSIGNED: {}}}
    _, _, shown = await send(sdk, "PATCH", PATH, {"identity": both}, expect=202)
    assert shown["identity"]["principalId"] == principal
    control.clock.advance(NEVER + 1)
    two = {"identity": {"type": "None"}, "properties": {"publicNetworkAccess": "Disabled"}}
    _, _, refused = await send(sdk, "PATCH", PATH, two, expect=400)
    assert "'properties.publicNetworkAccess,identity'." in refused["error"]["message"]
    await send(sdk, "PATCH", PATH, {"identity": {"type": "None"}}, expect=202)


async def test_a_change_of_size_is_under_way_without_an_operation_to_poll(sdk: Sdk, control: Control) -> None:
    control.seed(cache_seed(sku=seeds_sku("Standard", 1), properties={"enableNonSslPort": True}))
    control.settings.change(scale_seconds=NEVER)
    body = {"properties": {"sku": seeds_sku("Standard", 2), "enableNonSslPort": False}}
    _, headers, shown = await send(sdk, "PATCH", PATH, body, expect=200)
    assert {"Azure-AsyncOperation", "Location"}.isdisjoint(headers)
    assert (shown["properties"]["provisioningState"], shown["properties"]["sku"]["capacity"]) == ("Scaling", 1)
    assert shown["properties"]["enableNonSslPort"] is False
    assert shown["properties"]["redisConfiguration"]["maxclients"] == "1000"
    await send(sdk, "PATCH", PATH, {"tags": {}}, expect=409)
    control.clock.advance(NEVER + 1)
    _, _, after = await send(sdk, "GET", PATH, expect=200)
    assert (after["properties"]["provisioningState"], after["properties"]["sku"]["capacity"]) == ("Succeeded", 2)
    assert after["properties"]["redisConfiguration"]["maxclients"] == "2000"


async def test_a_put_that_does_not_name_public_access_opens_the_cache(sdk: Sdk, control: Control) -> None:
    """The most likely way in which a closed cache is opened: `az redis create` again, or another controller."""
    body = creation()
    await _put(sdk, "orders", body, expect=201)
    control.clock.advance(60)
    await send(sdk, "PATCH", PATH, {"properties": {"publicNetworkAccess": "Disabled"}}, expect=202)
    control.clock.advance(60)
    assert (await send(sdk, "GET", PATH))[2]["properties"]["publicNetworkAccess"] == "Disabled"
    _, headers, shown = await _put(sdk, "orders", body, expect=200)
    assert "Azure-AsyncOperation" in headers
    assert "Location" not in headers
    assert (shown["properties"]["provisioningState"], shown["properties"]["publicNetworkAccess"]) == (
        "Updating",
        "Disabled",
    )
    control.clock.advance(60)
    assert (await send(sdk, "GET", PATH))[2]["properties"]["publicNetworkAccess"] == "Enabled"


def seeds_sku(name: str, capacity: int) -> dict[str, Any]:
    return {"name": name, "family": "C", "capacity": capacity}


async def test_the_typed_update_model_injects_unrequested_defaults(sdk: Sdk, control: Control) -> None:
    """The operator must avoid this by sending a raw body."""
    from azure.mgmt.redis.models import RedisUpdateParameters

    control.seed(cache_seed(properties={"publicNetworkAccess": "Disabled"}))
    async with sdk.redis() as client:
        await (await client.redis.begin_update(GROUP, "orders", RedisUpdateParameters(tags={"a": "1"}))).result()
        opened = await client.redis.get(GROUP, "orders")
        control.redis.update("orders", {"publicNetworkAccess": "Disabled"})
        await (await client.redis.begin_update(GROUP, "orders", {"tags": {"a": "2"}})).result()
        kept = await client.redis.get(GROUP, "orders")
    assert (opened.public_network_access, kept.public_network_access) == ("Enabled", "Disabled")


async def test_delete_is_polled_at_its_results_url(sdk: Sdk, control: Control) -> None:
    control.seed(cache_seed())
    control.settings.change(delete_seconds=NEVER)
    path = "/providers/Microsoft.Cache/redis/orders"
    _, headers, body = await send(sdk, "DELETE", path, expect=202)
    assert body is None
    assert "/operationresults/" in headers["Location"]
    assert "Azure-AsyncOperation" not in headers  # the poll brings it
    _, polled_headers, polled = await send(sdk, "GET", headers["Location"], expect=202)
    assert polled["status"] == "InProgress"
    assert polled_headers["Azure-AsyncOperation"] == headers["Location"]
    assert (await send(sdk, "GET", path))[2]["properties"]["provisioningState"] == "Deleting"
    control.clock.advance(NEVER + 1)
    _, _, ended = await send(sdk, "GET", headers["Location"], expect=200)
    assert ended["status"] == "Succeeded"
    await send(sdk, "GET", path, expect=404)


async def test_begin_delete_and_deleting_what_is_not_there(sdk: Sdk, control: Control) -> None:
    control.seed(cache_seed())
    async with sdk.redis() as client:
        await (await client.redis.begin_delete(GROUP, "orders")).result()
        with pytest.raises(ResourceNotFoundError):
            await client.redis.get(GROUP, "orders")
        await (await client.redis.begin_delete(GROUP, "orders")).result()
        with control.settings.during(delete_missing_status=404), pytest.raises(ResourceNotFoundError):
            await client.redis.begin_delete(GROUP, "orders")


async def test_a_linked_cache_is_not_deleted(sdk: Sdk, control: Control) -> None:
    control.seed(cache_seed(linked_servers=("other",)))
    _, _, refused = await send(sdk, "DELETE", PATH, expect=400)
    assert refused["error"]["code"] == "BadRequest"
    assert refused["error"]["message"].startswith("Cannot delete 'orders' since it has linked servers associated")
    control.redis.update("orders", {"linkedServers": []})
    await send(sdk, "DELETE", PATH, expect=202)


async def test_one_operation_at_a_time_for_the_cache_and_its_children(sdk: Sdk, control: Control) -> None:
    control.seed(cache_seed(firewall_rules=(seeds.FirewallRule(name="one", start="10.0.0.1", end="10.0.0.9"),)))
    control.settings.change(update_seconds=NEVER)
    text = "is busy processing a previous update request or is undergoing system maintenance."
    rule = {"properties": {"startIP": "10.0.0.1", "endIP": "10.0.0.1"}}
    async with sdk.redis() as client:
        closing = {"properties": {"publicNetworkAccess": "Disabled"}}
        await client.redis.begin_update(GROUP, "orders", closing, polling=False)
        refused: list[HttpResponseError] = []
        writes: tuple[Callable[[], Awaitable[Any]], ...] = (
            lambda: client.redis.begin_update(GROUP, "orders", {"tags": {}}, polling=False),
            lambda: client.redis.begin_delete(GROUP, "orders", polling=False),
            lambda: client.redis.regenerate_key(GROUP, "orders", {"keyType": "Primary"}),
            lambda: client.firewall_rules.create_or_update(GROUP, "orders", "two", rule),
            lambda: client.firewall_rules.delete(GROUP, "orders", "one"),
        )
        for write in writes:
            with pytest.raises(ResourceExistsError) as error:
                await write()
            refused.append(error.value)
        assert (await client.redis.list_keys(GROUP, "orders")).primary_key
        control.clock.advance(NEVER + 1)
        await client.firewall_rules.create_or_update(GROUP, "orders", "two", rule)
    assert all(text in error.message for error in refused)
    assert {error.error.code for error in refused if error.error} == {"Conflict"}


async def test_a_cache_stuck_in_provisioning_takes_no_update(sdk: Sdk, control: Control) -> None:
    control.seed(cache_seed(properties={"provisioningState": "Scaling"}))
    async with sdk.redis() as client:
        with pytest.raises(ResourceExistsError, match="is busy processing"):
            await client.redis.begin_update(GROUP, "orders", {"tags": {}})
        control.redis.update("orders", {"provisioningState": "Failed"})
        await (await client.redis.begin_update(GROUP, "orders", {"tags": {"a": "1"}})).result()
        assert (await client.redis.get(GROUP, "orders")).provisioning_state == "Succeeded"


async def test_an_operation_leaves_alone_what_it_was_not_asked_to_change(sdk: Sdk, control: Control) -> None:
    control.seed(cache_seed())
    control.settings.change(update_seconds=NEVER)
    async with sdk.redis() as client:
        closing = {"properties": {"publicNetworkAccess": "Disabled"}}
        await client.redis.begin_update(GROUP, "orders", closing, polling=False)
        control.redis.update("orders", {"enableNonSslPort": True})
        control.clock.advance(NEVER + 1)
        found = await client.redis.get(GROUP, "orders")
    assert (found.public_network_access, found.enable_non_ssl_port) == ("Disabled", True)


@pytest.mark.parametrize(
    ("outcome", "code"),
    [
        ("Failed", "AzureCacheForRedisLongRunningOperationFailure"),
        ("FailedWithoutError", None),
        ("SucceededButResourceFailed", ""),
    ],
)
async def test_operations_that_fail(sdk: Sdk, control: Control, outcome: str, code: str | None) -> None:
    control.settings.change(operation_outcome=outcome)
    async with sdk.redis() as client:
        poller = await client.redis.begin_create(GROUP, "orders", creation())
        if outcome == "SucceededButResourceFailed":
            made = await poller.result()
            assert made.provisioning_state == "Failed"
        else:
            with pytest.raises(HttpResponseError) as failed:
                await poller.result()
            assert failed.value.status_code == 200
            assert (failed.value.error.code if failed.value.error else None) == code
        found = await client.redis.get(GROUP, "orders")
    assert found.provisioning_state == "Failed"


async def test_regenerate_changes_exactly_one_key_at_once(sdk: Sdk, control: Control) -> None:
    control.seed(cache_seed(primary_key="p", secondary_key="s"))
    async with sdk.redis() as client:
        answer = await client.redis.regenerate_key(GROUP, "orders", {"keyType": "Secondary"})
        listed = await client.redis.list_keys(GROUP, "orders")
        with pytest.raises(HttpResponseError, match="keyType"):
            await client.redis.regenerate_key(GROUP, "orders", {"keyType": "Third"})
    assert answer.primary_key == listed.primary_key == "p"
    assert answer.secondary_key == listed.secondary_key != "s"
    assert len(answer.secondary_key) == 44
    assert [r.is_write for r in control.log.requests(path="regenerateKey")] == [True, True]


async def test_firewall_rules(sdk: Sdk, control: Control) -> None:
    control.seed(cache_seed())
    rule = {"properties": {"startIP": "10.0.0.1", "endIP": "10.0.0.9"}}
    async with sdk.redis() as client:
        made = await client.firewall_rules.create_or_update(GROUP, "orders", "office", rule)
        again = await client.firewall_rules.create_or_update(GROUP, "orders", "office", rule)
        listed = [(one.start_ip, one.end_ip) async for one in client.firewall_rules.list(GROUP, "orders")]
        for bad in ({"startIP": "10.0.0.9", "endIP": "10.0.0.1"}, {"startIP": "::1", "endIP": "::1"}):
            with pytest.raises(HttpResponseError) as error:
                await client.firewall_rules.create_or_update(GROUP, "orders", "bad", {"properties": bad})
            assert error.value.status_code == 400
        await client.firewall_rules.delete(GROUP, "orders", "office")
        await client.firewall_rules.delete(GROUP, "orders", "office")
        with pytest.raises(ResourceNotFoundError):
            await client.firewall_rules.get(GROUP, "orders", "office")
    assert made.name == again.name == "orders/office"
    assert listed == [("10.0.0.1", "10.0.0.9")]
    statuses = [r.status for r in control.log.requests(path="firewallRules/office")]
    assert statuses == [201, 200, 200, 204, 404]


async def test_a_patch_schedule_is_replaced_as_a_whole(sdk: Sdk, control: Control) -> None:
    """The public API examples answer both 201 and 200; that 201 is the first one is not verified."""
    control.seed(cache_seed())
    entries = [{"dayOfWeek": "monday", "startHourUtc": 12, "maintenanceWindow": "PT5H"}]
    async with sdk.redis() as client:
        for given in (entries, [{"dayOfWeek": "Weekend", "startHourUtc": 3}]):
            body = {"properties": {"scheduleEntries": given}}
            await client.patch_schedules.create_or_update(GROUP, "orders", "default", body)
        for wrong in ({"dayOfWeek": "Someday"}, {"startHourUtc": 24}, {"maintenanceWindow": "PT4H"}):
            body = {"properties": {"scheduleEntries": [{**entries[0], **wrong}]}}
            with pytest.raises(HttpResponseError, match="is invalid"):
                await client.patch_schedules.create_or_update(GROUP, "orders", "default", body)
        schedule = await client.patch_schedules.get(GROUP, "orders", "default")
    assert [(one.day_of_week, one.start_hour_utc) for one in schedule.schedule_entries] == [("Weekend", 3)]
    assert schedule.schedule_entries[0].maintenance_window == timedelta(hours=5)
    statuses = [r.status for r in control.log.requests(path="patchSchedules")]
    assert statuses == [201, 200, 400, 400, 400, 200]


async def test_private_endpoints_and_patch_schedules_are_read(sdk: Sdk, control: Control) -> None:
    control.seed(cache_seed())
    control.redis.set_private_endpoint("orders", "pe1")
    async with sdk.redis() as client:
        [pending] = [one async for one in client.private_endpoint_connections.list(GROUP, "orders")]
        control.redis.set_private_endpoint("orders", "pe1", "Approved")
        approved = await client.private_endpoint_connections.get(GROUP, "orders", "pe1")
        with pytest.raises(ResourceNotFoundError, match="There are no patch schedules found"):
            [one async for one in client.patch_schedules.list_by_redis_resource(GROUP, "orders")]
        cache = await client.redis.get(GROUP, "orders")
    assert pending.private_link_service_connection_state.status == "Pending"
    assert approved.private_link_service_connection_state.status == "Approved"
    assert len(cache.private_endpoint_connections) == 1
    assert pending.provisioning_state == approved.provisioning_state == "Succeeded"
