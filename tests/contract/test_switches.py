"""Each unverified assumption about Azure has a switch, and the page of assumptions names every switch."""

import re
from pathlib import Path

import pytest
from azure.core.exceptions import HttpResponseError

from sandbox.azure.control.client import Control
from sandbox.azure.state.settings import Settings
from tests.contract.conftest import GROUP, Sdk, cache_seed
from tests.contract.test_writing import PATH, creation, send

PAGE = Path(__file__).parents[2] / "docs" / "internals" / "assumptions.md"
# Switches that say how a failure is worded, not what Azure does.
WORDING = {"operation_error_code", "operation_error_message", "secrets_page_size"}


def test_every_switch_is_on_the_page_of_assumptions() -> None:
    named = set(re.findall(r"`([a-z_]+)`", PAGE.read_text()))
    assert set(Settings.model_fields) - WORDING - named == set()


async def test_keys_are_listed_although_access_keys_are_off(sdk: Sdk, control: Control) -> None:
    control.seed(cache_seed(properties={"disableAccessKeyAuthentication": True}, primary_key="still"))
    async with sdk.redis() as client:
        assert (await client.redis.list_keys(GROUP, "orders")).primary_key == "still"
        body = creation(disableAccessKeyAuthentication=True, redisConfiguration={"aad-enabled": "true"})
        again = await client.redis.begin_create(GROUP, "orders", {**body, "location": "westeurope"}, polling=False)
        assert (await again.result()).access_keys.primary_key == "still"
        control.settings.change(list_keys_refused_when_disabled=True)
        with pytest.raises(HttpResponseError, match="Access key authentication is disabled"):
            await client.redis.list_keys(GROUP, "orders")


async def test_every_patch_can_be_an_operation(sdk: Sdk, control: Control) -> None:
    control.seed(cache_seed(properties={"enableNonSslPort": True}))
    control.settings.change(patch_at_once=False, update_seconds=600)
    body = {"properties": {"enableNonSslPort": False}}
    _, headers, shown = await send(sdk, "PATCH", PATH, body, expect=202)
    assert "Azure-AsyncOperation" in headers
    assert (shown["properties"]["provisioningState"], shown["properties"]["enableNonSslPort"]) == ("Updating", True)
    control.clock.advance(601)
    assert (await send(sdk, "GET", PATH))[2]["properties"]["enableNonSslPort"] is False


async def test_a_patch_that_was_never_recorded_can_be_done_at_once(sdk: Sdk, control: Control) -> None:
    control.seed(cache_seed(absent=("minimumTlsVersion",)))
    control.settings.change(unrecorded_patch_by_operation=False)
    body = {"properties": {"minimumTlsVersion": "1.2"}}
    _, _, shown = await send(sdk, "PATCH", PATH, body, expect=200)
    assert shown["properties"]["minimumTlsVersion"] == "1.2"


async def test_a_creation_that_does_not_show_keys(sdk: Sdk, control: Control) -> None:
    control.settings.change(put_returns_keys=False)
    async with sdk.redis() as client:
        shown = await client.redis.begin_create(GROUP, "orders", creation(), polling=False)
        assert (await shown.result()).access_keys is None


async def test_access_keys_can_be_switched_off_without_entra(sdk: Sdk, control: Control) -> None:
    control.settings.change(disabling_keys_needs_entra=False)
    async with sdk.redis() as client:
        made = await client.redis.begin_create(GROUP, "orders", creation(disableAccessKeyAuthentication=True))
        assert (await made.result()).disable_access_key_authentication is True


async def test_names_of_firewall_rules_alone(sdk: Sdk, control: Control) -> None:
    control.seed(cache_seed())
    control.settings.change(qualified_rule_names=False)
    rule = {"properties": {"startIP": "10.0.0.1", "endIP": "10.0.0.9"}}
    async with sdk.redis() as client:
        made = await client.firewall_rules.create_or_update(GROUP, "orders", "office", rule)
    assert made.name == "office"


async def test_a_service_that_takes_a_second_operation(sdk: Sdk, control: Control) -> None:
    control.seed(cache_seed())
    control.settings.change(busy_during_operation=False, update_seconds=600, patch_at_once=False)
    async with sdk.redis() as client:
        for value in ("1", "2"):
            await client.redis.begin_update(GROUP, "orders", {"tags": {"a": value}}, polling=False)
        control.clock.advance(601)
        assert (await client.redis.get(GROUP, "orders")).tags == {"a": "2"}


async def test_unknown_properties_change_nothing(sdk: Sdk, control: Control) -> None:
    control.seed(cache_seed())
    before = control.redis.get("orders")
    control.settings.change(update_seconds=600)
    # Raw: the SDK's own models leave out what they do not know.
    body = {"properties": {"enableNonTLSPort": True, "port": 1}}
    await send(sdk, "PATCH", "/providers/Microsoft.Cache/redis/orders", body, expect=200)
    control.clock.advance(601)
    assert control.redis.get("orders") == before
