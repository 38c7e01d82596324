"""The first list of Secrets comes after the resources: it shows whose Secrets are kept."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

from secure_redis.api import names
from secure_redis.api.resource import Key
from secure_redis.kube import paths
from secure_redis.kube.client import Listed
from secure_redis.kube.history import History
from secure_redis.kube.secret_store import SecretStore
from secure_redis.kube.streams import Streams
from secure_redis.kube.watches import SecretWatches

ORDERS = Key("shop", "orders")


def secret(name: str, uid: str) -> dict[str, Any]:
    owner = {"kind": names.KIND, "name": "orders", "uid": uid, "controller": True, "apiVersion": names.API_VERSION}
    labels = {names.MANAGED_BY: names.MANAGER, names.CACHE_LABEL: "orders"}
    meta = {"name": name, "namespace": ORDERS.namespace, "uid": f"uid-{name}", "resourceVersion": "7"}
    return {"metadata": {**meta, "labels": labels, "ownerReferences": [owner]}, "type": names.SECRET_TYPE, "data": {}}


class Client:
    """An API server that gives every permission, in the place of a `KubeClient`."""

    def __init__(self, *secrets: dict[str, Any]) -> None:
        self.history, self.streams = History(), Streams()
        self.listed: list[str] = []
        self.watched = asyncio.Event()
        self._secrets = list(secrets)

    async def create(self, path: str, body: Any, *, fenced: bool) -> dict[str, Any]:
        assert path == paths.access_reviews()
        return {"status": {"allowed": True}}

    async def pages(self, path: str, query: Any) -> AsyncIterator[Listed]:
        self.listed.append(path)
        yield Listed(self._secrets, "9")

    async def watch(self, path: str, query: Any, *, resource_version: str) -> AsyncIterator[tuple[str, dict[str, Any]]]:
        self.watched.set()
        await asyncio.Event().wait()
        yield "", {}


async def test_secrets_are_listed_once_all_resources_are_introduced() -> None:
    client, store = Client(secret("former", "uid-orders"), secret("foreign", "uid-copied")), SecretStore()
    watching = SecretWatches(client, store, lambda key: None)  # type: ignore[arg-type]
    try:
        await watching.start()
        for _ in range(10):
            await asyncio.sleep(0)
        assert client.listed == []
        watching.introduce({"metadata": {"namespace": ORDERS.namespace, "name": ORDERS.name, "uid": "uid-orders"}})
        watching.all_introduced()
        await client.watched.wait()
        assert client.listed == [paths.secrets(None)], "the resources are not listed again"
        assert store.claimed_by(ORDERS, "uid-orders") == frozenset({"former"})
        assert store.versions(None) == {"shop/former": "7"}
    finally:
        await watching.stop()
