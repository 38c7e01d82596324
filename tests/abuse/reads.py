"""The reads that hostile answers are given to, and what must come of them."""

import time
from collections.abc import Awaitable, Callable

from secure_redis.api.reasons.reason import Reason
from secure_redis.azure.core.failures import Failure, unknown
from secure_redis.azure.governance.reads import Governance
from secure_redis.domain.observe.unknown import Unknown
from tests.abuse.hostile import (
    CACHE,
    IDENTITY,
    SUBSCRIPTION,
    Azure,
    Hostile,
    Service,
    answer,
)

PLACE = "subscriptions"
GOOD = {
    "id": CACHE.text,
    "name": "orders",
    "location": "westeurope",
    "properties": {
        "provisioningState": "Succeeded",
        "sku": {"name": "Premium", "family": "P", "capacity": 1},
        "hostName": "orders.redis.azure.test",
        "sslPort": 6380,
    },
}
KEY = "q7p3nUuYv5WqvX6hTg2m8BfRkAzCaLs0x9cq7p3nUuYv="


async def read_cache(azure: Azure, hostile: Hostile) -> object:
    return await azure.caches.read(IDENTITY, CACHE)


async def list_caches(azure: Azure, hostile: Hostile) -> object:
    return await azure.caches.walk(IDENTITY, SUBSCRIPTION)


async def list_keys(azure: Azure, hostile: Hostile) -> object:
    return await azure.caches.list_keys(IDENTITY, CACHE)


async def list_rules(azure: Azure, hostile: Hostile) -> object:
    return await azure.caches.firewall_rules(IDENTITY, CACHE)


async def list_locks(azure: Azure, hostile: Hostile) -> object:
    return await Governance(azure.resource_manager).locks(IDENTITY, CACHE)


async def read_secret(azure: Azure, hostile: Hostile) -> object:
    return await azure.vaults.current(IDENTITY, hostile.vault, "orders", max_age=0)


READS: dict[str, tuple[Service, Callable[[Azure, Hostile], Awaitable[object]]]] = {
    "cache": ("arm", read_cache),
    "caches": ("arm", list_caches),
    "keys": ("arm", list_keys),
    "firewall rules": ("arm", list_rules),
    "locks": ("arm", list_locks),
    "secret": ("vault", read_secret),
    "token": ("entra", read_cache),
}


def why(outcome: object) -> str:
    """The message of a read that failed, which is never a fault of the operator."""
    found = unknown(outcome) if isinstance(outcome, Failure) else outcome
    assert isinstance(found, Unknown), found
    assert found.reason is not Reason.INTERNAL_ERROR, found.message
    assert len(found.message) < 1200
    return found.message


async def recovers(azure: Azure, hostile: Hostile, read: Callable[[Azure, Hostile], Awaitable[object]]) -> None:
    """The next good answer is read: the attempt leaves no effect."""
    hostile.forget()
    hostile.on("arm", PLACE, answer(200, GOOD))
    hostile.on("arm", "listkeys", answer(200, {"primaryKey": KEY, "secondaryKey": KEY}))
    for path in ("firewallrules", "locks", "microsoft.cache/redis?"):
        hostile.on("arm", path, answer(200, {"value": [] if path[0] != "m" else [GOOD]}))
    secret = hostile.secret(KEY)
    hostile.on("vault", "/secrets/orders", hostile.authorized(answer(200, secret)))
    hostile.on("vault", "versions", hostile.authorized(answer(200, {"value": [secret], "nextLink": None})))
    azure.credentials.forget(IDENTITY)
    azure.credentials._clock = lambda: time.time() + 10  # a refused token request is remembered for 5 seconds
    outcome = await read(azure, hostile)
    assert not isinstance(outcome, Unknown | Failure), outcome
