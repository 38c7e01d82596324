"""One search of a namespace serves all of its resources, and at rest nothing is requested."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest
from aiohttp import web
from kubernetes.aio.client.api_client import ApiClient
from kubernetes.aio.client.configuration import Configuration

from secure_redis.api import names
from secure_redis.api.resource import Key
from secure_redis.api.spec.spec import WorkloadKind
from secure_redis.domain.observe.unknown import Unknown
from secure_redis.kube.client import KubeClient
from secure_redis.kube.workloads.client import Workloads
from tests.builders.passes import resource

ORDERS = resource()
SESSIONS = replace(ORDERS, key=Key(ORDERS.key.namespace, "sessions"))


class Server:
    """Answers with one injected Deployment, whose labels are gone. `code`: of every answer."""

    def __init__(self) -> None:
        self.code = 200
        self.lists: list[tuple[str, str]] = []

    async def answer(self, request: web.Request) -> web.Response:
        kind = request.path.rpartition("/")[2]
        self.lists.append((kind, request.headers["Accept"].partition(",")[0]))
        if self.code != 200:
            body = {"kind": "Status", "code": self.code, "reason": "No", "message": "no"}
            return web.json_response(body, status=self.code)
        items = [_injected()] if kind == "deployments" else []
        body = {"kind": "PartialObjectMetadataList", "metadata": {"resourceVersion": "9"}, "items": items}
        return web.json_response(body)


def _injected() -> dict[str, Any]:
    env: dict[str, Any] = {'k:{"name":"app"}': {"f:env": {'k:{"name":"URI"}': {"f:valueFrom": {"f:secretKeyRef": {}}}}}}
    fields = {"f:spec": {"f:template": {"f:spec": {"f:containers": env}}}}
    entry = {"manager": names.field_manager("orders"), "operation": "Update", "fieldsV1": fields}
    return {"kind": "PartialObjectMetadata", "metadata": {"name": "web", "managedFields": [entry]}}


@pytest.fixture
def server() -> Server:
    return Server()


@pytest.fixture
async def workloads(server: Server) -> AsyncIterator[Workloads]:
    app = web.Application()
    app.router.add_route("*", "/{tail:.*}", server.answer)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    configuration = Configuration()
    configuration.host = f"http://127.0.0.1:{runner.addresses[0][1]}"
    client = KubeClient(ApiClient(configuration=configuration))
    yield Workloads(client)
    await client.close()
    await runner.cleanup()


async def test_the_resources_of_a_namespace_share_one_search_of_metadata(server: Server, workloads: Workloads) -> None:
    orders, sessions = await asyncio.gather(workloads.injected(ORDERS), workloads.injected(SESSIONS))
    assert orders == {("Deployment", "web")}
    assert sessions == frozenset()
    for _ in range(3):
        await workloads.injected(ORDERS)
    assert sorted(kind for kind, _ in server.lists) == sorted(f"{kind.lower()}s" for kind in WorkloadKind)
    assert {accepted for _, accepted in server.lists} == {
        "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"
    }


async def test_a_refused_search_is_not_repeated_in_every_pass(server: Server, workloads: Workloads) -> None:
    server.code = 403
    for _ in range(3):
        assert await workloads.injected(ORDERS) == frozenset()
    assert len(server.lists) == 1
    users = await workloads.secret_users(ORDERS, frozenset({"orders"}))
    assert isinstance(users, Unknown), "what cannot be read is not empty"


async def test_without_rights_on_workloads_nothing_is_requested(server: Server) -> None:
    disabled = Workloads(KubeClient(ApiClient()), enabled=False)
    assert await disabled.injected(ORDERS) == frozenset()
    assert await disabled.secret_users(ORDERS, frozenset({"orders"})) == ()
    assert server.lists == []
