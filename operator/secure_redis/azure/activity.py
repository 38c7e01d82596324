"""Who last changed a cache: one page of the subscription's Activity Log, where it may be read.

Source: learn.microsoft.com/rest/api/monitor/activitylogs/list (api-version 2015-04-01, `$filter` in exactly this form).
Needs `Microsoft.Insights/eventtypes/values/read`. Events appear minutes after what they tell (Microsoft: 3 to 20).
"""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any, Final

from secure_redis.api.resource_id import CacheID
from secure_redis.azure.failures import Failure
from secure_redis.azure.reader import Reader, unread
from secure_redis.domain.observation import Identity, Unknown, Write

API_VERSION: Final = "2015-04-01"
READ_EVENTS: Final = "Microsoft.Insights/eventtypes/values/read"
MOST_WRITES: Final = 50
_LONGEST: Final = 128
_CHANGES: Final = ("microsoft.cache/redis/write", "microsoft.cache/redis/delete")


class Activity:
    """Reads of the Activity Log. `own`: the client id of the operator's own identity, whose writes are left out."""

    def __init__(self, reader: Reader, own: str | None) -> None:
        self._reader = reader
        self._own = (own or "").lower()

    async def writes(
        self, identity: Identity, cache: CacheID, since: datetime, until: datetime
    ) -> tuple[Write, ...] | Unknown:
        """Writes of the cache's own settings within the time, newest first; one page, no more is asked for."""
        path = f"/subscriptions/{cache.subscription}/providers/Microsoft.Insights/eventtypes/management/values"
        within = f"eventTimestamp ge '{_time(since)}' and eventTimestamp le '{_time(until)}'"
        page = await self._reader.get(identity, path, API_VERSION, filter=f"{within} and resourceUri eq '{cache.text}'")
        if isinstance(page, Failure):
            return unread(page, READ_EVENTS)
        value = page.get("value")
        others = (one for one in _writes(value if isinstance(value, list) else []) if not self._is_own(one))
        found = sorted(others, key=lambda one: one.at, reverse=True)
        return tuple(found[:MOST_WRITES])

    def _is_own(self, write: Write) -> bool:
        return bool(self._own) and (write.application or "").lower() == self._own


def _writes(events: Iterable[Any]) -> Iterable[Write]:
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
        yield Write(
            caller.strip()[:_LONGEST],
            time if time.tzinfo is not None else time.replace(tzinfo=UTC),
            application if isinstance(application, str) else None,
        )


def _word(value: object) -> str:
    """`{"value": …, "localizedValue": …}`, as all words of an event are."""
    inner = value.get("value") if isinstance(value, Mapping) else value
    return inner if isinstance(inner, str) else ""


def _time(time: datetime) -> str:
    return time.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
