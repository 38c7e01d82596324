"""The real azure-cli against the simulator: unmodified, by host names, through its own custom cloud."""

from pathlib import Path

import pytest

from sandbox.azure.control.client import Control
from sandbox.azure.seeds import seeds
from sandbox.azure_cli import AzureCli, AzureCliError
from tests.contract.conftest import CLIENT, GROUP, SECRET, TENANT, VAULT

pytestmark = pytest.mark.timeout(900)  # its installation (730 MB, once) takes a minute or more


def test_redis_and_keyvault_commands(control: Control, tmp_path: Path) -> None:
    # az polls immediately and then every 30 s: done by the first poll.
    control.settings.change(create_seconds=0)
    az = AzureCli(tmp_path / "az", control.endpoints)
    az.login(TENANT, CLIENT, SECRET)
    place = ("--resource-group", GROUP, "--name", "orders")
    size = ("--sku", "Standard", "--vm-size", "c1", "--minimum-tls-version", "1.2")
    az.run("redis", "create", *place, "--location", "westeurope", *size)
    shown = az.run("redis", "show", *place)
    assert (shown["provisioningState"], shown["minimumTlsVersion"]) == ("Succeeded", "1.2")
    assert (shown["sku"], shown["accessKeys"]) == ({"name": "Standard", "family": "C", "capacity": 1}, None)
    keys = az.run("redis", "list-keys", *place)
    assert keys["primaryKey"] == control.redis.keys("orders")["Primary"]
    regenerated = az.run("redis", "regenerate-keys", *place, "--key-type", "Primary")
    assert regenerated["primaryKey"] != keys["primaryKey"]
    assert regenerated["secondaryKey"] == keys["secondaryKey"]

    secret = ("--vault-name", VAULT, "--name", "orders-redis-key")
    az.run("keyvault", "secret", "set", *secret, "--value", keys["secondaryKey"])
    assert az.run("keyvault", "secret", "show", *secret)["value"] == keys["secondaryKey"]

    control.seed(
        seeds.Lock(scope=seeds.group_scope("7d2c5f5e-0000-4000-8000-000000000021", GROUP), name="l", level="ReadOnly")
    )
    with pytest.raises(AzureCliError, match="ScopeLocked"):
        az.run("redis", "list-keys", *place)
