"""Where a storage account lies: a cache's settings name it, but not its resource group."""

import re
from typing import Final

from secure_redis.api.reasons import Reason
from secure_redis.api.resource_id import within
from secure_redis.api.storage_id import InvalidStorageAccountID, StorageAccountID
from secure_redis.azure.encryption_keys import RESOURCES_API_VERSION
from secure_redis.azure.failures import Failure
from secure_redis.azure.reader import Reader, unread
from secure_redis.azure.storage import READ_ACCOUNT
from secure_redis.azure.storage_convert import text
from secure_redis.domain.observation import Identity, Unknown

_NAME: Final = re.compile(r"[a-z0-9]{3,24}", re.ASCII)
_SUBSCRIPTION: Final = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.ASCII)


async def find_account(reader: Reader, identity: Identity, subscription: str, name: str) -> StorageAccountID | Unknown:
    """The account of that name in `subscription`. Needs `Microsoft.Storage/storageAccounts/read` on it.

    Names of accounts are unique in a cloud. The list by which it is found shows what the identity may read, so that an
    account elsewhere, one that was deleted and one that may not be read look the same.
    """
    name, subscription = name.lower(), subscription.lower()
    if not (_NAME.fullmatch(name) and _SUBSCRIPTION.fullmatch(subscription)):
        return Unknown(Reason.AZURE_ERROR, "the cache names its storage account in a way that no account is named")
    found = await reader.walk(
        identity,
        f"/subscriptions/{subscription}/resources",
        RESOURCES_API_VERSION,
        filter=f"resourceType eq 'Microsoft.Storage/storageAccounts' and name eq '{name}'",
    )
    if isinstance(found, Failure):
        return unread(found, READ_ACCOUNT)
    for item in found:
        resource_id = text(item.get("id")) or ""
        if not within(f"/subscriptions/{subscription}", resource_id):
            continue
        try:
            account = StorageAccountID.parse(resource_id)
        except InvalidStorageAccountID:
            continue
        if account.name.lower() == name:
            return account
    return Unknown(
        Reason.AZURE_DENIED,
        f"subscription {subscription} shows this identity no storage account {name}: it was deleted, lies in another "
        f"subscription, or a role that holds {READ_ACCOUNT}, such as Reader, has to be assigned on it",
        permission=READ_ACCOUNT,
    )
