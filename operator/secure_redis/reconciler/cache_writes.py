"""Lets no pass write a cache on an observation that is older than another write of this process to that cache.

No pass waits for another one. A pass notes when its observation begins, and a write is refused if the cache was written
since then or is being written. The next pass reads the cache again, with the tag that the other write may have set. So
of two resources that create or adopt one cache, the second reads the first's tag before it writes.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

# Longer than any pass: a write that is older comes before every observation that is under way.
_FORGOTTEN_SECONDS: Final = 3600.0


class Overtaken(Exception):
    """Another pass wrote the cache since this pass began to observe it, or writes it now. This pass writes nothing."""


@dataclass(slots=True)
class _Write:
    """The last write to a cache. `number`: in the order of all writes. `at`: the monotonic time at which it ended."""

    number: int
    at: float
    under_way: bool = False


class CacheWrites:
    """Counts the writes of this process to caches. Between a check and the write that it allows nothing awaits."""

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._number = 0
        self._last: dict[str, _Write] = {}

    def observe(self) -> int:
        """Return what `write` takes as the beginning of an observation. Call it before anything is read."""
        return self._number

    @contextmanager
    def write(self, cache: str, since: int) -> Iterator[None]:
        """Write a cache inside the context. `cache`: its key. `since`: when the pass began to observe.

        Raises:
            Overtaken: the cache was written since then, or another pass writes it now.

        """
        last = self._last.get(cache)
        if last is not None and (last.under_way or last.number > since):
            raise Overtaken(cache)
        mine = self._last[cache] = _Write(since, 0.0, under_way=True)
        try:
            yield
        finally:  # a write whose answer was lost, or that was cut off, counts like any other
            self._number += 1
            mine.number, mine.at, mine.under_way = self._number, self._monotonic(), False
            self._forget_old()

    def _forget_old(self) -> None:
        now = self._monotonic()
        old = [key for key, one in self._last.items() if not one.under_way and now - one.at > _FORGOTTEN_SECONDS]
        for key in old:
            del self._last[key]
