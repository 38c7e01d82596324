"""Deployments that consume a cache's key, and the progress of their pods, read by a watch."""

import asyncio
import time
import uuid
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from benchmarks.kube import all_of
from benchmarks.stage import new_cache
from sandbox.azure.seeds import seeds
from sandbox.waiting import wait_for_async
from sandbox.world import Team, World
from secure_redis.api import names
from secure_redis.kube import paths
from secure_redis.kube.client import KubeClient
from secure_redis.kube.workloads import convert

IMAGE = "sandbox.test/sleep:1"  # a pod that costs nothing: what is measured is who waits for whom
_TIER = {"tier": "bench"}
_SLOTS = ("Primary", "Secondary")


def deployment(team: Team, name: str, cache: str, replicas: int, *, ready_after: int = 0) -> dict[str, Any]:
    """Return a Deployment that consents to the resource of that name. `ready_after`: seconds that a new pod takes."""
    labels = {"app": name}
    pod = {
        "containers": [{"name": "main", "image": IMAGE}],
        "terminationGracePeriodSeconds": 1,
        "automountServiceAccountToken": False,
    }
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {
            "name": name,
            "namespace": team.namespace,
            "labels": {**_TIER, names.INJECT: "true", "cache": cache},
            "annotations": {names.RESOURCES: cache},
        },
        "spec": {
            "replicas": replicas,
            "minReadySeconds": ready_after,
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": pod},
        },
    }


def resource(world: World, team: Team, cache: str, *, at_once: int = 1) -> dict[str, Any]:
    """Return a resource that injects every such Deployment of its team, so many in one wave."""
    uri = world.control.endpoints.vault_url(team.name)
    return world.resource(
        team,
        cache,
        authentication={
            "keyVault": {"uri": uri, "secretName": cache},
            "rotation": {"maxConcurrentWorkloads": at_once},
        },
        workloads=[
            {
                "id": "all",
                "kind": "Deployment",
                "selector": {"matchLabels": {**_TIER, "cache": cache}},
                "env": [{"name": "REDIS_URL", "key": "uri"}],
            }
        ],
    )


def seed(world: World, team: Team, cache: str) -> None:
    """Create the cache, and store its primary key in the team's vault."""
    made = new_cache(team, cache)
    world.control.seed(made)
    world.control.keyvault.set_secret(team.name, cache, seeds.SecretVersion(value=made.primary_key or ""))


def store_other_key(world: World, team: Team, cache: str) -> str:
    """Store the cache's other key in the vault's secret. Returns the new version."""
    stored = world.control.keyvault.secret_versions(team.name, cache)[-1].value
    keys = world.control.redis.keys(cache)
    other = next(keys[slot] for slot in _SLOTS if keys[slot] != stored)
    return world.control.keyvault.set_secret(team.name, cache, seeds.SecretVersion(value=other))


async def create(kube: KubeClient, documents: Sequence[Mapping[str, Any]]) -> None:
    """Create Deployments."""
    await all_of(
        kube.create(f"/apis/apps/v1/namespaces/{one['metadata']['namespace']}/deployments", one) for one in documents
    )


async def refresh(kube: KubeClient, team: Team, name: str) -> None:
    """Request a pass without cached reads, as a Key Vault event does."""
    annotations = {names.REFRESH: uuid.uuid4().hex}
    await kube.patch(
        paths.resource(team.namespace, name),
        {"metadata": {"annotations": annotations}},
        "merge",
        field_manager="author",
    )


def is_current(body: Mapping[str, Any], version: str | None = None) -> bool:
    """Return whether the status reports, for this generation, that all workloads use the key (of `version`)."""
    status = body.get("status") or {}
    if version is not None and (status.get("credential") or {}).get("keyVaultVersion") != version:
        return False
    return any(
        one["type"] == "WorkloadsCurrent"
        and one["status"] == "True"
        and one.get("observedGeneration") == body["metadata"]["generation"]
        for one in status.get("conditions") or ()
    )


async def await_current(
    kube: KubeClient, team: Team, name: str, seconds: float, *, version: str | None = None, interval: float = 0.05
) -> None:
    """Wait until the resource is current. Raises TimeoutError."""

    async def current() -> bool:
        return is_current(await kube.get(paths.resource(team.namespace, name)), version)

    await wait_for_async(current, seconds, f"the workloads of {name} to be current", interval)


@dataclass(slots=True)
class Move:
    """The times of a Deployment's template change and of its complete rollout, in seconds (monotonic)."""

    begun: float | None = None
    ended: float | None = None


@dataclass(slots=True)
class Deployments:
    """The current Deployments of one namespace; created by `watching`."""

    bodies: dict[str, dict[str, Any]] = field(default_factory=dict)
    _news: asyncio.Event = field(default_factory=asyncio.Event)

    def take(self, body: dict[str, Any]) -> None:
        """Accept a watch event."""
        self.bodies[body["metadata"]["name"]] = {"kind": "Deployment", **body}
        self._news.set()

    def rolled(self, name: str) -> bool:
        """Return whether `kubectl rollout status` would succeed."""
        return convert.workload(self.bodies[name], "").rolled

    def annotation(self, name: str, key: str) -> str | None:
        """Return an annotation of the pod template."""
        found = convert.template(self.bodies[name]).get("metadata", {}).get("annotations") or {}
        value: str | None = found.get(key)
        return value

    async def until(self, met: Callable[[], bool], seconds: float, what: str) -> None:
        """Wait until a condition is met, checked at every watch event. Raises TimeoutError."""
        try:
            async with asyncio.timeout(seconds):
                while not met():
                    self._news.clear()
                    await self._news.wait()
        except TimeoutError:
            raise TimeoutError(f"after {seconds:g} s still waiting for {what}") from None

    async def until_all_hold(self, key: str, value: str, seconds: float) -> dict[str, Move]:
        """Wait until every template has the annotation and is rolled out. Returns when each began and ended."""
        moves = {name: Move() for name in self.bodies}

        def met() -> bool:
            now = time.monotonic()
            for name, move in moves.items():
                if move.begun is None and self.annotation(name, key) == value:
                    move.begun = now
                if move.begun is not None and move.ended is None and self.rolled(name):
                    move.ended = now
            return all(move.ended is not None for move in moves.values())

        await self.until(met, seconds, f"{len(moves)} Deployments to hold {key}={value}")
        return moves


@asynccontextmanager
async def watching(kube: KubeClient, namespace: str) -> AsyncIterator[Deployments]:
    """Follow the Deployments of a namespace while the block runs."""
    path = f"/apis/apps/v1/namespaces/{namespace}/deployments"
    listed = await kube.list(path)
    found = Deployments()
    for body in listed.items:
        found.take(body)

    async def follow(version: str) -> None:
        while True:
            async for kind, body in kube.watch(path, resource_version=version):
                version = body["metadata"]["resourceVersion"]
                if kind in ("ADDED", "MODIFIED"):
                    found.take(body)

    task = asyncio.create_task(follow(listed.resource_version))
    try:
        yield found
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
