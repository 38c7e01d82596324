"""Read from the subscription's Activity Log who changed a cache.

Source: learn.microsoft.com/rest/api/monitor/activitylogs/list (api-version 2015-04-01, `$filter` in exactly this form).
Needs `Microsoft.Insights/eventtypes/values/read`. Events appear 3 to 20 minutes after the change (Microsoft).
"""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from secure_redis.api.azure_ids import CacheID
from secure_redis.api.times import rfc3339
from secure_redis.azure.core.answers import elements
from secure_redis.azure.core.failures import Failure
from secure_redis.azure.core.resource_manager import ResourceManager, unread
from secure_redis.domain.observe.cache import Write
from secure_redis.domain.observe.identity import Identity, NamespaceIdentity
from secure_redis.domain.observe.unknown import Unknown
from secure_redis.domain.observe.usage import Change

API_VERSION: Final = "2015-04-01"
READ_EVENTS: Final = "Microsoft.Insights/eventtypes/values/read"
MOST_WRITES: Final = 50
MOST_CHANGES: Final = 50
CHANGES_WITHIN: Final = timedelta(days=3)  # so that a weekend hides nothing, and the pages stay few
_LONGEST: Final = 128
_CHANGES: Final = ("microsoft.cache/redis/write", "microsoft.cache/redis/delete")


class Activity:
    """Reads the Activity Log. `own`: the client id of the operator's own identity, whose writes are left out."""

    def __init__(self, resource_manager: ResourceManager, own: str | None) -> None:
        self._resource_manager = resource_manager
        self._own = (own or "").lower()

    async def writes(
        self, identity: Identity, cache: CacheID, since: datetime, until: datetime
    ) -> tuple[Write, ...] | Unknown:
        """Read the writes of the cache's own settings in this time, newest first, from one page only."""
        page = await self._resource_manager.get(
            identity, _path(cache), API_VERSION, filter=_filter(cache, since, until)
        )
        if isinstance(page, Failure):
            return unread(page, READ_EVENTS)
        others = (one for one, _ in _writes(elements(page.get("value"))) if not self._is_own(one))
        found = sorted(others, key=lambda one: one.at, reverse=True)
        return tuple(found[:MOST_WRITES])

    async def changes(self, identity: Identity, cache: CacheID, until: datetime) -> tuple[Change, ...] | Unknown:
        """Read the writes of the last `CHANGES_WITHIN`: those of others first, and the newest first.

        All pages are read: the newest events are mostly reads of keys, which the log contains too.
        """
        selected = _filter(cache, until - CHANGES_WITHIN, until)
        found = await self._resource_manager.walk(identity, _path(cache), API_VERSION, filter=selected)
        if isinstance(found, Failure):
            return unread(found, READ_EVENTS)
        serving = identity.client_id.lower() if isinstance(identity, NamespaceIdentity) else self._own
        changes = sorted((_change(*one, serving) for one in _writes(found)), key=lambda one: one.at, reverse=True)
        # The operator's own writes may be many; those of others must not get lost behind them.
        return tuple(sorted(changes, key=lambda one: one.own)[:MOST_CHANGES])

    def _is_own(self, write: Write) -> bool:
        return bool(self._own) and (write.application or "").lower() == self._own


def _change(write: Write, operation: str, serving: str) -> Change:
    ours = bool(serving) and (write.application or "").lower() == serving
    return Change(write.at, write.caller, operation, ours)


def _path(cache: CacheID) -> str:
    return f"/subscriptions/{cache.subscription}/providers/Microsoft.Insights/eventtypes/management/values"


def _filter(cache: CacheID, since: datetime, until: datetime) -> str:
    within = f"eventTimestamp ge '{rfc3339(since)}' and eventTimestamp le '{rfc3339(until)}'"
    return f"{within} and resourceUri eq '{cache.text}'"


def _writes(events: Iterable[Any]) -> Iterable[tuple[Write, str]]:
    """Yield writes and their operations."""
    for event in events:
        if not isinstance(event, Mapping):
            continue
        operation, status = _word(event.get("operationName")), _word(event.get("status"))
        caller, at = event.get("caller"), event.get("eventTimestamp")
        if operation.lower() not in _CHANGES or status.lower() == "failed":
            continue
        if not isinstance(caller, str) or not caller.strip() or not isinstance(at, str):
            continue
        try:
            time = datetime.fromisoformat(at)
        except ValueError:
            continue
        claims = event.get("claims")
        application = claims.get("appid") if isinstance(claims, Mapping) else None
        write = Write(
            caller.strip()[:_LONGEST],
            time if time.tzinfo is not None else time.replace(tzinfo=UTC),
            application if isinstance(application, str) else None,
        )
        yield write, operation[:_LONGEST]


def _word(value: object) -> str:
    """Read a word of an event, which can have the form `{"value": …, "localizedValue": …}`."""
    inner = value.get("value") if isinstance(value, Mapping) else value
    return inner if isinstance(inner, str) else ""
