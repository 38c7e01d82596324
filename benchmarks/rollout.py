"""How long a new key takes to reach every pod, compared with the same waves by a plain client."""

import asyncio
import time
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from pathlib import Path

from benchmarks import consumers
from benchmarks.consumers import Deployments
from benchmarks.figures import Figures, middle, say
from benchmarks.kube import client
from benchmarks.options import Options
from benchmarks.stage import stage, start_operator
from sandbox.world import Team, World
from secure_redis.api import names
from secure_redis.kube.client import KubeClient

_PODS = 3
_PATIENCE = 900.0  # seconds
_PLAIN = "bench.test/restartedAt"


@dataclass(frozen=True, slots=True)
class _Kind:
    """A kind of pods: the seconds after which a new one counts as available (`minReadySeconds`)."""

    name: str
    ready_after: int
    description: str
    target: float | None


_KINDS = (
    _Kind("pods ready after a second", 1, "minReadySeconds 1, as of an application that takes a second to start", 1.2),
    # No container runtime is that fast: what is left is what the operator itself costs.
    _Kind("pods ready at once", 0, "ready as soon as the process runs, 0.1 s after the last one", None),
)


@dataclass(frozen=True, slots=True)
class _Sample:
    """Seconds since the key was stored, except `plain`: the sum of the plain client's waves."""

    moved: float
    current: float
    first: float  # until the first Deployment's template changed
    between: float  # median from one Deployment's end to the next one's beginning
    wave: float  # median of one Deployment's rollout
    plain: float
    plain_wave: float


def measure(hosts: Path, options: Options, figures: Figures) -> None:
    """Measure all figures of this group."""
    with stage(hosts, redis=False, pods=True) as world:
        for number, kind in enumerate(_KINDS):
            team, cache = world.team(f"rollout-{number}"), f"orders-{number}"
            consumers.seed(world, team, cache)
            asyncio.run(_measure(world, team, cache, kind, options, figures))
            world.stop_operator()


async def _measure(world: World, team: Team, cache: str, kind: _Kind, options: Options, figures: Figures) -> None:
    count = options.deployments
    rotations = options.rotations if kind.ready_after == 0 else 1  # the sum of a wave's waits does not vary
    async with client(world.cluster.kubeconfig) as kube:
        say(f"creating {count} Deployments of {_PODS} pods: {kind.name}")
        await consumers.create(
            kube,
            [
                consumers.deployment(team, f"app-{n:02}", cache, _PODS, ready_after=kind.ready_after)
                for n in range(count)
            ],
        )
        world.apply(consumers.resource(world, team, cache, at_once=count))
        async with consumers.watching(kube, team.namespace) as found:
            start_operator(world)
            await consumers.await_current(kube, team, cache, _PATIENCE)
            world.apply(consumers.resource(world, team, cache))  # from here on one after the other
            stage_of = _Stage(world, team, cache, kube, found)
            samples: list[_Sample] = []
            for number in range(rotations):
                say(f"rotation {number + 1} of {rotations}")
                samples.append(await _sample(stage_of, f"round-{number}"))
            _report(figures, samples, count, kind)
            world.api.delete(consumers.resource(world, team, cache)).must()
            for name, body in sorted(found.bodies.items()):  # its pods shall not disturb what follows
                path = f"/apis/apps/v1/namespaces/{team.namespace}/deployments/{name}"
                await kube.delete(path, uid=body["metadata"]["uid"])


@dataclass(frozen=True, slots=True)
class _Stage:
    world: World
    team: Team
    cache: str
    kube: KubeClient
    found: Deployments


async def _sample(on: _Stage, value: str) -> _Sample:
    await consumers.await_current(on.kube, on.team, on.cache, _PATIENCE)
    began = time.monotonic()
    version = consumers.store_other_key(on.world, on.team, on.cache)
    await consumers.refresh(on.kube, on.team, on.cache)
    moves = await on.found.until_all_hold(names.version_annotation(on.cache), version, _PATIENCE)
    moved = time.monotonic() - began
    await consumers.await_current(on.kube, on.team, on.cache, _PATIENCE, version=version)
    current = time.monotonic() - began
    say(f"moved after {moved:.1f} s; the same by a plain client, while the operator is stopped")
    on.world.stop_operator()
    waves = await _plain(on, value)
    say(f"the plain client took {sum(waves):.1f} s")
    start_operator(on.world)
    times = sorted((move.begun or 0.0, move.ended or 0.0) for move in moves.values())
    return _Sample(
        moved=moved,
        current=current,
        first=times[0][0] - began,
        between=middle([after[0] - before[1] for before, after in pairwise(times)]),
        wave=middle([ended - begun for begun, ended in times]),
        plain=sum(waves),
        plain_wave=middle(waves),
    )


async def _plain(on: _Stage, value: str) -> list[float]:
    """Do as `kubectl patch` and `kubectl rollout status`, one Deployment after the other. Returns seconds of each."""
    waves: list[float] = []
    for name in sorted(on.found.bodies):
        began = time.monotonic()
        body = {"spec": {"template": {"metadata": {"annotations": {_PLAIN: value}}}}}
        path = f"/apis/apps/v1/namespaces/{on.team.namespace}/deployments/{name}"
        on.found.take(await on.kube.patch(path, body, "strategic", field_manager="plain"))
        await on.found.until(partial(on.found.rolled, name), _PATIENCE, f"{name} to be rolled out")
        waves.append(time.monotonic() - began)
    return waves


def _report(figures: Figures, samples: list[_Sample], count: int, kind: _Kind) -> None:
    plain, moved = (sum(getattr(one, field) for one in samples) for field in ("plain", "moved"))
    name = f"Key Vault change to the last of {count} Deployments x {_PODS} on the new key, {kind.name}"
    figures.report(
        f"{name}: median of {len(samples)}",
        middle([one.moved for one in samples]),
        "s",
        compared_to=f"{kind.description}; pods of `sleep`, each a process; one Deployment after the other; a pass "
        "was requested (by itself the operator reads Key Vault once an interval); medians: a wave "
        f"{middle([o.wave for o in samples]):.2f} s, from one's end to the next one's beginning "
        f"{middle([o.between for o in samples]):.2f} s; until the first {middle([o.first for o in samples]):.2f} s",
    )
    figures.report(
        f"{name}: ratio to a plain client",
        moved / plain,
        "times",
        target=kind.target,
        compared_to=f"{plain / len(samples):.1f} s: the same pods, patched and awaited one Deployment after the other "
        "by a client that knows nothing else, in this run; a median wave "
        f"{middle([o.plain_wave for o in samples]):.2f} s",
    )
    figures.report(
        f"{name}: until the status says so",
        middle([one.current for one in samples]),
        "s",
        compared_to="WorkloadsCurrent: every pod started with the new key, and the old ones gone",
    )
