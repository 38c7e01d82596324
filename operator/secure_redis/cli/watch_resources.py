"""Runs the watch of resources: kopf in a thread of its own, started again when it ends."""

import asyncio
import logging
import random
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any, Final

from kubernetes.aio.client.configuration import Configuration

from secure_redis import controller
from secure_redis.api import names
from secure_redis.cli.pass_events import PassEvents
from secure_redis.cli.served import Served
from secure_redis.kube import paths
from secure_redis.kube.client import ApiFailure, KubeClient
from secure_redis.kube.streams import Streams
from secure_redis.telemetry.logs import stack

Body = Mapping[str, Any]

_log = logging.getLogger(__name__)

_KOPF_SECONDS: Final = 2.0  # for kopf's end, on which nothing depends
_AT_ONCE: Final = 20  # events that are delivered without a break; each takes about 0.2 ms


class ResourceWatch:
    """The watch of resources in `namespaces` (empty: all). `events` get what it finds, in the passes' loop."""

    def __init__(
        self,
        client: KubeClient,
        configuration: Configuration,
        namespaces: Sequence[str],
        served: Served,
        streams: Streams,
        events: PassEvents,
    ) -> None:
        self._client = client
        self._configuration = configuration
        self._namespaces = namespaces
        self._served = served
        self._streams = streams
        self._events = events

    async def run(self) -> None:
        """Watch without end. Without the CRD or the permissions it waits and does not crash."""
        while True:
            if not await self._served.check(self._client):
                await asyncio.sleep(random.uniform(3.0, 5.0))  # noqa: S311 - jitter
                continue
            for namespace in self._namespaces or (None,):
                self._streams.expect(paths.resources(namespace), f"{names.KIND}s", namespace)
            if await self._introduce():
                await self._run_kopf()
            await asyncio.sleep(random.uniform(1.0, 3.0))  # noqa: S311 - jitter

    async def _introduce(self) -> bool:
        """Introduce every resource before the first pass. False: they could not be listed.

        So the order of passes does not decide which resources are within the limits of a namespace, and which Secrets
        are theirs.
        """
        try:
            for namespace in self._namespaces or (None,):
                async for page in self._client.pages(paths.resources(namespace)):
                    for body in page.items:
                        self._events.introduced(body)
        except ApiFailure as failure:
            _log.warning("waiting: resources cannot be listed", extra={"why": failure.message})
            return False
        self._events.all_introduced()
        return True

    async def _run_kopf(self) -> None:
        events, flag = Events(asyncio.get_running_loop(), self._deliver), controller.StopFlag()
        thread = asyncio.create_task(
            asyncio.to_thread(
                controller.watch,
                events.post,
                self._configuration,
                self._namespaces,
                flag,
                self._streams,
            ),
            name="kopf",
        )
        try:
            await asyncio.shield(thread)
            _log.warning("the watch of resources ended; it is started again")
        except asyncio.CancelledError:
            flag.set()
            await asyncio.wait({thread}, timeout=_KOPF_SECONDS)
            raise
        except Exception as error:
            _log.warning("the watch of resources ended", extra={"error": type(error).__name__})
        finally:
            flag.set()

    def _deliver(self, kind: str | None, body: Body) -> None:
        namespace = body["metadata"]["namespace"] if self._namespaces else None
        self._client.history.observed(paths.resources(namespace), body["metadata"]["resourceVersion"])
        self._events.delivered(kind, body)


class Events:
    """Events on their way from another thread to the loop. One wake of the loop serves all that wait."""

    def __init__(self, loop: asyncio.AbstractEventLoop, deliver: Callable[[str | None, Body], None]) -> None:
        self._loop = loop
        self._deliver = deliver
        self._waiting: deque[tuple[str | None, Body]] = deque()

    def post(self, kind: str | None, body: Body) -> None:
        """Deliver an event. For the one other thread. Nothing happens if the loop has ended before that thread."""
        self._waiting.append((kind, body))
        if len(self._waiting) == 1:  # else `_take` runs, or will, and finds this one
            with suppress(RuntimeError):
                self._loop.call_soon_threadsafe(self._take)

    def _take(self) -> None:
        """Deliver some events. Other work of the loop comes between them and the next ones."""
        for _ in range(min(len(self._waiting), _AT_ONCE)):
            kind, body = self._waiting[0]
            try:
                self._deliver(kind, body)
            except Exception as error:
                _log.error("an event was not delivered", extra={"error": type(error).__name__, "stack": stack(error)})
            # Only now: while one is there, `post` does not wake the loop for another `_take`.
            self._waiting.popleft()
        if self._waiting:
            self._loop.call_soon(self._take)
