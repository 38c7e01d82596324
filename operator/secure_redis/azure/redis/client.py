"""Reads and writes of `Microsoft.Cache/redis`, one call each. Nothing waits for a long-running operation."""

import hashlib
import json
import logging
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, TypeVar
from urllib.parse import quote

from azure.core import AsyncPipelineClient
from azure.core.rest import AsyncHttpResponse, HttpRequest
from azure.mgmt.core.policies import AsyncARMChallengeAuthenticationPolicy
from azure.mgmt.redis.aio import RedisManagementClient
from azure.mgmt.redis.models import CheckNameAvailabilityParameters

from secure_redis.api.azure_ids import CacheID, Service
from secure_redis.api.reasons.reason import Reason
from secure_redis.azure.core import answers
from secure_redis.azure.core.calls import Calls
from secure_redis.azure.core.credentials import Credentials
from secure_redis.azure.core.expiring_cache import ExpiringCache
from secure_redis.azure.core.failures import (
    Failure,
    NotFound,
    Source,
    unknown,
    write_failure,
)
from secure_redis.azure.core.lists import Page, walk
from secure_redis.azure.core.operations import Operations
from secure_redis.azure.core.policies import Policies
from secure_redis.azure.core.transport import Transport
from secure_redis.azure.redis import convert
from secure_redis.domain.observe.cache import OperationFacts
from secure_redis.domain.observe.firewall import FirewallRuleFacts
from secure_redis.domain.observe.governance import PatchWindow
from secure_redis.domain.observe.identity import Identity
from secure_redis.domain.observe.keys import ListedKeys, Slot
from secure_redis.domain.observe.redis import Redis
from secure_redis.domain.observe.unknown import Unknown
from secure_redis.domain.plan.write_failure import WriteFailure
from secure_redis.telemetry import live_values

_LOG = logging.getLogger(__name__)
T = TypeVar("T")

API_VERSION: Final = "2024-11-01"  # the last stable one of Microsoft.Cache/redis
_LIST: Final = f"/providers/Microsoft.Cache/redis?api-version={API_VERSION}"


@dataclass(slots=True)
class _Client:
    management: RedisManagementClient
    raw: AsyncPipelineClient[HttpRequest, AsyncHttpResponse]


@dataclass(frozen=True, slots=True)
class _Page:
    digest: bytes = field(repr=False)
    caches: tuple[Redis, ...]
    next: str | None = field(repr=False)


class Caches:
    """One SDK client per identity and subscription, all on one transport."""

    def __init__(self, transport: Transport, credentials: Credentials) -> None:
        self._transport = transport
        self._credentials = credentials
        self._calls = Calls(credentials, Source.RESOURCE_MANAGER)
        self._clients: ExpiringCache[tuple[Identity, str], _Client] = ExpiringCache(time.monotonic)
        self._pages: ExpiringCache[tuple[Identity, str], _Page] = ExpiringCache(time.monotonic)
        self._operations = Operations(transport, self._calls)

    # --- reads ------------------------------------------------------------------------------------------------------

    async def read(self, identity: Identity, cache: CacheID) -> Redis | NotFound | Unknown:
        """Read the cache directly. `NotFound.what` distinguishes a missing group from a missing cache."""
        client = self._client(identity, cache)

        async def call() -> Redis:
            text: Any = await client.management.redis.get(
                cache.group, cache.name, cls=lambda answer, _model, _headers: answer.http_response.text()
            )
            return convert.cache_facts(json.loads(text))

        outcome = await self._calls(identity, call)
        if isinstance(outcome, NotFound):
            return outcome
        return outcome if isinstance(outcome, Redis) else unknown(outcome)

    async def walk(
        self, identity: Identity, subscription: str, group: str | None = None
    ) -> tuple[Redis, ...] | Failure:
        """Read all caches of a subscription or a group, over all pages. A broken page fails the walk."""
        client = self._client_for(identity, subscription)
        within = "" if group is None else f"/resourceGroups/{quote(group, safe='')}"
        first = f"{self._transport.cloud.resource_manager}/subscriptions/{subscription}{within}{_LIST}"

        async def read(url: str) -> Page[Redis] | Failure:
            response = await client.raw.send_request(HttpRequest("GET", url))
            if response.status_code != 200:
                return self._calls.refusal(identity, response)
            page = self._page(identity, url, response.content)
            return page.caches, page.next

        return await self._calls(identity, lambda: walk(first, read))

    async def list_keys(self, identity: Identity, cache: CacheID) -> ListedKeys | Unknown:
        """Read both keys. Needs `Microsoft.Cache/redis/listKeys/action`."""
        client = self._client(identity, cache)

        async def call() -> ListedKeys:
            keys = await client.management.redis.list_keys(cache.group, cache.name)
            return answers.listed_keys(keys.primary_key, keys.secondary_key)

        return _or_unknown(await self._calls(identity, call))

    async def firewall_rules(self, identity: Identity, cache: CacheID) -> tuple[FirewallRuleFacts, ...] | Unknown:
        """Read all rules (all pages), sorted by name. No rule means open to everyone while public access is on."""
        client = self._client(identity, cache)

        async def read(url: str) -> Page[FirewallRuleFacts] | Failure:
            response = await client.raw.send_request(HttpRequest("GET", url))
            if response.status_code != 200:
                return self._calls.refusal(identity, response)
            return convert.firewall_rules_page(json.loads(response.content), cache.name)

        rules = await self._calls(identity, lambda: walk(self._url(cache, "/firewallRules"), read))
        if isinstance(rules, Failure):
            return unknown(rules)
        return tuple(sorted(rules, key=lambda rule: rule.name.lower()))

    async def name_available(self, identity: Identity, cache: CacheID) -> bool | Unknown:
        """Whether the cache's name is free in all of Azure. The service answers 200 for free, an error for taken."""
        client = self._client(identity, cache)

        async def call() -> bool:
            await client.management.redis.check_name_availability(
                CheckNameAvailabilityParameters(name=cache.name, type="Microsoft.Cache/Redis")
            )
            return True

        outcome = await self._calls(identity, call)
        if isinstance(outcome, bool):
            return outcome
        if outcome.reason is Reason.NAME_TAKEN:
            return False
        return unknown(outcome)

    # --- writes: None means accepted --------------------------------------------------------------------------------

    async def create(self, identity: Identity, cache: CacheID, body: Mapping[str, Any]) -> None | WriteFailure:
        """PUT of exactly `body`. The answer's keys are dropped unread."""
        redis = self._client(identity, cache).management.redis
        return await self._long(
            identity,
            cache,
            lambda keep: redis.begin_create(
                cache.group, cache.name, _bytes(body), polling=False, raw_response_hook=keep
            ),
        )

    async def update(self, identity: Identity, cache: CacheID, body: Mapping[str, Any]) -> None | WriteFailure:
        """PATCH of exactly `body`: as bytes, since the SDK's model adds properties that were never requested."""
        redis = self._client(identity, cache).management.redis
        return await self._long(
            identity,
            cache,
            lambda keep: redis.begin_update(
                cache.group, cache.name, _bytes(body), polling=False, raw_response_hook=keep
            ),
        )

    async def delete(self, identity: Identity, cache: CacheID) -> None | WriteFailure:
        """DELETE; accepted too where there is nothing left to delete (204 or 404)."""
        redis = self._client(identity, cache).management.redis
        return await self._long(
            identity,
            cache,
            lambda keep: redis.begin_delete(cache.group, cache.name, polling=False, raw_response_hook=keep),
            missing_is_done=True,
        )

    async def put_firewall_rule(
        self, identity: Identity, cache: CacheID, rule: FirewallRuleFacts
    ) -> None | WriteFailure:
        """PUT of one rule."""
        rules = self._client(identity, cache).management.firewall_rules
        body = _bytes({"properties": {"startIP": rule.start_ip, "endIP": rule.end_ip}})

        async def call() -> None:
            await rules.create_or_update(cache.group, cache.name, rule.name, body)

        return _or_write_failure(await self._calls(identity, call))

    async def put_patch_schedule(
        self, identity: Identity, cache: CacheID, windows: tuple[PatchWindow, ...]
    ) -> None | WriteFailure:
        """PUT of all maintenance windows; others that the cache had are gone."""
        schedules = self._client(identity, cache).management.patch_schedules
        entries = [
            {"dayOfWeek": one.day, "startHourUtc": one.start_hour, "maintenanceWindow": f"PT{one.minutes // 60}H"}
            for one in windows
        ]
        body = _bytes({"properties": {"scheduleEntries": entries}})

        async def call() -> None:
            await schedules.create_or_update(cache.group, cache.name, "default", body)

        return _or_write_failure(await self._calls(identity, call))

    async def delete_firewall_rule(self, identity: Identity, cache: CacheID, name: str) -> None | WriteFailure:
        """DELETE of one rule; accepted too where it is gone."""
        rules = self._client(identity, cache).management.firewall_rules

        async def call() -> None:
            await rules.delete(cache.group, cache.name, name)

        outcome = await self._calls(identity, call)
        return None if isinstance(outcome, NotFound) else _or_write_failure(outcome)

    async def regenerate_key(self, identity: Identity, cache: CacheID, slot: Slot) -> None | WriteFailure:
        """POST regenerateKey for one key, sent once: no answer has it executed a second time.

        None: Azure reports that it is done (200), or that it goes on (202, then `operation` follows it). The answer
        holds both keys and is dropped unread. Needs `Microsoft.Cache/redis/regenerateKey/action`.

        Uses its own request and not the SDK's method, which parses the keys and takes a 202 for an error. After
        a 401 with a claims challenge, the same request is sent with a new token: Azure refused the first one.
        """
        client = self._client(identity, cache)
        url = self._url(cache, "/regenerateKey")

        async def call() -> None | Failure:
            response = await client.raw.send_request(HttpRequest("POST", url, json={"keyType": slot.value}))
            done = response.status_code == 200 and "json" in response.headers.get("Content-Type", "").lower()
            if not done and response.status_code != 202:
                return self._calls.refusal(identity, response)  # 200 with a page: a proxy's answer, not Azure's
            self._operations.forget(identity, cache)
            if not done:
                self._operations.keep(identity, cache, response.headers)
            return None

        return _or_write_failure(await self._calls(identity, call))

    # --- the operation that a write started -------------------------------------------------------------------------

    async def operation(self, identity: Identity, cache: CacheID) -> OperationFacts | None:
        """Poll the last operation that this process started as `identity` on the cache, once."""

        async def get(url: str) -> AsyncHttpResponse:
            return await self._client(identity, cache).raw.send_request(HttpRequest("GET", url))

        return await self._operations.poll(identity, cache, get)

    # --- how ----------------------------------------------------------------------------------------------------------

    def _url(self, cache: CacheID, below: str) -> str:
        return (
            f"{self._transport.cloud.resource_manager}/subscriptions/{cache.subscription}/resourceGroups/"
            f"{quote(cache.group, safe='')}/providers/Microsoft.Cache/redis/{quote(cache.name, safe='')}{below}"
            f"?api-version={API_VERSION}"
        )

    def _client(self, identity: Identity, cache: CacheID) -> _Client:
        if cache.service is not Service.REDIS:
            raise ValueError(f"not a Microsoft.Cache/redis cache: {cache.text}")
        return self._client_for(identity, cache.subscription)

    def _client_for(self, identity: Identity, subscription: str) -> _Client:
        return self._clients.get((identity, subscription.lower()), lambda: self._make(identity, subscription))

    def _make(self, identity: Identity, subscription: str) -> _Client:
        cloud = self._transport.cloud
        credential = self._credentials.for_resource_manager(identity)

        def policies(*, decode: bool = True) -> Policies:  # a pipeline links its policies to each other: one set each
            authentication = AsyncARMChallengeAuthenticationPolicy(credential, cloud.resource_manager_scope)
            return self._transport.resource_manager_policies(subscription, str(identity), authentication, decode=decode)

        return _Client(
            RedisManagementClient(
                credential,
                subscription,
                cloud.resource_manager,
                api_version=API_VERSION,
                transport=self._transport.http,
                policies=policies(),
            ),
            AsyncPipelineClient(
                cloud.resource_manager, transport=self._transport.http, policies=policies(decode=False)
            ),
        )

    async def _long(
        self,
        identity: Identity,
        cache: CacheID,
        begin: Callable[[Callable[[Any], None]], Awaitable[Any]],
        *,
        missing_is_done: bool = False,
    ) -> None | WriteFailure:
        self._operations.forget(identity, cache)

        def keep(response: Any) -> None:
            if response.http_response.status_code < 300:
                self._operations.keep(identity, cache, response.http_response.headers)

        async def call() -> None:
            await begin(keep)  # the poller holds the answer and with it the keys: not kept

        outcome = await self._calls(identity, call)
        return None if missing_is_done and isinstance(outcome, NotFound) else _or_write_failure(outcome)

    def _page(self, identity: Identity, url: str, content: bytes) -> _Page:
        """Return a page's caches. A page that has not changed since the same identity read it is not parsed again."""
        digest = hashlib.blake2b(content, digest_size=16).digest()
        key = (identity, url)
        page_before = self._pages.peek(key)
        if page_before is None or page_before.digest != digest:
            caches, following = convert.page(json.loads(content))
            page_before = _Page(digest, tuple(caches), following)
            self._pages.drop(key)
        return self._pages.get(key, lambda: page_before)


def _or_unknown(outcome: T | Failure) -> T | Unknown:
    return unknown(outcome) if isinstance(outcome, Failure) else outcome


def _or_write_failure(outcome: None | Failure) -> None | WriteFailure:
    return None if outcome is None else write_failure(outcome)


def _bytes(body: Mapping[str, Any]) -> Any:
    for name, value in (answers.mapping(answers.mapping(body.get("properties")).get("redisConfiguration"))).items():
        if "connection-string" in name and isinstance(value, str):
            live_values.remember(value)  # Azure's refusal may quote it
    # bytes go out as they are (documented for IO[bytes], accepted by the SDK's own check for bytes too)
    return json.dumps(body).encode()
