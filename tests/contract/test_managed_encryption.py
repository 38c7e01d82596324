"""A cluster's customer-managed key: what a request must name, and which keys cannot be used in the end."""

from typing import Any

import pytest
from azure.core.exceptions import HttpResponseError

from sandbox.azure.control.client import Control
from sandbox.azure.seeds import seeds
from sandbox.azure.seeds.managed_redis import customer_key
from sandbox.azure.seeds.storage import VaultKey
from tests.contract.conftest import GROUP, SUBSCRIPTION, TENANT, VAULT, Sdk
from tests.contract.managed_support import AT_ONCE, CLUSTER, NAME, client_of, creation, properties, refused, seed, send

IDENTITY = f"{seeds.group_scope(SUBSCRIPTION, GROUP)}/providers/Microsoft.ManagedIdentity/userAssignedIdentities/disk"
PRINCIPAL = "99999999-0000-4000-8000-000000000001"
KEYS = "Microsoft.KeyVault/vaults/keys"
READS = (f"{KEYS}/read", f"{KEYS}/wrap/action", f"{KEYS}/unwrap/action")
ASSIGNED = {"type": "UserAssigned", "userAssignedIdentities": {IDENTITY: {}}}


@pytest.fixture
def key(control: Control) -> str:
    """The URL of a key that the identity may use."""
    control.seed(
        seeds.App(tenant=TENANT, client_id="disk", object_id=PRINCIPAL, resource_id=IDENTITY),
        VaultKey(vault=VAULT, name="disk", version="1"),
        seeds.RoleAssignment(
            object_id=PRINCIPAL, scope=seeds.vault_scope(SUBSCRIPTION, GROUP, VAULT), data_actions=READS
        ),
    )
    return f"{control.endpoints.vault_url(VAULT)}/keys/disk/1"


def encrypted(url: str, identity: str | None = IDENTITY) -> dict[str, Any]:
    return {"identity": ASSIGNED, **properties(publicNetworkAccess="Disabled", encryption=customer_key(url, identity))}


async def test_a_cluster_with_a_key(sdk: Sdk, control: Control, key: str) -> None:
    control.settings.change(managed_state_lag_seconds=0)
    async with client_of(sdk) as client:
        body = {**creation(), **encrypted(key)}
        made = await (await client.redis_enterprise.begin_create(GROUP, NAME, body)).result()
    used = made.encryption.customer_managed_key_encryption
    assert (used.key_encryption_key_url, made.resource_state) == (key, "Running")
    assert used.key_encryption_key_identity.user_assigned_identity_resource_id == IDENTITY
    assert made.identity.user_assigned_identities[IDENTITY].principal_id == PRINCIPAL


@pytest.mark.parametrize("stays", [False, True])
async def test_a_key_that_is_set_and_removed(sdk: Sdk, control: Control, key: str, *, stays: bool) -> None:
    control.seed(seed())
    control.settings.change(**AT_ONCE, managed_removed_key_leaves_object=stays)
    await send(sdk, "PATCH", CLUSTER, encrypted(key), expect=202)
    _, shown = await send(sdk, "GET", CLUSTER, expect=200)
    assert shown["properties"]["encryption"] == customer_key(key, IDENTITY)
    assert "not assigned" in await refused(sdk, "PATCH", CLUSTER, {"identity": {"type": "None"}})
    await send(sdk, "PATCH", CLUSTER, properties(encryption={}), expect=202)
    _, shown = await send(sdk, "GET", CLUSTER, expect=200)
    assert shown["properties"].get("encryption") == ({"customerManagedKeyEncryption": {}} if stays else None)
    await send(sdk, "PATCH", CLUSTER, {"identity": {"type": "None"}}, expect=202)


@pytest.mark.parametrize(
    ("change", "text"),
    [
        (encrypted("https://shop.vault.test/keys/disk"), "with its version"),
        (encrypted("http://shop.vault.test/keys/disk/1"), "with its version"),
        (encrypted("https://shop.vault.test/keys/disk/1", None), "needs a user-assigned identity"),
        (encrypted("https://shop.vault.test/keys/disk/1") | {"identity": {"type": "None"}}, "is not assigned"),
        (encrypted("https://shop.vault.test/keys/disk/1", "/other"), "is not assigned"),
    ],
)
async def test_requests_that_are_refused(sdk: Sdk, control: Control, change: dict[str, Any], text: str) -> None:
    control.seed(seed())
    assert text in await refused(sdk, "PATCH", CLUSTER, change)
    assert text in await refused(sdk, "PUT", f"{CLUSTER}2", {**creation(), **change})
    assert control.log.effects() == []


def no_vault(control: Control) -> None:
    control.keyvault.delete(VAULT)


def no_version(control: Control) -> None:
    control.keyvault.change_key(VAULT, "disk", version="2")


def no_key(control: Control) -> None:
    control.keyvault.delete_key(VAULT, "disk")


def disabled(control: Control) -> None:
    control.keyvault.change_key(VAULT, "disk", enabled=False)


def expired(control: Control) -> None:
    control.keyvault.change_key(VAULT, "disk", expires=1_700_000_001)


def no_right(control: Control) -> None:
    control.access.unassign(PRINCIPAL)


@pytest.mark.parametrize("spoil", [no_vault, no_version, no_key, disabled, expired, no_right])
@pytest.mark.parametrize("checked", [True, False])
async def test_a_key_that_cannot_be_used(sdk: Sdk, control: Control, key: str, spoil: Any, *, checked: bool) -> None:
    control.seed(seed(f"{NAME}2"))
    control.settings.change(managed_state_lag_seconds=0, managed_checks_encryption_key=checked)
    spoil(control)
    async with client_of(sdk) as client:
        for poller in (
            await client.redis_enterprise.begin_create(GROUP, NAME, {**creation(), **encrypted(key)}),
            await client.redis_enterprise.begin_update(GROUP, f"{NAME}2", encrypted(key)),
        ):
            if not checked:
                await poller.result()
                continue
            with pytest.raises(HttpResponseError, match="EncryptionKeyNotAccessible"):
                await poller.result()
        made = await client.redis_enterprise.get(GROUP, NAME)
        changed = await client.redis_enterprise.get(GROUP, f"{NAME}2")
    if checked:
        assert (made.provisioning_state, made.resource_state) == ("Failed", "CreateFailed")
        assert (changed.provisioning_state, changed.resource_state) == ("Failed", "UpdateFailed")
        assert (changed.encryption, changed.identity.type) == (None, "None")
    else:
        assert made.resource_state == changed.resource_state == "Running"
