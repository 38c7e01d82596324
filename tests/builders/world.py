"""Objects for the domain's tests: a safe cache, a resource that declares it, a vault secret that holds its key."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from pydantic import SecretBytes, SecretStr

from secure_redis.api import names
from secure_redis.api.azure_ids import CacheID
from secure_redis.api.resource import SecureRedisCache, parse
from secure_redis.domain.assess import connection_secret, redis
from secure_redis.domain.assess.connection_secret import ConnectionData
from secure_redis.domain.assess.drift import Drift, bounded
from secure_redis.domain.observe.cache import PrivateEndpoint
from secure_redis.domain.observe.firewall import FirewallRuleFacts
from secure_redis.domain.observe.governance import PatchWindow
from secure_redis.domain.observe.identity import NamespaceIdentity
from secure_redis.domain.observe.keys import ListedKeys, Slot, VaultSecretFacts
from secure_redis.domain.observe.observation import Observation
from secure_redis.domain.observe.redis import Redis
from secure_redis.domain.observe.secret import SecretFacts
from secure_redis.domain.observe.unknown import NOT_READ, NotRead, Unknown

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
SUBSCRIPTION = "00000000-0000-0000-0000-000000000001"
CACHE_ID = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/shop/providers/Microsoft.Cache/redis/orders"
OTHER_ID = CACHE_ID.replace("/orders", "/payments")
PRIMARY = "pR1m+ary/Key0000000000000000000000000000000="
SECONDARY = "s3C0nd+ary/Key00000000000000000000000000000="
VAULT = "https://shop.vault.azure.net"
VERSION = "a" * 32  # of the vault secret
CLUSTER = "cluster"
UID = "uid-1"
IDENTITY = NamespaceIdentity("shop", "secure-redis", "sa-uid", "client", "tenant")

AUTHENTICATION = {"keyVault": {"uri": VAULT, "secretName": "orders-key"}}
PROVISION: dict[str, Any] = {
    "location": "westeurope",
    "tags": {"team": "orders"},
    "identity": {"type": "None"},
    "redis": {
        "sku": {"name": "Premium", "capacity": 1},
        "redisVersion": "6",
        "zones": ["1", "2"],
        "replicas": 1,
        "shards": 0,
    },
}


def parsed(
    spec: Mapping[str, Any] | None = None, status: Mapping[str, Any] | None = None, **meta: Any
) -> SecureRedisCache:
    """Parse a resource without authentication, as the API server delivers it."""
    metadata = {"namespace": "shop", "name": "orders", "uid": UID, "resourceVersion": "1", **meta}
    found = parse({"metadata": metadata, "spec": {"resourceID": CACHE_ID, **(spec or {})}, "status": status or {}})
    assert isinstance(found, SecureRedisCache), found
    return found


def resource(spec: Mapping[str, Any] | None = None, **meta: Any) -> SecureRedisCache:
    """Parse a resource that follows the vault secret."""
    return parsed({"authentication": AUTHENTICATION, **(spec or {})}, **meta)


def provisioning(**spec: Any) -> SecureRedisCache:
    return resource({"mode": "Provision", "provision": PROVISION, **spec})


def cache(**changes: Any) -> Redis:
    facts = Redis(
        resource_id=CacheID.parse(CACHE_ID),
        location="West Europe",
        sku_name="premium",
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
        authentication_disabled=None,
        entra_enabled=True,
        tags={"Team": "orders", names.OWNER_TAG: f"{CLUSTER}.{UID}"},
        zones=("2", "1"),
        identity_type="None",
        private_endpoints=(PrivateEndpoint("pe", "Approved"),),
        memory_reserved_mb=642,
        eviction_policy="volatile-lru",
        update_channel="Stable",
    )
    return replace(facts, **changes)


def vault(**changes: Any) -> VaultSecretFacts:
    facts = VaultSecretFacts(
        vault=VAULT,
        name="orders-key",
        version=VERSION,
        enabled=True,
        value=SecretStr(PRIMARY),
        expires=datetime(2027, 11, 24, tzinfo=UTC),
        created=datetime(2026, 11, 1, tzinfo=UTC),
    )
    return replace(facts, **changes)


KEYS = ListedKeys(SecretStr(PRIMARY), SecretStr(SECONDARY))


def observation(**changes: Any) -> Observation:
    return replace(
        Observation(now=NOW, identity=IDENTITY, cache=cache(), firewall_rules=(), keys=KEYS, vault=vault()), **changes
    )


def differences(
    of: SecureRedisCache,
    facts: Redis,
    rules: tuple[FirewallRuleFacts, ...] | Unknown | NotRead,
    schedule: tuple[PatchWindow, ...] | Unknown | NotRead = NOT_READ,
) -> tuple[Drift, ...]:
    return redis.differences(facts, of, observation(cache=facts, firewall_rules=rules, patch_schedule=schedule))


def drift(
    of: SecureRedisCache,
    facts: Redis,
    rules: tuple[FirewallRuleFacts, ...] | Unknown | NotRead,
    schedule: tuple[PatchWindow, ...] | Unknown | NotRead = NOT_READ,
) -> tuple[Drift, ...]:
    return bounded(differences(of, facts, rules, schedule))


def built(
    of: SecureRedisCache | None = None, password: str = PRIMARY, facts: Redis | None = None, **more: Any
) -> ConnectionData:
    data = connection_secret.build(
        of or resource(), facts or cache(), SecretStr(password), **{"vault": vault(), "slot": Slot.PRIMARY, **more}
    )
    assert isinstance(data, ConnectionData), data
    return data


def published(of: ConnectionData, **changes: Any) -> SecretFacts:
    """The Secret as the API server returns it after `of` was written."""
    facts = SecretFacts(
        name="orders",
        uid="secret-uid",
        resource_version="5",
        type=names.SECRET_TYPE,
        data={name: SecretBytes(value.get_secret_value()) for name, value in of.data.items()},
        labels=dict(of.labels),
        annotations=dict(of.annotations),
        owner_uid=UID,
        owner_name="orders",
        owner_kind=names.KIND,
        own_labels=frozenset(of.labels),
        own_annotations=frozenset(of.annotations),
    )
    return replace(facts, **changes)


def text(data: ConnectionData, name: str) -> str:
    return data.data[name].get_secret_value().decode()
