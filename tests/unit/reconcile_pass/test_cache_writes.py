"""Of passes that write one cache at the same time, each that writes has observed what the one before it wrote."""

import asyncio
import random
from dataclasses import dataclass, field
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from secure_redis.reconciler.cache_writes import CacheWrites, Overtaken

CACHE, OTHER = "/c", "/d"


def test_a_write_needs_an_observation_after_the_last_write() -> None:
    writes = CacheWrites(lambda: 0.0)
    first, second = writes.observe(), writes.observe()
    with writes.write(CACHE, first):
        pass
    with pytest.raises(Overtaken), writes.write(CACHE, second):
        pytest.fail("the observation is older than the write")
    with writes.write(CACHE, writes.observe()):
        pass


def test_a_pass_that_observes_during_a_write_does_not_write() -> None:
    writes = CacheWrites(lambda: 0.0)
    with writes.write(CACHE, writes.observe()):
        during = writes.observe()
        with pytest.raises(Overtaken), writes.write(CACHE, during):
            pytest.fail("another write is under way")
    with pytest.raises(Overtaken), writes.write(CACHE, during):
        pytest.fail("what was read may be older than the write")


def test_a_write_that_failed_or_was_cut_off_may_have_happened() -> None:
    writes = CacheWrites(lambda: 0.0)
    for error in (ValueError(), asyncio.CancelledError()):
        before = writes.observe()
        with pytest.raises(type(error)), writes.write(CACHE, before):
            raise error
        with pytest.raises(Overtaken), writes.write(CACHE, before):
            pytest.fail("the cut-off write was forgotten")


def test_writes_to_other_caches_do_not_matter() -> None:
    writes = CacheWrites(lambda: 0.0)
    before = writes.observe()
    with writes.write(CACHE, before), writes.write(OTHER, before):
        pass


def test_old_writes_are_forgotten() -> None:
    now = 0.0
    writes = CacheWrites(lambda: now)
    for number in range(100):
        with writes.write(f"/{number}", writes.observe()):
            now += 60.0
    assert len(writes._last) <= 61


@dataclass
class Azure:
    """One cache. A pass reads its tag, waits, and claims it where it read none. Every step yields to the others."""

    rng: random.Random
    tag: str | None = None
    claims: list[str] = field(default_factory=list)
    under_way: int = 0

    async def step(self) -> None:
        for _ in range(self.rng.randrange(5)):
            await asyncio.sleep(0)

    async def claim(self, owner: str) -> None:
        self.under_way += 1
        assert self.under_way == 1, "two writes at a time"
        await self.step()
        self.tag = owner
        self.claims.append(owner)
        await self.step()
        self.under_way -= 1


async def passes(azure: Azure, writes: CacheWrites, owner: str, rounds: int) -> None:
    for _ in range(rounds):
        since = writes.observe()
        await azure.step()
        read = azure.tag
        await azure.step()  # a vault, an endpoint or Kubernetes takes its time
        if read is not None and read != owner:
            continue  # owned by another: nothing is planned
        try:
            with writes.write(CACHE, since):
                await azure.claim(owner)
        except Overtaken:
            continue


@given(st.randoms(use_true_random=False), st.integers(2, 6))
def test_only_the_first_of_several_creators_or_adopters_owns_the_cache(rng: random.Random, owners: int) -> None:
    async def run() -> Azure:
        azure, writes = Azure(rng), CacheWrites(lambda: 0.0)
        await asyncio.gather(*(passes(azure, writes, f"r{number}", 6) for number in range(owners)))
        return azure

    azure = asyncio.run(run())
    assert azure.claims
    assert all(one == other for one, other in pairwise(azure.claims)), "a second resource took the cache over"
