"""Creating, changing and deleting clusters of Managed Redis with azure-mgmt-redisenterprise, and by hand."""

from typing import Any

import jsonschema
import pytest
from azure.core.exceptions import HttpResponseError, ResourceExistsError

from sandbox.azure.control.client import Control
from sandbox.azure.seeds import seeds
from tests.contract import managed_shapes as shapes
from tests.contract.conftest import GROUP, OBJECT, SUBSCRIPTION, TENANT, Sdk
from tests.contract.managed_support import (
    AT_ONCE,
    CLUSTER,
    NAME,
    NEVER,
    NEWEST,
    SCOPE,
    SLOW,
    client_of,
    creation,
    properties,
    refused,
    seed,
    send,
)

HOURS = {"type": "Weekly", "duration": "PT6H", "startHourUtc": 3}
WINDOWS = [{**HOURS, "schedule": {"dayOfWeek": day}} for day in ("Monday", "Tuesday", "Wednesday")]


async def test_the_wire_of_a_creation(sdk: Sdk, control: Control) -> None:
    control.settings.change(**SLOW, managed_state_lag_seconds=NEVER)
    headers, made = await send(sdk, "PUT", CLUSTER, creation(), expect=201)
    jsonschema.validate(made, shapes.CLUSTER)
    given = made["properties"]
    assert (given["provisioningState"], given["resourceState"]) == ("Creating", "Creating")
    assert (given["hostName"], given["redundancyMode"]) == (
        f"orders.westeurope.managedredis.{control.endpoints.domain}",
        "ZR",
    )
    assert (made["tags"], made["identity"], made["location"]) == (None, {"type": "None"}, "West Europe")
    assert "Retry-After" not in headers
    control.clock.advance(NEVER + 1)
    _, ended = await send(sdk, "GET", headers["Azure-AsyncOperation"], expect=200)
    _, shown = await send(sdk, "GET", CLUSTER, expect=200)
    jsonschema.validate(shown, shapes.CLUSTER)
    states = (ended["status"], shown["properties"]["provisioningState"], shown["properties"]["resourceState"])
    assert (*states, shown["tags"]) == ("Succeeded", "Succeeded", "Creating", {})
    control.clock.advance(NEVER + 1)
    _, shown = await send(sdk, "GET", CLUSTER, expect=200)
    assert shown["properties"]["resourceState"] == "Running"
    [effect] = control.log.effects()
    assert (effect.kind, effect.target, effect.fields) == ("cluster.create", SCOPE, ("publicNetworkAccess",))


async def test_a_creation_by_the_sdk(sdk: Sdk, control: Control) -> None:
    control.settings.change(managed_state_lag_seconds=0)
    body = creation("ComputeOptimized_X5", tags={"team": "shop"}, properties={"highAvailability": "Disabled"})
    async with client_of(sdk) as client:
        made = await (await client.redis_enterprise.begin_create(GROUP, NAME, {**body, "location": "West US"})).result()
    assert (made.resource_state, made.redundancy_mode, made.tags) == ("Running", "None", {"team": "shop"})
    assert (made.sku.name, made.location, made.kind) == ("ComputeOptimized_X5", "West US", "v2")
    async with client_of(sdk) as client:
        body = creation(location="westus")
        made = await (await client.redis_enterprise.begin_create(GROUP, "other", body)).result()
    assert made.redundancy_mode == "LR"


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"zones": ["1", "2"]}, "Specifying zones for SKU 'Balanced_B5' is not supported"),
        ({"sku": {"name": "Balanced_B5", "capacity": 2}}, "Specifying capacity"),
        ({"sku": {"name": "Balanced_B4"}}, "sku.name"),
        ({"sku": None}, "sku.name"),
        (properties(), "publicNetworkAccess' is required"),
        (properties(publicNetworkAccess="Disabled", minimumTlsVersion="1.0"), "obsolete"),
        (properties(publicNetworkAccess="Disabled", minimumTlsVersion="1.1"), "obsolete"),
        (properties(publicNetworkAccess="Perhaps"), "publicNetworkAccess' is invalid"),
        ({"identity": {"type": "UserAssigned"}}, "'identity' is invalid"),
        ({"location": "atlantis"}, "Microsoft.Cache/redisEnterprise"),
        ({"tags": {"a?": "b"}}, "InvalidTagNameCharacters"),
        ({"sku": {"name": "Enterprise_E10", "capacity": 2}}, "BadRequest: Creation of new Azure Cache for Redis Ent"),
    ],
)
async def test_creations_that_are_refused(sdk: Sdk, control: Control, change: dict[str, Any], text: str) -> None:
    assert text in await refused(sdk, "PUT", CLUSTER, {**creation(), **change})
    assert control.managed_redis.get(NAME) is None


async def test_refused_by_the_surroundings(sdk: Sdk, control: Control) -> None:
    for name in ("-orders", "orders--a", "a" * 61):
        assert "name" in await refused(sdk, "PUT", CLUSTER.replace("orders", name), creation())
    control.managed_redis.take_name("ORDERS", "West Europe")
    assert "already exists or is in a conflicting state" in await refused(sdk, "PUT", CLUSTER, creation(), expect=409)
    elsewhere = {**creation(), "location": "northeurope"}
    await send(sdk, "PUT", CLUSTER, elsewhere, expect=201)
    control.seed(seeds.Region(name="uksouth", display="UK South", unavailable_skus=("Balanced_B5",)))
    body = {**creation(), "location": "uksouth"}
    assert "SkuNotAvailable" in await refused(sdk, "PUT", f"{CLUSTER}2", body)
    control.seed(seeds.Policy(scope=SCOPE, name="p", field="properties.publicNetworkAccess", value="Enabled"))
    control.clock.advance(60)
    control.clock.advance(60)
    open_ = {**elsewhere, **properties(publicNetworkAccess="Enabled")}
    assert "RequestDisallowedByPolicy" in await refused(sdk, "PUT", CLUSTER, open_, expect=403)
    control.seed(seeds.Lock(scope=SCOPE, name="l", level="CanNotDelete"))
    assert "ScopeLocked" in await refused(sdk, "DELETE", CLUSTER, expect=409)
    control.seed(seeds.Subscription(id=SUBSCRIPTION, tenant=TENANT, registered=False))
    assert "MissingSubscriptionRegistration" in await refused(sdk, "PUT", CLUSTER, elsewhere, expect=409)
    control.seed(seeds.Subscription(id=SUBSCRIPTION, tenant=TENANT, state="Disabled"))
    for method in ("PUT", "PATCH", "DELETE"):
        text = await refused(sdk, method, CLUSTER, elsewhere, expect=409)
        assert "ReadOnlyDisabledSubscription" in text


async def test_a_name_of_the_same_region_in_another_group(sdk: Sdk, control: Control) -> None:
    control.seed(seed().model_copy(update={"group": "other"}))
    async with client_of(sdk) as client:
        with pytest.raises(ResourceExistsError, match="conflicting state"):
            await client.redis_enterprise.begin_create(GROUP, NAME.upper(), creation())


@pytest.mark.parametrize(("customer", "status"), [(True, 201), (False, 400)])
async def test_the_retiring_tiers(sdk: Sdk, control: Control, *, customer: bool, status: int) -> None:
    control.seed(seeds.Tenant(id=TENANT, redis_customer=customer))
    control.settings.change(managed_enterprise_refused_for_all=False)
    body = {**creation(), "sku": {"name": "Enterprise_E10", "capacity": 4}, "zones": ["1", "2", "3"]}
    _, answer = await send(sdk, "PUT", CLUSTER, body, expect=status)
    if customer:
        assert (answer["kind"], answer["sku"]["capacity"], answer["zones"]) == ("v1", 4, ["1", "2", "3"])
    await send(sdk, "PUT", f"{CLUSTER}2", creation(), expect=201)


async def test_older_versions_do_not_need_public_network_access(sdk: Sdk, control: Control) -> None:
    await send(sdk, "PUT", CLUSTER, creation(properties={}) | properties(), expect=201, version="2025-04-01")


@pytest.mark.parametrize("looks_healthy", [True, False])
async def test_no_capacity(sdk: Sdk, control: Control, *, looks_healthy: bool) -> None:
    control.settings.change(managed_failed_looks_healthy_in_list=looks_healthy)
    control.managed_redis.run_out_of_capacity()
    async with client_of(sdk) as client:
        poller = await client.redis_enterprise.begin_create(GROUP, NAME, creation())
        with pytest.raises(HttpResponseError, match=r"InsufficientCapacity.*Retry using a different Azure Managed"):
            await poller.result()
        found = await client.redis_enterprise.get(GROUP, NAME)
        assert (found.provisioning_state, found.resource_state) == ("Failed", "CreateFailed")
        [listed] = [one async for one in client.redis_enterprise.list_by_resource_group(GROUP)]
        healthy = (listed.provisioning_state, listed.resource_state) == ("Succeeded", "Running")
        assert healthy is looks_healthy
        for change in (
            client.redis_enterprise.begin_create(GROUP, NAME, creation()),
            client.redis_enterprise.begin_update(GROUP, NAME, {"tags": {}}),
            client.databases.begin_create(GROUP, NAME, "default", properties()),
        ):
            with pytest.raises(ResourceExistsError, match="conflicting state"):
                await change
        await (await client.redis_enterprise.begin_delete(GROUP, NAME)).result()
        again = await client.redis_enterprise.begin_create(GROUP, NAME, creation())
        assert (await again.result()).provisioning_state == "Succeeded"


async def test_the_code_of_no_capacity(sdk: Sdk, control: Control) -> None:
    control.settings.change(managed_capacity_code="AllocationFailed")
    control.managed_redis.run_out_of_capacity()
    async with client_of(sdk) as client:
        with pytest.raises(HttpResponseError, match="AllocationFailed"):
            await (await client.redis_enterprise.begin_create(GROUP, NAME, creation())).result()


async def test_a_patch(sdk: Sdk, control: Control) -> None:
    control.seed(seed(tags={"a": "1", "b": "2"}, properties={"highAvailability": "Disabled"}))
    control.settings.change(**SLOW)
    body = {"tags": {"c": "3"}, **properties(publicNetworkAccess="Disabled", highAvailability="Enabled")}
    headers, answer = await send(sdk, "PATCH", CLUSTER, body, expect=202)
    assert answer is None
    assert "operationsStatus" in headers["Azure-AsyncOperation"]
    _, shown = await send(sdk, "GET", CLUSTER, expect=200)
    assert (shown["properties"]["provisioningState"], shown["properties"]["resourceState"]) == ("Updating", "Updating")
    assert "conflicting state" in await refused(sdk, "PATCH", CLUSTER, {"tags": {}}, expect=409)
    assert "conflicting state" in await refused(sdk, "DELETE", CLUSTER, expect=409)
    control.clock.advance(NEVER + 1)
    control.clock.advance(NEVER + 1)
    _, shown = await send(sdk, "GET", CLUSTER, expect=200)
    given = shown["properties"]
    assert (shown["tags"], given["publicNetworkAccess"], given["highAvailability"], given["resourceState"]) == (
        {"c": "3"},
        "Disabled",
        "Enabled",
        "Running",
    )
    assert given["redundancyMode"] == "ZR"
    [effect] = control.log.effects()
    names = ("properties.highAvailability", "properties.publicNetworkAccess", "tags")
    assert (effect.kind, effect.fields) == ("cluster.update", names)


@pytest.mark.parametrize("wanted", [True, False])
async def test_a_patch_answered_200(sdk: Sdk, control: Control, *, wanted: bool) -> None:
    control.seed(seed())
    control.settings.change(**SLOW, managed_patch_status=200, managed_shows_wanted_values=wanted)
    _, shown = await send(sdk, "PATCH", CLUSTER, properties(publicNetworkAccess="Disabled"), expect=200)
    assert shown["properties"]["provisioningState"] == "Updating"
    assert shown["properties"]["publicNetworkAccess"] == ("Disabled" if wanted else "Enabled")
    control.clock.advance(NEVER + 1)
    _, shown = await send(sdk, "GET", CLUSTER, expect=200)
    assert shown["properties"]["publicNetworkAccess"] == "Disabled"


async def test_a_patch_by_the_sdk(sdk: Sdk, control: Control) -> None:
    control.seed(seed())
    async with client_of(sdk) as client:
        body = {"sku": {"name": "Balanced_B10"}, "tags": {"a": "b"}}
        await (await client.redis_enterprise.begin_update(GROUP, NAME, body)).result()
        found = await client.redis_enterprise.get(GROUP, NAME)
    assert (found.sku.name, found.tags) == ("Balanced_B10", {"a": "b"})


async def test_changes_that_are_refused(sdk: Sdk, control: Control) -> None:
    control.seed(seed(database={"clusteringPolicy": "NoCluster"}))
    for change in (
        properties(highAvailability="Disabled"),
        properties(minimumTlsVersion="1.1"),
        {"sku": {"name": "FlashOptimized_A250"}},
        {"sku": {"name": "Balanced_B50"}},  # the database has no cluster mode
        {"sku": {"name": "Enterprise_E10"}},
        {"identity": {"type": "Owner"}},
    ):
        await refused(sdk, "PATCH", CLUSTER, change)
    assert "InvalidResourceLocation" in await refused(
        sdk, "PUT", CLUSTER, {**creation(), "location": "westus"}, expect=409
    )
    await refused(sdk, "PATCH", f"{CLUSTER}2", {}, expect=404)
    assert control.log.effects() == []


async def test_scaling(sdk: Sdk, control: Control) -> None:
    control.seed(seed())
    control.settings.change(**SLOW)
    async with client_of(sdk) as client:
        listed = {
            one.name: one.size_in_gb for one in (await client.redis_enterprise.list_skus_for_scaling(GROUP, NAME)).skus
        }
    assert (listed["MemoryOptimized_M100"], listed["ComputeOptimized_X700"]) == (120, 720)
    assert not {"Balanced_B5", "FlashOptimized_A250", "Enterprise_E10"} & set(listed)
    assert control.log.writes() == []
    await send(sdk, "PATCH", CLUSTER, {"sku": {"name": "MemoryOptimized_M100"}}, expect=202)
    _, shown = await send(sdk, "GET", CLUSTER, expect=200)
    assert shown["properties"]["resourceState"] == "Scaling"
    control.clock.advance(NEVER + 1)
    assert (control.managed_redis.get(NAME) or {})["sku"] == {"name": "MemoryOptimized_M100"}


async def test_only_flash_replaces_flash(sdk: Sdk, control: Control) -> None:
    control.seed(seed(sku={"name": "FlashOptimized_A250"}))
    async with client_of(sdk) as client:
        listed = (await client.redis_enterprise.list_skus_for_scaling(GROUP, NAME)).skus
    assert {one.name.partition("_")[0] for one in listed} == {"FlashOptimized"}


@pytest.mark.parametrize("replaces", [True, False])
async def test_a_put_of_an_existing_cluster(sdk: Sdk, control: Control, *, replaces: bool) -> None:
    windows = {"maintenanceWindows": WINDOWS}
    control.seed(seed(tags={"a": "1"}, properties={"maintenanceConfiguration": windows, "somethingNew": 7}))
    control.settings.change(**AT_ONCE, managed_cluster_put_replaces=replaces)
    _, shown = await send(sdk, "PUT", CLUSTER, creation(), expect=200, version=NEWEST)
    assert (shown["properties"]["provisioningState"], shown["properties"]["resourceState"]) == ("Updating", "Updating")
    _, shown = await send(sdk, "GET", CLUSTER, expect=200, version=NEWEST)
    given = shown["properties"]
    assert (shown["tags"], given["publicNetworkAccess"], given["somethingNew"]) == ({}, "Disabled", 7)
    assert ("maintenanceConfiguration" in given) is not replaces


async def test_maintenance_windows(sdk: Sdk, control: Control) -> None:
    control.seed(seed())
    control.settings.change(**AT_ONCE)
    given = properties(maintenanceConfiguration={"maintenanceWindows": WINDOWS})
    await send(sdk, "PATCH", CLUSTER, given, expect=202)  # an older version does not know it
    assert (
        "maintenanceConfiguration" not in (await send(sdk, "GET", CLUSTER, expect=200, version=NEWEST))[1]["properties"]
    )
    await send(sdk, "PATCH", CLUSTER, given, expect=202, version=NEWEST)
    _, shown = await send(sdk, "GET", CLUSTER, expect=200, version=NEWEST)
    assert shown["properties"]["maintenanceConfiguration"] == {"maintenanceWindows": WINDOWS}
    assert "maintenanceConfiguration" not in (await send(sdk, "GET", CLUSTER, expect=200))[1]["properties"]
    short = [{**one, "duration": "PT3H"} for one in WINDOWS]
    for wrong in (WINDOWS[:1], WINDOWS[:2], short, [{**WINDOWS[0], "duration": "6h"}] * 3, "always"):
        body = properties(maintenanceConfiguration={"maintenanceWindows": wrong})
        await refused(sdk, "PATCH", CLUSTER, body, version=NEWEST)
    await send(sdk, "PATCH", CLUSTER, properties(maintenanceConfiguration={}), expect=202, version=NEWEST)
    assert (
        "maintenanceConfiguration" not in (await send(sdk, "GET", CLUSTER, expect=200, version=NEWEST))[1]["properties"]
    )


@pytest.mark.parametrize("missing", [204, 404])
async def test_a_deletion(sdk: Sdk, control: Control, missing: int) -> None:
    control.seed(seed())
    control.settings.change(**SLOW, delete_missing_status=missing)
    headers, answer = await send(sdk, "DELETE", CLUSTER, expect=202)
    assert (answer, "Azure-AsyncOperation" in headers) == (None, True)
    assert (control.managed_redis.get(NAME) or {})["properties"]["resourceState"] == "Deleting"
    control.clock.advance(NEVER + 1)
    assert control.managed_redis.get(NAME) is None
    assert (await send(sdk, "GET", headers["Azure-AsyncOperation"], expect=200))[1]["status"] == "Succeeded"
    await send(sdk, "DELETE", CLUSTER, expect=missing)
    assert [effect.kind for effect in control.log.effects()] == ["cluster.delete"]


@pytest.mark.parametrize(
    ("method", "path", "action"),
    [
        ("PUT", CLUSTER, "write"),
        ("PATCH", CLUSTER, "write"),
        ("DELETE", CLUSTER, "delete"),
        ("POST", f"{CLUSTER}/listSkusForScaling", "listSkusForScaling/action"),
        ("GET", f"{CLUSTER}/operationresults/1", "operationResults/read"),
        ("PUT", f"{CLUSTER}/databases/default", "databases/write"),
        ("PATCH", f"{CLUSTER}/databases/default", "databases/write"),
        ("DELETE", f"{CLUSTER}/databases/default", "databases/delete"),
        ("POST", f"{CLUSTER}/databases/default/listKeys", "databases/listKeys/action"),
        ("POST", f"{CLUSTER}/databases/default/regenerateKey", "databases/regenerateKey/action"),
        ("GET", f"{CLUSTER}/databases/default/operationresults/1", "databases/operationResults/read"),
        ("GET", f"{CLUSTER}/databases/default/accessPolicyAssignments", "databases/accessPolicyAssignments/read"),
    ],
)
async def test_the_right_to_each_call(sdk: Sdk, control: Control, method: str, path: str, action: str) -> None:
    control.seed(seed())
    control.access.unassign(OBJECT)
    every = ("Microsoft.Cache/*",)
    right = f"Microsoft.Cache/redisEnterprise/{action}"
    control.seed(seeds.RoleAssignment(object_id=OBJECT, scope=SCOPE, actions=every, not_actions=(right,)))
    assert f"'{right}'" in await refused(sdk, method, path, {}, expect=403)
    assert control.log.effects() == []


async def test_an_identity_that_the_caller_may_not_use(sdk: Sdk, control: Control) -> None:
    identity = "/subscriptions/s/resourceGroups/g/providers/Microsoft.ManagedIdentity/userAssignedIdentities/one"
    body = creation(identity={"type": "UserAssigned", "userAssignedIdentities": {identity: {}}})
    text = await refused(sdk, "PUT", CLUSTER, body, expect=403)
    assert "LinkedAuthorizationFailed" in text
    assert "Microsoft.Cache/redisEnterprise/write" in text


async def test_the_activity_log(sdk: Sdk, control: Control) -> None:
    control.settings.change(**AT_ONCE)
    await send(sdk, "PUT", CLUSTER, creation(), expect=201)
    await send(sdk, "PUT", f"{CLUSTER}/databases/default", properties(), expect=201)
    control.managed_redis.update(NAME, tags={"a": "b"})
    token = await sdk.credential().get_token(control.endpoints.management_scope)
    base = f"{control.endpoints.management}/subscriptions/{SUBSCRIPTION}/providers/Microsoft.Insights"
    url = f"{base}/eventtypes/management/values"
    query = {"api-version": "2015-04-01", "$filter": "eventTimestamp ge '2020-01-01T00:00:00Z'"}
    async with sdk.session.get(url, params=query, headers={"Authorization": f"Bearer {token.token}"}) as answer:
        events = (await answer.json())["value"]
    kinds = [(one["operationName"]["value"], one["caller"] == OBJECT) for one in reversed(events)]
    assert kinds == [
        ("Microsoft.Cache/redisEnterprise/write", True),
        ("Microsoft.Cache/redisEnterprise/databases/write", True),
        ("Microsoft.Cache/redisEnterprise/write", False),
    ]
