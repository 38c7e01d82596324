"""The simulator's clock, which can be put forward, and the effects scheduled on it."""

import asyncio
import contextlib
import heapq
import itertools
import time
from collections.abc import Awaitable, Callable

Effect = Callable[[], Awaitable[None]]


class Timeline:
    """Real time plus an offset. Effects run in order of their due time, before any request that arrives after it."""

    def __init__(self) -> None:
        self._offset = 0.0
        self._heap: list[tuple[float, int, Effect]] = []
        self._number = itertools.count()
        self._changed = asyncio.Event()
        self._lock = asyncio.Lock()

    def now(self) -> float:
        """Return the Unix seconds."""
        return time.time() + self._offset

    def at(self, due: float, effect: Effect) -> None:
        """Run `effect` once `now()` has reached `due`."""
        heapq.heappush(self._heap, (due, next(self._number), effect))
        self._changed.set()

    def after(self, seconds: float, effect: Effect) -> None:
        """Run `effect` in `seconds`."""
        self.at(self.now() + seconds, effect)

    def advance(self, seconds: float) -> None:
        """Put the clock forward."""
        if seconds < 0:
            raise ValueError("the clock only goes forward")
        self._offset += seconds
        self._changed.set()

    def reset(self) -> None:
        """Return to real time, with nothing due."""
        self._offset = 0.0
        self._heap.clear()
        self._changed.set()

    async def run_due(self) -> None:
        """Run everything that is due."""
        async with self._lock:
            while self._heap and self._heap[0][0] <= self.now():
                _, _, effect = heapq.heappop(self._heap)
                await effect()

    async def run(self) -> None:
        """Run effects as they fall due, for ever."""
        while True:
            await self.run_due()
            self._changed.clear()
            wait = max(0.0, self._heap[0][0] - self.now()) if self._heap else None
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._changed.wait(), wait)
