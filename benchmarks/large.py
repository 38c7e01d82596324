"""A thousand resources: a cold start, the same work done by a bare client, and then the steady state."""

import asyncio
import json
import os
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

from benchmarks import budget, fleet, requests
from benchmarks.figures import Figures, say
from benchmarks.fleet import Member
from benchmarks.kube import client
from benchmarks.options import Options
from benchmarks.process import OperatorProcess, spy
from benchmarks.stage import stage, start_operator
from sandbox.chart.install import OPERATOR
from sandbox.chart.render import RELEASE_NAMESPACE, ROOT
from sandbox.processes import Child
from sandbox.waiting import wait_for
from sandbox.world import Team, World
from secure_redis.api import names
from secure_redis.cli.config_limits import Concurrency
from secure_redis.kube import paths

_PATIENCE = 900.0  # seconds
_OF_INTERVAL = 0.9  # how old a list may be, as a part of the interval (reconciler.observe.ages.Ages)


def measure(hosts: Path, options: Options, figures: Figures) -> None:
    """Measure all figures of both groups. The second continues where the first ended."""
    with stage(hosts, redis=False) as world:
        members = fleet.build(world, options)
        documents = [fleet.document(world, member) for member in members]
        operator, ready_after = asyncio.run(_cold(world, options, members, documents, figures))
        load = os.getloadavg()[0]
        if "steady" in options.groups:
            asyncio.run(_steady(world, options, members, documents, operator, figures))
        world.stop_operator()
        if "cold" in options.groups:
            bare = asyncio.run(_bare(world, members, documents))
            figures.report(
                "cold start: ratio to a bare client",
                ready_after / bare,
                "times",
                target=2.5,
                compared_to=f"{bare:.1f} s: a process that only creates {len(members)} Secrets and writes as many "
                "claims and statuses on equal objects, with the same client, rights and concurrency, in this run; "
                "worth something only where the machine was as busy "
                f"both times: load {load:.1f} and {os.getloadavg()[0]:.1f}",
            )


async def _cold(
    world: World, options: Options, members: list[Member], documents: list[dict[str, Any]], figures: Figures
) -> tuple[OperatorProcess, float]:
    async with client(world.cluster.kubeconfig) as kube:
        await fleet.create(kube, documents)
        audit, azure = world.cluster.audit_position(), world.control.log.position()
        say("starting the operator")
        began = time.monotonic()
        operator = start_operator(world)
        profile = spy(operator, options.spy, "cold", 20)
        await fleet.await_all_ready(kube, len(members), seconds=_PATIENCE)
        ready_after = time.monotonic() - began
    say(f"all Ready after {ready_after:.1f} s")
    cpu = operator.cpu_seconds()
    wait_for(lambda: operator.metric("secureredis_passes_waiting") == 0, 60, "the last passes to end")
    if profile is not None:
        profile.wait()
    if "cold" in options.groups:
        calls = requests.azure_calls(world.control.log.requests(azure))
        _report_cold(world, options, figures, operator, ready_after, cpu, calls, audit)
    return operator, ready_after


def _report_cold(
    world: World,
    options: Options,
    figures: Figures,
    operator: OperatorProcess,
    ready_after: float,
    cpu: float,
    calls: requests.AzureCalls,
    audit: int,
) -> None:
    count = options.resources
    figures.report(
        f"cold start: time until {count} resources are Ready",
        ready_after,
        "s",
        compared_to=f"from the process's start; the operator used {cpu:.1f} s of processor time, on a machine that "
        "simulates Azure with the same cores",
    )
    identities, pages = options.namespaces, fleet.list_pages(options, options.resources)
    figures.report(
        "cold start: Azure calls",
        calls.total,
        "requests",
        target=pages + count + count + 2 * identities,
        compared_to=f"list pages {pages} + 1 per secret + 1 listKeys per cache + 1 token per identity "
        f"and scope; not counted: {calls.challenges} challenges, the request that asks a vault for its tenant",
    )
    for name, kind, target in (
        ("list pages", calls.list_pages, pages),
        ("version checks", calls.versions, 0),
        ("values read", calls.values, count),
        ("listKeys", calls.list_keys, count),
        ("tokens", calls.tokens, 2 * identities),
        ("firewall rules", calls.children, 0),
        ("writes", calls.writes, 0),
        ("discovery", calls.discovery, 0),
        ("others", calls.other, 0),
    ):
        figures.report(f"cold start: Azure calls: {name}", kind, "requests", target=target)
    figures.report(
        "cold start: reads of what stands around caches",
        calls.surroundings,
        "requests",
        compared_to="not among the calls above: they begin a minute after the first look, and nothing waits for them",
    )
    events = requests.operators(world.cluster, audit)
    writes = Counter(requests.named(event) for event in events if event.is_write)
    figures.report(
        "cold start: API server writes per resource",
        writes.total() / count,
        "requests",
        target=3,
        compared_to=", ".join(f"{number} {name}" for name, number in writes.most_common()),
    )
    reads = Counter(requests.named(event) for event in events if not event.is_write)
    figures.report(
        "cold start: API server reads per resource",
        reads.total() / count,
        "requests",
        compared_to=", ".join(f"{number} {name}" for name, number in reads.most_common()),
    )
    figures.report("cold start: peak memory", operator.peak_memory(), "MiB", target=140, compared_to="VmHWM")


async def _steady(
    world: World,
    options: Options,
    members: list[Member],
    documents: list[dict[str, Any]],
    operator: OperatorProcess,
    figures: Figures,
) -> None:
    count, length = len(documents), options.interval
    began = time.monotonic()
    say("waiting until the governance of the caches is read")
    around = fleet.surroundings(members)
    wait_for(lambda: operator.metric("secureredis_observations") >= around, _PATIENCE, "all of it", 1)
    say(f"read after {time.monotonic() - began:.0f} s more")
    async with client(world.cluster.kubeconfig) as kube:
        say(f"shortening the interval to {length} s")
        await fleet.set_interval(kube, documents, length)
        await fleet.await_all_ready(kube, count, seconds=_PATIENCE)
    # The first passes after an edit all start at the same time; their jitter spreads the next ones.
    observed = operator.passes()
    wait_for(lambda: operator.passes() - observed >= count, 10 * length, "one pass of every resource", 0.5)
    passes = operator.passes()
    audit = world.cluster.audit_position()
    world.control.log.clear()  # thousands of requests by now: reading them would take a second
    cpu, began = operator.cpu_seconds(), time.monotonic()
    seconds = options.intervals * length
    profile = spy(operator, options.spy, "steady", seconds)
    say(f"watching {options.intervals} intervals of {length} s")
    await asyncio.sleep(seconds)
    cpu, lasted = operator.cpu_seconds() - cpu, time.monotonic() - began
    calls = requests.azure_calls(world.control.log.requests())
    events = requests.operators(world.cluster, audit)
    if profile is not None:
        profile.wait()
    await asyncio.sleep(1)  # passes that were under way when the calls were counted have ended
    passes = operator.passes() - passes
    writes = Counter(requests.named(event) for event in events if event.is_write)
    looks = passes / count  # how often each resource was reconciled: the real intervals
    what = f"{looks:.2f} looks at each of {count} resources in {lasted:.0f} s"
    figures.report(
        "steady state: writes",
        writes.total() + calls.writes,
        "requests",
        target=0,
        compared_to=f"{what}; to the API server, Azure and vaults; the Lease is not counted",
    )
    # The list that each may not have is remembered for an hour.
    pages = fleet.list_pages(options, options.resources) - (0 if options.wide else options.namespaces)
    walks_at_most = int(lasted / (_OF_INTERVAL * length)) + 1
    figures.report(
        "steady state: Azure list pages per interval",
        calls.list_pages / (lasted / length),
        "requests",
        target=round(pages * walks_at_most / (lasted / length), 3),
        compared_to=f"{pages:g} pages in one walk for every identity; a list may be {_OF_INTERVAL} intervals old, so "
        f"each is walked at most {walks_at_most} times in {lasted:.0f} s",
    )
    figures.report(
        "steady state: version checks per interval",
        calls.versions / looks,
        "requests",
        target=count,
        compared_to="one per distinct secret and identity; where the operator reads several secrets of a vault, pages "
        "of its list instead, three times an interval",
    )
    figures.report(
        "steady state: other Azure calls per interval",
        (calls.total - calls.list_pages - calls.versions - calls.children) / looks,
        "requests",
        target=0,
        compared_to=f"tokens {calls.tokens}, values {calls.values}, listKeys {calls.list_keys}, others {calls.other}",
    )
    figures.report("steady state: child resource reads per interval", calls.children / looks, "requests")
    figures.report(
        "steady state: reads of what stands around caches",
        calls.surroundings,
        "requests",
        compared_to=f"in {lasted:.0f} s; they are an hour old at most",
    )
    budget.report(figures, "steady state", -(-count // options.namespaces))
    reads = Counter(requests.named(event) for event in events if not event.is_write)
    figures.report(
        "steady state: API server reads per interval",
        reads.total() / looks,
        "requests",
        compared_to=", ".join(f"{number} {name}" for name, number in reads.most_common()),
    )
    figures.report("steady state: CPU per interval", cpu / looks, "s", target=0.5, compared_to=what)
    figures.report("steady state: memory", operator.memory(), "MiB", compared_to="VmRSS")


async def _bare(world: World, members: list[Member], documents: list[dict[str, Any]]) -> float:
    """Return the seconds that the bare client takes, from its process's start to its end."""
    prefix = "bare-"
    teams: dict[str, Team] = {}
    for member in members:
        if member.team.name not in teams:
            teams[member.team.name] = world.team(f"{prefix}{member.team.name}")
    sample = documents[0]
    async with client(world.cluster.kubeconfig) as kube:
        found = await kube.get(paths.resource(sample["metadata"]["namespace"], sample["metadata"]["name"]))
        secret = await kube.get(paths.secret(sample["metadata"]["namespace"], found["status"]["binding"]["name"]))
        copies = [
            {**one, "metadata": {**one["metadata"], "namespace": f"{prefix}{one['metadata']['namespace']}"}}
            for one in documents
        ]
        await fleet.create(kube, copies)
    concurrency = Concurrency()
    plan = {
        "kubeconfig": str(world.cluster.service_account_kubeconfig(RELEASE_NAMESPACE, OPERATOR)),
        "prefix": prefix,
        "passes": concurrency.passes,
        "requests": concurrency.kubernetes_requests,
        "status": found["status"],
        "claim": found["metadata"]["annotations"][names.OPERATOR],
        "secret": {name: secret[name] for name in ("metadata", "type", "data")},
    }
    path = world.directory / "bare.json"
    path.touch(mode=0o600)
    path.write_text(json.dumps(plan))
    say("the bare client begins")
    began = time.monotonic()
    child = Child([sys.executable, "-m", "benchmarks.bare", str(path)], world.directory / "bare.log", cwd=ROOT)
    if child.wait(_PATIENCE) != 0:
        raise RuntimeError(f"the bare client failed:\n{child.tail()}")
    lasted = time.monotonic() - began
    say(f"the bare client took {lasted:.1f} s")
    return lasted
