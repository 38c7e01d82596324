"""The real azure-cli reads a cache's surroundings: Microsoft's own clients for APIs that we read without an SDK.

Role assignments are not among them: az asks Microsoft Graph first, which is not simulated.
"""

from pathlib import Path

import pytest

from sandbox.azure.control.client import Control
from sandbox.azure.seeds import seeds
from sandbox.azure.seeds.storage import (
    AccessPolicyAssignment,
    StorageAccount,
    VaultKey,
    storage_scope,
)
from sandbox.azure_cli import AzureCli, AzureCliError
from tests.contract.conftest import CLIENT, GROUP, SECRET, SUBSCRIPTION, TENANT, VAULT, cache_seed

pytestmark = [pytest.mark.timeout(900), pytest.mark.slow]  # ten calls of az, each of some seconds

ACCOUNT = "ordersdata"
PRINCIPAL = "7d2c5f5e-0000-4000-8000-0000000000aa"


def test_the_governance_of_a_cache(control: Control, tmp_path: Path) -> None:
    account, cache = storage_scope(SUBSCRIPTION, GROUP, ACCOUNT), seeds.cache_scope(SUBSCRIPTION, GROUP, "orders")
    control.seed(
        cache_seed(),
        StorageAccount(subscription=SUBSCRIPTION, group=GROUP, name=ACCOUNT),
        VaultKey(vault=VAULT, name="disk"),
        seeds.Lock(scope=seeds.group_scope(SUBSCRIPTION, GROUP), name="keep", level="CanNotDelete"),
    )
    control.redis.set_patch_schedule(
        "orders", [{"dayOfWeek": "Sunday", "startHourUtc": 2, "maintenanceWindow": "PT5H"}]
    )
    control.redis.set_access_assignments(
        "orders", AccessPolicyAssignment(name="app", policy="Data Reader", object_id=PRINCIPAL)
    )
    az = AzureCli(tmp_path / "az", control.endpoints)
    az.login(TENANT, CLIENT, SECRET)
    in_group = ("--resource-group", GROUP)

    shown = az.run("storage", "account", "show", *in_group, "--name", ACCOUNT)
    assert (shown["id"], shown["enableHttpsTrafficOnly"]) == (account, True)
    assert shown["encryption"]["keySource"] == "Microsoft.Storage"
    blobs = az.run("storage", "account", "blob-service-properties", "show", *in_group, "--account-name", ACCOUNT)
    assert blobs["deleteRetentionPolicy"]["enabled"] is False

    vault = az.run("keyvault", "show", *in_group, "--name", VAULT)
    assert vault["properties"]["enableSoftDelete"] is True
    key_id = f"{seeds.vault_scope(SUBSCRIPTION, GROUP, VAULT)}/keys/disk"
    key = az.run("resource", "show", "--ids", key_id, "--api-version", "2023-07-01")
    assert key["properties"]["attributes"]["enabled"] is True
    found = az.run("resource", "list", "--resource-type", "Microsoft.KeyVault/vaults", "--name", VAULT)
    assert [one["name"] for one in found] == [VAULT]

    locks = az.run("lock", "list", "--resource", cache)
    assert [(lock["name"], lock["level"]) for lock in locks] == [("keep", "CanNotDelete")]
    schedule = az.run("redis", "patch-schedule", "show", *in_group, "--name", "orders")
    assert schedule["scheduleEntries"][0]["dayOfWeek"] == "Sunday"
    assert len(az.run("redis", "access-policy", "list", *in_group, "--name", "orders")) == 3
    (held,) = az.run("redis", "access-policy-assignment", "list", *in_group, "--name", "orders")
    assert (held["accessPolicyName"], held["objectId"]) == ("Data Reader", PRINCIPAL)
    control.redis.set_patch_schedule("orders", None)
    with pytest.raises(AzureCliError, match="There are no patch schedules found"):
        az.run("redis", "patch-schedule", "show", *in_group, "--name", "orders")
