"""Maintenance windows, against a clock that is read minute by minute, and against fixed times where a clock changes."""

import zoneinfo
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from secure_redis.api.spec.spec import Window
from secure_redis.domain.plan import windows

MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
RANGES = (range(60), range(24), range(1, 32), range(1, 13), range(7))

# A day or two before a clock changes: by an hour, by half an hour, at midnight, by a whole day, and never.
CHANGES = {
    "UTC": ["2026-03-28"],
    "Europe/Berlin": ["2026-03-28", "2026-10-24"],
    "America/New_York": ["2026-03-07", "2026-10-31"],
    "Australia/Lord_Howe": ["2026-04-04", "2026-10-03"],
    "America/Santiago": ["2026-04-03", "2026-09-05"],
    "Pacific/Apia": ["2011-12-29"],
    "Asia/Kathmandu": ["2026-05-01"],
}


@dataclass(frozen=True)
class Schedule:
    """Five fields as text, and the figures that each means: made together, so that the parser is not its own judge."""

    fields: tuple[str, ...]
    figures: tuple[frozenset[int], ...]

    @property
    def text(self) -> str:
        return " ".join(self.fields)

    @property
    def follows_the_clock(self) -> bool:
        return self.fields[0][0] == "*" or self.fields[1][0] == "*"

    def shown(self, wall: datetime) -> bool:
        minutes, hours, days, months, weekdays = self.figures
        day, weekday = wall.day in days, wall.isoweekday() % 7 in weekdays
        either = self.fields[2][0] != "*" and self.fields[4][0] != "*"
        return (
            wall.minute in minutes
            and wall.hour in hours
            and wall.month in months
            and (day or weekday if either else day and weekday)
        )


def field(figures: range, most: int = 4) -> st.SearchStrategy[tuple[str, frozenset[int]]]:
    every = st.just(("*", frozenset(figures)))
    steps = st.integers(2, 9).map(lambda step: (f"*/{step}", frozenset(figures[::step])))
    lists = st.sets(st.sampled_from(figures), min_size=1, max_size=most).map(
        lambda some: (",".join(map(str, sorted(some))), frozenset(some))
    )
    spans = st.tuples(st.sampled_from(figures), st.sampled_from(figures)).map(
        lambda ends: (f"{min(ends)}-{max(ends)}", frozenset(range(min(ends), max(ends) + 1)))
    )
    return every | steps | lists | spans


@st.composite
def schedules(draw: st.DrawFn) -> Schedule:
    early = st.sets(st.integers(0, 4), min_size=1).map(lambda some: (",".join(map(str, sorted(some))), frozenset(some)))
    parts = [draw(field(RANGES[0])), draw(early | field(RANGES[1]))]
    parts += [draw(st.just(("*", frozenset(figures))) | field(figures, 9)) for figures in RANGES[2:]]
    return Schedule(tuple(text for text, _ in parts), tuple(figures for _, figures in parts))


@st.composite
def moments(draw: st.DrawFn) -> tuple[str, datetime]:
    zone = draw(st.sampled_from(sorted(CHANGES)))
    start = datetime.fromisoformat(draw(st.sampled_from(CHANGES[zone]))).replace(tzinfo=UTC)
    seconds = draw(st.sampled_from([0, 0, 1, 59]))
    return zone, start + draw(st.integers(0, 4 * 1440)) * MINUTE + timedelta(seconds=seconds)


def opens(schedule: Schedule, zone: ZoneInfo, moment: datetime) -> bool:
    """Whether the window opens by the clock, read in this minute and in the one before."""
    before, now = (one.astimezone(zone).replace(tzinfo=None) for one in (moment - MINUTE, moment))
    if schedule.follows_the_clock:
        return schedule.shown(now)
    skipped = int((now - before) / MINUTE) - 1
    if any(schedule.shown(before + step * MINUTE) for step in range(1, skipped + 1)):
        return True
    return schedule.shown(now) and moment.astimezone(zone).fold == 0


def openings(schedule: Schedule, zone: str, start: datetime, end: datetime) -> list[datetime]:
    """Every opening from `start` to `end`, both included, minute by minute."""
    first = start.replace(second=0, microsecond=0)
    minutes = (first + step * MINUTE for step in range(int((end - first) / MINUTE) + 1))
    return [minute for minute in minutes if start <= minute and opens(schedule, ZoneInfo(zone), minute)]


def window(schedule: str, minutes: int = 60, zone: str = "UTC") -> Window:
    return Window(schedule=schedule, duration_minutes=minutes, time_zone=zone)


def at(text: str) -> datetime:
    return datetime.fromisoformat(text)


@settings(max_examples=150, deadline=None)
@given(schedules(), moments(), st.integers(15, 3000))
def test_a_window_is_open_at_its_clock_times(schedule: Schedule, moment: tuple[str, datetime], lasting: int) -> None:
    zone, now = moment
    assume(windows.problem([window(schedule.text, zone=zone)]) is None)
    told = windows.is_open([window(schedule.text, lasting, zone)], now)
    began = openings(schedule, zone, now - lasting * MINUTE, now)
    assert told == any(opened <= now < opened + lasting * MINUTE for opened in began)


@settings(max_examples=150, deadline=None)
@given(schedules(), moments())
def test_the_next_opening_follows_the_clock(schedule: Schedule, moment: tuple[str, datetime]) -> None:
    zone, after = moment
    assume(windows.problem([window(schedule.text, zone=zone)]) is None)
    told = windows.next_opening([window(schedule.text, zone=zone)], after)
    horizon = after + timedelta(days=3)
    to_come = [opened for opened in openings(schedule, zone, after, horizon) if opened > after]
    assert told is not None
    assert told.tzinfo is UTC
    assert (told if told <= horizon else None) == (to_come[0] if to_come else None)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(schedules(), st.integers(15, 600)), min_size=1, max_size=4), moments())
def test_several_windows_are_open_together_and_the_first_to_open_counts(
    some: list[tuple[Schedule, int]], moment: tuple[str, datetime]
) -> None:
    zone, now = moment
    each = [window(schedule.text, lasting, zone) for schedule, lasting in some]
    assume(windows.problem(each) is None)
    assert windows.is_open(each, now) == any(windows.is_open([one], now) for one in each)
    alone = [opening for one in each if (opening := windows.next_opening([one], now)) is not None]
    assert windows.next_opening(each, now) == min(alone)


@settings(max_examples=60, deadline=None)
@given(schedules(), moments(), st.integers(15, 600))
def test_a_window_is_open_at_its_opening_and_for_all_its_minutes(
    schedule: Schedule, moment: tuple[str, datetime], lasting: int
) -> None:
    zone, after = moment
    one = [window(schedule.text, lasting, zone)]
    assume(windows.problem(one) is None)
    opening = windows.next_opening(one, after)
    assert opening is not None
    assert windows.is_open(one, opening)
    assert windows.is_open(one, opening + lasting * MINUTE - timedelta(seconds=1))


BERLIN = "Europe/Berlin"


def test_no_window_is_always_open_and_never_opens() -> None:
    assert windows.is_open([], at("2026-11-24T14:00Z"))
    assert windows.next_opening([], at("2026-11-24T14:00Z")) is None
    assert windows.problem([]) is None


def test_the_hour_is_that_of_the_zone() -> None:
    one = [window("0 2 * * SUN", 120, BERLIN)]
    assert windows.next_opening(one, at("2026-07-01T00:00Z")) == at("2026-07-05T00:00Z")
    assert windows.next_opening(one, at("2026-12-01T00:00Z")) == at("2026-12-06T01:00Z")


def test_a_window_ends_to_the_second() -> None:
    one = [window("0 2 * * *", 120)]
    assert not windows.is_open(one, at("2026-11-24T01:59:59.999999Z"))
    assert windows.is_open(one, at("2026-11-24T02:00Z"))
    assert windows.is_open(one, at("2026-11-24T03:59:59.999999Z"))
    assert not windows.is_open(one, at("2026-11-24T04:00Z"))


def test_a_window_goes_on_over_midnight_into_a_day_it_does_not_name() -> None:
    one = [window("30 23 31 12 *", 180, BERLIN)]
    assert windows.is_open(one, at("2027-01-01T02:29+01:00"))
    assert not windows.is_open(one, at("2027-01-01T02:30+01:00"))


def test_a_window_of_a_week_is_open_all_the_week() -> None:
    one = [window("0 0 1 * *", 7 * 1440)]
    assert windows.is_open(one, at("2026-11-07T23:59Z"))
    assert not windows.is_open(one, at("2026-11-08T00:00Z"))


def test_a_time_that_the_day_does_not_have_opens_at_the_end_of_the_gap() -> None:
    one = [window("30 2 * * *", 60, BERLIN)]  # 2026-03-29: 02:00 becomes 03:00
    assert windows.next_opening(one, at("2026-03-29T01:00+01:00")) == at("2026-03-29T03:00+02:00")
    assert windows.is_open(one, at("2026-03-29T03:59+02:00"))
    assert not windows.is_open(one, at("2026-03-29T04:00+02:00"))


def test_a_time_that_the_day_has_twice_opens_once() -> None:
    one = [window("30 2 * * *", 15, BERLIN)]  # 2026-10-25: 03:00 becomes 02:00
    assert windows.next_opening(one, at("2026-10-25T02:00+02:00")) == at("2026-10-25T02:30+02:00")
    assert windows.next_opening(one, at("2026-10-25T02:30+02:00")) == at("2026-10-26T02:30+01:00")
    assert windows.next_opening(one, at("2026-10-25T02:10+01:00")) == at("2026-10-26T02:30+01:00")
    assert not windows.is_open(one, at("2026-10-25T02:35+01:00"))


def test_a_window_every_hour_opens_in_both_hours_of_the_same_name() -> None:
    one = [window("0 * * * *", 15, BERLIN)]
    assert windows.next_opening(one, at("2026-10-25T02:00+02:00")) == at("2026-10-25T02:00+01:00")
    assert windows.is_open(one, at("2026-10-25T02:10+02:00"))
    assert windows.is_open(one, at("2026-10-25T02:10+01:00"))


def test_the_first_of_a_repeated_hour_comes_before_the_second() -> None:
    one = [window("0,50 * * * *", 15, BERLIN), window("*/50 * * * *", 15, BERLIN)]
    for each in one:
        assert windows.next_opening([each], at("2026-10-25T02:45+02:00")) == at("2026-10-25T02:50+02:00")


def test_a_window_every_minute_of_an_hour_that_the_day_does_not_have_does_not_open() -> None:
    one = [window("*/50 2 * * *", 15, BERLIN)]
    assert windows.next_opening(one, at("2026-03-29T00:00+01:00")) == at("2026-03-30T02:00+02:00")
    assert not windows.is_open(one, at("2026-03-29T03:55+02:00"))


def test_a_duration_is_elapsed_time_where_the_clock_changes() -> None:
    one = [window("0 1 * * *", 180, BERLIN)]
    assert windows.is_open(one, at("2026-03-29T04:59+02:00"))
    assert not windows.is_open(one, at("2026-03-29T05:00+02:00"))
    assert windows.is_open(one, at("2026-10-25T02:59+01:00"))
    assert not windows.is_open(one, at("2026-10-25T03:00+01:00"))


def test_half_an_hour_is_not_lost_where_clocks_change_by_half_an_hour() -> None:
    one = [window("* 5 * * *", 15, "Australia/Lord_Howe")]  # 2027-04-04: 02:00 becomes 01:30
    assert windows.next_opening(one, at("2027-04-03T13:00Z")) == at("2027-04-04T05:00+10:30")


def test_a_rare_occurrence_is_found() -> None:
    assert windows.next_opening([window("0 0 29 2 *")], at("2026-11-24T14:00Z")) == at("2028-02-29T00:00Z")
    assert windows.next_opening([window("0 0 * 2 MON#5")], at("2026-11-24T14:00Z")) == at("2044-02-29T00:00Z")


@pytest.mark.parametrize(
    "schedule", ["0 2 * * SUN", "*/15 0-5 1,15 JAN-MAR *", "0 3 * * SUN#1", "0 3 L * *", "0 3 * * 7"]
)
def test_schedules_that_can_be_used(schedule: str) -> None:
    assert windows.problem([window(schedule)]) is None


@pytest.mark.parametrize(
    ("schedule", "said"),
    [
        ("60 * * * *", "'60' is no minute"),
        ("0 24 * * *", "'24' is no hour"),
        ("0 0 32 * *", "'32' is no day of the month"),
        ("0 0 1 13 *", "'13' is no month"),
        ("0 0 * * 8", "'8' is no day of the week"),
        ("0 0 * * SUNDAY", "'SUNDAY' is no day of the week"),
        ("5-1 * * * *", "'5-1' is no minute"),
        ("*/0 * * * *", "'*/0' is no minute"),
        ("0 2 * *", "must have five fields (minute, hour, day of the month, month, day of the week)"),
        ("0 0 2 * * *", "must have five fields"),
        ("@daily", "must have five fields"),
        ("", "must have five fields"),
        ("0 0 30 2 *", "'0 0 30 2 *' never comes"),
        ("0 0 31 4,6 *", "never comes"),
        ("0 0 */31 * MON#5", "never comes"),
    ],
)
def test_an_unusable_schedule_is_reported_with_its_field(schedule: str, said: str) -> None:
    told = windows.problem([window("0 2 * * *"), window(schedule)])
    assert told is not None
    assert told.startswith("windows[1].schedule: ")
    assert said in told


@pytest.mark.parametrize(
    "zone", ["Europe/Berln", "localtime", "right/UTC", "../../etc/localtime", "America", "", "europe/berlin"]
)
def test_a_zone_outside_the_iana_database_is_reported_with_its_field(zone: str) -> None:
    told = windows.problem([window("0 2 * * *", zone=zone)])
    assert told is not None
    assert told.startswith(f"windows[0].timeZone: {zone!r} is no time zone of the IANA database; ")


def test_the_intended_zone_is_suggested() -> None:
    assert "did you mean 'Europe/Berlin'?" in str(windows.problem([window("0 2 * * *", zone="Europe/Berln")]))


ODD = st.text(st.sampled_from("0123456789*/,-#LWSUN@²٣ \t"), max_size=20)
PARTS = st.sampled_from(["*", "0", "2", "*/2", "1-5", "1,3", "L", "5#1", "SUN", "31"]) | ODD


@settings(max_examples=500, deadline=None)
@given(ODD | st.text(max_size=20) | st.tuples(PARTS, PARTS, PARTS, PARTS, PARTS).map(" ".join))
@example("0 2 * * *")
def test_no_text_breaks_the_check_and_what_it_lets_pass_can_be_used(text: str) -> None:
    one = [window(text, zone=BERLIN)]
    if windows.problem(one) is None:
        windows.is_open(one, at("2026-11-24T14:00Z"))
        assert windows.next_opening(one, at("2026-11-24T14:00Z")) is not None


def test_time_zones_are_there_without_those_of_the_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """A slim image may have none: then the package tzdata gives them."""
    try:
        zoneinfo.reset_tzpath(to=())
        assert [name for name in sorted(windows._zone_names()) if zoneinfo.ZoneInfo.no_cache(name).key != name] == []
    finally:
        zoneinfo.reset_tzpath()


def test_windows_with_a_problem_are_an_error_that_describes_it() -> None:
    for look in (windows.is_open, windows.next_opening):
        for wrong in (window("0 0 30 2 *"), window("0 2 * * *", zone="Mars/Olympus")):
            with pytest.raises(ValueError, match=r"windows.0.*(never comes|no time zone)"):
                look([wrong], at("2026-11-24T14:00Z"))


def test_a_time_without_zone_is_an_error() -> None:
    for look in (windows.is_open, windows.next_opening):
        with pytest.raises(ValueError, match="no time zone"):
            look([window("0 2 * * *")], datetime(2026, 11, 24))  # noqa: DTZ001


@given(st.text(), st.integers(1, 3650))
def test_jitter_is_the_same_each_time_and_within_bounds(uid: str, days: int) -> None:
    interval = timedelta(days=days)
    told = windows.jitter(uid, interval)
    assert timedelta(0) <= told <= min(interval / 10, timedelta(days=1))
    assert told == windows.jitter(uid, interval)


def test_jitter_is_evenly_spread() -> None:
    day = timedelta(days=1)
    told = [windows.jitter(f"00000000-0000-0000-0000-{number:012}", 90 * day) for number in range(2400)]
    per_hour = [sum(hour * HOUR <= one < (hour + 1) * HOUR for one in told) for hour in range(24)]
    assert sum(per_hour) == len(told)
    assert min(per_hour) > 60
    assert max(per_hour) < 140
