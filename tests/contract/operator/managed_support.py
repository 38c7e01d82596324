"""Helpers of the tests of the operator's client of Managed Redis: ids, seeds, and operations that end by the clock."""

from typing import Any, Final

from sandbox.azure.seeds.managed_redis import ManagedCluster, managed_scope
from secure_redis.api.azure_ids import CacheID
from secure_redis.domain.plan.write_failure import WriteFailure

from .conftest import Site

SECONDS: Final = 60.0
DURATIONS: Final = (
    "create_seconds",
    "update_seconds",
    "scale_seconds",
    "delete_seconds",
    "managed_database_seconds",
    "managed_regenerate_seconds",
    "managed_state_lag_seconds",
)
BY_THE_CLOCK: Final[dict[str, Any]] = dict.fromkeys(DURATIONS, SECONDS)
AT_ONCE: Final[dict[str, Any]] = dict.fromkeys(DURATIONS, 0.0)
ALL: Final = "Microsoft.Cache/*"
CREATION: Final[dict[str, Any]] = {
    "location": "westeurope",
    "sku": {"name": "Balanced_B5"},
    "tags": {"team": "shop"},
    "properties": {"publicNetworkAccess": "Disabled", "minimumTlsVersion": "1.2", "highAvailability": "Enabled"},
}
DATABASE: Final[dict[str, Any]] = {
    "clientProtocol": "Encrypted",
    "port": 10000,
    "clusteringPolicy": "NoCluster",
    "evictionPolicy": "VolatileLRU",
    "accessKeysAuthentication": "Enabled",
}


def cluster_id(site: Site, name: str = "") -> CacheID:
    return CacheID.parse(managed_scope(site.subscription, site.group, name or site.name))


def add(site: Site, name: str = "", **more: Any) -> CacheID:
    site.control.seed(ManagedCluster(subscription=site.subscription, group=site.group, name=name or site.name, **more))
    return cluster_id(site, name)


def written(site: Site, mark: int | None = None) -> list[tuple[str, str, int]]:
    """The writes: method, path below the cluster, and status."""
    writes = site.control.log.writes(site.mark if mark is None else mark)
    return [(one.method, one.path.rpartition(f"/{site.name}")[2], one.status) for one in writes]


def versions_of(site: Site, mark: int) -> list[tuple[str, str]]:
    """The method and interface version of each request about clusters, in order."""
    requests = site.control.log.requests(mark, service="arm", path="redisEnterprise")
    return [(one.method, one.query["api-version"]) for one in requests]


def pass_time(site: Site) -> None:
    """Let what runs by the clock end."""
    site.control.clock.advance(SECONDS + 1)


def failure(outcome: object) -> WriteFailure:
    assert isinstance(outcome, WriteFailure), outcome
    assert "canary" not in repr(outcome)
    return outcome
