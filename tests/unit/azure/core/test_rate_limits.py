from datetime import UTC, datetime

import pytest

from secure_redis.api.reasons.reason import Reason
from secure_redis.azure.core.failures import Refused, Transient
from secure_redis.azure.core.rate_limits import Rate, RateLimits, retry_after


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


RATE = Rate(burst=3, per_second=1000, patience=0.002)


async def test_a_burst_is_allowed_and_further_requests_are_refused_with_a_time() -> None:
    clock = Clock()
    budgets = RateLimits(clock)
    for _ in range(5):  # three immediately, two within the patience
        await budgets.turn("vault", RATE)
    with pytest.raises(Refused) as refused:
        await budgets.turn("vault", RATE)
    assert isinstance(refused.value.failure, Transient)
    assert refused.value.failure.reason is Reason.AZURE_THROTTLED
    assert refused.value.failure.retry_after == RATE.patience
    clock.now += 1
    await budgets.turn("vault", RATE)


async def test_another_name_has_its_own_budget() -> None:
    budgets = RateLimits(Clock())
    for _ in range(5):
        await budgets.turn("a", RATE)
    await budgets.turn("b", RATE)


async def test_a_pause_fails_fast_with_the_seconds_left_and_one_text() -> None:
    clock = Clock()
    budgets = RateLimits(clock)
    await budgets.turn("a", RATE)
    budgets.pause("a", 30)
    failures = []
    for _ in range(2):
        with pytest.raises(Refused) as refused:
            await budgets.turn("a", RATE)
        assert isinstance(refused.value.failure, Transient)
        failures.append(refused.value.failure)
        clock.now += 10
    assert [failure.retry_after for failure in failures] == [30, 20]
    assert failures[0].message == failures[1].message
    assert budgets.remaining("a") == 10
    clock.now += 10
    await budgets.turn("a", RATE)


async def test_a_shorter_pause_does_not_end_a_longer_one() -> None:
    clock = Clock()
    budgets = RateLimits(clock)
    await budgets.turn("a", RATE)
    budgets.pause("a", 30)
    budgets.pause("a", 5)
    assert budgets.remaining("a") == 30


async def test_unused_buckets_are_dropped() -> None:
    clock = Clock()
    budgets = RateLimits(clock, keep_seconds=100)
    await budgets.turn("a", RATE)
    budgets.pause("a", 3600)
    await budgets.turn("b", RATE)
    clock.now += 200
    await budgets.turn("c", RATE)
    assert budgets.remaining("a") > 0  # a pause outlives the time without use
    assert set(budgets._buckets) == {"a", "c"}


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"Retry-After": "17"}, 17),
        ({"retry-after": " 17 "}, 17),
        ({"x-ms-retry-after-ms": "1500"}, 1.5),
        ({"retry-after-ms": "10", "Retry-After": "99"}, 0.01),
        ({"Retry-After": "Tue, 24 Nov 2026 10:00:30 GMT"}, 30),
        ({"Retry-After": "Tue, 24 Nov 2026 09:00:00 GMT"}, 0),
        ({"Retry-After": "999999999"}, 3600),
        ({"x-ms-retry-after-ms": "999999999999"}, 3600),
        ({"Retry-After": "Tue, 24 Nov 2099 10:00:30 GMT"}, 3600),
        ({"Retry-After": "9" * 400}, None),
        ({"Retry-After": "²"}, None),
        ({"Retry-After": f"Tue, 24 Nov 2026 10:00:30 GMT ({'x' * 100})"}, None),
        ({"Retry-After": "Tue, 24 Nov 99999999999999999999 10:00:30 GMT"}, None),
        ({"Retry-After": "-5"}, None),
        ({"Retry-After": "soon"}, None),
        ({"Retry-After": ""}, None),
        ({}, None),
    ],
)
def test_retry_after_in_all_its_forms(headers: dict[str, str], seconds: float | None) -> None:
    assert retry_after(headers, lambda: datetime(2026, 11, 24, 10, tzinfo=UTC)) == seconds
