"""Streams of Secrets on a real API server: tampering wakes, own writes do not, no permission means no stream."""

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
from pydantic import SecretBytes

from sandbox.waiting import PATIENCE
from secure_redis.api import names
from secure_redis.api.resource import Key, SecureRedisCache
from secure_redis.domain.observe.secret import SecretFacts
from secure_redis.domain.observe.unknown import Unknown
from secure_redis.domain.plan.actions import ApplySecret, CreateSecret
from secure_redis.kube.client import ApiFailure, KubeClient, connect
from secure_redis.kube.secrets import Secrets
from secure_redis.kube.watches import SecretWatches, WatchMode
from tests.integration.components.conftest import consent
from tests.kube import Kube


class Woken:
    def __init__(self) -> None:
        self.keys: list[Key] = []
        self._changed = asyncio.Event()

    def __call__(self, key: Key) -> None:
        self.keys.append(key)
        self._changed.set()

    async def next(self) -> Key:
        async with asyncio.timeout(PATIENCE):
            while not self.keys:
                self._changed.clear()
                await self._changed.wait()
        return self.keys.pop(0)


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(PATIENCE):
        while not condition():  # noqa: ASYNC110 - the store has no event to wait for
            await asyncio.sleep(0.02)


class Counting:
    """Counts requests by method."""

    def __init__(self) -> None:
        self.methods: list[str] = []

    def __call__(self, method: str, status: int, seconds: float) -> None:
        self.methods.append(method)


@pytest.fixture
def counting() -> Counting:
    return Counting()


@pytest.fixture
async def counted(kubeconfig: Path, counting: Counting) -> AsyncIterator[KubeClient]:
    client = KubeClient(await connect(kubeconfig), on_request=counting)
    yield client
    await client.close()


@pytest.fixture
def woken() -> Woken:
    return Woken()


@pytest.fixture
async def secrets(counted: KubeClient) -> Secrets:
    return Secrets(counted)


@pytest.fixture
async def watches(counted: KubeClient, secrets: Secrets, woken: Woken) -> AsyncIterator[SecretWatches]:
    watching = SecretWatches(counted, secrets.store, woken, denied_retry=0.2, jitter=lambda seconds: seconds)
    watching.all_introduced()
    yield watching
    await watching.stop()


def serve(watches: SecretWatches, owner: SecureRedisCache, name: str = "orders") -> None:
    """The operator knows the resource."""
    meta = {"namespace": owner.key.namespace, "name": owner.key.name, "uid": owner.uid}
    watches.serve({"metadata": meta, "spec": {"connection": {"secretName": name}}})


async def publish(secrets: Secrets, owner: SecureRedisCache, name: str = "orders") -> SecretFacts:
    labels = {names.MANAGED_BY: names.MANAGER, names.CACHE_LABEL: owner.key.name}
    made = await secrets.create(owner, CreateSecret(name, {"password": SecretBytes(b"p")}, labels, {}))
    assert isinstance(made, SecretFacts), made
    return made


async def test_tampering_wakes_and_what_is_watched_is_not_asked_for(
    watches: SecretWatches,
    secrets: Secrets,
    woken: Woken,
    counting: Counting,
    make: Callable[..., SecureRedisCache],
    kube: Kube,
) -> None:
    owner = make()
    namespace = owner.key.namespace
    await watches.start()
    serve(watches, owner)
    watches.set_namespaces({namespace})
    await until(lambda: secrets.store.synced(namespace))
    made = await publish(secrets, owner)
    labels = {names.MANAGED_BY: names.MANAGER, names.CACHE_LABEL: owner.key.name}
    await secrets.apply(owner, ApplySecret("orders", made.uid, {"password": SecretBytes(b"q")}, labels, {}))

    before = counting.methods.count("GET")
    read = await secrets.read(namespace, "orders")
    assert isinstance(read, SecretFacts)
    assert read.data["password"].get_secret_value() == b"q"
    assert counting.methods.count("GET") == before, "what the watch keeps current is not asked for"

    woken.keys.clear()  # the stream may report the test's own write before its answer arrives
    kube.patch("Secret", "orders", {"metadata": {"annotations": {"tampered": "1"}}}, namespace)
    assert await woken.next() == owner.key
    kube.delete("Secret", "orders", namespace)
    assert await woken.next() == owner.key
    assert await secrets.read(namespace, "orders") is None


async def test_a_secret_that_loses_our_label_is_noticed_and_still_read(
    watches: SecretWatches, secrets: Secrets, woken: Woken, make: Callable[..., SecureRedisCache], kube: Kube
) -> None:
    owner = make()
    namespace = owner.key.namespace
    await watches.start()
    serve(watches, owner)
    watches.set_namespaces({namespace})
    await until(lambda: secrets.store.synced(namespace))
    await publish(secrets, owner)
    kube.patch("Secret", "orders", {"metadata": {"labels": {names.MANAGED_BY: "someone"}}}, namespace)
    assert await woken.next() == owner.key
    await until(lambda: secrets.store.get(namespace, "orders") is None)
    read = await secrets.read(namespace, "orders")
    assert isinstance(read, SecretFacts)
    assert read.labels[names.MANAGED_BY] == "someone"


async def test_streams_follow_namespaces_and_consent(
    watches: SecretWatches,
    secrets: Secrets,
    woken: Woken,
    make: Callable[..., SecureRedisCache],
    new_namespace: Callable[..., str],
    kube: Kube,
) -> None:
    unbound = new_namespace()
    owner = make(namespace=unbound)
    await watches.start()
    serve(watches, owner)
    watches.set_namespaces({unbound})
    assert isinstance(await secrets.read(unbound, "orders"), Unknown)
    assert not secrets.store.synced(unbound)
    kube.create(consent(unbound))
    await until(lambda: secrets.store.synced(unbound))
    await publish(secrets, owner)
    kube.patch("Secret", "orders", {"metadata": {"annotations": {"tampered": "1"}}}, unbound)
    assert await woken.next() == owner.key
    watches.set_namespaces(set())
    assert not secrets.store.synced(unbound)


async def test_one_stream_for_the_cluster_where_that_is_allowed(
    control_plane_kubeconfig: Path, make: Callable[..., SecureRedisCache], kube: Kube, woken: Woken
) -> None:
    client = KubeClient(await connect(control_plane_kubeconfig))
    secrets = Secrets(client)
    watching = SecretWatches(client, secrets.store, woken)
    try:
        watching.all_introduced()
        await watching.start()
        await until(lambda: secrets.store.synced("any-namespace"))
        owner = make()
        serve(watching, owner)
        await publish(secrets, owner)
        kube.patch("Secret", "orders", {"metadata": {"annotations": {"tampered": "1"}}}, owner.key.namespace)
        assert await woken.next() == owner.key
    finally:
        await watching.stop()
        await client.close()


async def test_switched_off_nothing_is_watched(
    counted: KubeClient, secrets: Secrets, woken: Woken, counting: Counting, bound: str
) -> None:
    watching = SecretWatches(counted, secrets.store, woken, mode=WatchMode.NONE)
    watching.all_introduced()
    await watching.start()
    watching.set_namespaces({bound})
    assert await secrets.read(bound, "orders") is None
    assert not secrets.store.synced(bound)
    assert counting.methods == ["GET"]
    await watching.stop()


async def test_a_watch_starts_where_the_list_ended(client: KubeClient, bound: str, kube: Kube) -> None:
    path = f"/api/v1/namespaces/{bound}/secrets"
    listed = await client.list(path)
    for name in ("a", "b"):
        kube.create({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name, "namespace": bound}})
    observed: list[tuple[str, str]] = []
    async with asyncio.timeout(PATIENCE):
        async for kind, body in client.watch(path, resource_version=listed.resource_version):
            observed.append((kind, body["metadata"]["name"]))
            if len(observed) == 2:
                break
    assert observed == [("ADDED", "a"), ("ADDED", "b")]


async def test_a_stream_that_falls_silent_is_given_up(client: KubeClient, bound: str) -> None:
    path = f"/api/v1/namespaces/{bound}/secrets"
    listed = await client.list(path)
    with pytest.raises(ApiFailure) as caught:
        async for _ in client.watch(path, resource_version=listed.resource_version, inactivity=0.3):
            pass
    assert caught.value.reason == "Timeout"
