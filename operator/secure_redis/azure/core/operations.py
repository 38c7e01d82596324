"""Follow the long-running operations that writes of this process started on caches. No other process knows them."""

import json
import logging
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from urllib.parse import urljoin

from azure.core.rest import AsyncHttpResponse

from secure_redis.api.azure_ids import CacheID
from secure_redis.api.reasons.reason import Reason
from secure_redis.azure.core.answers import mapping, text
from secure_redis.azure.core.calls import Calls
from secure_redis.azure.core.expiring_cache import ExpiringCache
from secure_redis.azure.core.failures import Denied, Failure, Guard, NotFound, Permanent
from secure_redis.azure.core.transport import Transport
from secure_redis.domain.observe.cache import OperationFacts
from secure_redis.domain.observe.identity import Identity
from secure_redis.telemetry.external_text import clean

_LOG = logging.getLogger(__name__)
_KEEP_SECONDS = 6 * 3600.0
# An operation that has not ended by then may never end: from then on the states of the cache decide.
DEADLINE_SECONDS = 3600.0
Get = Callable[[str], Awaitable[AsyncHttpResponse]]


@dataclass(slots=True)
class _Operation:
    url: str = field(repr=False)  # signed: stays in memory
    since: float  # monotonic


class Operations:
    """Keeps the URL of the last operation on each cache, under the identity that started it."""

    def __init__(self, transport: Transport, calls: Calls, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._transport = transport
        self._calls = calls
        self._monotonic = monotonic
        self._running: ExpiringCache[tuple[Identity, str], _Operation] = ExpiringCache(
            monotonic, keep_seconds=_KEEP_SECONDS
        )

    def forget(self, identity: Identity, cache: CacheID) -> None:
        """Forget the operation that an earlier write started."""
        self._running.drop((identity, cache.key))

    def keep(
        self, identity: Identity, cache: CacheID, headers: Mapping[str, str], *, since: float | None = None
    ) -> None:
        """Remember the operation that the headers of an answer name, if they name one.

        `since`: when it began, by the monotonic clock; None: now.
        """
        url = headers.get("Azure-AsyncOperation") or headers.get("Location")
        if not url:
            return
        url = urljoin(self._transport.cloud.resource_manager, url)
        if self._transport.cloud.is_resource_manager(url):
            began = self._monotonic() if since is None else since
            self.forget(identity, cache)
            self._running.get((identity, cache.key), lambda: _Operation(url, began))
        else:
            _LOG.warning("Azure named an operation URL outside the configured cloud; it is not followed")

    async def poll(self, identity: Identity, cache: CacheID, get: Get) -> OperationFacts | None:
        """Poll the last operation that this process started as `identity` on the cache, once.

        None: there is none, Azure has forgotten it, it is too old, or it cannot be read now (then `provisioningState`
        decides). It is forgotten once its end was returned.
        """
        operation = self._running.peek((identity, cache.key))
        if operation is not None and self._monotonic() - operation.since >= DEADLINE_SECONDS:
            self.forget(identity, cache)
            operation = None
        if operation is None:
            return None

        async def call() -> OperationFacts | Failure:
            response = await get(operation.url)
            if response.status_code == 404:
                return NotFound(Reason.CACHE_NOT_FOUND, "Azure has forgotten the operation")
            if response.status_code not in (200, 202, 204):
                return self._calls.refusal(identity, response)
            body = json.loads(response.text()) if response.text().strip() else None
            # A running one repeats its URL, freshly signed.
            self.keep(identity, cache, response.headers, since=operation.since)
            return operation_facts(response.status_code, body)

        outcome = await self._calls(identity, call)
        if isinstance(outcome, OperationFacts):
            if outcome.status != "InProgress":
                self.forget(identity, cache)
            code, message = (clean(text) if text else None for text in (outcome.code, outcome.message))
            return OperationFacts(outcome.status, code, message)
        if isinstance(outcome, NotFound | Permanent) or (isinstance(outcome, Denied) and outcome.by is Guard.CLOUD):
            self.forget(identity, cache)
        return None


def operation_facts(status_code: int, body: object) -> OperationFacts:
    """Read the answer of an operation URL, in both forms: an operation's status, or 202 until it is over.

    `body` is the decoded JSON, None where there was none. A status that is not known, such as Pending, is in progress.
    """
    if isinstance(body, Mapping):
        status = body.get("status")
        properties = body.get("properties")
        if status is None and isinstance(properties, Mapping):  # the resource itself: the operation is over
            status = properties.get("provisioningState")
        if isinstance(status, str):
            error = mapping(body.get("error"))
            return OperationFacts(_status(status), text(error.get("code")), text(error.get("message")))
    return OperationFacts("InProgress" if status_code == 202 else "Succeeded")


def _status(answered: str) -> str:
    known = {"succeeded": "Succeeded", "failed": "Failed", "canceled": "Canceled", "cancelled": "Canceled"}
    return known.get(answered.lower(), "InProgress")
