"""Wires kopf: it watches the resources and delivers every event. No decision is made here."""

import asyncio
import logging
import threading
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from typing import Any, Final, cast

import kopf
from kubernetes.aio.client.configuration import Configuration

from secure_redis.api import names
from secure_redis.kube import answers
from secure_redis.kube.kopf_session import session
from secure_redis.kube.streams import Streams

_LOG = logging.getLogger(__name__)
_ENDING: Final = 2.0  # seconds for the tasks of kopf to end

Deliver = Callable[[str | None, Mapping[str, Any]], None]

# kopf's own finalizer is never used; under this name it cannot be taken for another one.
UNUSED_FINALIZER: Final = f"{names.GROUP}/unused-by-kopf"


class NothingToCompare(kopf.DiffBaseStorage):
    """Keeps no former state. kopf would copy each body twice to compare it, and no handler asks for a difference."""

    def build(self, **_: Any) -> kopf.BodyEssence:
        """Return an empty essence."""
        return cast("kopf.BodyEssence", {})

    def fetch(self, **_: Any) -> None:
        """Return no former essence."""

    def store(self, **_: Any) -> None:
        """Store nothing."""


def build_settings() -> kopf.OperatorSettings:
    """Settings for a watch and nothing else. Reasons: docs/internals/kubernetes-facts.md#kopf-settings."""
    settings = kopf.OperatorSettings()
    settings.posting.enabled = False
    settings.peering.standalone = True
    settings.scanning.disabled = True
    settings.persistence.finalizer = UNUSED_FINALIZER
    settings.persistence.diffbase_storage = NothingToCompare()
    settings.watching.connect_timeout = 30
    settings.watching.chunk_size = answers.PAGE  # `kube.kopf_session` requests less where objects are large
    settings.networking.request_timeout = 30
    settings.networking.error_backoffs = (1, 2)  # then kopf ends, and `cli.run` finds out what is wrong
    settings.queueing.exit_timeout = 1
    settings.queueing.idle_timeout = 0.1  # kopf's worker of an object holds its last body: 5 s of a thousand are 8 MiB
    return settings


def build_registry(deliver: Deliver, configuration: Configuration, streams: Streams) -> kopf.OperatorRegistry:
    """Register one handler, for raw events only: nothing is stored on the object, retried or indexed.

    `deliver(type, body)` is called in kopf's thread and must not block.
    """
    registry = kopf.OperatorRegistry()

    @kopf.on.login(registry=registry)
    async def login(**_: Any) -> kopf.AiohttpSession:
        # Made here, because kopf closes it and requests another after a 401.
        return kopf.AiohttpSession(server=configuration.host, aiohttp_session=session(configuration, streams))

    @kopf.on.event(names.GROUP, names.VERSION, names.PLURAL, registry=registry)
    async def changed(event: Mapping[str, Any], **_: Any) -> None:
        deliver(event["type"], event["object"])

    return registry


class StopFlag:
    """Ends kopf from another thread. Not a `threading.Event`: kopf would wait for that in a worker thread of its loop.
    After an error of its own, its end would wait for that thread, for ever (measured).
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._target: tuple[asyncio.AbstractEventLoop, asyncio.Event] | None = None
        self._set = False

    def set(self) -> None:
        """Request the end. May be called at any time, more than once."""
        with self._lock:
            self._set = True
            if self._target is not None:
                loop, event = self._target
                with suppress(RuntimeError):  # its loop has ended already
                    loop.call_soon_threadsafe(event.set)

    def bind(self) -> asyncio.Event:
        """Return the running loop's event that `set` sets."""
        event = asyncio.Event()
        with self._lock:
            self._target = (asyncio.get_running_loop(), event)
            if self._set:
                event.set()
        return event


def watch(
    deliver: Deliver, configuration: Configuration, namespaces: Sequence[str], stop: StopFlag, streams: Streams
) -> None:
    """Run kopf until `stop` is set; for a thread of its own.

    In the main thread kopf would take over the signals. At its end it cancels every task of its loop that it did not
    start: there, these would be passes, streams and the health server.

    Raises:
        Exception: kopf gave up: a permission is missing, the CRD is gone, or the watch broke in a way it cannot repair.

    """
    roots: list[asyncio.Task[None]] = []

    async def run() -> None:
        tasks = await kopf.spawn_tasks(
            registry=build_registry(deliver, configuration, streams),
            settings=build_settings(),
            clusterwide=not namespaces,
            namespaces=list(namespaces),
            standalone=True,
            # Else kopf reads the user's name, and a container's user often has none.
            identity=cast("Any", names.MANAGER),
            stop_flag=stop.bind(),
        )
        roots.extend(tasks)
        ended, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)  # by the flag, or by an error
        for task in ended:
            task.result()

    loop = asyncio.new_event_loop()
    try:
        loop.run_until_complete(run())
    finally:
        _end(loop, roots)


def _end(loop: asyncio.AbstractEventLoop, roots: Collection[asyncio.Task[None]]) -> None:
    """Cancel kopf's root tasks, then what is left, and wait a bounded time for each: kopf waits without a limit.

    The root tasks come first, because they end their watches and need kopf's other tasks for that.
    Reason: docs/internals/kubernetes-facts.md#kopf-behaviour.
    """
    # A cancelled task of kopf may fail or hang. asyncio reports both as errors, and the user can do nothing about them.
    loop.set_exception_handler(lambda _, context: _LOG.debug("at the end of kopf: %s", context["message"]))
    for tasks in (set(roots), asyncio.all_tasks(loop)):
        for task in tasks:
            task.cancel()
        if tasks:
            loop.run_until_complete(asyncio.wait(tasks, timeout=_ENDING))
    loop.close()
