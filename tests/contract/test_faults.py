"""Faults, logs and the control port: what the other suites rely on."""

import asyncio
import json

import aiohttp
import pytest
from azure.core.exceptions import (
    DecodeError,
    HttpResponseError,
    IncompleteReadError,
    ServiceRequestError,
    ServiceResponseError,
)

from sandbox.azure.control.client import Control
from sandbox.azure.control.port import ControlError
from sandbox.azure.simulator import AzureSimulator
from sandbox.azure.state.faults import Fault
from sandbox.waiting import PATIENCE, wait_for_async
from tests.contract.conftest import CLIENT, GROUP, OBJECT, VAULT, Sdk, cache_seed


async def test_a_fault_hits_its_matches_as_often_as_configured(sdk: Sdk, control: Control) -> None:
    control.seed(cache_seed("one"), cache_seed("two"))
    control.faults.add(Fault(service="arm", method="GET", path="/redis/ONE$", skip=1, times=2, status=500))
    outcome: list[int] = []
    async with sdk.redis() as client:
        for name in ("two", "one", "one", "one", "one", "two"):
            try:
                await client.redis.get(GROUP, name)
                outcome.append(200)
            except HttpResponseError as error:
                outcome.append(error.status_code or 0)
    assert outcome == [200, 200, 500, 500, 200, 200]
    assert list(control.faults.hits().values()) == [2]


async def test_a_lost_answer_still_has_its_effect(sdk: Sdk, control: Control) -> None:
    control.seed(cache_seed(primary_key="old"))
    control.faults.add(Fault(service="arm", path="regenerateKey", when="after", kind="reset"))
    async with sdk.redis() as client:
        with pytest.raises((ServiceResponseError, ServiceRequestError)):
            await client.redis.regenerate_key(GROUP, "orders", {"keyType": "Primary"})
    assert control.redis.keys("orders")["Primary"] != "old"
    [request] = control.log.requests(path="regenerateKey")
    assert (request.status, request.is_write, request.principal) == (0, True, OBJECT)
    assert [effect.kind for effect in control.log.effects()] == ["cache.regenerateKey"]


async def test_a_fault_before_the_effect_has_none(sdk: Sdk, control: Control) -> None:
    control.seed(cache_seed(primary_key="old"))
    control.faults.add(Fault(path="regenerateKey", kind="reset"))
    async with sdk.redis() as client:
        with pytest.raises((ServiceResponseError, ServiceRequestError)):
            await client.redis.regenerate_key(GROUP, "orders", {"keyType": "Primary"})
    assert control.redis.keys("orders")["Primary"] == "old"
    assert control.log.effects() == []


async def test_html_and_truncated_json(sdk: Sdk, control: Control) -> None:
    control.seed(cache_seed())
    control.faults.add(Fault(service="arm", kind="html", status=503, headers={"Retry-After": "9"}))
    control.faults.add(Fault(service="arm", kind="truncated"))
    async with sdk.redis() as client:
        with pytest.raises(HttpResponseError) as page:
            await client.redis.get(GROUP, "orders")
        with pytest.raises((DecodeError, IncompleteReadError)):
            await client.redis.get(GROUP, "orders")
    assert page.value.status_code == 503
    assert sdk.headers(page.value)["Retry-After"] == "9"
    assert sdk.headers(page.value)["Content-Type"].startswith("text/html")


async def test_hanging_until_lifted(sdk: Sdk, control: Control) -> None:
    control.seed(cache_seed())
    fault = control.faults.add(Fault(service="arm", kind="hang"))
    async with sdk.redis() as client:
        waiting = asyncio.create_task(client.redis.get(GROUP, "orders"))
        await wait_for_async(lambda: asyncio.to_thread(lambda: control.faults.hits().get(fault)), PATIENCE, "the hang")
        assert not waiting.done()
        control.faults.remove(fault)
        with pytest.raises(HttpResponseError):
            await waiting


async def test_a_client_that_leaves_a_hanging_request_is_noted(sdk: Sdk, control: Control) -> None:
    control.faults.add(Fault(service="arm", kind="hang"))
    with pytest.raises(asyncio.TimeoutError):
        async with sdk.session.get(control.endpoints.management, timeout=aiohttp.ClientTimeout(total=0.2)):
            pass
    [request] = await wait_for_async(lambda: asyncio.to_thread(control.log.requests), PATIENCE, "the abandoned request")
    assert request.status == 0


async def test_faults_of_entra_and_of_one_principal(sdk: Sdk, control: Control) -> None:
    control.seed(cache_seed())
    control.faults.add(Fault(service="arm", principal="somebody else", status=500, times=None))
    control.faults.add(Fault(service="entra", status=503, headers={"Retry-After": "1"}))
    async with sdk.redis() as client:
        with pytest.raises(HttpResponseError):
            await client.redis.get(GROUP, "orders")
        assert (await client.redis.get(GROUP, "orders")).name == "orders"


async def test_what_counts_as_a_write(sdk: Sdk, control: Control) -> None:
    control.seed(cache_seed())
    control.keyvault.set_secret(VAULT, "key", "x")
    async with sdk.redis() as client, sdk.vault() as vault:
        await client.redis.list_keys(GROUP, "orders")
        await client.redis.check_name_availability({"name": "free", "type": "Microsoft.Cache/Redis"})
        await vault.get_secret("key")
        assert control.log.writes() == []
        mark = control.log.position()
        await vault.set_secret("key", "y")
        await client.redis.begin_update(GROUP, "orders", {"tags": {}}, polling=False)
    assert [(r.service, r.method) for r in control.log.writes(mark)] == [("vault", "PUT"), ("arm", "PATCH")]
    assert [effect.kind for effect in control.log.effects(mark)] == ["secret.set", "cache.update"]


async def test_the_log_holds_names_and_no_values(sdk: Sdk, control: Control, simulator: AzureSimulator) -> None:
    control.seed(cache_seed(primary_key="canary-key"))
    async with sdk.redis() as client, sdk.vault() as vault:
        await vault.set_secret("key", "canary-value", tags={"t": "canary-tag"})
        await client.redis.list_keys(GROUP, "orders")
        body = {"tags": {"t": "canary-tag"}, "properties": {"publicNetworkAccess": "Disabled"}}
        poller = await client.redis.begin_update(GROUP, "orders", body)
        await poller.result()
    shown = json.dumps(
        [r.model_dump() for r in control.log.requests()] + [e.model_dump() for e in control.log.effects()]
    )
    assert "canary" not in shown
    assert "canary" not in simulator.log.read_text()
    polls = control.log.requests(path="asyncOperations")
    assert polls
    assert set(polls[0].query.values()) == {"2024-11-01", "…"}
    update = next(r for r in control.log.requests() if r.method == "PATCH")
    assert set(update.body_keys) == {"properties", "properties.publicNetworkAccess", "tags", "tags.t"}
    assert (update.action, update.principal) == ("Microsoft.Cache/redis/write", OBJECT)


async def test_requests_carry_ids_and_what_is_left_of_the_budget(sdk: Sdk, control: Control) -> None:
    control.seed(cache_seed())
    observed: list[dict[str, str]] = []
    async with sdk.redis() as client:
        await client.redis.get(
            GROUP, "orders", raw_response_hook=lambda r: observed.append(dict(r.http_response.headers))
        )
    [headers] = observed
    assert headers["x-ms-ratelimit-remaining-subscription-global-reads"] == "16499"
    assert headers["x-ms-correlation-request-id"] == control.log.requests(service="arm")[0].correlation_id
    assert headers["x-ms-request-id"]


def test_the_control_port_requires_its_token_and_reports_errors(control: Control) -> None:
    stranger = Control(control.endpoints, control.port.url, "wrong")
    with pytest.raises(ControlError, match="token"):
        stranger.clock.now()
    with pytest.raises(ControlError, match="there is no cache 'none'"):
        control.redis.update("none", {})
    with pytest.raises(ControlError, match="no such kind of seed"):
        control.port.command("seed", {"kind": "nonsense", "seeds": []})
    with pytest.raises(ControlError, match="extra_forbidden"):
        control.settings.change(nonsense=1)
    assert CLIENT
