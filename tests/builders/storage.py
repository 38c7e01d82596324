"""Builds storage accounts, their encryption keys, and caches that persist into them."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from secure_redis.api.azure_ids import StorageAccountID
from secure_redis.domain.observe.redis import PersistenceFacts, Redis
from secure_redis.domain.observe.storage import (
    EncryptionKeyFacts,
    KeyFacts,
    KeyVaultFacts,
    StorageEncryption,
    StorageFacts,
)
from tests.builders.world import NOW, SUBSCRIPTION, cache

ACCOUNT = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/shop/providers/Microsoft.Storage/storageAccounts/shopdata"
PRINCIPAL = "99999999-2222-3333-4444-555555555555"
VERSION = "0123456789abcdef0123456789abcdef"
BLOB = "https://shopdata.blob.core.windows.net/"
BY_IDENTITY = PersistenceFacts(rdb=True, authentication="ManagedIdentity", account="shopdata")
BY_KEY = PersistenceFacts(aof=True, authentication="SAS", account="shopdata")


def storage(**changes: Any) -> StorageFacts:
    facts = StorageFacts(
        account_id=StorageAccountID.parse(ACCOUNT),
        location="westeurope",
        sku_name="Standard_LRS",
        encryption=StorageEncryption("Microsoft.Storage", blob_encrypted=True),
        https_only=True,
        minimum_tls_version="TLS1_2",
        public_blobs_allowed=False,
        shared_key_allowed=False,
        public_network_access="Enabled",
        network_default_action="Deny",
        network_bypass=("AzureServices",),
        blob_endpoint=BLOB,
    )
    return replace(facts, **changes)


def own_key(**changes: Any) -> StorageEncryption:
    """The account's encryption with a key of the customer's."""
    made = StorageEncryption(
        "Microsoft.Keyvault",
        blob_encrypted=True,
        vault_uri="https://shop.vault.azure.net/",
        key_name="disk",
        current_key_id=f"https://shop.vault.azure.net/keys/disk/{VERSION}",
    )
    return replace(made, **changes)


def key(expires: datetime | None = None, **changes: Any) -> EncryptionKeyFacts:
    made = KeyFacts("disk", VERSION, enabled=True, expires=expires)
    return EncryptionKeyFacts(KeyVaultFacts("/x", "shop"), replace(made, **changes))


def persisting(**changes: Any) -> Redis:
    """A cache that takes snapshots into the account by its own identity; `changes` are of its persistence."""
    facts = PersistenceFacts(rdb=True, rdb_frequency_minutes=60, authentication="ManagedIdentity", account="shopdata")
    return cache(persistence=replace(facts, **changes), identity_type="SystemAssigned", principal_id=PRINCIPAL)


def spec(kind: str = "RDB", **more: Any) -> dict[str, Any]:
    """`spec.persistence` as the cache above has it."""
    return {"type": kind, "storage": {"accountID": ACCOUNT, "authentication": "ManagedIdentity"}, **more}


def encryption(**changes: Any) -> StorageEncryption:
    """Return the encryption of an account with a customer key and infrastructure encryption."""
    made = StorageEncryption("Microsoft.Keyvault", blob_encrypted=True, infrastructure=True, identity_id="/id")
    return replace(made, **changes)


def account(**changes: Any) -> StorageFacts:
    """Return an account that passes every rule: a premium one with a customer key."""
    return storage(**{"sku_name": "Premium_LRS", "encryption": encryption(), **changes})


def key_vault(**changes: Any) -> KeyVaultFacts:
    """Return a vault with soft delete and purge protection."""
    made = KeyVaultFacts("/vault", "shop", soft_delete=True, purge_protection=True)
    return replace(made, **changes)


def protected_key(**changes: Any) -> EncryptionKeyFacts:
    """Return a key of that vault which expires in 300 days, and is the newest version."""
    made = key(**{"name": "cmk", "version": "v", "expires": NOW + timedelta(days=300), **changes})
    return replace(made, vault=key_vault(), newest=made.key)
