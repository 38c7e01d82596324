"""How the operator lists and regenerates the access keys of Managed Redis: once, and without showing them."""

import logging

import pytest

from sandbox.azure.seeds import seeds
from sandbox.azure.state.faults import Fault, Trouble
from secure_redis.api.azure_ids import CacheID
from secure_redis.api.reasons.reason import Reason
from secure_redis.azure.managed_redis.client import LIST_KEYS, READ_CLUSTER, READ_DATABASE, ManagedCaches
from secure_redis.domain.observe.cache import OperationFacts
from secure_redis.domain.observe.keys import ListedKeys, Slot
from secure_redis.domain.observe.unknown import Unknown
from secure_redis.domain.plan.write_failure import WriteFailure

from .conftest import Site
from .managed_support import ALL, BY_THE_CLOCK, DATABASE, SECONDS, add, cluster_id, failure, pass_time, written

REGENERATE = "Microsoft.Cache/redisEnterprise/databases/regenerateKey/action"
PATH = "/databases/default/regenerateKey"
ON, OFF = {"accessKeysAuthentication": "Enabled"}, {"accessKeysAuthentication": "Disabled"}


@pytest.fixture
def owner(site: Site) -> Site:
    """A cluster with keys; a regeneration is done immediately."""
    site.allow(ALL)
    site.control.settings.change(managed_regenerate_by_operation=False)
    add(site, database=ON, primary_key="canary-primary", secondary_key="canary-secondary")
    return site


def keys(site: Site) -> tuple[str, str]:
    found = site.control.managed_redis.keys(site.name)
    return found["Primary"], found["Secondary"]


async def listed(site: Site, clusters: ManagedCaches) -> tuple[str, str]:
    found = await clusters.list_keys(site.identity, cluster_id(site))
    assert isinstance(found, ListedKeys), found
    return found.primary.get_secret_value(), found.secondary.get_secret_value()


async def regenerate(site: Site, clusters: ManagedCaches, slot: Slot = Slot.PRIMARY) -> WriteFailure:
    return failure(await clusters.regenerate_key(site.identity, cluster_id(site), slot))


async def test_keys_are_listed_and_shown_nowhere(
    owner: Site, clusters: ManagedCaches, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    found = await clusters.list_keys(owner.identity, cluster_id(owner))
    assert isinstance(found, ListedKeys)
    assert await listed(owner, clusters) == ("canary-primary", "canary-secondary")
    assert "canary" not in repr(found) + str(found) + caplog.text
    assert written(owner) == []


@pytest.mark.parametrize("way", ["refused", "empty"])
async def test_keys_that_are_off(site: Site, clusters: ManagedCaches, way: str) -> None:
    site.control.settings.change(managed_list_keys_when_disabled=way)
    site.allow(ALL)
    where = add(site, database=OFF)
    found = await clusters.list_keys(site.identity, where)
    assert isinstance(found, Unknown)
    assert (found.reason, found.permanent, found.permission) == (Reason.ACCESS_KEYS_DISABLED, True, None)
    assert await clusters.list_keys(site.identity, where) == found  # the same text each time
    off = await regenerate(site, clusters)
    assert (off.reason, off.permanent, off.maybe_done) == (Reason.REQUEST_REFUSED, True, False)


async def test_missing_rights_are_named(site: Site, clusters: ManagedCaches) -> None:
    where = add(site, database=ON)
    site.allow(READ_CLUSTER, READ_DATABASE)
    found = await clusters.list_keys(site.identity, where)
    assert isinstance(found, Unknown)
    assert (found.reason, found.permission) == (Reason.AZURE_DENIED, LIST_KEYS)
    denied = await regenerate(site, clusters)
    assert (denied.reason, denied.maybe_done) == (Reason.AZURE_DENIED, False)
    assert REGENERATE in denied.message
    site.allow(ALL)
    site.control.seed(seeds.Lock(scope=where.text, name=f"l-{site.name}", level="ReadOnly"))
    locked = await regenerate(site, clusters)
    assert (locked.reason, locked.maybe_done) == (Reason.LOCKED, False)
    site.control.access.delete_lock(f"l-{site.name}")


@pytest.mark.parametrize("slot", list(Slot))
@pytest.mark.parametrize("by_operation", [True, False])
async def test_one_key_is_regenerated_and_the_other_stays(
    owner: Site, clusters: ManagedCaches, slot: Slot, by_operation: bool
) -> None:
    owner.control.settings.change(**BY_THE_CLOCK, managed_regenerate_by_operation=by_operation)
    where = cluster_id(owner)
    assert await clusters.regenerate_key(owner.identity, where, slot) is None
    if by_operation:
        assert await clusters.operation(owner.identity, where) == OperationFacts("InProgress")
        assert await listed(owner, clusters) == ("canary-primary", "canary-secondary")
        pass_time(owner)
        assert await clusters.operation(owner.identity, where) == OperationFacts("Succeeded")
    assert await clusters.operation(owner.identity, where) is None
    primary, secondary = keys(owner)
    assert (primary == "canary-primary") is (slot is Slot.SECONDARY)
    assert (secondary == "canary-secondary") is (slot is Slot.PRIMARY)
    assert await listed(owner, clusters) == (primary, secondary)
    assert written(owner) == [("POST", PATH, 202 if by_operation else 200)]
    assert [effect.kind for effect in owner.control.log.effects(owner.mark)] == ["managedKey.regenerate"]


async def test_a_second_regeneration_meanwhile_is_refused_and_the_first_still_followed(
    owner: Site, clusters: ManagedCaches
) -> None:
    owner.control.settings.change(**BY_THE_CLOCK, managed_regenerate_by_operation=True)
    where = cluster_id(owner)
    assert await clusters.regenerate_key(owner.identity, where, Slot.SECONDARY) is None
    busy = await regenerate(owner, clusters)
    assert (busy.reason, busy.maybe_done) == (Reason.BUSY, False)
    assert await clusters.operation(owner.identity, where) == OperationFacts("InProgress")
    pass_time(owner)
    assert await clusters.operation(owner.identity, where) == OperationFacts("Succeeded")
    assert (keys(owner)[0], keys(owner)[1] == "canary-secondary") == ("canary-primary", False)


@pytest.mark.parametrize(
    ("fault", "reason", "maybe_done"),
    [
        (Fault(status=429, headers={"Retry-After": "1"}), Reason.AZURE_THROTTLED, False),
        (Fault(status=400, body={"error": {"code": "BadRequest", "message": "no"}}), Reason.REQUEST_REFUSED, False),
        (Fault(status=401), Reason.TOKEN_REFUSED, False),
        (Fault(status=409, body={"error": {"code": "Conflict", "message": "no"}}), Reason.BUSY, False),
        (Fault(status=408), Reason.AZURE_ERROR, True),
        (Fault(status=500, headers={"Retry-After": "1"}), Reason.AZURE_ERROR, True),
        (Fault(status=503, headers={"Retry-After": "1"}), Reason.AZURE_ERROR, True),
        (Fault(status=504), Reason.AZURE_ERROR, True),
        (Fault(kind="html", status=403), Reason.AZURE_DENIED, False),
        (Fault(kind="html", status=200), Reason.AZURE_ERROR, True),
        (Fault(kind="html", status=202), Reason.AZURE_ERROR, True),
        (Fault(status=307, headers={"Location": "/elsewhere"}), Reason.AZURE_ERROR, True),
        (Fault(kind="reset"), Reason.AZURE_UNREACHABLE, True),
        (Fault(kind="reset", when="after"), Reason.AZURE_UNREACHABLE, True),
        (Fault(kind="hang"), Reason.AZURE_UNREACHABLE, True),
    ],
    ids=lambda value: f"{value.kind}-{value.status}-{value.when}" if isinstance(value, Fault) else str(value),
)
async def test_whatever_comes_back_it_was_sent_once(
    owner: Site, clusters: ManagedCaches, fault: Fault, reason: Reason, maybe_done: bool
) -> None:
    await clusters.read(owner.identity, cluster_id(owner))  # a connection and a token
    path = f"{owner.name}{PATH}"
    with owner.control.faults.during(fault.model_copy(update={"service": "arm", "path": path, "times": None})):
        outcome = await regenerate(owner, clusters)
    assert (outcome.reason, outcome.maybe_done) == (reason, maybe_done)
    assert owner.requests(path) == 1
    assert (keys(owner)[0] != "canary-primary") is (fault.when == "after")


@pytest.mark.parametrize(
    ("trouble", "reason", "maybe_done"),
    [
        ("throttled", Reason.AZURE_THROTTLED, False),
        ("denied", Reason.AZURE_DENIED, False),
        ("locked", Reason.LOCKED, False),
        ("failed", Reason.AZURE_ERROR, True),
        ("lost", Reason.AZURE_UNREACHABLE, True),
        ("late", Reason.AZURE_UNREACHABLE, True),
        ("gateway", Reason.AZURE_ERROR, True),
    ],
)
async def test_every_trouble_of_the_simulator(
    owner: Site, clusters: ManagedCaches, trouble: Trouble, reason: Reason, maybe_done: bool
) -> None:
    owner.control.faults.add_regeneration(owner.name, trouble, seconds=SECONDS)
    outcome = await regenerate(owner, clusters)
    assert (outcome.reason, outcome.maybe_done, outcome.permanent) == (reason, maybe_done, False)
    assert owner.requests(f"{owner.name}{PATH}") == 1
    assert (keys(owner)[0] == "canary-primary") is (trouble != "lost")
    pass_time(owner)
    assert (keys(owner)[0] == "canary-primary") is (trouble not in ("lost", "late", "gateway"))


async def test_a_revoked_token_is_replaced_and_the_key_regenerated_once(owner: Site, clusters: ManagedCaches) -> None:
    where = cluster_id(owner)
    await clusters.read(owner.identity, where)
    owner.control.access.revoke_tokens(owner.object_id)
    assert await clusters.regenerate_key(owner.identity, where, Slot.PRIMARY) is None
    assert [status for _, _, status in written(owner)] == [401, 200]
    assert [effect.kind for effect in owner.control.log.effects(owner.mark)] == ["managedKey.regenerate"]


async def test_a_new_database_has_new_keys(owner: Site, clusters: ManagedCaches) -> None:
    owner.control.settings.change(managed_database_seconds=0, managed_state_lag_seconds=0)
    where: CacheID = cluster_id(owner)
    owner.control.managed_redis.delete_database(owner.name)
    assert await clusters.create_database(owner.identity, where, DATABASE) is None
    new = await listed(owner, clusters)
    assert new == keys(owner)
    assert not {"canary-primary", "canary-secondary"} & set(new)
