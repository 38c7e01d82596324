"""How probes of endpoints are spread: the real `Probes` on a simulated clock, and a real operator at small scale."""

import asyncio
import selectors
import time
from collections import deque
from collections.abc import Iterable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

from benchmarks import fleet, samples
from benchmarks.figures import Figures, say
from benchmarks.kube import client
from benchmarks.options import Options
from benchmarks.stage import stage, start_operator
from sandbox.world import World
from secure_redis.api.resource import Key
from secure_redis.domain.observe.endpoint import EndpointFacts
from secure_redis.domain.observe.probe_target import SPREAD_SECONDS, Endpoint
from secure_redis.reconciler.observe.probes import Probes, Rhythm
from tests.builders.world import NOW

_PROBE_SECONDS = 0.05  # quicker than any real one, so that only the spreading delays probes
_HOURS = 6
_REAL = 100  # endpoints at most, of the real operator


class _Leap(selectors.SelectSelector):
    """A selector that never waits: it moves the clock by the waiting time."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        """Return what is ready. A wait moves the clock."""
        self.now += max(timeout or 0.0, 0.0)
        return super().select(0)


class _Loop(asyncio.SelectorEventLoop):
    def __init__(self) -> None:
        self._leap = _Leap()
        super().__init__(self._leap)

    def time(self) -> float:
        return self._leap.now


def measure(hosts: Path, options: Options, figures: Figures) -> None:
    """Count the probes begun in any one second: for new endpoints, after a restart, and for hours after that."""
    count, rhythm = options.resources, Rhythm()
    for known, name in ((False, "new at once"), (True, "known to an earlier process")):
        loop = _Loop()
        try:
            begun = loop.run_until_complete(_simulate(count, rhythm, known=known))
        finally:
            loop.close()
        first = [at for at in begun if at < rhythm.interval / 2]
        later = [at for at in begun if at >= rhythm.interval / 2]
        over = f"all {len(first)} were taken within {max(first):.0f} s" + (
            f", spread over {SPREAD_SECONDS:.0f}" if known else ""
        )
        figures.report(
            f"probes: most begun in any second, {count} endpoints {name}",
            _most(first),
            "probes",
            target=rhythm.at_once,
            compared_to=f"reconciler.probes and domain.probing on a simulated clock, looks of {_PROBE_SECONDS}"
            f" s; {over}",
        )
        figures.report(
            f"probes: most begun in any second, {count} endpoints {name}, in the {_HOURS} hours after",
            _most(later),
            "probes",
            target=rhythm.at_once,
            compared_to=f"{len(later)} probes, {len(later) / (_HOURS * 3600 - rhythm.interval / 2):.2f} a second on "
            "average",
        )
    with stage(hosts, redis=False) as world:
        _real(world, options, min(_REAL, count), rhythm, figures)


async def _simulate(count: int, rhythm: Rhythm, *, known: bool) -> list[float]:
    loop, begun = asyncio.get_running_loop(), []

    async def probe(endpoint: Endpoint) -> EndpointFacts:
        begun.append(loop.time())
        await asyncio.sleep(_PROBE_SECONDS)
        return samples.endpoint(endpoint, NOW + timedelta(seconds=loop.time()))

    def ignore(key: Key) -> None:
        pass

    probes = Probes(probe, rhythm, now=lambda: NOW, monotonic=loop.time, woken=ignore)
    async with probes:
        for number in range(count):
            endpoint = Endpoint(f"cache-{number:04}.redis.cache.windows.net", 6380, 6379)
            recalled = samples.endpoint(endpoint) if known else None
            probes.latest(Key("shop", f"cache-{number:04}"), endpoint, settings=(), recalled=recalled)
        await asyncio.sleep(_HOURS * 3600)
    return begun


def _most(times: Iterable[float]) -> int:
    return max(_windows(times), default=0)


def _windows(times: Iterable[float]) -> Iterator[int]:
    """Yield for each time how many there were in the second that ends with it."""
    recent: deque[float] = deque()
    for at in sorted(times):
        recent.append(at)
        while at - recent[0] > 1.0 - 1e-6:
            recent.popleft()
        yield len(recent)


def _real(world: World, options: Options, count: int, rhythm: Rhythm, figures: Figures) -> None:
    members = fleet.build(world, options, count, keys=False)
    documents: list[dict[str, Any]] = [world.resource(member.team, member.name) for member in members]

    async def create() -> None:
        async with client(world.cluster.kubeconfig) as kube:
            await fleet.create(kube, documents)

    asyncio.run(create())
    operator = start_operator(world)
    say("counting the probes of a real operator, every second")
    observed, most, began = 0.0, 0.0, time.monotonic()
    while observed < count and time.monotonic() - began < 300:
        time.sleep(1.0)
        try:
            now = operator.metric("secureredis_endpoint_probes_total")
        except OSError:  # it does not serve them yet
            operator.child.check()
            continue
        most, observed = max(most, now - observed), now
    figures.report(
        f"probes: most ended in a second, a real operator with {count} new endpoints",
        most,
        "probes",
        target=rhythm.at_once + 1,
        compared_to=f"{observed:.0f} probes in {time.monotonic() - began:.0f} s by its own metric, once a second; "
        "begun are at most one in an eighth of a second, and one more may end in a second than began in it",
    )
