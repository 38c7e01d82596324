"""The refusals of ARM and the cache service, in their words."""

from typing import Any

import pytest
from azure.core.exceptions import HttpResponseError, ResourceExistsError, ResourceNotFoundError

from sandbox.azure.control.client import Control
from sandbox.azure.seeds import seeds
from tests.contract.conftest import GROUP, OBJECT, SUBSCRIPTION, TENANT, Sdk, cache_seed
from tests.contract.test_writing import PREMIUM, STANDARD, creation

BASIC = {"name": "Basic", "family": "C", "capacity": 1}
SCOPE = seeds.cache_scope(SUBSCRIPTION, GROUP, "orders")


async def refused(coroutine: Any) -> tuple[int | None, str | None, str]:
    with pytest.raises(HttpResponseError) as error:
        await coroutine
    return error.value.status_code, error.value.error.code if error.value.error else None, error.value.message


async def test_retirement(sdk: Sdk, control: Control) -> None:
    control.seed(seeds.Tenant(id=TENANT, redis_customer=False))
    async with sdk.redis() as client:
        status, code, text = await refused(client.redis.begin_create(GROUP, "orders", creation()))
        assert (status, code) == (400, "BadRequest")
        assert "Azure Cache for Redis is retiring, create Azure Managed Redis instance instead." in text
        assert control.redis.get("orders") is None
        control.settings.change(retired_for_new_tenants=False)
        await client.redis.begin_create(GROUP, "orders", creation(), polling=False)


async def test_names(sdk: Sdk, control: Control) -> None:
    control.redis.take_name("taken")
    parameters = {"name": "taken", "type": "Microsoft.Cache/Redis"}
    async with sdk.redis() as client:
        status, code, _ = await refused(client.redis.begin_create(GROUP, "taken", creation()))
        assert (status, code) == (409, "NameNotAvailable")
        assert (await refused(client.redis.check_name_availability(parameters)))[:2] == (409, "NameNotAvailable")
        await client.redis.check_name_availability({**parameters, "name": "free"})
        assert (await refused(client.redis.begin_create(GROUP, "two--hyphens", creation())))[0] == 400
        control.seed(cache_seed("recent"))
        control.settings.change(name_reserved_after_delete_seconds=600)
        control.redis.delete("recent")
        assert (await refused(client.redis.begin_create(GROUP, "recent", creation())))[1] == "NameNotAvailable"
        control.clock.advance(601)
        await client.redis.begin_create(GROUP, "recent", creation(), polling=False)
    assert [r.is_write for r in control.log.requests(path="checkNameAvailability")] == [False, False]


async def test_a_pair_that_may_not_share_a_patch(sdk: Sdk, control: Control) -> None:
    control.seed(cache_seed(sku=PREMIUM | {"family": "P"}))
    body = {"identity": {"type": "SystemAssigned"}, "properties": {"publicNetworkAccess": "Disabled"}}
    async with sdk.redis() as client:
        status, _, text = await refused(client.redis.begin_update(GROUP, "orders", body))
        assert status == 400
        assert "please send seperate request to update them: 'properties.publicNetworkAccess,identity'." in text
        control.settings.change(split_network_and_identity=False)
        await client.redis.begin_update(GROUP, "orders", body, polling=False)


@pytest.mark.parametrize(
    ("before", "after", "text"),
    [
        (PREMIUM | {"family": "P"}, STANDARD, "cannot be modified: 'properties.sku.family'"),
        (STANDARD, BASIC, "properties.sku.name cannot be updated to Basic."),
        (BASIC, PREMIUM, "SkuFamilyNotSupportedException"),
        (BASIC, STANDARD | {"capacity": 2}, "cannot be modified"),
        (STANDARD, STANDARD | {"capacity": 0}, "cannot be modified: 'properties.sku.capacity'"),
        (STANDARD, STANDARD | {"family": "P"}, "SkuFamilyNotSupportedException"),
        (STANDARD, STANDARD | {"capacity": 9}, "SkuFamilyNotSupportedException"),
    ],
)
async def test_scaling_that_is_refused(sdk: Sdk, control: Control, before: Any, after: Any, text: str) -> None:
    control.seed(cache_seed(sku=before))
    async with sdk.redis() as client:
        status, _, message = await refused(client.redis.begin_update(GROUP, "orders", {"properties": {"sku": after}}))
    assert status == 400
    assert text in message


@pytest.mark.parametrize(
    ("sku", "properties", "text"),
    [
        (BASIC, {"redisConfiguration": {"maxmemory-reserved": "50"}}, "'maxmemory-reserved' is not allowed on 'Basic'"),
        (STANDARD, {"redisConfiguration": {"rdb-backup-enabled": "true"}}, "is not allowed on 'Standard'"),
        (PREMIUM, {"redisConfiguration": {"rdb-backup-frequency": "17"}}, "'rdb-backup-frequency' is invalid."),
        (
            PREMIUM,
            {"redisConfiguration": {"rdb-storage-connection-string": "AccountName=a;AccountKey=[key hidden]"}},
            "'rdb-storage-connection-string' is invalid.",
        ),
        (STANDARD, {"shardCount": 2}, "'properties.shardCount' is invalid."),
        (STANDARD, {"minimumTlsVersion": "1.0"}, "minimumTlsVersion"),
        (STANDARD, {"minimumTlsVersion": "1.3"}, "minimumTlsVersion"),
        (STANDARD, {"publicNetworkAccess": "Maybe"}, "'properties.publicNetworkAccess' is invalid."),
        (STANDARD, {"disableAccessKeyAuthentication": True}, "Microsoft Entra authentication"),
        ({"name": "Huge", "family": "C", "capacity": 1}, {}, "'properties.sku' is invalid."),
    ],
)
async def test_properties_that_are_refused(sdk: Sdk, sku: Any, properties: Any, text: str) -> None:
    async with sdk.redis() as client:
        status, _, message = await refused(client.redis.begin_create(GROUP, "orders", creation(sku, **properties)))
    assert status == 400
    assert text in message


async def test_places_and_quota(sdk: Sdk, control: Control) -> None:
    control.seed(seeds.Region(name="westus", display="West US", unavailable_skus=("Premium",), zones=False))
    async with sdk.redis() as client:
        elsewhere = {**creation(), "location": "atlantis"}
        assert (await refused(client.redis.begin_create(GROUP, "orders", elsewhere)))[:2] == (
            400,
            "LocationNotAvailableForResourceType",
        )
        premium = {**creation(PREMIUM), "location": "West US"}
        assert (await refused(client.redis.begin_create(GROUP, "orders", premium)))[1] == "SkuNotAvailable"
        control.settings.change(cache_quota_per_subscription=0)
        assert (await refused(client.redis.begin_create(GROUP, "orders", creation())))[1] == "QuotaExceeded"
        control.settings.change(cache_quota_per_subscription=10)
        control.seed(cache_seed(location="West US"))
        assert (await refused(client.redis.begin_create(GROUP, "orders", creation())))[1] == "InvalidResourceLocation"
        with pytest.raises(ResourceNotFoundError, match="ResourceGroupNotFound"):
            await client.redis.begin_create("none", "orders", creation())


async def test_subscriptions_that_take_no_writes(sdk: Sdk, control: Control) -> None:
    control.seed(cache_seed(), seeds.Subscription(id=SUBSCRIPTION, tenant=TENANT, state="Disabled"))
    async with sdk.redis() as client:
        assert (await client.redis.get(GROUP, "orders")).name == "orders"
        status, code, _ = await refused(client.redis.begin_update(GROUP, "orders", {"tags": {}}))
        assert (status, code) == (409, "ReadOnlyDisabledSubscription")
        control.seed(seeds.Subscription(id=SUBSCRIPTION, tenant=TENANT, registered=False))
        with pytest.raises(ResourceExistsError, match=r"not registered to use namespace 'Microsoft\.Cache'"):
            await client.redis.begin_create(GROUP, "other", creation())


@pytest.mark.parametrize("level", ["CanNotDelete", "ReadOnly"])
async def test_locks(sdk: Sdk, control: Control, level: Any) -> None:
    control.seed(cache_seed(), seeds.Lock(scope=seeds.group_scope(SUBSCRIPTION, GROUP), name="keep", level=level))
    async with sdk.redis() as client:
        assert (await refused(client.redis.begin_delete(GROUP, "orders")))[:2] == (409, "ScopeLocked")
        if level == "ReadOnly":
            assert (await refused(client.redis.list_keys(GROUP, "orders")))[1] == "ScopeLocked"
            assert (await refused(client.redis.begin_update(GROUP, "orders", {"tags": {}})))[1] == "ScopeLocked"
        else:
            await client.redis.list_keys(GROUP, "orders")
        control.access.delete_lock("keep")
        await client.redis.begin_delete(GROUP, "orders", polling=False)


async def test_policy_and_linked_authorization(sdk: Sdk, control: Control) -> None:
    control.seed(
        seeds.Policy(
            scope=seeds.subscription_scope(SUBSCRIPTION),
            name="no-plaintext",
            field="properties.enableNonSslPort",
            value=True,
        )
    )
    identity = "/subscriptions/other/resourceGroups/ids/providers/Microsoft.ManagedIdentity/userAssignedIdentities/one"
    async with sdk.redis() as client:
        found = await refused(client.redis.begin_create(GROUP, "orders", creation(enableNonSslPort=True)))
        assert found[:2] == (403, "RequestDisallowedByPolicy")
        assert "no-plaintext" in found[2]
        with_identity = {
            **creation(PREMIUM),
            "identity": {"type": "UserAssigned", "userAssignedIdentities": {identity: {}}},
        }
        status, code, text = await refused(client.redis.begin_create(GROUP, "orders", with_identity))
        assert (status, code) == (403, "LinkedAuthorizationFailed")
        assert "userAssignedIdentities/assign/action" in text
        control.seed(seeds.RoleAssignment(object_id=OBJECT, scope=identity, actions=("Microsoft.ManagedIdentity/*",)))
        await client.redis.begin_create(GROUP, "orders", with_identity, polling=False)


@pytest.mark.parametrize(
    ("tags", "code"),
    [
        ({"secureredis.io/owner": "x"}, "InvalidTagNameCharacters"),
        ({"Team": "a", "team": "b"}, "DuplicateTagName"),
        ({"team": "x" * 257}, "InvalidTagLength"),
    ],
)
async def test_tags_that_are_refused(sdk: Sdk, control: Control, tags: dict[str, str], code: str) -> None:
    control.seed(cache_seed())
    async with sdk.redis() as client:
        assert (await refused(client.redis.begin_update(GROUP, "orders", {"tags": tags})))[:2] == (400, code)


async def test_write_rights_are_checked_each_for_itself(sdk: Sdk, control: Control) -> None:
    control.seed(cache_seed())
    control.access.unassign(OBJECT)
    control.seed(seeds.RoleAssignment(object_id=OBJECT, scope=SCOPE, actions=("Microsoft.Cache/redis/read",)))
    async with sdk.redis() as client:
        for call, action in (
            (client.redis.begin_update(GROUP, "orders", {"tags": {}}), "Microsoft.Cache/redis/write"),
            (client.redis.begin_delete(GROUP, "orders"), "Microsoft.Cache/redis/delete"),
            (
                client.redis.regenerate_key(GROUP, "orders", {"keyType": "Primary"}),
                "Microsoft.Cache/redis/regenerateKey/action",
            ),
            (
                client.firewall_rules.delete(GROUP, "orders", "x"),
                "Microsoft.Cache/redis/firewallRules/delete",
            ),
        ):
            status, code, text = await refused(call)
            assert (status, code) == (403, "AuthorizationFailed")
            assert f"perform action '{action}'" in text
    assert control.log.effects() == []
