"""The time from apply to a working Secret: one resource at a time, on an idle, warmed-up operator."""

import asyncio
import base64
import ssl
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import redis.asyncio

from benchmarks import requests
from benchmarks.figures import Figures, middle, percentile, say
from benchmarks.kube import client, ready
from benchmarks.options import Options
from benchmarks.stage import new_cache, stage, start_operator
from sandbox.azure.seeds import seeds
from sandbox.waiting import wait_for_async
from sandbox.world import Team, World
from secure_redis.kube import paths
from secure_redis.kube.client import KubeClient

_WARM = 3
_QUIET = 0.25  # seconds without a request of the operator: it is idle


@dataclass(frozen=True, slots=True)
class _Sample:
    usable: float  # milliseconds from the apply call's beginning to the accepted AUTH
    applied: float  # of which the apply call itself
    kubernetes: Counter[str]  # requests until the Secret was there
    azure: requests.AzureCalls
    whole: int  # requests to the API server until the operator was idle again


class _Watch:
    """Watches the Secrets of a namespace."""

    def __init__(self, kube: KubeClient, namespace: str) -> None:
        self._kube = kube
        self._namespace = namespace
        self._seen: dict[str, asyncio.Future[dict[str, Any]]] = {}

    def of(self, name: str) -> "asyncio.Future[dict[str, Any]]":
        return self._seen.setdefault(name, asyncio.get_running_loop().create_future())

    async def run(self) -> None:
        path = paths.secrets(self._namespace)
        version = (await self._kube.list(path)).resource_version
        while True:
            async for kind, body in self._kube.watch(path, resource_version=version):
                version = body["metadata"]["resourceVersion"]
                if kind == "ADDED" and not (observed := self.of(body["metadata"]["name"])).done():
                    observed.set_result(body)


def measure(hosts: Path, options: Options, figures: Figures) -> None:
    """Measure all figures of this group."""
    with stage(hosts, redis=True) as world:
        team = world.team("latency")
        names = [f"cache-{number:03}" for number in range(_WARM + options.samples)]
        say(f"seeding {len(names)} caches, each with a real redis-server")
        for name in names:
            cache = new_cache(team, name)
            world.control.seed(cache)
            world.control.keyvault.set_secret(team.name, name, seeds.SecretVersion(value=cache.primary_key or ""))
        start_operator(world)
        asyncio.run(_measure(world, team, names, figures))


async def _measure(world: World, team: Team, names: list[str], figures: Figures) -> None:
    async with client(world.cluster.kubeconfig) as kube:
        watch = _Watch(kube, team.namespace)
        watching = asyncio.create_task(watch.run())
        try:
            for name in names[:_WARM]:
                await _sample(world, team, name, kube, watch)
            say(f"measuring {len(names) - _WARM} times from apply to a working Secret")
            samples = [await _sample(world, team, name, kube, watch) for name in names[_WARM:]]
            floor = [await _floor(world, team, name, kube, watch) for name in names[_WARM:]]
        finally:
            watching.cancel()
    _report(figures, samples, floor)


async def _sample(world: World, team: Team, name: str, kube: KubeClient, watch: _Watch) -> _Sample:
    document = world.resource(team, name, key=name)
    path = paths.resource(team.namespace, name)
    audit, azure = world.cluster.audit_position(), world.control.log.position()
    appeared = watch.of(name)
    began = time.monotonic()
    await kube.patch(path, document, "apply", field_manager="author")
    applied = time.monotonic()
    secret = await asyncio.wait_for(appeared, 60)
    await _authenticate(secret)
    usable = time.monotonic()

    async def settled() -> bool:
        return ready(await kube.get(path))

    await wait_for_async(settled, 60, f"{name} to be Ready")
    await _idle(world)
    events = requests.operators(world.cluster, audit)
    published = next(e for e in events if requests.named(e) == "create secrets" and e.name == name and e.code == 201)
    moment = datetime.fromisoformat(published.at)
    until = [event for event in events if datetime.fromisoformat(event.at) <= moment]
    asked = [one for one in world.control.log.requests(azure) if one.time <= moment.timestamp()]
    return _Sample(
        usable=(usable - began) * 1000,
        applied=(applied - began) * 1000,
        kubernetes=Counter(requests.named(event) for event in until),
        azure=requests.azure_calls(asked),
        whole=len(events),
    )


async def _floor(world: World, team: Team, name: str, kube: KubeClient, watch: _Watch) -> float:
    """Create the same Secret under another name. Returns the time of watch and AUTH without an operator, in ms."""
    other = f"floor-{name}"
    source = await kube.get(paths.secret(team.namespace, name))
    body = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": other}}
    appeared = watch.of(other)
    began = time.monotonic()
    await kube.create(paths.secrets(team.namespace), {**body, "type": source["type"], "data": source["data"]})
    await _authenticate(await asyncio.wait_for(appeared, 60))
    return (time.monotonic() - began) * 1000


async def _authenticate(secret: Mapping[str, Any]) -> None:
    """Connect over verified TLS with only the Secret's data. Raises redis.RedisError if it fails."""
    data = {name: base64.b64decode(value).decode() for name, value in secret["data"].items()}
    connection = redis.asyncio.Redis(
        host=data["host"],
        port=int(data["port"]),
        password=data["password"],
        username=data.get("username") or None,
        ssl=True,
        ssl_ca_data=data["ca.crt"],
        ssl_cert_reqs="required",
        ssl_check_hostname=True,
        ssl_min_version=ssl.TLSVersion.TLSv1_2,
    )
    async with connection:
        await connection.ping()


async def _idle(world: World) -> None:
    """Wait until the operator has sent the API server no request for a while."""
    position, since = world.cluster.audit_position(), time.monotonic()

    async def quiet() -> bool:
        nonlocal position, since
        if requests.operators(world.cluster, position):
            position, since = world.cluster.audit_position(), time.monotonic()
        return time.monotonic() - since > _QUIET

    await wait_for_async(quiet, 60, "the operator to be idle")


def _report(figures: Figures, samples: list[_Sample], floor: list[float]) -> None:
    usable = [one.usable for one in samples]
    applied, without = middle([one.applied for one in samples]), middle(floor)
    name = "apply to Secret usable"
    figures.report(
        f"{name}: median of {len(samples)}",
        middle(usable),
        "ms",
        compared_to=f"{without:.0f} ms for the same watch and AUTH with a Secret that the client itself creates; "
        f"the apply call alone takes {applied:.0f} ms of the value",
    )
    figures.report(
        f"{name}: p99 of {len(samples)}",
        percentile(usable, 0.99),
        "ms",
        compared_to=f"{percentile(floor, 0.99):.0f} ms for a Secret that the client itself creates",
    )
    for what, counts, target, kinds in (
        ("API server", [one.kubernetes.total() for one in samples], 6, _kinds(samples)),
        ("Azure", [one.azure.total + one.azure.challenges for one in samples], 3, _azure_kinds(samples)),
    ):
        figures.report(
            f"round trips to {what} from apply to Secret: most of {len(samples)}",
            max(counts),
            "requests",
            target=target,
            compared_to=f"median {middle(counts):g}; the longest: {kinds}",
        )
    figures.report(
        "round trips to API server of the whole pass: median",
        middle([one.whole for one in samples]),
        "requests",
        compared_to="the status follows the Secret, and events where there is something to tell",
    )


def _kinds(samples: list[_Sample]) -> str:
    longest = max(samples, key=lambda one: one.kubernetes.total()).kubernetes
    return ", ".join(f"{count} {name}" for name, count in longest.items())


def _azure_kinds(samples: list[_Sample]) -> str:
    longest = max((one.azure for one in samples), key=lambda azure: azure.total + azure.challenges)
    return ", ".join(f"{getattr(longest, name)} {name}" for name in longest.__slots__ if getattr(longest, name))
