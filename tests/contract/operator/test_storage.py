"""The account behind persistence and the key that encrypts it, as the operator reads them."""

from datetime import UTC, datetime

import pytest

from sandbox.azure.seeds import seeds
from sandbox.azure.seeds.storage import StorageAccount, VaultKey, storage_scope
from sandbox.azure.state.faults import Fault
from secure_redis.api.azure_ids import StorageAccountID
from secure_redis.api.reasons.reason import Reason
from secure_redis.azure.core.resource_manager import ResourceManager
from secure_redis.azure.keyvault.encryption_keys import (
    READ_KEY,
    READ_KEY_VERSION,
    READ_VAULT,
    KeyVaults,
)
from secure_redis.azure.storage.accounts import READ_ACCOUNT, READ_BLOB_SERVICE, StorageAccounts
from secure_redis.domain.observe.storage import (
    BlobServiceFacts,
    KeyAbsent,
    KeyFacts,
    KeyVaultFacts,
    StorageAbsent,
    StorageFacts,
)
from secure_redis.domain.observe.unknown import Unknown

from .conftest import OTHER_TENANT, Site

VERSION = "0123456789abcdef0123456789abcdef"
EXPIRES = datetime(2030, 1, 2, 3, 4, 5, tzinfo=UTC)


class Room:
    """The fixtures of a test: an account named like the site's other things, and the readers."""

    def __init__(self, site: Site) -> None:
        self.site = site
        self.control = site.control
        resource_manager = ResourceManager(site.transport, site.credentials)
        self.accounts = StorageAccounts(resource_manager)
        self.vaults = KeyVaults(resource_manager, site.transport.cloud)
        self.id = StorageAccountID.parse(storage_scope(site.subscription, site.group, site.name))
        self.control.seed(StorageAccount(subscription=site.subscription, group=site.group, name=site.name))

    async def read(self) -> StorageFacts:
        facts = await self.accounts.read(self.site.identity, self.id)
        assert isinstance(facts, StorageFacts)
        return facts

    async def unread(self) -> Unknown:
        facts = await self.accounts.read(self.site.identity, self.id)
        assert isinstance(facts, Unknown)
        return facts

    def encrypt(self, **more: object) -> None:
        """The account is encrypted with the key `disk` of the site's vault."""
        key = {"keyvaulturi": self.site.vault, "keyname": "disk", "keyversion": "", **more}
        self.control.storage.update(
            self.site.name, encryption={"keySource": "Microsoft.Keyvault", "keyvaultproperties": key}
        )
        self.control.seed(VaultKey(vault=self.site.name, name="disk", version=VERSION))


@pytest.fixture
def room(site: Site) -> Room:
    site.allow("Microsoft.Storage/*/read")
    return Room(site)


async def test_an_ordinary_account(room: Room) -> None:
    facts = await room.read()
    assert facts.account_id.key == room.id.key
    assert (facts.location, facts.sku_name) == ("westeurope", "Standard_LRS")
    assert (facts.redundancy, facts.geo_redundant) == ("LRS", False)
    assert (facts.https_only, facts.minimum_tls_version, facts.public_blobs_allowed) == (True, "TLS1_2", False)
    assert (facts.network_default_action, facts.trusted_services_pass) == ("Allow", True)
    assert facts.encryption is not None
    assert (facts.encryption.customer_managed, facts.encryption.blob_encrypted) == (False, True)
    # A field that the answer leaves out stays None.
    assert (facts.shared_key_allowed, facts.public_network_access, facts.encryption.infrastructure) == (None,) * 3
    assert facts.blob_endpoint is not None
    assert facts.blob_endpoint.startswith(f"https://{room.site.name}.blob.")
    with pytest.raises(ValueError, match="not known to be encrypted with a key of the customer's own"):
        await room.vaults.encryption_key(room.site.identity, facts)
    assert room.control.log.writes(room.site.mark) == []


async def test_an_unsafe_account_and_one_without_values(room: Room) -> None:
    room.control.storage.update(
        room.site.name,
        {
            "supportsHttpsTrafficOnly": False,
            "minimumTlsVersion": "TLS1_0",
            "allowBlobPublicAccess": True,
            "allowSharedKeyAccess": True,
            "publicNetworkAccess": "Enabled",
            "isHnsEnabled": True,
            "keyPolicy": {"keyExpirationPeriodInDays": 90},
            "networkAcls": {
                "bypass": "Logging, Metrics",
                "defaultAction": "Deny",
                "ipRules": [{"value": "203.0.113.0/24", "action": "Allow"}],
                "virtualNetworkRules": [{"id": "/subscriptions/x"}],
            },
        },
        encryption={"requireInfrastructureEncryption": True},
        sku={"name": "Standard_RAGRS", "tier": "Standard"},
    )
    facts = await room.read()
    assert (facts.https_only, facts.minimum_tls_version, facts.public_blobs_allowed) == (False, "TLS1_0", True)
    assert (facts.shared_key_allowed, facts.public_network_access) == (True, "Enabled")
    assert (facts.network_default_action, facts.network_bypass) == ("Deny", ("Logging", "Metrics"))
    assert facts.trusted_services_pass is False
    assert (facts.redundancy, facts.geo_redundant, facts.secondary_location) == ("RAGRS", True, "northeurope")
    assert facts.encryption is not None
    assert facts.encryption.infrastructure is True
    room.control.storage.update(
        room.site.name,
        absent=("supportsHttpsTrafficOnly", "minimumTlsVersion", "allowBlobPublicAccess", "encryption", "networkAcls"),
    )
    silent = await room.read()
    assert (silent.https_only, silent.minimum_tls_version, silent.public_blobs_allowed) == (None,) * 3
    assert (silent.encryption, silent.network_default_action, silent.trusted_services_pass) == (None,) * 3


async def test_the_blob_service(room: Room) -> None:
    plain = await room.accounts.blob_service(room.site.identity, room.id)
    assert plain == BlobServiceFacts(soft_delete=False)
    room.control.storage.update(
        room.site.name,
        blob_service={
            "deleteRetentionPolicy": {"enabled": True, "days": 14},
            "containerDeleteRetentionPolicy": {"enabled": True, "days": 7},
            "isVersioningEnabled": True,
            "restorePolicy": {"enabled": True, "days": 6},
        },
    )
    assert await room.accounts.blob_service(room.site.identity, room.id) == BlobServiceFacts(
        soft_delete=True, versioning=True, point_in_time_restore=True
    )


async def test_a_denied_read_names_the_missing_right(room: Room) -> None:
    room.control.access.unassign(room.site.object_id)
    refused = await room.unread()
    assert (refused.reason, refused.permission) == (Reason.AZURE_DENIED, READ_ACCOUNT)
    assert READ_ACCOUNT in refused.message
    assert room.id.key in refused.message
    room.site.allow(READ_ACCOUNT, scope=room.id.text)
    await room.read()
    blobs = await room.accounts.blob_service(room.site.identity, room.id)
    assert isinstance(blobs, Unknown)
    assert (blobs.reason, blobs.permission) == (Reason.AZURE_DENIED, READ_BLOB_SERVICE)


async def test_missing_objects(room: Room) -> None:
    room.control.storage.delete(room.site.name)
    gone = await room.accounts.read(room.site.identity, room.id)
    assert isinstance(gone, StorageAbsent)
    assert not gone.group_missing
    assert "storageAccounts" in gone.message
    assert isinstance(await room.accounts.blob_service(room.site.identity, room.id), StorageAbsent)
    elsewhere = StorageAccountID.parse(storage_scope(room.site.subscription, "none", room.site.name))
    nowhere = await room.accounts.read(room.site.identity, elsewhere)
    assert isinstance(nowhere, StorageAbsent)
    assert nowhere.group_missing
    lost = StorageAccountID.parse(storage_scope("00000000-0000-4000-8000-000000000000", "none", room.site.name))
    unknown = await room.accounts.read(room.site.identity, lost)
    assert isinstance(unknown, Unknown)
    assert (unknown.reason, unknown.permanent) == (Reason.SUBSCRIPTION_UNAVAILABLE, True)


async def test_another_tenants_subscription_costs_no_new_token(room: Room) -> None:
    await room.read()
    room.control.seed(seeds.Subscription(id=room.site.subscription, tenant=OTHER_TENANT))
    tokens = room.site.requests("/token", service="entra")
    for _ in range(3):
        unknown = await room.unread()
        assert unknown.reason is Reason.TOKEN_REFUSED
        assert "another tenant" in unknown.message
    assert room.site.requests("/token", service="entra") == tokens


async def test_throttling_is_honoured_for_every_reader_of_the_subscription(room: Room) -> None:
    with room.control.faults.during(
        Fault(service="arm", path="storageAccounts", status=429, headers={"Retry-After": "30"}, times=1)
    ):
        first = await room.unread()
    assert (first.reason, first.retry_after) == (Reason.AZURE_THROTTLED, 30.0)
    asked = room.site.requests()
    second = await room.unread()
    assert second.reason is Reason.AZURE_THROTTLED
    blobs = await room.accounts.blob_service(room.site.identity, room.id)
    assert isinstance(blobs, Unknown)
    vault = await room.vaults.vault(room.site.identity, room.site.subscription, room.site.vault)
    assert isinstance(vault, Unknown)
    assert room.site.requests() == asked  # nothing was sent
    room.site.clock.now += 31
    await room.read()


@pytest.mark.parametrize("kind", ["html", "truncated", "reset", "hang"])
async def test_odd_answers_are_unknown_and_pass(room: Room, kind: str) -> None:
    with room.control.faults.during(Fault(service="arm", path="storageAccounts", kind=kind, times=None)):  # type: ignore[arg-type]
        odd = await room.unread()
    assert odd.reason in (Reason.AZURE_ERROR, Reason.AZURE_UNREACHABLE)
    assert not odd.permanent
    await room.read()


async def test_an_answer_about_something_else_is_not_believed(room: Room) -> None:
    foreign = {"id": "/subscriptions/x", "properties": {"supportsHttpsTrafficOnly": True}}
    with room.control.faults.during(Fault(service="arm", path="storageAccounts", status=200, body=foreign)):
        assert (await room.unread()).reason is Reason.AZURE_ERROR
    whole = {"id": f"{room.id.text}2", "properties": {"supportsHttpsTrafficOnly": True}}
    with room.control.faults.during(Fault(service="arm", path="storageAccounts", status=200, body=whole)):
        assert (await room.unread()).reason is Reason.AZURE_ERROR


async def test_a_key_of_the_customers_own_is_followed_to_its_vault(room: Room) -> None:
    room.site.allow("Microsoft.KeyVault/vaults/*/read", READ_VAULT)
    room.encrypt(
        currentVersionedKeyIdentifier=f"{room.site.vault}/keys/disk/{VERSION}",
        currentVersionedKeyExpirationTimestamp="2030-01-02T03:04:05.1234567Z",
        lastKeyRotationTimestamp="2026-01-02T03:04:05.1234567Z",
    )
    room.control.keyvault.change_key(room.site.name, "disk", expires=int(EXPIRES.timestamp()))
    room.control.keyvault.update(room.site.name, {"enablePurgeProtection": True, "publicNetworkAccess": "Disabled"})
    facts = await room.read()
    assert facts.encryption is not None
    assert facts.encryption.customer_managed is True
    assert facts.encryption.current_key_expires is not None
    assert facts.encryption.current_key_expires.replace(microsecond=0) == EXPIRES
    found = await room.vaults.encryption_key(room.site.identity, facts)
    assert isinstance(found.vault, KeyVaultFacts)
    assert found.vault.resource_id == room.site.vault_scope
    assert (found.vault.soft_delete, found.vault.purge_protection) == (True, True)
    assert isinstance(found.key, KeyFacts)
    assert (found.key.version, found.key.enabled, found.key.expires) == (VERSION, True, EXPIRES)
    # The vault is looked for once, and never contacted itself.
    before = room.site.requests("/resources")
    room.control.keyvault.change_key(room.site.name, "disk", enabled=False)
    again = await room.vaults.encryption_key(room.site.identity, facts)
    assert isinstance(again.key, KeyFacts)
    assert again.key.enabled is False
    assert room.site.requests("/resources") == before == 1
    assert room.site.requests(service="vault") == 0


async def test_each_link_of_the_chain_names_its_own_missing_right(room: Room) -> None:
    room.encrypt()
    facts = await room.read()
    nothing = await room.vaults.encryption_key(room.site.identity, facts)
    assert isinstance(nothing.vault, Unknown)
    assert isinstance(nothing.key, Unknown)
    assert (nothing.vault.permission, nothing.key.permission) == (READ_VAULT, READ_VAULT)
    room.site.allow(READ_VAULT, scope=room.site.vault_scope)
    half = await room.vaults.encryption_key(room.site.identity, facts)
    assert isinstance(half.vault, KeyVaultFacts)
    assert isinstance(half.key, Unknown)
    assert (half.key.reason, half.key.permission) == (Reason.AZURE_DENIED, READ_KEY)
    room.site.allow(READ_KEY, scope=room.site.vault_scope)
    newest = await room.vaults.encryption_key(room.site.identity, facts)  # no version named: the newest is returned
    assert isinstance(newest.key, KeyFacts)
    assert newest.key.version == VERSION
    room.encrypt(keyversion=VERSION)
    pinned = await room.vaults.encryption_key(room.site.identity, await room.read())
    assert isinstance(pinned.key, Unknown)
    assert pinned.key.permission == READ_KEY_VERSION


async def test_keys_and_vaults_that_are_gone(room: Room) -> None:
    room.site.allow("Microsoft.KeyVault/*")
    room.encrypt(keyversion="f" * 32)
    facts = await room.read()
    other_version = await room.vaults.encryption_key(room.site.identity, facts)
    assert isinstance(other_version.key, KeyAbsent)
    assert "holds no version" in other_version.key.message
    room.control.keyvault.delete_key(room.site.name, "disk")
    room.encrypt()
    room.control.keyvault.delete_key(room.site.name, "disk")
    no_key = await room.vaults.encryption_key(room.site.identity, await room.read())
    assert isinstance(no_key.key, KeyAbsent)
    room.control.keyvault.delete(room.site.name)
    no_vault = await room.vaults.encryption_key(room.site.identity, facts)
    assert isinstance(no_vault.vault, Unknown)
    assert no_vault.vault.permission == READ_VAULT  # a vault that is gone and one that may not be read look the same


@pytest.mark.parametrize(
    "uri",
    [
        "https://evil.example",
        "https://disks.managedhsm.azure.net",
        "http://x.vault.sandbox.test",
        "not a URL",
        "https://",
    ],
)
async def test_a_key_elsewhere_is_not_followed(room: Room, uri: str) -> None:
    room.site.allow("Microsoft.KeyVault/*")
    room.encrypt(keyvaulturi=uri)
    facts = await room.read()
    before = room.site.requests()
    found = await room.vaults.encryption_key(room.site.identity, facts)
    assert isinstance(found.vault, Unknown)
    assert (found.vault.reason, found.vault.permanent) == (Reason.VAULT_NOT_ALLOWED, True)
    assert room.site.requests() == before


async def test_a_key_of_another_tenant_and_one_that_is_not_named(room: Room) -> None:
    room.encrypt()
    room.control.storage.update(
        room.site.name, encryption={"identity": {"federatedIdentityClientId": "x", "userAssignedIdentity": "/y"}}
    )
    facts = await room.read()
    assert facts.encryption is not None
    assert facts.encryption.identity_id == "/y"
    found = await room.vaults.encryption_key(room.site.identity, facts)
    assert isinstance(found.vault, Unknown)
    assert found.vault.reason is Reason.VAULT_OTHER_TENANT
    room.control.storage.update(room.site.name, encryption={"identity": None, "keyvaultproperties": None})
    unnamed = await room.vaults.encryption_key(room.site.identity, await room.read())
    assert isinstance(unnamed.vault, Unknown)
    assert unnamed.vault.reason is Reason.AZURE_ERROR
