"""Azure resource ids, compared by whole segments and without regard to case; those of caches parsed."""

import re
from dataclasses import dataclass
from enum import StrEnum


class Service(StrEnum):
    """The two Azure services that offer Redis."""

    REDIS = "Redis"
    MANAGED_REDIS = "ManagedRedis"


_TYPES = {"redis": Service.REDIS, "redisenterprise": Service.MANAGED_REDIS}
_SUBSCRIPTION = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE | re.ASCII)
_GROUP = re.compile(r"[\w().-]{0,89}[\w()-]", re.ASCII)
_NAME = re.compile(r"(?=.{1,63}$)[a-z0-9]+(-[a-z0-9]+)*", re.IGNORECASE | re.ASCII)
_FORM = "/subscriptions/<id>/resourceGroups/<group>/providers/Microsoft.Cache/redis/<name>"


class InvalidResourceID(ValueError):
    """The text is not the resource id of a Redis cache; the message says which part is wrong."""


@dataclass(frozen=True, slots=True)
class ResourceID:
    """The id of a resource in a group. `text` is as the user wrote it; the operator compares `key`."""

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


@dataclass(frozen=True, slots=True)
class Pieces:
    """An id in pieces, as written. `words`: those that every id of its provider has, in lower case."""

    words: tuple[str, ...]
    subscription: str
    group: str
    kind: str
    name: str

    def problem(self) -> str | None:
        """Check the form of the subscription and the group; their form is that of every Azure resource."""
        if not _SUBSCRIPTION.fullmatch(self.subscription):
            return "the subscription is not a GUID"
        return None if _GROUP.fullmatch(self.group) else "the resource group's name is not legal"


def take_apart(text: str) -> Pieces | None:
    """Take `/subscriptions/<id>/resourceGroups/<group>/providers/<provider>/<kind>/<name>` apart.

    None: it has more or fewer segments. Their content is not checked.
    """
    pieces = text.split("/")
    if len(pieces) != 9 or pieces[0] != "":
        return None
    _, subscriptions, subscription, groups, group, providers, provider, kind, name = pieces
    words = tuple(word.lower() for word in (subscriptions, groups, providers, provider))
    return Pieces(words, subscription, group, kind, name)


@dataclass(frozen=True, slots=True)
class CacheID(ResourceID):
    """Resource id of a cache."""

    service: Service

    @staticmethod
    def parse(text: str) -> "CacheID":
        """Parse `/subscriptions/<guid>/resourceGroups/<group>/providers/Microsoft.Cache/<type>/<name>`.

        Raises:
            InvalidResourceID: naming the part that is wrong.

        """
        found = take_apart(text)
        if found is None:
            raise InvalidResourceID(f"expected {_FORM}")
        if found.words != ("subscriptions", "resourcegroups", "providers", "microsoft.cache"):
            raise InvalidResourceID("the resource is not one of the provider Microsoft.Cache")
        service = _TYPES.get(found.kind.lower())
        if service is None:
            raise InvalidResourceID(f"the resource type must be redis or redisEnterprise, not {found.kind!r}")
        problem = found.problem()
        if problem is not None:
            raise InvalidResourceID(problem)
        if not _NAME.fullmatch(found.name):
            raise InvalidResourceID("the cache's name is not legal: letters, digits and single hyphens, 1 to 63")
        return CacheID(found.subscription, found.group, found.name, text, service)


def segments(scope: str) -> tuple[str, ...]:
    """Split an ARM id or scope into lower-case segments: `/subscriptions/S/` gives `("subscriptions", "s")`."""
    return tuple(part.lower() for part in scope.strip("/").split("/") if part)


def within(scope: str, resource: str) -> bool:
    """Whether `resource` is `scope` itself or lies below it, by whole segments and ignoring case."""
    outer, inner = segments(scope), segments(resource)
    return bool(outer) and inner[: len(outer)] == outer


_ACCOUNT_FORM = "/subscriptions/<id>/resourceGroups/<group>/providers/Microsoft.Storage/storageAccounts/<name>"


# Microsoft, "Storage account name": 3 to 24 characters, lower-case letters and digits; ids come in any case.
_ACCOUNT_NAME = re.compile(r"[a-z0-9]{3,24}", re.IGNORECASE | re.ASCII)


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
            raise InvalidStorageAccountID(f"expected {_ACCOUNT_FORM}")
        words = (*found.words, found.kind.lower())
        if words != ("subscriptions", "resourcegroups", "providers", "microsoft.storage", "storageaccounts"):
            raise InvalidStorageAccountID(f"the resource is not a storage account; expected {_ACCOUNT_FORM}")
        problem = found.problem()
        if problem is not None:
            raise InvalidStorageAccountID(problem)
        if not _ACCOUNT_NAME.fullmatch(found.name):
            raise InvalidStorageAccountID("the account's name is not legal: 3 to 24 letters and digits")
        return StorageAccountID(found.subscription, found.group, found.name, text)


@dataclass(frozen=True, slots=True)
class KeyScope:
    """A key of a vault, as the scope of role assignments. `vault`: the vault's ARM id."""

    vault: str
    name: str

    @property
    def text(self) -> str:
        """The ARM id of the key."""
        return f"{self.vault}/keys/{self.name}"

    @property
    def subscription(self) -> str:
        """The subscription of the vault, in lower case."""
        return segments(self.vault)[1]
