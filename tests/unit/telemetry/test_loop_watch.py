"""The watch of the event loop: what it measures, what it logs, and when it gives the process up."""

import asyncio
import logging
import threading

import pytest

from secure_redis.telemetry.loop_watch import BLOCKED, INTERVAL, LoopWatch, stack_of
from tests.unit.telemetry.waiting import until

BOUND = 40.0


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def watch(clock: Clock, hung: list[bool] | None = None) -> LoopWatch:
    return LoopWatch(lambda _: None, BOUND, lambda: (hung if hung is not None else []).append(True), clock=clock)


def test_the_lag_is_the_time_beyond_the_interval() -> None:
    clock = Clock()
    one = watch(clock)
    clock.now += INTERVAL
    assert one.lag == 0
    clock.now += 3
    assert one.lag == 3
    assert one.obstacle() is None
    clock.now += BOUND
    assert one.obstacle() == "the event loop is blocked; the log names the code"


@pytest.mark.looptime
async def test_each_timer_counts_its_delay() -> None:
    loop = asyncio.get_running_loop()
    found: list[float] = []
    one = LoopWatch(found.append, BOUND, lambda: None, clock=loop.time)
    one.start()
    await asyncio.sleep(10 * INTERVAL + 0.01)
    one.stop()
    await asyncio.sleep(10 * INTERVAL)
    assert len(found) == 10
    assert found == pytest.approx([0.0] * 10, abs=0.01)


async def test_a_blocked_loop_is_logged_with_the_code_that_blocks_it(caplog: pytest.LogCaptureFixture) -> None:
    """The loop of this test waits for the line, and cannot write it itself."""
    written = threading.Event()

    class Notice(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            if record.getMessage() == "the event loop is blocked":
                written.set()

    notice, logger = Notice(), logging.getLogger("secure_redis.telemetry.loop_watch")
    logger.addHandler(notice)
    found: list[float] = []
    one = LoopWatch(found.append, BOUND, lambda: None)
    one.start()
    try:
        secret = "a local value"  # noqa: F841 - it must not be in the line
        assert written.wait(30)
        await until(lambda: bool(found))
    finally:
        one.stop()
        logger.removeHandler(notice)
    assert max(found) >= BLOCKED
    (record,) = [one for one in caplog.records if one.getMessage() == "the event loop is blocked"]
    assert record.levelno == logging.WARNING
    stack = record.__dict__["stack"]
    assert any("test_a_blocked_loop_is_logged_with_the_code_that_blocks_it" in frame for frame in stack)
    assert stack[-1].startswith("threading:"), "the innermost frame is the last one"
    assert "a local value" not in str(record.__dict__)


def test_a_second_line_is_not_written_within_a_minute(caplog: pytest.LogCaptureFixture) -> None:
    clock = Clock()
    one = watch(clock)
    clock.now += INTERVAL + BLOCKED
    for _ in range(5):
        assert not one.look()
        clock.now += 5
    assert len(caplog.records) == 1
    clock.now += 35
    one._beat = clock.now - 5
    assert not one.look()
    assert len(caplog.records) == 2


def test_below_the_bound_nothing_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    clock = Clock()
    one = watch(clock)
    clock.now += INTERVAL + BLOCKED - 0.1
    assert not one.look()
    assert not caplog.records


def test_a_hung_loop_is_always_logged(caplog: pytest.LogCaptureFixture) -> None:
    clock = Clock()
    one = watch(clock)
    clock.now += INTERVAL + BLOCKED
    assert not one.look()
    clock.now += BOUND
    assert one.look()
    assert [record.levelno for record in caplog.records] == [logging.WARNING, logging.ERROR]


async def test_the_process_is_given_up_once() -> None:
    clock, called = Clock(), threading.Event()
    one = LoopWatch(lambda _: None, BOUND, called.set, clock=clock)
    one.start()
    clock.now += BOUND + INTERVAL
    try:
        assert called.wait(30), "the loop waits here, and runs no timer meanwhile"
    finally:
        one.stop()


def test_the_watch_ends_when_it_gave_the_process_up() -> None:
    clock, hung = Clock(), list[bool]()
    one = watch(clock, hung)
    clock.now += BOUND + INTERVAL
    thread = threading.Thread(target=one._watch, daemon=True)
    thread.start()
    thread.join(10)
    one.stop()
    assert not thread.is_alive()
    assert hung == [True]


def test_only_the_innermost_frames_are_logged() -> None:
    def deep(left: int) -> list[str]:
        return deep(left - 1) if left else stack_of(threading.get_ident())

    found = deep(100)
    assert len(found) == 25
    assert found[0].endswith(" deep")
    assert found[-1].endswith(" stack_of")


def test_a_thread_that_has_ended_has_no_stack() -> None:
    assert stack_of(0) == []
