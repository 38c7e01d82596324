"""How the operator creates, changes and deletes clusters of Managed Redis, and follows what Azure does meanwhile."""

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sandbox.azure.seeds import seeds
from sandbox.azure.state.faults import Fault
from secure_redis.api.reasons.reason import Reason
from secure_redis.azure.core.failures import NotFound
from secure_redis.azure.managed_redis.client import LIST_SKUS, ManagedCaches
from secure_redis.domain.observe.cache import OperationFacts
from secure_redis.domain.observe.managed_redis import ManagedDatabase, ManagedRedis
from secure_redis.domain.observe.unknown import Unknown

from .conftest import Site
from .managed_support import (
    ALL,
    AT_ONCE,
    BY_THE_CLOCK,
    CREATION,
    DATABASE,
    add,
    cluster_id,
    failure,
    pass_time,
    written,
)

RUNNING, DONE = OperationFacts("InProgress"), OperationFacts("Succeeded")
STATES = {"provisioningState", "resourceState"}
NAMES = st.text("abcdefghijklmnopqrstuvwxyz", min_size=3, max_size=12).map(lambda name: f"new-{name}")
LEAVES = st.booleans() | st.integers(-(2**31), 2**31) | st.text(max_size=12)
VALUES = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, st.none() | inner, max_size=3)
)


@pytest.fixture
def owner(site: Site) -> Site:
    site.allow(ALL)
    return site


def properties(site: Site) -> dict[str, Any]:
    """The database as a read by the newest version shows it, without its states."""
    found = site.control.managed_redis.database(site.name)
    assert found is not None
    return {name: value for name, value in found["properties"].items() if name not in STATES}


async def state(site: Site, clusters: ManagedCaches) -> tuple[str, str | None]:
    found = await clusters.read(site.identity, cluster_id(site))
    assert isinstance(found, ManagedRedis), found
    return found.provisioning_state, found.resource_state


async def test_from_nothing_to_a_cluster_that_serves(owner: Site, clusters: ManagedCaches) -> None:
    owner.control.settings.change(**BY_THE_CLOCK, managed_pending_seconds=1)
    where = cluster_id(owner)
    assert await clusters.create(owner.identity, where, CREATION) is None
    [request] = owner.control.log.writes(owner.mark)
    wanted = {*CREATION, "sku.name", "tags.team", *(f"properties.{name}" for name in CREATION["properties"])}
    assert (request.method, request.path, set(request.body_keys)) == ("PUT", where.text, wanted)
    assert await clusters.operation(owner.identity, where) == RUNNING  # Azure's word is Pending
    owner.control.clock.advance(2)
    assert await clusters.operation(owner.identity, where) == RUNNING
    assert await state(owner, clusters) == ("Creating", "Creating")
    pass_time(owner)
    assert await clusters.operation(owner.identity, where) == DONE
    assert await clusters.operation(owner.identity, where) is None
    assert await state(owner, clusters) == ("Succeeded", "Creating")
    early = failure(await clusters.create_database(owner.identity, where, DATABASE))
    assert (early.reason, early.permanent, early.maybe_done) == (Reason.BUSY, False, False)
    pass_time(owner)
    assert await state(owner, clusters) == ("Succeeded", "Running")
    assert await clusters.database(owner.identity, where) is None
    assert await clusters.create_database(owner.identity, where, DATABASE) is None
    assert await clusters.operation(owner.identity, where) == RUNNING
    pass_time(owner)
    assert await clusters.operation(owner.identity, where) == DONE
    assert properties(owner).items() >= DATABASE.items()
    pass_time(owner)
    found = await clusters.database(owner.identity, where)
    assert isinstance(found, ManagedDatabase)
    assert (found.provisioning_state, found.resource_state) == ("Succeeded", "Running")
    assert await clusters.delete(owner.identity, where) is None
    assert await clusters.operation(owner.identity, where) == RUNNING
    pass_time(owner)
    assert isinstance(await clusters.read(owner.identity, where), NotFound)


async def test_a_change_of_a_cluster_sends_only_what_changes(owner: Site, clusters: ManagedCaches) -> None:
    owner.control.settings.change(**AT_ONCE)
    where = add(owner, tags={"team": "shop"}, properties={"somethingNew": {"a": 1}})
    change = {"properties": {"publicNetworkAccess": "Disabled"}}
    assert await clusters.update(owner.identity, where, change) is None
    [request] = owner.control.log.writes(owner.mark)
    assert (request.method, request.path) == ("PATCH", where.text)
    assert request.body_keys == ("properties", "properties.publicNetworkAccess")
    [effect] = owner.control.log.effects(owner.mark)
    assert (effect.kind, effect.fields) == ("cluster.update", ("properties.publicNetworkAccess",))
    shown = owner.control.managed_redis.get(owner.name)
    assert shown is not None
    assert (shown["tags"], shown["properties"]["somethingNew"]) == ({"team": "shop"}, {"a": 1})
    assert shown["properties"]["publicNetworkAccess"] == "Disabled"


@pytest.mark.parametrize("status", [200, 202])
async def test_the_operation_of_a_change(owner: Site, clusters: ManagedCaches, status: int) -> None:
    owner.control.settings.change(**BY_THE_CLOCK, managed_patch_status=status)
    where = add(owner)
    assert await clusters.update(owner.identity, where, {"tags": {"a": "b"}}) is None
    assert written(owner) == [("PATCH", "", status)]
    assert await clusters.operation(owner.identity, where) == RUNNING
    pass_time(owner)
    assert await clusters.operation(owner.identity, where) == DONE


@pytest.mark.parametrize("at_once", [True, False])
async def test_when_new_values_are_shown(owner: Site, clusters: ManagedCaches, at_once: bool) -> None:
    owner.control.settings.change(**BY_THE_CLOCK, managed_shows_wanted_values=at_once)
    where = add(owner)
    assert await clusters.change_database(owner.identity, where, {"evictionPolicy": "NoEviction"}) is None
    shown = []
    for _ in range(2):
        found = await clusters.database(owner.identity, where)
        assert isinstance(found, ManagedDatabase)
        shown.append(found.eviction_policy)
        pass_time(owner)
    assert shown == ["NoEviction" if at_once else "VolatileLRU", "NoEviction"]


@pytest.mark.parametrize("refuses", [True, False])
async def test_a_write_before_the_cluster_runs_again(owner: Site, clusters: ManagedCaches, refuses: bool) -> None:
    owner.control.settings.change(**BY_THE_CLOCK, managed_state_lag_refuses=refuses)
    where = add(owner)
    assert await clusters.update(owner.identity, where, {"tags": {"a": "b"}}) is None
    pass_time(owner)
    assert await clusters.operation(owner.identity, where) == DONE
    again = await clusters.update(owner.identity, where, {"tags": {"a": "c"}})
    assert (again is None) is not refuses
    if refuses:
        assert failure(again).reason is Reason.BUSY


async def test_a_database_that_is_there_is_left_alone(owner: Site, clusters: ManagedCaches) -> None:
    where = add(owner, database={"evictionPolicy": "NoEviction"})
    there = failure(await clusters.create_database(owner.identity, where, DATABASE))
    assert (there.reason, there.permanent, there.maybe_done) == (Reason.BUSY, False, False)
    assert (written(owner), properties(owner)["evictionPolicy"]) == ([], "NoEviction")


async def test_a_database_that_may_not_be_read_is_neither_created_nor_changed(
    site: Site, clusters: ManagedCaches
) -> None:
    site.allow("Microsoft.Cache/redisEnterprise/databases/write")
    where = add(site, database=None)
    for outcome in (
        await clusters.create_database(site.identity, where, DATABASE),
        await clusters.change_database(site.identity, where, {"evictionPolicy": "NoEviction"}),
    ):
        denied = failure(outcome)
        assert (denied.reason, denied.maybe_done) == (Reason.AZURE_DENIED, False)
        assert "Microsoft.Cache/redisEnterprise/databases/read" in denied.message
    assert written(site) == []


@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(extra=st.dictionaries(NAMES, VALUES, max_size=4), policy=st.sampled_from(["NoEviction", "AllKeysLRU"]))
async def test_a_change_of_a_database_keeps_what_the_operator_does_not_know(
    owner: Site, clusters: ManagedCaches, extra: dict[str, Any], policy: str
) -> None:
    owner.control.settings.change(**AT_ONCE)
    owner.clock.now += 60  # a full budget of requests
    where = cluster_id(owner)
    if owner.control.managed_redis.get(owner.name) is None:
        add(owner)
    owner.control.managed_redis.update(owner.name, database={**DATABASE, "notifyKeyspaceEvents": "KEA", **extra})
    before, mark = properties(owner), owner.control.log.position()
    assert await clusters.change_database(owner.identity, where, {"evictionPolicy": policy}) is None
    assert properties(owner) == {**before, "evictionPolicy": policy}
    [request] = owner.control.log.writes(mark)
    assert request.method == "PUT"
    sent = {name.split(".")[1] for name in request.body_keys if name.startswith("properties.")}
    assert sent == before.keys() - {"redisVersion"}


async def test_a_linked_database_keeps_its_links(owner: Site, clusters: ManagedCaches) -> None:
    owner.control.settings.change(**AT_ONCE)
    where = add(owner, sku={"name": "Balanced_B10"})
    links = (f"{where.text}/databases/default", "/elsewhere/databases/default")
    owner.control.managed_redis.link(owner.name, *links)
    assert await clusters.change_database(owner.identity, where, {"evictionPolicy": "NoEviction"}) is None
    found = await clusters.database(owner.identity, where)
    assert isinstance(found, ManagedDatabase)
    assert (found.eviction_policy, found.geo_linked) == ("NoEviction", links)


async def test_no_database_is_ever_patched(owner: Site, clusters: ManagedCaches) -> None:
    owner.control.settings.change(**AT_ONCE)
    where = add(owner)
    assert await clusters.change_database(owner.identity, where, {"evictionPolicy": "NoEviction"}) is None
    assert written(owner) == [("PUT", "/databases/default", 200)]


@pytest.mark.parametrize("status", [204, 404])
async def test_a_deletion_of_nothing_is_done(owner: Site, clusters: ManagedCaches, status: int) -> None:
    owner.control.settings.change(delete_missing_status=status)
    assert await clusters.delete(owner.identity, cluster_id(owner)) is None
    assert written(owner) == [("DELETE", "", status)]


# --- refusals -------------------------------------------------------------------------------------------------------


async def test_a_policy_a_lock_and_a_missing_role(site: Site, clusters: ManagedCaches) -> None:
    where = add(site)
    denied = failure(await clusters.update(site.identity, where, {"tags": {}}))
    assert (denied.reason, denied.permanent, denied.maybe_done) == (Reason.AZURE_DENIED, False, False)
    assert "Microsoft.Cache/redisEnterprise/write" in denied.message
    site.allow(ALL)
    scope = seeds.subscription_scope(site.subscription)
    policy = {"field": "properties.publicNetworkAccess", "value": "Enabled"}
    site.control.seed(seeds.Policy(scope=scope, name="closed-only", **policy))
    opened = {**CREATION, "properties": {**CREATION["properties"], "publicNetworkAccess": "Enabled"}}
    refused = failure(await clusters.create(site.identity, cluster_id(site, f"{site.name}-2"), opened))
    assert (refused.reason, refused.maybe_done) == (Reason.DENIED_BY_POLICY, False)
    assert "closed-only" in refused.message
    site.control.seed(seeds.Lock(scope=where.text, name=f"l-{site.name}", level="ReadOnly"))
    for outcome in (
        await clusters.update(site.identity, where, {"tags": {}}),
        await clusters.change_database(site.identity, where, {"evictionPolicy": "NoEviction"}),
        await clusters.delete(site.identity, where),
    ):
        locked = failure(outcome)
        assert (locked.reason, locked.maybe_done) == (Reason.LOCKED, False)
    site.control.access.delete_lock(f"l-{site.name}")
    assert site.control.log.effects(site.mark) == []


@pytest.mark.parametrize(
    ("change", "reason", "permanent"),
    [
        ({"sku": {"name": "Enterprise_E10", "capacity": 2}}, Reason.RETIRED, True),
        ({"zones": ["1", "2"]}, Reason.REQUEST_REFUSED, True),
        ({"properties": {}}, Reason.REQUEST_REFUSED, True),
        ({"sku": {"name": "Balanced_B4"}}, Reason.REQUEST_REFUSED, True),
    ],
    ids=["retired", "zones", "no public network access", "no such SKU"],
)
async def test_a_creation_that_azure_refuses(
    owner: Site, clusters: ManagedCaches, change: dict[str, Any], reason: Reason, permanent: bool
) -> None:
    refused = failure(await clusters.create(owner.identity, cluster_id(owner), {**CREATION, **change}))
    assert (refused.reason, refused.permanent, refused.maybe_done) == (reason, permanent, False)
    assert owner.control.log.effects(owner.mark) == []


@pytest.mark.parametrize(
    ("fault", "reason", "permanent", "maybe_done"),
    [
        (Fault(status=409, body={"error": {"code": "QuotaExceeded", "message": "x"}}), Reason.QUOTA_EXCEEDED, True, 0),
        (Fault(status=409, body={"error": {"code": "Conflict", "message": "x"}}), Reason.BUSY, False, 0),
        (Fault(status=429, headers={"Retry-After": "1"}), Reason.AZURE_THROTTLED, False, 0),
        (Fault(status=500), Reason.AZURE_ERROR, False, 1),
        (Fault(kind="html", status=200), Reason.AZURE_ERROR, False, 1),
        (Fault(kind="reset", when="after"), Reason.AZURE_UNREACHABLE, False, 1),
        (Fault(kind="hang"), Reason.AZURE_UNREACHABLE, False, 1),
    ],
    ids=lambda value: f"{value.kind}-{value.status}-{value.when}" if isinstance(value, Fault) else str(value),
)
async def test_a_creation_is_sent_once(
    owner: Site, clusters: ManagedCaches, fault: Fault, reason: Reason, permanent: bool, maybe_done: int
) -> None:
    where = cluster_id(owner)
    await clusters.read(owner.identity, where)  # a connection and a token
    update = {"service": "arm", "method": "PUT", "path": where.name, "times": None}
    with owner.control.faults.during(fault.model_copy(update=update)):
        outcome = failure(await clusters.create(owner.identity, where, CREATION))
    assert (outcome.reason, outcome.permanent, outcome.maybe_done) == (reason, permanent, bool(maybe_done))
    assert [method for method, _, _ in written(owner)] == ["PUT"]
    assert (owner.control.managed_redis.get(owner.name) is not None) is (fault.when == "after")


async def test_a_name_of_another_tenant(owner: Site, clusters: ManagedCaches) -> None:
    owner.control.managed_redis.take_name(owner.name, "westeurope")
    taken = failure(await clusters.create(owner.identity, cluster_id(owner), CREATION))
    assert (taken.reason, taken.maybe_done) == (Reason.BUSY, False)  # the words are those of a cluster that is busy
    assert "already exists" in taken.message


# --- operations -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("code", ["InsufficientCapacity", "AllocationFailed"])
async def test_a_region_without_capacity(owner: Site, clusters: ManagedCaches, code: str) -> None:
    owner.control.settings.change(**AT_ONCE, managed_capacity_code=code)
    where = cluster_id(owner)
    owner.control.managed_redis.run_out_of_capacity()
    assert await clusters.create(owner.identity, where, CREATION) is None
    ended = await clusters.operation(owner.identity, where)
    assert ended is not None
    assert (ended.status, ended.code) == ("Failed", code)
    assert ended.message is not None
    assert "different Azure Managed Redis size or region" in ended.message
    assert await state(owner, clusters) == ("Failed", "CreateFailed")
    assert failure(await clusters.update(owner.identity, where, {"tags": {}})).reason is Reason.BUSY
    assert await clusters.delete(owner.identity, where) is None
    assert isinstance(await clusters.read(owner.identity, where), NotFound)


@pytest.mark.parametrize(
    ("outcome", "status", "policy"),
    [
        ("Succeeded", "Succeeded", "NoEviction"),
        ("Failed", "Failed", "VolatileLRU"),
        ("FailedWithoutError", "Failed", "VolatileLRU"),
        ("NotCarriedOut", "Succeeded", "VolatileLRU"),
        ("SucceededButResourceFailed", "Succeeded", "VolatileLRU"),
        ("Forgotten", None, "NoEviction"),
        ("NeverEnds", "InProgress", "NoEviction"),
    ],
)
async def test_every_end_of_an_operation(
    owner: Site, clusters: ManagedCaches, outcome: str, status: str | None, policy: str
) -> None:
    owner.control.settings.change(**AT_ONCE, operation_outcome=outcome, operation_error_code="SomethingBroke")
    where = add(owner)
    assert await clusters.change_database(owner.identity, where, {"evictionPolicy": "NoEviction"}) is None
    ended = await clusters.operation(owner.identity, where)
    assert (None if ended is None else ended.status) == status
    assert (None if ended is None else ended.code) == ("SomethingBroke" if outcome == "Failed" else None)
    again = await clusters.operation(owner.identity, where)
    assert (again == RUNNING) is (outcome == "NeverEnds")
    assert properties(owner)["evictionPolicy"] == policy


async def test_a_read_of_the_sizes(owner: Site, clusters: ManagedCaches) -> None:
    where = add(owner)
    found = await clusters.scaling_options(owner.identity, where)
    assert isinstance(found, tuple)
    assert "Balanced_B10" in found
    assert "Balanced_B5" not in found
    owner.control.access.unassign(owner.object_id)
    denied = await clusters.scaling_options(owner.identity, where)
    assert isinstance(denied, Unknown)
    assert (denied.reason, denied.permission) == (Reason.AZURE_DENIED, LIST_SKUS)
    assert written(owner) == []
