"""The policies of every request: the host check before a token is attached, then the gate before the wire."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from contextvars import ContextVar
from typing import Any, Protocol
from urllib.parse import urlsplit

from azure.core.exceptions import ServiceResponseTimeoutError
from azure.core.pipeline import PipelineRequest, PipelineResponse
from azure.core.pipeline.policies import AsyncHTTPPolicy, AsyncRetryPolicy, SansIOHTTPPolicy
from azure.core.rest import AsyncHttpResponse, HttpRequest

from secure_redis.api.reasons.reason import Reason
from secure_redis.azure.core.bounded_answer import largest_answer
from secure_redis.azure.core.clouds import host_of
from secure_redis.azure.core.failures import Denied, Guard, Refused
from secure_redis.azure.core.rate_limits import Rate, RateLimits, retry_after

Request = PipelineRequest[HttpRequest]
Response = PipelineResponse[HttpRequest, AsyncHttpResponse]

# POSTs that change nothing. Every other POST counts as a write.
_READING_POSTS = ("/listkeys", "/listskusforscaling", "/checknameavailability", "/oauth2/v2.0/token")


class OnRequest(Protocol):
    """Called after each request: `status` is the HTTP status or 0 where there was no answer; wall-clock seconds."""

    def __call__(self, service: str, operation: str, status: int, seconds: float) -> None:  # noqa: D102 - documented above
        ...


def is_write(method: str, url: str) -> bool:
    """Whether a request changes something: PUT, PATCH, DELETE, and every POST except those that only read."""
    if method.upper() in ("GET", "HEAD"):
        return False
    return method.upper() != "POST" or not urlsplit(url).path.lower().rstrip("/").endswith(_READING_POSTS)


def operation_name(method: str, url: str) -> str:
    """Return a name with few values, for metrics: `GET redis/firewallRules`, `POST redis/listKeys`."""
    path = [part for part in urlsplit(url).path.split("/") if part]
    lower = [part.lower() for part in path]
    if "providers" in lower:
        rest = path[lower.index("providers") + 2 :]
    elif lower[-1:] == ["token"]:
        return f"{method} token"
    elif lower[:1] == ["secrets"]:
        rest = ["secrets", "", "versions"] if lower[-1:] == ["versions"] and len(path) == 3 else ["secrets"]
    else:
        rest = []
    # Types and names alternate; an action is a type without a name behind it.
    kinds = [kind for kind in rest[::2] if kind.isalpha()][:3]
    return f"{method} {'/'.join(kinds) or 'other'}"


# Set at the start of a pass: sent as `x-ms-client-request-id`, which Azure's logs and the operator's then share.
correlation: ContextVar[str | None] = ContextVar("correlation", default=None)


class CorrelationPolicy(SansIOHTTPPolicy[HttpRequest, AsyncHttpResponse]):
    """Puts the pass's correlation id on the request."""

    def on_request(self, request: Request) -> None:
        """Replace the random id of the SDK if the pass has an id."""
        correlation_id = correlation.get()
        if correlation_id is not None:
            request.http_request.headers["x-ms-client-request-id"] = correlation_id


class HostGuard(SansIOHTTPPolicy[HttpRequest, AsyncHttpResponse]):
    """Stops a request to a host that is not `allowed`, before authentication: first request, redirect or nextLink."""

    def __init__(self, allowed: Callable[[str], bool], what: str) -> None:
        super().__init__()
        self._allowed = allowed
        self._what = what

    def on_request(self, request: Request) -> None:
        """Raise Refused for a foreign host."""
        url = request.http_request.url
        if not self._allowed(url):
            host = host_of(url) or "a URL that is not a plain https URL"
            raise Refused(
                Denied(
                    Reason.AZURE_ERROR,
                    f"an answer of {self._what} pointed to {host}, which is not part of the configured cloud; "
                    "the request was not sent",
                    Guard.CLOUD,
                )
            )


class NoRetries(AsyncRetryPolicy[HttpRequest, AsyncHttpResponse]):
    """Takes the SDKs' retry options out of the request, and repeats nothing."""

    def __init__(self) -> None:
        super().__init__(retry_total=0)
        # The SDK copies nearly 500 codes for each pipeline, so for each vault of each identity: 16 KiB.
        self._retry_on_status_codes = set()


class Fenced(Exception):
    """The fence refused a write. `error`: as the fence raised it."""

    def __init__(self, error: Exception) -> None:
        super().__init__(type(error).__name__)
        self.error = error


class Gate(AsyncHTTPPolicy[HttpRequest, AsyncHttpResponse]):
    """The last policy before the wire: leadership fence, budget, a limit on the whole exchange, metrics, Retry-After.

    It comes after authentication, so that it counts each real request, also the unauthenticated first one to a vault.
    """

    def __init__(
        self,
        *,
        service: str,
        budget: str,
        rate: Rate,
        budgets: RateLimits,
        fence: Callable[[], None],
        on_request: OnRequest,
        total_seconds: float,
        largest: int,
    ) -> None:
        """`largest`: the bytes that an answer of this service can have, decompressed."""
        super().__init__()
        self._service = service
        self._budget = budget
        self._rate = rate
        self._budgets = budgets
        self._fence = fence
        self._on_request = on_request
        self._total = total_seconds
        self._largest = largest

    async def send(self, request: Request) -> Response:
        """Send once.

        Raises:
            Refused: over budget.
            AzureError: as the transport raised it.
            Fenced: this process may no longer write.

        """
        http = request.http_request
        await self._budgets.turn(self._budget, self._rate)
        if is_write(http.method, http.url):
            try:
                self._fence()  # after the wait: nothing may come between it and the wire
            except Exception as error:
                raise Fenced(error) from error
        started = time.monotonic()
        status = 0
        largest = largest_answer.set(self._largest)
        sent: Awaitable[Response] = self.next.send(request)
        try:
            async with asyncio.timeout(self._total):
                response = await sent
            status = response.http_response.status_code
        except TimeoutError as error:
            raise ServiceResponseTimeoutError("the answer took too long", error=error) from error
        finally:
            largest_answer.reset(largest)
            self._on_request(self._service, operation_name(http.method, http.url), status, time.monotonic() - started)
        if status in (429, 503):
            pause = retry_after(response.http_response.headers)
            if pause:
                self._budgets.pause(self._budget, pause)
        return response


Policies = list[Any]  # azure-core's own type: policies of both kinds
