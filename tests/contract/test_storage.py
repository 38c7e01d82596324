"""Storage accounts and the children of a cache with azure-mgmt-storage and azure-mgmt-redis, unmodified."""

from typing import Any

import pytest
from azure.core.exceptions import HttpResponseError, ResourceNotFoundError
from azure.mgmt.storage.aio import StorageManagementClient

from sandbox.azure.control.client import Control
from sandbox.azure.seeds import seeds
from sandbox.azure.seeds.storage import (
    AccessPolicy,
    AccessPolicyAssignment,
    StorageAccount,
    storage_scope,
)
from sandbox.azure.state.faults import Fault
from tests.contract.conftest import GROUP, OBJECT, OTHER_TENANT, SUBSCRIPTION, Sdk, cache_seed

ACCOUNT = "ordersdata"
SCOPE = storage_scope(SUBSCRIPTION, GROUP, ACCOUNT)


def storage(sdk: Sdk, subscription: str = SUBSCRIPTION, **kwargs: Any) -> Any:
    return StorageManagementClient(
        sdk.credential(),
        subscription,
        sdk.control.endpoints.management,
        credential_scopes=[sdk.control.endpoints.management_scope],
        transport=sdk.transport,
        retry_total=0,
        **kwargs,
    )


@pytest.fixture
def account(control: Control) -> Control:
    control.seed(StorageAccount(subscription=SUBSCRIPTION, group=GROUP, name=ACCOUNT, tags={"team": "shop"}))
    return control


@pytest.mark.parametrize("version", [None, "2023-05-01"])
async def test_an_account_as_its_models_understand_it(sdk: Sdk, account: Control, version: str | None) -> None:
    async with storage(sdk, **({} if version is None else {"api_version": version})) as client:
        found = await client.storage_accounts.get_properties(GROUP, ACCOUNT.upper())
        blobs = await client.blob_services.get_service_properties(GROUP, ACCOUNT)
    assert found.id == SCOPE
    assert (found.kind, found.sku.name, found.location, found.tags) == (
        "StorageV2",
        "Standard_LRS",
        "westeurope",
        {"team": "shop"},
    )
    assert (found.enable_https_traffic_only, found.minimum_tls_version) == (True, "TLS1_2")
    assert (found.allow_blob_public_access, found.allow_shared_key_access) == (False, None)
    assert (found.network_rule_set.default_action, found.network_rule_set.bypass) == ("Allow", "AzureServices")
    assert found.encryption.key_source == "Microsoft.Storage"
    assert found.encryption.services.blob.enabled is True
    assert found.encryption.require_infrastructure_encryption is None
    assert found.primary_endpoints.blob == f"https://{ACCOUNT}.blob.{sdk.control.endpoints.domain}/"
    assert blobs.delete_retention_policy.enabled is False
    assert account.log.writes() == []


async def test_every_property_of_the_chain_can_be_changed_and_taken_away(sdk: Sdk, account: Control) -> None:
    account.storage.update(
        ACCOUNT,
        {"allowSharedKeyAccess": False, "publicNetworkAccess": "SecuredByPerimeter", "minimumTlsVersion": "TLS1_0"},
        encryption={
            "keySource": "Microsoft.Keyvault",
            "requireInfrastructureEncryption": True,
            "keyvaultproperties": {"keyvaulturi": "https://a.vault.test", "keyname": "k", "keyversion": ""},
        },
        blob_service={
            "deleteRetentionPolicy": {"enabled": True, "days": 7, "allowPermanentDelete": True},
            "containerDeleteRetentionPolicy": {"enabled": True, "days": 3},
            "isVersioningEnabled": True,
        },
        absent=["supportsHttpsTrafficOnly"],
        sku={"name": "Standard_RAGZRS", "tier": "Standard"},
        location="northeurope",
    )
    async with storage(sdk) as client:
        found = await client.storage_accounts.get_properties(GROUP, ACCOUNT)
        blobs = await client.blob_services.get_service_properties(GROUP, ACCOUNT)
    assert (found.allow_shared_key_access, found.public_network_access) == (False, "SecuredByPerimeter")
    assert (found.minimum_tls_version, found.enable_https_traffic_only) == ("TLS1_0", None)
    assert (found.sku.name, found.location) == ("Standard_RAGZRS", "northeurope")
    assert found.secondary_location
    assert found.encryption.require_infrastructure_encryption is True
    assert found.encryption.key_vault_properties.key_name == "k"
    assert found.encryption.services.blob.enabled is True  # what was not named stays
    assert (blobs.delete_retention_policy.days, blobs.delete_retention_policy.allow_permanent_delete) == (7, True)
    assert (blobs.container_delete_retention_policy.days, blobs.is_versioning_enabled) == (3, True)


async def test_refusals(sdk: Sdk, account: Control) -> None:
    async with storage(sdk) as client:
        with pytest.raises(ResourceNotFoundError, match="storageAccounts/none"):
            await client.storage_accounts.get_properties(GROUP, "none")
        with pytest.raises(ResourceNotFoundError, match="ResourceGroupNotFound"):
            await client.storage_accounts.get_properties("none", ACCOUNT)
        throttling = Fault(path="storageAccounts", status=429, headers={"Retry-After": "7"})
        with account.faults.during(throttling), pytest.raises(HttpResponseError) as throttled:
            await client.storage_accounts.get_properties(GROUP, ACCOUNT)
        assert (throttled.value.status_code, sdk.headers(throttled.value)["Retry-After"]) == (429, "7")
        account.access.unassign(OBJECT)
        account.seed(
            seeds.RoleAssignment(object_id=OBJECT, scope=SCOPE, actions=("Microsoft.Storage/storageAccounts/read",))
        )
        assert (await client.storage_accounts.get_properties(GROUP, ACCOUNT)).id == SCOPE
        with pytest.raises(HttpResponseError, match="storageAccounts/blobServices/read"):
            await client.blob_services.get_service_properties(GROUP, ACCOUNT)
        # Permissions are checked before existence.
        with pytest.raises(HttpResponseError, match="AuthorizationFailed"):
            await client.storage_accounts.get_properties(GROUP, "none")
    other = "7d2c5f5e-0000-4000-8000-00000000eeee"
    account.seed(seeds.Subscription(id=other, tenant=OTHER_TENANT))
    async with storage(sdk, other) as client:
        with pytest.raises(HttpResponseError, match="InvalidAuthenticationTokenTenant"):
            await client.storage_accounts.get_properties(GROUP, ACCOUNT)


async def test_a_removed_account_is_gone(sdk: Sdk, account: Control) -> None:
    assert account.storage.get(ACCOUNT) is not None
    account.storage.delete(ACCOUNT)
    assert account.storage.get(ACCOUNT) is None
    async with storage(sdk) as client:
        with pytest.raises(ResourceNotFoundError):
            await client.blob_services.get_service_properties(GROUP, ACCOUNT)


async def test_the_children_of_a_cache(sdk: Sdk, control: Control) -> None:
    control.seed(cache_seed())
    async with sdk.redis() as client:
        with pytest.raises(ResourceNotFoundError, match="There are no patch schedules found for redis cache 'orders'"):
            await client.patch_schedules.get(GROUP, "orders", "default")
        with pytest.raises(ResourceNotFoundError, match="There are no patch schedules found"):
            [one async for one in client.patch_schedules.list_by_redis_resource(GROUP, "orders")]
        control.redis.set_patch_schedule(
            "orders", [{"dayOfWeek": "Sunday", "startHourUtc": 2, "maintenanceWindow": "PT6H"}]
        )
        schedule = await client.patch_schedules.get(GROUP, "orders", "default")
        assert [(e.day_of_week, e.start_hour_utc, e.maintenance_window.seconds) for e in schedule.schedule_entries] == [
            ("Sunday", 2, 6 * 3600)
        ]
        assert [one async for one in client.access_policy_assignment.list(GROUP, "orders")] == []
        control.redis.set_access_policies("orders", AccessPolicy(name="Readers", permissions="+get ~orders:*"))
        control.redis.set_access_assignments(
            "orders", AccessPolicyAssignment(name="app", policy="Readers", object_id=OBJECT)
        )
        policies = {p.name: p.type_properties_type async for p in client.access_policy.list(GROUP, "orders")}
        assert policies == {
            "Data Owner": "BuiltIn",
            "Data Contributor": "BuiltIn",
            "Data Reader": "BuiltIn",
            "Readers": "Custom",
        }
        one = await client.access_policy.get(GROUP, "orders", "readers")
        assert one.permissions == "+get ~orders:*"
        held = await client.access_policy_assignment.get(GROUP, "orders", "app")
        assert (held.access_policy_name, held.object_id) == ("Readers", OBJECT)
        with pytest.raises(ResourceNotFoundError):
            await client.access_policy.get(GROUP, "orders", "none")
        control.access.unassign(OBJECT)
        with pytest.raises(HttpResponseError, match="redis/accessPolicyAssignments/read"):
            [each async for each in client.access_policy_assignment.list(GROUP, "orders")]
