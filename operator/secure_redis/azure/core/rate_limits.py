"""Rate limits per vault and subscription, and the pauses that they require."""

import asyncio
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from secure_redis.api.reasons.reason import Reason
from secure_redis.azure.core.failures import Refused, Transient

_LONGEST_PAUSE = 3600.0
_LONGEST_DATE = 64
# Not isdigit(), which takes "²". The longest are cut off only by float: 308 digits and more are infinite.
_NUMBER = re.compile(r"[0-9]{1,300}(?:\.[0-9]{1,9})?", re.ASCII)


@dataclass(frozen=True, slots=True)
class Rate:
    """A token bucket: `burst` requests at the same time, then `per_second`.

    Longest wait for a turn: `patience` seconds.
    """

    burst: float
    per_second: float
    patience: float = 20.0


# Key Vault: 4,000 transactions per vault and 10 s (Microsoft, "Azure Key Vault service limits"); half of it is used.
VAULT_RATE = Rate(burst=1000, per_second=200)
# Resource Manager refills a bucket per principal and subscription; recorded answers show `remaining` counts of 16,499
# reads and 11,999 writes. This bucket only smooths a cold start: Retry-After decides.
SUBSCRIPTION_RATE = Rate(burst=1000, per_second=100)
# Entra's limits are not published as numbers.
ENTRA_RATE = Rate(burst=200, per_second=50)


class _Bucket:
    def __init__(self, rate: Rate, now: float) -> None:
        self.rate = rate
        self.level = rate.burst
        self.at = now
        self.paused_until = 0.0
        self.used_at = now

    def reserve(self, now: float) -> float:
        """Take one turn, and return the seconds until it comes. A negative level counts promised turns."""
        self.level = min(self.rate.burst, self.level + (now - self.at) * self.rate.per_second)
        self.at = now
        if self.level - 1 < -self.rate.patience * self.rate.per_second:
            raise _TooMany
        self.level -= 1
        return max(0.0, -self.level / self.rate.per_second)


class _TooMany(Exception):
    pass


class RateLimits:
    """One bucket per name (a subscription, a vault, an Entra tenant). Not shared between processes: one leads."""

    def __init__(self, clock: Callable[[], float], *, keep_seconds: float = 3600.0) -> None:
        """`clock`: monotonic seconds."""
        self._clock = clock
        self._keep = keep_seconds
        self._buckets: dict[str, _Bucket] = {}
        self._swept_at = clock()

    async def turn(self, name: str, rate: Rate) -> None:
        """Wait for a turn, at most `rate.patience` seconds.

        Raises:
            Refused: with a Transient that names the seconds left, while the service requires a pause, or
                where the wait would be too long. Never sleeps through a pause.

        """
        now = self._clock()
        self._sweep(now)
        bucket = self._buckets.get(name)
        if bucket is None:
            bucket = self._buckets[name] = _Bucket(rate, now)
        bucket.used_at = now
        self._refuse_paused(bucket, name, now)
        try:
            wait = bucket.reserve(now)
        except _TooMany:
            raise Refused(
                Transient(Reason.AZURE_THROTTLED, f"too many requests to {name} at the same time", rate.patience)
            ) from None
        if wait > 0:
            await asyncio.sleep(wait)
            self._refuse_paused(bucket, name, self._clock())

    def pause(self, name: str, seconds: float) -> None:
        """Pause for the `seconds` that the service requires, as `retry_after` bounds them."""
        now = self._clock()
        bucket = self._buckets.get(name)
        if bucket is not None:
            bucket.paused_until = max(bucket.paused_until, now + seconds)

    def remaining(self, name: str) -> float:
        """Return the seconds for which `name` is still paused; 0 if it is not."""
        bucket = self._buckets.get(name)
        return max(0.0, bucket.paused_until - self._clock()) if bucket else 0.0

    def _refuse_paused(self, bucket: _Bucket, name: str, now: float) -> None:
        if bucket.paused_until > now:
            # The seconds go into `retry_after` only: a number in the text would change the status every time.
            raise Refused(
                Transient(
                    Reason.AZURE_THROTTLED,
                    f"{name} requires a pause before the next request",
                    bucket.paused_until - now,
                )
            )

    def _sweep(self, now: float) -> None:
        if now - self._swept_at < 60:
            return
        self._swept_at = now
        for name in [n for n, b in self._buckets.items() if now - max(b.used_at, b.paused_until) > self._keep]:
            del self._buckets[name]


def retry_after(headers: Mapping[str, str], now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> float | None:
    """Read the seconds of an answer's pause: `Retry-After` in seconds or as a date (RFC 9110 section 10.2.3), or
    Azure's `retry-after-ms` and `x-ms-retry-after-ms`. None where there is no usable value. Never raises.
    """
    lower = {name.lower(): value.strip() for name, value in headers.items()}
    for name in ("retry-after-ms", "x-ms-retry-after-ms"):
        if _NUMBER.fullmatch(lower.get(name, "")):
            return min(float(lower[name]) / 1000, _LONGEST_PAUSE)
    text = lower.get("retry-after", "")
    if _NUMBER.fullmatch(text):
        return min(float(text), _LONGEST_PAUSE)
    when = _date(text)
    return None if when is None else min(max(0.0, (when - now()).total_seconds()), _LONGEST_PAUSE)


def _date(text: str) -> datetime | None:
    if not 0 < len(text) <= _LONGEST_DATE:
        return None
    try:
        when = parsedate_to_datetime(text)
    except Exception:  # ValueError is documented; a year of 20 digits is an OverflowError, other texts are others
        return None
    return when.replace(tzinfo=UTC) if when.tzinfo is None else when
