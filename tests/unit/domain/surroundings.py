"""What stands around a safe cache, for the tests of the rules: all of it read, and all of it well."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

from secure_redis.api.azure_ids import CacheID, StorageAccountID
from secure_redis.domain.observe.cache import PrivateEndpoint
from secure_redis.domain.observe.endpoint import (
    AddressScope,
    CertificateFacts,
    EndpointFacts,
    Negotiated,
    Offer,
    PlaintextPort,
    ResolvedAddress,
    Verification,
)
from secure_redis.domain.observe.governance import (
    AccessAssignmentFacts,
    AccessPolicyFacts,
    DiagnosticSettingFacts,
    LockFacts,
    PatchWindow,
    RoleAssignmentFacts,
    RolePermissions,
)
from secure_redis.domain.observe.managed_redis import ManagedDatabase, ManagedRedis
from secure_redis.domain.observe.observation import Observation
from secure_redis.domain.observe.redis import PersistenceFacts
from secure_redis.domain.observe.storage import (
    BlobServiceFacts,
    EncryptionKeyFacts,
    KeyFacts,
    KeyVaultFacts,
    StorageEncryption,
    StorageFacts,
)
from tests.unit.domain.builders import CACHE_ID, NOW, SUBSCRIPTION, cache, observation

HOST = "orders.redis.cache.windows.net"
MANAGED_ID = CACHE_ID.replace("/redis/", "/redisEnterprise/")
ACCOUNT_ID = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/shop/providers/Microsoft.Storage/storageAccounts/shopdata"
PERSISTS = PersistenceFacts(rdb=True, authentication="ManagedIdentity", account="shopdata")
BY_KEY = PersistenceFacts(aof=True, authentication="SAS", account="shopdata")


def endpoint(**changes: Any) -> EndpointFacts:
    well = EndpointFacts(
        host=HOST,
        port=6380,
        plaintext_port=6379,
        at=NOW,
        addresses=(ResolvedAddress("10.0.0.4", AddressScope.PRIVATE),),
        reached="10.0.0.4",
        chain=Verification(verified=True),
        name=Verification(verified=True),
        negotiated=Negotiated("1.3", "TLS_AES_256_GCM_SHA384"),
        tls_1_0=Offer.REFUSED,
        tls_1_1=Offer.REFUSED,
        tls_1_2=Offer.ACCEPTED,
        tls_1_3=Offer.ACCEPTED,
        certificate=CertificateFacts(NOW - timedelta(days=30), NOW + timedelta(days=150), "Microsoft", (HOST,)),
        plaintext=PlaintextPort.NOT_ANSWERING,
    )
    return replace(well, **changes)


def encryption(**changes: Any) -> StorageEncryption:
    well = StorageEncryption("Microsoft.Keyvault", blob_encrypted=True, infrastructure=True, identity_id="/id")
    return replace(well, **changes)


def account(**changes: Any) -> StorageFacts:
    well = StorageFacts(
        account_id=StorageAccountID.parse(ACCOUNT_ID),
        location="westeurope",
        sku_name="Premium_LRS",
        encryption=encryption(),
        https_only=True,
        minimum_tls_version="TLS1_2",
        public_blobs_allowed=False,
        shared_key_allowed=False,
        public_network_access="Enabled",
        network_default_action="Deny",
        network_bypass=("AzureServices",),
    )
    return replace(well, **changes)


def key_vault(**changes: Any) -> KeyVaultFacts:
    well = KeyVaultFacts("/vault", "shop", soft_delete=True, purge_protection=True)
    return replace(well, **changes)


def key(**changes: Any) -> EncryptionKeyFacts:
    facts: dict[str, Any] = {"name": "cmk", "version": "v", "enabled": True, "expires": NOW + timedelta(days=300)}
    return EncryptionKeyFacts(key_vault(), KeyFacts(**{**facts, **changes}))


def holder(principal: str, *actions: str, **changes: Any) -> RoleAssignmentFacts:
    return replace(RoleAssignmentFacts(CACHE_ID, "role", principal, permissions=(RolePermissions(actions),)), **changes)


def assigned(policy: str) -> tuple[AccessAssignmentFacts, ...]:
    return (AccessAssignmentFacts("one", policy, "00000000-0000-0000-0000-00000000000a", "shop-app"),)


def custom(permissions: str) -> tuple[AccessPolicyFacts, ...]:
    return (AccessPolicyFacts("mine", permissions),)


def database(**changes: Any) -> ManagedDatabase:
    return replace(ManagedDatabase("Succeeded", client_protocol="Encrypted", access_keys="Disabled"), **changes)


def managed(**changes: Any) -> ManagedRedis:
    well = ManagedRedis(
        resource_id=CacheID.parse(MANAGED_ID),
        location="westeurope",
        sku_name="Balanced_B5",
        provisioning_state="Succeeded",
        database=database(),
        kind="v2",
        minimum_tls_version="1.2",
        public_network_access="Disabled",
        redundancy="ZR",
        key_url="https://shop.vault.azure.net/keys/cmk/v",
        key_identity="/id",
        tags={"team": "orders"},
        private_endpoints=(PrivateEndpoint("pe", "Approved"),),
    )
    return replace(well, **changes)


def whole(**changes: Any) -> Observation:
    """A safe Premium cache that persists by managed identity, and everything around it that can be read."""
    well = observation(
        cache=cache(persistence=PERSISTS, identity_type="SystemAssigned"),
        secret=None,
        endpoint=endpoint(),
        storage=account(),
        blob_service=BlobServiceFacts(soft_delete=False),
        encryption_key=key(),
        patch_schedule=(PatchWindow("Sunday", 2),),
        access_policies=custom("+@read ~*"),
        access_assignments=assigned("Data Reader"),
        locks=(LockFacts("keep", "CanNotDelete", CACHE_ID),),
        role_assignments=(holder("a", "Microsoft.Cache/redis/*"),),
        vault_properties=key_vault(),
        diagnostics=(DiagnosticSettingFacts("all", ("allLogs",)),),
        plaintext_uses=(),
    )
    return replace(well, **changes)
