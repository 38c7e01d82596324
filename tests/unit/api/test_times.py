"""How a time is written: always in UTC, and in one place."""

import re
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

from secure_redis.api.times import rfc3339

OPERATOR = Path(__file__).parents[3] / "operator" / "secure_redis"


def test_a_time_of_another_zone_is_written_in_utc() -> None:
    there = datetime(2026, 7, 1, 1, 30, 59, 999_999, tzinfo=timezone(timedelta(hours=2)))
    assert rfc3339(there) == "2026-06-30T23:30:59Z"
    assert rfc3339(datetime(2026, 7, 1, tzinfo=UTC)) == "2026-07-01T00:00:00Z"


def test_nothing_else_writes_whole_seconds() -> None:
    found = [str(path) for path in sorted(OPERATOR.rglob("*.py")) if re.search(r"%S\"?Z", path.read_text())]
    assert found == [str(OPERATOR / "api" / "times.py")]
