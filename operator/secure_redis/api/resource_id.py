"""Azure resource ids of caches, compared by whole segments and without regard to case."""

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


class InvalidResourceID(ValueError):
    """The text is not the resource id of a Redis cache; the message says which part is wrong."""


@dataclass(frozen=True, slots=True)
class CacheID:
    """Resource id of a cache. `text` is as the user wrote it; `key` is what is compared."""

    subscription: str
    group: str
    service: Service
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
    def parse(text: str) -> "CacheID":
        """Parse `/subscriptions/<guid>/resourceGroups/<group>/providers/Microsoft.Cache/<type>/<name>`.

        Raises:
            InvalidResourceID: naming the part that is wrong.

        """
        pieces = text.split("/")
        if len(pieces) != 9 or pieces[0] != "":
            raise InvalidResourceID(
                "expected /subscriptions/<id>/resourceGroups/<group>/providers/Microsoft.Cache/redis/<name>"
            )
        _, subscriptions, subscription, groups, group, providers, provider, kind, name = pieces
        words = (subscriptions, groups, providers, provider)
        if tuple(word.lower() for word in words) != ("subscriptions", "resourcegroups", "providers", "microsoft.cache"):
            raise InvalidResourceID("the resource is not one of the provider Microsoft.Cache")
        service = _TYPES.get(kind.lower())
        if service is None:
            raise InvalidResourceID(f"the resource type must be redis or redisEnterprise, not {kind!r}")
        if not _SUBSCRIPTION.fullmatch(subscription):
            raise InvalidResourceID("the subscription is not a GUID")
        if not _GROUP.fullmatch(group):
            raise InvalidResourceID("the resource group's name is not legal")
        if not _NAME.fullmatch(name):
            raise InvalidResourceID("the cache's name is not legal: letters, digits and single hyphens, 1 to 63")
        return CacheID(subscription, group, service, name, text)


def segments(scope: str) -> tuple[str, ...]:
    """Split an ARM id or scope into lower-case segments: `/subscriptions/S/` gives `("subscriptions", "s")`."""
    return tuple(part.lower() for part in scope.strip("/").split("/") if part)


def within(scope: str, resource: str) -> bool:
    """Whether `resource` is `scope` itself or lies below it, by whole segments and ignoring case."""
    outer, inner = segments(scope), segments(resource)
    return bool(outer) and inner[: len(outer)] == outer
