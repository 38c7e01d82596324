"""Builds a safe Managed Redis cluster and its database."""

from dataclasses import replace
from typing import Any

from secure_redis.api.azure_ids import CacheID
from secure_redis.domain.observe.cache import PrivateEndpoint
from secure_redis.domain.observe.managed_redis import ManagedDatabase, ManagedRedis
from tests.builders.world import CACHE_ID

MANAGED_ID = CACHE_ID.replace("/redis/", "/redisEnterprise/")


def database(**changes: Any) -> ManagedDatabase:
    return replace(ManagedDatabase("Succeeded", client_protocol="Encrypted", access_keys="Disabled"), **changes)


def managed(**changes: Any) -> ManagedRedis:
    safe = ManagedRedis(
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
    return replace(safe, **changes)
