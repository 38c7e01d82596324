"""Read `Microsoft.Storage/storageAccounts`: the account behind a cache's persistence. Nothing is written.

Only the management plane is read: neither keys nor blobs are ever read here. The two reads need no SDK: its import
took 9.5 MiB and 110 ms, and its model turns absent and null into the same None.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final, TypeVar

from secure_redis.api.azure_ids import StorageAccountID
from secure_redis.api.reasons.reason import Reason
from secure_redis.azure.core.answers import Malformed
from secure_redis.azure.core.failures import Failure, Missing, NotFound
from secure_redis.azure.core.resource_manager import ResourceManager, unread
from secure_redis.azure.storage import convert
from secure_redis.domain.observe.identity import Identity
from secure_redis.domain.observe.storage import BlobServiceFacts, StorageAbsent, StorageFacts
from secure_redis.domain.observe.unknown import Unknown

T = TypeVar("T")

# Has every property of the chain, and is there in the sovereign clouds; the newest one is of 2026-09.
API_VERSION: Final = "2023-05-01"
READ_ACCOUNT: Final = "Microsoft.Storage/storageAccounts/read"
READ_BLOB_SERVICE: Final = "Microsoft.Storage/storageAccounts/blobServices/read"


class StorageAccounts:
    """Reads accounts and their blob services."""

    def __init__(self, resource_manager: ResourceManager) -> None:
        self._resource_manager = resource_manager

    async def read(self, identity: Identity, account: StorageAccountID) -> StorageFacts | StorageAbsent | Unknown:
        """Read the account's properties directly. Needs `Microsoft.Storage/storageAccounts/read`."""

        def facts(answer: Mapping[str, Any]) -> StorageFacts:
            found = convert.storage_facts(answer)
            if found.account_id.parts != account.parts:
                raise Malformed("Azure answered with another storage account than the requested one")
            return found

        return await self._read(identity, account.text, facts, READ_ACCOUNT)

    async def blob_service(
        self, identity: Identity, account: StorageAccountID
    ) -> BlobServiceFacts | StorageAbsent | Unknown:
        """Read soft delete and versions. Needs `Microsoft.Storage/storageAccounts/blobServices/read`."""
        path = f"{account.text}/blobServices/default"
        return await self._read(identity, path, convert.blob_service_facts, READ_BLOB_SERVICE)

    async def _read(
        self, identity: Identity, path: str, facts: Callable[[Mapping[str, Any]], T], permission: str
    ) -> T | StorageAbsent | Unknown:
        answer = await self._resource_manager.get(identity, path, API_VERSION)
        if isinstance(answer, NotFound):
            return StorageAbsent(answer.message, group_missing=answer.what is Missing.GROUP)
        if isinstance(answer, Failure):
            return unread(answer, permission)
        try:
            return facts(answer)
        except Malformed as error:
            return Unknown(Reason.AZURE_ERROR, f"Azure's answer cannot be understood: {error}")
