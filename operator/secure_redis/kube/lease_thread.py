"""Runs the elector in a thread with an event loop of its own, so that nothing in the passes' loop delays a renewal.

A pass, a long list, a garbage collection or a rendering of the metrics keeps the passes' loop busy for seconds. The
interpreter gives this thread a turn every few milliseconds meanwhile.
"""

import asyncio
import threading
from collections.abc import Awaitable, Callable, Coroutine
from concurrent.futures import Future
from contextlib import suppress
from typing import Any, Final, TypeVar

from secure_redis.kube.lease import Elector

_T = TypeVar("_T")
_END_SECONDS: Final = 2.0  # for the thread to close its connection


class LeaseThread:
    """The elector's thread, from `start` to `stop`. Its methods are for the passes' loop.

    `make()` is awaited in the thread, because a client's connections belong to the loop in which it is made.
    `lost()` is called in the thread, at the end of a leadership that was not given back: also while the passes' loop
    is blocked.
    """

    def __init__(self, make: Callable[[], Awaitable[Elector]], lost: Callable[[], None]) -> None:
        self._make = make
        self._lost = lost
        self._made: Future[tuple[Elector, asyncio.AbstractEventLoop, asyncio.Event]] = Future()
        self._thread = threading.Thread(target=self._run, name="lease", daemon=True)

    async def start(self) -> Elector:
        """Start the thread. Returns the elector; `check`, `leading`, `recorded` and `annotations` are for any thread.

        Raises:
            kubernetes.aio.config.ConfigException: there is no usable kubeconfig any more.

        """
        self._thread.start()
        elector, _, _ = await asyncio.wrap_future(self._made)
        return elector

    async def acquire(self) -> None:
        """Wait until this process holds the Lease."""
        await self._call(lambda elector: elector.acquire())

    async def hold(self) -> None:
        """Renew until leadership is lost, then return."""
        await self._call(self._hold)

    async def release(self) -> None:
        """Give the Lease back, if this process holds it."""
        await self._call(lambda elector: elector.release())

    async def stop(self) -> None:
        """End the thread."""
        if self._made.done() and not self._made.cancelled() and self._made.exception() is None:
            _, loop, ended = self._made.result()
            with suppress(RuntimeError):  # its loop has ended
                loop.call_soon_threadsafe(ended.set)
        await asyncio.to_thread(self._thread.join, _END_SECONDS)

    async def _hold(self, elector: Elector) -> None:
        await elector.hold()
        self._lost()

    async def _call(self, method: Callable[[Elector], Coroutine[Any, Any, _T]]) -> _T:
        elector, loop, _ = self._made.result()  # `start` has waited for it
        return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(method(elector), loop))

    def _run(self) -> None:
        try:
            asyncio.run(self._live())
        except Exception as error:
            if not self._made.done():
                self._made.set_exception(error)

    async def _live(self) -> None:
        elector, ended = await self._make(), asyncio.Event()
        self._made.set_result((elector, asyncio.get_running_loop(), ended))
        try:
            await ended.wait()
        finally:
            await elector.close()
