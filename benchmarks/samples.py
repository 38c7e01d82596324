"""A safe Premium cache with all that can be read around it, as observed: what the rules take longest to judge."""

from datetime import UTC, datetime, timedelta

from secure_redis.api.azure_ids import CacheID, StorageAccountID
from secure_redis.api.resource import SecureRedisCache, parse
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
from secure_redis.domain.observe.firewall import FirewallRuleFacts
from secure_redis.domain.observe.governance import (
    AccessAssignmentFacts,
    AccessPolicyFacts,
    DiagnosticSettingFacts,
    LockFacts,
    PatchWindow,
    RoleAssignmentFacts,
    RolePermissions,
)
from secure_redis.domain.observe.identity import NamespaceIdentity
from secure_redis.domain.observe.observation import Observation
from secure_redis.domain.observe.probe_target import Endpoint
from secure_redis.domain.observe.redis import PersistenceFacts, Redis
from secure_redis.domain.observe.storage import (
    BlobServiceFacts,
    EncryptionKeyFacts,
    KeyFacts,
    KeyVaultFacts,
    StorageEncryption,
    StorageFacts,
)

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
_GROUP = "/subscriptions/00000000-0000-0000-0000-000000000001/resourceGroups/shop/providers"
_CACHE = f"{_GROUP}/Microsoft.Cache/redis/orders"


def resource() -> SecureRedisCache:
    """A pure auditor with a waiver and something that it declares of its firewall."""
    rule = {"name": "office", "startIP": "203.0.113.0", "endIP": "203.0.113.255"}
    parsed = parse(
        {
            "metadata": {"namespace": "shop", "name": "orders", "uid": "u", "resourceVersion": "1"},
            "spec": {
                "resourceID": _CACHE,
                "network": {"firewallRules": [rule]},
                "waivers": [{"rule": "R3", "reason": "one region", "owner": "shop", "expires": "2027-01-01"}],
            },
        }
    )
    if not isinstance(parsed, SecureRedisCache):
        raise TypeError(parsed.message)
    return parsed


def endpoint(at: Endpoint, now: datetime = NOW) -> EndpointFacts:
    """What a look sees where all is well."""
    return EndpointFacts(
        host=at.host,
        port=at.port,
        plaintext_port=at.plaintext_port,
        at=now,
        addresses=(ResolvedAddress("10.0.0.4", AddressScope.PRIVATE),),
        reached="10.0.0.4",
        chain=Verification(verified=True),
        name=Verification(verified=True),
        negotiated=Negotiated("1.3", "TLS_AES_256_GCM_SHA384"),
        tls_1_0=Offer.REFUSED,
        tls_1_1=Offer.REFUSED,
        tls_1_2=Offer.ACCEPTED,
        tls_1_3=Offer.ACCEPTED,
        certificate=CertificateFacts(now - timedelta(days=30), now + timedelta(days=150), "an authority", (at.host,)),
        plaintext=PlaintextPort.NOT_ANSWERING,
    )


def observation() -> Observation:
    """Everything read: the cache, the account that it persists into with a key of its own, and what stands around."""
    cache = Redis(
        resource_id=CacheID.parse(_CACHE),
        location="West Europe",
        sku_name="Premium",
        sku_family="P",
        sku_capacity=1,
        provisioning_state="Succeeded",
        host_name="orders.redis.cache.windows.net",
        tls_port=6380,
        plaintext_port=6379,
        redis_version="6.0.14",
        plaintext_open=False,
        minimum_tls_version="1.2",
        public_network_access="Disabled",
        access_keys_enabled=True,
        entra_enabled=True,
        tags={"team": "orders"},
        zones=("1", "2"),
        identity_type="SystemAssigned",
        private_endpoints=(PrivateEndpoint("pe", "Approved"),),
        persistence=PersistenceFacts(rdb=True, authentication="ManagedIdentity", account="shopdata"),
        memory_reserved_mb=642,
        eviction_policy="volatile-lru",
        update_channel="Stable",
    )
    account = StorageFacts(
        account_id=StorageAccountID.parse(f"{_GROUP}/Microsoft.Storage/storageAccounts/shopdata"),
        location="westeurope",
        sku_name="Premium_LRS",
        encryption=StorageEncryption("Microsoft.Keyvault", blob_encrypted=True, infrastructure=True),
        https_only=True,
        minimum_tls_version="TLS1_2",
        public_blobs_allowed=False,
        shared_key_allowed=False,
        network_default_action="Deny",
    )
    vault = KeyVaultFacts("/vault", "shop", soft_delete=True, purge_protection=True)
    return Observation(
        now=NOW,
        identity=NamespaceIdentity("shop", "secure-redis", "uid", "client", "tenant"),
        cache=cache,
        firewall_rules=tuple(FirewallRuleFacts(f"rule{n}", f"198.51.100.{n}", f"198.51.100.{n}") for n in range(20)),
        endpoint=endpoint(Endpoint("orders.redis.cache.windows.net", 6380, 6379)),
        storage=account,
        blob_service=BlobServiceFacts(soft_delete=False),
        encryption_key=EncryptionKeyFacts(vault, KeyFacts("key", "v", enabled=True, expires=NOW + timedelta(days=300))),
        patch_schedule=(PatchWindow("Sunday", 2),),
        access_policies=(AccessPolicyFacts("mine", "+@read ~*"),),
        access_assignments=(
            AccessAssignmentFacts("one", "Data Reader", "00000000-0000-0000-0000-00000000000a", "app"),
        ),
        locks=(LockFacts("keep", "CanNotDelete", _CACHE),),
        role_assignments=tuple(
            RoleAssignmentFacts(_CACHE, f"role{n}", "a", permissions=(RolePermissions(("Microsoft.Cache/redis/*",)),))
            for n in range(20)
        ),
        vault_properties=vault,
        diagnostics=(DiagnosticSettingFacts("all", ("allLogs",)),),
        plaintext_uses=(),
    )
