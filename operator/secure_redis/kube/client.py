"""A client of the API server over `kubernetes.aio`: plain dicts, bounded, with timeouts and a fence.

Typed models cost 22 MiB more.
"""

import asyncio
import json
import re
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, Literal, NamedTuple
from urllib.request import getproxies

import aiohttp
from kubernetes.aio import config as kubernetes_config
from kubernetes.aio.client.api_client import ApiClient
from kubernetes.aio.client.configuration import Configuration
from kubernetes.aio.config import ConfigException

from secure_redis.api import names
from secure_redis.kube import answers
from secure_redis.kube.history import History
from secure_redis.kube.streams import Streams
from secure_redis.telemetry.build import version
from secure_redis.telemetry.external_text import clean

Body = Mapping[str, Any]
Query = Mapping[str, str | int | bool]
PatchKind = Literal["merge", "json", "apply", "strategic"]

USER_AGENT: Final = f"{names.MANAGER}/{version()}"
_PATCH_TYPES: Final[Mapping[PatchKind, str]] = {
    "merge": "application/merge-patch+json",
    "json": "application/json-patch+json",
    "apply": "application/apply-patch+yaml",
    "strategic": "application/strategic-merge-patch+json",
}
_METADATA_LIST: Final = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1,application/json"
_TOO_LARGE: Final = "TooLarge"
# An object's values follow these words in the API server's validation messages.
_QUOTES_VALUE: Final = re.compile(r"(?is)\b(?:invalid|unsupported|duplicate) value\b.*")


class ApiFailure(Exception):
    """The API server refused or could not be reached (`status` 0). The text never holds an object's data.

    `reason` is the server's word (`AlreadyExists`, `Forbidden`, …), or `Unreachable`, `Timeout` or `TooLarge`,
    `causes` the reasons and fields of `details.causes`, `retry_after` seconds where the server named a time.
    """

    def __init__(
        self,
        status: int,
        reason: str,
        message: str,
        retry_after: float | None = None,
        causes: tuple[str, ...] = (),
    ) -> None:
        super().__init__(f"{status} {reason}: {message}" if status else f"{reason}: {message}")
        self.status = status
        self.reason = reason
        self.message = message
        self.retry_after = retry_after
        self.causes = causes

    @property
    def transient(self) -> bool:
        """Whether a later try can succeed without a change."""
        return self.status in (0, 408, 429) or self.status >= 500


class Listed(NamedTuple):
    """All items of a list (every page) and the resourceVersion a watch can start from."""

    items: list[dict[str, Any]]
    resource_version: str


class KubeClient:
    """Sends requests with plain dicts.

    `fence` is called before every write and raises when leadership may be lost; `on_request(method, status, seconds)`
    is called after every request (status 0: no answer). `limit` bounds requests in flight; watches are not counted.
    `streams` records the watches.
    `history` compares every list with what was observed before it.
    """

    def __init__(
        self,
        api: ApiClient,
        *,
        fence: Callable[[], None] | None = None,
        on_request: Callable[[str, int, float], None] | None = None,
        limit: int = 32,
        timeout: float = 20.0,
        streams: Streams | None = None,
        history: History | None = None,
    ) -> None:
        api.user_agent = USER_AGENT
        self._api = api
        self._fence = fence
        self._on_request = on_request
        self._slots = asyncio.Semaphore(limit)
        self._timeout = timeout
        self.streams = streams if streams is not None else Streams()
        self.history = history or History()

    @property
    def host(self) -> str:
        """The API server's base URL."""
        return str(self._api.configuration.host)

    def check(self) -> None:
        """Check the fence, before writes elsewhere that this process may make only while it leads."""
        if self._fence is not None:
            self._fence()

    async def close(self) -> None:
        """Close the session and its connections."""
        await self._api.close()  # type: ignore[no-untyped-call]

    async def get(self, path: str, query: Query | None = None) -> dict[str, Any]:
        """Read one object (or any document) at `path`."""
        return await self._request("GET", path, query)

    async def list(self, path: str, query: Query | None = None) -> Listed:
        """Read all pages of a list, where few objects are expected or others cannot create them. See `pages`."""
        items: list[dict[str, Any]] = []
        version = ""
        async for page in self.pages(path, query):
            items += page.items
            version = page.resource_version
        return Listed(items, version)

    async def pages(
        self, path: str, query: Query | None = None, *, metadata_only: bool = False
    ) -> AsyncIterator[Listed]:
        """Yield the pages of a list, so that only one is in memory. Items carry apiVersion and kind.

        A page has a bounded size: one that is too large is requested again in smaller parts (`answers.PageLimit`).
        `metadata_only`: the items have their metadata (with managedFields) and neither spec nor status.

        Raises:
            HistoryRewritten: the list is older than what was observed before it began.

        """
        began = self.history.newest(path)
        headers = {"Accept": _METADATA_LIST} if metadata_only else None
        page_limit = answers.PageLimit()
        parameters: dict[str, str | int | bool] = dict(query or {})
        while True:
            parameters["limit"] = page_limit.limit
            try:
                content = await self._read("GET", path, parameters, headers=headers, most=page_limit.bytes)
            except ApiFailure as failure:
                if failure.reason != _TOO_LARGE or page_limit.limit == 1:
                    raise
                page_limit.shrink()
                continue
            page_limit.took(len(content))
            page, content = _document(content), b""
            meta = page.get("metadata") or {}
            kind = str(page.get("kind") or "").removesuffix("List")
            items = [{"apiVersion": page.get("apiVersion"), "kind": kind, **item} for item in page.get("items") or ()]
            del page
            version = str(meta.get("resourceVersion") or "")
            self.history.listed(path, began, version)
            yield Listed(items, version)
            del items
            if not meta.get("continue"):
                return
            parameters["continue"] = meta["continue"]

    async def create(self, path: str, body: Body, query: Query | None = None, *, fenced: bool = True) -> dict[str, Any]:
        """POST. `fenced=False` only for what is no write: reviews."""
        return await self._request("POST", path, query, body, fenced=fenced)

    async def replace(self, path: str, body: Body) -> dict[str, Any]:
        """PUT; `metadata.resourceVersion` in the body is the precondition."""
        return await self._request("PUT", path, None, body, fenced=True)

    async def patch(
        self,
        path: str,
        body: Body | Sequence[Any],
        content_type: PatchKind,
        *,
        field_manager: str = names.FIELD_MANAGER,
        force: bool = False,
        dry_run: bool = False,
        strict: bool = False,
    ) -> dict[str, Any]:
        """PATCH. `metadata.uid` and `metadata.resourceVersion` in the body (no list) are preconditions.

        `dry_run`: the server answers with the result, after admission, and stores nothing. `strict`: unknown fields are
        an error.
        """
        query: dict[str, str | int | bool] = {"fieldManager": field_manager}
        if dry_run:
            query["dryRun"] = "All"
        if strict:
            query["fieldValidation"] = "Strict"
        if content_type == "apply":
            query["force"] = force
        headers = {"Content-Type": _PATCH_TYPES[content_type]}
        return await self._request("PATCH", path, query, body, fenced=True, headers=headers)

    async def delete(self, path: str, *, uid: str, resource_version: str | None = None) -> dict[str, Any]:
        """DELETE exactly the object with this uid (and, where given, in this version)."""
        preconditions = {"uid": uid, **({"resourceVersion": resource_version} if resource_version else {})}
        options = {"apiVersion": "v1", "kind": "DeleteOptions", "preconditions": preconditions}
        return await self._request("DELETE", path, None, options, fenced=True)

    async def watch(
        self,
        path: str,
        query: Query | None = None,
        *,
        resource_version: str = "",
        inactivity: float = 90.0,
    ) -> AsyncIterator[tuple[str, dict[str, Any]]]:
        """Events from `resource_version` on: ADDED, MODIFIED, DELETED and BOOKMARK with their objects.

        Ends when the server ends the stream, by default after 30 to 60 minutes. The server sends a bookmark about once
        a minute, so that `inactivity` seconds without a line show a dead connection
        (docs/internals/kubernetes-facts.md#watch-streams).

        Raises:
            ApiFailure: 410 when the version is too old to resume; `Timeout` when the stream fell silent.

        """
        parameters: dict[str, str | int | bool] = {"watch": "1", "allowWatchBookmarks": "true", **(query or {})}
        if resource_version:
            parameters["resourceVersion"] = resource_version
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=self._timeout, sock_read=inactivity)
        started, opened = time.monotonic(), False
        try:
            response = await self._send("GET", path, parameters, None, {}, timeout)
            try:
                self._note("WATCH", response.status, started)
                if response.status != 200:
                    raise _failure(response.status, await answers.read(response.content), response.headers)
                self.streams.opened(path)
                opened = True
                async for line in answers.lines(response.content):
                    kind, body = _event(line)
                    self.history.observed(path, str(body["metadata"].get("resourceVersion") or ""))
                    yield kind, body
            finally:
                response.close()
                if opened:
                    self.streams.closed(path)
        except (TimeoutError, aiohttp.ServerTimeoutError):
            raise ApiFailure(0, "Timeout", "the watch fell silent") from None
        except answers.AnswerTooLarge:
            raise ApiFailure(0, _TOO_LARGE, answers.too_large()) from None
        except (aiohttp.ClientError, ConfigException, OSError, ValueError) as error:
            raise ApiFailure(0, "Unreachable", f"the watch broke: {type(error).__name__}") from None

    async def _request(
        self,
        method: str,
        path: str,
        query: Query | None,
        body: Body | Sequence[Any] | None = None,
        *,
        fenced: bool = False,
        headers: Mapping[str, str] | None = None,
    ) -> dict[str, Any]:
        return _document(await self._read(method, path, query, body, fenced=fenced, headers=headers))

    async def _read(
        self,
        method: str,
        path: str,
        query: Query | None,
        body: Body | Sequence[Any] | None = None,
        *,
        fenced: bool = False,
        headers: Mapping[str, str] | None = None,
        most: int = answers.ANSWER_BYTES,
    ) -> bytes:
        async with self._slots:
            if fenced and self._fence is not None:
                self._fence()  # after the wait for a slot: as close to the write as can be
            started = time.monotonic()
            try:
                async with asyncio.timeout(self._timeout):
                    timeout = aiohttp.ClientTimeout(total=self._timeout)
                    response = await self._send(method, path, query, body, headers or {}, timeout)
                    async with response:  # closes the connection if not all was read
                        content = await answers.read(response.content, most)
            except answers.AnswerTooLarge:
                self._note(method, response.status, started)
                raise ApiFailure(0, _TOO_LARGE, answers.too_large(most)) from None
            except TimeoutError:
                self._note(method, 0, started)
                raise ApiFailure(0, "Timeout", f"the API server did not answer in {self._timeout:g} s") from None
            except ConfigException as error:  # the projected token is read again now and then
                raise ApiFailure(
                    0, "Unreachable", f"the ServiceAccount's token cannot be read: {clean(str(error))}"
                ) from None
            except (aiohttp.ClientError, OSError) as error:
                self._note(method, 0, started)
                raise ApiFailure(0, "Unreachable", f"no connection to the API server: {type(error).__name__}") from None
        self._note(method, response.status, started)
        if response.status >= 300:
            raise _failure(response.status, content, response.headers)
        return content

    async def _send(
        self,
        method: str,
        path: str,
        query: Query | None,
        body: Body | Sequence[Any] | None,
        headers: Mapping[str, str],
        limits: aiohttp.ClientTimeout,
    ) -> aiohttp.ClientResponse:
        parameters = [
            (name, str(value).lower() if isinstance(value, bool) else value) for name, value in (query or {}).items()
        ]
        # The body does not pass through the serialiser: it is JSON already and can be large.
        verb, url, sent, _, _ = await self._api.param_serialize(
            method,
            path,
            query_params=parameters,
            header_params={"Accept": "application/json", **headers},
            auth_settings=["BearerToken"],
        )
        answer = await self._api.call_api(verb, url, header_params=sent, body=body, _request_timeout=limits)
        response: aiohttp.ClientResponse = answer.response
        return response

    def _note(self, method: str, status: int, started: float) -> None:
        if self._on_request is not None:
            self._on_request(method, status, time.monotonic() - started)


def _document(content: bytes) -> dict[str, Any]:
    try:
        document = json.loads(content)
    except ValueError:
        raise ApiFailure(0, "Malformed", "the API server's answer is not JSON") from None
    if not isinstance(document, dict):
        raise ApiFailure(0, "Malformed", "the API server's answer is not an object")
    return document


def _event(line: bytes) -> tuple[str, dict[str, Any]]:
    event = json.loads(line)
    kind, body = str(event["type"]), event["object"]
    if kind == "ERROR":
        raise _status(int(body.get("code") or 0), body, None)
    return kind, body


def _failure(status: int, content: bytes, headers: Mapping[str, str]) -> ApiFailure:
    try:
        retry_after: float | None = max(0.0, float(headers.get("Retry-After", "")))
    except ValueError:
        retry_after = None
    try:
        document = json.loads(content)
    except ValueError:
        document = None
    if not isinstance(document, dict) or document.get("kind") != "Status":
        return ApiFailure(status, "Unknown", "an answer that is not from a Kubernetes API server", retry_after)
    return _status(status, document, retry_after)


def _status(status: int, document: Body, retry_after: float | None) -> ApiFailure:
    details = document.get("details") or {}
    causes = tuple(
        part for cause in details.get("causes") or () for part in (cause.get("reason"), cause.get("field")) if part
    )
    if retry_after is None and details.get("retryAfterSeconds"):
        retry_after = float(details["retryAfterSeconds"])
    message = _QUOTES_VALUE.sub("a value is not legal", str(document.get("message") or ""))
    return ApiFailure(status, str(document.get("reason") or "Unknown"), clean(message), retry_after, causes)


async def connect(kubeconfig: Path | None = None, context: str | None = None) -> ApiClient:
    """Open a session with the API server: in-cluster (the projected token is re-read every minute), or a file's.

    Raises:
        kubernetes.aio.config.ConfigException: this is not a pod of a cluster, and there is no usable file.

    """
    configuration = Configuration()
    if kubeconfig is None:
        kubernetes_config.load_incluster_config(client_configuration=configuration)  # type: ignore[no-untyped-call]
    else:
        await kubernetes_config.load_kube_config(  # type: ignore[no-untyped-call]
            config_file=str(kubeconfig), context=context, client_configuration=configuration, persist_config=False
        )
    configuration.connection_pool_maxsize = 0  # KubeClient has its own bound; watches must not use it up
    # aiohttp reads the environment only if it names a proxy: this takes two threads for every request.
    configuration.client_session_kwargs = {"trust_env": any(scheme != "no" for scheme in getproxies())}
    return ApiClient(configuration=configuration)
