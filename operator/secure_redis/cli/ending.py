"""Ends the process in time, even if a thread does not end.

A thread that waits for a resolver, or kopf's thread, cannot be cancelled, and both asyncio and the interpreter wait for
it at their end. A former leader must not stay: only a new process is in a known state, and the pod is restarted when
the process ends.
"""

import asyncio
import logging
import os
import threading
import time

_log = logging.getLogger(__name__)

_LOGGING_SECONDS = 1.0  # a log that is not read must not delay the end either


class LastResort:
    """A timer that ends the process. Create it within the event loop; it does nothing until `within` is called."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._lock = threading.Lock()
        self._timer: threading.Timer | None = None
        self._deadline = float("inf")

    def within(self, seconds: float, code: int) -> None:
        """End the process within so many seconds, with this code. Any thread may call it.

        A second call sets the new code, and never a later deadline.
        """
        with self._lock:
            self._deadline = min(self._deadline, time.monotonic() + seconds)
            if self._timer is not None:
                self._timer.cancel()
            self._timer = threading.Timer(max(0.0, self._deadline - time.monotonic()), self._end, (code,))
            self._timer.name, self._timer.daemon = "last resort", True
            self._timer.start()

    def _end(self, code: int) -> None:
        logger = threading.Thread(target=self._log_remaining, name="log what remains", daemon=True)
        logger.start()
        logger.join(_LOGGING_SECONDS)
        os._exit(code)

    def _log_remaining(self) -> None:
        threads = sorted(thread.name for thread in threading.enumerate() if not thread.daemon)
        tasks = sorted(task.get_name() for task in asyncio.all_tasks(self._loop))
        _log.warning("the process did not end by itself in time", extra={"threads": threads, "tasks": tasks[:20]})
