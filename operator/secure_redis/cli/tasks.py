"""Starts and ends tasks and clients."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any

from kubernetes.aio.client.api_client import ApiClient

from secure_redis.kube.client import KubeClient

Body = Mapping[str, Any]


async def close(apis: Sequence[ApiClient]) -> None:
    """Close each client."""
    for api in apis:
        await KubeClient(api).close()


async def forever() -> None:
    """Wait without end."""
    await asyncio.Event().wait()


async def end(*tasks: "asyncio.Task[Any]") -> None:
    """Cancel these and wait until they have ended."""
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


def post(
    loop: asyncio.AbstractEventLoop, deliver: Callable[[str | None, Body], None], kind: str | None, body: Body
) -> None:
    """Deliver an event to the loop from another thread. Nothing happens if the loop has ended before that thread."""
    with suppress(RuntimeError):
        loop.call_soon_threadsafe(deliver, kind, body)
