"""Make one call to Azure, and classify its failures. A refused token is not used again."""

import logging
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import TypeVar

from azure.core.rest import AsyncHttpResponse

from secure_redis.api.reasons.reason import Reason
from secure_redis.azure.core.credentials import Credentials
from secure_redis.azure.core.errors import classify, classify_answer
from secure_redis.azure.core.failures import (
    Denied,
    Failure,
    Guard,
    Source,
)
from secure_redis.azure.core.policies import Fenced
from secure_redis.domain.observe.identity import Identity

_LOG = logging.getLogger(__name__)
T = TypeVar("T")


class Calls:
    """Calls to one service. `credentials` forget an identity's tokens when the service answers 401."""

    def __init__(self, credentials: Credentials, source: Source) -> None:
        self._credentials = credentials
        self._source = source

    async def __call__(self, identity: Identity, call: Callable[[], Awaitable[T | Failure]]) -> T | Failure:
        """Make the call, and classify whatever it raises: an odd answer can make any code on its way raise anything.

        Raises:
            Exception: as the fence raised it, because this process may no longer write. Nothing else.

        """
        try:
            return await call()
        except Fenced as refused:
            raise refused.error from None
        except Exception as error:
            failure = _named(classify(error, self._source), identity)
            if failure.reason is Reason.INTERNAL_ERROR:
                _LOG.warning("a call to %s ended unexpectedly", self._source, exc_info=True)
            self._judge(identity, getattr(error, "status_code", None), failure)
            return failure

    def refusal(self, identity: Identity, response: AsyncHttpResponse) -> Failure:
        """Classify an answer that the SDK has not classified."""
        answered = classify_answer(response.status_code, response.headers, response.text(), self._source)
        failure = _named(answered, identity)
        self._judge(identity, response.status_code, failure)
        return failure

    def _judge(self, identity: Identity, status: int | None, failure: Failure) -> None:
        # Another tenant's subscription or vault refuses a good token, which serves everywhere else.
        elsewhere = isinstance(failure, Denied) and failure.by is Guard.TENANT
        if status == 401 and not elsewhere:
            self._credentials.forget(identity)


def _named(failure: Failure, identity: Identity) -> Failure:
    """Name the identity that lacks a role: the ServiceAccount, and the client id that Azure knows."""
    if not isinstance(failure, Denied) or failure.by is not Guard.ROLE:
        return failure
    return replace(failure, message=failure.message.replace("the identity", str(identity), 1))
