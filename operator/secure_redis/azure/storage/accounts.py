"""Read `Microsoft.Storage/storageAccounts`: the account behind a cache's persistence. Nothing is written.

Only the management plane is read: neither keys nor blobs are ever read here.
"""

import json
import time
from collections.abc import Awaitable, Callable
from typing import Any, Final, TypeVar

from azure.mgmt.core.policies import AsyncARMChallengeAuthenticationPolicy
from azure.mgmt.storage.aio import StorageManagementClient

from secure_redis.api.azure_ids import StorageAccountID
from secure_redis.azure.core.answers import Malformed
from secure_redis.azure.core.calls import Calls
from secure_redis.azure.core.credentials import Credentials
from secure_redis.azure.core.expiring_cache import ExpiringCache
from secure_redis.azure.core.failures import (
    Failure,
    Missing,
    NotFound,
    Source,
)
from secure_redis.azure.core.resource_manager import unread
from secure_redis.azure.core.transport import Transport
from secure_redis.azure.storage import convert
from secure_redis.domain.observe.identity import Identity
from secure_redis.domain.observe.storage import BlobServiceFacts, StorageAbsent, StorageFacts
from secure_redis.domain.observe.unknown import Unknown

T = TypeVar("T")

# Has every property of the chain, and is there in the sovereign clouds; the SDK's own default is of 2026-09.
API_VERSION: Final = "2023-05-01"
READ_ACCOUNT: Final = "Microsoft.Storage/storageAccounts/read"
READ_BLOB_SERVICE: Final = "Microsoft.Storage/storageAccounts/blobServices/read"


def _body(answer: Any, _model: object, _headers: object) -> str:
    """Return the JSON itself: the SDK's model turns absent and null into the same None."""
    text: str = answer.http_response.text()
    return text


class StorageAccounts:
    """Reads accounts with one SDK client per identity and subscription (34 KiB each, measured), on one transport."""

    def __init__(self, transport: Transport, credentials: Credentials) -> None:
        self._transport = transport
        self._credentials = credentials
        self._calls = Calls(credentials, Source.RESOURCE_MANAGER)
        self._clients: ExpiringCache[tuple[Identity, str], StorageManagementClient] = ExpiringCache(time.monotonic)

    async def read(self, identity: Identity, account: StorageAccountID) -> StorageFacts | StorageAbsent | Unknown:
        """Read the account's properties directly. Needs `Microsoft.Storage/storageAccounts/read`."""
        accounts = self._client(identity, account).storage_accounts

        async def call() -> StorageFacts:
            answer: Any = await accounts.get_properties(account.group, account.name, cls=_body)
            facts = convert.storage_facts(json.loads(answer))
            if facts.account_id.parts != account.parts:
                raise Malformed("Azure answered with another storage account than the requested one")
            return facts

        return await self._request(identity, call, READ_ACCOUNT)

    async def blob_service(
        self, identity: Identity, account: StorageAccountID
    ) -> BlobServiceFacts | StorageAbsent | Unknown:
        """Read soft delete and versions. Needs `Microsoft.Storage/storageAccounts/blobServices/read`."""
        services = self._client(identity, account).blob_services

        async def call() -> BlobServiceFacts:
            answer: Any = await services.get_service_properties(account.group, account.name, cls=_body)
            return convert.blob_service_facts(json.loads(answer))

        return await self._request(identity, call, READ_BLOB_SERVICE)

    async def _request(
        self, identity: Identity, call: Callable[[], Awaitable[T | Failure]], permission: str
    ) -> T | StorageAbsent | Unknown:
        outcome = await self._calls(identity, call)
        if isinstance(outcome, NotFound):
            return StorageAbsent(outcome.message, group_missing=outcome.what is Missing.GROUP)
        return unread(outcome, permission) if isinstance(outcome, Failure) else outcome

    def _client(self, identity: Identity, account: StorageAccountID) -> StorageManagementClient:
        subscription = account.subscription.lower()
        return self._clients.get((identity, subscription), lambda: self._make(identity, subscription))

    def _make(self, identity: Identity, subscription: str) -> StorageManagementClient:
        cloud = self._transport.cloud
        credential = self._credentials.for_resource_manager(identity)
        authentication = AsyncARMChallengeAuthenticationPolicy(credential, cloud.resource_manager_scope)
        return StorageManagementClient(
            credential,
            subscription,
            cloud.resource_manager,
            api_version=API_VERSION,
            credential_scopes=[cloud.resource_manager_scope],
            transport=self._transport.http,
            policies=self._transport.resource_manager_policies(subscription, str(identity), authentication),
        )
