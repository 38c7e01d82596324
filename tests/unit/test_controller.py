"""kopf's end: an error in one namespace must not keep the watch of the others from starting again."""

import asyncio
import gc
import logging
import threading
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Final

import pytest
from aiohttp import web
from kubernetes.aio.client.configuration import Configuration

from secure_redis import controller
from secure_redis.api import names
from secure_redis.kube import paths
from secure_redis.kube.streams import Streams

VERBS: Final = ["get", "list", "watch", "patch"]
REFUSAL: Final = {"kind": "Status", "code": 403, "reason": "Forbidden", "message": "no right to watch"}


def described(name: str, kind: str, *, namespaced: bool) -> dict[str, object]:
    return {"name": name, "kind": kind, "namespaced": namespaced, "verbs": VERBS, "singularName": kind.lower()}


class Server:
    """Serves what kopf asks for. A watch in `refused` is forbidden; any other one stays open."""

    def __init__(self) -> None:
        self.refused: set[str] = set()
        self.opened = asyncio.Event()
        self.items: list[dict[str, object]] = []
        group = {"name": names.GROUP, "preferredVersion": {"version": names.VERSION}}
        self._documents: dict[str, object] = {
            "/api": {"versions": ["v1"]},
            "/api/v1": {"resources": [described("namespaces", "Namespace", namespaced=False)]},
            "/apis": {"groups": [{**group, "versions": [{"version": names.VERSION}]}]},
            f"/apis/{names.API_VERSION}": {"resources": [described(names.PLURAL, names.KIND, namespaced=True)]},
        }

    async def answer(self, request: web.Request) -> web.StreamResponse:
        if request.path in self._documents:
            return web.json_response(self._documents[request.path])
        if request.query.get("watch") != "true":
            return web.json_response({"items": self.items, "metadata": {"resourceVersion": "1"}})
        if request.path in {paths.resources(name) for name in self.refused}:
            return web.json_response(REFUSAL, status=403)
        response = web.StreamResponse()
        await response.prepare(request)
        self.opened.set()
        await asyncio.Event().wait()  # until the client closes it
        return response


@pytest.fixture
async def server() -> AsyncIterator[tuple[Server, Configuration]]:
    serving = Server()
    app = web.Application()
    app.router.add_route("*", "/{tail:.*}", serving.answer)
    runner = web.AppRunner(app, handler_cancellation=True, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    configuration = Configuration()
    configuration.host = f"http://127.0.0.1:{runner.addresses[0][1]}"
    yield serving, configuration
    await runner.cleanup()


def watch(configuration: Configuration, flag: controller.StopFlag, streams: Streams) -> "asyncio.Future[None]":
    """Run it in a thread that does not outlive the tests, if it should never end."""
    loop = asyncio.get_running_loop()
    ended: asyncio.Future[None] = loop.create_future()

    def run() -> None:
        try:
            controller.watch(lambda kind, body: None, configuration, ["a", "b"], flag, streams)
        except Exception as error:
            loop.call_soon_threadsafe(ended.set_exception, error)
        else:
            loop.call_soon_threadsafe(ended.set_result, None)

    threading.Thread(target=run, daemon=True).start()
    return ended


async def test_an_error_in_one_namespace_ends_the_watch_each_time(server: tuple[Server, Configuration]) -> None:
    serving, configuration = server
    serving.refused = {"b"}
    for _ in range(3):
        with pytest.raises(Exception, match="no right to watch"):
            await asyncio.wait_for(watch(configuration, controller.StopFlag(), Streams()), 30)


@pytest.mark.parametrize("refused", [{"b"}, set()], ids=["by an error", "by the flag"])
async def test_no_task_is_left_when_it_ends(
    server: tuple[Server, Configuration], refused: set[str], caplog: pytest.LogCaptureFixture
) -> None:
    """asyncio reports a task as an error that is destroyed before it has ended. Workers of objects are such tasks."""
    serving, configuration = server
    metadata = {"name": "c", "namespace": "a", "uid": "1", "resourceVersion": "1"}
    serving.items = [{"apiVersion": names.API_VERSION, "kind": names.KIND, "metadata": metadata}]
    serving.refused = refused
    flag = controller.StopFlag()
    running = watch(configuration, flag, Streams())
    async with asyncio.timeout(30):
        await serving.opened.wait()
        if not refused:
            flag.set()
        with suppress(Exception):
            await running
    gc.collect()
    reported = [one for one in caplog.records if one.name == "asyncio" and one.levelno >= logging.ERROR]
    assert [one.getMessage() for one in reported] == []


async def test_the_flag_ends_it_and_each_watch_is_recorded(server: tuple[Server, Configuration]) -> None:
    serving, configuration = server
    flag, now = controller.StopFlag(), [0.0]
    streams = Streams(lambda: now[0], patience=1.0)
    for name in ("a", "b"):
        streams.expect(paths.resources(name), names.KIND, name)
    now[0] = 10.0
    running = watch(configuration, flag, streams)
    async with asyncio.timeout(30):
        await serving.opened.wait()
        while streams.missing() is not None:  # noqa: ASYNC110 - it is recorded in the thread of kopf
            await asyncio.sleep(0.02)
        flag.set()
        await running
    now[0] = 20.0
    assert "'a'" in (streams.missing() or "")
    assert "'b'" in (streams.missing() or "")
