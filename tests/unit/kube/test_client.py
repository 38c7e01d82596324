"""The client against answers that a real API server gives only on bad days."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress

import pytest
from aiohttp import web
from kubernetes.aio.client.api_client import ApiClient
from kubernetes.aio.client.configuration import Configuration

from secure_redis.kube import answers
from secure_redis.kube.client import ApiFailure, KubeClient
from secure_redis.kube.lease import LeadershipLost
from secure_redis.kube.streams import PATIENCE, Streams
from tests.unit.telemetry.refusals import REFUSALS, attempt

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
Serve = Callable[..., Awaitable[KubeClient]]


@pytest.fixture
async def serve() -> AsyncIterator[Serve]:
    """Starts a server on loopback with one handler for all, and a client of it."""
    runners: list[web.AppRunner] = []
    clients: list[KubeClient] = []

    async def start(handler: Handler, **options: object) -> KubeClient:
        app = web.Application()
        app.router.add_route("*", "/{tail:.*}", handler)
        runner = web.AppRunner(app, shutdown_timeout=0.1)
        await runner.setup()
        runners.append(runner)
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        configuration = Configuration()
        configuration.host = f"http://127.0.0.1:{runner.addresses[0][1]}"
        configuration.api_key["BearerToken"] = "Bearer t"
        client = KubeClient(ApiClient(configuration=configuration), **options)  # type: ignore[arg-type]
        clients.append(client)
        return client

    yield start
    for client in clients:
        await client.close()
    for runner in runners:
        await runner.cleanup()


def status(code: int, reason: str, message: str, **details: object) -> web.Response:
    body = {
        "kind": "Status",
        "apiVersion": "v1",
        "code": code,
        "reason": reason,
        "message": message,
        "details": details,
    }
    return web.json_response(body, status=code)


async def failure_of(awaitable: Awaitable[object]) -> ApiFailure:
    with pytest.raises(ApiFailure) as caught:
        await awaitable
    return caught.value


async def test_a_failure_is_typed_and_contains_no_value(serve: Serve) -> None:
    async def refuse(_: web.Request) -> web.Response:
        message = 'Secret "a" is invalid: data[password]: Invalid value: "canary-value": must be base64'
        return status(422, "Invalid", message, causes=[{"reason": "FieldValueInvalid", "field": "data[password]"}])

    failure = await failure_of((await serve(refuse)).get("/x"))
    assert (failure.status, failure.reason) == (422, "Invalid")
    assert failure.causes == ("FieldValueInvalid", "data[password]")
    assert "canary-value" not in str(failure)
    assert "data[password]" in str(failure)
    assert not failure.transient


async def test_a_refusal_that_comes_again_has_the_same_text(serve: Serve) -> None:
    async def refuse(request: web.Request) -> web.Response:
        refusal = REFUSALS[int(request.query["which"])]
        text = attempt(refusal.message, int(request.query["attempt"]))
        return status(max(refusal.status, 400), refusal.code, text)

    client = await serve(refuse)
    for which in range(len(REFUSALS)):
        first, second = [
            (await failure_of(client.get("/x", {"which": which, "attempt": number}))).message for number in (1, 2)
        ]
        assert first == second


async def test_retry_after_is_reported(serve: Serve) -> None:
    async def later(_: web.Request) -> web.Response:
        answer = status(429, "TooManyRequests", "later")
        answer.headers["Retry-After"] = "7"
        return answer

    failure = await failure_of((await serve(later)).get("/x"))
    assert failure.retry_after == 7
    assert failure.transient


@pytest.mark.parametrize(
    ("text", "code", "reason"),
    [("<html>gateway</html>", 502, "Unknown"), ('{"kind":', 200, "Malformed"), ("[]", 200, "Malformed")],
)
async def test_a_server_that_is_no_api_server(serve: Serve, text: str, code: int, reason: str) -> None:
    async def answer(_: web.Request) -> web.Response:
        return web.Response(text=text, status=code)

    failure = await failure_of((await serve(answer)).get("/x"))
    assert failure.reason == reason
    assert "gateway" not in str(failure)
    assert failure.transient


async def test_an_answer_that_does_not_come_is_given_up(serve: Serve) -> None:
    async def hang(_: web.Request) -> web.Response:
        await asyncio.sleep(30)
        return web.Response()

    failure = await failure_of((await serve(hang, timeout=0.2)).get("/x"))
    assert (failure.status, failure.reason) == (0, "Timeout")


async def test_without_a_listener() -> None:
    configuration = Configuration()
    configuration.host = "http://127.0.0.1:9"
    client = KubeClient(ApiClient(configuration=configuration))
    failure = await failure_of(client.get("/x"))
    assert failure.reason == "Unreachable"
    assert failure.transient
    await client.close()


async def test_the_fence_stops_writes_and_lets_reads_pass(serve: Serve) -> None:
    methods: list[str] = []

    async def note(request: web.Request) -> web.Response:
        methods.append(request.method)
        return web.json_response({})

    def fence() -> None:
        raise LeadershipLost("lost")

    client = await serve(note, fence=fence)
    await client.get("/x")
    await client.create("/review", {}, fenced=False)
    for write in (
        client.create("/x", {}),
        client.replace("/x", {}),
        client.patch("/x", {}, "merge"),
        client.delete("/x", uid="u"),
    ):
        with pytest.raises(LeadershipLost):
            await write
    assert methods == ["GET", "POST"]


async def test_a_write_reports_who_and_how(serve: Serve) -> None:
    observed: list[tuple[str, str, dict[str, str], bytes]] = []

    async def note(request: web.Request) -> web.Response:
        observed.append((request.method, request.content_type, dict(request.query), await request.read()))
        assert request.headers["Authorization"] == "Bearer t"
        assert request.headers["User-Agent"].startswith("secure-redis-operator/")
        return web.json_response({})

    client = await serve(note)
    await client.patch("/x", {"a": None}, "apply", force=True)
    await client.patch("/x", [{"op": "test"}], "json")
    await client.delete("/x", uid="u", resource_version="5")
    await client.get("/x", {"labelSelector": "a=b,c=d"})
    assert observed[0][:3] == (
        "PATCH",
        "application/apply-patch+yaml",
        {"fieldManager": "secure-redis-operator", "force": "true"},
    )
    assert json.loads(observed[0][3]) == {"a": None}
    assert observed[1][1] == "application/json-patch+json"
    assert json.loads(observed[2][3])["preconditions"] == {"uid": "u", "resourceVersion": "5"}
    assert observed[3][2] == {"labelSelector": "a=b,c=d"}


async def test_requests_in_flight_are_bounded(serve: Serve) -> None:
    now = most = 0

    async def slow(_: web.Request) -> web.Response:
        nonlocal now, most
        now += 1
        most = max(most, now)
        await asyncio.sleep(0.02)
        now -= 1
        return web.json_response({})

    client = await serve(slow, limit=3)
    await asyncio.gather(*(client.get("/x") for _ in range(12)))
    assert most == 3


async def test_all_pages_of_a_list(serve: Serve) -> None:
    async def pages(request: web.Request) -> web.Response:
        second = request.query.get("continue") == "more"
        meta = {"resourceVersion": "9"} if second else {"resourceVersion": "9", "continue": "more"}
        items = [{"metadata": {"name": "b" if second else "a"}}]
        return web.json_response({"kind": "SecretList", "apiVersion": "v1", "metadata": meta, "items": items})

    listed = await (await serve(pages)).list("/x")
    assert [item["metadata"]["name"] for item in listed.items] == ["a", "b"]
    assert listed.items[0]["kind"] == "Secret"
    assert listed.resource_version == "9"


async def test_a_page_that_is_too_large_is_requested_again_in_smaller_parts(serve: Serve) -> None:
    """Ten objects of a MiB, and behind them small ones: never more than a page's bound is read."""
    sizes = [1024 * 1024] * 10 + [10] * 300
    limits: list[int] = []

    async def pages(request: web.Request) -> web.Response:
        start, limit = int(request.query.get("continue", "0")), int(request.query["limit"])
        limits.append(limit)
        names = [f"{number:03}" for number in range(start, min(start + limit, len(sizes)))]
        items = [{"metadata": {"name": name, "text": "x" * sizes[int(name)]}} for name in names]
        more = {"continue": str(start + limit)} if start + limit < len(sizes) else {}
        return web.json_response({"kind": "SecretList", "metadata": {"resourceVersion": "9", **more}, "items": items})

    found: list[str] = []
    async for page in (await serve(pages)).pages("/x"):
        found += [item["metadata"]["name"] for item in page.items]
        assert sum(len(item["metadata"]["text"]) for item in page.items) <= answers.PAGE_BYTES
    assert found == [f"{number:03}" for number in range(len(sizes))]
    assert limits[:3] == [answers.PAGE, answers.PAGE // 10, 1]
    assert max(limits[3:]) == answers.PAGE, "small objects come in large pages again"


@pytest.mark.parametrize("path", ["/x", "/list"])
async def test_an_answer_beyond_the_bound_is_dropped(serve: Serve, path: str) -> None:
    async def endless(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        with suppress(ConnectionError):
            while True:
                await response.write(b"[" * 65536)
        return response

    client = await serve(endless)
    failure = await failure_of(client.get(path) if path == "/x" else client.list(path))
    assert failure.reason == "TooLarge"
    assert failure.transient


async def test_a_watch_with_an_endless_line_is_ended(serve: Serve) -> None:
    async def endless(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        with suppress(ConnectionError):
            await response.write(json.dumps({"type": "BOOKMARK", "object": {"metadata": {}}}).encode() + b"\n")
            while True:
                await response.write(b"[" * 65536)
        return response

    observed, failure = await watch_failure(await serve(endless))
    assert (observed, failure.reason) == (["BOOKMARK"], "TooLarge")


async def watch_failure(client: KubeClient) -> tuple[list[str], ApiFailure]:
    observed: list[str] = []
    with pytest.raises(ApiFailure) as caught:  # noqa: PT012 - what came before the failure matters
        async for kind, _ in client.watch("/x", resource_version="5", inactivity=0.3):
            observed.append(kind)
    return observed, caught.value


async def test_an_expired_watch_is_410_even_inside_the_stream(serve: Serve) -> None:
    async def stream(request: web.Request) -> web.StreamResponse:
        assert request.query["resourceVersion"] == "5"
        response = web.StreamResponse()
        await response.prepare(request)
        await response.write(json.dumps({"type": "BOOKMARK", "object": {"metadata": {}}}).encode() + b"\n")
        gone = {"kind": "Status", "code": 410, "reason": "Expired", "message": "too old resource version"}
        await response.write(json.dumps({"type": "ERROR", "object": gone}).encode() + b"\n")
        return response

    observed, failure = await watch_failure(await serve(stream))
    assert observed == ["BOOKMARK"]
    assert failure.status == 410


async def test_a_watch_that_breaks_or_falls_silent_is_reported(serve: Serve) -> None:
    async def broken(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        await response.write(b'{"type": "ADDED", "obj\n')
        return response

    async def silent(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        await asyncio.sleep(30)
        return response

    assert (await watch_failure(await serve(broken)))[1].reason == "Unreachable"
    assert (await watch_failure(await serve(silent)))[1].reason == "Timeout"


async def test_a_refused_watch_is_typed(serve: Serve) -> None:
    async def refuse(_: web.Request) -> web.Response:
        return status(403, "Forbidden", "no")

    assert (await watch_failure(await serve(refuse)))[1].status == 403


async def test_a_watch_is_recorded_while_it_is_open(serve: Serve) -> None:
    closing = asyncio.Event()

    async def handler(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        await response.write(b'{"type": "BOOKMARK", "object": {"metadata": {}}}\n')
        await closing.wait()
        return response

    now = [0.0]
    client = await serve(handler, streams=Streams(lambda: now[0]))
    client.streams.expect("/api/v1/secrets", "Secrets", None)
    now[0] = 2 * PATIENCE
    assert client.streams.missing() is not None
    async for kind, _ in client.watch("/api/v1/secrets"):
        assert kind == "BOOKMARK"
        assert client.streams.missing() is None
        closing.set()
    now[0] += 2 * PATIENCE
    assert client.streams.missing() is not None


async def test_a_refused_watch_is_not_recorded_as_open(serve: Serve) -> None:
    async def handler(_: web.Request) -> web.StreamResponse:
        return status(403, "Forbidden", "no")

    now = [0.0]
    client = await serve(handler, streams=Streams(lambda: now[0]))
    client.streams.expect("/api/v1/secrets", "Secrets", None)
    with pytest.raises(ApiFailure):
        async for _ in client.watch("/api/v1/secrets"):
            pass
    now[0] = 2 * PATIENCE
    assert client.streams.missing() is not None
