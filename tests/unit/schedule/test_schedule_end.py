"""How the schedule ends, in virtual time (looptime): nothing here sleeps for real."""

import asyncio

import pytest

from secure_redis.api.resource import Key
from secure_redis.reconciler.next_pass import NextPass
from secure_redis.schedule.schedule import Schedule, Trigger
from tests.unit.schedule.support import ORDERS, STEADY, Passes, body

pytestmark = pytest.mark.looptime


async def _endless(key: Key) -> NextPass:
    await asyncio.Event().wait()
    return NextPass(0.0)


async def test_stop_drains_and_starts_nothing_more() -> None:
    ended: list[Key] = []

    async def slow(key: Key) -> NextPass:
        await asyncio.sleep(5)
        ended.append(key)
        return NextPass(0.0)

    passes = Passes(slow)
    schedule = Schedule(passes, backoff=STEADY)
    task = asyncio.create_task(schedule.run(drain=20))
    schedule.wake(ORDERS, body(), Trigger.EDIT)
    await asyncio.sleep(1)
    schedule.stop()
    await task
    assert ended == [ORDERS]
    assert len(passes.observed) == 1


async def test_a_pass_that_does_not_end_is_cut_off() -> None:
    schedule = Schedule(Passes(_endless), backoff=STEADY)
    task = asyncio.create_task(schedule.run(drain=20))
    schedule.wake(ORDERS, body(), Trigger.EDIT)
    await asyncio.sleep(1)
    schedule.stop()
    started = asyncio.get_running_loop().time()
    await task
    assert asyncio.get_running_loop().time() - started == pytest.approx(20, abs=1)


async def test_a_schedule_that_is_cancelled_waits_for_no_pass() -> None:
    """Leadership is lost: what a pass waits for may never answer, and it may write nothing more."""
    schedule = Schedule(Passes(_endless), backoff=STEADY)
    task = asyncio.create_task(schedule.run(drain=20))
    schedule.wake(ORDERS, body(), Trigger.EDIT)
    await asyncio.sleep(1)
    started = asyncio.get_running_loop().time()
    task.cancel()
    await asyncio.wait({task})
    assert task.cancelled()
    assert asyncio.get_running_loop().time() - started < 1


async def test_a_drain_that_is_cancelled_leaves_no_pass_behind() -> None:
    """Leadership is lost after the signal, while the last passes are waited for."""
    ended: list[Key] = []

    async def endless(key: Key) -> NextPass:
        try:
            return await _endless(key)
        finally:
            ended.append(key)

    schedule = Schedule(Passes(endless), backoff=STEADY)
    task = asyncio.create_task(schedule.run(drain=20))
    schedule.wake(ORDERS, body(), Trigger.EDIT)
    await asyncio.sleep(1)
    schedule.stop()
    await asyncio.sleep(1)
    task.cancel()
    await asyncio.wait({task})
    assert ended == [ORDERS]
