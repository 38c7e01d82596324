"""Find in the Activity Log who made a difference. It names no one rather than the wrong party. Pure.

Source: learn.microsoft.com/rest/api/monitor/activitylogs/list. An event names the resource that was written and the
caller, but not the field. So the log can name the writer of a field of the cache only if one party wrote to the cache
while the value changed. A firewall rule, and the schedule of maintenance windows, is a resource of its own: the last
write to it set its value.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from secure_redis.domain.observe.cache import Write

# Between the clocks of Azure and of the operator.
SKEW: Final = timedelta(minutes=1)
_RULE: Final = re.compile(r"network\.firewallRules\[([A-Za-z0-9_]+)\]")
_WINDOWS: Final = "provision.redis.maintenanceWindows"


@dataclass(frozen=True, slots=True)
class Author:
    """Who made a difference. `at`: when, if one operation alone can have made it. Caller None: it is not certain."""

    caller: str | None = None
    at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Window:
    """The time in which a value changed: it was as declared at `after`, and differed at `until`."""

    after: datetime
    until: datetime

    def contains(self, moment: datetime) -> bool:
        """Whether a write at this moment can have made the difference."""
        return self.after - SKEW <= moment <= self.until + SKEW


def child(path: str) -> str | None:
    """Return the resource below the cache that a path is about; None: the path is about the cache itself."""
    if path == _WINDOWS:
        return "patchSchedules/default"
    found = _RULE.fullmatch(path)
    return f"firewallRules/{found[1]}" if found is not None else None


def of_cache(writes: Iterable[Write], window: Window) -> Author:
    """Return the only party that wrote to the cache while the value changed."""
    possible = [one for one in writes if window.contains(one.at) and not one.own]
    return _author(possible) if len({one.caller for one in possible}) == 1 else Author()


def of_child(writes: Iterable[Write], window: Window | None, now: datetime) -> Author:
    """Return the party that wrote last to a resource below the cache, if that was not the operator."""
    before = [one for one in writes if one.at <= (window.until if window is not None else now) + SKEW]
    last = max(before, key=lambda one: one.at, default=None)
    if last is None or last.own:
        return Author()
    if window is None or not window.contains(last.at):
        return Author(last.caller)
    return _author([one for one in before if one is last or _same_operation(one, last)])


def _author(writes: list[Write]) -> Author:
    """One operation has several events: its beginning counts."""
    first = min(writes, key=lambda one: one.at)
    single = all(one is first or _same_operation(one, first) for one in writes)
    return Author(first.caller, first.at if single else None)


def _same_operation(a: Write, b: Write) -> bool:
    return a.operation is not None and a.operation == b.operation
