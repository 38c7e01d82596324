"""Events reach the passes' loop from kopf's thread in order, all of them, and with few wakes."""

import asyncio
import threading
from collections.abc import Callable, Mapping
from typing import Any

from secure_redis.cli.watch_resources import Events


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
