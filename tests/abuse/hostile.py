"""A TLS server on loopback that answers as Entra, Resource Manager or Key Vault, and sends what no real service sends.

It writes bytes, not HTTP: an answer can break every rule. No code of the operator is replaced; the real SDKs and the
operator's own transport connect to it. A request without a script gets the real service's answer: a token, a
challenge, a 404.

    hostile = await Hostile.start(authority)
    hostile.on("arm", "/subscriptions/…", answer(200, b"[" * 1_000_000))
    async with hostile.azure(authority) as azure:
        await azure.caches.read(IDENTITY, CACHE)
"""

import asyncio
import contextlib
import functools
import json
import socket
import ssl
import time
import zlib
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import trustme
from aiohttp.abc import AbstractResolver, ResolveResult
from pydantic import SecretStr

from secure_redis.api.azure_ids import CacheID
from secure_redis.azure.core.clouds import Cloud
from secure_redis.azure.core.credentials import Credentials
from secure_redis.azure.core.rate_limits import RateLimits
from secure_redis.azure.core.resource_manager import ResourceManager
from secure_redis.azure.core.transport import Timeouts, Transport
from secure_redis.azure.keyvault.secrets import Vaults
from secure_redis.azure.redis.client import Caches
from secure_redis.domain.observe.identity import NamespaceIdentity
from tests.builders.cloud import loopback_cloud

TENANT = "99999999-8888-7777-6666-555555555555"
SUBSCRIPTION = "11111111-2222-3333-4444-555555555555"
CACHE = CacheID.parse(f"/subscriptions/{SUBSCRIPTION}/resourceGroups/shop/providers/Microsoft.Cache/redis/orders")
IDENTITY = NamespaceIdentity("shop", "orders", "uid-1", "aaaaaaaa-0000-0000-0000-000000000001", TENANT)
MIB = 1024 * 1024

Service = Literal["arm", "vault", "entra"]


@dataclass(frozen=True)
class Request:
    """A request as it arrived. `headers`: names in lower case."""

    method: str
    host: str
    path: str
    headers: Mapping[str, str]
    body: bytes


# Writes the whole answer. The connection is closed behind it unless `keep` was used.
Answer = Callable[[Request, asyncio.StreamWriter], Any]


def answer(
    status: int = 200, body: bytes | str | dict[str, Any] | list[Any] = b"", headers: Iterable[tuple[str, str]] = ()
) -> Answer:
    """Give one whole answer. `headers` may repeat a name, and replace Content-Type."""
    raw = body if isinstance(body, bytes) else body.encode() if isinstance(body, str) else json.dumps(body).encode()
    own = {name.lower() for name, _ in headers}
    lines = [f"HTTP/1.1 {status} Whatever", f"Content-Length: {len(raw)}"]
    lines += [] if "content-type" in own else ["Content-Type: application/json"]
    lines += [f"{name}: {value}" for name, value in headers]
    head = ("\r\n".join(lines) + "\r\nConnection: close\r\n\r\n").encode("latin-1", "replace")

    async def write(_: Request, writer: asyncio.StreamWriter) -> None:
        writer.write(head + raw)

    return write


def error(status: int, message: str, code: str = "BadRequest", headers: Iterable[tuple[str, str]] = ()) -> Answer:
    """Give an error in Azure's form, with any text."""
    return answer(status, {"error": {"code": code, "message": message}}, headers)


def endless(
    piece: bytes,
    *,
    start: bytes = b"",
    status: int = 200,
    headers: Iterable[tuple[str, str]] = (),
    most: int = 4096,
    sent: list[int] | None = None,
) -> Answer:
    """Send `start` and then `piece` for as long as the client reads, at most `most` times; `sent` counts the bytes."""
    lines = [f"HTTP/1.1 {status} Whatever", "Content-Type: application/json", "Transfer-Encoding: chunked"]
    head = ("\r\n".join([*lines, *(f"{name}: {value}" for name, value in headers)]) + "\r\n\r\n").encode()

    async def write(_: Request, writer: asyncio.StreamWriter) -> None:
        writer.write(head)
        for number in range(most):
            data = start + piece if number == 0 else piece
            writer.write(b"%x\r\n%b\r\n" % (len(data), data))
            await writer.drain()
            await asyncio.sleep(0)  # so that the end of the connection is noticed
            if sent is not None:
                sent.append(len(data))
        writer.write(b"0\r\n\r\n")

    return write


@functools.cache
def bomb(size: int, encoding: Literal["gzip", "deflate"] = "gzip", byte: bytes = b" ") -> Answer:
    """Give an answer of some KiB that decompresses to `size` bytes."""
    packer = zlib.compressobj(1, wbits=(16 if encoding == "gzip" else 0) + zlib.MAX_WBITS)
    packed = b"".join(packer.compress(byte * MIB) for _ in range(size // MIB)) + packer.flush()
    return answer(200, packed, [("Content-Encoding", encoding)])


def dripping(data: bytes, seconds: float) -> Answer:
    """Send one byte every `seconds`."""

    async def write(_: Request, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(data))
        for number in range(len(data)):
            writer.write(data[number : number + 1])
            await writer.drain()
            await asyncio.sleep(seconds)

    return write


def raw(data: bytes) -> Answer:
    """Send these bytes, whatever they are."""

    async def write(_: Request, writer: asyncio.StreamWriter) -> None:
        writer.write(data)

    return write


def echo(render: Callable[[bytes], str], status: int = 400) -> Answer:
    """Give an error whose text quotes the request's body, as `render` spells it."""

    async def write(request: Request, writer: asyncio.StreamWriter) -> None:
        await error(status, render(request.body))(request, writer)

    return write


@dataclass
class Azure:
    """The operator's own clients, connected to the hostile server."""

    transport: Transport
    credentials: Credentials
    caches: Caches
    vaults: Vaults
    resource_manager: ResourceManager


@dataclass
class Hostile:
    """The server. `requests`: all that it was sent."""

    port: int = 0
    requests: list[Request] = field(default_factory=list)
    tenant: str = TENANT
    _answers: dict[Service, list[tuple[str, str, Answer]]] = field(default_factory=dict)
    _server: asyncio.Server | None = None

    @classmethod
    async def start(cls, authority: trustme.CA) -> "Hostile":
        hostile = cls()
        tls = _serving(authority)
        hostile._server = await asyncio.start_server(hostile._serve, "127.0.0.1", 0, ssl=tls)
        hostile.port = int(hostile._server.sockets[0].getsockname()[1])
        return hostile

    async def stop(self) -> None:
        if self._server is not None:
            self._server.close()

    def on(self, service: Service, path: str, given: Answer, method: str = "") -> None:
        """Answer requests whose path contains `path`; what was scripted last counts. A vault is challenged for first
        only where the answer is not scripted.
        """
        self._answers.setdefault(service, []).insert(0, (method, path.lower(), given))

    def forget(self) -> None:
        """Answer as the real services again."""
        self._answers.clear()

    def count(self, service: Service, path: str = "") -> int:
        return sum(_service(one.host) == service and path.lower() in one.path.lower() for one in self.requests)

    @property
    def cloud(self) -> Cloud:
        return loopback_cloud("Hostile", self.port)

    @property
    def vault(self) -> str:
        return f"https://shop.vault.azure.test:{self.port}"

    def challenge(self, *, tenant: str | None = None, resource: str | None = None) -> Answer:
        """Give a vault's challenge, as the real one or with another tenant or resource."""
        there = self.tenant if tenant is None else tenant
        what = f"https://vault.azure.test:{self.port}" if resource is None else resource
        value = f'Bearer authorization="https://login.azure.test:{self.port}/{there}", resource="{what}"'
        return error(401, "AKV10000: Request is missing a Bearer token.", "Unauthorized", [("WWW-Authenticate", value)])

    def secret(self, value: str, version: str = "a" * 32, created: int = 1_700_000_000) -> dict[str, Any]:
        """Give the JSON of a secret."""
        return {
            "value": value,
            "id": f"{self.vault}/secrets/orders/{version}",
            "attributes": {"enabled": True, "created": created, "updated": created},
        }

    @contextlib.asynccontextmanager
    async def azure(self, authority: trustme.CA, timeouts: Timeouts | None = None) -> AsyncIterator[Azure]:
        """Connect the operator's own clients."""
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        authority.configure_trust(tls)

        async def request_token(_: NamespaceIdentity) -> SecretStr:
            return SecretStr("an-assertion")

        transport = Transport(
            self.cloud, RateLimits(time.monotonic), tls=tls, resolver=_ToLoopback(), timeouts=timeouts or Timeouts()
        )
        credentials = Credentials(self.cloud, transport, request_token)
        async with transport:
            yield Azure(
                transport,
                credentials,
                Caches(transport, credentials),
                Vaults(transport, credentials),
                ResourceManager(transport, credentials),
            )

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, EOFError, ValueError):
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
            method, path, _ = head[0].split(" ", 2)
            pairs = (line.partition(":") for line in head[1:] if line)
            headers = {name.lower(): value.strip() for name, _, value in pairs}
            body = await reader.readexactly(int(headers.get("content-length", "0")))
            request = Request(method, headers.get("host", ""), path, headers, body)
            self.requests.append(request)
            await self._find(request)(request, writer)
            await writer.drain()
            writer.write_eof() if writer.can_write_eof() else writer.close()
        writer.transport.close()

    def _find(self, request: Request) -> Answer:
        service = _service(request.host)
        for method, path, given in self._answers.get(service, []):
            if method in ("", request.method) and path in request.path.lower():
                return given
        if service == "entra":
            return answer(200, {"token_type": "Bearer", "expires_in": 3600, "access_token": "an-access-token"})
        if service == "vault" and "authorization" not in request.headers:
            return self.challenge()
        return error(404, "not there", "SecretNotFound" if service == "vault" else "ResourceNotFound")

    def authorized(self, then: Answer) -> Answer:
        """Challenge first, as a vault does, and give `then` to a request with a token."""

        async def write(request: Request, writer: asyncio.StreamWriter) -> None:
            given = then if "authorization" in request.headers else self.challenge()
            await given(request, writer)

        return write


@functools.cache
def _serving(authority: trustme.CA) -> ssl.SSLContext:
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("*.azure.test", "*.vault.azure.test").configure_cert(tls)
    return tls


def _service(host: str) -> Service:
    if host.startswith("login."):
        return "entra"
    return "vault" if ".vault." in host else "arm"


class _ToLoopback(AbstractResolver):
    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        flags = socket.AI_NUMERICHOST
        return [ResolveResult(hostname=host, host="127.0.0.1", port=port, family=socket.AF_INET, proto=0, flags=flags)]

    async def close(self) -> None:
        return None
