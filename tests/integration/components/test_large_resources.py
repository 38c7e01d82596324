"""kopf gets large resources in small pages and without what no one reads, from a real API server.

It fails if a version of kopf reads its answers in a way that `kube.kopf_session` does not bound.
"""

import asyncio
import json
import threading
import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from sandbox.waiting import PATIENCE
from secure_redis import controller
from secure_redis.api import names
from secure_redis.kube.answers import PAGE
from secure_redis.kube.client import connect
from secure_redis.kube.resource_bodies import LARGEST, is_partial
from secure_redis.kube.streams import Streams
from tests.integration.components.conftest import RESOURCE_ID
from tests.kube import Kube

MIB = 1024 * 1024
# Nothing bounds labels but the size of the object.
LABELS = {f"example.com/{'l' * 50}-{number:05}": "v" * 60 for number in range(7000)}


def large(namespace: str, name: str, **spec: Any) -> dict[str, Any]:
    metadata = {"name": name, "namespace": namespace, "labels": LABELS}
    body = {"apiVersion": names.API_VERSION, "kind": names.KIND, "metadata": metadata}
    return {**body, "spec": {"resourceID": RESOURCE_ID, **spec}}


class Delivered:
    """The bodies that kopf delivers, from its thread."""

    def __init__(self) -> None:
        self.bodies: dict[str, Any] = {}
        self._changed = threading.Condition()

    def __call__(self, kind: str | None, body: Any) -> None:
        with self._changed:
            self.bodies[body["metadata"]["name"]] = body
            self._changed.notify_all()

    def until(self, condition: Callable[[], bool]) -> None:
        with self._changed:
            assert self._changed.wait_for(condition, PATIENCE), sorted(self.bodies)


@contextmanager
def watching(kubeconfig: Path, namespace: str) -> Iterator[Delivered]:
    delivered, flag = Delivered(), controller.StopFlag()
    configuration = asyncio.run(_configuration(kubeconfig))
    thread = threading.Thread(
        target=controller.watch, args=(delivered, configuration, [namespace], flag, Streams()), daemon=True
    )
    thread.start()
    try:
        yield delivered
    finally:
        flag.set()
        thread.join(PATIENCE)
        assert not thread.is_alive()


async def _configuration(kubeconfig: Path) -> Any:
    api = await connect(kubeconfig)
    await api.close()  # type: ignore[no-untyped-call]
    return api.configuration


def test_large_resources_are_delivered_small_and_one_at_a_time(kubeconfig: Path, bound: str, kube: Kube) -> None:
    for number in range(6):
        kube.create(large(bound, f"large-{number:02}"))
    length = len(json.dumps(kube.get(names.KIND, "large-00", bound, names.API_VERSION)))
    assert length > MIB, "the API server takes it"
    tracemalloc.start()
    try:
        with watching(kubeconfig, bound) as delivered:
            delivered.until(lambda: len(delivered.bodies) == 6)
            _, peak = tracemalloc.get_traced_memory()
            assert {len(json.dumps(body)) < 4096 for body in delivered.bodies.values()} == {True}
            assert delivered.bodies["large-00"]["spec"]["resourceID"] == RESOURCE_ID
            # An edit of a large one, and a new one: lines of the watch.
            kube.patch(names.KIND, "large-00", {"spec": {"profile": "Strict"}}, bound, names.API_VERSION)
            delivered.until(lambda: delivered.bodies["large-00"]["spec"].get("profile") == "Strict")
            assert len(json.dumps(delivered.bodies["large-00"])) < 4096
            kube.create(large(bound, "later"))
            delivered.until(lambda: "later" in delivered.bodies)
            assert len(json.dumps(delivered.bodies["later"])) < 4096
    finally:
        tracemalloc.stop()
    assert peak < 10 * length, "as text, all of them have 6 times as much, and as objects some 30 times"


def test_a_large_spec_is_delivered_without_it_and_an_ordinary_one_whole(
    kubeconfig: Path, bound: str, kube: Kube
) -> None:
    workloads = [
        {
            "id": f"w{number}",
            "kind": "Deployment",
            "name": f"{'n' * 200}{number}",
            "containers": [f"{'c' * 60}{one}" for one in range(20)],
            "env": [{"name": f"{'E' * 100}_{one}", "key": "password"} for one in range(20)],
        }
        for number in range(50)
    ]
    vault = {"uri": "https://shop.vault.azure.net", "secretName": "orders"}
    kube.create(large(bound, "large", workloads=workloads, authentication={"keyVault": vault}))
    ordinary = large(bound, "ordinary", connection={"labels": {"team": "shop"}})
    ordinary["metadata"].pop("labels")
    kube.create(ordinary)
    with watching(kubeconfig, bound) as delivered:
        delivered.until(lambda: len(delivered.bodies) == 2)
        body = delivered.bodies["large"]
        assert is_partial(body)
        assert len(json.dumps(body)) < LARGEST
        assert "workloads" not in body["spec"]
        whole = delivered.bodies["ordinary"]
        assert not is_partial(whole)
        assert whole["spec"]["connection"]["labels"] == {"team": "shop"}


@pytest.mark.parametrize("count", [PAGE + 5])
def test_a_list_of_several_pages_is_delivered_whole(kubeconfig: Path, bound: str, kube: Kube, count: int) -> None:
    for number in range(count):
        body = large(bound, f"r{number:03}")
        body["metadata"].pop("labels")
        kube.create(body)
    with watching(kubeconfig, bound) as delivered:
        delivered.until(lambda: len(delivered.bodies) == count)
