"""Call Resource Manager without an SDK for each provider: one pipeline per identity and subscription.

Microsoft.Authorization, Microsoft.KeyVault and the small children of a cache are a handful of GETs. Each of their SDKs
would be one more package, and one more client (33 KiB, measured) for every identity. Writes of raw JSON keep the fields
that an SDK's models do not know.
"""

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, Final, TypeVar
from urllib.parse import quote, urlencode

from azure.core import AsyncPipelineClient
from azure.core.rest import AsyncHttpResponse, HttpRequest
from azure.mgmt.core.policies import AsyncARMChallengeAuthenticationPolicy

from secure_redis.api.azure_ids import CacheID
from secure_redis.azure.core.answers import Malformed
from secure_redis.azure.core.calls import Calls
from secure_redis.azure.core.credentials import Credentials
from secure_redis.azure.core.expiring_cache import ExpiringCache
from secure_redis.azure.core.failures import (
    Denied,
    Failure,
    Guard,
    Source,
    unknown,
)
from secure_redis.azure.core.lists import Page, next_link, walk
from secure_redis.azure.core.operations import Operations
from secure_redis.azure.core.transport import Transport
from secure_redis.domain.observe.cache import OperationFacts
from secure_redis.domain.observe.identity import Identity
from secure_redis.domain.observe.unknown import Unknown

T = TypeVar("T")
Pipeline = AsyncPipelineClient[HttpRequest, AsyncHttpResponse]

_PLAIN: Final = "/()"  # what ARM ids contain besides letters, digits and -._~
Keep = Callable[[Mapping[str, Any]], Mapping[str, Any] | None]


def _as_it_is(item: Mapping[str, Any]) -> Mapping[str, Any]:
    return item


class ResourceManager:
    """Requests with JSON, under the transport's budgets and host checks."""

    def __init__(self, transport: Transport, credentials: Credentials) -> None:
        self._transport = transport
        self._credentials = credentials
        self._calls = Calls(credentials, Source.RESOURCE_MANAGER)
        self.operations = Operations(transport, self._calls)
        self._pipelines: ExpiringCache[tuple[Identity, str], Pipeline] = ExpiringCache(time.monotonic)

    async def get(self, identity: Identity, path: str, version: str, **query: str) -> Mapping[str, Any] | Failure:
        """Read one object. `path` is an ARM id, possibly with more behind it; `query` without the `$` of OData."""

        async def call() -> Mapping[str, Any] | Failure:
            return await self._object(identity, path, self._url(path, version, query))

        return await self._calls(identity, call)

    async def walk(
        self, identity: Identity, path: str, version: str, *, keep: Keep = _as_it_is, **query: str
    ) -> tuple[Mapping[str, Any], ...] | Failure:
        """Read all items of a list, over all pages. A broken page fails the walk.

        `keep` returns the part of an item that is needed, or None to drop it: the pages themselves may be large.
        """

        async def page(url: str) -> Page[Mapping[str, Any]] | Failure:
            body = await self._object(identity, path, url)
            if not isinstance(body, Mapping):
                return body
            value = body.get("value")
            if not isinstance(value, list) or not all(isinstance(item, Mapping) for item in value):
                raise Malformed("the answer is not a list")
            kept = (keep(item) for item in value)
            return [item for item in kept if item is not None], next_link(body)

        return await self._calls(identity, lambda: walk(self._url(path, version, query), page))

    async def send(
        self, identity: Identity, method: str, path: str, version: str, body: Mapping[str, Any] | None = None
    ) -> AsyncHttpResponse | Failure:
        """Send one request, once, and return its answer where it is a success (2xx). `path` is an ARM id and more."""

        async def call() -> AsyncHttpResponse | Failure:
            request = HttpRequest(method, self._url(path, version, {}), json=body)
            response = await self._pipeline(identity, path).send_request(request)
            return response if 200 <= response.status_code < 300 else self._calls.refusal(identity, response)

        return await self._calls(identity, call)

    async def operation(self, identity: Identity, cache: CacheID) -> OperationFacts | None:
        """Poll the operation that the last write of this process to the cache started, once; None: see `Operations`."""

        async def get(url: str) -> AsyncHttpResponse:
            return await self._pipeline(identity, cache.text).send_request(HttpRequest("GET", url))

        return await self.operations.poll(identity, cache, get)

    async def _object(self, identity: Identity, path: str, url: str) -> Mapping[str, Any] | Failure:
        response = await self._pipeline(identity, path).send_request(HttpRequest("GET", url))
        if response.status_code != 200:
            return self._calls.refusal(identity, response)
        body = json.loads(response.content)
        if not isinstance(body, Mapping):
            raise Malformed("the answer is not an object")
        return body

    def _url(self, path: str, version: str, query: Mapping[str, str]) -> str:
        options = urlencode({"api-version": version, **{f"${name}": value for name, value in query.items()}})
        return f"{self._transport.cloud.resource_manager}{quote(path, safe=_PLAIN)}?{options}"

    def _pipeline(self, identity: Identity, path: str) -> Pipeline:
        subscription = path.split("/")[2].lower()
        return self._pipelines.get((identity, subscription), lambda: self._make(identity, subscription))

    def _make(self, identity: Identity, subscription: str) -> Pipeline:
        cloud = self._transport.cloud
        authentication = AsyncARMChallengeAuthenticationPolicy(
            self._credentials.for_resource_manager(identity), cloud.resource_manager_scope
        )
        return AsyncPipelineClient(
            cloud.resource_manager,
            transport=self._transport.http,
            policies=self._transport.resource_manager_policies(
                subscription, str(identity), authentication, decode=False
            ),
        )


def unread(failure: Failure, permission: str) -> Unknown:
    """Turn the failure of a read into Unknown, with the `permission` that would allow it if a role is missing."""
    result = unknown(failure)
    lacking = isinstance(failure, Denied) and failure.by is Guard.ROLE
    return replace(result, permission=permission) if lacking else result


RESOURCES_API_VERSION: Final = "2021-04-01"
