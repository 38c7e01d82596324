"""When a change may begin: maintenance windows, given as cron schedules in time zones.

Cron by cronsim: BSD, pure Python, typed, without dependencies, steadily released, Debian's syntax. The package
croniter was given up and taken over since. The others are hardly kept. Only the parsing and the calendar of cronsim
are used. With time zones it answers with a past time within a repeated hour, and loses half an hour where clocks
change by 30 minutes (measured with 2.8: Europe/Berlin, Australia/Lord_Howe). So wall-clock times become moments here,
by the rules of Debian's cron(8). A schedule of fixed times opens once, at the first of a repeated time and at the end
of a skipped one. A schedule whose minute or hour begins with `*` opens whenever the clock shows it.
"""

import hashlib
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from difflib import get_close_matches
from functools import lru_cache
from importlib import resources
from typing import Final
from zoneinfo import ZoneInfo

from cronsim import CronSim, CronSimError

from secure_redis.api.reasons.reason import Reason
from secure_redis.api.spec.spec import Window
from secure_redis.api.times import rfc3339
from secure_redis.domain.explanation import Explanation

MOST_JITTER: Final = timedelta(days=1)
_DAY: Final = timedelta(days=1)
_MINUTE: Final = timedelta(minutes=1)
_FIELDS: Final = ("minute", "hour", "day of the month", "month", "day of the week")
_SOME_DAY: Final = datetime(2026, 1, 1)  # noqa: DTZ001  # wall-clock: where the search for a first opening begins


def problem(windows: Sequence[Window]) -> str | None:
    """Describe the problem of the first unusable window, beginning with its field; None if all can be used.

    Wrong are a schedule that cron does not know, one that never comes within 50 years, and an unknown time zone.
    """
    for index, window in enumerate(windows):
        wrong_zone, wrong_schedule = _zone_problem(window.time_zone), _schedule_problem(window.schedule)
        if wrong_schedule:
            return f"windows[{index}].schedule: {wrong_schedule}"
        if wrong_zone:
            return f"windows[{index}].timeZone: {wrong_zone}"
    return None


def is_open(windows: Sequence[Window], now: datetime) -> bool:
    """Whether one of the windows is open; without windows, always. A window lasts its duration in elapsed minutes.

    ValueError if `now` is not aware, or if the windows have a problem (see `problem`).
    """
    now = _utc(now)
    _check(windows)
    return not windows or any(_is_open(window, now) for window in windows)


def next_opening(windows: Sequence[Window], after: datetime) -> datetime | None:
    """Return the first moment after `after` at which a window opens, in UTC, whether or not another one is open then.

    None without windows, or if none opens within 50 years. ValueError if `after` is not aware, or if the windows have a
    problem (see `problem`).
    """
    after = _utc(after)
    _check(windows)
    return min((moment for window in windows if (moment := _next(window, after)) is not None), default=None)


def waits(windows: Sequence[Window], field: str, now: datetime, why: str) -> Explanation | None:
    """Explain why a change waits for its window, or that a window cannot be used. None: one is open, or there are none.

    `field`: where the windows are declared; `why`: what waits.
    """
    wrong = problem(windows)
    if wrong is not None:
        return Explanation(Reason.INVALID_SPEC, f"{field.removesuffix('windows')}{wrong}")
    if is_open(windows, now):
        return None
    opening = next_opening(windows, now)
    when = f"at {rfc3339(opening)}" if opening is not None else "never"
    return Explanation(Reason.OUTSIDE_WINDOW, f"{why} waits for its window, which opens {when}")


def opens_within(windows: Sequence[Window], now: datetime, seconds: float) -> float | None:
    """Return the seconds until a window opens, if that is within so many: nothing else wakes the resource then."""
    opening = next_opening(windows, now)
    within = (opening - now).total_seconds() if opening is not None else None
    return within if within is not None and within < seconds else None


def jitter(uid: str, interval: timedelta) -> timedelta:
    """Return how much earlier than `interval` the resource's rotation is due: always the same for one uid.

    Evenly spread over 0 to a tenth of the interval, at most a day; whole seconds.
    """
    most = min(interval / 10, MOST_JITTER)
    share = int.from_bytes(hashlib.sha256(uid.encode()).digest()[:8], "big")
    return timedelta(seconds=share * (int(most.total_seconds()) + 1) >> 64)


def _check(windows: Sequence[Window]) -> None:
    wrong = problem(windows)
    if wrong:
        raise ValueError(wrong)


def _is_open(window: Window, now: datetime) -> bool:
    zone, lasting = ZoneInfo(window.time_zone), timedelta(minutes=window.duration_minutes)
    low, high = _offsets(zone, now - lasting, now)
    # A wall-clock time w is a moment between w - high and w - low.
    for wall in _walls_before(window, now + high):
        if wall <= _naive(now - lasting + low):
            return False
        if any(opened <= now < opened + lasting for opened in _moments(window, wall, zone)):
            return True
    return False


def _next(window: Window, after: datetime) -> datetime | None:
    zone = ZoneInfo(window.time_zone)
    low, _ = _offsets(zone, after, after)
    best: datetime | None = None
    bound: datetime | None = None  # no later wall-clock time can be an earlier moment than `best`
    for wall in CronSim(window.schedule, _naive(after + low)):
        if bound is not None and wall >= bound:
            break
        for moment in _moments(window, wall, zone):
            if moment > after and (best is None or moment < best):
                best = moment
                bound = _naive(best + _offsets(zone, best, best)[1])
    return best


def _walls_before(window: Window, end: datetime) -> Iterator[datetime]:
    """Wall-clock times of the schedule, from `end` (included) backwards."""
    return iter(CronSim(window.schedule, _naive(end).replace(second=0, microsecond=0) + _MINUTE, reverse=True))


def _moments(window: Window, wall: datetime, zone: ZoneInfo) -> tuple[datetime, ...]:
    """Return the moments (UTC) at which a window opens that its schedule opens at the wall-clock time `wall`."""
    minute, hour, *_ = window.schedule.split()
    follows_the_clock = minute.startswith("*") or hour.startswith("*")
    first = wall.replace(tzinfo=zone, fold=0).astimezone(UTC)
    second = wall.replace(tzinfo=zone, fold=1).astimezone(UTC)
    if first <= second:  # once, or twice in a repeated hour
        return (first, second) if follows_the_clock else (first,)
    if follows_the_clock:
        return ()
    # Skipped (PEP 495: then fold=0 is the later moment): the change of the clock lies between the two.
    after = first.astimezone(zone).utcoffset()
    minutes = range(int((first - second) / _MINUTE))
    change = bisect_left(
        minutes, True, key=lambda minute: (second + minute * _MINUTE).astimezone(zone).utcoffset() == after
    )
    return (second + change * _MINUTE,)


def _offsets(zone: ZoneInfo, start: datetime, end: datetime) -> tuple[timedelta, timedelta]:
    """Return the least and the greatest offset from UTC between a day before `start` and a day after `end`.

    Computed once a day: no zone changes its clock twice within one.
    """
    days = -((start - end) // _DAY)  # rounded up
    moments = [start + day * _DAY for day in range(-1, days + 1)] + [end, end + _DAY]
    offsets = [offset for moment in moments if (offset := moment.astimezone(zone).utcoffset()) is not None]
    return min(offsets), max(offsets)


def _utc(moment: datetime) -> datetime:
    if moment.tzinfo is None:
        raise ValueError("the time has no time zone")
    return moment.astimezone(UTC)


def _naive(moment: datetime) -> datetime:
    """Its figures alone: UTC plus an offset is a wall-clock time."""
    return moment.replace(tzinfo=None)


@lru_cache(maxsize=4096)
def _schedule_problem(schedule: str) -> str | None:
    fields = schedule.split()
    if len(fields) != len(_FIELDS):
        return f"{schedule!r} must have five fields ({', '.join(_FIELDS)}), such as '0 2 * * SUN'"
    for index, (name, field) in enumerate(zip(_FIELDS, fields, strict=True)):
        if not _parses(" ".join([*("*" * index), field, *("*" * (len(fields) - index - 1))])):
            return f"{schedule!r} is no cron schedule: {field!r} is no {name}"
    comes = _parses(schedule) and next(CronSim(schedule, _SOME_DAY), None) is not None
    return None if comes else f"{schedule!r} never comes: no such date exists"


def _parses(schedule: str) -> bool:
    try:
        CronSim(schedule, _SOME_DAY)
    except CronSimError:
        return False
    return True


@lru_cache(maxsize=1)
def _zone_names() -> frozenset[str]:
    """Return the IANA database's names. The machine's own may have `localtime`, or `right/` with leap seconds."""
    return frozenset((resources.files("tzdata") / "zones").read_text(encoding="ascii").split())


@lru_cache(maxsize=1024)
def _zone_problem(name: str) -> str | None:
    if name in _zone_names():
        return None
    near = get_close_matches(name, sorted(_zone_names()), n=1)
    return f"{name!r} is no time zone of the IANA database; " + (
        f"did you mean {near[0]!r}?" if near else "write it as 'Europe/Berlin' or 'UTC'"
    )
