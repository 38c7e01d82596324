"""Azure resource ids of storage accounts, compared by whole segments and without regard to case."""

import re
from dataclasses import dataclass

from secure_redis.api.resource_id import segments

_FORM = "/subscriptions/<id>/resourceGroups/<group>/providers/Microsoft.Storage/storageAccounts/<name>"
_SUBSCRIPTION = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE | re.ASCII)
_GROUP = re.compile(r"[\w().-]{0,89}[\w()-]", re.ASCII)
# Microsoft, "Storage account name": 3 to 24 characters, lower-case letters and digits; ids come in any case.
_NAME = re.compile(r"[a-z0-9]{3,24}", re.IGNORECASE | re.ASCII)


class InvalidStorageAccountID(ValueError):
    """The text is not the resource id of a storage account; the message says which part is wrong."""


@dataclass(frozen=True, slots=True)
class StorageAccountID:
    """Resource id of a storage account. `text` is as the user wrote it; `key` is what is compared."""

    subscription: str
    group: str
    name: str
    text: str

    @property
    def key(self) -> str:
        """The id in lower case: Azure compares ids without regard to case."""
        return self.text.lower()

    @property
    def parts(self) -> tuple[str, ...]:
        """The id's segments in lower case, for scope comparison."""
        return segments(self.text)

    @staticmethod
    def parse(text: str) -> "StorageAccountID":
        """Parse `/subscriptions/<guid>/resourceGroups/<group>/providers/Microsoft.Storage/storageAccounts/<name>`.

        Raises:
            InvalidStorageAccountID: naming the part that is wrong.

        """
        pieces = text.split("/")
        if len(pieces) != 9 or pieces[0] != "":
            raise InvalidStorageAccountID(f"expected {_FORM}")
        _, subscriptions, subscription, groups, group, providers, provider, kind, name = pieces
        words = tuple(word.lower() for word in (subscriptions, groups, providers, provider, kind))
        if words != ("subscriptions", "resourcegroups", "providers", "microsoft.storage", "storageaccounts"):
            raise InvalidStorageAccountID(f"the resource is not a storage account; expected {_FORM}")
        if not _SUBSCRIPTION.fullmatch(subscription):
            raise InvalidStorageAccountID("the subscription is not a GUID")
        if not _GROUP.fullmatch(group):
            raise InvalidStorageAccountID("the resource group's name is not legal")
        if not _NAME.fullmatch(name):
            raise InvalidStorageAccountID("the account's name is not legal: 3 to 24 letters and digits")
        return StorageAccountID(subscription, group, name, text)
