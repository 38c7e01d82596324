"""Managed Redis by the real operator: created, adopted, corrected, published, rotated and deleted."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sandbox.azure.seeds.managed_redis import ManagedCluster
from sandbox.waiting import PATIENCE, wait_for
from sandbox.world import SUBSCRIPTION, World
from tests.integration.operator.conftest import INTERVALS
from tests.integration.operator.managed_support import ALL, PROVISION, PUBLIC, ROUTE, Cluster, managed_team
from tests.integration.operator.support import release
from tests.integration.operator.workload_support import world_with_pods


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory, hosts: Path, domain: str) -> Iterator[World]:
    """The operator checks an unclear regeneration again after two seconds."""
    intervals = {**INTERVALS, "regenerationSettleSeconds": 2.0}
    with world_with_pods(tmp_path_factory, hosts, f"mp.{domain}", intervals) as running:
        yield running


@pytest.fixture
def make(world: World) -> Any:
    """Make clusters, each of a team of its own."""
    made: list[Cluster] = []

    def one(name: str = "cluster") -> Cluster:
        made.append(Cluster(world, managed_team(world), name))
        return made[-1]

    yield one
    for case in made:
        case.mend_faults()
        release(world, case.team)


# --- create -----------------------------------------------------------------------------------------------------------


def test_created_in_order_with_everything_explicit_and_published(make: Any) -> None:
    case = make().created()
    kinds = [kind for kind in case.kinds() if not kind.startswith("secret.")]
    assert kinds == ["cluster.create", "database.put", "cluster.update"]
    writes = [w for w in case.control.log.writes(case.mark) if w.principal == case.team.object_id]
    cluster, database = (w for w in writes if w.method == "PUT" and "/redisEnterprise/" in w.path)
    assert "zones" not in cluster.body_keys
    assert {"properties.publicNetworkAccess", "properties.minimumTlsVersion", "sku.name"} <= set(cluster.body_keys)
    named = {key.removeprefix("properties.") for key in database.body_keys if key.count(".") == 1}
    assert named == {
        "clientProtocol",
        "clusteringPolicy",
        "evictionPolicy",
        "accessKeysAuthentication",
        "persistence",
        "deferUpgrade",
    }
    assert sorted(case.cluster["tags"]) == ["cost", "secureredis-owner"]
    assert case.database["accessKeysAuthentication"] == "Enabled"
    values = case.values()
    assert (values["port"], values["cluster-policy"], "server-name" in values) == ("10000", "NoCluster", False)
    assert values["password"] == case.keys["Primary"]
    assert case.status["cache"]["apiVersion"] == "2026-09-01"


def test_a_private_endpoint_is_awaited(make: Any) -> None:
    case = make().declare()
    message = case.until("CacheAvailable", "False", "NoRoute")
    assert "group redisEnterprise, zone privatelink.redis.azure.net" in message
    case.control.managed_redis.update(case.cache, private_endpoints=[ROUTE])
    case.heal()


def test_the_operator_dies_between_the_cluster_and_its_database(world: World, make: Any) -> None:
    case = make()
    with case.control.settings.during(create_seconds=3.0):
        case.declare(**PUBLIC)
        case.until("CacheAvailable", "False", "Creating")
    world.stop_operator(kill=True)
    wait_for(lambda: case.cluster["properties"]["resourceState"] == "Running", PATIENCE, "the cluster")
    assert case.control.managed_redis.database(case.cache) is None
    world.start_operator()
    case.until("Ready", "True")
    assert case.kinds().count("cluster.create") == 1


def test_no_capacity_is_reported_and_the_rest_removed(make: Any) -> None:
    case = make()
    case.control.managed_redis.run_out_of_capacity(1)
    case.declare(**PUBLIC)
    message = case.until("Stalled", "True", "InsufficientCapacity")
    assert "Balanced_B5" in message
    assert "westeurope" in message
    wait_for(lambda: case.control.managed_redis.get(case.cache) is None, PATIENCE, "the failed cluster to be removed")
    case.until("CacheAvailable", "False", "InsufficientCapacity")
    assert case.kinds() == ["cluster.create", "cluster.delete"]
    case.poke()  # a refresh asks for it again
    case.heal("CacheAvailable", "True", "Available")


def test_a_region_that_does_not_serve_the_newest_version(make: Any) -> None:
    case = make()
    case.control.managed_redis.serve_versions("northeurope", "2025-07-01")
    try:
        case.created(provision={**PROVISION, "location": "northeurope"})
        assert case.status["cache"]["apiVersion"] == "2025-07-01"
        assert case.database["accessKeysAuthentication"] == "Enabled"
    finally:
        case.control.managed_redis.serve_versions("northeurope")


def test_a_cluster_of_another_without_a_database_is_left_alone(make: Any) -> None:
    case = make()
    case.control.seed(ManagedCluster(subscription=SUBSCRIPTION, group=case.team.name, name=case.cache, database=None))
    case.declare(**PUBLIC)
    case.until("CacheAvailable", "False", "DatabaseMissing")
    case.until("Ready", "False")
    assert case.writes() == []


# --- adopt and correct ------------------------------------------------------------------------------------------------


def test_adopted_on_request_and_corrected(make: Any) -> None:
    case = make().there(
        properties={"minimumTlsVersion": "1.0"},
        database={"evictionPolicy": "NoEviction", "notifyKeyspaceEvents": "KEA"},
    )
    managed = {**PROVISION["managedRedis"], "evictionPolicy": "AllKeysLRU"}
    case.declare(provision={**PROVISION, "managedRedis": managed}, drift={"correct": ALL}, key=False)
    case.until("DriftDetected", "True", "AdoptionRequired")
    assert case.writes() == []
    case.annotate(adopt=case.cache)
    case.until("DriftDetected", "False", "NoDrift")
    assert case.cluster["properties"]["minimumTlsVersion"] == "1.2"
    assert case.database["evictionPolicy"] == "AllKeysLRU"
    assert case.database["notifyKeyspaceEvents"] == "KEA"  # the operator does not know it
    patched = [w for w in case.control.log.writes(case.mark) if w.method == "PATCH" and "/databases/" in w.path]
    assert patched == []


def test_access_keys_are_switched_on_only_by_consent(make: Any) -> None:
    case = make().created(key=False)
    assert case.database["accessKeysAuthentication"] == "Disabled"
    uri = case.control.endpoints.vault_url(case.team.name)
    vault = {"uri": uri, "secretName": case.cache, "access": "ReadWrite"}
    case.change(authentication={"keyVault": vault}, drift={"correct": ALL})
    message = case.until("CredentialsSynced", "False", "AccessKeysDisabled")
    assert "secureredis.io/allow-disruption: authentication.accessKeys" in message
    case.until("DriftDetected", "True", "DisruptionNotAllowed")
    assert case.database["accessKeysAuthentication"] == "Disabled"
    case.annotate(allow_disruption="authentication.accessKeys")
    case.until("Ready", "True")
    assert case.values()["password"] == case.keys["Primary"]


def test_a_size_that_azure_offers(make: Any) -> None:
    case = make().created(drift={"correct": ALL})
    managed = {**PROVISION["managedRedis"], "sku": "Balanced_B10"}
    case.change(provision={**PROVISION, "managedRedis": managed})
    case.until("DriftDetected", "True", "DisruptionNotAllowed")
    requests = case.control.log.requests(case.mark)
    assert not [one for one in requests if "listskusforscaling" in one.path.lower()], "it waits for consent"
    case.annotate(allow_disruption="provision.managedRedis.sku")
    case.until("DriftDetected", "False", "NoDrift")
    assert case.cluster["sku"]["name"] == "Balanced_B10"


def test_persistence_is_switched_on(make: Any) -> None:
    case = make().created(drift={"correct": ALL})
    case.change(persistence={"type": "RDB", "frequencyMinutes": 360})
    case.until("PersistenceEncrypted", "True")
    assert case.database["persistence"]["rdbFrequency"] == "6h"


# --- keys -------------------------------------------------------------------------------------------------------------


def test_the_key_of_a_cluster_that_is_only_validated_is_published(make: Any) -> None:
    case = make().there(database={"clusteringPolicy": "OSSCluster"})
    case.store()
    case.apply(resourceID=case.id)
    case.until("Ready", "True")
    values = case.values()
    assert values["password"] == case.keys["Primary"]
    assert (values["cluster-policy"], values["server-name"]) == ("OSSCluster", values["host"])
    assert case.writes() == []


@pytest.mark.parametrize("answer", ["refused", "empty"])
def test_keys_that_are_off_are_not_listed(make: Any, answer: str) -> None:
    case = make().there(database={"accessKeysAuthentication": "Disabled"})
    case.store("a" * 44)
    with case.control.settings.during(managed_list_keys_when_disabled=answer):
        case.apply(resourceID=case.id)
        case.until("CredentialsSynced", "False", "AccessKeysDisabled")
    listed = [r for r in case.control.log.requests(case.mark) if r.path.lower().endswith("/listkeys")]
    assert listed == []
    assert case.secret() is None


@pytest.mark.parametrize("by_operation", [True, pytest.param(False, marks=pytest.mark.slow)])
def test_a_rotation_regenerates_both_keys(make: Any, by_operation: bool) -> None:
    case = make()
    with case.control.settings.during(managed_regenerate_by_operation=by_operation):
        uri = case.control.endpoints.vault_url(case.team.name)
        vault = {"uri": uri, "secretName": case.cache, "access": "ReadWrite"}
        rotation = {"otherConsumers": "None"}
        case.created(authentication={"keyVault": vault, "rotation": rotation})
        before = case.keys
        case.annotate(rotate="now")
        wait_for(lambda: case.status.get("lastHandled", {}).get("rotate") == "now", PATIENCE, "the rotation")
    assert not set(before.values()) & set(case.keys.values())
    assert case.values()["password"] in case.keys.values()


# --- delete -----------------------------------------------------------------------------------------------------------


def test_deleted_with_its_database_once_it_is_confirmed(make: Any) -> None:
    case = make().created(deletionPolicy="Delete")
    case.delete()
    case.until("Ready", "False", "ConfirmationRequired")
    assert case.control.managed_redis.get(case.cache) is not None
    case.annotate(confirm_delete=case.cache)
    case.world.await_gone(case.document)
    assert case.control.managed_redis.get(case.cache) is None
