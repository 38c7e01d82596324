"""The server of /healthz, /readyz and /metrics, in a thread of its own. It does not depend on kopf.

Anyone who reaches the port may ask, so each request is bounded: its bytes, its time, the connections and the text that
is rendered. The answers are the server's own: a web framework names its version, and has no limit for a slow request.
"""

import asyncio
import json
import logging
import socket
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Final, NamedTuple
from urllib.parse import parse_qs, urlsplit

from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4

from secure_redis.telemetry.rendering import Family, Rendering

_log = logging.getLogger(__name__)

Check = Callable[[], str | None]

SCRAPES: Final = 32  # answers of /metrics under way; the next one is refused until one has ended
CONNECTIONS: Final = 512  # in all; beyond, the server closes the oldest one that has not sent its request
IDLE_SECONDS: Final = 1.0  # the least age of that one; a kubelet sends its request with the connection
HEAD_BYTES: Final = 8192  # of the request line and the headers
REQUEST_SECONDS: Final = 5.0  # for a request to arrive; as long as the kubelet waits (the chart's timeoutSeconds)
ANSWER_SECONDS: Final = 10.0  # for an answer to be taken; as long as the chart's scrapeTimeout
_BACKLOG: Final = 1024
_BUSY_PAUSE: Final = 0.002  # seconds between two connections while there are many: at most 500 a second
_PART_PAUSE: Final = 0.25  # seconds between two parts of one request: a head that comes byte by byte costs 20 reads
_STOP_SECONDS: Final = 2.0
_TEXT: Final = "text/plain; charset=utf-8"
_JSON: Final = "application/json; charset=utf-8"
_HEAD_END: Final = b"\r\n\r\n"


@dataclass(slots=True)
class Health:
    """The checks behind the probes. A check returns None, or a sentence about what is wrong (and nothing secret).

    `alive`: if one fails, the pod is restarted, so only for what a restart repairs. `ready`: decides about traffic.
    The server's thread calls them, so they only read values that are replaced as a whole.
    """

    alive: dict[str, Check] = field(default_factory=dict)
    ready: dict[str, Check] = field(default_factory=dict)


class _Answer(NamedTuple):
    """An answer before it is written. `retry_after`: seconds."""

    status: HTTPStatus
    kind: str = _TEXT
    body: Sequence[bytes] = ()
    retry_after: int | None = None


class HealthServer:
    """Serves on `address`:`port` from `start` to `stop`. Port 0 takes a free one, which `port` then names."""

    def __init__(
        self,
        health: Health,
        render: Callable[[], Sequence[Family]],
        address: str = "127.0.0.1",
        port: int = 8080,
    ) -> None:
        self.port = port
        self._health = health
        self._rendering = Rendering(render)
        self._address = address
        self._scrapes = 0
        # Those that have not sent their request, in the order of arrival, with the loop's time of that.
        self._reading: dict[asyncio.Task[None], float] = {}
        self._open: set[asyncio.Task[None]] = set()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._serving: asyncio.Task[None] | None = None
        self._thread: threading.Thread | None = None

    async def start(self) -> None:
        """Start to listen.

        Raises:
            OSError: the address is in use, or is not one of this machine.

        """
        family, kind, protocol, _, where = socket.getaddrinfo(self._address, self.port, type=socket.SOCK_STREAM)[0]
        listener = socket.socket(family, kind, protocol)
        try:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.setblocking(False)
            listener.bind(where)
            listener.listen(_BACKLOG)
        except OSError:
            listener.close()
            raise
        self.port = listener.getsockname()[1]
        self._thread = threading.Thread(target=asyncio.run, args=(self._run(listener),), name="health", daemon=True)
        self._thread.start()
        _log.info("health and metrics are served", extra={"address": self._address, "port": self.port})

    async def stop(self) -> None:
        """Stop listening."""
        thread, self._thread = self._thread, None
        if thread is None:
            return
        if self._loop is not None and self._serving is not None:
            with suppress(RuntimeError):  # it has ended
                self._loop.call_soon_threadsafe(self._serving.cancel)
        await asyncio.to_thread(thread.join, _STOP_SECONDS)

    async def _run(self, listener: socket.socket) -> None:
        self._loop = asyncio.get_running_loop()
        self._serving = asyncio.create_task(self._accept(self._loop, listener))
        with listener, suppress(asyncio.CancelledError):
            await self._serving

    async def _accept(self, loop: asyncio.AbstractEventLoop, listener: socket.socket) -> None:
        while True:
            while len(self._open) >= CONNECTIONS:
                self._close_oldest(loop.time())
                await asyncio.sleep(_BUSY_PAUSE)  # the others wait in the listener's queue
            try:
                connection, _ = await loop.sock_accept(listener)
            except OSError as error:  # no file descriptor is left, or the client has gone
                _log.warning("a connection was not accepted", extra={"why": error.strerror})
                await asyncio.sleep(1.0)
                continue
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            task = asyncio.create_task(self._serve(loop, connection))
            self._open.add(task)
            self._reading[task] = loop.time()
            task.add_done_callback(self._ended)
            if len(self._open) > SCRAPES:
                await asyncio.sleep(_BUSY_PAUSE)

    def _close_oldest(self, now: float) -> None:
        """Close the oldest connection that has not sent its request for a while."""
        oldest = next(iter(self._reading), None)
        if oldest is not None and now - self._reading[oldest] >= IDLE_SECONDS:
            del self._reading[oldest]
            oldest.cancel()

    def _ended(self, task: "asyncio.Task[None]") -> None:
        self._open.discard(task)
        self._reading.pop(task, None)
        if not task.cancelled() and (error := task.exception()) is not None:
            _log.error("a request failed", extra={"error": type(error).__name__})

    async def _serve(self, loop: asyncio.AbstractEventLoop, connection: socket.socket) -> None:
        task = asyncio.current_task()
        with connection, suppress(TimeoutError, OSError):
            async with asyncio.timeout(REQUEST_SECONDS):
                head = await _read_head(loop, connection)
            if head is None:
                return
            if task is not None:
                self._reading.pop(task, None)
            async with asyncio.timeout(ANSWER_SECONDS):
                await self._respond(loop, connection, head)

    async def _respond(self, loop: asyncio.AbstractEventLoop, connection: socket.socket, head: bytes) -> None:
        if len(head) > HEAD_BYTES:
            await _write(loop, connection, _Answer(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE), body=True)
            return
        method, _, rest = head.partition(b"\r\n")[0].decode("latin-1").partition(" ")
        target, _, version = rest.partition(" ")
        try:
            url = urlsplit(target)
            names = parse_qs(url.query, max_num_fields=100).get("name[]", [])
        except ValueError:
            url = None
        if url is None or not version.startswith("HTTP/1.") or not target.startswith("/"):
            await _write(loop, connection, _Answer(HTTPStatus.BAD_REQUEST), body=True)
        elif method not in ("GET", "HEAD"):
            await _write(loop, connection, _Answer(HTTPStatus.METHOD_NOT_ALLOWED), body=True)
        elif url.path == "/metrics":
            await self._scrape(loop, connection, names, body=method == "GET")
        else:
            await _write(loop, connection, self._check(url.path), body=method == "GET")

    def _check(self, path: str) -> _Answer:
        if path == "/healthz":
            return _result(self._health.alive)
        if path == "/readyz":
            return _result({**self._health.alive, **self._health.ready})
        return _Answer(HTTPStatus.NOT_FOUND)

    async def _scrape(
        self, loop: asyncio.AbstractEventLoop, connection: socket.socket, names: Sequence[str], *, body: bool
    ) -> None:
        if self._scrapes >= SCRAPES:
            busy = _Answer(HTTPStatus.SERVICE_UNAVAILABLE, body=(b"too many scrapes at once\n",), retry_after=1)
            await _write(loop, connection, busy, body=body)
            return
        self._scrapes += 1
        try:
            # `name[]`, as the Prometheus clients take it: of thousands of resources all series are tens of megabytes.
            families = await self._rendering.get(names)
            await _write(loop, connection, _Answer(HTTPStatus.OK, CONTENT_TYPE_PLAIN_0_0_4, families), body=body)
        finally:
            self._scrapes -= 1


async def _read_head(loop: asyncio.AbstractEventLoop, connection: socket.socket) -> bytes | None:
    """Read the request line and the headers; more than HEAD_BYTES if there are more. None: the client has gone."""
    head = b""
    while _HEAD_END not in head and len(head) <= HEAD_BYTES:
        if head:
            await asyncio.sleep(_PART_PAUSE)
        more = await loop.sock_recv(connection, HEAD_BYTES)
        if not more:
            return None
        head += more
    return head


async def _write(loop: asyncio.AbstractEventLoop, connection: socket.socket, answer: _Answer, *, body: bool) -> None:
    """Write an answer and end the connection. The parts of the body are shared by all connections, never copied."""
    head = [
        f"HTTP/1.1 {answer.status.value} {answer.status.phrase}",
        f"Content-Type: {answer.kind}",
        f"Content-Length: {sum(map(len, answer.body))}",
        "Connection: close",
        "X-Content-Type-Options: nosniff",
        *([f"Retry-After: {answer.retry_after}"] if answer.retry_after is not None else ()),
        *(["Allow: GET, HEAD"] if answer.status is HTTPStatus.METHOD_NOT_ALLOWED else ()),
    ]
    await loop.sock_sendall(connection, "\r\n".join(head).encode("ascii") + _HEAD_END)
    for part in answer.body if body else ():
        await loop.sock_sendall(connection, part)
    connection.shutdown(socket.SHUT_WR)


def _result(checks: Mapping[str, Check]) -> _Answer:
    results = {name: check() for name, check in checks.items()}
    text = json.dumps({name: why or "ok" for name, why in results.items()}) + "\n"
    status = HTTPStatus.SERVICE_UNAVAILABLE if any(results.values()) else HTTPStatus.OK
    return _Answer(status, _JSON, (text.encode(),))
