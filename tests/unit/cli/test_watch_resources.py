"""Every resource is introduced before kopf starts. Its events reach the passes' loop in order, with few wakes."""

import asyncio
import random
import threading
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import suppress
from typing import Any

import pytest

from secure_redis import controller
from secure_redis.cli.watch_resources import Events, ResourceWatch
from secure_redis.kube import paths
from secure_redis.kube.client import ApiFailure, Listed
from secure_redis.kube.streams import Streams


class Loop:
    """Counts the wakes from another thread, and runs what they ask for in the real loop."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.real = loop
        self.wakes = 0

    def call_soon_threadsafe(self, call: Callable[[], None]) -> None:
        self.wakes += 1
        self.real.call_soon_threadsafe(call)

    def call_soon(self, call: Callable[[], None]) -> None:
        self.real.call_soon(call)


async def test_all_arrive_in_order_and_those_that_wait_share_a_wake() -> None:
    count, arrived, all_there = 1000, list[int](), asyncio.Event()
    loop = Loop(asyncio.get_running_loop())

    def deliver(kind: str | None, body: Mapping[str, Any]) -> None:
        arrived.append(body["number"])
        if body["number"] == 3:
            raise ValueError("one that cannot be delivered keeps no other one back")
        if len(arrived) == count:
            all_there.set()

    events = Events(loop, deliver)  # type: ignore[arg-type]

    def post() -> None:
        for number in range(count):
            events.post("ADDED", {"number": number})

    posting = threading.Thread(target=post)
    posting.start()
    posting.join()  # the loop is held meanwhile: all of them wait
    assert loop.wakes == 1
    await all_there.wait()
    assert arrived == list(range(count))
    events.post("ADDED", {"number": count})
    assert loop.wakes == 2, "the next one wakes the loop again"


async def test_events_that_come_while_others_are_delivered_arrive() -> None:
    count, arrived, all_there = 5000, list[int](), asyncio.Event()

    def deliver(kind: str | None, body: Mapping[str, Any]) -> None:
        arrived.append(body["number"])
        if len(arrived) == count:
            all_there.set()

    events = Events(asyncio.get_running_loop(), deliver)

    def post() -> None:
        for number in range(count):
            events.post(None, {"number": number})

    posting = threading.Thread(target=post)
    posting.start()
    await all_there.wait()
    posting.join()
    assert arrived == list(range(count))


class Steps:
    """Records what happens, as the API server, the CRD's check and the receiver of events. `fails`: so many lists."""

    def __init__(self, fails: int = 0) -> None:
        self.fails = fails
        self.taken: list[object] = []
        self.listed: list[str] = []

    async def check(self, client: object) -> bool:
        return True

    async def pages(self, path: str) -> AsyncIterator[Listed]:
        self.listed.append(path)
        yield Listed([{"number": 1}, {"number": 2}], "7")
        if self.fails:
            self.fails -= 1
            raise ApiFailure(410, "Expired", "the list is too old to be continued")
        yield Listed([{"number": 3}], "7")

    def introduced(self, body: Mapping[str, Any]) -> None:
        self.taken.append(body["number"])

    def all_introduced(self) -> None:
        self.taken.append("all")


async def until_kopf_runs(steps: Steps, monkeypatch: pytest.MonkeyPatch, *namespaces: str) -> None:
    loop, runs = asyncio.get_running_loop(), asyncio.Event()

    def kopf(*_: object) -> None:
        steps.taken.append("kopf")
        loop.call_soon_threadsafe(runs.set)

    monkeypatch.setattr(controller, "watch", kopf)
    monkeypatch.setattr(random, "uniform", lambda least, most: 0.0)
    watch = ResourceWatch(steps, None, namespaces, steps, Streams(), steps)  # type: ignore[arg-type]
    running = asyncio.create_task(watch.run())
    await runs.wait()
    running.cancel()
    with suppress(asyncio.CancelledError):
        await running


async def test_resources_are_introduced_by_one_list_before_kopf_starts(monkeypatch: pytest.MonkeyPatch) -> None:
    steps = Steps()
    await until_kopf_runs(steps, monkeypatch, "shop", "ops")
    assert steps.listed[:2] == [paths.resources("shop"), paths.resources("ops")]
    assert steps.taken[:8] == [1, 2, 3, 1, 2, 3, "all", "kopf"]


async def test_kopf_does_not_start_while_resources_cannot_be_listed(monkeypatch: pytest.MonkeyPatch) -> None:
    steps = Steps(fails=2)
    await until_kopf_runs(steps, monkeypatch)
    assert steps.listed[:3] == [paths.resources(None)] * 3
    assert steps.taken[:9] == [1, 2, 1, 2, 1, 2, 3, "all", "kopf"]
