"""The last resort of a process that is to end: it ends in time, whatever holds it.

A thread that asks a resolver, or kopf's, cannot be cancelled, and both asyncio and the interpreter wait for it at their
end. A former leader must not linger: only a fresh process is in a known state, and its pod is restarted when it ends.
"""

import asyncio
import logging
import os
import threading
import time

_log = logging.getLogger(__name__)

_TELLING = 1.0  # seconds; a log that nobody reads must not hold us either


class LastResort:
    """Made within the event loop. Until `within` is called it does nothing."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._timer: threading.Timer | None = None
        self._deadline = float("inf")

    def within(self, seconds: float, code: int) -> None:
        """The process has ended in so many seconds, if need be at once and with this code.

        Called again: the code is the new one, the deadline never a later one.
        """
        self._deadline = min(self._deadline, time.monotonic() + seconds)
        if self._timer is not None:
            self._timer.cancel()
        self._timer = threading.Timer(max(0.0, self._deadline - time.monotonic()), self._end, (code,))
        self._timer.name, self._timer.daemon = "last resort", True
        self._timer.start()

    def _end(self, code: int) -> None:
        teller = threading.Thread(target=self._tell, name="last words", daemon=True)
        teller.start()
        teller.join(_TELLING)
        os._exit(code)

    def _tell(self) -> None:
        threads = sorted(thread.name for thread in threading.enumerate() if not thread.daemon)
        tasks = sorted(task.get_name() for task in asyncio.all_tasks(self._loop))
        _log.warning("the process did not end by itself in time", extra={"threads": threads, "tasks": tasks[:20]})
