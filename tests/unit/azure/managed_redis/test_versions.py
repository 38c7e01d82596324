"""Which interface version is tried for a cluster, and when a newer one is tried again."""

from secure_redis.azure.managed_redis.versions import VERSIONS, ApiVersions

HERE, OLD = "cluster", VERSIONS[-1]
SIX_HOURS = 6 * 3600.0


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_the_newest_is_tried_first_until_the_region_is_known() -> None:
    versions = ApiVersions(Clock())
    assert versions.to_try("s", HERE) == VERSIONS
    assert versions.to_try("s", HERE, "westeurope") == VERSIONS
    versions.found("S", HERE, "West Europe", OLD)
    assert versions.to_try("s", HERE) == (OLD,)
    assert versions.to_try("s", "another", "westeurope") == (OLD,)
    assert versions.to_try("s", "another") == VERSIONS  # in a region that is not known
    assert versions.to_try("s", "another", "northeurope") == VERSIONS
    assert versions.to_try("t", "another", "westeurope") == VERSIONS  # another subscription may have it


def test_a_newer_one_is_tried_again_after_six_hours_however_often_the_older_one_served() -> None:
    clock = Clock()
    versions = ApiVersions(clock)
    for _ in range(4):
        versions.found("s", HERE, "westeurope", OLD)
        assert versions.to_try("s", HERE) == (OLD,)
        clock.now += SIX_HOURS / 4
    assert versions.to_try("s", HERE) == VERSIONS
    versions.found("s", HERE, "westeurope", VERSIONS[0])
    assert versions.to_try("s", HERE) == VERSIONS  # Azure could take the newest back


def test_a_cluster_that_was_created_again_elsewhere_has_that_region() -> None:
    versions = ApiVersions(Clock())
    versions.found("s", HERE, "westeurope", OLD)
    versions.found("s", HERE, "northeurope", VERSIONS[0])
    assert versions.to_try("s", HERE) == VERSIONS
    assert versions.to_try("s", "another", "westeurope") == (OLD,)
