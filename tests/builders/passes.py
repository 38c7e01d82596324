"""Small worlds for tests of the pure corridor: a resource, what was seen of it, and what must come of that."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from pydantic import SecretBytes, SecretStr

from secure_redis.api import names
from secure_redis.api.azure_ids import CacheID
from secure_redis.api.resource import SecureRedisCache, parse
from secure_redis.domain.assess.assessment import Assessment, assess
from secure_redis.domain.observe.cache import PrivateEndpoint
from secure_redis.domain.observe.identity import NamespaceIdentity
from secure_redis.domain.observe.keys import ListedKeys, VaultSecretFacts
from secure_redis.domain.observe.observation import Observation
from secure_redis.domain.observe.redis import Redis
from secure_redis.domain.observe.secret import SecretFacts
from secure_redis.domain.plan.plan import plan
from secure_redis.domain.plan.types import Plan, Settings
from secure_redis.domain.report.report import Report, report, with_own_writes

CLUSTER = "0a0a0a0a-0000-0000-0000-000000000000"
UID = "11111111-0000-0000-0000-000000000001"
ID = "/subscriptions/00000000-0000-0000-0000-000000000001/resourceGroups/shop/providers/Microsoft.Cache/redis/orders"
VAULT = "https://shop.vault.azure.net"
PRIMARY = "cHJpbWFyeS1rZXktb2YtdGhlLXRlc3Qtd29ybGQtMDAwMDA="
SECONDARY = "c2Vjb25kYXJ5LWtleS1vZi10aGUtdGVzdC13b3JsZC0wMDA="
NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
AUTHENTICATION = {"keyVault": {"uri": VAULT, "secretName": "orders-redis-key"}}
PROVISION = {"location": "westeurope", "redis": {"sku": {"name": "Premium", "capacity": 1}}}
SETTINGS = Settings(cluster_uid=CLUSTER)
OWNER = {names.OWNER_TAG: f"{CLUSTER}.{UID}"}
IDENTITY = NamespaceIdentity("shop", "orders", "sa-uid", "client", "tenant")


def resource(
    spec: dict[str, Any] | None = None,
    *,
    annotations: dict[str, str] | None = None,
    status: dict[str, Any] | None = None,
    finalizer: bool = True,
    deleting: bool = False,
    uid: str = UID,
) -> SecureRedisCache:
    """A resource as the API server would deliver it."""
    meta: dict[str, Any] = {
        "namespace": "shop",
        "name": "orders",
        "uid": uid,
        "generation": 1,
        "resourceVersion": "7",
        "annotations": annotations or {},
        "finalizers": [names.FINALIZER] if finalizer else [],
    }
    if deleting:
        meta["deletionTimestamp"] = "2026-11-24T12:00:00Z"
    body = {"metadata": meta, "spec": {"resourceID": ID, **(spec or {})}, "status": status or {}}
    parsed = parse(body)
    assert isinstance(parsed, SecureRedisCache)
    return parsed


def cache(**changes: Any) -> Redis:
    """A safe cache with a private endpoint."""
    safe = Redis(
        resource_id=CacheID.parse(ID),
        location="West Europe",
        sku_name="Premium",
        sku_family="P",
        sku_capacity=1,
        provisioning_state="Succeeded",
        host_name="orders.redis.cache.windows.net",
        tls_port=6380,
        plaintext_port=6379,
        redis_version="6.0",
        plaintext_open=False,
        minimum_tls_version="1.2",
        public_network_access="Disabled",
        access_keys_enabled=True,
        private_endpoints=(PrivateEndpoint("pe", "Approved"),),
    )
    return replace(safe, **changes)


def vault(value: str = PRIMARY, **changes: Any) -> VaultSecretFacts:
    """A vault secret holding the primary key."""
    held = VaultSecretFacts(VAULT, "orders-redis-key", "a" * 32, enabled=True, value=SecretStr(value))
    return replace(held, **changes)


KEYS = ListedKeys(SecretStr(PRIMARY), SecretStr(SECONDARY))


def observation(**changes: Any) -> Observation:
    """All is well: identity, cache, keys and vault were read, no Secret yet."""
    well = Observation(
        now=NOW, identity=IDENTITY, cache=cache(), cache_fresh=True, keys=KEYS, vault=vault(), secret=None
    )
    return replace(well, **changes)


def judged(res: SecureRedisCache, obs: Observation) -> Assessment:
    """Assess as the reconciler does."""
    return assess(res, obs, cluster_uid=CLUSTER, ca=None)


def planned(res: SecureRedisCache, obs: Observation, settings: Settings = SETTINGS) -> Plan:
    """Assess and plan."""
    return plan(res, obs, judged(res, obs), settings)


def reported(res: SecureRedisCache, obs: Observation, outcomes: Any = None) -> Report:
    """The whole pure corridor; by default every planned action succeeded."""
    from secure_redis.domain.plan.actions import Done

    todo = planned(res, obs)
    done = tuple(Done(action) for action in todo.actions) if outcomes is None else outcomes
    obs = with_own_writes(res, obs, done)
    return report(res, obs, judged(res, obs), todo, done)


def published(res: SecureRedisCache, obs: Observation, **changes: Any) -> SecretFacts:
    """The Secret exactly as the resource wants it."""
    data = judged(res, obs).credential.data
    assert data is not None
    secret = SecretFacts(
        name=res.secret_name,
        uid="secret-uid",
        resource_version="9",
        type=names.SECRET_TYPE,
        data=dict(data.data),
        labels=dict(data.labels),
        annotations=dict(data.annotations),
        owner_uid=res.uid,
        owner_name=res.key.name,
        owner_kind=names.KIND,
    )
    return replace(secret, **changes)


def tampered(secret: SecretFacts) -> SecretFacts:
    """The same Secret with another password."""
    return replace(secret, data={**secret.data, "password": SecretBytes(b"tampered")})
