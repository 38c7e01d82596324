"""Reads of `Microsoft.Cache/redisEnterprise`: clusters and their database `default`. Nothing is written, no key read.

By the pipeline that reads locks and schedules: two kinds of small objects need no SDK client of their own, which costs
33 KiB for every identity and subscription (measured). Microsoft's SDK reads the same answers in the contract tests.
"""

from typing import Final

from secure_redis.api.azure_ids import CacheID, Service
from secure_redis.azure.core.answers import Malformed
from secure_redis.azure.core.errors import classify
from secure_redis.azure.core.failures import (
    Failure,
    Missing,
    NotFound,
    Source,
    unknown,
)
from secure_redis.azure.core.resource_manager import ResourceManager, unread
from secure_redis.azure.managed_redis import convert
from secure_redis.domain.observe.identity import Identity
from secure_redis.domain.observe.managed_redis import ManagedDatabase, ManagedRedis
from secure_redis.domain.observe.unknown import Unknown

# The first that shows publicNetworkAccess and accessKeysAuthentication of every cluster that has them.
API_VERSION: Final = "2025-07-01"
READ_CLUSTER: Final = "Microsoft.Cache/redisEnterprise/read"
READ_DATABASE: Final = "Microsoft.Cache/redisEnterprise/databases/read"
_TYPE: Final = "providers/Microsoft.Cache/redisEnterprise"


class ManagedCaches:
    """The source of an `Inventory` of clusters, and their databases."""

    def __init__(self, resource_manager: ResourceManager) -> None:
        self._resource_manager = resource_manager

    async def read(self, identity: Identity, cache: CacheID) -> ManagedRedis | NotFound | Unknown:
        """One direct read of a cluster, without its database. Needs `Microsoft.Cache/redisEnterprise/read`."""
        answer = await self._resource_manager.get(identity, _path(cache), API_VERSION)
        if isinstance(answer, NotFound):
            return answer
        if isinstance(answer, Failure):
            return unread(answer, READ_CLUSTER)
        try:
            return convert.cluster_facts(answer)
        except Malformed as error:
            return unknown(classify(error, Source.RESOURCE_MANAGER))

    async def walk(
        self, identity: Identity, subscription: str, group: str | None = None
    ) -> tuple[ManagedRedis, ...] | Failure:
        """The clusters of a subscription or a group, as far as the list tells of each what a direct read does.

        Needs `Microsoft.Cache/redisEnterprise/read` at that scope.
        """
        within = "" if group is None else f"/resourceGroups/{group}"
        found = await self._resource_manager.walk(
            identity, f"/subscriptions/{subscription}{within}/{_TYPE}", API_VERSION
        )
        if isinstance(found, Failure):
            return found
        try:
            return tuple(convert.cluster_facts(item) for item in found if convert.is_whole(item))
        except Malformed as error:
            return classify(error, Source.RESOURCE_MANAGER)

    async def database(self, identity: Identity, cache: CacheID) -> ManagedDatabase | Unknown | None:
        """The database `default`; None where the cluster has none. The cluster itself is known to be there.

        Needs `Microsoft.Cache/redisEnterprise/databases/read`.
        """
        answer = await self._resource_manager.get(identity, f"{_path(cache)}/databases/default", API_VERSION)
        if isinstance(answer, NotFound) and answer.what is Missing.RESOURCE:
            return None
        if isinstance(answer, Failure):
            return unread(answer, READ_DATABASE)
        try:
            return convert.database_facts(answer)
        except Malformed as error:
            return unknown(classify(error, Source.RESOURCE_MANAGER))


def _path(cache: CacheID) -> str:
    if cache.service is not Service.MANAGED_REDIS:
        raise ValueError(f"not a Microsoft.Cache/redisEnterprise cluster: {cache.text}")
    return cache.text
