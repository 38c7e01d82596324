"""Five thousand pure auditors in steady state: without authentication, so no vault call, no Secret and no change."""

import asyncio
import os
import time
from collections import Counter
from pathlib import Path
from typing import Any

from benchmarks import budget, fleet, requests
from benchmarks.figures import Figures, say
from benchmarks.kube import client
from benchmarks.options import Options
from benchmarks.process import OperatorProcess, spy
from benchmarks.stage import stage, start_operator
from sandbox.waiting import wait_for
from sandbox.world import World
from secure_redis.reconciler.observe.governance import KINDS

_PATIENCE = 1800.0  # seconds
_READS = len(KINDS) - 1  # of a cache's governance: there is no vault to search for
_OF_INTERVAL = 0.9  # how old a list may be, as a part of the interval (reconciler.observe.ages.Ages)


def measure(hosts: Path, options: Options, figures: Figures) -> None:
    """Measure the cache-level pass alone: every resource disables the probe, and the governance is read before."""
    options = options.spread(options.auditors)
    with stage(hosts, redis=False) as world:
        members = fleet.build(world, options, options.auditors, keys=False)
        spec: dict[str, Any] = {"transport": {"probe": "Disabled"}, "drift": {"intervalSeconds": options.interval}}
        documents = [world.resource(member.team, member.name, **spec) for member in members]
        asyncio.run(_measure(world, options, documents, figures))


async def _measure(world: World, options: Options, documents: list[dict[str, Any]], figures: Figures) -> None:
    count, length = len(documents), options.interval
    async with client(world.cluster.kubeconfig) as kube:
        await fleet.create(kube, documents)
        say("starting the operator")
        began = time.monotonic()
        # So that they are read after the run: the state stored per cache costs about 4 KiB, and no processor time.
        operator = start_operator(world, **({} if options.surroundings else {"surroundingsSpreadSeconds": 86400}))
        await fleet.await_all_ready(kube, count, seconds=_PATIENCE)
        say(f"all Ready after {time.monotonic() - began:.1f} s")
    cold = operator.cpu_seconds()
    if options.surroundings:
        wanted = _READS * count
        wait_for(lambda: operator.metric("secureredis_observations") >= wanted, _PATIENCE, "the surroundings", 5)
        say(f"the governance of the caches is read after {time.monotonic() - began:.0f} s")
    warm = operator.cpu_seconds()
    # The next pass of each resource reports what was read last; the pass after that is in steady state.
    observed = operator.passes()
    wait_for(lambda: operator.passes() - observed >= 2.5 * count, 40 * length, "the steady passes to begin", 2)
    await _watch(world, options, count, operator, figures, (cold, warm - cold))


async def _watch(
    world: World,
    options: Options,
    count: int,
    operator: OperatorProcess,
    figures: Figures,
    before: tuple[float, float],
) -> None:
    length = options.interval
    intervals = max(2, options.intervals // 2)
    audit = world.cluster.audit_position()
    world.control.log.clear()
    passes, cpu, began = operator.passes(), operator.cpu_seconds(), time.monotonic()
    profile = spy(operator, options.spy, "auditors", intervals * length)
    say(f"watching {intervals} intervals of {length} s")
    await asyncio.sleep(intervals * length)
    cpu, lasted, passes = operator.cpu_seconds() - cpu, time.monotonic() - began, operator.passes() - passes
    load = os.getloadavg()[0]
    calls = requests.azure_calls(world.control.log.requests())
    events = requests.operators(world.cluster, audit)
    if profile is not None:
        profile.wait()
    looks = passes / count
    what = f"{looks:.2f} looks at each of {count} resources in {lasted:.0f} s"
    name = f"{count} auditors at rest"
    figures.report(
        f"{name}: CPU per interval",
        cpu / looks,
        "s",
        target=1.0 * count / 5000,
        compared_to=f"{what}, with all that the process does meanwhile; load {load:.1f}; no authentication, the probe "
        f"disabled; the start took {before[0]:.1f} s, and "
        + (
            f"reading the surroundings once {before[1]:.1f} s"
            if options.surroundings
            else "the surroundings were not read"
        ),
    )
    figures.report(f"{name}: memory", operator.memory(), "MiB", target=220, compared_to="VmRSS at the end")
    figures.report(f"{name}: peak memory", operator.peak_memory(), "MiB", compared_to="VmHWM, the cold start included")
    # The list that each may not have is remembered for an hour.
    pages = fleet.list_pages(options, count) - (0 if options.wide else options.namespaces)
    walks = int(lasted / (_OF_INTERVAL * length)) + 1
    figures.report(
        f"{name}: Azure calls per interval",
        (calls.total - calls.children) / (lasted / length),
        "requests",
        target=round(pages * walks / (lasted / length), 3),
        compared_to=f"{pages:g} pages in one walk for every identity, at most {walks} walks in {lasted:.0f} s; list "
        f"pages {calls.list_pages}, versions {calls.versions}, tokens {calls.tokens}, others {calls.other}",
    )
    budget.report(figures, name, -(-count // options.namespaces), vault=False)
    writes = Counter(requests.named(event) for event in events if event.is_write)
    reads = Counter(requests.named(event) for event in events if not event.is_write)
    figures.report(
        f"{name}: writes", writes.total() + calls.writes, "requests", target=0, compared_to=str(dict(writes))
    )
    figures.report(
        f"{name}: API server reads per interval",
        reads.total() / looks,
        "requests",
        compared_to=", ".join(f"{number} {kind}" for kind, number in reads.most_common()),
    )
