"""Find a storage account: a cache's settings contain its name, but not its resource group."""

import re
from collections.abc import Sequence
from typing import Final

from secure_redis.api.azure_ids import InvalidStorageAccountID, StorageAccountID, within
from secure_redis.api.reasons.reason import Reason
from secure_redis.azure.core.answers import text
from secure_redis.azure.core.failures import Failure
from secure_redis.azure.core.resource_manager import RESOURCES_API_VERSION, ResourceManager, unread
from secure_redis.azure.storage.accounts import READ_ACCOUNT
from secure_redis.domain.observe.identity import Identity
from secure_redis.domain.observe.unknown import Unknown

_NAME: Final = re.compile(r"[a-z0-9]{3,24}", re.ASCII)
_SUBSCRIPTION: Final = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.ASCII)


async def find_account(
    resource_manager: ResourceManager,
    identity: Identity,
    subscription: str,
    name: str,
    scopes: Sequence[str] | None = None,
) -> StorageAccountID | Unknown:
    """Find the account of that name in `subscription`. Needs `Microsoft.Storage/storageAccounts/read` on it.

    `scopes`: where it may be searched, ids of groups, of the subscription or of the account itself, which then needs
    no search; None: in the whole subscription. Names of accounts are unique in a cloud. The list by which it is found
    shows only what the identity may read. So an account elsewhere, one that was deleted and one that may not be read
    do not differ.
    """
    name, subscription = name.lower(), subscription.lower()
    if not (_NAME.fullmatch(name) and _SUBSCRIPTION.fullmatch(subscription)):
        return Unknown(Reason.AZURE_ERROR, "the cache names its storage account in a way that no account is named")
    denied: Unknown | None = None
    for scope in (f"/subscriptions/{subscription}",) if scopes is None else scopes:
        found = _named(scope, scope, name) or await _listed(resource_manager, identity, scope, name)
        if isinstance(found, StorageAccountID):
            return found
        denied = denied or found
    return denied or Unknown(
        Reason.AZURE_DENIED,
        f"subscription {subscription} shows this identity no storage account {name}. It was deleted, is in another "
        f"subscription, or the identity requires a role on it that contains {READ_ACCOUNT}, such as Reader",
        permission=READ_ACCOUNT,
    )


async def _listed(
    resource_manager: ResourceManager, identity: Identity, scope: str, name: str
) -> StorageAccountID | Unknown | None:
    """Find the account in the list of a subscription or a group; None if it is not in it."""
    found = await resource_manager.walk(
        identity,
        f"{scope}/resources",
        RESOURCES_API_VERSION,
        filter=f"resourceType eq 'Microsoft.Storage/storageAccounts' and name eq '{name}'",
    )
    if isinstance(found, Failure):
        return unread(found, READ_ACCOUNT)
    accounts = (_named(scope, text(item.get("id")) or "", name) for item in found)
    return next((account for account in accounts if account is not None), None)


def _named(scope: str, resource_id: str, name: str) -> StorageAccountID | None:
    """Return the account with this id if it has that name and is within `scope`."""
    if not within(scope, resource_id):
        return None
    try:
        account = StorageAccountID.parse(resource_id)
    except InvalidStorageAccountID:
        return None
    return account if account.name.lower() == name else None
