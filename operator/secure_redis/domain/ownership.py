"""Whose cache it is, by the tag that only the operator writes."""

from enum import StrEnum

from secure_redis.api.names import OWNER_TAG
from secure_redis.domain.normalise import tag
from secure_redis.domain.observation import CacheFacts


class Ownership(StrEnum):
    """`OWNED`: made or adopted by this very resource. `FOREIGN`: tagged by another. `UNCLAIMED`: without a tag."""

    OWNED = "Owned"
    FOREIGN = "Foreign"
    UNCLAIMED = "Unclaimed"


def owner_value(cluster_uid: str, resource_uid: str) -> str:
    """The tag's value: unique over clusters and over re-created resources."""
    return f"{cluster_uid}.{resource_uid}"


def ownership(cache: CacheFacts, cluster_uid: str, resource_uid: str) -> Ownership:
    """Read the ownership tag (tag names have no case in Azure)."""
    value = tag(cache.tags, OWNER_TAG)
    if value is None:
        return Ownership.UNCLAIMED
    return Ownership.OWNED if value == owner_value(cluster_uid, resource_uid) else Ownership.FOREIGN
