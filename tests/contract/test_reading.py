"""Reading caches and their keys with azure-mgmt-redis."""

import pytest
from azure.core.exceptions import ClientAuthenticationError, HttpResponseError, ResourceNotFoundError

from sandbox.azure.control.client import Control
from sandbox.azure.seeds import seeds
from sandbox.azure.state.faults import Fault
from tests.contract.conftest import CLIENT, GROUP, OBJECT, SUBSCRIPTION, Sdk, cache_seed
from tests.contract.test_writing import send


async def test_get_shows_a_cache_as_recorded_traffic_does_and_never_its_keys(sdk: Sdk, control: Control) -> None:
    control.seed(cache_seed(tags={"team": "shop"}, primary_key="canary-primary", location="West US 2"))
    async with sdk.redis() as client:
        found = await client.redis.get(GROUP, "ORDERS")
    assert found.id == f"/subscriptions/{SUBSCRIPTION}/resourceGroups/{GROUP}/providers/Microsoft.Cache/Redis/orders"
    assert (found.type, found.location, found.provisioning_state) == ("Microsoft.Cache/Redis", "West US 2", "Succeeded")
    assert (found.port, found.ssl_port, found.redis_version) == (6379, 6380, "6.0")
    assert found.host_name == control.endpoints.redis_host("orders")
    assert found.access_keys is None
    assert found.tags == {"team": "shop"}


async def test_list_follows_next_links_over_all_pages(sdk: Sdk, control: Control) -> None:
    control.settings.change(page_size=2)
    control.seed(*[cache_seed(f"cache{number}") for number in range(5)])
    async with sdk.redis() as client:
        by_subscription = [cache.name async for cache in client.redis.list_by_subscription()]
        by_group = [cache.name async for cache in client.redis.list_by_resource_group(GROUP)]
    assert by_subscription == by_group == [f"cache{number}" for number in range(5)]
    assert len(control.log.requests(path="/providers/Microsoft.Cache/redis")) == 6


async def test_a_list_without_the_right_at_its_scope(sdk: Sdk, control: Control) -> None:
    control.seed(cache_seed("mine"), cache_seed("theirs"))
    control.access.unassign(OBJECT)
    scope = seeds.cache_scope(SUBSCRIPTION, GROUP, "mine")
    control.seed(seeds.RoleAssignment(object_id=OBJECT, scope=scope, actions=("Microsoft.Cache/redis/read",)))
    async with sdk.redis() as client:
        with pytest.raises(HttpResponseError, match="AuthorizationFailed"):
            [cache.name async for cache in client.redis.list_by_subscription()]
        control.settings.change(list_needs_scope_right=False)
        assert [cache.name async for cache in client.redis.list_by_subscription()] == ["mine"]


async def test_list_keys_gives_both(sdk: Sdk, control: Control) -> None:
    control.seed(cache_seed(primary_key="one", secondary_key="two"))
    async with sdk.redis() as client:
        keys = await client.redis.list_keys(GROUP, "orders")
    assert (keys.primary_key, keys.secondary_key) == ("one", "two")
    assert control.log.writes() == []


async def test_missing_things_are_404_each_in_its_own_words(sdk: Sdk, control: Control) -> None:
    async with sdk.redis() as client:
        with pytest.raises(ResourceNotFoundError) as no_cache:
            await client.redis.get(GROUP, "none")
        with pytest.raises(ResourceNotFoundError) as no_group:
            await client.redis.get("none", "none")
    async with sdk.redis("7d2c5f5e-0000-4000-8000-00000000ffff") as client:
        with pytest.raises(ResourceNotFoundError) as no_subscription:
            await client.redis.get(GROUP, "none")
    codes = [found.value.error.code for found in (no_cache, no_group, no_subscription) if found.value.error]
    assert codes == ["ResourceNotFound", "ResourceGroupNotFound", "SubscriptionNotFound"]
    assert "'Microsoft.Cache/redis/none' under resource group 'shop' was not found" in str(no_cache.value)


async def test_without_the_right_403_names_action_and_scope(sdk: Sdk, control: Control) -> None:
    control.seed(cache_seed())
    control.access.unassign(OBJECT)
    scope = seeds.cache_scope(SUBSCRIPTION, GROUP, "orders")
    control.seed(seeds.RoleAssignment(object_id=OBJECT, scope=scope, actions=("Microsoft.Cache/redis/read",)))
    async with sdk.redis() as client:
        assert (await client.redis.get(GROUP, "orders")).name == "orders"
        with pytest.raises(HttpResponseError) as refused:
            await client.redis.list_keys(GROUP, "orders")
        with pytest.raises(HttpResponseError) as listing:
            [cache async for cache in client.redis.list_by_subscription()]
    assert refused.value.status_code == listing.value.status_code == 403
    assert refused.value.error is not None
    assert refused.value.error.code == "AuthorizationFailed"
    expected = f"The client '{CLIENT}' with object id '{OBJECT}' does not have authorization to perform action "
    assert f"{expected}'Microsoft.Cache/redis/listKeys/action' over scope '{scope}'" in refused.value.message


async def test_a_role_assignment_works_only_after_its_delay(sdk: Sdk, control: Control) -> None:
    control.seed(cache_seed())
    control.access.unassign(OBJECT)
    scope = seeds.subscription_scope(SUBSCRIPTION)
    control.seed(seeds.RoleAssignment(object_id=OBJECT, scope=scope, actions=("Microsoft.Cache/*/read",), delay=300))
    async with sdk.redis() as client:
        with pytest.raises(HttpResponseError, match="AuthorizationFailed"):
            await client.redis.get(GROUP, "orders")
        control.clock.advance(301)
        assert (await client.redis.get(GROUP, "orders")).name == "orders"


async def test_stale_reads_show_the_past_for_as_long_as_the_setting(sdk: Sdk, control: Control) -> None:
    control.seed(cache_seed())
    control.settings.change(stale_get_seconds=60, stale_list_seconds=120)
    async with sdk.redis() as client:
        with pytest.raises(ResourceNotFoundError):
            await client.redis.get(GROUP, "orders")
        control.clock.advance(61)
        assert (await client.redis.get(GROUP, "orders")).name == "orders"
        assert [cache async for cache in client.redis.list_by_subscription()] == []
        control.redis.update("orders", {"enableNonSslPort": True})
        assert (await client.redis.get(GROUP, "orders")).enable_non_ssl_port is False
        control.clock.advance(61)
        assert (await client.redis.get(GROUP, "orders")).enable_non_ssl_port is True
        control.redis.delete("orders")
        assert (await client.redis.get(GROUP, "orders")).name == "orders"
        control.clock.advance(121)
        with pytest.raises(ResourceNotFoundError):
            await client.redis.get(GROUP, "orders")


async def test_odd_states_are_shown_as_seeded(sdk: Sdk, control: Control) -> None:
    control.seed(
        cache_seed(
            properties={"provisioningState": "Failed", "disableAccessKeyAuthentication": True},
            redis_configuration={"authnotrequired": "true"},
            absent=("minimumTlsVersion", "publicNetworkAccess"),
        )
    )
    async with sdk.redis() as client:
        found = await client.redis.get(GROUP, "orders")
        assert (await client.redis.list_keys(GROUP, "orders")).primary_key  # although access keys are off
    assert found.provisioning_state == "Failed"
    assert found.minimum_tls_version is None
    assert found.public_network_access is None
    assert found.redis_configuration is not None
    assert found.redis_configuration.authnotrequired == "true"


@pytest.mark.parametrize(
    ("version", "late"),
    [
        ("2018-03-01", {"updateChannel", "disableAccessKeyAuthentication", "zonalAllocationPolicy"}),
        ("2023-08-01", {"disableAccessKeyAuthentication", "zonalAllocationPolicy"}),
        ("2024-03-01", {"zonalAllocationPolicy"}),
        ("2024-11-01", set()),
    ],
)
async def test_older_interfaces_show_less(sdk: Sdk, control: Control, version: str, late: set[str]) -> None:
    control.seed(cache_seed(properties={"zonalAllocationPolicy": "Automatic"}))
    every = {"updateChannel", "disableAccessKeyAuthentication", "zonalAllocationPolicy"}
    base = f"{control.endpoints.management}/subscriptions/{SUBSCRIPTION}"
    group = f"{base}/resourceGroups/{GROUP}/providers/Microsoft.Cache/redis"
    for url in (f"{group}/orders", group, f"{base}/providers/Microsoft.Cache/redis"):
        _, _, body = await send(sdk, "GET", f"{url}?api-version={version}", expect=200)
        shown = body.get("value", [body])
        assert shown
        assert [every - set(one["properties"]) for one in shown] == [late] * len(shown)
    assert every <= set((control.redis.get("orders") or {})["properties"])


async def test_throttling_carries_retry_after(sdk: Sdk, control: Control) -> None:
    control.seed(cache_seed())
    body = {"error": {"code": "TooManyRequests", "message": "The request is being throttled."}}
    control.faults.add(Fault(service="arm", method="GET", status=429, headers={"Retry-After": "17"}, body=body))
    async with sdk.redis() as client:
        with pytest.raises(HttpResponseError) as refused:
            await client.redis.get(GROUP, "orders")
        assert (await client.redis.get(GROUP, "orders")).name == "orders"
    assert refused.value.status_code == 429
    assert refused.value.response is not None
    assert sdk.headers(refused.value)["Retry-After"] == "17"


async def test_a_claims_challenge_is_met_with_a_new_token(sdk: Sdk, control: Control) -> None:
    control.seed(cache_seed())
    async with sdk.redis() as client:
        await client.redis.get(GROUP, "orders")
        control.access.revoke_tokens(OBJECT)
        await client.redis.get(GROUP, "orders")
    assert [r.status for r in control.log.requests(service="arm")] == [200, 401, 200]
    assert len(control.log.requests(service="entra")) == 2


async def test_an_expired_token_is_refused(sdk: Sdk, control: Control) -> None:
    control.seed(cache_seed())
    async with sdk.redis() as client:
        await client.redis.get(GROUP, "orders")
        control.settings.change(clock_skew_seconds=2 * 86400)
        with pytest.raises(ClientAuthenticationError, match="ExpiredAuthenticationToken"):
            await client.redis.get(GROUP, "orders")
