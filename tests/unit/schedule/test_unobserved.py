"""No good result outlives its evidence: what no pass finds out is reported. In virtual time (looptime)."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from secure_redis.api.resource import Key
from secure_redis.reconciler.next_pass import NextPass
from secure_redis.schedule.backoff import Backoff
from secure_redis.schedule.schedule import Schedule, Trigger
from tests.unit.schedule.support import ORDERS, STEADY, Passes, body, running

pytestmark = pytest.mark.looptime

GOOD = NextPass(300.0, good_for=900.0)


class Reports:
    """Records what is reported, and when. `failure`: what a report raises, if anything."""

    def __init__(self) -> None:
        self.failed: list[tuple[Key, str]] = []
        self.expired: list[tuple[float, Key, str]] = []
        self.failure: Exception | None = None

    async def report_failed(self, key: Key, given: Any, error: str) -> None:
        self.failed.append((key, error))
        if self.failure is not None:
            raise self.failure

    async def report_expired(self, key: Key, given: Any) -> None:
        self.expired.append((asyncio.get_running_loop().time(), key, given["metadata"]["resourceVersion"]))
        if self.failure is not None:
            raise self.failure


def answers(*results: NextPass | Exception) -> Callable[[Key], Any]:
    """Answer passes in turn; the last one for ever."""
    left = list(results)

    async def answer(_: Key) -> NextPass:
        result = left.pop(0) if len(left) > 1 else left[0]
        if isinstance(result, Exception):
            raise result
        return result

    return answer


async def test_the_second_failure_in_a_row_is_reported_and_the_first_is_not() -> None:
    reports, passes = (
        Reports(),
        Passes(answers(ZeroDivisionError("a value"), GOOD, OverflowError(), OverflowError(), GOOD)),
    )
    schedule = Schedule(passes, backoff=STEADY, reports=reports)
    async with running(schedule):
        schedule.wake(ORDERS, body(), Trigger.EDIT)
        await asyncio.sleep(290)
        assert reports.failed == []
        await asyncio.sleep(600)
        assert reports.failed == [(ORDERS, "OverflowError")]


async def test_each_further_failure_is_reported_while_it_lasts() -> None:
    """The status differs only if the error does, so nothing is written again."""
    reports = Reports()
    schedule = Schedule(Passes(answers(KeyError())), backoff=STEADY, reports=reports)
    async with running(schedule):
        schedule.wake(ORDERS, body(), Trigger.EDIT)
        await asyncio.sleep(40)
        assert len(reports.failed) >= 2


async def test_a_report_that_fails_ends_no_pass() -> None:
    reports, passes = Reports(), Passes(answers(KeyError(), KeyError(), GOOD))
    reports.failure = RuntimeError("no API server")
    schedule = Schedule(passes, backoff=STEADY, reports=reports)
    async with running(schedule):
        schedule.wake(ORDERS, body(), Trigger.EDIT)
        await asyncio.sleep(100)
        assert len(passes.observed) == 3


async def test_at_rest_nothing_is_reported() -> None:
    reports = Reports()
    schedule = Schedule(Passes(GOOD), backoff=STEADY, reports=reports)
    async with running(schedule):
        schedule.wake(ORDERS, body(), Trigger.EDIT)
        await asyncio.sleep(10_000)
    assert (reports.failed, reports.expired) == ([], [])


async def test_a_pass_that_hangs_is_reported_when_its_last_result_is_too_old() -> None:
    stuck = asyncio.Event()
    results = [GOOD]

    async def answer(_: Key) -> NextPass:
        if results:
            return results.pop()
        await stuck.wait()
        return GOOD

    reports = Reports()
    schedule = Schedule(Passes(answer), backoff=STEADY, reports=reports)
    async with running(schedule):
        began = asyncio.get_running_loop().time()
        schedule.wake(ORDERS, body(), Trigger.EDIT)
        await asyncio.sleep(400)
        schedule.written(ORDERS, body(version=2))
        await asyncio.sleep(2000)
        assert [(key, version) for _, key, version in reports.expired] == [(ORDERS, "2")], "once, and of the newest"
        assert 900 <= reports.expired[0][0] - began <= 931
        stuck.set()
        await asyncio.sleep(400)  # what the late pass observed is old too; the next pass comes 300 s after it
        reports.expired.clear()
        await asyncio.sleep(3000)
    assert reports.expired == []


async def test_a_resource_that_gets_no_place_is_reported() -> None:
    async def answer(key: Key) -> NextPass:
        await asyncio.Event().wait()
        return GOOD

    reports = Reports()
    schedule = Schedule(Passes(answer), backoff=Backoff(parallel=2, jitter=0.0, spread=1e9), reports=reports)
    keys = [Key(f"n{number}", "r") for number in range(3)]
    running_ = asyncio.create_task(schedule.run())
    for key in keys:
        schedule.wake(key, body(key), Trigger.EDIT)
    await asyncio.sleep(1000)
    assert schedule.depth == 1
    assert {key for _, key, _ in reports.expired} == set(keys)
    running_.cancel()
    await asyncio.gather(running_, return_exceptions=True)


async def test_passes_that_observe_nothing_renew_nothing() -> None:
    """As after a conflict with another party's write, or where the API server refuses the status."""
    reports = Reports()
    passes = Passes(answers(GOOD, NextPass(60.0, failed=True)))
    schedule = Schedule(passes, backoff=STEADY, reports=reports)
    async with running(schedule):
        schedule.wake(ORDERS, body(), Trigger.EDIT)
        await asyncio.sleep(2000)
    assert len(passes.observed) > 5
    assert len(reports.expired) == 1


async def test_a_report_that_fails_is_repeated_until_it_is_made() -> None:
    reports = Reports()
    reports.failure = RuntimeError("no API server")
    schedule = Schedule(Passes(answers(GOOD, NextPass(1e6))), backoff=STEADY, reports=reports)
    async with running(schedule):
        schedule.wake(ORDERS, body(), Trigger.EDIT)
        await asyncio.sleep(1000)
        tries = len(reports.expired)
        assert tries >= 2
        reports.failure = None
        await asyncio.sleep(1000)
        assert len(reports.expired) == tries + 1


async def test_a_resource_that_is_gone_is_not_reported() -> None:
    reports = Reports()
    schedule = Schedule(Passes(answers(GOOD, NextPass(1e6))), backoff=STEADY, reports=reports)
    async with running(schedule):
        schedule.wake(ORDERS, body(), Trigger.EDIT)
        await asyncio.sleep(10)
        schedule.forget(ORDERS)
        await asyncio.sleep(2000)
    assert reports.expired == []


async def test_a_report_after_lost_leadership_ends_the_run() -> None:
    class Lost(Exception):
        pass

    reports = Reports()
    reports.failure = Lost()
    schedule = Schedule(Passes(answers(GOOD, NextPass(1e6))), backoff=STEADY, reports=reports, fatal=(Lost,))
    task = asyncio.create_task(schedule.run())
    schedule.wake(ORDERS, body(), Trigger.EDIT)
    with pytest.raises(Lost):
        await task
