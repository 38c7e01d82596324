"""When endpoints are probed: no burst, no probe without a request, no wake without news."""

import asyncio
import selectors
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from secure_redis.api.reasons.reason import Reason
from secure_redis.api.resource import Key
from secure_redis.domain.observe.endpoint import EndpointFacts, Offer
from secure_redis.domain.observe.probe_target import Endpoint
from secure_redis.domain.observe.unknown import Unknown
from secure_redis.reconciler.observe.probes import Probes, Rhythm
from tests.builders import endpoint as endpoint_builders

START = datetime(2026, 11, 24, tzinfo=UTC)
HOUR = 3600.0
KEY = Key("shop", "orders")
SET = ("Succeeded", "1.2", False)


class Jumping(selectors.DefaultSelector):
    """Waits for nothing: the clock jumps to where the next timer is."""

    now = 0.0

    def select(self, timeout: float | None = None) -> list[Any]:
        if timeout is not None and timeout > 0:
            self.now += timeout
        return super().select(0)


class JumpingLoop(asyncio.SelectorEventLoop):
    """An event loop whose time passes immediately."""

    def __init__(self) -> None:
        self.clock = Jumping()
        super().__init__(self.clock)

    def time(self) -> float:
        return self.clock.now


def travel(story: Callable[[], Awaitable[None]]) -> None:
    """Run a story in jumping time."""
    loop = JumpingLoop()
    try:
        loop.run_until_complete(story())
    finally:
        loop.close()


class Site:
    """Endpoints with configured answers, and when each was probed."""

    def __init__(self, rhythm: Rhythm | None = None, seconds: float = 0.1) -> None:
        self.looks: list[tuple[float, Endpoint]] = []
        self.woken: list[Key] = []
        self.answers: dict[str, EndpointFacts] = {}
        self.under_way = self.most_under_way = 0
        self.broken = False
        self._seconds = seconds
        self.probes = Probes(
            self._look,
            rhythm or Rhythm(),
            now=lambda: START + timedelta(seconds=self.time()),
            monotonic=lambda: self.time(),
            woken=self.woken.append,
        )

    @staticmethod
    def time() -> float:
        return asyncio.get_running_loop().time()

    async def _look(self, endpoint: Endpoint) -> EndpointFacts:
        self.looks.append((self.time(), endpoint))
        self.under_way += 1
        self.most_under_way = max(self.most_under_way, self.under_way)
        try:
            await asyncio.sleep(self._seconds)
        finally:
            self.under_way -= 1
        if self.broken:
            raise RuntimeError
        return self.answers.get(endpoint.host, endpoint_builders.endpoint(host=endpoint.host))

    def ask(self, key: Key = KEY, host: str = "orders", **asked: Any) -> EndpointFacts | Unknown:
        return self.probes.latest(key, named(host), **{"settings": SET, **asked})

    def times(self, host: str = "orders") -> list[float]:
        return [at for at, endpoint in self.looks if endpoint.host == host]


def named(host: str) -> Endpoint:
    return Endpoint(host, 6380, 6379)


def most_in_a_second(times: Iterable[float]) -> int:
    """The most probes in any second, wherever it begins."""
    ordered = sorted(times)
    return max(sum(at <= other < at + 0.999 for other in ordered[i : i + 50]) for i, at in enumerate(ordered))


@pytest.mark.parametrize("restarted", [True, False], ids=["restart", "all-new"])
def test_a_thousand_endpoints_never_burst(restarted: bool) -> None:
    async def story() -> None:
        site = Site()
        async with site.probes:
            for number in range(1000):
                host = f"cache-{number}"
                known = endpoint_builders.endpoint(host=host) if restarted else None
                site.ask(Key("shop", host), host, recalled=known)
            await asyncio.sleep(6 * HOUR)
        times = [at for at, _ in site.looks]
        most = most_in_a_second(times)
        first = [at for at in times if at < 400]
        # After the first probes the endpoints only drift further apart.
        later = most_in_a_second([at for at in times if at > HOUR / 2])
        assert len({endpoint for _, endpoint in site.looks}) == 1000
        assert most <= 8
        assert later < 8
        assert site.most_under_way <= 8
        assert len(first) == 1000
        if restarted:
            per_minute = Counter(int(at // 60) for at in first if at < 300)
            assert max(per_minute.values()) < 1.3 * min(per_minute.values())
        assert 5000 < len(times) < 8500

    travel(story)


def test_hosts_that_hang_block_only_their_own_slots() -> None:
    async def story() -> None:
        site = Site(Rhythm(at_once=2), seconds=10.0)
        async with site.probes:
            for number in range(20):
                site.ask(Key(f"shop-{number % 2}", str(number)), f"cache-{number}")
            await asyncio.sleep(120)
        assert site.most_under_way == 2
        assert len(site.looks) == 20

    travel(story)


def test_a_new_resource_is_probed_at_once_and_then_hourly() -> None:
    async def story() -> None:
        site = Site()
        async with site.probes:
            first = site.ask()
            assert isinstance(first, Unknown)
            await asyncio.sleep(0.2)
            assert isinstance(site.ask(), EndpointFacts)
            assert site.woken == [KEY]
            await asyncio.sleep(10 * HOUR)
        gaps = [later - earlier for earlier, later in zip(site.times(), site.times()[1:], strict=False)]
        assert all(0.8 * HOUR <= gap <= 1.2 * HOUR + 1 for gap in gaps)
        assert len(set(map(round, gaps))) > 3  # never in step with others for long
        assert site.woken == [KEY]  # nothing new: no resource is woken

    travel(story)


def test_an_earlier_process_result_stays_until_the_first_probe() -> None:
    async def story() -> None:
        site = Site()
        known = endpoint_builders.endpoint(host="orders", at=None)
        async with site.probes:
            assert site.ask(recalled=known) is known
            await asyncio.sleep(301)
            assert len(site.looks) == 1
            assert site.woken == []
            found = site.ask(recalled=known)
        assert isinstance(found, EndpointFacts)
        assert found.at is not None

    travel(story)


def test_a_recalled_result_is_no_change_for_another_resource() -> None:
    """Otherwise a user who may write the status of one could change the findings of all that use its endpoint."""

    async def story() -> None:
        site = Site()
        coloured = endpoint_builders.endpoint(host="orders", at=None, tls_1_0=Offer.ACCEPTED)
        other = Key("bank", "orders")
        async with site.probes:
            assert site.ask(recalled=coloured) is coloured
            assert isinstance(site.ask(other), Unknown)
            await asyncio.sleep(301)
            assert sorted(site.woken) == [other, KEY]
            assert site.ask(recalled=coloured) is site.ask(other)

    travel(story)


def test_resources_of_one_cache_share_its_probes_and_are_all_woken() -> None:
    async def story() -> None:
        site = Site()
        others = [Key(f"team-{number}", "orders") for number in range(3)]
        async with site.probes:
            for key in others:
                site.ask(key)
            await asyncio.sleep(1)
            assert len(site.looks) == 1
            assert sorted(site.woken) == others
            for key in others[:2]:
                site.probes.leave(key)
            site.ask(others[2], settings=("other",))
            await asyncio.sleep(1)
            assert len(site.looks) == 2
            site.probes.leave(others[2])
            await asyncio.sleep(5 * HOUR)
        assert len(site.looks) == 2  # no resource requests it any more

    travel(story)


def test_a_wrong_or_unread_endpoint_is_probed_sooner_and_then_more_rarely() -> None:
    async def story() -> None:
        site = Site()
        site.answers["orders"] = endpoint_builders.endpoint(host="orders", tls_1_0=Offer.ACCEPTED)
        async with site.probes:
            site.ask()
            await asyncio.sleep(3 * HOUR)
            gaps = [later - earlier for earlier, later in zip(site.times(), site.times()[1:], strict=False)]
            assert 240 <= gaps[0] <= 361
            assert 480 <= gaps[1] <= 721
            assert gaps[2] >= 960
            assert site.woken == [KEY]
            del site.answers["orders"]
            await asyncio.sleep(2 * HOUR)
        assert site.woken == [KEY, KEY]  # it is well again

    travel(story)


def test_a_refresh_or_a_changed_setting_causes_one_probe_each() -> None:
    async def story() -> None:
        site = Site()
        async with site.probes:
            site.ask()
            await asyncio.sleep(1)
            for _ in range(3):
                site.ask(refresh="a")
                await asyncio.sleep(1)
            assert len(site.looks) == 2
            site.ask()
            site.ask(refresh="a")  # while something else could not be read it comes again
            await asyncio.sleep(1)
            assert len(site.looks) == 2
            site.ask(refresh="b")
            await asyncio.sleep(0.05)
            site.ask(settings=("Succeeded", "1.0", False))  # while one is under way: it may have read the old one
            await asyncio.sleep(1)
            assert len(site.looks) == 4

    travel(story)


def test_another_host_is_another_endpoint() -> None:
    async def story() -> None:
        site = Site()
        async with site.probes:
            site.ask()
            await asyncio.sleep(1)
            assert isinstance(site.ask(host="elsewhere"), Unknown)
            await asyncio.sleep(2 * HOUR)
        assert len(site.times("orders")) == 1
        assert len(site.times("elsewhere")) >= 2

    travel(story)


def test_a_fault_of_our_own_hides_the_earlier_result_and_stops_nothing(caplog: pytest.LogCaptureFixture) -> None:
    async def story() -> None:
        site = Site()
        async with site.probes:
            site.ask()
            await asyncio.sleep(1)
            assert found_reachable(site)
            site.broken = True
            site.ask(refresh="now")
            await asyncio.sleep(1)
            assert not found_reachable(site)
            assert KEY in site.woken
            site.broken = False
            await asyncio.sleep(HOUR)
            assert found_reachable(site)
        assert "RuntimeError" not in caplog.text or "Traceback" not in caplog.text

    def found_reachable(site: Site) -> bool:
        found = site.ask()
        assert isinstance(found, EndpointFacts)
        assert found.reachable or "RuntimeError" in str(found.reached)
        return found.reachable

    travel(story)


def test_a_result_that_no_probe_renews_is_not_known_any_more() -> None:
    async def story() -> None:
        site = Site()
        async with site.probes:
            site.ask()
            await asyncio.sleep(1)
            site._seconds = float("inf")
            site.ask(refresh="now")
            await asyncio.sleep(2 * HOUR)
            assert isinstance(site.ask(), EndpointFacts)
            await asyncio.sleep(2 * HOUR)
            found = site.ask()
            assert isinstance(found, Unknown)
            assert found.reason is Reason.NOT_OBSERVED

    travel(story)


def test_alternately_reached_addresses_wake_no_resource() -> None:
    async def story() -> None:
        site = Site()
        async with site.probes:
            site.ask()
            await asyncio.sleep(1)
            site.answers["orders"] = replace(endpoint_builders.endpoint(host="orders"), reached="10.9.9.9")
            await asyncio.sleep(2 * HOUR)
        assert len(site.looks) >= 2
        assert site.woken == [KEY]

    travel(story)


def test_a_namespace_whose_endpoints_hang_leaves_probes_for_others() -> None:
    async def story() -> None:
        site = Site(Rhythm(interval=HOUR, at_once=4), seconds=float("inf"))
        async with site.probes:
            for number in range(20):
                site.ask(Key("hangs", f"r{number}"), f"cache-{number}", refresh="now")
            await asyncio.sleep(600)
            assert site.under_way == 3
            site._seconds = 0.1
            site.ask(Key("other", "orders"), "orders")
            await asyncio.sleep(600)
            assert len(site.times()) == 1
            await asyncio.sleep(2 * HOUR)
            assert len(site.times()) >= 2

    travel(story)


def test_endpoints_that_wait_for_their_share_are_probed_when_others_end() -> None:
    async def story() -> None:
        site = Site(Rhythm(interval=HOUR, at_once=4), seconds=10.0)
        async with site.probes:
            for number in range(20):
                site.ask(Key("shop", f"r{number}"), f"cache-{number}")
            await asyncio.sleep(600)
        assert len({endpoint for _, endpoint in site.looks}) == 20
        assert site.most_under_way == 3

    travel(story)
