"""Azure resource ids of storage accounts."""

import re
from dataclasses import dataclass

from secure_redis.api.resource_id import ResourceID, take_apart

_FORM = "/subscriptions/<id>/resourceGroups/<group>/providers/Microsoft.Storage/storageAccounts/<name>"
# Microsoft, "Storage account name": 3 to 24 characters, lower-case letters and digits; ids come in any case.
_NAME = re.compile(r"[a-z0-9]{3,24}", re.IGNORECASE | re.ASCII)


class InvalidStorageAccountID(ValueError):
    """The text is not the resource id of a storage account; the message says which part is wrong."""


@dataclass(frozen=True, slots=True)
class StorageAccountID(ResourceID):
    """Resource id of a storage account."""

    @staticmethod
    def parse(text: str) -> "StorageAccountID":
        """Parse `/subscriptions/<guid>/resourceGroups/<group>/providers/Microsoft.Storage/storageAccounts/<name>`.

        Raises:
            InvalidStorageAccountID: naming the part that is wrong.

        """
        found = take_apart(text)
        if found is None:
            raise InvalidStorageAccountID(f"expected {_FORM}")
        words = (*found.words, found.kind.lower())
        if words != ("subscriptions", "resourcegroups", "providers", "microsoft.storage", "storageaccounts"):
            raise InvalidStorageAccountID(f"the resource is not a storage account; expected {_FORM}")
        problem = found.problem()
        if problem is not None:
            raise InvalidStorageAccountID(problem)
        if not _NAME.fullmatch(found.name):
            raise InvalidStorageAccountID("the account's name is not legal: 3 to 24 letters and digits")
        return StorageAccountID(found.subscription, found.group, found.name, text)
