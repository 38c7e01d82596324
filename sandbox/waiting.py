"""Waiting for a condition instead of sleeping."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

T = TypeVar("T")

INTERVAL = 0.05
PATIENCE = 120.0  # seconds that a test waits: they cost time only where it fails, and a busy machine needs them


def wait_for(predicate: Callable[[], T | None], timeout: float, what: str, interval: float = INTERVAL) -> T:
    """Return the first truthy value of `predicate`, called every `interval` seconds.

    Raises TimeoutError after `timeout` seconds, naming `what` was awaited and the last value. Exceptions of the
    predicate are not swallowed: a condition that may not be readable yet says so by returning None.
    """
    deadline = time.monotonic() + timeout
    while True:
        value = predicate()
        if value:
            return value
        if time.monotonic() >= deadline:
            raise TimeoutError(_late(timeout, what, value))
        time.sleep(interval)


async def wait_for_async(
    predicate: Callable[[], Awaitable[T | None]],
    timeout: float,  # noqa: ASYNC109 - the twin of wait_for
    what: str,
    interval: float = INTERVAL,
) -> T:
    """Wait as `wait_for` does, for an async predicate."""
    deadline = time.monotonic() + timeout
    while True:
        value = await predicate()
        if value:
            return value
        if time.monotonic() >= deadline:
            raise TimeoutError(_late(timeout, what, value))
        await asyncio.sleep(interval)


def _late(timeout: float, what: str, value: object) -> str:
    return f"waited {timeout:g} s for {what}; last answer: {str(value)[:500]}"
