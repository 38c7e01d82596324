"""Make one call to Azure, and classify its failures. A refused token is not used again."""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import TypeVar

from azure.core.rest import AsyncHttpResponse

from secure_redis.azure.core.credentials import Credentials
from secure_redis.azure.core.errors import classify, classify_answer
from secure_redis.azure.core.failures import (
    Denied,
    Failure,
    Guard,
    Source,
)
from secure_redis.azure.core.policies import is_sdk_error
from secure_redis.domain.observe.identity import Identity

T = TypeVar("T")


class Calls:
    """Calls to one service. `credentials` forget an identity's tokens when the service answers 401."""

    def __init__(self, credentials: Credentials, source: Source) -> None:
        self._credentials = credentials
        self._source = source

    async def __call__(self, identity: Identity, call: Callable[[], Awaitable[T | Failure]]) -> T | Failure:
        """Make the call. Raise only what Azure did not cause: a fence, or a defect of the operator."""
        try:
            return await call()
        except Exception as error:
            if not is_sdk_error(error):
                raise
            failure = _named(classify(error, self._source), identity)
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
