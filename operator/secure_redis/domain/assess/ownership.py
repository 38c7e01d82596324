"""Find which resource owns a cache, by the tag that only the operator writes."""

from enum import StrEnum

from secure_redis.api.names import LEADER_TAG, OWNER_TAG
from secure_redis.api.reasons.reason import Reason
from secure_redis.api.resource import SecureRedisCache
from secure_redis.domain.explanation import Explanation
from secure_redis.domain.observe.cache import Cache
from secure_redis.domain.observe.normalise import tag


class Ownership(StrEnum):
    """`OWNED`: made or adopted by this very resource. `FOREIGN`: tagged by another. `UNCLAIMED`: without a tag."""

    OWNED = "Owned"
    FOREIGN = "Foreign"
    UNCLAIMED = "Unclaimed"


def owner_value(cluster_uid: str, resource_uid: str) -> str:
    """Build the tag's value: unique over clusters and over re-created resources."""
    return f"{cluster_uid}.{resource_uid}"


def ownership(cache: Cache, cluster_uid: str, resource_uid: str) -> Ownership:
    """Read the ownership tag (tag names have no case in Azure)."""
    value = tag(cache.tags, OWNER_TAG)
    if value is None:
        return Ownership.UNCLAIMED
    return Ownership.OWNED if value == owner_value(cluster_uid, resource_uid) else Ownership.FOREIGN


def leader_value(cluster_uid: str, resource: SecureRedisCache) -> str:
    """Build the tag's value by which the cache's owner lets a resource lead: known before the resource exists."""
    return f"{cluster_uid}/{resource.key.namespace}/{resource.key.name}"


def leads(cache: Cache, cluster_uid: str, resource: SecureRedisCache) -> bool:
    """Whether this resource may store and rotate the cache's keys: the one that the tag names, else the owner."""
    named = tag(cache.tags, LEADER_TAG)
    if named is not None:
        return named == leader_value(cluster_uid, resource)
    return ownership(cache, cluster_uid, resource.uid) is Ownership.OWNED


def not_leading(cluster_uid: str, resource: SecureRedisCache) -> Explanation:
    """Explain that a resource may not store or rotate the keys, because it does not lead the cache."""
    return Explanation(
        Reason.NOT_LEADING,
        "access ReadWrite is for the one resource that leads the cache, and this one does not lead it. Use mode "
        "Provision (and adopt the cache if it exists), use access Read, or have the cache's owner set its tag "
        f"{LEADER_TAG} to {leader_value(cluster_uid, resource)}",
    )
