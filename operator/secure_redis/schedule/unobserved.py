"""Finds resources whose state no pass finds out, and has that reported. It needs no place among the passes."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Final, Protocol

from secure_redis.api.resource import Key
from secure_redis.domain.report.evidence import LEAST_SECONDS
from secure_redis.schedule.bodies import Body

_log = logging.getLogger(__name__)

SWEEP_SECONDS: Final = 30.0  # between two searches for results that are not good any more
_REPORT_SECONDS: Final = 30.0  # for one status write
_FAILURES: Final = 2  # so many failed passes in a row are reported


class Reports(Protocol):
    """Writes one status at most. Both methods may raise anything."""

    async def report_failed(self, key: Key, body: Body, error: str) -> None:
        """Report that passes over the resource fail. `error`: the class of the exception."""

    async def report_expired(self, key: Key, body: Body) -> None:
        """Report that no pass has observed the resource for too long."""


class Unobserved:
    """Keeps how many passes over each resource failed in a row, and until when its last result is good.

    Both are in memory: a status at rest is never written for them.
    """

    def __init__(
        self,
        reports: Reports | None,
        body: Callable[[Key], Awaitable[Body | None]],
        clock: Callable[[], float],
        fatal: tuple[type[Exception], ...],
        on_fatal: Callable[[Exception], None],
    ) -> None:
        """`body(key)`: the newest body that is known, or None. `on_fatal(error)`: a report raised one of `fatal`."""
        self._reports = reports
        self._body = body
        self._clock = clock
        self._fatal = fatal
        self._on_fatal = on_fatal
        self._good_until: dict[Key, float] = {}
        self._failures: dict[Key, int] = {}

    def discover(self, key: Key) -> None:
        """Take a resource that this process did not know. The results in its status are of an unknown age."""
        self._good_until[key] = self._clock() + LEAST_SECONDS

    def ended(self, key: Key, started: float, good_for: float | None) -> None:
        """Take a pass that ended without an exception. `good_for`: seconds; None: it observed nothing."""
        self._failures.pop(key, None)
        if good_for is not None:
            self._good_until[key] = started + good_for

    async def failed(self, key: Key, error: str) -> None:
        """Take a pass that an exception ended, and report it from the second in a row on."""
        self._failures[key] = self._failures.get(key, 0) + 1
        if self._reports is not None and self._failures[key] >= _FAILURES:
            await self._report(key, partial(self._reports.report_failed, error=error))

    def forget(self, key: Key) -> None:
        """Forget a resource that is gone."""
        self._good_until.pop(key, None)
        self._failures.pop(key, None)

    async def sweep(self) -> None:
        """Report results that are not good any more, for ever. A reported resource waits for the next result."""
        while self._reports is not None:
            await asyncio.sleep(SWEEP_SECONDS)
            now = self._clock()
            for key in [key for key, until in self._good_until.items() if until < now]:
                reported = await self._report(key, self._reports.report_expired)
                if reported and self._good_until.get(key, now) < now:
                    del self._good_until[key]

    async def _report(self, key: Key, report: Callable[[Key, Body], Awaitable[None]]) -> bool:
        try:
            async with asyncio.timeout(_REPORT_SECONDS):
                body = await self._body(key)
                if body is not None:
                    await report(key, body)
        except self._fatal as error:
            self._on_fatal(error)
        except Exception as error:
            extra = {"resource": str(key), "error": type(error).__name__}
            _log.warning("the unknown state of a resource could not be reported", extra=extra)
            return False
        return True
