"""The last resort, in processes of its own: it ends them."""

import subprocess
import sys
import time
from pathlib import Path

import pytest

from secure_redis.cli import run

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


HUNG = """
import asyncio, sys, time
from pathlib import Path
from secure_redis.cli import run
from secure_redis.cli.config import Config

async def main():
    asyncio.get_running_loop().call_later(0.5, time.sleep, 600)
    config = Config.model_validate({"leaderElection": {"enabled": False}, "health": {"port": 0}})
    return await run.operate(run.prepare(config), Path(sys.argv[1]))

run._LONGEST_STALL = 1.0
raise SystemExit(asyncio.run(main()))
"""
KUBECONFIG = """
apiVersion: v1
kind: Config
current-context: x
clusters: [{name: x, cluster: {server: "https://127.0.0.1:1"}}]
users: [{name: x, user: {token: x}}]
contexts: [{name: x, context: {cluster: x, user: x}}]
"""


def test_an_operator_whose_event_loop_hangs_ends_by_itself(tmp_path: Path) -> None:
    file = tmp_path / "kubeconfig"
    file.write_text(KUBECONFIG)
    command = [sys.executable, "-c", HUNG, str(file)]
    done = subprocess.run(command, timeout=120, check=False, capture_output=True, text=True)
    assert done.returncode == run.LOST
    assert "the event loop is hung; the process ends" in done.stdout + done.stderr


def test_it_ends_after_a_minute() -> None:
    """The test above makes the time shorter."""
    assert run._LONGEST_STALL == 60
