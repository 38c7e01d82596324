"""One call to Azure, with whatever goes wrong told apart; a refused token is not used again."""

from collections.abc import Awaitable, Callable
from typing import TypeVar

from azure.core.rest import AsyncHttpResponse

from secure_redis.azure.credentials import Credentials
from secure_redis.azure.errors import classify, classify_answer
from secure_redis.azure.failures import Failure, Source
from secure_redis.azure.policies import is_sdk_error
from secure_redis.domain.observation import Identity

T = TypeVar("T")


class Attempts:
    """Calls to one service. `credentials` forget an identity's tokens when the service answers 401."""

    def __init__(self, credentials: Credentials, source: Source) -> None:
        self._credentials = credentials
        self._source = source

    async def __call__(self, identity: Identity, call: Callable[[], Awaitable[T | Failure]]) -> T | Failure:
        """Make the call. Raises only what is not Azure's doing: a fence, or a defect of ours."""
        try:
            return await call()
        except Exception as error:
            if not is_sdk_error(error):
                raise
            if getattr(error, "status_code", None) == 401:
                self._credentials.forget(identity)
            return classify(error, self._source)

    def refusal(self, identity: Identity, response: AsyncHttpResponse) -> Failure:
        """What an answer without the SDK's own judgement means."""
        if response.status_code == 401:
            self._credentials.forget(identity)
        return classify_answer(response.status_code, response.headers, response.text(), self._source)
