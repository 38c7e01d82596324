"""Measures how late the event loop runs, and logs the code that blocks it.

The figures come from the loop itself: a timer that fires late was delayed by the code that ran in its place. The log
line comes from a thread, because a blocked loop cannot report anything.
"""

import asyncio
import logging
import sys
import threading
import time
from collections.abc import Callable
from types import FrameType
from typing import Final

_log = logging.getLogger(__name__)

INTERVAL: Final = 0.5  # seconds between two measurements
BLOCKED: Final = 1.0  # seconds of lag from which on the culprit is logged; a pass needs milliseconds at a time
QUIET: Final = 60.0  # seconds between two such lines
_FRAMES: Final = 25  # the innermost frames of a stack that are logged


class LoopWatch:
    """Measures the lag of the loop in which `start` is called. `observe(seconds)` is called there, twice a second.

    `bound`: seconds of lag after which the loop counts as hung. `hung()` is then called once, in the watch's thread.
    """

    def __init__(
        self,
        observe: Callable[[float], None],
        bound: float,
        hung: Callable[[], None],
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.bound = bound
        self._observe = observe
        self._hung = hung
        self._clock = clock
        self._beat = clock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._observed_thread = 0
        self._stopped = threading.Event()
        self._next_line = float("-inf")

    @property
    def lag(self) -> float:
        """How late the loop is now, in seconds. Any thread may read it."""
        return max(0.0, self._clock() - self._beat - INTERVAL)

    def obstacle(self) -> str | None:
        """Return the sentence for /healthz while the loop counts as hung."""
        return "the event loop is blocked; the log names the code" if self.lag >= self.bound else None

    def start(self) -> None:
        """Begin to measure. Call it in the loop."""
        self._loop = asyncio.get_running_loop()
        self._observed_thread = threading.get_ident()
        self._beat = self._clock()
        self._timer = self._loop.call_later(INTERVAL, self._measure)
        threading.Thread(target=self._watch, name="watch the event loop", daemon=True).start()

    def stop(self) -> None:
        """End the measurement. Call it in the loop."""
        self._stopped.set()
        if self._timer is not None:
            self._timer.cancel()

    def look(self) -> bool:
        """Log the culprit if the loop is blocked. Returns whether the loop counts as hung. Any thread may call it."""
        lag, now = self.lag, self._clock()
        hung = lag >= self.bound
        if lag < BLOCKED or (now < self._next_line and not hung):
            return False
        self._next_line = now + QUIET
        _log.log(
            logging.ERROR if hung else logging.WARNING,
            "the event loop is hung; the process ends" if hung else "the event loop is blocked",
            extra={"seconds": round(lag, 1), "stack": stack_of(self._observed_thread)},
        )
        return hung

    def _measure(self) -> None:
        self._observe(self.lag)
        self._beat = self._clock()
        if self._loop is not None and not self._stopped.is_set():
            self._timer = self._loop.call_later(INTERVAL, self._measure)

    def _watch(self) -> None:
        while not self._stopped.wait(INTERVAL):
            if self.look():
                self._hung()
                return


def stack_of(thread: int) -> list[str]:
    """List the innermost frames of a thread, the outermost of them first: module, line and function, never a value."""
    frame: FrameType | None = sys._current_frames().get(thread)  # noqa: SLF001 - the documented way to another thread
    found: list[str] = []
    while frame is not None and len(found) < _FRAMES:
        module = frame.f_globals.get("__name__", "?")
        found.append(f"{module}:{frame.f_lineno} {frame.f_code.co_name}")
        frame = frame.f_back
    return found[::-1]
