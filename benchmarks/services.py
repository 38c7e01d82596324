"""Azure Cache for Redis beside Azure Managed Redis: a mixed fleet, cold and at rest, and the cost of a pass of each."""

import asyncio
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from benchmarks import fleet, requests
from benchmarks.figures import Figures, say
from benchmarks.fleet import MIXED, ONE_SERVICE, Mix
from benchmarks.kube import client
from benchmarks.options import Options
from benchmarks.stage import stage, start_operator
from sandbox.waiting import wait_for
from sandbox.world import World
from secure_redis.api.azure_ids import Service

_PATIENCE = 900.0  # seconds


@dataclass(frozen=True, slots=True)
class _Fleet:
    """Costs of one fleet. Seconds; `pass_cpu`: milliseconds of processor time. `calls`, `writes` by kind: at rest."""

    count: int
    ready_after: float
    ready_cpu: float
    pass_cpu: float
    passes: float
    lasted: float
    calls: requests.AzureCalls
    writes: Counter[str]


def measure(hosts: Path, options: Options, figures: Figures) -> None:
    """Measure each service alone with a fifth of the resources, and then all of them, half of each service."""
    few = max(20, options.resources // 5)
    alone = {service: _run(hosts, options, mix, few) for service, mix in ONE_SERVICE.items()}
    classic, managed = alone[Service.REDIS], alone[Service.MANAGED_REDIS]
    for name, one in (("Azure Cache for Redis", classic), ("Azure Managed Redis", managed)):
        figures.report(
            f"services: CPU of a pass at rest, {name}",
            one.pass_cpu,
            "ms",
            target=None if one is classic else classic.pass_cpu,
            compared_to=f"processor time of the operator divided by {one.passes:.0f} passes over {few} resources; the "
            "target of Managed Redis is the other figure",
        )
    both = _run(hosts, options, MIXED, options.resources)
    count = both.count
    figures.report(
        f"services: time until {count} mixed resources are Ready",
        both.ready_after,
        "s",
        compared_to=f"from the process's start; {both.ready_cpu:.1f} s of processor time of the operator",
    )
    looks = both.passes / count
    what = f"{looks:.2f} passes over each of {count} mixed resources in {both.lasted:.0f} s"
    figures.report("services: CPU of an interval at rest, mixed", both.pass_cpu * count / 1000, "s", compared_to=what)
    figures.report(
        "services: writes at rest, mixed",
        both.writes.total(),
        "requests",
        target=0,
        compared_to=f"{what}; to the API server, Azure and vaults; the Lease is not counted; "
        + (", ".join(f"{number} {name}" for name, number in both.writes.most_common()) or "none"),
    )
    figures.report(
        "services: reads of databases at rest, for each cluster in 15 minutes",
        managed.calls.databases / few / (managed.lasted / 900),
        "requests",
        target=2,
        compared_to=f"{managed.calls.databases} in {managed.lasted:.0f} s for {few} clusters",
    )


def _run(hosts: Path, options: Options, mix: Mix, count: int) -> _Fleet:
    with stage(hosts, redis=False) as world:
        return asyncio.run(_measure(world, options, mix, count))


async def _measure(world: World, options: Options, mix: Mix, count: int) -> _Fleet:
    members = fleet.build(world, options, count, mix=mix)
    documents = [fleet.document(world, member) for member in members]
    async with client(world.cluster.kubeconfig) as kube:
        await fleet.create(kube, documents)
        say("starting the operator")
        began = time.monotonic()
        operator = start_operator(world)
        await fleet.await_all_ready(kube, count, seconds=_PATIENCE)
        ready_after, ready_cpu = time.monotonic() - began, operator.cpu_seconds()
        say(f"all Ready after {ready_after:.1f} s")
        # The first probe of an endpoint ends a resource's start: its result is in the status.
        wait_for(lambda: operator.metric("secureredis_endpoint_probes_total") >= count, _PATIENCE, "all probes", 1)
        say("waiting until what stands around the caches is read")  # a status counts what was read
        around = fleet.surroundings(members)
        wait_for(lambda: operator.metric("secureredis_observations") >= around, _PATIENCE, "all of it", 1)
        await fleet.set_interval(kube, documents, options.interval)
        await fleet.await_all_ready(kube, count, seconds=_PATIENCE)
    observed = operator.passes()
    wait_for(lambda: operator.passes() - observed >= count, 10 * options.interval, "one pass of every resource", 0.5)
    audit = world.cluster.audit_position()
    world.control.log.clear()
    passes, cpu, began = operator.passes(), operator.cpu_seconds(), time.monotonic()
    say(f"watching {options.intervals} intervals of {options.interval} s")
    await asyncio.sleep(options.intervals * options.interval)
    cpu, lasted, passes = operator.cpu_seconds() - cpu, time.monotonic() - began, operator.passes() - passes
    calls = requests.azure_calls(world.control.log.requests())
    writes = Counter(requests.named(event) for event in requests.operators(world.cluster, audit) if event.is_write)
    writes["Azure and vaults"] += calls.writes
    world.stop_operator()
    return _Fleet(count, ready_after, ready_cpu, 1000 * cpu / passes, passes, lasted, calls, writes)
