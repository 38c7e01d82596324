"""Streams of workloads on a real API server: those that consent wake the resources they name, the others none."""

from collections.abc import AsyncIterator

import pytest

from sandbox.cluster import Cluster
from sandbox.waiting import PATIENCE, wait_for_async
from secure_redis.api import names
from secure_redis.api.resource import Key
from secure_redis.kube.client import KubeClient, connect
from secure_redis.kube.watches import WorkloadWatches
from tests.integration.components.workload_support import (
    KINDS,
    Document,
    document,
    workloads_on,
)
from tests.kube import Kube

__all__ = ["workloads_on"]


class Woken:
    """Which resources a stream has woken."""

    def __init__(self) -> None:
        self.keys: list[Key] = []

    def __call__(self, key: Key) -> None:
        self.keys.append(key)

    async def until(self, *keys: Key) -> None:
        async def told() -> bool:
            return set(keys) <= set(self.keys)

        await wait_for_async(told, PATIENCE, f"{keys} to be woken; {self.keys} were")
        self.keys.clear()


@pytest.fixture(params=["namespace", "cluster"])
async def woken(
    request: pytest.FixtureRequest, client: KubeClient, control_plane: Cluster, bound: str
) -> AsyncIterator[Woken]:
    """A stream with the operator's permissions in one namespace, or with an administrator's everywhere."""
    everywhere = request.param == "cluster"
    opened = KubeClient(await connect(control_plane.kubeconfig)) if everywhere else client
    told = Woken()
    watching = WorkloadWatches(opened, told, denied_retry=0.2, jitter=lambda seconds: seconds)
    watching.set_namespaces({bound})
    await watching.start()
    assert watching.everywhere is everywhere
    yield told
    await watching.stop()
    if everywhere:
        await opened.close()


@pytest.mark.parametrize("kind", KINDS)
async def test_a_consenting_workload_wakes_the_resources_it_names(
    woken: Woken, kube: Kube, bound: str, kind: str
) -> None:
    orders, sessions = Key(bound, "orders"), Key(bound, "sessions")
    silent = kube.create(document(kind, bound))
    made = kube.create(document(kind, bound, "orders"))
    await woken.until(orders)

    def change(patch: Document, target: Document = made) -> None:
        kube.patch(kind, target["metadata"]["name"], patch, bound, target["apiVersion"])

    change({"metadata": {"annotations": {names.RESOURCES: "sessions"}}})
    await woken.until(orders, sessions)
    change({"spec": {"jobTemplate": {"metadata": {"labels": {"a": "b"}}}} if kind == "CronJob" else {"template": {"metadata": {"labels": {"a": "b"}}}}})  # fmt: skip  # noqa: E501
    await woken.until(sessions)
    change({"metadata": {"labels": {names.INJECT: None}}})
    await woken.until(sessions)
    change({"metadata": {"labels": {names.INJECT: "true"}}})
    await woken.until(sessions)
    change({"metadata": {"annotations": {names.RESOURCES: "orders"}, "labels": {"x": "y"}}}, silent)
    change({"metadata": {"labels": {names.INJECT: "true"}}}, silent)
    await woken.until(orders)
    kube.delete(kind, made["metadata"]["name"], bound, made["apiVersion"])
    await woken.until(sessions)
