"""The calls that a client of every service's caches has."""

from collections.abc import Mapping
from typing import Any, Protocol

from secure_redis.api.azure_ids import CacheID
from secure_redis.domain.observe.identity import Identity
from secure_redis.domain.observe.keys import ListedKeys, Slot
from secure_redis.domain.observe.unknown import Unknown
from secure_redis.domain.plan.write_failure import WriteFailure


class CacheClient(Protocol):
    """Reads the keys of a cache and writes it. A write returns None where Azure accepted it."""

    async def list_keys(self, identity: Identity, cache: CacheID) -> ListedKeys | Unknown:
        """Read both keys."""

    async def create(self, identity: Identity, cache: CacheID, body: Mapping[str, Any]) -> None | WriteFailure:
        """PUT of exactly `body`."""

    async def update(self, identity: Identity, cache: CacheID, body: Mapping[str, Any]) -> None | WriteFailure:
        """PATCH of exactly `body`."""

    async def delete(self, identity: Identity, cache: CacheID) -> None | WriteFailure:
        """DELETE; accepted too where there is nothing left to delete."""

    async def regenerate_key(self, identity: Identity, cache: CacheID, slot: Slot) -> None | WriteFailure:
        """POST regenerateKey for one key, sent once."""
