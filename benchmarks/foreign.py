"""Memory beside large objects of others, and past the lists of all resources: peaks, because they end a process."""

import asyncio
import base64
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from benchmarks import fleet
from benchmarks.figures import Figures, say
from benchmarks.kube import all_of, client
from benchmarks.options import Options
from benchmarks.process import OperatorProcess
from benchmarks.stage import stage, start_operator
from sandbox.waiting import wait_for
from sandbox.world import World
from secure_redis.api import names
from secure_redis.kube import paths
from secure_redis.kube.client import KubeClient

_PATIENCE: Final = 1800.0  # seconds
_RESYNC: Final = 30.0  # seconds between two lists of all resources; 600 as shipped
_RELISTS: Final = 3
_LIMIT: Final = 320  # MiB, the chart's memory limit
_LARGE: Final = base64.b64encode(os.urandom(1024 * 1024 - 8192)).decode()
_LABELS: Final = {f"example.com/{'l' * 50}-{number:05}": "v" * 60 for number in range(7000)}


def measure(hosts: Path, options: Options, figures: Figures) -> None:
    """Measure the memory with and without the objects of others, and past three lists."""
    peaks = {many: _beside(hosts, options, many) for many in (0, options.foreign)}
    quiet, beside = peaks[0], peaks[options.foreign]
    count, load = options.resources, os.getloadavg()[0]
    for name, at in (("at a start", 0), ("while it runs", 1)):
        figures.report(
            f"{count} resources beside {options.foreign} objects of 1 MiB: peak memory {name}",
            beside[at],
            "MiB",
            target=quiet[at] * 1.1,
            compared_to=f"{quiet[at]:.1f} MiB without them; VmHWM; the target is 10 % more; load {load:.1f}",
        )
    peak, lists = _past_lists(hosts, options.spread(2 * count), 2 * count)
    figures.report(
        f"{2 * count} resources past {lists:g} lists of all of them: peak memory",
        peak,
        "MiB",
        target=_LIMIT,
        compared_to=f"VmHWM; the chart's memory limit; a list every {_RESYNC:g} s; load {os.getloadavg()[0]:.1f}",
    )


def _beside(hosts: Path, options: Options, foreign: int) -> tuple[float, float]:
    """Return the peak of a process that starts beside the objects, and that of one during which they are created."""
    with stage(hosts, redis=False, workloads=True) as world:
        documents = [fleet.document(world, one) for one in fleet.build(world, options)]
        return asyncio.run(_run(world, documents, foreign))


async def _run(world: World, documents: list[dict[str, Any]], foreign: int) -> tuple[float, float]:
    async with client(world.cluster.kubeconfig, requests=8) as kube:
        await fleet.create(kube, documents)
        running = start_operator(world)
        await fleet.await_all_ready(kube, len(documents), seconds=_PATIENCE)
        say(f"creating {foreign} large objects")
        namespace = documents[0]["metadata"]["namespace"]
        await all_of((_create(kube, namespace, number) for number in range(foreign)), parallel=4)
        _settle(running)
        during = running.peak_memory()
        world.stop_operator()
        again = start_operator(world)
        wait_for(lambda: _passes(again) >= len(documents), _PATIENCE, "a pass of each resource", 1)
        _settle(again)
        return again.peak_memory(), during


async def _create(kube: KubeClient, namespace: str, number: int) -> None:
    path, body = list(_objects(namespace, number))[number % 4]
    await kube.create(path, body)


def _objects(namespace: str, number: int) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield a large Secret twice (with a public label and with a forged owner), a Deployment and a ServiceAccount."""
    name = f"foreign-{number}"
    labels = {names.MANAGED_BY: names.MANAGER}
    for uid in ("nobody", str(number)):
        metadata = {"name": name, "namespace": namespace, "labels": labels, "annotations": {names.SECRET_UID: uid}}
        secret = {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "type": names.SECRET_TYPE}
        yield paths.secrets(namespace), {**secret, "data": {"password": _LARGE}}
    env = [{"name": f"VARIABLE_{index:05}", "value": "v" * 200} for index in range(4000)]
    template = {
        "metadata": {"labels": {"app": name}},
        "spec": {"containers": [{"name": "c", "image": "c", "env": env}]},
    }
    yield (
        paths.workloads("Deployment", namespace),
        {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": {"name": name, "namespace": namespace, "labels": {names.INJECT: "true"}},
            "spec": {"replicas": 0, "selector": {"matchLabels": {"app": name}}, "template": template},
        },
    )
    metadata = {"name": name, "namespace": namespace, "labels": _LABELS}
    yield (
        f"/api/v1/namespaces/{namespace}/serviceaccounts",
        {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": metadata},
    )


def _passes(operator: OperatorProcess) -> float:
    try:
        return operator.passes()
    except OSError:
        return 0.0  # it does not serve its metrics yet


def _settle(operator: OperatorProcess) -> None:
    wait_for(lambda: operator.metric("secureredis_passes_waiting") == 0, 60, "the last passes to end")
    time.sleep(5)


def _past_lists(hosts: Path, options: Options, count: int) -> tuple[float, float]:
    """Return the peak of a process past some lists of `count` resources, and their number."""
    with stage(hosts, redis=False) as world:
        documents = [fleet.document(world, one) for one in fleet.build(world, options, count)]
        return asyncio.run(_list(world, documents))


async def _list(world: World, documents: list[dict[str, Any]]) -> tuple[float, float]:
    async with client(world.cluster.kubeconfig) as kube:
        await fleet.create(kube, documents)
        operator = start_operator(world, resyncSeconds=_RESYNC)
        await fleet.await_all_ready(kube, len(documents), seconds=_PATIENCE)
    say(f"waiting for {_RELISTS} lists of all resources")
    await asyncio.sleep((_RELISTS + 1) * _RESYNC)
    return operator.peak_memory(), _RELISTS
