"""The life of a cluster with each unverified behaviour of Managed Redis, the one way and the other."""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

import pytest

from sandbox.azure.seeds.managed_redis import customer_key
from sandbox.azure.state.settings import Settings
from sandbox.waiting import PATIENCE, wait_for_async
from secure_redis.api.reasons.reason import Reason
from secure_redis.azure.core.failures import NotFound
from secure_redis.azure.managed_redis.client import ManagedCaches
from secure_redis.domain.observe.cache import OperationFacts
from secure_redis.domain.observe.keys import ListedKeys, Slot
from secure_redis.domain.observe.managed_redis import ManagedDatabase, ManagedRedis
from secure_redis.domain.observe.unknown import Unknown
from tests.managed_other_way import MANAGED_OTHER_WAY

from .conftest import Site
from .managed_support import ALL, AT_ONCE, CREATION, DATABASE, add, cluster_id

READER = "/subscriptions/s/resourceGroups/g/providers/Microsoft.ManagedIdentity/userAssignedIdentities/disk"
SOON: dict[str, object] = dict.fromkeys(AT_ONCE, 0.02)
WAYS: list[dict[str, object]] = [{}, *({name: value} for name, value in MANAGED_OTHER_WAY.items()), MANAGED_OTHER_WAY]


def test_every_switch_has_another_way() -> None:
    switches = {name for name in Settings.model_fields if name.startswith("managed_")}
    assert switches == MANAGED_OTHER_WAY.keys()
    usual = Settings().model_dump()
    assert [name for name, value in MANAGED_OTHER_WAY.items() if usual[name] == value] == []


class Life:
    """One cluster, and what a pass of the operator would wait for."""

    def __init__(self, site: Site, clusters: ManagedCaches) -> None:
        self._site = site
        self._clusters = clusters
        self.where = cluster_id(site)

    async def until(self, found: Callable[[], Awaitable[object]], what: str) -> object:
        async def again() -> object:
            self._site.clock.now += 60  # a full budget of requests
            return await found()

        return await wait_for_async(again, PATIENCE, what)

    async def ended(self) -> OperationFacts:
        """The end of the last operation."""

        async def found() -> OperationFacts | None:
            polled = await self._clusters.operation(self._site.identity, self.where)
            return None if polled == OperationFacts("InProgress") else polled

        outcome = await self.until(found, "the operation's end")
        assert isinstance(outcome, OperationFacts)
        return outcome

    async def rests(self) -> ManagedRedis:
        """The cluster with its database, once Azure works on neither."""

        async def found() -> ManagedRedis | None:
            cluster = await self._clusters.read(self._site.identity, self.where)
            assert isinstance(cluster, ManagedRedis), cluster
            database = await self._clusters.database(self._site.identity, self.where)
            assert not isinstance(database, Unknown), database
            whole = replace(cluster, database=database)
            return whole if whole.busy_state is None else None

        outcome = await self.until(found, "the cluster to rest")
        assert isinstance(outcome, ManagedRedis)
        return outcome

    async def gone(self) -> None:
        """Wait until the cluster is deleted."""

        async def found() -> bool:
            return isinstance(await self._clusters.read(self._site.identity, self.where), NotFound)

        await self.until(found, "the cluster to go")

    async def keys(self) -> tuple[str, str] | Unknown:
        listed = await self._clusters.list_keys(self._site.identity, self.where)
        if isinstance(listed, Unknown):
            return listed
        assert isinstance(listed, ListedKeys)
        return listed.primary.get_secret_value(), listed.secondary.get_secret_value()


@pytest.mark.parametrize("way", WAYS, ids=lambda way: next(iter(way), "usual") if len(way) < 2 else "all")
async def test_the_life_of_a_cluster(site: Site, clusters: ManagedCaches, way: dict[str, object]) -> None:
    site.allow(ALL)
    site.control.settings.change(**{**SOON, **way})
    life, who, where = Life(site, clusters), site.identity, cluster_id(site)

    site.control.managed_redis.run_out_of_capacity()
    assert await clusters.create(who, where, CREATION) is None
    ended = await life.ended()
    assert (ended.status, ended.code in {"InsufficientCapacity", "AllocationFailed"}) == ("Failed", True)
    assert (await life.rests()).provisioning_state == "Failed"
    assert await clusters.delete(who, where) is None
    await life.gone()

    assert await clusters.create(who, where, CREATION) is None
    assert (await life.ended()).status == "Succeeded"
    assert (await life.rests()).database is None
    assert await clusters.create_database(who, where, DATABASE) is None
    assert (await life.ended()).status == "Succeeded"
    made = (await life.rests()).database
    assert isinstance(made, ManagedDatabase)
    assert (made.clustering_policy, made.access_keys, made.port) == ("NoCluster", "Enabled", 10000)

    assert await clusters.change_database(who, where, {"evictionPolicy": "NoEviction"}) is None
    assert (await life.ended()).status == "Succeeded"
    changed = (await life.rests()).database
    assert isinstance(changed, ManagedDatabase)
    assert changed == replace(made, eviction_policy="NoEviction")
    assert await clusters.update(who, where, {"tags": {"team": "mail"}}) is None
    assert (await life.ended()).status == "Succeeded"
    cluster = await life.rests()
    assert (cluster.tags, cluster.public_network_access) == ({"team": "mail"}, "Disabled")

    before = await life.keys()
    assert isinstance(before, tuple)
    assert await clusters.regenerate_key(who, where, Slot.PRIMARY) is None

    async def new() -> bool:
        after = await life.keys()
        return isinstance(after, tuple) and after[0] != before[0] and after[1] == before[1]

    await life.until(new, "the new key")
    await life.rests()
    assert await clusters.change_database(who, where, {"accessKeysAuthentication": "Disabled"}) is None
    await life.rests()
    off = await life.keys()
    assert isinstance(off, Unknown)
    assert (off.reason, off.permanent) == (Reason.ACCESS_KEYS_DISABLED, True)

    assert await clusters.delete(who, where) is None
    await life.gone()


@pytest.mark.parametrize("checks", [True, False])
async def test_a_key_that_cannot_be_used(site: Site, clusters: ManagedCaches, checks: bool) -> None:
    site.allow("*")
    site.control.settings.change(**AT_ONCE, managed_checks_encryption_key=checks)
    where = add(site, identity={"type": "UserAssigned", "userAssignedIdentities": {READER: {}}})
    url = f"{site.vault}/keys/none/{'0' * 32}"
    body = {"properties": {"encryption": customer_key(url, READER)}}
    assert await clusters.update(site.identity, where, body) is None
    ended = await clusters.operation(site.identity, where)
    assert ended is not None
    assert (ended.status, ended.code is None) == (("Failed", False) if checks else ("Succeeded", True))
    found = await clusters.read(site.identity, where)
    assert isinstance(found, ManagedRedis)
    assert found.key_url == (None if checks else url)


@pytest.mark.parametrize("leaves", [True, False])
async def test_a_key_that_is_taken_away(site: Site, clusters: ManagedCaches, leaves: bool) -> None:
    site.allow("*")
    site.control.settings.change(**AT_ONCE, managed_removed_key_leaves_object=leaves)
    given = customer_key(f"{site.vault}/keys/disk/{'0' * 32}", READER)
    identity = {"type": "UserAssigned", "userAssignedIdentities": {READER: {}}}
    where = add(site, identity=identity, properties={"encryption": given})
    empty: dict[str, Any] = {}
    body = {"properties": {"encryption": {"customerManagedKeyEncryption": empty}}}
    assert await clusters.update(site.identity, where, body) is None
    shown = site.control.managed_redis.get(site.name)
    assert shown is not None
    assert ("encryption" in shown["properties"]) is leaves
    found = await clusters.read(site.identity, where)
    assert isinstance(found, ManagedRedis)
    assert (found.key_url, found.key_identity) == (None, None)


@pytest.mark.parametrize("for_all", [True, False])
async def test_whom_azure_refuses_the_retiring_tiers(site: Site, clusters: ManagedCaches, for_all: bool) -> None:
    """The tenant of these tests had caches before."""
    site.allow(ALL)
    site.control.settings.change(**AT_ONCE, managed_enterprise_refused_for_all=for_all)
    body = {**CREATION, "sku": {"name": "Enterprise_E10", "capacity": 2}}
    outcome = await clusters.create(site.identity, cluster_id(site), body)
    assert (None if outcome is None else outcome.reason) == (Reason.RETIRED if for_all else None)
