"""The health server with clients that mean no good: each request is bounded, and the probes are always answered."""

import asyncio
import errno
import socket
import threading
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import pytest

from secure_redis.api.resource import Key
from secure_redis.telemetry import health as served
from secure_redis.telemetry.health import Health, HealthServer
from secure_redis.telemetry.metrics import Metrics
from secure_redis.telemetry.rendering import Family
from tests.unit.telemetry.test_metrics import WHOLE
from tests.unit.telemetry.waiting import until

GET = "GET {} HTTP/1.1\r\nHost: x\r\n\r\n"


class Rendered:
    """The answer of /metrics. It waits until it is released."""

    def __init__(self) -> None:
        self.go_on = threading.Event()
        self.go_on.set()
        self.calls = 0
        self.families: tuple[Family, ...] = (Family("a", b"a 1\n"), Family("b", b"b 2\n"))

    def __call__(self) -> tuple[Family, ...]:
        self.calls += 1
        assert self.go_on.wait(30)
        return self.families


@pytest.fixture
def rendered() -> Iterator[Rendered]:
    one = Rendered()
    yield one
    one.go_on.set()


@pytest.fixture
async def server(rendered: Rendered) -> AsyncIterator[HealthServer]:
    one = HealthServer(Health(ready={"x": lambda: "not yet"}), rendered, port=0)
    await one.start()
    yield one
    await one.stop()


@contextmanager
def connected(server: HealthServer) -> Iterator[socket.socket]:
    with socket.create_connection(("127.0.0.1", server.port), 30) as connection:
        yield connection


def answer(connection: socket.socket) -> bytes:
    """Everything until the server closes the connection."""
    found = b""
    try:
        while more := connection.recv(65536):
            found += more
    except ConnectionResetError:
        pass
    return found


def exchange(server: HealthServer, request: str | bytes) -> bytes:
    with connected(server) as connection:
        connection.sendall(request if isinstance(request, bytes) else request.encode())
        return answer(connection)


async def its_loop(server: HealthServer) -> asyncio.AbstractEventLoop:
    await until(lambda: server._serving is not None)
    assert server._loop is not None
    return server._loop


async def ask(server: HealthServer, path: str) -> bytes:
    return await asyncio.to_thread(exchange, server, GET.format(path))


async def test_the_answers_name_no_program(server: HealthServer) -> None:
    for request in (GET.format("/healthz"), GET.format("/metrics"), GET.format("/nothing"), "x\r\n\r\n"):
        found = await asyncio.to_thread(exchange, server, request)
        assert found.startswith(b"HTTP/1.1 ")
        for word in (b"server:", b"python", b"aiohttp", b"/3."):
            assert word not in found.lower()


@pytest.mark.parametrize(
    ("request_line", "status"),
    [
        ("GET /healthz HTTP/1.1", 200),
        ("GET /readyz HTTP/1.0", 503),
        ("GET /metrics HTTP/1.1", 200),
        ("HEAD /metrics HTTP/1.1", 200),
        ("GET /metrics?name[]=a&" + "x=1&" * 200 + " HTTP/1.1", 400),
        ("GET / HTTP/1.1", 404),
        ("GET /../healthz HTTP/1.1", 404),
        ("GET http://other/healthz HTTP/1.1", 400),
        ("GET /healthz HTTP/2", 400),
        ("GET //[ HTTP/1.1", 400),
        ("POST /metrics HTTP/1.1", 405),
        ("\x00\xff", 400),
        ("", 400),
    ],
)
async def test_only_a_proper_request_is_served(server: HealthServer, request_line: str, status: int) -> None:
    found = await asyncio.to_thread(exchange, server, request_line.encode("latin-1") + b"\r\nHost: x\r\n\r\n")
    assert found.startswith(b"HTTP/1.1 %d " % status)
    if request_line.startswith("HEAD"):
        assert found.endswith(b"\r\n\r\n")
        assert b"Content-Length: 8\r\n" in found


async def test_a_long_head_is_refused(server: HealthServer) -> None:
    head = b"GET /healthz HTTP/1.1\r\n" + b"X: " + b"x" * served.HEAD_BYTES * 2
    assert (await asyncio.to_thread(exchange, server, head)).startswith(b"HTTP/1.1 431 ")


async def test_a_request_in_parts_is_served(server: HealthServer) -> None:
    def send() -> bytes:
        with connected(server) as connection:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            for part in (b"GET /hea", b"lthz HTTP/1.1\r\nHost: x\r\n\r", b"\n"):
                connection.sendall(part)
            return answer(connection)

    assert (await asyncio.to_thread(send)).startswith(b"HTTP/1.1 200 ")


async def test_a_request_that_never_ends_is_cut_off(server: HealthServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(served, "REQUEST_SECONDS", 0.2)
    assert await asyncio.to_thread(exchange, server, b"GET /healthz HTTP/1.1\r\n") == b""


async def test_an_answer_that_nobody_takes_is_cut_off(
    server: HealthServer, rendered: Rendered, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(served, "ANSWER_SECONDS", 0.2)
    rendered.families = (Family("a", b"x" * 50_000_000),)
    with connected(server) as connection:
        connection.sendall(GET.format("/metrics").encode())
        await until(lambda: server._scrapes == 1)
        await until(lambda: server._scrapes == 0)
        assert len(await asyncio.to_thread(answer, connection)) < 50_000_000


async def test_one_scrape_too_many_is_refused_and_the_probes_are_answered(
    server: HealthServer, rendered: Rendered
) -> None:
    rendered.go_on.clear()
    scrapes = [asyncio.create_task(ask(server, "/metrics")) for _ in range(4)]
    open_ = [socket.create_connection(("127.0.0.1", server.port), 30) for _ in range(served.SCRAPES - 4)]
    try:
        for connection in open_:
            connection.sendall(GET.format("/metrics").encode())
        await until(lambda: server._scrapes == served.SCRAPES)
        refused = await ask(server, "/metrics")
        assert refused.startswith(b"HTTP/1.1 503 ")
        assert b"\r\nRetry-After: 1\r\n" in refused
        assert (await ask(server, "/healthz")).startswith(b"HTTP/1.1 200 ")
        assert b'{"x": "not yet"}' in await ask(server, "/readyz")
    finally:
        rendered.go_on.set()
    for found in await asyncio.gather(*scrapes):
        assert found.endswith(b"\r\n\r\na 1\nb 2\n")
    for connection in open_:
        with connection:
            assert (await asyncio.to_thread(answer, connection)).endswith(b"a 1\nb 2\n")
    assert rendered.calls == 1
    assert (await ask(server, "/metrics?name[]=b")).endswith(b"\r\n\r\nb 2\n")


async def test_idle_connections_give_way_to_a_probe(server: HealthServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(served, "CONNECTIONS", 40)
    monkeypatch.setattr(served, "REQUEST_SECONDS", 600.0)
    idle = [socket.create_connection(("127.0.0.1", server.port), 30) for _ in range(served.CONNECTIONS + 5)]
    try:
        await until(lambda: len(server._open) == served.CONNECTIONS)
        assert (await ask(server, "/healthz")).startswith(b"HTTP/1.1 200 ")
        assert len(server._open) <= served.CONNECTIONS
        assert await asyncio.to_thread(answer, idle[0]) == b"", "the oldest was closed"
    finally:
        for connection in idle:
            connection.close()


async def test_a_request_under_way_does_not_give_way(
    server: HealthServer, rendered: Rendered, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(served, "CONNECTIONS", 2)
    rendered.go_on.clear()
    with connected(server) as scrape:
        scrape.sendall(GET.format("/metrics").encode())
        await until(lambda: server._scrapes == 1)
        with connected(server):
            await until(lambda: len(server._open) == served.CONNECTIONS)
            assert (await ask(server, "/healthz")).startswith(b"HTTP/1.1 200 ")
        rendered.go_on.set()
        assert (await asyncio.to_thread(answer, scrape)).endswith(b"a 1\nb 2\n")


async def test_only_a_connection_that_was_idle_for_a_second_gives_way() -> None:
    server = HealthServer(Health(), tuple)
    idle = asyncio.create_task(asyncio.Event().wait())
    server._reading[idle] = 100.0  # type: ignore[index]
    server._close_oldest(100.9)
    assert not idle.cancelling()
    server._close_oldest(101.0)
    assert idle.cancelling()


async def test_a_flood_of_connections_is_accepted_slowly(server: HealthServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """Else the thread takes the interpreter from the passes."""
    monkeypatch.setattr(served, "SCRAPES", 0)
    monkeypatch.setattr(served, "_BUSY_PAUSE", 0.05)
    before = time.monotonic()
    flood = [socket.create_connection(("127.0.0.1", server.port), 30) for _ in range(10)]
    try:
        await until(lambda: len(server._open) == len(flood))
        assert time.monotonic() - before >= 9 * 0.05
    finally:
        for connection in flood:
            connection.close()


async def test_a_head_that_comes_byte_by_byte_costs_few_reads(
    server: HealthServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(served, "REQUEST_SECONDS", 1.0)
    loop: Any = await its_loop(server)
    receive, reads = loop.sock_recv, 0

    async def counted(*given: Any) -> Any:
        nonlocal reads
        reads += 1
        return await receive(*given)

    monkeypatch.setattr(loop, "sock_recv", counted)

    def drip() -> None:
        with connected(server) as connection, suppress(OSError):
            while True:  # until the server ends the connection
                connection.sendall(b"x")
                threading.Event().wait(0.01)

    await asyncio.to_thread(drip)
    assert 1 <= reads <= 5


async def test_a_connection_that_cannot_be_accepted_ends_nothing(
    server: HealthServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    loop: Any = await its_loop(server)
    accept, failures = loop.sock_accept, [OSError(errno.EMFILE, "Too many open files")]

    async def failing(listener: socket.socket) -> Any:
        if failures:
            raise failures.pop()
        return await accept(listener)

    monkeypatch.setattr(loop, "sock_accept", failing)
    for _ in range(2):  # the first one is accepted by the call that waits already
        assert (await ask(server, "/healthz")).startswith(b"HTTP/1.1 200 ")
    assert not failures


def test_the_limits_that_ship_are_within_what_the_cluster_waits() -> None:
    """The tests above lower them. The kubelet waits 5 s for a probe, Prometheus 10 s for a scrape (the chart)."""
    assert served.REQUEST_SECONDS <= 5
    assert served.ANSWER_SECONDS <= 10
    assert served.HEAD_BYTES <= 16 * 1024
    assert served.SCRAPES <= 64
    assert served.SCRAPES < served.CONNECTIONS <= 512


async def test_the_probes_are_answered_while_the_event_loop_is_blocked(server: HealthServer) -> None:
    """This test's own loop is the one of the passes. It waits here for the answers."""
    answers: list[bytes] = []
    thread = threading.Thread(target=lambda: answers.append(exchange(server, GET.format("/healthz"))))
    thread.start()
    thread.join(30)
    assert answers
    assert answers[0].startswith(b"HTTP/1.1 200 ")


async def test_series_may_change_while_they_are_rendered() -> None:
    """Passes add and remove resources meanwhile: no rendering fails, and none mixes two reports of a resource."""
    metrics, stop = Metrics(), threading.Event()
    errors: list[Exception] = []

    def render() -> None:
        while not stop.is_set():
            try:
                metrics.render()
            except Exception as error:
                errors.append(error)
                return

    thread = threading.Thread(target=render)
    thread.start()
    for number in range(3000):
        metrics.report(Key("shop", f"r{number}"), WHOLE, 300)
        if number >= 100:
            metrics.forget(Key("shop", f"r{number - 100}"))
    stop.set()
    await asyncio.to_thread(thread.join, 30)
    assert errors == []
