"""How the schedule ends, in virtual time (looptime): nothing here sleeps for real."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from secure_redis.api.resource import Key
from secure_redis.reconciler.next_pass import NextPass
from secure_redis.schedule.schedule import Schedule, Snapshot, Trigger
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


class _Rewritten(Exception):
    pass


async def test_a_list_that_proves_a_restore_ends_the_schedule() -> None:
    async def relist() -> AsyncIterator[Snapshot]:
        yield Snapshot([], "1")
        raise _Rewritten

    schedule = Schedule(Passes(_endless), backoff=STEADY, relist=relist, fatal=(_Rewritten,))
    with pytest.raises(_Rewritten):
        await asyncio.wait_for(schedule.run(drain=20), 2 * STEADY.resync)


async def test_a_body_that_is_older_in_a_list_of_the_watch_is_checked_by_a_list_at_once() -> None:
    lists: list[float] = []

    async def relist() -> AsyncIterator[Snapshot]:
        lists.append(asyncio.get_running_loop().time())
        yield Snapshot([body(version=9)], "9")

    schedule = Schedule(Passes(), backoff=STEADY, relist=relist)
    task = asyncio.create_task(schedule.run())
    schedule.event(None, body(version=9))
    schedule.event("MODIFIED", body(version=8))  # late: a write of the operator was quicker
    schedule.event(None, body(version=9))
    await asyncio.sleep(1)
    assert lists == []
    schedule.event(None, body(version=8))
    schedule.event(None, body(version=7))
    await asyncio.sleep(1)
    assert len(lists) == 1
    assert schedule.versions() == {"shop/orders": "9"}
    schedule.stop()
    await task
