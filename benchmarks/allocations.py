"""Counts what the operator allocates for a resource, and compares it with the counts kept for this version of Python.

Counted in a process of its own that runs the real passes over answers that never differ, so that neither time nor
another process changes a count. Python has no counter of allocations that were freed again: what is counted is what a
resource at rest holds, and the most that a pass takes beside that.
"""

import asyncio
import gc
import json
import subprocess
import sys
import tracemalloc
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

from benchmarks import samples
from benchmarks.figures import Figures
from secure_redis.api.resource import Envelope, Key, key_of
from secure_redis.api.status import Status
from secure_redis.cli.pass_events import PassEvents
from secure_redis.domain.observe.observation import Observation
from secure_redis.domain.plan.brakes import BrakeLimits
from secure_redis.domain.plan.namespace_limits import NamespaceLimits
from secure_redis.domain.plan.types import Settings
from secure_redis.kube.secret_store import SecretStore
from secure_redis.kube.watches import SecretWatches
from secure_redis.reconciler.brakes import Brakes
from secure_redis.reconciler.namespace_limits import NamespaceMembers
from secure_redis.reconciler.reconcile import Reconciler
from secure_redis.schedule.schedule import Schedule
from secure_redis.telemetry.metrics import Metrics
from tests.builders.world import NOW

Body = Mapping[str, Any]

KEPT: Final = Path(__file__).with_name("results") / "allocations.json"
TOLERANCE: Final = 1.02  # of a kept count: a patch version of Python or of a library changes it a little
_BEFORE: Final = 20  # resources that fill what is made once
_COUNT: Final = 100  # the most of a namespace
_LATER: Final = NOW + timedelta(minutes=1)  # than what was observed: at that very time nothing is at rest


def measure(figures: Figures, *, keep: bool) -> None:
    """Report the counts. The target of each is the kept one and the tolerance; with `keep` these are kept."""
    program = [sys.executable, "-m", "benchmarks.allocations"]
    found = json.loads(subprocess.run(program, stdout=subprocess.PIPE, check=True).stdout)
    version = "{}.{}".format(*sys.version_info)
    kept = json.loads(KEPT.read_text())
    if keep:
        kept[version] = found
        KEPT.write_text(json.dumps(kept, indent=2, sort_keys=True) + "\n")
    compared_to = "the kept count and 2 %" if version in kept else f"nothing was kept for Python {version}"
    for name, value in found.items():
        target = kept[version][name] * TOLERANCE if version in kept else None
        unit = name.partition(" ")[0]
        figures.report(f"a resource at rest: {name}", value, unit, target=target, compared_to=compared_to)


class _World:
    """The operator around its passes, as `cli.run` connects it, and what answers it instead of Azure and Kubernetes."""

    def __init__(self) -> None:
        world: Any = self
        members, metrics = NamespaceMembers(NamespaceLimits()), Metrics()
        self._bodies: dict[Key, Body] = {}
        self._events = PassEvents(metrics, members, world)
        self.reconciler = Reconciler(
            settings=Settings(cluster_uid="cluster"),
            observer=world,
            executor=world,
            brakes=Brakes(BrakeLimits(), version="1", recorded=None, monotonic=lambda: 0.0, metrics=metrics),
            members=members,
            resources=world,
            secrets=world,
            events=world,
            now=lambda: _LATER,
            monotonic=lambda: 0.0,
            written=self._written,
        )
        schedule = Schedule(self.reconciler.run_pass, clock=lambda: 0.0)
        watches = SecretWatches(world, SecretStore(), lambda key: None)
        self._events.connect(schedule, self.reconciler, (watches,))

    async def rest(self, namespace: str, count: int) -> None:
        """Bring so many resources to rest.

        Raises:
            RuntimeError: a resource still has something to do after its second pass.

        """
        for number in range(count):
            body = samples.body(namespace, f"orders-{number}")
            key = key_of(body)
            self._events.delivered(None, body)
            await self.run_pass(key, body)
            last = self._bodies.pop(key)
            await self.run_pass(key, last)
            if await self.reconciler.check_steady(key, last["metadata"]["resourceVersion"]) is None:
                raise RuntimeError(f"{key} is not at rest")

    async def run_pass(self, key: Key, body: Body) -> None:
        """Run a whole pass."""
        await self.reconciler.run_pass(key, body, "Edit")

    def _written(self, key: Key, body: Body) -> None:
        self._bodies[key] = body
        self._events.written(key, body)

    # --- what the parts call --------------------------------------------------------------------------------------

    async def observe(self, *_: Any, attribute_drift: bool = True) -> Observation:
        return replace(samples.observation(), now=_LATER)

    async def write_status(self, resource: Envelope, status: Status) -> Body | None:
        if status == resource.status:
            return None
        body = samples.body(*resource.key)
        body["metadata"]["resourceVersion"] = "2"
        return {**body, "status": json.loads(json.dumps(status.document()))}

    async def emit(self, *_: Any) -> None: ...

    def unchanged(self, *_: Any) -> None: ...

    def served_elsewhere(self, _: Any) -> bool:
        return False

    unclaimed = served_elsewhere


async def _count() -> dict[str, float]:
    world = _World()
    await world.rest("before", _BEFORE)
    gc.collect()
    gc.disable()  # when it runs depends on all that was allocated before
    tracemalloc.start()
    blocks, size = sys.getallocatedblocks(), tracemalloc.get_traced_memory()[0]
    await world.rest("shop", _COUNT)
    gc.collect()
    blocks, size = sys.getallocatedblocks() - blocks, tracemalloc.get_traced_memory()[0] - size
    body = samples.body("before", "orders-0")
    tracemalloc.reset_peak()
    before = tracemalloc.get_traced_memory()[0]
    await world.run_pass(key_of(body), body)
    peak = tracemalloc.get_traced_memory()[1] - before
    return {
        "blocks that it holds": round(blocks / _COUNT, 1),
        "bytes that it holds": round(size / _COUNT),
        "bytes at the most that a pass takes beside them": peak,
    }


if __name__ == "__main__":
    print(json.dumps(asyncio.run(_count())))
