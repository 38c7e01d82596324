"""Make calls to a vault under an identity."""

from collections.abc import Awaitable, Callable
from typing import TypeVar

from azure.core.rest import AsyncHttpResponse
from azure.keyvault.secrets._shared.http_challenge_cache import remove_challenge_for_url
from azure.keyvault.secrets.aio import SecretClient

from secure_redis.azure.core.calls import Calls
from secure_redis.azure.core.credentials import Credentials
from secure_redis.azure.core.failures import Denied, Failure, Guard, Source
from secure_redis.domain.observe.identity import Identity

T = TypeVar("T")


class VaultCalls:
    """The calls to all vaults."""

    def __init__(self, credentials: Credentials) -> None:
        self._calls = Calls(credentials, Source.VAULT)

    async def __call__(
        self, identity: Identity, client: SecretClient, call: Callable[[], Awaitable[T | Failure]]
    ) -> T | Failure:
        """Make one call to the vault. A challenge that leads to a refusal is not used again.

        The SDK remembers a vault's challenge, with its tenant, for the whole process. It asks the vault again only
        after a request that was sent. The operator's own refusal sends none, so the vault could change its tenant and
        stay refused until a restart. The SDK has no public way to forget a challenge.
        """
        outcome = await self._calls(identity, call)
        if isinstance(outcome, Denied) and outcome.by in {Guard.TENANT, Guard.CLOUD}:
            remove_challenge_for_url(client.vault_url)
        return outcome

    def refusal(self, identity: Identity, response: AsyncHttpResponse) -> Failure:
        """Classify an answer without success."""
        return self._calls.refusal(identity, response)
