"""A cache that cannot be made: a reason, no cache, no second try that would be a busy loop, and it recovers."""

import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from sandbox.azure.seeds import seeds
from sandbox.waiting import PATIENCE, wait_for
from sandbox.world import CACHE_READ, CACHE_WRITE, OTHER_TENANT, SUBSCRIPTION, TENANT, Team, World
from tests.integration.operator.support import (
    PROVISION,
    Bystander,
    Case,
    provision,
    provisioning_team,
    release,
)


@dataclass(frozen=True)
class Row:
    """`stalled`: only a person can repair it, and the condition says so."""

    name: str
    breaks: Callable[[Case], object]
    reason: str
    says: str
    mends: Callable[[Case], object] | None
    stalled: bool = True
    spec: dict[str, Any] = field(default_factory=dict)


def _policy(case: Case) -> None:
    case.control.seed(seeds.Policy(scope=case.team.group_scope, name=f"no-redis-{case.team.name}"))


def _lock(case: Case) -> None:
    case.control.seed(seeds.Lock(scope=case.team.group_scope, name=f"frozen-{case.team.name}", level="ReadOnly"))


def _read_only(case: Case) -> None:
    case.control.access.unassign(case.team.object_id, case.team.group_scope)
    case.allow(*CACHE_READ)


def _poor_region(case: Case) -> None:
    case.control.seed(seeds.Region(name="poorland", display="Poor Land", unavailable_skus=("Standard",)))


def _rich_region(case: Case) -> None:
    case.control.seed(seeds.Region(name="poorland", display="Poor Land"))


def _quota(limit: int) -> Callable[[Case], object]:
    return lambda case: case.control.settings.change(cache_quota_per_subscription=limit)


def _nothing(case: Case) -> None:
    """Nothing needs doing."""


ROWS = (
    Row(
        "policy",
        _policy,
        "DeniedByPolicy",
        "no-redis-",
        lambda c: c.control.access.delete_policy(f"no-redis-{c.team.name}"),
    ),
    Row("lock", _lock, "Locked", "remove the lock", lambda c: c.control.access.delete_lock(f"frozen-{c.team.name}")),
    Row("quota", _quota(0), "QuotaExceeded", "limit of 0", _quota(1000)),
    Row("name taken", lambda c: c.control.redis.take_name(c.cache), "NameTaken", "choose another", None),
    Row(
        "location",
        _nothing,
        "RequestRefused",
        "atlantis",
        lambda c: c.change(provision={"location": "westeurope"}),
        spec={"provision": {**PROVISION, "location": "atlantis"}},
    ),
    Row(
        "SKU",
        _poor_region,
        "RequestRefused",
        "not available in location",
        _rich_region,
        spec={"provision": {**PROVISION, "location": "poorland"}},
    ),
    Row(
        "no right to write",
        _read_only,
        "AzureDenied",
        "Microsoft.Cache/redis/write",
        lambda c: c.allow(*CACHE_WRITE),
        stalled=False,
    ),
)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_a_cache_that_cannot_be_made(build: Case, bystander: Bystander, row: Row) -> None:
    row.breaks(build)
    try:
        build.apply(**provision(build, **row.spec))
        message = build.until("Ready", "False", row.reason)
        assert row.says.lower() in message.lower()
        build.until("CacheAvailable", "False", row.reason)
        assert build.has("Stalled") == row.stalled
        assert build.effects() == []
        assert build.control.redis.get(build.cache) is None
        bystander.goes_on()
        tries = len(build.writes())
        assert tries <= 1
    finally:
        if row.mends is not None:
            row.mends(build)
    if row.mends is not None:
        build.heal()
        assert [kind for kind, _ in build.effects()].count("cache.create") == 1


def test_a_disabled_subscription(build: Case) -> None:
    identifier = str(uuid.uuid4())
    build.control.seed(
        seeds.Subscription(id=identifier, tenant=TENANT, state="Disabled"),
        seeds.Group(subscription=identifier, name="shop"),
    )
    build.allow(*CACHE_READ, *CACHE_WRITE, scope=seeds.subscription_scope(identifier))
    build.apply(**provision(build, resourceID=seeds.cache_scope(identifier, "shop", build.cache)))
    assert "re-enabled" in build.until("Ready", "False", "SubscriptionUnavailable")
    build.until("Stalled", "True", "SubscriptionUnavailable")
    build.control.seed(seeds.Subscription(id=identifier, tenant=TENANT))
    build.heal()


def test_a_subscription_without_the_provider(build: Case) -> None:
    identifier = str(uuid.uuid4())
    build.control.seed(
        seeds.Subscription(id=identifier, tenant=TENANT, registered=False),
        seeds.Group(subscription=identifier, name="shop"),
    )
    build.allow(*CACHE_READ, *CACHE_WRITE, scope=seeds.subscription_scope(identifier))
    build.apply(**provision(build, resourceID=seeds.cache_scope(identifier, "shop", build.cache)))
    assert "az provider register" in build.until("Ready", "False", "SubscriptionUnavailable")
    build.control.seed(seeds.Subscription(id=identifier, tenant=TENANT))
    build.heal()


def test_a_missing_group_is_not_made(build: Case) -> None:
    missing = f"gone-{uuid.uuid4().hex[:8]}"
    build.allow(*CACHE_READ, *CACHE_WRITE, scope=seeds.group_scope(SUBSCRIPTION, missing))
    build.apply(**provision(build, resourceID=seeds.cache_scope(SUBSCRIPTION, missing, build.cache)))
    assert missing in build.until("Ready", "False", "CacheNotFound")
    assert build.writes() == []
    build.control.seed(seeds.Group(subscription=SUBSCRIPTION, name=missing))
    build.heal()


@pytest.fixture
def latecomer(world: World) -> Iterator[Case]:
    """A team of a tenant that never had a cache before creation was closed to such."""
    team = provisioning_team(world)
    client, identifier = str(uuid.uuid4()), str(uuid.uuid4())
    world.control.seed(
        seeds.App(
            tenant=OTHER_TENANT,
            client_id=client,
            object_id=team.object_id,
            federations=(
                seeds.Federation(
                    issuer=world.cluster.service_account_issuer,
                    subject=f"system:serviceaccount:{team.namespace}:secure-redis",
                ),
            ),
        ),
        seeds.Subscription(id=identifier, tenant=OTHER_TENANT),
        seeds.Group(subscription=identifier, name="shop"),
        seeds.RoleAssignment(
            object_id=team.object_id,
            scope=seeds.subscription_scope(identifier),
            actions=(*CACHE_READ, *CACHE_WRITE),
        ),
    )
    annotations = {"azure.workload.identity/client-id": client, "azure.workload.identity/tenant-id": OTHER_TENANT}
    account = {"apiVersion": "v1", "kind": "ServiceAccount"}
    named = {**account, "metadata": {"name": "secure-redis", "namespace": team.namespace}}
    world.api.merge(named, {"metadata": {"annotations": annotations}}).must()
    case = Case(world, team)
    case.spec(**provision(case, resourceID=seeds.cache_scope(identifier, "shop", case.cache)))
    yield case
    release(world, team)


def test_creation_is_retired(latecomer: Case) -> None:
    latecomer.world.apply(latecomer.document)
    message = latecomer.until("Ready", "False", "Retired")
    assert "aka.ms/AzureCacheForRedisRetirement" in message
    latecomer.until("Stalled", "True", "Retired")
    assert latecomer.effects() == []


# --- two resources, one cache ---------------------------------------------------------------------------------------


def test_one_provisions_and_any_number_validates(world: World, build: Case, builders: Team) -> None:
    build.apply(**provision(build))
    build.until("Ready", "True")
    second = Case(world, builders)
    second.apply(**provision(second))
    assert second.cache == build.cache
    second.document["metadata"]["name"] = f"{build.cache}-second"
    world.apply(second.document)
    message = second.until("Ready", "False", "OwnedByAnother")
    assert "mode: Validate" in message
    second.until("Stalled", "True", "OwnedByAnother")
    watchers = []
    for number in range(3):
        watcher = Case(world, builders)
        watcher.spec(key=False, network={"publicAccess": "Enabled"})["metadata"]["name"] = f"{build.cache}-{number}"
        watchers.append(watcher)
        world.apply(watcher.document)
    for watcher in watchers:
        watcher.until("Ready", "True", "Assessed")
    build.poke()
    assert build.condition("Ready")[0] == "True"
    assert [kind for kind, _ in build.effects()].count("cache.create") == 1


def test_two_at_once_make_one_cache(world: World, build: Case, builders: Team) -> None:
    other = Case(world, builders)
    other.spec(**provision(other))["metadata"]["name"] = f"{build.cache}-b"
    build.spec(**provision(build))
    world.apply(build.document)
    world.apply(other.document)

    def reasons() -> set[str]:
        found = (world.condition(one.document, "Ready") for one in (build, other))
        return {condition[1] for condition in found if condition is not None}

    wait_for(lambda: "Ready" in reasons(), PATIENCE, "one of them to be Ready")
    loser = next(one for one in (build, other) if one.condition("Ready")[1] != "Ready")
    loser.heal("Ready", "False", "OwnedByAnother")
    assert [kind for kind, _ in build.effects()].count("cache.create") == 1


def test_a_cache_that_fails_to_come_up(build: Case) -> None:
    """Azure accepts the creation and then fails: the status says how it ended, and there is no second try by itself."""
    with build.control.settings.during(
        operation_outcome="Failed", operation_error_code="InternalServerError", operation_error_message="No capacity."
    ):
        build.apply(**provision(build))
        message = build.until("Ready", "False", "ProvisioningFailed")
    assert "No capacity" in message
    build.until("Stalled", "True", "ProvisioningFailed")
    assert [kind for kind, _ in build.effects()] == ["cache.create"]


def test_a_lost_answer_to_the_creation(build: Case) -> None:
    """The PUT took effect and its answer was lost: one cache, found again."""
    build.fault(service="arm", method="PUT", kind="reset", when="after", times=1)
    build.apply(**provision(build))
    build.heal()
    assert [kind for kind, _ in build.effects()].count("cache.create") == 1
