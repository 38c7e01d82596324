"""One rendering serves all who ask, and no more of them are made than the rules allow."""

import asyncio
import threading

import pytest

from secure_redis.telemetry.rendering import Family, Rendering, collected_in_loop, select
from tests.unit.telemetry.waiting import until

FAMILIES = (Family("a", b"a 1\n"), Family("b", b"b_bucket 2\n"), Family("c", b"c_total 3\n"))


class Renderer:
    """Counts its calls, and waits in each until it is released."""

    def __init__(self, *, free: bool = True) -> None:
        self.calls = 0
        self.at_once = 0
        self.most_at_once = 0
        self.go_on = threading.Event()
        self.error: Exception | None = None
        if free:
            self.go_on.set()

    def __call__(self) -> tuple[Family, ...]:
        self.calls += 1
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        assert self.go_on.wait(30)
        self.at_once -= 1
        if self.error is not None:
            raise self.error
        return FAMILIES


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_names_select_families() -> None:
    assert select(FAMILIES, ()) == [b"a 1\n", b"b_bucket 2\n", b"c_total 3\n"]
    assert select(FAMILIES, ["b_bucket", "c_total"]) == [b"b_bucket 2\n", b"c_total 3\n"]
    assert select(FAMILIES, ["a_other", "d"]) == []


async def test_all_who_ask_meanwhile_share_one_rendering() -> None:
    renderer = Renderer(free=False)
    rendering = Rendering(renderer)
    asked = [asyncio.create_task(rendering.get()) for _ in range(50)]
    named = asyncio.create_task(rendering.get(["a"]))
    await until(lambda: renderer.calls == 1)
    asked[0].cancel()  # a client that leaves does not end it for the others
    renderer.go_on.set()
    found = await asyncio.gather(*asked[1:])
    assert found[0][0] is found[1][0], "the same bytes, not copies"
    assert await named == [b"a 1\n"]
    assert renderer.calls == 1


async def test_a_rendering_is_kept_for_a_second() -> None:
    renderer, clock = Renderer(), Clock()
    rendering = Rendering(renderer, clock)
    await rendering.get()
    clock.now += 0.9
    await rendering.get()
    assert renderer.calls == 1
    clock.now += 0.1
    await rendering.get()
    assert renderer.calls == 2
    assert renderer.most_at_once == 1


async def test_a_slow_rendering_is_kept_for_longer() -> None:
    """A client that asks without end has it rendered for a fifth of the time at most."""
    clock = Clock()

    def slow() -> tuple[Family, ...]:
        clock.now += 3
        return FAMILIES

    rendering = Rendering(slow, clock)
    await rendering.get()
    begun = clock.now
    clock.now = begun + 11.9
    await rendering.get()
    assert clock.now == begun + 11.9
    clock.now = begun + 12
    await rendering.get()
    assert clock.now == begun + 15


async def test_a_rendering_that_failed_is_not_kept() -> None:
    renderer = Renderer()
    rendering = Rendering(renderer)
    renderer.error = RuntimeError("x")
    with pytest.raises(RuntimeError):
        await rendering.get()
    renderer.error = None
    assert await rendering.get(["a"]) == [b"a 1\n"]


async def test_what_only_the_loop_may_read_is_read_there() -> None:
    threads: list[int] = []

    def ages() -> dict[str, tuple[int, float]]:
        threads.append(threading.get_ident())
        return {"locks": (len(threads), 1.0)}

    collected = collected_in_loop(ages)
    assert await asyncio.to_thread(collected) == {"locks": (1, 1.0)}
    assert collected() == {"locks": (2, 1.0)}
    assert threads == [threading.get_ident()] * 2


async def test_a_blocked_loop_does_not_stop_a_rendering() -> None:
    collected = collected_in_loop(lambda: {"locks": (1, 1.0)})
    await asyncio.to_thread(collected)
    answers: list[object] = []
    thread = threading.Thread(target=lambda: answers.append(collected()))
    thread.start()
    thread.join(30)  # this blocks the loop that would answer
    assert answers == [{"locks": (1, 1.0)}]
