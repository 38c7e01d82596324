"""The session that kopf watches resources with: trusted, authorised, and with bounded answers.

kopf reads a page or a line whole, and keeps each object until its worker ends. So the answers are bounded before kopf
gets them: a list comes in pages of bounded size, and a large object without the parts that the operator does not read.
`tests/integration/components/test_large_resources.py` fails if kopf reads its answers in another way.
"""

import json
import ssl
from collections.abc import AsyncIterator
from typing import Any, Final, cast

import aiohttp
from kubernetes.aio.client.configuration import Configuration

from secure_redis.api import names
from secure_redis.kube import answers
from secure_redis.kube.client import USER_AGENT
from secure_redis.kube.resource_bodies import LARGEST, partial
from secure_redis.kube.streams import Streams

_WATCHES: Final = ("true", "1")


def session(configuration: Configuration, streams: Streams) -> aiohttp.ClientSession:
    """Make an `aiohttp` session with the client's trust and an always current token, for kopf.

    Its connections have no limit: kopf holds one watch for each namespace, and the rest would wait without end.
    """

    async def authorize(request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType) -> aiohttp.ClientResponse:
        token = await configuration.get_api_key_with_prefix("BearerToken", alias="authorization")
        if token:
            request.headers["Authorization"] = token
        response = await handler(request)
        streams.follow(response)
        return response

    context = ssl.create_default_context(cafile=configuration.ssl_ca_cert, cadata=configuration.ca_cert_data)
    if configuration.cert_file:
        context.load_cert_chain(configuration.cert_file, keyfile=configuration.key_file)
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=0, ssl=context),
        middlewares=(_Bounded(), authorize),
        headers={"User-Agent": USER_AGENT},
    )


class _Bounded:
    """A middleware that bounds the lists and watches of resources."""

    def __init__(self) -> None:
        self._limits: dict[str, answers.PageLimit] = {}  # by path, of the list that is read

    async def __call__(
        self, request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType
    ) -> aiohttp.ClientResponse:
        url = request.url
        if request.method != "GET" or not url.path.endswith(f"/{names.PLURAL}"):
            return await handler(request)
        if url.query.get("watch") in _WATCHES:
            response = await handler(request)
            if response.status == 200:
                response.content = cast("Any", _Lines(response.content))
            return response
        return await self._page(request, handler)

    async def _page(self, request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType) -> aiohttp.ClientResponse:
        url = request.url
        if "continue" not in url.query:
            self._limits[url.path] = answers.PageLimit()
        limit = self._limits.setdefault(url.path, answers.PageLimit())
        while True:
            request.url = url.update_query(limit=limit.limit)
            response = await handler(request)
            if response.status != 200:
                return response
            try:
                content = await answers.read(response.content, limit.bytes)
            except answers.AnswerTooLarge:
                response.close()
                if limit.limit == 1:
                    raise aiohttp.ClientPayloadError(answers.too_large()) from None
                limit.shrink()
                continue
            limit.took(len(content))
            if len(content) > LARGEST:  # else none of its objects is large
                content = _smaller(content)
            response.content = cast("Any", _Content(content))
            return response


class _Content:
    """A body that was read already."""

    def __init__(self, content: bytes) -> None:
        self._content = content

    async def read(self) -> bytes:
        """Return it whole."""
        return self._content

    def exception(self) -> BaseException | None:
        """Return None: it was read without an error."""
        return None

    def set_exception(self, *_: Any) -> None:
        """Ignore the end of the connection, which is not needed any more."""


class _Lines:
    """The lines of a watch, of which the large ones are reduced."""

    def __init__(self, content: aiohttp.StreamReader) -> None:
        self._content = content

    async def iter_chunked(self, _: int) -> AsyncIterator[bytes]:
        """Yield a line at a time, whatever size is requested."""
        try:
            async for line in answers.lines(self._content):
                yield (_smaller_event(line) if len(line) > LARGEST else line) + b"\n"
        except answers.AnswerTooLarge:
            raise aiohttp.ClientPayloadError(answers.too_large()) from None

    def __getattr__(self, name: str) -> Any:
        return getattr(self._content, name)


def _smaller(page: bytes) -> bytes:
    document = json.loads(page)
    document["items"] = [partial(item) for item in document.get("items") or ()]
    return json.dumps(document, separators=(",", ":")).encode()


def _smaller_event(line: bytes) -> bytes:
    event = json.loads(line)
    if event.get("type") in ("ADDED", "MODIFIED", "DELETED"):
        event["object"] = partial(event["object"])
    return json.dumps(event, separators=(",", ":")).encode()
