"""Read from the subscription's Activity Log who changed a cache.

Source: learn.microsoft.com/rest/api/monitor/activitylogs/list (api-version 2015-04-01, `$filter` in exactly this form).
Needs `Microsoft.Insights/eventtypes/values/read`. Events appear 3 to 20 minutes after the change (Microsoft).
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from secure_redis.api.azure_ids import CacheID
from secure_redis.api.times import rfc3339
from secure_redis.azure.core.answers import text
from secure_redis.azure.core.failures import Failure
from secure_redis.azure.core.resource_manager import ResourceManager, unread
from secure_redis.domain.observe.cache import Write
from secure_redis.domain.observe.identity import Identity, NamespaceIdentity
from secure_redis.domain.observe.services import CACHES
from secure_redis.domain.observe.unknown import Unknown
from secure_redis.domain.observe.usage import Change

API_VERSION: Final = "2015-04-01"
READ_EVENTS: Final = "Microsoft.Insights/eventtypes/values/read"
MOST_CHANGES: Final = 50
CHANGES_WITHIN: Final = timedelta(days=3)  # so that a weekend hides nothing, and the pages stay few
_LONGEST: Final = 128
_CHANGES: Final = (
    *("microsoft.cache/redis/write", "microsoft.cache/redis/delete"),
    *("microsoft.cache/redisenterprise/write", "microsoft.cache/redisenterprise/delete"),
    *("microsoft.cache/redisenterprise/databases/write", "microsoft.cache/redisenterprise/databases/delete"),
)
_CHILD_CHANGES: Final = (
    *("microsoft.cache/redis/firewallrules/write", "microsoft.cache/redis/firewallrules/delete"),
    *("microsoft.cache/redis/patchschedules/write", "microsoft.cache/redis/patchschedules/delete"),
)
_EVERY_CHANGE: Final = frozenset((*_CHANGES, *_CHILD_CHANGES))


@dataclass(frozen=True, slots=True)
class _Event:
    """An event about a write. `application`: the client id, if an application wrote. `operation`: the id of the write.

    `word`: such as `Microsoft.Cache/redis/write`.
    """

    caller: str
    at: datetime
    application: str | None
    operation: str | None
    word: str


class Activity:
    """Reads the Activity Log. `own`: the client id of the operator's own identity."""

    def __init__(self, resource_manager: ResourceManager, own: str | None) -> None:
        self._resource_manager = resource_manager
        self._own = (own or "").lower()

    async def writes(
        self, identity: Identity, cache: CacheID, since: datetime, until: datetime, *, child: str | None = None
    ) -> tuple[Write, ...] | Unknown:
        """Read the writes of the cache's own settings in this time, newest first. `child`: of that resource below it.

        Unknown, not shorter: a write that is missing could have made the difference.
        """
        targets = _targets(cache) if child is None else (f"{cache.text}/{child}",)
        found = await self._walk(identity, cache, targets, since, until)
        if isinstance(found, Failure):
            return unread(found, READ_EVENTS)
        writes = (
            Write(one.caller, one.at, one.operation, self._is_own(one, identity))
            for one in _events(found, _CHANGES if child is None else _CHILD_CHANGES)
        )
        return tuple(sorted(writes, key=lambda one: one.at, reverse=True))

    async def changes(self, identity: Identity, cache: CacheID, until: datetime) -> tuple[Change, ...] | Unknown:
        """Read the writes of the last `CHANGES_WITHIN`: those of others first, and the newest first.

        All pages are read: the newest events are mostly reads of keys, which the log contains too.
        """
        found = await self._walk(identity, cache, _targets(cache), until - CHANGES_WITHIN, until)
        if isinstance(found, Failure):
            return unread(found, READ_EVENTS)
        written = (
            Change(one.at, one.caller, one.word, self._is_own(one, identity)) for one in _events(found, _CHANGES)
        )
        changes = sorted(written, key=lambda one: one.at, reverse=True)
        # The operator's own writes may be many; those of others must not get lost behind them.
        return tuple(sorted(changes, key=lambda one: one.own)[:MOST_CHANGES])

    async def _walk(
        self, identity: Identity, cache: CacheID, targets: Iterable[str], since: datetime, until: datetime
    ) -> Sequence[Mapping[str, Any]] | Failure:
        """Read the events of each target: the log selects by one resource at a time."""
        events: list[Mapping[str, Any]] = []
        for target in targets:
            selected = _filter(target, since, until)
            found = await self._resource_manager.walk(identity, _path(cache), API_VERSION, keep=_kept, filter=selected)
            if isinstance(found, Failure):
                return found
            events += found
        return events

    def _is_own(self, event: _Event, identity: Identity) -> bool:
        serving = identity.client_id.lower() if isinstance(identity, NamespaceIdentity) else self._own
        return bool(serving) and (event.application or "").lower() == serving


def _targets(cache: CacheID) -> Iterable[str]:
    return (f"{cache.text}{below}" for below in CACHES[cache.service].SETTINGS)


def _path(cache: CacheID) -> str:
    return f"/subscriptions/{cache.subscription}/providers/Microsoft.Insights/eventtypes/management/values"


def _filter(target: str, since: datetime, until: datetime) -> str:
    within = f"eventTimestamp ge '{rfc3339(since)}' and eventTimestamp le '{rfc3339(until)}'"
    return f"{within} and resourceUri eq '{target}'"


def _kept(event: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """Keep what `_events` reads: an event has some KiB, and a cache whose keys are read has thousands of them."""
    parts = ("operationName", "status", "caller", "eventTimestamp", "operationId")
    if _word(event.get("operationName")).lower() in _EVERY_CHANGE:
        claims = event.get("claims")
        return {
            **{part: event.get(part) for part in parts},
            "claims": {"appid": claims.get("appid")} if isinstance(claims, Mapping) else None,
        }
    failed = _word(event.get("status")).lower() == "failed"
    return {"status": event.get("status"), "operationId": event.get("operationId")} if failed else None


def _events(values: Iterable[Any], words: tuple[str, ...]) -> Iterable[_Event]:
    """Yield the events about writes that did not fail. A write that failed also has an event from its beginning."""
    events = [one for one in values if isinstance(one, Mapping)]
    failed = {_operation(one) for one in events if _word(one.get("status")).lower() == "failed"} - {None}
    for event in events:
        word, status = _word(event.get("operationName")), _word(event.get("status"))
        caller, at = event.get("caller"), event.get("eventTimestamp")
        if word.lower() not in words or status.lower() == "failed" or _operation(event) in failed:
            continue
        if not isinstance(caller, str) or not caller.strip() or not isinstance(at, str):
            continue
        try:
            time = datetime.fromisoformat(at)
        except ValueError:
            continue
        claims = event.get("claims")
        application = claims.get("appid") if isinstance(claims, Mapping) else None
        yield _Event(
            caller.strip()[:_LONGEST],
            time if time.tzinfo is not None else time.replace(tzinfo=UTC),
            application if isinstance(application, str) else None,
            _operation(event),
            word[:_LONGEST],
        )


def _operation(event: Mapping[str, Any]) -> str | None:
    return text(event.get("operationId"))


def _word(value: object) -> str:
    """Read a word of an event, which can have the form `{"value": …, "localizedValue": …}`."""
    inner = value.get("value") if isinstance(value, Mapping) else value
    return inner if isinstance(inner, str) else ""
