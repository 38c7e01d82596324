"""A thousand injected workloads in steady state: nothing is written."""

import asyncio
import os
import time
from collections import Counter
from pathlib import Path

from benchmarks import consumers, fleet, requests
from benchmarks.figures import Figures, say
from benchmarks.kube import all_of, client
from benchmarks.options import Options
from benchmarks.process import spy
from benchmarks.stage import stage, start_operator
from sandbox.waiting import wait_for
from sandbox.world import Team, World

_EACH = 100  # workloads of one resource; a status lists up to 250
_PATIENCE = 1800.0  # seconds


def measure(hosts: Path, options: Options, figures: Figures) -> None:
    """Measure all figures of this group."""
    with stage(hosts, redis=False, workloads=True) as world:
        count = -(-options.resources // _EACH)
        places = [(world.team(f"injected-{number:02}"), f"cache-{number:02}") for number in range(count)]
        for team, cache in places:
            consumers.seed(world, team, cache)
        asyncio.run(_measure(world, places, options, figures))


async def _measure(world: World, places: list[tuple[Team, str]], options: Options, figures: Figures) -> None:
    total, length = options.resources, options.interval
    documents = [consumers.resource(world, team, cache, at_once=50) for team, cache in places]
    for document in documents:
        document["spec"]["drift"] = {"intervalSeconds": length}
    async with client(world.cluster.kubeconfig) as kube:
        say(f"creating {total} Deployments without pods")
        await consumers.create(
            kube,
            [
                consumers.deployment(places[number // _EACH][0], f"app-{number:04}", places[number // _EACH][1], 0)
                for number in range(total)
            ],
        )
        await fleet.create(kube, documents)
        operator = start_operator(world)
        began = time.monotonic()
        await all_of(
            (consumers.await_current(kube, team, cache, _PATIENCE, interval=1) for team, cache in places),
            parallel=len(places),
        )
        say(f"all injected after {time.monotonic() - began:.1f} s")
        passes = operator.passes()
        wait_for(lambda: operator.passes() - passes >= 2 * len(places), 10 * length, "two passes of everything", 0.5)
        audit, azure, passes = world.cluster.audit_position(), world.control.log.position(), operator.passes()
        cpu, began = operator.cpu_seconds(), time.monotonic()
        seconds = options.intervals * length
        profile = spy(operator, options.spy, "injected", seconds)
        say(f"watching {options.intervals} intervals of {length} s")
        await asyncio.sleep(seconds)
        lasted, cpu = time.monotonic() - began, operator.cpu_seconds() - cpu
    if profile is not None:
        profile.wait()
    events = requests.operators(world.cluster, audit)
    calls = requests.azure_calls(world.control.log.requests(azure))
    looks = (operator.passes() - passes) / len(places)
    name = f"{total} injected workloads at rest"
    what = (
        f"{looks:.2f} looks at each of {len(places)} resources of {_EACH} Deployments in {lasted:.0f} s; Deployments "
        "of no replicas: at rest pods are not read"
    )
    writes = Counter(requests.named(event) for event in events if event.is_write)
    figures.report(
        f"{name}: writes",
        writes.total() + calls.writes,
        "requests",
        target=0,
        compared_to=f"{what}; to the API server, Azure and vaults; the Lease is not counted",
    )
    reads = Counter(requests.named(event) for event in events if not event.is_write)
    figures.report(
        f"{name}: API server reads per interval",
        reads.total() / looks,
        "requests",
        compared_to=", ".join(f"{number} {kind}" for kind, number in reads.most_common()),
    )
    load = os.getloadavg()[0]
    figures.report(f"{name}: CPU per interval", cpu / looks, "s", compared_to=f"{what}; load {load:.1f}")
    figures.report(
        f"{name}: memory", operator.memory(), "MiB", compared_to=f"VmRSS; VmHWM {operator.peak_memory():.0f}"
    )
