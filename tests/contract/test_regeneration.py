"""regenerateKey gone wrong in every way that the simulator offers, and linked caches: what rotation relies on."""

import asyncio

import pytest
from azure.core.exceptions import HttpResponseError, ServiceRequestError, ServiceResponseError
from pydantic import ValidationError

from sandbox.azure.control.client import Control
from sandbox.azure.control.port import ControlError
from sandbox.azure.state.faults import Fault, Trouble
from sandbox.waiting import PATIENCE, wait_for_async
from tests.contract.conftest import GROUP, Sdk, cache_seed
from tests.contract.test_writing import send

PATH = "/providers/Microsoft.Cache/redis/orders/regenerateKey"
PRIMARY = {"keyType": "Primary"}


@pytest.mark.parametrize(
    ("trouble", "status", "code"),
    [
        ("throttled", 429, "TooManyRequests"),
        ("denied", 403, "AuthorizationFailed"),
        ("locked", 409, "ScopeLocked"),
        ("failed", 500, "InternalServerError"),
    ],
)
async def test_refused_for_one_cache_and_not_done(
    sdk: Sdk, control: Control, trouble: Trouble, status: int, code: str
) -> None:
    control.seed(cache_seed(primary_key="old"), cache_seed("orders-2", primary_key="old"))
    control.faults.add_regeneration("ORDERS", trouble, seconds=7)
    async with sdk.redis() as client:
        await client.redis.regenerate_key(GROUP, "orders-2", PRIMARY)
        with pytest.raises(HttpResponseError) as refused:
            await client.redis.regenerate_key(GROUP, "orders", PRIMARY)
        assert control.redis.keys("orders")["Primary"] == "old"
        await client.redis.regenerate_key(GROUP, "orders", PRIMARY)
    assert (refused.value.status_code, refused.value.error and refused.value.error.code) == (status, code)
    assert sdk.headers(refused.value).get("Retry-After") == ("7" if status == 429 else None)
    assert control.redis.keys("orders")["Primary"] != "old"


async def test_done_and_the_connection_cut(sdk: Sdk, control: Control) -> None:
    control.seed(cache_seed(primary_key="old"))
    control.faults.add_regeneration("orders", "lost")
    async with sdk.redis() as client:
        with pytest.raises((ServiceResponseError, ServiceRequestError)):
            await client.redis.regenerate_key(GROUP, "orders", PRIMARY)
    assert control.redis.keys("orders")["Primary"] != "old"
    assert len(control.log.requests(path=PATH)) == 1


async def test_done_after_the_client_has_given_up(sdk: Sdk, control: Control) -> None:
    control.seed(cache_seed(primary_key="old", secondary_key="other"))
    fault = control.faults.add_regeneration("orders", "late", seconds=600)
    async with sdk.redis() as client:
        with pytest.raises(ServiceResponseError):
            await client.redis.regenerate_key(GROUP, "orders", PRIMARY, read_timeout=0.3)
        [request] = await wait_for_async(
            lambda: asyncio.to_thread(control.log.requests, path=PATH), PATIENCE, "the abandoned request"
        )
        assert (request.status, control.log.effects()) == (0, [])
        control.faults.remove(fault)
        control.clock.advance(599)
        assert control.redis.keys("orders")["Primary"] == "old"
        control.clock.advance(2)
        listed = await client.redis.list_keys(GROUP, "orders")
    assert listed.primary_key == control.redis.keys("orders")["Primary"] != "old"
    assert listed.secondary_key == "other"
    assert [effect.kind for effect in control.log.effects()] == ["cache.regenerateKey"]


async def test_a_gateway_that_does_not_wait(sdk: Sdk, control: Control) -> None:
    control.seed(cache_seed(primary_key="old"))
    control.faults.add_regeneration("orders", "gateway", seconds=600)
    async with sdk.redis() as client:
        with pytest.raises(HttpResponseError) as refused:
            await client.redis.regenerate_key(GROUP, "orders", PRIMARY)
        assert refused.value.status_code == 504
        assert control.redis.keys("orders")["Primary"] == "old"
        control.clock.advance(601)
    assert control.redis.keys("orders")["Primary"] != "old"


def test_requests_that_are_not_allowed(control: Control) -> None:
    with pytest.raises(ControlError, match="there is no cache"):
        control.faults.add_regeneration("none", "lost")
    with pytest.raises(ValidationError, match="real answer"):
        Fault(kind="delay", when="later")


async def test_listed_late(sdk: Sdk, control: Control) -> None:
    control.seed(cache_seed(primary_key="old", secondary_key="other"))
    control.settings.change(new_key_listed_after_seconds=600)
    async with sdk.redis() as client:
        answered = await client.redis.regenerate_key(GROUP, "orders", PRIMARY)
        again = await client.redis.regenerate_key(GROUP, "orders", PRIMARY)
        before = await client.redis.list_keys(GROUP, "orders")
        control.clock.advance(601)
        after = await client.redis.list_keys(GROUP, "orders")
    assert (before.primary_key, before.secondary_key) == ("old", "other")
    assert after.primary_key == again.primary_key != answered.primary_key
    assert after.secondary_key == "other"


@pytest.mark.parametrize(("outcome", "changed"), [("Succeeded", True), ("Failed", False)])
async def test_by_an_operation(sdk: Sdk, control: Control, outcome: str, changed: bool) -> None:
    control.seed(cache_seed(primary_key="old"))
    control.settings.change(regenerate_seconds=600, operation_outcome=outcome)
    _, headers, body = await send(sdk, "POST", PATH, PRIMARY, expect=202)
    assert body is None
    _, _, running = await send(sdk, "GET", headers["Azure-AsyncOperation"], expect=200)
    assert running["status"] == "InProgress"
    await send(sdk, "POST", PATH, PRIMARY, expect=409)
    assert control.redis.keys("orders")["Primary"] == "old"
    control.clock.advance(601)
    _, _, ended = await send(sdk, "GET", headers["Azure-AsyncOperation"], expect=200)
    assert ended["status"] == outcome
    assert (control.redis.keys("orders")["Primary"] != "old") is changed
    assert [effect.kind for effect in control.log.effects()] == (["cache.regenerateKey"] if changed else [])


async def test_linked_caches_have_keys_of_their_own(sdk: Sdk, control: Control) -> None:
    premium = {"name": "Premium", "family": "P", "capacity": 1}
    control.seed(
        cache_seed("east", sku=premium, linked_servers=("west",), primary_key="e"),
        cache_seed("west", sku=premium, linked_servers=("east",), primary_key="w"),
        cache_seed("alone"),
    )
    async with sdk.redis() as client:
        shown = await client.redis.get(GROUP, "east")
        listed = {one.name: one.linked_servers async for one in client.redis.list_by_resource_group(GROUP)}
        await client.redis.regenerate_key(GROUP, "east", PRIMARY)
    assert [link.id for link in shown.linked_servers] == [f"{shown.id}/linkedServers/west"]
    assert [link.id for link in listed["east"]] == [f"{shown.id}/linkedServers/west"]
    assert listed["alone"] == []
    assert control.redis.keys("east")["Primary"] != "e"
    assert control.redis.keys("west")["Primary"] == "w"
