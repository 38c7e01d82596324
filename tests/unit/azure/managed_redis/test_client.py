"""The exact requests of the client of Managed Redis, and the answers that it takes for a success."""

import json
import logging
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from secure_redis.api.reasons.reason import Reason
from secure_redis.azure.managed_redis.client import ManagedCaches
from secure_redis.domain.observe.cache import OperationFacts
from secure_redis.domain.observe.keys import Slot
from secure_redis.domain.observe.managed_redis import ManagedRedis
from secure_redis.domain.observe.unknown import Unknown
from secure_redis.domain.plan.write_failure import WriteFailure
from tests.unit.azure.conftest import IDENTITY, SUBSCRIPTION, Answer, World, says
from tests.unit.azure.managed_redis import test_convert as recorded
from tests.unit.azure.managed_redis.scripted import (
    CALLS,
    CLUSTER,
    CREATION,
    DATABASE,
    KEYS,
    NAMES,
    NEWEST,
    OLDER,
    ONE_WORLD,
    OTHER,
    PATH,
    VALUES,
    WRITES,
    asked,
    bodies,
    failed,
    raw,
    refusal,
    served,
)

OPERATION = f"/subscriptions/{SUBSCRIPTION}/providers/Microsoft.Cache/locations/West US 2/operationsStatus/1"
READ_ONLY = {"provisioningState", "resourceState", "redisVersion"}

# --- versions -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", CALLS)
async def test_a_region_without_the_newest_version_is_asked_with_the_older_one(
    world: World, clusters: ManagedCaches, name: str
) -> None:
    method, path, good, call = CALLS[name]
    world.script.on(method, path, served(OLDER, good))
    outcome = await call(clusters)
    assert not failed(outcome), outcome
    assert asked(world, method, path) == [NEWEST, OLDER]
    if isinstance(outcome, ManagedRedis):
        assert (outcome.api_version, outcome.maintenance_windows) == (OLDER, None)
        assert not failed(await call(clusters))
        assert asked(world, method, path) == [NEWEST, OLDER, OLDER]


@pytest.mark.parametrize("name", CALLS)
async def test_a_region_without_either_version(world: World, clusters: ManagedCaches, name: str) -> None:
    method, path, good, call = CALLS[name]
    world.script.on(method, path, served("2027-01-01", good))
    outcome = await call(clusters)
    assert isinstance(outcome, Unknown | WriteFailure)
    assert (outcome.reason, outcome.permanent) == (Reason.API_VERSION_NOT_SERVED, True)
    assert asked(world, method, path) == [NEWEST, OLDER]


async def test_the_version_is_remembered_for_a_region_of_the_subscription(
    world: World, clusters: ManagedCaches
) -> None:
    for method, path, good, _ in CALLS.values():
        world.script.on(method, path, served(OLDER, good))
    assert isinstance(await clusters.read(IDENTITY, CLUSTER), ManagedRedis)  # in West US 2
    for name in CALLS:
        assert not failed(await CALLS[name][3](clusters)), name
    world.script.on("PUT", OTHER.text, served(OLDER, says(recorded.CLUSTER, 201)))
    assert await clusters.create(IDENTITY, OTHER, CREATION) is None
    assert asked(world, "PUT", OTHER.text) == [OLDER]
    assert await clusters.create(IDENTITY, OTHER, {**CREATION, "location": "northeurope"}) is None
    assert asked(world, "PUT", OTHER.text) == [OLDER, NEWEST, OLDER]
    assert [call.query for call in world.script.observed if NEWEST in call.query and call.path == PATH] == [
        f"api-version={NEWEST}"
    ]


async def test_a_version_that_a_region_loses(world: World, clusters: ManagedCaches) -> None:
    world.script.on("GET", PATH, served(NEWEST, says(recorded.CLUSTER)), served(OLDER, says(recorded.CLUSTER)))
    for expected in (NEWEST, OLDER, OLDER):
        found = await clusters.read(IDENTITY, CLUSTER)
        assert isinstance(found, ManagedRedis)
        assert found.api_version == expected
    assert asked(world, "GET", PATH) == [NEWEST, NEWEST, OLDER, OLDER]


async def test_windows_are_shown_by_the_newest_version(world: World, clusters: ManagedCaches) -> None:
    windows = [{"type": "Weekly", "duration": "PT6H", "startHourUtc": 3, "schedule": {"dayOfWeek": "Monday"}}]
    body = recorded.changed(recorded.CLUSTER, maintenanceConfiguration={"maintenanceWindows": windows})
    world.script.on("GET", PATH, says(body))
    found = await clusters.read(IDENTITY, CLUSTER)
    assert isinstance(found, ManagedRedis)
    assert found.maintenance_windows is not None
    assert [(one.day, one.start_hour, one.duration) for one in found.maintenance_windows] == [("Monday", 3, "PT6H")]


@pytest.mark.parametrize("older", [False, True])
async def test_a_database_is_written_with_the_version_that_it_was_read_with(
    world: World, clusters: ManagedCaches, older: bool
) -> None:
    version = OLDER if older else NEWEST
    world.script.on("GET", DATABASE, served(version, says(recorded.DATABASE)))
    world.script.on("PUT", DATABASE, served(version, says(recorded.DATABASE)))
    assert await clusters.change_database(IDENTITY, CLUSTER, {"evictionPolicy": "NoEviction"}) is None
    assert asked(world, "GET", DATABASE) == ([NEWEST, OLDER] if older else [NEWEST])
    assert asked(world, "PUT", DATABASE) == [version]
    world.script.on("GET", DATABASE, served(version, refusal("ResourceNotFound", 404)))
    assert await clusters.create_database(IDENTITY, CLUSTER, {"port": 10000}) is None
    assert asked(world, "PUT", DATABASE) == [version, version]
    assert world.script.calls("PATCH") == []


# --- writes ---------------------------------------------------------------------------------------------------------


async def test_bodies_are_sent_as_they_were_given(world: World, clusters: ManagedCaches) -> None:
    patch = {"properties": {"publicNetworkAccess": "Disabled"}}
    world.script.on("PUT", PATH, says(recorded.CLUSTER, 201))
    world.script.on("PATCH", PATH, says(recorded.CLUSTER))
    assert await clusters.create(IDENTITY, CLUSTER, CREATION) is None
    assert await clusters.update(IDENTITY, CLUSTER, patch) is None
    assert (bodies(world, "PUT"), bodies(world, "PATCH")) == ([CREATION], [patch])
    world.script.on("GET", DATABASE, refusal("NotFound", 404))
    world.script.on("PUT", DATABASE, says(recorded.DATABASE, 201))
    assert await clusters.create_database(IDENTITY, CLUSTER, {"port": 10000}) is None
    assert bodies(world, "PUT")[1:] == [{"properties": {"port": 10000}}]


@ONE_WORLD
@given(
    extra=st.dictionaries(NAMES.filter(lambda name: name not in READ_ONLY | {"evictionPolicy"}), VALUES, max_size=5),
    policy=st.sampled_from(["NoEviction", "AllKeysLRU"]),
)
async def test_whatever_a_database_has_survives_a_change(
    world: World, clusters: ManagedCaches, extra: dict[str, Any], policy: str
) -> None:
    world.clock.now += 3600  # a full budget of requests
    linked = {"groupNickname": "g", "linkedDatabases": [{"id": "/other", "state": "Linked"}]}
    before = {**recorded.DATABASE["properties"], "geoReplication": linked, **extra}
    world.script.on("GET", DATABASE, says({**recorded.DATABASE, "properties": before}))
    world.script.on("PUT", DATABASE, says(recorded.DATABASE))
    assert await clusters.change_database(IDENTITY, CLUSTER, {"evictionPolicy": policy}) is None
    sent = bodies(world, "PUT")[-1]
    kept = {name: value for name, value in before.items() if name not in READ_ONLY}
    assert sent == {"properties": {**kept, "evictionPolicy": policy}}


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (says(recorded.DATABASE), Reason.BUSY),
        (refusal("AuthorizationFailed", 403), Reason.AZURE_DENIED),
        (refusal("ResourceGroupNotFound", 404), Reason.CACHE_NOT_FOUND),
        (says("<html>Sign in</html>"), Reason.AZURE_ERROR),
        (refusal("InternalServerError", 500), Reason.AZURE_ERROR),
    ],
    ids=["there", "denied", "no group", "a page", "failed"],
)
async def test_a_database_is_created_only_where_azure_reports_none(
    world: World, clusters: ManagedCaches, answer: Answer, reason: Reason
) -> None:
    world.script.on("GET", DATABASE, answer)
    world.script.on("PUT", DATABASE, says(recorded.DATABASE))
    outcome = await clusters.create_database(IDENTITY, CLUSTER, {"port": 10000})
    assert isinstance(outcome, WriteFailure)
    assert outcome.reason is reason
    assert world.script.calls("PUT") == []


@pytest.mark.parametrize("code", ["ResourceNotFound", "AuthorizationFailed", "InternalServerError"])
async def test_a_database_that_cannot_be_read_is_not_changed(world: World, clusters: ManagedCaches, code: str) -> None:
    status = {"ResourceNotFound": 404, "AuthorizationFailed": 403, "InternalServerError": 500}[code]
    world.script.on("GET", DATABASE, refusal(code, status))
    world.script.on("PUT", DATABASE, says(recorded.DATABASE))
    assert isinstance(await clusters.change_database(IDENTITY, CLUSTER, {"port": 1}), WriteFailure)
    assert world.script.calls("PUT") == []


async def test_a_deletion_of_nothing_is_done(world: World, clusters: ManagedCaches) -> None:
    world.script.on("DELETE", PATH, refusal("ResourceNotFound", 404))
    assert await clusters.delete(IDENTITY, CLUSTER) is None


@pytest.mark.parametrize("name", WRITES)
@pytest.mark.parametrize(
    "page", [says("<html>Sign in</html>"), says([1]), says("[" * 100_000)], ids=["a page", "a list", "too deep"]
)
async def test_a_page_is_not_a_success_of_a_write(
    world: World, clusters: ManagedCaches, name: str, page: Answer
) -> None:
    method, path, _, call = CALLS[name]
    world.script.on(method, path, page)
    outcome = await call(clusters)
    assert isinstance(outcome, WriteFailure)
    assert (outcome.reason, outcome.maybe_done, outcome.permanent) == (Reason.AZURE_ERROR, True, False)
    assert len(asked(world, method, path)) == 1


@pytest.mark.parametrize("content_type", ["text/plain", "application/octet-stream"])
async def test_an_object_is_a_success_whatever_its_content_type(
    world: World, clusters: ManagedCaches, content_type: str
) -> None:
    world.script.on("POST", f"{DATABASE}/regenerateKey", raw(json.dumps(KEYS), content_type))
    assert await clusters.regenerate_key(IDENTITY, CLUSTER, Slot.SECONDARY) is None
    assert bodies(world, "POST") == [{"keyType": "Secondary"}]


# --- operations -----------------------------------------------------------------------------------------------------


def signed(world: World, host: str = "arm.azure.test") -> dict[str, str]:
    """The headers of an answer that begins an operation."""
    where = f"https://{host}:{world.script.port}{quote(OPERATION)}"
    return {"Azure-AsyncOperation": f"{where}?api-version=1&s=canary-signature"}


async def test_a_refused_write_leaves_the_earlier_operation_the_last_one(world: World, clusters: ManagedCaches) -> None:
    where = f"{DATABASE}/regenerateKey"
    world.script.on("GET", OPERATION, says({"status": "InProgress"}))
    accepted = says({}, 202, signed(world))
    world.script.on("POST", where, accepted, refusal("Conflict", 409), refusal("InternalServerError", 500))
    assert await clusters.regenerate_key(IDENTITY, CLUSTER, Slot.PRIMARY) is None
    busy = await clusters.regenerate_key(IDENTITY, CLUSTER, Slot.PRIMARY)
    assert isinstance(busy, WriteFailure)
    assert (busy.reason, busy.maybe_done) == (Reason.BUSY, False)
    assert await clusters.operation(IDENTITY, CLUSTER) == OperationFacts("InProgress")
    doubt = await clusters.regenerate_key(IDENTITY, CLUSTER, Slot.PRIMARY)
    assert isinstance(doubt, WriteFailure)
    assert doubt.maybe_done
    assert await clusters.operation(IDENTITY, CLUSTER) is None  # it may have begun another one


async def test_a_signed_url_is_shown_nowhere_and_a_foreign_one_not_followed(
    world: World, clusters: ManagedCaches, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    followed = signed(world)
    world.script.on("GET", OPERATION, says({"status": "Failed", "error": {"code": "InsufficientCapacity"}}))
    world.script.on("PUT", PATH, says({}, 201, followed), says({}, 201, signed(world, "evil.azure.test")))
    assert await clusters.create(IDENTITY, CLUSTER, CREATION) is None
    assert "canary" not in repr(vars(clusters._resource_manager.operations._running))
    found = await clusters.operation(IDENTITY, CLUSTER)
    assert found == OperationFacts("Failed", "InsufficientCapacity", None)
    assert await clusters.create(IDENTITY, CLUSTER, CREATION) is None
    assert await clusters.operation(IDENTITY, CLUSTER) is None
    assert len(world.script.calls("GET", OPERATION)) == 1
    assert "outside the configured cloud" in caplog.text
    assert "canary" not in caplog.text + repr(found)
