"""How operations on clusters proceed and end, and which API versions a region serves."""

import re
from datetime import datetime
from urllib.parse import parse_qs, urlsplit

import jsonschema
import pytest
from azure.core.exceptions import HttpResponseError

from sandbox.azure.control.client import Control
from sandbox.azure.seeds import seeds
from tests.contract import managed_shapes as shapes
from tests.contract.conftest import GROUP, OBJECT, SUBSCRIPTION, Sdk
from tests.contract.managed_support import (
    AT_ONCE,
    CLUSTER,
    DATABASE,
    NAME,
    NEVER,
    NEWEST,
    SCOPE,
    SLOW,
    STABLE,
    client_of,
    creation,
    properties,
    refused,
    seed,
    send,
)


async def test_an_operation_from_its_begin_to_its_end(sdk: Sdk, control: Control) -> None:
    control.settings.change(**SLOW, managed_pending_seconds=60)
    headers, _ = await send(sdk, "PUT", CLUSTER, creation(), expect=201)
    url = headers["Azure-AsyncOperation"]
    base = f"{control.endpoints.management}/subscriptions/{SUBSCRIPTION}/providers/Microsoft.Cache/locations/"
    assert re.match(re.escape(f"{base}West%20Europe/operationsStatus/") + r"[0-9a-f-]{36}\?", url)
    assert set(parse_qs(urlsplit(url).query)) == {"api-version", "t", "c", "s", "h"}
    assert headers["Location"].startswith(f"{control.endpoints.management}{SCOPE}/operationresults/")
    answers = []
    for seconds in (0, 61, NEVER):
        control.clock.advance(seconds)
        polled, status = await send(sdk, "GET", url, expect=200)
        jsonschema.validate(status, shapes.OPERATION)
        assert "Retry-After" not in polled
        answers.append(status)
        await send(sdk, "GET", headers["Location"], expect=200 if status["status"] == "Succeeded" else 202)
    assert [one["status"] for one in answers] == ["Pending", "InProgress", "Succeeded"]
    assert answers[0]["endTime"] == "0001-01-01T00:00:00+00:00"
    assert datetime.fromisoformat(answers[1]["endTime"]).year > 2000


async def test_the_right_to_read_an_operation(sdk: Sdk, control: Control) -> None:
    control.seed(seed())
    headers, _ = await send(sdk, "PATCH", CLUSTER, {"tags": {}}, expect=202)
    control.access.unassign(OBJECT)
    right = "Microsoft.Cache/locations/operationsStatus/read"
    control.seed(seeds.RoleAssignment(object_id=OBJECT, scope=seeds.subscription_scope(SUBSCRIPTION), actions=(right,)))
    await send(sdk, "GET", headers["Azure-AsyncOperation"], expect=200)
    text = await refused(sdk, "GET", headers["Location"], expect=403)
    assert "redisEnterprise/operationResults/read" in text
    control.access.unassign(OBJECT)
    assert right in await refused(sdk, "GET", headers["Azure-AsyncOperation"], expect=403)


@pytest.mark.parametrize("outcome", ["Failed", "FailedWithoutError"])
async def test_a_creation_that_fails(sdk: Sdk, control: Control, outcome: str) -> None:
    control.settings.change(operation_outcome=outcome, operation_error_code="InternalServerError")
    async with client_of(sdk) as client:
        poller = await client.redis_enterprise.begin_create(GROUP, NAME, creation())
        with pytest.raises(HttpResponseError) as failed:
            await poller.result()
        assert ("InternalServerError" in str(failed.value)) is (outcome == "Failed")
        found = await client.redis_enterprise.get(GROUP, NAME)
    assert (found.provisioning_state, found.resource_state) == ("Failed", "CreateFailed")


async def test_an_operation_that_succeeds_and_a_resource_that_failed(sdk: Sdk, control: Control) -> None:
    control.seed(seed())
    control.settings.change(operation_outcome="SucceededButResourceFailed")
    async with client_of(sdk) as client:
        await (await client.redis_enterprise.begin_update(GROUP, NAME, {"tags": {"a": "b"}})).result()
        found = await client.redis_enterprise.get(GROUP, NAME)
    assert (found.provisioning_state, found.resource_state, found.tags) == ("Failed", "UpdateFailed", {})


async def test_a_put_that_is_not_carried_out(sdk: Sdk, control: Control) -> None:
    control.seed(seed(tags={"a": "1"}))
    control.settings.change(**AT_ONCE, operation_outcome="NotCarriedOut")
    before = (control.managed_redis.get(NAME), control.managed_redis.database(NAME))
    for path, body in ((CLUSTER, creation()), (DATABASE, properties(evictionPolicy="NoEviction"))):
        headers, _ = await send(sdk, "PUT", path, body, expect=200)
        assert (await send(sdk, "GET", headers["Azure-AsyncOperation"], expect=200))[1]["status"] == "Succeeded"
    for path in (DATABASE, CLUSTER):
        await send(sdk, "DELETE", path, expect=202)
    assert (control.managed_redis.get(NAME), control.managed_redis.database(NAME)) == before
    await send(sdk, "PUT", f"{CLUSTER}2", creation(), expect=201)
    assert control.managed_redis.get(f"{NAME}2") is None


async def test_an_operation_that_never_ends(sdk: Sdk, control: Control) -> None:
    control.seed(seed())
    control.settings.change(operation_outcome="NeverEnds")
    headers, _ = await send(sdk, "PATCH", CLUSTER, {"tags": {}}, expect=202)
    control.clock.advance(7 * 86400)
    assert (await send(sdk, "GET", headers["Azure-AsyncOperation"], expect=200))[1]["status"] == "InProgress"
    assert "conflicting state" in await refused(sdk, "PATCH", CLUSTER, {"tags": {}}, expect=409)


async def test_an_operation_that_is_forgotten(sdk: Sdk, control: Control) -> None:
    control.seed(seed())
    control.settings.change(**AT_ONCE, operation_outcome="Forgotten")
    headers, _ = await send(sdk, "PATCH", CLUSTER, {"tags": {"a": "b"}}, expect=202)
    await refused(sdk, "GET", headers["Azure-AsyncOperation"], expect=404)
    await refused(sdk, "GET", headers["Location"], expect=404)
    assert (control.managed_redis.get(NAME) or {})["tags"] == {"a": "b"}


@pytest.mark.parametrize(("busy", "status"), [(True, 409), (False, 202)])
async def test_a_second_write_meanwhile(sdk: Sdk, control: Control, *, busy: bool, status: int) -> None:
    control.seed(seed())
    control.settings.change(**SLOW, busy_during_operation=busy, managed_state_lag_refuses=busy)
    await send(sdk, "PATCH", CLUSTER, {"tags": {"a": "1"}}, expect=202)
    await send(sdk, "PATCH", CLUSTER, {"tags": {"a": "2"}}, expect=status)
    control.clock.advance(NEVER + 1)
    assert (control.managed_redis.get(NAME) or {})["tags"] == {"a": "1" if busy else "2"}


@pytest.mark.parametrize("regional", [True, False])
async def test_versions_of_a_region(sdk: Sdk, control: Control, *, regional: bool) -> None:
    control.seed(seed())
    control.settings.change(managed_refusal_names_region_versions=regional)
    control.managed_redis.serve_versions("West Europe", "2025-04-01", STABLE)
    for method, path, body in (
        ("GET", CLUSTER, None),
        ("PUT", CLUSTER, creation()),
        ("PUT", f"{CLUSTER}2", creation()),
        ("PATCH", CLUSTER, {}),
        ("DELETE", CLUSTER, None),
        ("POST", f"{CLUSTER}/listSkusForScaling", None),
        ("GET", DATABASE, None),
        ("PUT", DATABASE, properties()),
        ("DELETE", DATABASE, None),
        ("POST", f"{DATABASE}/listKeys", None),
    ):
        text = await refused(sdk, method, path, body, version=NEWEST)
        assert f"for location 'westeurope' and API version '{NEWEST}' for type 'redisEnterprise'" in text
        assert ("'2025-04-01, 2025-07-01'" in text) is regional
        assert "The supported locations are 'westeurope, northeurope" in text
    assert control.log.effects() == []
    await send(sdk, "GET", CLUSTER, expect=200)
    await send(sdk, "GET", "/providers/Microsoft.Cache/redisEnterprise", expect=200, version=NEWEST)
    await send(sdk, "PUT", f"{CLUSTER}2", {**creation(), "location": "westus"}, expect=201, version=NEWEST)
    await refused(sdk, "GET", f"{CLUSTER}3", expect=404, version=NEWEST)
    control.managed_redis.serve_versions("westeurope")
    await send(sdk, "GET", CLUSTER, expect=200, version=NEWEST)
