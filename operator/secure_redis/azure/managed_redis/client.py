"""Reads and writes of `Microsoft.Cache/redisEnterprise`: clusters, their database `default`, and its keys.

It sends raw JSON, for two reasons. The stable SDK drops fields of a database that it does not know, so a GET and a PUT
through its models would reset them. And the interface version is the newest that the cluster's region serves, where an
SDK speaks one. Microsoft's SDK reads the same answers in the contract tests.
"""

import json
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final, TypeVar

from azure.core.rest import AsyncHttpResponse

from secure_redis.api.azure_ids import CacheID, Service
from secure_redis.api.reasons.catalogue import with_remedy
from secure_redis.api.reasons.reason import Reason
from secure_redis.azure.core import answers
from secure_redis.azure.core.answers import Malformed
from secure_redis.azure.core.errors import classify
from secure_redis.azure.core.failures import (
    Failure,
    Missing,
    NotFound,
    Permanent,
    Source,
    Transient,
    unknown,
    write_failure,
)
from secure_redis.azure.core.resource_manager import ResourceManager, unread
from secure_redis.azure.managed_redis import convert
from secure_redis.azure.managed_redis.versions import VERSIONS, ApiVersions
from secure_redis.domain.observe.cache import OperationFacts
from secure_redis.domain.observe.governance import AccessAssignmentFacts
from secure_redis.domain.observe.identity import Identity
from secure_redis.domain.observe.keys import ListedKeys, Slot
from secure_redis.domain.observe.managed_redis import ManagedDatabase, ManagedRedis
from secure_redis.domain.observe.unknown import Unknown
from secure_redis.domain.plan.write_failure import WriteFailure

T = TypeVar("T")

READ_CLUSTER: Final = "Microsoft.Cache/redisEnterprise/read"
READ_DATABASE: Final = "Microsoft.Cache/redisEnterprise/databases/read"
READ_ASSIGNMENTS: Final = "Microsoft.Cache/redisEnterprise/databases/accessPolicyAssignments/read"
LIST_KEYS: Final = "Microsoft.Cache/redisEnterprise/databases/listKeys/action"
LIST_SKUS: Final = "Microsoft.Cache/redisEnterprise/listSkusForScaling/action"
# Azure sets them and refuses or ignores them in a request.
READ_ONLY: Final = frozenset({"provisioningState", "resourceState", "redisVersion"})
_KEYS: Final = ("primaryKey", "secondaryKey")
_TYPE: Final = "providers/Microsoft.Cache/redisEnterprise"
_LISTED: Final = VERSIONS[-1]  # a list spans regions, so it needs the version that all of them serve


class ManagedCaches:
    """Reads and writes clusters and their databases. Nothing waits for a long-running operation."""

    def __init__(self, resource_manager: ResourceManager) -> None:
        self._resource_manager = resource_manager
        self._versions = ApiVersions(time.monotonic)

    # --- reads ------------------------------------------------------------------------------------------------------

    async def read(self, identity: Identity, cache: CacheID) -> ManagedRedis | NotFound | Unknown:
        """Read a cluster directly, without its database. Needs `Microsoft.Cache/redisEnterprise/read`."""

        async def call(version: str) -> ManagedRedis | Failure:
            answer = await self._resource_manager.get(identity, _path(cache), version)
            return answer if isinstance(answer, Failure) else _converted(lambda: convert.cluster_facts(answer, version))

        found = await self._newest(cache, call)
        if isinstance(found, ManagedRedis):
            self._versions.found(cache.subscription, cache.key, found.location, found.api_version or _LISTED)
            return found
        return found if isinstance(found, NotFound) else unread(found, READ_CLUSTER)

    async def walk(
        self, identity: Identity, subscription: str, group: str | None = None
    ) -> tuple[ManagedRedis, ...] | Failure:
        """Read the clusters of a subscription or a group, as far as the list contains each as a whole.

        Needs `Microsoft.Cache/redisEnterprise/read` at that scope.
        """
        within = "" if group is None else f"/resourceGroups/{group}"
        found = await self._resource_manager.walk(identity, f"/subscriptions/{subscription}{within}/{_TYPE}", _LISTED)
        if isinstance(found, Failure):
            return found
        return _converted(lambda: tuple(convert.cluster_facts(item) for item in found if convert.is_whole(item)))

    async def database(self, identity: Identity, cache: CacheID) -> ManagedDatabase | Unknown | None:
        """Read the database `default`; None if the cluster has none. The cluster itself is known to exist.

        Needs `Microsoft.Cache/redisEnterprise/databases/read`.
        """
        answer, _ = await self._database(identity, cache)
        if isinstance(answer, NotFound) and answer.what is Missing.RESOURCE:
            return None
        if isinstance(answer, Failure):
            return unread(answer, READ_DATABASE)
        found = _converted(lambda: convert.database_facts(answer))
        return unknown(found) if isinstance(found, Failure) else found

    async def list_keys(self, identity: Identity, cache: CacheID) -> ListedKeys | Unknown:
        """Read both keys. Call it only where access keys are on.

        Azure's answer for others is not established. A refusal of the request itself counts as keys that are off,
        and so does an answer without keys (docs/internals/assumptions.md).
        Needs `Microsoft.Cache/redisEnterprise/databases/listKeys/action`.
        """
        answer = await self._post(identity, cache, "/databases/default/listKeys")
        if isinstance(answer, Permanent) and answer.reason is Reason.REQUEST_REFUSED:
            return _keys_are_off(f"Azure does not list the keys of the database: {answer.message}")
        if isinstance(answer, Failure):
            return unread(answer, LIST_KEYS)
        if _without_keys(answer):
            return _keys_are_off("Azure lists no access key of the database")
        keys = answers.mapping(answer)
        listed = _converted(lambda: answers.listed_keys(keys.get("primaryKey"), keys.get("secondaryKey")))
        return unknown(listed) if isinstance(listed, Failure) else listed

    async def assignments(self, identity: Identity, cache: CacheID) -> tuple[AccessAssignmentFacts, ...] | Unknown:
        """Read which object ids may use the database, and what each may do.

        Needs `Microsoft.Cache/redisEnterprise/databases/accessPolicyAssignments/read`.
        """

        async def call(version: str) -> tuple[AccessAssignmentFacts, ...] | Failure:
            path = f"{_path(cache)}/databases/default/accessPolicyAssignments"
            found = await self._resource_manager.walk(identity, path, version)
            if isinstance(found, Failure):
                return found
            return _converted(lambda: tuple(convert.assignment_facts(item, version) for item in found))

        answer = await self._newest(cache, call)
        return unread(answer, READ_ASSIGNMENTS) if isinstance(answer, Failure) else answer

    async def scaling_options(self, identity: Identity, cache: CacheID) -> tuple[str, ...] | Unknown:
        """Read the SKUs that Azure offers for the cluster.

        Needs `Microsoft.Cache/redisEnterprise/listSkusForScaling/action`.
        """
        answer = await self._post(identity, cache, "/listSkusForScaling")
        if isinstance(answer, Failure):
            return unread(answer, LIST_SKUS)
        found = _converted(lambda: convert.scaling_options(answer))
        return unknown(found) if isinstance(found, Failure) else found

    # --- writes: None is accepted -----------------------------------------------------------------------------------

    async def create(self, identity: Identity, cache: CacheID, body: Mapping[str, Any]) -> None | WriteFailure:
        """PUT of a cluster, of exactly `body`."""
        region = answers.text(body.get("location"))
        return await self._write(identity, cache, "PUT", "", body, region=region)

    async def update(self, identity: Identity, cache: CacheID, body: Mapping[str, Any]) -> None | WriteFailure:
        """PATCH of a cluster, of exactly `body`."""
        return await self._write(identity, cache, "PATCH", "", body)

    async def delete(self, identity: Identity, cache: CacheID) -> None | WriteFailure:
        """DELETE of a cluster with its database; accepted too where there is nothing left to delete."""
        return await self._write(identity, cache, "DELETE", "", None, missing_is_done=True)

    async def create_database(
        self, identity: Identity, cache: CacheID, properties: Mapping[str, Any]
    ) -> None | WriteFailure:
        """PUT of the database `default` of a cluster that has none; a database that is there is left alone."""
        found, version = await self._database(identity, cache)
        if isinstance(found, NotFound) and found.what is Missing.RESOURCE:
            body = {"properties": dict(properties)}
            return await self._write(identity, cache, "PUT", "/databases/default", body, version=version)
        if isinstance(found, Failure):
            return write_failure(found)
        there = "the cluster has a database meanwhile; it is read again"
        return write_failure(Transient(Reason.BUSY, there))

    async def change_database(
        self, identity: Identity, cache: CacheID, changes: Mapping[str, Any]
    ) -> None | WriteFailure:
        """Read the database, change these properties, and PUT the whole with the same interface version.

        A PATCH of a database always answers 501 (docs/internals/azure-facts.md#updates-of-managed-redis). Fields that
        the operator does not know go back as they came.
        """
        found, version = await self._database(identity, cache)
        if isinstance(found, Failure):
            return write_failure(found)
        kept = {name: value for name, value in found.items() if name in {"properties", "sku", "location", "tags"}}
        properties = answers.mapping(kept.get("properties"))
        writable = {name: value for name, value in properties.items() if name not in READ_ONLY}
        body = {**kept, "properties": {**writable, **changes}}
        return await self._write(identity, cache, "PUT", "/databases/default", body, version=version)

    async def regenerate_key(self, identity: Identity, cache: CacheID, slot: Slot) -> None | WriteFailure:
        """POST regenerateKey for one key, sent once: no answer has it executed a second time.

        None: Azure reports that it is done (200), or that it goes on (202, then `operation` follows it). The answer is
        dropped unread: its final document has no keys, or has them and is not needed.
        Needs `Microsoft.Cache/redisEnterprise/databases/regenerateKey/action`.
        """
        body = {"keyType": slot.value}
        return await self._write(identity, cache, "POST", "/databases/default/regenerateKey", body)

    async def operation(self, identity: Identity, cache: CacheID) -> OperationFacts | None:
        """Poll the last operation that this process started as `identity` on the cache, once."""
        return await self._resource_manager.operation(identity, cache)

    # --- how --------------------------------------------------------------------------------------------------------

    async def _database(self, identity: Identity, cache: CacheID) -> tuple[Mapping[str, Any] | Failure, str]:
        """Read the raw database, and the version that it was read with."""
        used = _LISTED

        async def call(version: str) -> Mapping[str, Any] | Failure:
            nonlocal used
            used = version
            return await self._resource_manager.get(identity, f"{_path(cache)}/databases/default", version)

        return await self._newest(cache, call), used

    async def _post(self, identity: Identity, cache: CacheID, below: str) -> object | Failure:
        """Send a POST that reads, and parse its answer whatever its content type is."""

        async def call(version: str) -> object | Failure:
            answer = await self._resource_manager.send(identity, "POST", f"{_path(cache)}{below}", version)
            return answer if isinstance(answer, Failure) else _converted(lambda: _json(answer))

        return await self._newest(cache, call)

    async def _write(
        self,
        identity: Identity,
        cache: CacheID,
        method: str,
        below: str,
        body: Mapping[str, Any] | None,
        *,
        region: str | None = None,
        version: str | None = None,
        missing_is_done: bool = False,
    ) -> None | WriteFailure:
        """Send one write. `version`: that of the read before it; None: the newest that the region serves."""
        operations = self._resource_manager.operations

        async def call(tried: str) -> AsyncHttpResponse | Failure:
            return await self._resource_manager.send(identity, method, f"{_path(cache)}{below}", tried, body)

        answer = await (self._newest(cache, call, region) if version is None else call(version))
        if not isinstance(answer, Failure) or answer.maybe_done:
            operations.forget(identity, cache)  # a write that was refused leaves the earlier operation the last one
        if isinstance(answer, NotFound) and missing_is_done:
            return None
        if isinstance(answer, Failure):
            return write_failure(answer)
        page = _converted(lambda: _object(_json(answer))) if answer.content.strip() else None
        if isinstance(page, Failure):  # a proxy's page; `maybe_done`, because the write may have come through
            return write_failure(page)
        operations.keep(identity, cache, answer.headers)
        return None

    async def _newest(
        self, cache: CacheID, call: Callable[[str], Awaitable[T | Failure]], region: str | None = None
    ) -> T | Failure:
        """Call with the newest version that the cluster's region serves. `region`: where it is to be created."""
        versions = self._versions.to_try(cache.subscription, cache.key, region)
        for version in versions[:-1]:
            answer = await call(version)
            if not (isinstance(answer, Permanent) and answer.reason is Reason.API_VERSION_NOT_SERVED):
                return answer
        return await call(versions[-1])


def _converted(conversion: Callable[[], T]) -> T | Failure:
    try:
        return conversion()
    except (ValueError, RecursionError) as error:  # Malformed; the latter: nested too deep
        return classify(error, Source.RESOURCE_MANAGER)


def _json(answer: AsyncHttpResponse) -> object:
    return json.loads(answer.content)


def _object(body: object) -> Mapping[str, Any]:
    if not isinstance(body, Mapping):
        raise Malformed("the answer is not an object")
    return body


def _without_keys(answer: object) -> bool:
    """Whether it is an answer of listKeys without any key: null, empty or left out."""
    if not isinstance(answer, Mapping) or any(answer.get(name) for name in _KEYS):
        return False
    return not answer or any(name in answer for name in _KEYS)


def _keys_are_off(found: str) -> Unknown:
    message = with_remedy(Reason.ACCESS_KEYS_DISABLED, found)
    return Unknown(Reason.ACCESS_KEYS_DISABLED, message, permanent=True)


def _path(cache: CacheID) -> str:
    if cache.service is not Service.MANAGED_REDIS:
        raise ValueError(f"not a Microsoft.Cache/redisEnterprise cluster: {cache.text}")
    return cache.text
