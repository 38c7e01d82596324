"""Starts and ends tasks and clients."""

import asyncio
from collections.abc import Sequence
from typing import Any

from kubernetes.aio.client.api_client import ApiClient

from secure_redis.kube.client import KubeClient


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
