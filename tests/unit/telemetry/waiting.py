"""Waits for what a thread of the code under test does."""

from collections.abc import Callable

from sandbox.waiting import PATIENCE, wait_for_async


async def until(condition: Callable[[], bool]) -> None:
    """Wait until the condition holds."""

    async def holds() -> bool:
        return condition()

    await wait_for_async(holds, PATIENCE, "the condition", interval=0.01)
