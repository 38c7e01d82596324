"""A peer beside this operator: the same fleet, on the same machine, one after the other.

Each of the three runs (the operator, the peer as shipped, the peer with a raised client rate) has a control plane and a
simulated Azure of its own. They are built in the same way, and none finds what another one has left.
"""

import asyncio
import os
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Protocol

from benchmarks import fleet, requests
from benchmarks.external_secrets import ExternalSecrets
from benchmarks.figures import Figures, say
from benchmarks.fleet import Member
from benchmarks.kube import client, ready
from benchmarks.options import Options
from benchmarks.process import OperatorProcess, Process
from benchmarks.stage import RESOURCES, stage, start_operator
from sandbox.waiting import wait_for
from sandbox.world import World
from secure_redis.kube.client import KubeClient

SHIPPED: Final = "as shipped"
RAISED: Final = "raised rate"
RATES: Final[Mapping[str, Sequence[str]]] = {
    SHIPPED: (),
    RAISED: ("--concurrent=10", "--client-qps=1000", "--client-burst=1000"),
}
_PATIENCE: Final = 900.0  # seconds
_TRAILING: Final = 2.0  # seconds in which the last requests of a start arrive


class Contender(Protocol):
    """A measured program. `user` is its name in the audit log, `path` the collection of the objects that it serves."""

    @property
    def user(self) -> str:
        """Return its name in the audit log."""

    @property
    def path(self) -> str:
        """Return the collection of its objects."""

    def is_ready(self, body: dict[str, Any], /) -> bool:
        """Return whether the work on an object is done."""

    async def create(self, kube: KubeClient) -> None:
        """Create its objects."""

    def start(self) -> Process:
        """Start its process."""

    def stop(self) -> None:
        """End its process."""

    def looks(self) -> float:
        """Return how often it has checked an object, of all objects together, since its start."""

    async def prove(self, kube: KubeClient) -> None:
        """Raise RuntimeError if a Secret is not there."""

    async def rest(self, kube: KubeClient, seconds: int) -> None:
        """Let it come to rest, with an interval of so many seconds."""


class Operator:
    """This operator in a world."""

    user: Final = requests.OPERATOR_USER
    path: Final = RESOURCES

    def __init__(self, world: World, members: Sequence[Member]) -> None:
        self._world = world
        self._members = members
        self._documents = [fleet.document(world, member) for member in members]
        self._process: OperatorProcess | None = None

    @staticmethod
    def is_ready(body: dict[str, Any]) -> bool:
        """Return whether a resource is Ready for its generation."""
        return ready(body)

    async def create(self, kube: KubeClient) -> None:
        """Create one resource per member."""
        await fleet.create(kube, self._documents)

    def start(self) -> Process:
        """Start it as shipped."""
        self._process = start_operator(self._world)
        return self._process

    def stop(self) -> None:
        """End it."""
        self._world.stop_operator()

    def looks(self) -> float:
        """Return how many passes have ended: one for each check of a resource."""
        return self._running().passes()

    async def prove(self, kube: KubeClient) -> None:
        """Look for the Secret that each resource names."""
        bodies = (await kube.list(RESOURCES)).items
        named = {(one["metadata"]["namespace"], one["status"]["binding"]["name"]) for one in bodies}
        secrets = (await kube.list("/api/v1/secrets")).items
        held = {(one["metadata"]["namespace"], one["metadata"]["name"]) for one in secrets}
        if missing := named - held:
            raise RuntimeError(f"{len(missing)} Secrets are not there")

    async def rest(self, kube: KubeClient, seconds: int) -> None:
        """Wait until the caches' surroundings are read, and shorten the interval of all resources."""
        around = fleet.surroundings(self._members)
        process = self._running()
        wait_for(lambda: process.metric("secureredis_observations") >= around, _PATIENCE, "all around the caches", 1)
        await fleet.set_interval(kube, self._documents, seconds)

    def _running(self) -> OperatorProcess:
        if self._process is None:
            raise RuntimeError("the operator does not run")
        return self._process


@dataclass(frozen=True, slots=True)
class Measured:
    """The costs of one contender. At rest: for one check of each object."""

    cold: float  # seconds
    cpu: float  # seconds
    calls: int
    writes: int
    peak: float  # MiB
    rest_calls: float
    rest_cpu: float  # seconds
    rest_writes: float
    rest_memory: float  # MiB
    notes: Mapping[str, str]


# name, field, unit, the most that the operator may take of what the peer takes
_FIGURES: Final = (
    ("cold start: time until all are Ready", "cold", "s", 0.6),
    ("cold start: processor time", "cpu", "s", 1.0),
    ("cold start: Azure calls", "calls", "requests", None),
    ("cold start: API server writes", "writes", "requests", None),
    ("peak memory", "peak", "MiB", 1.0),
    ("at rest: Azure calls per interval", "rest_calls", "requests", 0.1),
    ("at rest: CPU per interval", "rest_cpu", "s", 0.1),
    ("at rest: API server writes per interval", "rest_writes", "requests", None),
    ("at rest: memory", "rest_memory", "MiB", 1.0),
)


def measure(hosts: Path, options: Options, figures: Figures) -> None:
    """Measure the operator, and then the peer with each of the rates."""
    if options.peer is None or options.peer_crds is None:
        raise RuntimeError("the group peer needs a peer's binary and its CRDs")
    say("measuring the operator")
    with stage(hosts, redis=False) as world:
        operator = asyncio.run(_run(Operator(world, fleet.build(world, options)), world, options))
    report(figures, "operator", operator)
    for rate, flags in RATES.items():
        say(f"measuring the peer, {rate}")
        with stage(hosts, redis=False, chart=False) as world:
            contender = ExternalSecrets(world, fleet.build(world, options), options.peer, flags)
            contender.install(options.peer_crds)
            peer = asyncio.run(_run(contender, world, options))
        report(figures, f"peer, {rate}", peer)
        compare(figures, operator, peer, rate)


def report(figures: Figures, who: str, measured: Measured) -> None:
    """Report what one contender took."""
    for name, field, unit, _ in _FIGURES:
        figures.report(f"{who}: {name}", getattr(measured, field), unit, compared_to=measured.notes.get(field))


def compare(figures: Figures, operator: Measured, peer: Measured, rate: str) -> None:
    """Report the operator's figures as parts of the peer's. Those of the raised rate have targets."""
    for name, field, unit, most in _FIGURES:
        ours, theirs = getattr(operator, field), getattr(peer, field)
        if theirs:
            figures.report(
                f"operator / peer, {rate}: {name}",
                ours / theirs,
                "times",
                target=most if rate == RAISED else None,
                compared_to=f"{ours:.3g} {unit} and {theirs:.3g} {unit}",
            )


async def _run(contender: Contender, world: World, options: Options) -> Measured:
    count = options.resources
    async with client(world.cluster.kubeconfig) as kube:
        await contender.create(kube)
        audit, azure = world.cluster.audit_position(), world.control.log.position()
        say("starting it")
        began = time.monotonic()
        process = contender.start()
        try:
            await fleet.await_all_ready(
                kube, count, seconds=_PATIENCE, path=contender.path, is_ready=contender.is_ready
            )
            cold, cpu = time.monotonic() - began, process.cpu_seconds()
            say(f"all Ready after {cold:.1f} s, with {cpu:.1f} s of processor time")
            await contender.prove(kube)
            await asyncio.sleep(_TRAILING)
            calls, called = _calls(world, azure)
            writes, written = _writes(world, contender, audit)
            peak = process.peak_memory()
            load = f"from the process's start; load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores"
            notes = {"cold": load, "calls": called, "writes": written, "peak": "VmHWM, until all were Ready"}

            say(f"waiting until it is at rest, with an interval of {options.interval} s")
            await contender.rest(kube, options.interval)
            looks = contender.looks()
            wait_for(lambda: contender.looks() - looks >= 2 * count, _PATIENCE, "two looks at each", 2)
            audit, azure, looks = world.cluster.audit_position(), world.control.log.position(), contender.looks()
            began, before = time.monotonic(), process.cpu_seconds()
            say(f"watching {options.intervals} intervals of {options.interval} s")
            await asyncio.sleep(options.intervals * options.interval)
            rest_cpu, lasted = process.cpu_seconds() - before, time.monotonic() - began
            rest_calls, called = _calls(world, azure)
            rest_writes, written = _writes(world, contender, audit)
            each = (contender.looks() - looks) / count
            what = f"for one look at each; {each:.2f} looks at each of {count} in {lasted:.0f} s"
            notes |= {
                "rest_calls": f"{what}; {called}",
                "rest_writes": f"{what}; {written or 'none'}",
                "rest_cpu": what,
            }
            notes |= {"rest_memory": "VmRSS"}
            return Measured(
                cold=cold,
                cpu=cpu,
                calls=calls,
                writes=writes,
                peak=peak,
                rest_calls=rest_calls / each,
                rest_cpu=rest_cpu / each,
                rest_writes=rest_writes / each,
                rest_memory=process.memory(),
                notes=notes,
            )
        finally:
            contender.stop()


def _calls(world: World, since: int) -> tuple[int, str]:
    """Count every request that the simulator received, challenges and reads of governance too."""
    found = world.control.log.requests(since)
    kinds = requests.azure_calls(found)
    named = {name: getattr(kinds, name) for name in requests.AzureCalls.__slots__}
    return len(found), ", ".join(f"{number} {name.replace('_', ' ')}" for name, number in named.items() if number)


def _writes(world: World, contender: Contender, since: int) -> tuple[int, str]:
    events = requests.operators(world.cluster, since, contender.user)
    counts = Counter(requests.named(event) for event in events if event.is_write)
    return counts.total(), ", ".join(f"{number} {name}" for name, number in counts.most_common())
