"""One rotation of a key that many Deployments use: the operator's calls, writes and memory."""

import asyncio
import time
from collections import Counter
from pathlib import Path

from benchmarks import consumers, requests
from benchmarks.figures import Figures, say
from benchmarks.kube import client
from benchmarks.options import Options
from benchmarks.stage import stage, start_operator
from sandbox.world import Team, World
from secure_redis.api import names

_CACHE = "orders"
_AT_ONCE = 10  # the default, one, is measured by the group `rollout`
_PATIENCE = 1800.0  # seconds


def measure(hosts: Path, options: Options, figures: Figures) -> None:
    """Measure all figures of this group."""
    with stage(hosts, redis=False, pods=True) as world:
        team = world.team("rotation")
        consumers.seed(world, team, _CACHE)
        asyncio.run(_measure(world, team, options, figures))


async def _measure(world: World, team: Team, options: Options, figures: Figures) -> None:
    count = options.consumers
    async with client(world.cluster.kubeconfig) as kube:
        say(f"creating {count} Deployments of one pod")
        documents = [consumers.deployment(team, f"app-{n:03}", _CACHE, 1) for n in range(count)]
        await consumers.create(kube, documents)
        async with consumers.watching(kube, team.namespace) as found:
            everyone = sorted(found.bodies)
            await found.until(lambda: all(found.rolled(name) for name in everyone), _PATIENCE, "the pods to run")
            say("injecting them")
            world.apply(consumers.resource(world, team, _CACHE, at_once=_AT_ONCE))
            operator = start_operator(world)
            # Read seldom: every request to this machine's API server costs the operator time.
            await consumers.await_current(kube, team, _CACHE, _PATIENCE, interval=1)
            injected = operator.peak_memory()
            await asyncio.sleep(2)  # what followed the last status
            say("the rotation")
            audit, azure, cpu = world.cluster.audit_position(), world.control.log.position(), operator.cpu_seconds()
            began = time.monotonic()
            version = consumers.store_other_key(world, team, _CACHE)
            await consumers.refresh(kube, team, _CACHE)
            await found.until_all_hold(names.version_annotation(_CACHE), version, _PATIENCE)
            await consumers.await_current(kube, team, _CACHE, _PATIENCE, version=version, interval=1)
            lasted = time.monotonic() - began
            cpu = operator.cpu_seconds() - cpu
            await asyncio.sleep(1)  # the audit log of the last requests
        events = requests.operators(world.cluster, audit)
        calls = requests.azure_calls(world.control.log.requests(azure))
    name = f"rotation of a key of {count} Deployments"
    figures.report(
        f"{name}: time",
        lasted,
        "s",
        compared_to=f"{_AT_ONCE} Deployments at once, each with one pod of `sleep`, a real process on one node; the "
        f"operator used {cpu:.1f} s of processor time",
    )
    writes = Counter(requests.named(event) for event in events if event.is_write)
    workloads = writes["patch deployments"]
    figures.report(
        f"{name}: writes to workloads",
        workloads,
        "requests",
        target=count,
        compared_to=f"one for each; and {_listed(writes - Counter({'patch deployments': workloads}))}",
    )
    figures.report(f"{name}: other writes per Deployment", (writes.total() - workloads) / count, "requests")
    reads = Counter(_read(event.verb, requests.named(event)) for event in events if not event.is_write)
    figures.report(
        f"{name}: API server reads per Deployment", reads.total() / count, "requests", compared_to=_listed(reads)
    )
    figures.report(
        f"{name}: Azure calls",
        calls.total,
        "requests",
        compared_to=f"tokens {calls.tokens}, list pages {calls.list_pages}, version checks {calls.versions}, values "
        f"{calls.values}, listKeys {calls.list_keys}, writes {calls.writes}, others {calls.other}",
    )
    figures.report(
        f"{name}: peak memory",
        operator.peak_memory(),
        "MiB",
        compared_to=f"VmHWM; {injected:.0f} MiB when all were injected",
    )


def _read(verb: str, name: str) -> str:
    # A rehearsal is a patch that stores nothing.
    return name if verb in ("get", "list") else f"{name} (nothing stored)"


def _listed(counts: "Counter[str]") -> str:
    return ", ".join(f"{number} {name}" for name, number in counts.most_common()) or "nothing else"
