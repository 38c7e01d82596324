"""Setting persistence with azure-mgmt-redis: what is not verified about it can be had both ways."""

from typing import Any

import pytest
from azure.core.exceptions import HttpResponseError

from sandbox.azure.control.client import Control
from sandbox.azure.seeds.storage import StorageAccount, blob_data_contributor, storage_scope
from tests.contract.conftest import GROUP, SUBSCRIPTION, Sdk, cache_seed
from tests.contract.test_storage import storage

ACCOUNT = "ordersdata"
SCOPE = storage_scope(SUBSCRIPTION, GROUP, ACCOUNT)
PREMIUM = {"name": "Premium", "family": "P", "capacity": 1}
PRINCIPAL = "99999999-0000-4000-8000-000000000001"
IDENTITY = {"type": "SystemAssigned", "principalId": PRINCIPAL}
RDB = "rdb-storage-connection-string"


@pytest.fixture
def premium(control: Control) -> Control:
    """A Premium cache with an identity, and an account."""
    control.seed(
        StorageAccount(subscription=SUBSCRIPTION, group=GROUP, name=ACCOUNT),
        cache_seed(sku=PREMIUM, identity=IDENTITY, redis_configuration={"maxmemory-policy": "allkeys-lru"}),
    )
    return control


def by_identity(control: Control, *, suffix: str = "") -> dict[str, str]:
    return {
        "rdb-backup-enabled": "true",
        "rdb-backup-frequency": "60",
        "preferred-data-persistence-auth-method": "ManagedIdentity",
        RDB: f"https://{ACCOUNT}.blob.{control.endpoints.domain}{suffix}",
    }


async def patch(sdk: Sdk, settings: dict[str, Any]) -> dict[str, str]:
    """PATCH these settings and wait for the end; all settings then."""
    async with sdk.redis() as client:
        poller = await client.redis.begin_update(GROUP, "orders", {"properties": {"redisConfiguration": settings}})
        await poller.result()
    shown = sdk.control.redis.get("orders")
    assert shown is not None
    return dict(shown["properties"]["redisConfiguration"])


async def refused(sdk: Sdk, settings: dict[str, Any]) -> str:
    """The message of a refusal for good; nothing has changed."""
    before = sdk.control.redis.get("orders")
    with pytest.raises(HttpResponseError) as refusal:
        await patch(sdk, settings)
    assert refusal.value.status_code == 400
    assert sdk.control.redis.get("orders") == before
    return str(refusal.value.message)


@pytest.mark.parametrize("replaces", [False, True])
async def test_settings_that_a_change_does_not_name(sdk: Sdk, premium: Control, *, replaces: bool) -> None:
    premium.settings.change(configuration_patch_replaces=replaces)
    set_ = await patch(sdk, by_identity(premium))
    assert set_[RDB] == by_identity(premium)[RDB]
    after = await patch(sdk, {"rdb-backup-frequency": "15"})
    assert after["rdb-backup-frequency"] == "15"
    kept = {"rdb-backup-enabled", RDB, "maxmemory-policy"} & {
        name for name, value in after.items() if value in {*by_identity(premium).values(), "allkeys-lru"}
    }
    assert kept == (set() if replaces else {"rdb-backup-enabled", RDB, "maxmemory-policy"})
    assert after["maxmemory-reserved"]  # what the service adds is there in either case


@pytest.mark.parametrize("takes", [True, False])
async def test_the_blob_url_for_an_identity(sdk: Sdk, premium: Control, *, takes: bool) -> None:
    premium.settings.change(identity_takes_blob_url=takes)
    if not takes:
        assert f"'{RDB}' is invalid" in await refused(sdk, by_identity(premium))
        string = {**by_identity(premium), RDB: f"DefaultEndpointsProtocol=https;AccountName={ACCOUNT}"}
        assert (await patch(sdk, string))["rdb-backup-enabled"] == "true"
        return
    assert (await patch(sdk, by_identity(premium, suffix="/")))[RDB].endswith(f"{premium.endpoints.domain}/")


@pytest.mark.parametrize("checks", [False, True])
async def test_an_identity_without_the_role(sdk: Sdk, premium: Control, *, checks: bool) -> None:
    premium.settings.change(persistence_checks_role=checks)
    if checks:
        assert "does not have access" in await refused(sdk, by_identity(premium))
        # The roles of another identity, or on another account, do not count.
        other = storage_scope(SUBSCRIPTION, GROUP, f"{ACCOUNT}2")
        premium.seed(blob_data_contributor("somebody", SCOPE), blob_data_contributor(PRINCIPAL, other))
        assert "does not have access" in await refused(sdk, by_identity(premium))
        premium.seed(blob_data_contributor(PRINCIPAL, SCOPE))
    assert (await patch(sdk, by_identity(premium)))["rdb-backup-enabled"] == "true"
    premium.access.unassign(PRINCIPAL)
    assert (await patch(sdk, {"rdb-backup-enabled": "false"}))["rdb-backup-enabled"] == "false"


@pytest.mark.parametrize("every", [True, False])
async def test_an_account_for_files_only(sdk: Sdk, control: Control, *, every: bool) -> None:
    control.settings.change(blob_service_of_every_kind=every)
    for name, kind in (("files", "FileStorage"), ("blobs", "BlockBlobStorage")):
        control.seed(StorageAccount(subscription=SUBSCRIPTION, group=GROUP, name=name, kind=kind))
    async with storage(sdk) as client:
        assert (await client.storage_accounts.get_properties(GROUP, "files")).kind == "FileStorage"
        assert (await client.blob_services.get_service_properties(GROUP, "blobs")).name == "default"
        if every:
            assert (await client.blob_services.get_service_properties(GROUP, "files")).name == "default"
            return
        with pytest.raises(HttpResponseError, match="FeatureNotSupportedForAccount") as refusal:
            await client.blob_services.get_service_properties(GROUP, "files")
        assert refusal.value.status_code == 400
