"""Tests that a real subscription can confirm: always run on the simulator, on Azure by `make azure-conformance`.

`conftest.py` states what Azure needs. The cache named there is changed and changed back: a tag, a firewall rule,
and its secondary key is regenerated. Every secret made is deleted.
"""

import os
import uuid
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Any

import jsonschema
import pytest
import pytest_asyncio
from azure.core.exceptions import HttpResponseError, ResourceExistsError, ResourceNotFoundError
from azure.identity.aio import ClientSecretCredential
from azure.keyvault.secrets.aio import SecretClient
from azure.mgmt.redis.aio import RedisManagementClient

from tests.contract import shapes
from tests.contract.conftest import GROUP, Sdk, cache_seed, real_settings


@dataclass
class Target:
    """Where a test runs. `redis` is a RedisManagementClient."""

    redis: Any
    vault: SecretClient
    group: str
    cache: str


def _simulated(sdk: Sdk) -> Target:
    sdk.control.seed(cache_seed(tags={"keep": "1"}))
    sdk.control.settings.change(update_seconds=2.0)  # the next request of a busy test machine comes within
    return Target(sdk.redis(), sdk.vault(), GROUP, "orders")


async def _real(stack: AsyncExitStack) -> Target:
    found = real_settings()
    if found is None:
        pytest.skip("AZURE_CONFORMANCE_* is not set: see tests/contract/conftest.py")
    names = ("AZURE_TENANT_ID", "AZURE_CLIENT_ID", "AZURE_CLIENT_SECRET")
    credential = await stack.enter_async_context(ClientSecretCredential(*(os.environ[name] for name in names)))
    redis = await stack.enter_async_context(RedisManagementClient(credential, found["SUBSCRIPTION"]))
    vault = await stack.enter_async_context(SecretClient(found["VAULT_URL"], credential))
    return Target(redis, vault, found["GROUP"], found["CACHE"])


@pytest_asyncio.fixture(params=["simulator", pytest.param("azure", marks=pytest.mark.azure)])
async def target(request: pytest.FixtureRequest, sdk: Sdk) -> AsyncIterator[Target]:
    async with AsyncExitStack() as stack:
        if request.param == "azure":
            yield await _real(stack)
        else:
            yield _simulated(sdk)


class Wire:
    """`raw_response_hook=` that keeps the answers as they came."""

    def __init__(self) -> None:
        self.answers: list[Any] = []

    def __call__(self, response: Any) -> None:
        self.answers.append(response.http_response)

    def check(self, schema: shapes.Schema) -> Any:
        body = self.answers[-1].json()
        jsonschema.validate(body, schema)
        return body


async def test_a_cache_and_its_lists(target: Target) -> None:
    wire = Wire()
    await target.redis.redis.get(target.group, target.cache, raw_response_hook=wire)
    assert wire.check(shapes.CACHE)["properties"]["accessKeys"] is None
    listed = [one.name async for one in target.redis.redis.list_by_resource_group(target.group, raw_response_hook=wire)]
    wire.check(shapes.CACHES)
    assert target.cache in listed


async def test_keys(target: Target) -> None:
    wire = Wire()
    before = await target.redis.redis.list_keys(target.group, target.cache, raw_response_hook=wire)
    wire.check(shapes.KEYS)
    answer = await target.redis.redis.regenerate_key(
        target.group, target.cache, {"keyType": "Secondary"}, retry_total=0, raw_response_hook=wire
    )
    wire.check(shapes.KEYS)
    after = await target.redis.redis.list_keys(target.group, target.cache)
    assert answer.primary_key == after.primary_key == before.primary_key
    assert answer.secondary_key == after.secondary_key != before.secondary_key


async def test_a_patch_and_a_second_one_while_it_runs(target: Target) -> None:
    wire = Wire()
    before = await target.redis.redis.get(target.group, target.cache)
    opened = before.public_network_access != "Disabled"
    bodies = [{"properties": {"publicNetworkAccess": word}} for word in ("Enabled", "Disabled")]
    poller = await target.redis.redis.begin_update(target.group, target.cache, bodies[opened], raw_response_hook=wire)
    assert wire.answers[0].status_code == 202
    jsonschema.validate(wire.answers[0].json(), shapes.CACHE)
    assert "azure-asyncoperation" in {name.lower() for name in wire.answers[0].headers}
    with pytest.raises(ResourceExistsError) as busy:
        await target.redis.redis.begin_update(target.group, target.cache, {"tags": {}}, polling=False, retry_total=0)
    assert busy.value.error is not None
    assert busy.value.error.code == "Conflict"
    assert (await poller.result()).public_network_access != before.public_network_access
    assert any(answer.request.url.lower().find("/asyncoperations/") > 0 for answer in wire.answers)
    restored = await target.redis.redis.begin_update(target.group, target.cache, bodies[not opened])
    assert (await restored.result()).public_network_access == before.public_network_access


async def test_tags_are_changed_by_the_answer(target: Target) -> None:
    wire = Wire()
    before = await target.redis.redis.get(target.group, target.cache)
    changed = {**(before.tags or {}), "conformance": uuid.uuid4().hex}
    await target.redis.redis.begin_update(target.group, target.cache, {"tags": changed}, raw_response_hook=wire)
    assert wire.answers[0].status_code == 200
    assert wire.answers[0].json()["tags"] == changed
    restored = await target.redis.redis.begin_update(target.group, target.cache, {"tags": before.tags or {}})
    assert (await restored.result()).tags == (before.tags or {})


async def test_a_firewall_rule(target: Target) -> None:
    wire = Wire()
    rules = target.redis.firewall_rules
    body = {"properties": {"startIP": "192.0.2.1", "endIP": "192.0.2.9"}}
    await rules.create_or_update(target.group, target.cache, "conformance", body, raw_response_hook=wire)
    wire.check(shapes.RULE)
    await rules.delete(target.group, target.cache, "conformance", raw_response_hook=wire)
    with pytest.raises(ResourceNotFoundError) as missing:
        await rules.get(target.group, target.cache, "conformance", raw_response_hook=wire)
    assert missing.value.error is not None
    wire.check(shapes.ERROR)


async def test_missing_objects(target: Target) -> None:
    wire = Wire()
    for group, code in ((target.group, "ResourceNotFound"), (f"none-{uuid.uuid4().hex[:8]}", "ResourceGroupNotFound")):
        with pytest.raises(HttpResponseError):
            await target.redis.redis.get(group, f"none-{uuid.uuid4().hex[:8]}", raw_response_hook=wire)
        assert wire.check(shapes.ERROR)["error"]["code"] == code


async def test_secrets(target: Target) -> None:
    wire = Wire()
    name = f"conformance-{uuid.uuid4().hex[:8]}"
    first = await target.vault.set_secret(name, "one", tags={"CredentialId": "Primary"}, raw_response_hook=wire)
    wire.check(shapes.SECRET)
    second = await target.vault.set_secret(name, "two")
    await target.vault.get_secret(name, raw_response_hook=wire)
    assert wire.check(shapes.SECRET)["value"] == "two"
    assert (await target.vault.get_secret(name, first.properties.version)).value == "one"
    versions = target.vault.list_properties_of_secret_versions(name, raw_response_hook=wire)
    assert {item.version async for item in versions} == {first.properties.version, second.properties.version}
    wire.check(shapes.VERSIONS)
    await target.vault.update_secret_properties(name, enabled=False)
    with pytest.raises(HttpResponseError) as disabled:
        await target.vault.get_secret(name, raw_response_hook=wire)
    assert disabled.value.status_code == 403
    assert wire.check(shapes.ERROR)["error"]["innererror"]["code"] == "SecretDisabled"
    await target.vault.delete_secret(name)
    with pytest.raises(ResourceExistsError) as taken:
        await target.vault.set_secret(name, "three")
    assert taken.value.error is not None
    with pytest.raises(ResourceNotFoundError):
        await target.vault.get_secret(name)
    await target.vault.purge_deleted_secret(name)
