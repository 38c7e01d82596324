"""Key Vault secrets with azure-keyvault-secrets."""

from datetime import UTC, datetime
from typing import Any

import pytest
from azure.core.exceptions import (
    ClientAuthenticationError,
    HttpResponseError,
    ResourceExistsError,
    ResourceNotFoundError,
)
from azure.keyvault.secrets import ApiVersion

from sandbox.azure.control.client import Control
from sandbox.azure.seeds import seeds
from sandbox.azure.state.faults import Fault
from tests.contract.conftest import GROUP, OBJECT, OTHER_TENANT, SUBSCRIPTION, TENANT, VAULT, Sdk

SCOPE = seeds.vault_scope(SUBSCRIPTION, GROUP, VAULT)
GET = "Microsoft.KeyVault/vaults/secrets/getSecret/action"
METADATA = "Microsoft.KeyVault/vaults/secrets/readMetadata/action"
SET = "Microsoft.KeyVault/vaults/secrets/setSecret/action"
UPDATE = "Microsoft.KeyVault/vaults/secrets/update/action"
NOT_BEFORE = datetime(2020, 1, 1, tzinfo=UTC)


def inner(error: Any) -> str | None:
    return error.error.innererror["code"] if error.error and error.error.innererror else None


def fresh_vault(control: Control, name: str) -> str:
    """A vault whose challenge this process has not met: the SDK remembers them per host for its whole life."""
    control.seed(seeds.Vault(name=name, tenant=TENANT, subscription=SUBSCRIPTION, group=GROUP))
    return name


async def test_the_challenge_comes_first_and_without_a_body(sdk: Sdk, control: Control) -> None:
    fresh = fresh_vault(control, "challenge")
    async with sdk.vault(fresh) as client:
        made = await client.set_secret(
            "key",
            "value",
            content_type="text/plain",
            tags={"CredentialId": "Primary"},
            expires_on=datetime(2030, 1, 1, tzinfo=UTC),
        )
        found = await client.get_secret("key")
    assert (made.value, found.value, found.properties.content_type) == ("value", "value", "text/plain")
    assert found.properties.tags == {"CredentialId": "Primary"}
    assert found.properties.expires_on == datetime(2030, 1, 1, tzinfo=UTC)
    assert found.properties.version == made.properties.version
    assert len(made.properties.version or "") == 32
    assert found.id == f"{control.endpoints.vault_url(fresh)}/secrets/key/{made.properties.version}"
    log = control.log.requests(service="vault")
    assert [(r.method, r.status) for r in log] == [("PUT", 401), ("PUT", 200), ("GET", 200)]
    assert log[0].body_keys == ()
    assert "value" in log[1].body_keys
    assert log[2].path == "/secrets/key/"


@pytest.mark.parametrize("version", [v for v in ApiVersion if v >= "7.4"])
async def test_versions_of_the_interface(sdk: Sdk, control: Control, version: ApiVersion) -> None:
    control.keyvault.set_secret(VAULT, "key", "value")
    async with sdk.vault(api_version=version) as client:
        assert (await client.get_secret("key")).value == "value"


async def test_an_unknown_version_of_the_interface_is_refused(sdk: Sdk) -> None:
    async with sdk.vault(api_version="2016-10-01") as client:
        with pytest.raises(HttpResponseError, match="is not recognized"):
            await client.get_secret("key")


async def test_versions_come_in_pages_of_25_unordered_without_values(sdk: Sdk, control: Control) -> None:
    ids = [
        control.keyvault.set_secret(VAULT, "key", seeds.SecretVersion(value=f"canary{n}", created=1_700_000_000 + n))
        for n in range(60)
    ]
    async with sdk.vault() as client:
        pages = client.list_properties_of_secret_versions("key").by_page()
        listed = [[item async for item in page] async for page in pages]
        newest = await client.get_secret("key")
        first = await client.get_secret("key", ids[0])
    assert [len(page) for page in listed] == [25, 25, 10]
    observed = [item.version for page in listed for item in page]
    assert sorted(filter(None, observed)) == sorted(ids)
    assert observed != ids
    assert (newest.value, newest.properties.version, first.value) == ("canary59", ids[-1], "canary0")
    assert all(not hasattr(item, "value") for page in listed for item in page)


async def test_each_version_has_attributes_of_its_own(sdk: Sdk, control: Control) -> None:
    async with sdk.vault() as client:
        old = await client.set_secret("key", "one", tags={"a": "1"})
        await client.set_secret("key", "two")
        await client.update_secret_properties("key", old.properties.version, enabled=False, tags={"b": "2"})
        assert (await client.get_secret("key")).value == "two"
        with pytest.raises(HttpResponseError) as disabled:
            await client.get_secret("key", old.properties.version)
        assert (disabled.value.status_code, inner(disabled.value)) == (403, "SecretDisabled")
        [shown] = [
            item
            async for item in client.list_properties_of_secret_versions("key")
            if item.version == old.properties.version
        ]
    assert (shown.enabled, shown.tags) == (False, {"b": "2"})


async def test_an_update_changes_the_tags_of_one_version_and_nothing_else(sdk: Sdk, control: Control) -> None:
    ends = datetime(2031, 1, 1, tzinfo=UTC)
    async with sdk.vault() as client:
        made = await client.set_secret(
            "key", "value", content_type="text/plain", tags={"a": "1", "b": "2"}, not_before=NOT_BEFORE, expires_on=ends
        )
        newer = await client.set_secret("key", "newer", tags={"c": "3"})
        version = made.properties.version
        mark = control.log.position()
        shown = await client.update_secret_properties("key", version, tags={"a": "9"})
        [request] = control.log.requests(mark)
        found = await client.get_secret("key", version)
        other = await client.get_secret("key")
        with pytest.raises(ResourceNotFoundError, match="SecretNotFound"):
            await client.update_secret_properties("key", "0" * 32, tags={})
        cleared = await client.update_secret_properties("key", version, tags={})
    assert (request.method, request.body_keys) == ("PATCH", ("tags", "tags.a"))
    assert request.action == "Microsoft.KeyVault/vaults/secrets/update/action"
    assert (shown.tags, found.properties.tags, cleared.tags) == ({"a": "9"}, {"a": "9"}, {})
    assert found.value == "value"
    kept = found.properties
    assert (kept.version, kept.enabled, kept.content_type) == (version, True, "text/plain")
    assert (kept.not_before, kept.expires_on, kept.created_on) == (NOT_BEFORE, ends, made.properties.created_on)
    assert (other.properties.version, other.properties.tags) == (newer.properties.version, {"c": "3"})


async def test_an_update_that_merges_tags(sdk: Sdk, control: Control) -> None:
    control.keyvault.set_secret(VAULT, "key", seeds.SecretVersion(value="x", tags={"a": "1", "b": "2"}))
    control.settings.change(update_merges_tags=True)
    async with sdk.vault() as client:
        assert (await client.update_secret_properties("key", tags={"a": "9"})).tags == {"a": "9", "b": "2"}


@pytest.mark.parametrize("given", [(), (UPDATE,), (SET,)])
async def test_a_vault_that_may_be_read_and_not_or_half_written(
    sdk: Sdk, control: Control, given: tuple[str, ...]
) -> None:
    control.keyvault.set_secret(VAULT, "key", "value")
    control.access.unassign(OBJECT)
    control.seed(seeds.RoleAssignment(object_id=OBJECT, scope=SCOPE, data_actions=(GET, METADATA, *given)))
    async with sdk.vault() as client:
        assert (await client.get_secret("key")).value == "value"
        for action, call in (
            (UPDATE, client.update_secret_properties("key", tags={})),
            (SET, client.set_secret("key", "new")),
        ):
            if action in given:
                await call
                continue
            with pytest.raises(HttpResponseError, match=action) as refused:
                await call
            assert (refused.value.status_code, inner(refused.value)) == (403, "ForbiddenByRbac")
    assert control.keyvault.secret_versions(VAULT, "key")[-1].value == ("new" if SET in given else "value")


async def test_dates_are_informational_unless_switched(sdk: Sdk, control: Control) -> None:
    now = int(control.clock.now())
    control.keyvault.set_secret(VAULT, "expired", seeds.SecretVersion(value="a", expires=now - 60))
    control.keyvault.set_secret(VAULT, "future", seeds.SecretVersion(value="b", not_before=now + 3600))
    async with sdk.vault() as client:
        assert (await client.get_secret("expired")).value == "a"
        assert (await client.get_secret("future")).value == "b"
        control.settings.change(enforce_secret_dates=True)
        for name in ("expired", "future"):
            with pytest.raises(HttpResponseError) as refused:
                await client.get_secret(name)
            assert refused.value.status_code == 403


async def test_soft_deletion_keeps_the_name(sdk: Sdk, control: Control) -> None:
    control.keyvault.set_secret(VAULT, "key", "value")
    control.keyvault.delete_secret(VAULT, "key")
    async with sdk.vault() as client:
        with pytest.raises(ResourceNotFoundError, match="SecretNotFound"):
            await client.get_secret("key")
        with pytest.raises(ResourceExistsError, match="deleted but recoverable state") as taken:
            await client.set_secret("key", "again")
        assert inner(taken.value) == "ObjectIsDeletedButRecoverable"
        await client.recover_deleted_secret("key")
        assert (await client.get_secret("key")).value == "value"
        control.keyvault.delete_secret(VAULT, "key", being_deleted=True)
        with pytest.raises(ResourceExistsError) as busy:
            await client.set_secret("key", "again")
        assert inner(busy.value) == "ObjectIsBeingDeleted"
        await client.purge_deleted_secret("key")
        assert (await client.set_secret("key", "new")).value == "new"


async def test_rights_per_vault_and_per_secret(sdk: Sdk, control: Control) -> None:
    control.keyvault.set_secret(VAULT, "key", "value")
    control.keyvault.set_secret(VAULT, "other", "value")
    control.access.unassign(OBJECT)
    control.seed(
        seeds.RoleAssignment(object_id=OBJECT, scope=f"{SCOPE}/secrets/key", data_actions=(GET,)),
        seeds.RoleAssignment(object_id=OBJECT, scope=SCOPE, data_actions=(METADATA,), delay=300),
    )
    async with sdk.vault() as client:
        assert (await client.get_secret("key")).value == "value"
        for call in (client.get_secret("other"), client.set_secret("key", "new")):
            with pytest.raises(HttpResponseError) as refused:
                await call
            assert (refused.value.status_code, inner(refused.value)) == (403, "ForbiddenByRbac")
        with pytest.raises(HttpResponseError, match=METADATA):
            [item async for item in client.list_properties_of_secret_versions("other")]
        control.clock.advance(301)
        assert len([item async for item in client.list_properties_of_secret_versions("other")]) == 1


async def test_management_rights_do_not_read_secrets(sdk: Sdk, control: Control) -> None:
    control.keyvault.set_secret(VAULT, "key", "value")
    control.access.unassign(OBJECT)
    scope = seeds.subscription_scope(SUBSCRIPTION)
    control.seed(seeds.RoleAssignment(object_id=OBJECT, scope=scope, actions=("*",)))
    async with sdk.vault() as client:
        with pytest.raises(HttpResponseError, match="not authorized"):
            await client.get_secret("key")


async def test_a_firewall_and_a_vault_of_another_tenant(sdk: Sdk, control: Control) -> None:
    control.seed(
        seeds.Vault(name="walled", tenant=TENANT, subscription=SUBSCRIPTION, group=GROUP, firewall=True),
        seeds.Vault(name="foreign", tenant=OTHER_TENANT, subscription=SUBSCRIPTION, group=GROUP),
    )
    async with sdk.vault("walled") as client:
        with pytest.raises(HttpResponseError) as refused:
            await client.get_secret("key")
        assert (refused.value.status_code, inner(refused.value)) == (403, "ForbiddenByFirewall")
    async with sdk.vault("foreign") as client:
        with pytest.raises(ClientAuthenticationError):
            await client.get_secret("key")
    assert control.log.requests(service="entra")[-1].path == f"/{OTHER_TENANT}/oauth2/v2.0/token"


@pytest.mark.parametrize(("size", "status"), [(25 * 1024, 200), (25 * 1024 + 1, 400)])
async def test_the_size_of_a_value(sdk: Sdk, control: Control, size: int, status: int) -> None:
    async with sdk.vault() as client:
        if status == 200:
            await client.set_secret("key", "x" * size)
        else:
            with pytest.raises(HttpResponseError, match="BadParameter"):
                await client.set_secret("key", "x" * size)
    assert control.log.requests(service="vault")[-1].status == status


async def test_odd_values_are_given_back_as_they_are(sdk: Sdk, control: Control) -> None:
    for value in ("", "with\nnewline", "\x00\ufffd"):
        control.keyvault.set_secret(VAULT, "odd", value)
        async with sdk.vault() as client:
            assert (await client.get_secret("odd")).value == value


async def test_throttling_and_a_claims_challenge(sdk: Sdk, control: Control) -> None:
    fresh = fresh_vault(control, "throttled")
    control.keyvault.set_secret(fresh, "key", "value")
    async with sdk.vault(fresh) as client:
        await client.get_secret("key")
        control.access.revoke_tokens(OBJECT)
        assert (await client.get_secret("key")).value == "value"
        body = {
            "error": {
                "code": "Throttled",
                "message": "Request was not processed because too many requests were received.",
            }
        }
        control.faults.add(Fault(service="vault", status=429, headers={"Retry-After": "3"}, body=body))
        with pytest.raises(HttpResponseError) as refused:
            await client.get_secret("key")
        assert refused.value.status_code == 429
    assert [r.status for r in control.log.requests(service="vault")] == [401, 200, 401, 200, 429]


async def test_a_missing_vault_and_secret(sdk: Sdk, control: Control) -> None:
    async with sdk.vault() as client:
        with pytest.raises(ResourceNotFoundError, match="SecretNotFound"):
            await client.get_secret("none")
        with pytest.raises(ResourceNotFoundError):
            [item async for item in client.list_properties_of_secret_versions("none")]
        with control.settings.during(versions_of_missing_secret_status=200):
            assert [item async for item in client.list_properties_of_secret_versions("none")] == []
        control.keyvault.delete(VAULT)
        with pytest.raises(ResourceNotFoundError):
            await client.get_secret("none")
