"""The costs of a resource in requests, bytes and allocations, compared with the counts that were kept.

They depend on no machine: how often the operator calls Azure and the API server, how many bytes it writes, and what it
allocates (`allocations`). A rise is a missed target, and `make bench-counts` fails with it.
"""

import asyncio
import json
from collections import Counter
from pathlib import Path
from typing import Any, Final

from benchmarks import allocations, fleet, requests
from benchmarks.figures import Figures, say
from benchmarks.kube import client
from benchmarks.options import Options
from benchmarks.stage import stage, start_operator
from sandbox.waiting import wait_for
from sandbox.world import World
from secure_redis.api.azure_ids import Service
from secure_redis.kube import paths
from secure_redis.kube.client import KubeClient

KEPT: Final = Path(__file__).with_name("results") / "counts.json"
_COUNT: Final = 20  # resources of each service
_PATIENCE: Final = 300.0  # seconds
_OF_A_RESOURCE: Final = ("securerediscaches", "secrets", "events")
_NEVER_AT_REST: Final = ("writes to the API server", "writes to Azure", "values of secrets", "listKeys")
_LATER: Final = 86_400.0  # seconds: the caches' surroundings are read at random moments, and not counted


def measure(hosts: Path, options: Options, figures: Figures) -> None:
    """Report the counts of each service. The target of each is the kept one; with `keep_counts` these are kept."""
    found = {service.name.lower(): _run(hosts, service) for service in Service}
    if options.keep_counts:
        KEPT.write_text(json.dumps(found, indent=2, sort_keys=True) + "\n")
    kept = json.loads(KEPT.read_text())
    for service, counts in found.items():
        for name, value in sorted(counts.items()):
            figures.report(
                f"{service}, for each resource: {name}",
                value,
                "bytes" if name.startswith("bytes") else "requests",
                target=kept[service].get(name, 0.0),
                compared_to="the kept count; make bench-counts KEEP=1 keeps this one",
            )
    allocations.measure(figures, keep=options.keep_counts)


def _run(hosts: Path, service: Service) -> dict[str, float]:
    with stage(hosts, redis=False) as world:
        return asyncio.run(_count(world, service))


async def _count(world: World, service: Service) -> dict[str, float]:
    """Count from the operator's start until nothing is left to do, and then during two passes over each resource."""
    options = Options(namespaces=2, vaults=2)
    members = fleet.build(world, options, _COUNT, mix=fleet.ONE_SERVICE[service])
    documents = [fleet.document(world, member) for member in members]
    for document in documents:
        # When an endpoint is probed depends on the clock.
        document["spec"] |= {"transport": {"probe": "Disabled"}, "drift": {"intervalSeconds": options.interval}}
    async with client(world.cluster.kubeconfig) as kube:
        await fleet.create(kube, documents)
        audit, azure = world.cluster.audit_position(), world.control.log.position()
        operator = start_operator(world, surroundingsSpreadSeconds=_LATER)
        await fleet.await_all_ready(kube, _COUNT, seconds=_PATIENCE)
        wait_for(lambda: operator.passes() >= 2 * _COUNT, _PATIENCE, "a second pass of each, which changes nothing")
        start = _requests(world, audit, azure)
        size = await _bytes(kube, documents)
    say("counting at rest")
    audit, azure, passes = world.cluster.audit_position(), world.control.log.position(), operator.passes()
    wait_for(lambda: operator.passes() >= passes + 2 * _COUNT, _PATIENCE, "two passes of each")
    rest = {name: number for name, number in _requests(world, audit, azure).items() if name in _NEVER_AT_REST}
    world.stop_operator()
    return {
        **{f"start: {name}": number / _COUNT for name, number in start.items()},
        **size,
        **{f"at rest: {name}": number / _COUNT for name, number in rest.items()},
    }


def _requests(world: World, audit: int, azure: int) -> dict[str, int]:
    """Count requests. Left out is what serves many resources and depends on time: tokens, lists, version checks."""
    events = requests.operators(world.cluster, audit)
    calls = requests.azure_calls(world.control.log.requests(azure))
    own = (event for event in events if event.resource in _OF_A_RESOURCE and event.verb != "list")
    return {
        **Counter(map(requests.named, own)),
        "writes to the API server": sum(event.is_write for event in events),
        "writes to Azure": calls.writes,
        "values of secrets": calls.values,
        "listKeys": calls.list_keys,
    }


async def _bytes(kube: KubeClient, documents: list[dict[str, Any]]) -> dict[str, float]:
    """Return the largest status and Secret as JSON, rounded up to 64 bytes: ports and versions differ in length."""
    status = secret = 0
    for document in documents:
        namespace, name = document["metadata"]["namespace"], document["metadata"]["name"]
        body = await kube.get(paths.resource(namespace, name))
        published = await kube.get(paths.secret(namespace, body["status"]["binding"]["name"]))
        status = max(status, _size(body["status"]))
        secret = max(secret, _size({part: published[part] for part in ("metadata", "data", "type")}))
    return {"bytes of the status": float(status), "bytes of the Secret": float(secret)}


def _size(body: object) -> int:
    return -(-len(json.dumps(body, separators=(",", ":"))) // 64) * 64
