"""Which interface version the operator's client of Managed Redis uses, by what the region serves."""

from collections.abc import Iterator

import pytest

from secure_redis.api.reasons.reason import Reason
from secure_redis.azure.managed_redis.client import ManagedCaches
from secure_redis.azure.managed_redis.versions import VERSIONS
from secure_redis.domain.observe.keys import ListedKeys, Slot
from secure_redis.domain.observe.managed_redis import ManagedDatabase, ManagedRedis
from secure_redis.domain.observe.unknown import Unknown

from .conftest import Site
from .managed_support import ALL, AT_ONCE, CREATION, DATABASE, add, cluster_id, failure, versions_of

NEWEST, OLDER = VERSIONS
REGION = "westeurope"
WINDOW = {"type": "Weekly", "duration": "PT6H", "startHourUtc": 3}
WINDOWS = {
    "maintenanceWindows": [{**WINDOW, "schedule": {"dayOfWeek": day}} for day in ("Monday", "Tuesday", "Sunday")]
}


@pytest.fixture
def owner(site: Site) -> Iterator[Site]:
    site.allow(ALL)
    site.control.settings.change(**AT_ONCE)
    yield site
    site.control.managed_redis.serve_versions(REGION)


@pytest.mark.parametrize("named", [True, False])
async def test_a_region_that_serves_only_the_older_version(owner: Site, clusters: ManagedCaches, named: bool) -> None:
    owner.control.settings.change(managed_refusal_names_region_versions=named)
    owner.control.managed_redis.serve_versions(REGION, OLDER)
    mark = owner.control.log.position()
    where = cluster_id(owner)
    assert await clusters.create(owner.identity, where, CREATION) is None
    assert versions_of(owner, mark) == [("PUT", NEWEST), ("PUT", OLDER)]
    found = await clusters.read(owner.identity, where)
    assert isinstance(found, ManagedRedis)
    assert (found.api_version, found.maintenance_windows) == (OLDER, None)
    mark = owner.control.log.position()
    assert await clusters.create_database(owner.identity, where, DATABASE) is None
    assert isinstance(await clusters.database(owner.identity, where), ManagedDatabase)
    assert await clusters.change_database(owner.identity, where, {"evictionPolicy": "NoEviction"}) is None
    assert await clusters.update(owner.identity, where, {"tags": {"a": "b"}}) is None
    assert isinstance(await clusters.list_keys(owner.identity, where), ListedKeys)
    assert await clusters.regenerate_key(owner.identity, where, Slot.PRIMARY) is None
    assert isinstance(await clusters.scaling_options(owner.identity, where), tuple)
    assert await clusters.delete(owner.identity, where) is None
    assert {version for _, version in versions_of(owner, mark)} == {OLDER}


async def test_each_call_falls_back_by_itself(owner: Site, clusters: ManagedCaches) -> None:
    """No cluster of the region was read by this process: the region of the cluster is not known."""
    owner.control.managed_redis.serve_versions(REGION, OLDER)
    where = add(owner, database=DATABASE)
    mark = owner.control.log.position()
    assert await clusters.change_database(owner.identity, where, {"evictionPolicy": "NoEviction"}) is None
    assert versions_of(owner, mark) == [("GET", NEWEST), ("GET", OLDER), ("PUT", OLDER)]
    mark = owner.control.log.position()
    assert await clusters.update(owner.identity, where, {"tags": {"a": "b"}}) is None
    assert versions_of(owner, mark) == [("PATCH", NEWEST), ("PATCH", OLDER)]
    mark = owner.control.log.position()
    assert isinstance(await clusters.list_keys(owner.identity, where), ListedKeys)
    assert await clusters.regenerate_key(owner.identity, where, Slot.PRIMARY) is None
    assert versions_of(owner, mark) == [("POST", NEWEST), ("POST", OLDER)] * 2
    effects = [effect.kind for effect in owner.control.log.effects(mark)]
    assert effects == ["managedKey.regenerate"]


async def test_the_answer_is_remembered_for_the_region(owner: Site, clusters: ManagedCaches) -> None:
    owner.control.managed_redis.serve_versions(REGION, OLDER)
    first = add(owner)
    assert isinstance(await clusters.read(owner.identity, first), ManagedRedis)
    mark = owner.control.log.position()
    assert await clusters.create(owner.identity, cluster_id(owner, f"{owner.name}-2"), CREATION) is None
    elsewhere = {**CREATION, "location": "North Europe"}
    assert await clusters.create(owner.identity, cluster_id(owner, f"{owner.name}-3"), elsewhere) is None
    assert versions_of(owner, mark) == [("PUT", OLDER), ("PUT", NEWEST)]


@pytest.mark.parametrize("version", VERSIONS)
async def test_maintenance_windows_are_shown_by_the_newest_version_only(
    owner: Site, clusters: ManagedCaches, version: str
) -> None:
    owner.control.managed_redis.serve_versions(REGION, version)
    where = add(owner, properties={"maintenanceConfiguration": WINDOWS})
    found = await clusters.read(owner.identity, where)
    assert isinstance(found, ManagedRedis)
    assert found.api_version == version
    shown = None if found.maintenance_windows is None else [one.day for one in found.maintenance_windows]
    assert shown == (["Monday", "Tuesday", "Sunday"] if version == NEWEST else None)


async def test_a_region_that_serves_neither(owner: Site, clusters: ManagedCaches) -> None:
    owner.control.managed_redis.serve_versions(REGION, "2025-04-01")
    where = add(owner, database=DATABASE)
    for found in (
        await clusters.read(owner.identity, where),
        await clusters.database(owner.identity, where),
        await clusters.list_keys(owner.identity, where),
        await clusters.scaling_options(owner.identity, where),
    ):
        assert isinstance(found, Unknown)
        assert (found.reason, found.permanent) == (Reason.API_VERSION_NOT_SERVED, True)
    mark = owner.control.log.position()
    for outcome in (
        await clusters.create(owner.identity, cluster_id(owner, f"{owner.name}-2"), CREATION),
        await clusters.update(owner.identity, where, {"tags": {}}),
        await clusters.change_database(owner.identity, where, {"evictionPolicy": "NoEviction"}),
        await clusters.create_database(owner.identity, where, DATABASE),
        await clusters.regenerate_key(owner.identity, where, Slot.PRIMARY),
    ):
        refused = failure(outcome)
        assert (refused.reason, refused.permanent, refused.maybe_done) == (Reason.API_VERSION_NOT_SERVED, True, False)
    assert owner.control.log.effects(mark) == []


@pytest.mark.parametrize("keeps", [False, True])
async def test_what_only_the_newest_version_has(owner: Site, clusters: ManagedCaches, keeps: bool) -> None:
    """Read and written with one version: the newest keeps the property, the older one as the service decides."""
    owner.control.settings.change(managed_old_versions_keep_newer=keeps)
    where = add(owner, database={"notifyKeyspaceEvents": "KEA"})
    assert await clusters.change_database(owner.identity, where, {"evictionPolicy": "NoEviction"}) is None
    database = owner.control.managed_redis.database(owner.name)
    assert database is not None
    assert database["properties"]["notifyKeyspaceEvents"] == "KEA"
    owner.control.managed_redis.serve_versions(REGION, OLDER)
    assert await clusters.change_database(owner.identity, where, {"evictionPolicy": "AllKeysLRU"}) is None
    database = owner.control.managed_redis.database(owner.name)
    assert database is not None
    assert ("notifyKeyspaceEvents" in database["properties"]) is keeps
