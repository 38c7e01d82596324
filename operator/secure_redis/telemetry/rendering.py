"""Renders the metrics outside the event loop of the passes, rarely, and once for all who ask meanwhile."""

import asyncio
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Future
from typing import Final, NamedTuple, TypeVar

_T = TypeVar("_T")

_LEAST_SECONDS: Final = 1.0  # how long one rendering serves all who ask
_SHARE: Final = 4.0  # and at least that many times as long as it took: a fifth of one core at most
_COLLECT_SECONDS: Final = 1.0  # how long a rendering waits for a figure that only the passes' loop can collect
# The text format appends these to the name of a family (https://prometheus.io/docs/instrumenting/exposition_formats/).
_SUFFIXES: Final = ("", "_total", "_bucket", "_count", "_sum")


class Family(NamedTuple):
    """The text of all series of one metric family."""

    name: str
    text: bytes


def select(families: Iterable[Family], names: Iterable[str]) -> list[bytes]:
    """Return the texts of the families that contain one of these series; of all families where no name is given."""
    asked = frozenset(names)
    return [
        family.text
        for family in families
        if not asked or not asked.isdisjoint(family.name + suffix for suffix in _SUFFIXES)
    ]


class Rendering:
    """Shares one rendering. It lives in one event loop, and `render` runs in a thread, one call at a time."""

    def __init__(self, render: Callable[[], Sequence[Family]], clock: Callable[[], float] = time.monotonic) -> None:
        self._render = render
        self._clock = clock
        self._task: asyncio.Task[Sequence[Family]] | None = None
        self._until = float("-inf")

    async def get(self, names: Iterable[str] = ()) -> list[bytes]:
        """Return the newest rendering, or wait for the one that is under way; only the families of `names`."""
        task = self._task
        if task is None or (task.done() and (task.cancelled() or task.exception() or self._clock() >= self._until)):
            task = self._task = asyncio.create_task(self._run(), name="render the metrics")
        # Shielded: a client that leaves must not end the rendering for the others.
        return select(await asyncio.shield(task), names)

    async def _run(self) -> Sequence[Family]:
        began = self._clock()
        families = await asyncio.to_thread(self._render)
        serves = max(_LEAST_SECONDS, _SHARE * (self._clock() - began))
        self._until = self._clock() + serves
        # Of thousands of resources the text is tens of megabytes: it is not kept when no one asks again.
        asyncio.get_running_loop().call_later(serves, self._drop)
        return families

    def _drop(self) -> None:
        if self._task is not None and self._task.done() and self._clock() >= self._until:
            self._task = None


def collected_in_loop(collect: Callable[[], Mapping[str, _T]]) -> Callable[[], Mapping[str, _T]]:
    """Wrap `collect`, which reads what only this event loop's thread may read, so that other threads may call it.

    Call this function in that loop. While the loop is blocked, the wrapped function returns its last answer.
    """
    loop, thread = asyncio.get_running_loop(), threading.get_ident()
    last: Mapping[str, _T] = {}

    def collected() -> Mapping[str, _T]:
        nonlocal last
        if threading.get_ident() == thread:
            return collect()
        answer: Future[Mapping[str, _T]] = Future()
        try:
            loop.call_soon_threadsafe(lambda: answer.set_result(collect()))
            last = answer.result(_COLLECT_SECONDS)
        except (TimeoutError, RuntimeError):  # blocked; or ended
            pass
        return last

    return collected
