"""A proxy between one operator and the API server, for tests: it counts writes and can block any one of them.

Everything passes unchanged, watches as streams. A write is a request that stores something: leases, token requests,
access reviews and dry runs are not counted. The sender of a blocked write does not know its outcome:
this is the moment in which a crash is worth testing.
"""

import asyncio
import base64
import json
import ssl
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Literal, Self

import aiohttp
import yaml
from aiohttp import web
from multidict import CIMultiDict
from yarl import URL

from sandbox.ca import CertificateAuthority
from sandbox.cluster import Cluster, write_private

Moment = Literal["before", "after"]
Headers = list[tuple[str, str]]
_HOP_BY_HOP = {"connection", "keep-alive", "transfer-encoding", "content-length", "host", "upgrade", "te", "trailer"}
_NO_WRITES = ("/leases", "/token", "/selfsubjectaccessreviews")
_STOP_SECONDS = 10


@dataclass(slots=True)
class Write:
    """One write. `what`: method and resource, such as `PATCH securerediscaches/status`. `status` 0: no answer."""

    number: int
    method: str
    path: str
    what: str
    at: float  # Unix seconds
    status: int = 0


@dataclass(slots=True)
class Hold:
    """Blocks one write: the first for which `wanted` returns true. `reached` is set while it is blocked.

    `before`: the API server has not received it. `after`: the API server has done it, and its answer is not forwarded;
    a write that it refused passes, and the next one is considered.
    """

    wanted: Callable[[Write], bool]
    moment: Moment
    reached: threading.Event = field(default_factory=threading.Event)
    write: Write | None = None
    lifted: asyncio.Event = field(default_factory=asyncio.Event)


class Gate:
    """Listens on loopback from `start` to `stop`; its own authority is below `directory`."""

    def __init__(self, cluster: Cluster, directory: Path) -> None:
        self._cluster = cluster
        self._directory = directory
        self._authority = CertificateAuthority.create_or_load(directory / "gate-ca")
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, name="gate", daemon=True)
        self._started: Future[int] = Future()
        self._lock = threading.Lock()
        self._writes: list[Write] = []
        self._holds: list[Hold] = []
        self._tokens: list[str] = []
        self._ending = asyncio.Event()
        self._down = False
        self._streams: dict[int, web.Request] = {}  # a request cannot be hashed
        self._forwarding: set[asyncio.Task[tuple[int, Headers, bytes]]] = set()

    def __enter__(self) -> Self:
        """Start it."""
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop it."""
        self.stop()

    def start(self) -> None:
        """Listen. Raises OSError if there is no port."""
        self._thread.start()
        self._started.result(_STOP_SECONDS)

    def stop(self) -> None:
        """End every connection. A blocked write is dropped."""
        self._loop.call_soon_threadsafe(self._ending.set)
        self._thread.join(_STOP_SECONDS)

    @property
    def server(self) -> str:
        """Return the gate's URL, which clients use as the API server's."""
        return f"https://127.0.0.1:{self._started.result(0)}"

    def kubeconfig(self, original: Path) -> Path:
        """Write the same kubeconfig with the gate's address, readable by this user alone."""
        document = yaml.safe_load(original.read_text())
        ca = base64.b64encode(self._authority.ca_file.read_bytes()).decode()
        for cluster in document["clusters"]:
            cluster["cluster"] = {"server": self.server, "certificate-authority-data": ca}
        path = self._directory / f"gate.{original.name}"
        write_private(path, yaml.safe_dump(document))
        return path

    def writes(self, since: int = 0) -> list[Write]:
        """Return the writes after number `since`, in order of arrival."""
        with self._lock:
            return [write for write in self._writes if write.number > since]

    @property
    def position(self) -> int:
        """Return the number of the last write, for `since`."""
        with self._lock:
            return len(self._writes)

    @property
    def tokens(self) -> list[str]:
        """Return the ServiceAccount tokens that were issued through the gate. Tests search for leaks of them."""
        with self._lock:
            return list(self._tokens)

    def hold(self, wanted: Callable[[Write], bool], moment: Moment) -> Hold:
        """Block the first write from now on for which `wanted` returns true."""
        hold = Hold(wanted, moment)
        with self._lock:
            self._holds.append(hold)
        return hold

    def drop(self, hold: Hold) -> None:
        """Drop the blocked write as a crash does: the sender gets no answer, and a write not sent yet is never sent."""
        with self._lock:
            if hold in self._holds:
                self._holds.remove(hold)
        self._loop.call_soon_threadsafe(hold.lifted.set)

    def close(self) -> None:
        """Cut the connection to the API server: open watches break, and every request's connection is reset."""
        self._down = True
        self._loop.call_soon_threadsafe(self._cut_streams)

    def open(self) -> None:
        """Forward requests again."""
        self._down = False

    # --- on the gate's own thread -----------------------------------------------------------------------------------

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        try:
            self._loop.run_until_complete(self._serve())
        finally:
            self._loop.close()

    async def _serve(self) -> None:
        try:
            upstream = ssl.create_default_context(cadata=self._cluster.ca_pem)
            connector = aiohttp.TCPConnector(ssl=upstream, limit=0)
            session = aiohttp.ClientSession(connector=connector, auto_decompress=False)
            app = web.Application(client_max_size=16 * 1024 * 1024)

            async def handle(request: web.Request) -> web.StreamResponse:
                return await self._handle(request, session)

            app.router.add_route("*", "/{path:.*}", handle)
            # A client that is gone ends its handler: watches would linger until the next event.
            runner = web.AppRunner(app, access_log=None, handler_cancellation=True, shutdown_timeout=0.1)
            await runner.setup()
            issued = self._authority.issue("127.0.0.1")
            tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
            tls.load_cert_chain(issued.cert_file, issued.key_file)
            await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=tls).start()
        except BaseException as error:
            self._started.set_exception(error)
            raise
        self._started.set_result(runner.addresses[0][1])
        await self._ending.wait()
        await runner.cleanup()
        await session.close()

    def _cut_streams(self) -> None:
        for request in list(self._streams.values()):
            _cut(request)

    async def _handle(self, request: web.Request, session: aiohttp.ClientSession) -> web.StreamResponse:
        if self._down:
            return _cut(request)
        if request.query.get("watch", "") in {"1", "true"}:
            return await self._stream(request, session)
        body = await request.read()
        write, hold = self._note(request)
        if hold is not None and hold.moment == "before":
            await self._held(hold)
            return _cut(request)
        # As the API server would, finish what was sent even if its sender is gone by then.
        task = asyncio.create_task(self._forward(request, session, body))
        self._forwarding.add(task)
        task.add_done_callback(self._forwarding.discard)
        try:
            status, headers, content = await asyncio.shield(task)
        except aiohttp.ClientError:
            return _cut(request)
        if write is not None:
            write.status = status
        elif request.path.endswith("/token") and status == 201:
            with self._lock:
                self._tokens.append(json.loads(content)["status"]["token"])
        if hold is not None and status < 400:
            await self._held(hold)
            return _cut(request)
        if hold is not None:
            hold.write = None
        return web.Response(status=status, headers=CIMultiDict(headers), body=content)

    async def _held(self, hold: Hold) -> None:
        hold.reached.set()
        await hold.lifted.wait()

    def _note(self, request: web.Request) -> tuple[Write | None, Hold | None]:
        path = request.path.rstrip("/")
        rehearsed = "dryRun" in request.query
        if request.method in {"GET", "HEAD"} or rehearsed or path.endswith(_NO_WRITES) or "/leases/" in path:
            return None, None
        with self._lock:
            write = Write(len(self._writes) + 1, request.method, path, _what(request.method, path), time.time())
            self._writes.append(write)
            for hold in self._holds:
                if hold.write is None and hold.wanted(write):
                    hold.write = write
                    return write, hold
        return write, None

    async def _forward(
        self, request: web.Request, session: aiohttp.ClientSession, body: bytes
    ) -> tuple[int, Headers, bytes]:
        url = URL(self._cluster.server + request.raw_path, encoded=True)
        async with session.request(request.method, url, data=body or None, headers=_passed(request.headers)) as answer:
            return answer.status, _passed(answer.headers), await answer.read()

    async def _stream(self, request: web.Request, session: aiohttp.ClientSession) -> web.StreamResponse:
        url = URL(self._cluster.server + request.raw_path, encoded=True)
        forever = aiohttp.ClientTimeout(total=None)
        self._streams[id(request)] = request
        try:
            async with session.get(url, headers=_passed(request.headers), timeout=forever) as answer:
                response = web.StreamResponse(status=answer.status, headers=CIMultiDict(_passed(answer.headers)))
                await response.prepare(request)
                async for chunk in answer.content.iter_any():
                    await response.write(chunk)
                await response.write_eof()
                return response
        except (aiohttp.ClientError, ConnectionError):
            return _cut(request)
        finally:
            del self._streams[id(request)]


def _passed(headers: Mapping[str, str]) -> Headers:
    return [(name, value) for name, value in headers.items() if name.lower() not in _HOP_BY_HOP]


def _cut(request: web.Request) -> web.Response:
    """Return the connection ends without an answer."""
    if request.transport is not None:
        request.transport.abort()
    return web.Response(status=502)  # never arrives


def _what(method: str, path: str) -> str:
    """Return method, plural and subresource: equal in every run, independent of the objects' names."""
    parts = path.strip("/").split("/")
    parts = parts[2:] if parts[0] == "api" else parts[3:]
    if parts and parts[0] == "namespaces" and len(parts) > 2:
        parts = parts[2:]
    plural, subresource = parts[0] if parts else "", "/".join(parts[2:])
    return f"{method} {plural}" + (f"/{subresource}" if subresource else "")
