"""Find the newest interface version of Microsoft.Cache/redisEnterprise that a region serves.

Azure brings versions to regions one after the other, and answers 400 NoRegisteredProviderFound where one is missing
(docs/internals/azure-facts.md#interface-versions-of-managed-redis).
"""

from collections.abc import Callable
from typing import Final

from secure_redis.azure.core.expiring_cache import ExpiringCache
from secure_redis.domain.observe.normalise import location

# The newest stable one first. Every region serves the last; it is the first that shows publicNetworkAccess.
VERSIONS: Final = ("2026-09-01", "2025-07-01")
_KEEP_SECONDS: Final = 6 * 3600.0  # then a newer one is tried again


class ApiVersions:
    """Remembers the newest version by subscription and region, and the region of each cluster that was read."""

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._served: dict[tuple[str, str], tuple[str, float]] = {}  # with the time at which it was found out
        self._regions: ExpiringCache[str, str] = ExpiringCache(monotonic, keep_seconds=_KEEP_SECONDS)

    def to_try(self, subscription: str, cluster: str, region: str | None = None) -> tuple[str, ...]:
        """Return the versions to try, in order. `cluster`: its key; `region`: of one that does not exist yet.

        An older one follows even where a newer one is known to be served: Azure could take it back.
        """
        where = self._regions.peek(cluster) if region is None else location(region)
        known = None if where is None else self._known(subscription, where)
        return VERSIONS if known is None else VERSIONS[VERSIONS.index(known) :]

    def found(self, subscription: str, cluster: str, region: str, version: str) -> None:
        """Remember that the cluster's region serves this version and no newer one."""
        where = location(region)
        if self._regions.get(cluster, lambda: where) != where:
            self._regions.drop(cluster)
            self._regions.get(cluster, lambda: where)
        if self._known(subscription, where) != version:
            self._served[subscription.lower(), where] = (version, self._monotonic())

    def _known(self, subscription: str, region: str) -> str | None:
        version, at = self._served.get((subscription.lower(), region), ("", 0.0))
        return version if version and self._monotonic() - at < _KEEP_SECONDS else None
