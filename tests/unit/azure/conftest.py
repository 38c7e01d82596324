"""A few scripted answers of Entra, Resource Manager and Key Vault over real TLS, for what a simulator of good
behaviour cannot show. No code of the operator is replaced: the real SDKs connect to it.
"""

import json
import socket
import ssl
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
import trustme
from aiohttp import web
from aiohttp.abc import AbstractResolver, ResolveResult
from azure.keyvault.secrets._shared import http_challenge_cache
from pydantic import SecretStr

from secure_redis.api.azure_ids import CacheID
from secure_redis.azure.core.clouds import Cloud
from secure_redis.azure.core.credentials import Credentials
from secure_redis.azure.core.rate_limits import RateLimits
from secure_redis.azure.core.transport import Transport
from secure_redis.azure.keyvault.secrets import Vaults
from secure_redis.azure.redis.client import Caches
from secure_redis.domain.observe.identity import NamespaceIdentity
from tests.builders.cloud import loopback_cloud

TENANT = "99999999-8888-7777-6666-555555555555"
SUBSCRIPTION = "11111111-2222-3333-4444-555555555555"
GROUP = "shop"


class Clock:
    """Monotonic seconds that a test moves."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


class ToLoopback(AbstractResolver):
    """Every name is this machine."""

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        return [
            ResolveResult(
                hostname=host, host="127.0.0.1", port=port, family=socket.AF_INET, proto=0, flags=socket.AI_NUMERICHOST
            )
        ]

    async def close(self) -> None:
        return None


@dataclass
class Seen:
    method: str
    host: str
    path: str
    query: str
    authorized: bool
    body: bytes


Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass
class Script:
    """The answers of the other side; a request without a script gets a 500 that names itself."""

    port: int = 0
    observed: list[Seen] = field(default_factory=list)
    answers: dict[tuple[str, str], list[Answer]] = field(default_factory=lambda: defaultdict(list))

    def on(self, method: str, path: str, *answers: Answer) -> None:
        """The answers to a request, in turn; the last one stays."""
        self.answers[method, path.lower()] = list(answers)

    def calls(self, method: str, path: str = "") -> list[Seen]:
        return [
            observed
            for observed in self.observed
            if observed.method == method and path.lower() in observed.path.lower()
        ]

    async def handle(self, request: web.Request) -> web.StreamResponse:
        self.observed.append(
            Seen(
                request.method,
                request.host,
                request.path,
                request.query_string,
                "Authorization" in request.headers,
                await request.read(),
            )
        )
        turns = self.answers.get((request.method, request.path.lower().rstrip("/")))
        if not turns:
            return web.json_response({"error": {"code": "NotScripted", "message": request.path}}, status=500)
        return await (turns.pop(0) if len(turns) > 1 else turns[0])(request)

    @property
    def cloud(self) -> Cloud:
        return loopback_cloud("Scripted", self.port)

    @property
    def vault(self) -> str:
        return f"https://shop.vault.azure.test:{self.port}"


def says(body: Any, status: int = 200, headers: dict[str, str] | None = None) -> Answer:
    async def answer(request: web.Request) -> web.StreamResponse:
        if isinstance(body, str):
            return web.Response(text=body, status=status, headers=headers, content_type="text/html")
        return web.json_response(body, status=status, headers=headers)

    return answer


def token(request_body: bytes = b"", expires_in: int = 3600) -> Answer:
    return says({"token_type": "Bearer", "expires_in": expires_in, "access_token": "an-access-token"})


def challenged(script: Script, then: Answer, *, resource: str = "", tenant: str = TENANT) -> Answer:
    """Key Vault's way: a request without a token is answered by where to get one."""

    async def answer(request: web.Request) -> web.StreamResponse:
        if "Authorization" in request.headers:
            return await then(request)
        where = resource or f"https://vault.azure.test:{script.port}"
        return web.json_response(
            {"error": {"code": "Unauthorized", "message": "AKV10000: Request is missing a Bearer token."}},
            status=401,
            headers={
                "WWW-Authenticate": f'Bearer authorization="https://login.azure.test:{script.port}/{tenant}", '
                f'resource="{where}"'
            },
        )

    return answer


def cache_body(name: str = "orders", **properties: Any) -> dict[str, Any]:
    return {
        "id": f"/subscriptions/{SUBSCRIPTION}/resourceGroups/{GROUP}/providers/Microsoft.Cache/Redis/{name}",
        "name": name,
        "type": "Microsoft.Cache/Redis",
        "location": "West Europe",
        "tags": {"team": "shop"},
        "properties": {
            "provisioningState": "Succeeded",
            "sku": {"name": "Premium", "family": "P", "capacity": 1},
            "redisVersion": "6.0",
            "enableNonSslPort": False,
            "hostName": f"{name}.redis.azure.test",
            "port": 6379,
            "sslPort": 6380,
            "accessKeys": None,
            **properties,
        },
    }


def cache_id(name: str = "orders", group: str = GROUP) -> CacheID:
    return CacheID.parse(f"/subscriptions/{SUBSCRIPTION}/resourceGroups/{group}/providers/Microsoft.Cache/redis/{name}")


def path_of(cache: CacheID) -> str:
    return cache.text


IDENTITY = NamespaceIdentity("shop", "orders", "uid-1", "aaaaaaaa-0000-0000-0000-000000000001", TENANT)
OTHER = NamespaceIdentity("mail", "orders", "uid-2", "aaaaaaaa-0000-0000-0000-000000000002", TENANT)


@pytest.fixture(scope="session")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
async def script(authority: trustme.CA) -> AsyncIterator[Script]:
    script = Script()
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", script.handle)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("*.azure.test", "*.vault.azure.test").configure_cert(tls)
    site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=tls)
    await site.start()
    script.port = runner.addresses[0][1]
    http_challenge_cache.clear()  # of the whole process, by host and port: an earlier test may have had this port
    script.on("POST", f"/{TENANT}/oauth2/v2.0/token", token())
    yield script
    await runner.cleanup()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@dataclass
class World:
    script: Script
    transport: Transport
    credentials: Credentials
    caches: Caches
    vaults: Vaults
    clock: Clock
    wall: Clock  # seconds since the epoch, as tokens expire by
    writes_allowed: bool = True
    assertions: int = 0
    requests: list[tuple[str, str, int]] = field(default_factory=list)


class NotLeading(Exception):
    pass


@pytest.fixture
async def world(script: Script, authority: trustme.CA, clock: Clock) -> AsyncIterator[World]:
    tls = ssl.create_default_context()
    authority.configure_trust(tls)
    held: list[World] = []

    def fence() -> None:
        if not held[0].writes_allowed:
            raise NotLeading

    def on_request(service: str, operation: str, status: int, seconds: float) -> None:
        assert seconds >= 0
        held[0].requests.append((service, operation, status))

    async def request_token(identity: NamespaceIdentity) -> SecretStr:
        held[0].assertions += 1
        return SecretStr("an-assertion")

    wall = Clock()
    wall.now = time.time()
    transport = Transport(
        script.cloud, RateLimits(clock), tls=tls, fence=fence, on_request=on_request, resolver=ToLoopback()
    )
    credentials = Credentials(script.cloud, transport, request_token, clock=wall)
    async with transport:
        held.append(
            World(
                script,
                transport,
                credentials,
                Caches(transport, credentials),
                Vaults(transport, credentials, clock=clock),
                clock,
                wall,
            )
        )
        yield held[0]


def as_json(body: bytes) -> Any:
    return json.loads(body)
