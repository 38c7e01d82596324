"""The Secrets of a resource where no watch covers the namespace: listed once, or read by the recorded names."""

from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest
from aiohttp import web
from kubernetes.aio.client.api_client import ApiClient
from kubernetes.aio.client.configuration import Configuration

from secure_redis.api import names
from secure_redis.api.resource import SecureRedisCache
from secure_redis.domain.observe.unknown import Unknown
from secure_redis.kube.client import KubeClient
from secure_redis.kube.secrets import OwnSecrets, Secrets
from tests.builders.passes import resource

ORDERS = resource(annotations={names.SECRETS: "orders,second"})
BOUND = resource(status={"binding": {"name": "first"}})


class Server:
    """Answers for the Secrets of one namespace. `code`: of every list."""

    def __init__(self) -> None:
        self.code = 200
        self.secrets: dict[str, dict[str, Any]] = {}
        self.requests: list[str] = []

    def add(self, name: str, uid: str = ORDERS.uid) -> None:
        owner = {"kind": names.KIND, "name": "orders", "uid": uid, "controller": True, "apiVersion": names.API_VERSION}
        labels = {names.MANAGED_BY: names.MANAGER, names.CACHE_LABEL: "orders"}
        meta: dict[str, Any] = {
            "name": name,
            "uid": f"uid-{name}",
            "resourceVersion": "7",
            "namespace": ORDERS.key.namespace,
        }
        annotations = {f"{names.GROUP}/uid": uid, names.SECRET_RESOURCE: "orders"}
        meta |= {"labels": labels, "ownerReferences": [owner], "annotations": annotations}
        self.secrets[name] = {"metadata": meta, "type": names.SECRET_TYPE}

    async def answer(self, request: web.Request) -> web.Response:
        name = request.path.rpartition("/secrets")[2].removeprefix("/")
        self.requests.append(name or "list")
        code = self.code if not name else 200 if name in self.secrets else 404
        if code != 200:
            return web.json_response({"kind": "Status", "code": code, "reason": "No", "message": "no"}, status=code)
        if name:
            return web.json_response(self.secrets[name])
        return web.json_response({"metadata": {"resourceVersion": "9"}, "items": list(self.secrets.values())})

    def taken(self) -> list[str]:
        requests, self.requests = self.requests, []
        return requests


@pytest.fixture
def server() -> Server:
    return Server()


@pytest.fixture
async def secrets(server: Server) -> AsyncIterator[Secrets]:
    app = web.Application()
    app.router.add_route("*", "/{tail:.*}", server.answer)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    configuration = Configuration()
    configuration.host = f"http://127.0.0.1:{runner.addresses[0][1]}"
    client = KubeClient(ApiClient(configuration=configuration))
    yield Secrets(client)
    await client.close()
    await runner.cleanup()


async def found(secrets: Secrets, owner: SecureRedisCache, besides: str | None = None) -> tuple[set[str], bool]:
    answer = await secrets.published_by(owner, besides=besides)
    assert isinstance(answer, OwnSecrets), answer
    return {one.name for one in answer.secrets}, answer.listed


async def test_a_list_finds_every_name_once_for_each_generation(server: Server, secrets: Secrets) -> None:
    owner = resource()
    server.add("orders")
    server.add("former")
    server.add("theirs", uid="another")
    assert await found(secrets, owner, "orders") == ({"former"}, True)
    assert server.taken() == ["list", "former"]
    assert await found(secrets, owner, "orders") == ({"former"}, True)
    assert server.taken() == ["former"]
    del server.secrets["former"]
    assert await found(secrets, owner, "orders") == (set(), True)
    server.taken()
    assert await found(secrets, owner, "orders") == (set(), True)
    assert server.taken() == [], "at rest nothing is read"
    await found(secrets, replace(owner, generation=2), "orders")
    await found(secrets, replace(owner, uid="recreated", generation=2), "orders")
    assert server.taken().count("list") == 2


async def test_where_lists_are_forbidden_the_recorded_names_are_read(server: Server, secrets: Secrets) -> None:
    server.code = 403
    for name in ("orders", "first", "second", "unrecorded"):
        server.add(name)
    assert await found(secrets, ORDERS) == ({"orders", "second"}, False)
    assert await found(secrets, BOUND) == ({"orders", "first", "second"}, False), "what was found stays known"
    assert await found(secrets, ORDERS, "orders") == ({"first", "second"}, False)


async def test_a_list_that_fails_otherwise_is_unknown_and_tried_again(server: Server, secrets: Secrets) -> None:
    server.code = 500
    assert isinstance(await secrets.published_by(ORDERS), Unknown)
    server.code = 200
    server.add("former")
    assert await found(secrets, ORDERS) == ({"former"}, True)
