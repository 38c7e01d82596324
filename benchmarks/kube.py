"""The benchmarks' client of the API server: the operator's own client, as another user."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Iterable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, TypeVar

from secure_redis.kube.client import KubeClient, connect

T = TypeVar("T")


@asynccontextmanager
async def client(kubeconfig: Path, *, requests: int = 32) -> AsyncIterator[KubeClient]:
    """Open a client with the permissions of a kubeconfig and `requests` at the same time."""
    kube = KubeClient(await connect(kubeconfig), limit=requests)
    try:
        yield kube
    finally:
        await kube.close()


async def all_of(work: Iterable[Awaitable[T]], *, parallel: int = 16) -> list[T]:
    """Await all, so many at the same time."""
    places = asyncio.Semaphore(parallel)

    async def one(item: Awaitable[T]) -> T:
        async with places:
            return await item

    return await asyncio.gather(*(one(item) for item in work))


def ready(body: dict[str, Any]) -> bool:
    """Return whether a resource is Ready for its current generation."""
    return any(
        condition["type"] == "Ready"
        and condition["status"] == "True"
        and condition.get("observedGeneration") == body["metadata"]["generation"]
        for condition in (body.get("status") or {}).get("conditions") or ()
    )
