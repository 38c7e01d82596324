"""Resources and passes for the schedule's tests."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

from secure_redis.api.resource import Key
from secure_redis.reconciler.next_pass import NextPass
from secure_redis.schedule.backoff import Backoff
from secure_redis.schedule.schedule import Schedule, Trigger

ORDERS = Key("shop", "orders")
STEADY = Backoff(jitter=0.0, spread=1e9, parallel=4, backoff=8.0, backoff_limit=64.0, gap=1.0)


def body(key: Key = ORDERS, version: int = 1, generation: int = 1, uid: str = "u1", **meta: Any) -> dict[str, Any]:
    metadata = {
        "namespace": key.namespace,
        "name": key.name,
        "uid": uid,
        "resourceVersion": str(version),
        "generation": generation,
        **meta,
    }
    return {"metadata": metadata, "spec": {}}


class Passes:
    """Replaces the reconciler: records each pass, and returns the configured result."""

    def __init__(self, answer: NextPass | Callable[[Key], Awaitable[NextPass]] | None = None) -> None:
        self.answer = answer or NextPass(300.0)
        self.observed: list[tuple[float, Key, str, Trigger]] = []

    async def __call__(self, key: Key, given: Any, trigger: Trigger) -> NextPass:
        now = asyncio.get_running_loop().time()
        self.observed.append((now, key, given["metadata"]["resourceVersion"], trigger))
        return self.answer if isinstance(self.answer, NextPass) else await self.answer(key)

    @property
    def times(self) -> list[float]:
        return [round(at - self.observed[0][0], 3) for at, *_ in self.observed]

    @property
    def versions(self) -> list[str]:
        return [version for _, _, version, _ in self.observed]


@asynccontextmanager
async def running(schedule: Schedule) -> AsyncIterator[asyncio.Task[None]]:
    task = asyncio.create_task(schedule.run())
    await asyncio.sleep(0)
    yield task
    schedule.stop()
    await task
