"""The last resort, in processes of its own: it ends them."""

import subprocess
import sys
import time

import pytest

STUCK = """
import asyncio, threading
from secure_redis.cli.ending import LastResort

async def main():
    last = LastResort()
    {before}
    asyncio.get_running_loop().run_in_executor(None, threading.Event().wait)  # as a resolver that never answers
    return 0

raise SystemExit(asyncio.run(main()))
"""


def ends(before: str) -> tuple[int, float]:
    started = time.monotonic()
    done = subprocess.run([sys.executable, "-c", STUCK.format(before=before)], timeout=30, check=False)
    return done.returncode, time.monotonic() - started


def test_a_thread_that_never_ends_does_not_block_the_exit() -> None:
    assert ends("last.within(0.5, 7)")[0] == 7


def test_the_code_is_the_last_one_and_the_deadline_the_first() -> None:
    code, seconds = ends("last.within(0.5, 7); last.within(60, 3)")
    assert code == 3
    assert seconds < 20


def test_a_blocked_event_loop_does_not_block_the_exit() -> None:
    assert ends("last.within(0.5, 7); threading.Event().wait()")[0] == 7


def test_without_it_the_process_would_stay() -> None:
    """Else the tests above would show nothing."""
    with pytest.raises(subprocess.TimeoutExpired):
        subprocess.run([sys.executable, "-c", STUCK.format(before="pass")], timeout=3, check=False)


def test_a_process_that_ends_in_time_keeps_its_own_code() -> None:
    script = STUCK.replace(
        "asyncio.get_running_loop().run_in_executor(None, threading.Event().wait)", "await asyncio.sleep(0)"
    )
    done = subprocess.run([sys.executable, "-c", script.format(before="last.within(60, 7)")], timeout=30, check=False)
    assert done.returncode == 0
