"""kopf's wiring: it watches our resources and hands every event on. No decision is made here."""

import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import kopf
from kubernetes.aio.client.configuration import Configuration

from secure_redis.api import names
from secure_redis.kube.client import session

Tell = Callable[[str | None, Mapping[str, Any]], None]

# kopf's own finalizer is never used; under this name it can be mistaken for nobody's.
UNUSED_FINALIZER: Final = f"{names.GROUP}/unused-by-kopf"


def build_settings() -> kopf.OperatorSettings:
    """Settings for a watch and nothing else (facts/kopf.md §6 says why each)."""
    settings = kopf.OperatorSettings()
    settings.posting.enabled = False
    settings.peering.standalone = True
    settings.scanning.disabled = True
    settings.persistence.finalizer = UNUSED_FINALIZER
    settings.watching.connect_timeout = 30
    settings.watching.chunk_size = 500
    settings.networking.request_timeout = 30
    settings.networking.error_backoffs = (1, 2, 3, 5)
    settings.queueing.exit_timeout = 1
    return settings


def build_registry(tell: Tell, configuration: Configuration) -> kopf.OperatorRegistry:
    """One handler, raw events only: nothing is stored on the object, nothing is retried, nothing is indexed.

    `tell(type, body)` is called in kopf's thread and must not block.
    """
    registry = kopf.OperatorRegistry()

    @kopf.on.login(registry=registry)
    async def login(**_: Any) -> kopf.AiohttpSession:
        # Made here, because kopf closes it and asks for another after a 401.
        return kopf.AiohttpSession(server=configuration.host, aiohttp_session=session(configuration))

    @kopf.on.event(names.GROUP, names.VERSION, names.PLURAL, registry=registry)
    async def changed(event: Mapping[str, Any], **_: Any) -> None:
        tell(event["type"], event["object"])

    return registry


def watch(tell: Tell, configuration: Configuration, namespaces: Sequence[str], stop: threading.Event) -> None:
    """Run kopf until `stop` is set; for a thread of its own.

    In the main thread kopf would take the signals from us, and at its end it cancels every task of its loop that it
    did not start: passes, streams and the health server would go with it.

    Raises:
        Exception: kopf gave up: a right is missing, the CRD is gone, or the watch broke in a way it cannot mend.

    """
    kopf.run(
        registry=build_registry(tell, configuration),
        settings=build_settings(),
        clusterwide=not namespaces,
        namespaces=list(namespaces),
        standalone=True,
        stop_flag=stop,
    )
