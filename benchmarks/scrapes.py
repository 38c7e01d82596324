"""400 clients ask for /metrics without end: does the leader stay, are the probes answered, how late is its loop?"""

import asyncio
import threading
import time
import urllib.request
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from benchmarks import fleet
from benchmarks.figures import Figures, percentile, say
from benchmarks.kube import client
from benchmarks.options import Options
from benchmarks.process import OperatorProcess
from benchmarks.stage import stage, start_operator
from sandbox.chart.render import RELEASE_NAMESPACE
from sandbox.world import World

CLIENTS: Final = 400
_LAG: Final = "secureredis_event_loop_lag_seconds"
_LEASE: Final = {
    "apiVersion": "coordination.k8s.io/v1",
    "kind": "Lease",
    "metadata": {"name": "secure-redis-operator", "namespace": RELEASE_NAMESPACE},
}


def measure(hosts: Path, options: Options, figures: Figures) -> None:
    """Measure with a fifth of the resources, without authentication, and with the shipped Lease (15 s and 10 s)."""
    with stage(hosts, redis=False) as world:
        members = fleet.build(world, options, options.resources // 5, keys=False)
        spec: dict[str, Any] = {"transport": {"probe": "Disabled"}, "drift": {"intervalSeconds": options.interval}}
        documents = [world.resource(member.team, member.name, **spec) for member in members]
        asyncio.run(_measure(world, options, documents, figures))


async def _measure(world: World, options: Options, documents: list[dict[str, Any]], figures: Figures) -> None:
    async with client(world.cluster.kubeconfig) as kube:
        await fleet.create(kube, documents)
        operator = start_operator(world)
        await fleet.await_all_ready(kube, len(documents), seconds=600)
    seconds = float(options.intervals * options.interval // 5)
    leader = _leader(world)
    await asyncio.to_thread(_report, figures, "at rest", operator, await _lags(operator, seconds))
    say(f"{CLIENTS} clients scrape for {seconds:.0f} s")
    answers: dict[bytes, int] = {}
    probes: list[float] = []
    scraping = [asyncio.create_task(_scrape(operator.port, answers)) for _ in range(CLIENTS)]
    stop = threading.Event()
    probing = asyncio.create_task(asyncio.to_thread(_probe, operator.port, stop, probes))
    try:
        lags = await _lags(operator, seconds)
    finally:
        stop.set()
        for task in scraping:
            task.cancel()
        await asyncio.gather(*scraping, return_exceptions=True)
        await probing
    _report(figures, f"under {CLIENTS} scrapers", operator, lags)
    after = _leader(world)
    what = ", ".join(f"{number} {status.decode()}" for status, number in sorted(answers.items()))
    figures.report(
        f"changes of the leader under {CLIENTS} scrapers",
        0 if after == leader else 1,
        "changes",
        target=0,
        compared_to=f"{len(documents)} resources, {seconds:.0f} s, the shipped Lease; answers: {what}",
    )
    figures.report(
        f"longest probe under {CLIENTS} scrapers",
        max(probes),
        "s",
        target=5.0,
        compared_to=f"of {len(probes)}; median {percentile(probes, 0.5):.3f} s; the kubelet waits 5 s",
    )


def _leader(world: World) -> tuple[object, object]:
    spec = (world.api.find(_LEASE) or {}).get("spec") or {}
    return spec.get("holderIdentity"), spec.get("leaseTransitions")


async def _lags(operator: OperatorProcess, seconds: float) -> dict[float, float]:
    """Return how many of the loop's timers were late by no more than each bound, within so many seconds."""
    before = await asyncio.to_thread(_counts, operator)
    await asyncio.sleep(seconds)
    after = await asyncio.to_thread(_counts, operator)
    return {bound: after[bound] - before[bound] for bound in after}


def _counts(operator: OperatorProcess) -> dict[float, float]:
    """Read the histogram. A refused scrape is repeated, as Prometheus does."""
    while True:
        with suppress(OSError):
            return operator.histogram(_LAG)
        time.sleep(0.1)


def _report(figures: Figures, when: str, operator: OperatorProcess, lags: dict[float, float]) -> None:
    total = max(lags.values())
    longest = min(bound for bound, count in lags.items() if count >= total)
    shares = ", ".join(f"{count / total:.1%} within {bound:g} s" for bound, count in lags.items() if bound <= longest)
    figures.report(
        f"event loop lag {when}: all timers within",
        longest,
        "s",
        target=1.0,
        compared_to=f"{total:.0f} timers; {shares}; memory {operator.memory():.0f} MiB",
    )


async def _scrape(port: int, answers: dict[bytes, int]) -> None:
    while True:
        with suppress(OSError):
            head = (await _exchange(port, "/metrics"))[9:12] or b"closed"
            answers[head] = answers.get(head, 0) + 1
        await asyncio.sleep(0)


def _probe(port: int, stop: threading.Event, seconds: list[float]) -> None:
    """Ask as the kubelet does: a new connection each time, with an immediate request. Infinite: no answer of 200."""
    while not stop.wait(0.5):
        began = time.monotonic()
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz", timeout=5):
                seconds.append(time.monotonic() - began)
        except OSError:
            seconds.append(float("inf"))


async def _exchange(port: int, path: str) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
        return await reader.read()
    finally:
        writer.close()
