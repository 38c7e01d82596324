"""The creation of a Managed Redis: cluster, database, the end; what resumes it, and what a failed one leaves behind."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from secure_redis.api import names
from secure_redis.api.reasons.reason import Reason
from secure_redis.api.resource import SecureRedisCache
from secure_redis.api.times import rfc3339
from secure_redis.domain.observe.cache import CacheAbsent, OperationFacts
from secure_redis.domain.observe.keys import VaultSecretAbsent
from secure_redis.domain.observe.managed_redis import ManagedRedis
from secure_redis.domain.observe.observation import Observation
from secure_redis.domain.observe.unknown import NOT_READ, Unknown
from secure_redis.domain.plan.actions import CreateCache, CreateDatabase, DeleteCache, UpdateCache
from secure_redis.domain.plan.types import CREATE, Plan
from tests.builders import passes
from tests.builders.managed_redis import MANAGED_ID, database, managed
from tests.builders.passes import OWNER, planned, reported
from tests.builders.world import AUTHENTICATION, IDENTITY, NOW

SKU = "Balanced_B5"
PROVISION = {
    "location": "westeurope",
    "tags": {"team": "shop"},
    "managedRedis": {"sku": SKU, "clusteringPolicy": "NoCluster"},
}
INTENDED = {"action": CREATE, "recordedAt": "2026-11-24T12:00:00Z", "detail": "orders"}
ABSENT = CacheAbsent(confirmed=True, message="it is not there")
MAKING = {**OWNER, names.CREATION_TAG: names.CREATION_INCOMPLETE}


def provisioning(status: dict[str, Any] | None = None, **spec: Any) -> SecureRedisCache:
    declared = {"resourceID": MANAGED_ID, "mode": "Provision", "provision": PROVISION, **spec}
    return passes.resource(declared, status=status)


def looked(found: Any, **changes: Any) -> Observation:
    return replace(Observation(now=NOW, identity=IDENTITY, cache=found, cache_fresh=True), **changes)


def making(**changes: Any) -> ManagedRedis:
    """A cluster that the operator creates and that has no database yet."""
    return managed(**{"tags": MAKING, "database": None, "resource_state": "Running", **changes})


def only(plan: Plan) -> Any:
    (action,) = plan.actions
    return action


def test_the_cluster_comes_first_with_every_security_setting_and_never_zones_or_capacity() -> None:
    action = only(planned(provisioning({"pending": INTENDED}), looked(ABSENT)))
    assert action == CreateCache(
        {
            "location": "westeurope",
            "sku": {"name": SKU},
            "tags": {"team": "shop", **MAKING},
            "properties": {
                "minimumTlsVersion": "1.2",
                "publicNetworkAccess": "Disabled",
                "highAvailability": "Enabled",
            },
        }
    )


def test_the_key_of_the_disks_is_part_of_the_first_request() -> None:
    identity = "/subscriptions/s/resourceGroups/g/providers/Microsoft.ManagedIdentity/userAssignedIdentities/i"
    url = "https://shop.vault.azure.net/keys/k/0123456789abcdef0123456789abcdef"
    resource = provisioning(
        {"pending": INTENDED},
        provision={**PROVISION, "identity": {"type": "UserAssigned", "userAssignedIDs": [identity]}},
        persistence={
            "type": "RDB",
            "encryption": {"keySource": "CustomerManaged", "keyURL": url, "identityID": identity},
        },
    )
    body = only(planned(resource, looked(ABSENT))).body
    assert body["identity"] == {"type": "UserAssigned", "userAssignedIdentities": {identity: {}}}
    assert body["properties"]["encryption"]["customerManagedKeyEncryption"] == {
        "keyEncryptionKeyIdentity": {
            "identityType": "userAssignedIdentity",
            "userAssignedIdentityResourceId": identity,
        },
        "keyEncryptionKeyUrl": url,
    }


EXPLICIT = {
    "clientProtocol": "Encrypted",
    "clusteringPolicy": "NoCluster",
    "evictionPolicy": "VolatileLRU",
    "accessKeysAuthentication": "Disabled",
    "persistence": {"aofEnabled": False, "rdbEnabled": False},
    "deferUpgrade": "NotDeferred",
}
SEARCHING = {"sku": SKU, "clusteringPolicy": "EnterpriseCluster", "modules": ["RediSearch"]}


@pytest.mark.parametrize(
    ("spec", "differs"),
    [
        ({}, {}),
        ({"authentication": AUTHENTICATION}, {"accessKeysAuthentication": "Enabled"}),
        (
            {"persistence": {"type": "RDB", "frequencyMinutes": 720}},
            {"persistence": {"aofEnabled": False, "rdbEnabled": True, "rdbFrequency": "12h"}},
        ),
        (
            {"persistence": {"type": "AOF"}},
            {"persistence": {"aofEnabled": True, "aofFrequency": "1s", "rdbEnabled": False}},
        ),
        (
            {"provision": {**PROVISION, "managedRedis": SEARCHING}},
            {
                "clusteringPolicy": "EnterpriseCluster",
                "evictionPolicy": "NoEviction",
                "modules": [{"name": "RediSearch"}],
            },
        ),
    ],
)
def test_then_the_database_with_every_field_explicit(spec: dict[str, Any], differs: dict[str, Any]) -> None:
    assert only(planned(provisioning(**spec), looked(making()))) == CreateDatabase({**EXPLICIT, **differs})


@pytest.mark.parametrize(
    "changes",
    [
        {"provisioning_state": "Creating"},
        {"resource_state": "Creating"},  # the operation ended; the cluster does not serve yet
        {"database": Unknown(Reason.AZURE_UNREACHABLE, "no answer")},
        {"database": database(provisioning_state="Creating")},
        {"database": database(resource_state="Updating")},
        {"tags": {}},
        {"tags": OWNER},  # complete once: a database that is gone lost its data
        {"tags": {names.OWNER_TAG: "another.uid", names.CREATION_TAG: names.CREATION_INCOMPLETE}},
    ],
)
def test_no_database_is_created_while_azure_works_or_where_the_creation_is_not_the_operators(
    changes: dict[str, Any],
) -> None:
    assert planned(provisioning(), looked(making(**changes))).actions == ()


def test_the_last_write_removes_the_tag_of_the_creation() -> None:
    cluster = making(
        database=database(resource_state="Running", clustering_policy="NoCluster"), high_availability="Enabled"
    )
    action = only(planned(provisioning(), looked(cluster)))
    assert action == UpdateCache({"tags": OWNER}, ("tags",))


def test_the_tag_allows_the_database_and_the_status_does_not() -> None:
    """A forged status names a creation that is under way."""
    forged = provisioning({"pending": INTENDED, "cache": {"provisioningState": "Creating"}})
    assert planned(forged, looked(making(tags=OWNER))).actions == ()
    assert planned(forged, looked(making(tags={}))).actions == ()


# --- what a failed creation leaves behind -----------------------------------------------------------------------------

FULL = OperationFacts("Failed", "InsufficientCapacity", "Request failed due to insufficient capacity.")
FAILED = {"provisioning_state": "Failed", "resource_state": "CreateFailed"}


def test_a_cluster_without_capacity_is_reported_and_removed() -> None:
    observed = looked(making(**FAILED), operation=FULL)
    plan = planned(provisioning({"pending": INTENDED}), observed)
    assert plan.actions == (DeleteCache(),)
    (why,) = plan.blocked
    assert why.reason is Reason.INSUFFICIENT_CAPACITY
    assert all(word in why.message for word in (SKU, "westeurope", "InsufficientCapacity", "the region is short"))
    status = reported(provisioning({"pending": INTENDED}), observed).status
    assert {c.type: c.reason for c in status.conditions}["Stalled"] == Reason.INSUFFICIENT_CAPACITY
    assert status.cache is not None
    assert status.cache.provisioning_state is None  # it never existed for what prevents a second creation


def test_a_failed_creation_is_the_reason_of_ready_where_a_key_is_to_be_stored_too() -> None:
    vault = {**AUTHENTICATION["keyVault"], "access": "ReadWrite"}
    resource = provisioning({"pending": INTENDED}, authentication={"keyVault": vault})
    observed = looked(making(**FAILED), operation=FULL, vault=VaultSecretAbsent("none"), keys=NOT_READ)
    conditions = {c.type: c.reason for c in reported(resource, observed).status.conditions}
    assert (conditions["Ready"], conditions["CredentialsSynced"]) == ("InsufficientCapacity", "StoringKey")


@pytest.mark.parametrize(
    "changes",
    [
        {"tags": OWNER},  # it was complete: it may have data
        {"tags": {}},
        {"tags": {names.OWNER_TAG: "another.uid", names.CREATION_TAG: names.CREATION_INCOMPLETE}},
        {"database": database()},
        {"database": Unknown(Reason.AZURE_DENIED, "no right")},
        {"provisioning_state": "Succeeded", "resource_state": "Running"},
    ],
)
def test_no_other_failed_cluster_is_removed(changes: dict[str, Any]) -> None:
    observed = looked(making(**{**FAILED, **changes}), operation=FULL)
    actions = planned(provisioning({"pending": INTENDED}), observed).actions
    assert not any(isinstance(action, DeleteCache) for action in actions)


@pytest.mark.parametrize(
    "ended", [FULL, OperationFacts("Failed", "Oops", "it did not work")], ids=lambda one: one.code or ""
)
@pytest.mark.parametrize("removal", [None, OperationFacts("InProgress"), OperationFacts("Succeeded")])
def test_why_the_creation_failed_is_reported_until_the_rest_is_removed(
    ended: OperationFacts, removal: OperationFacts | None
) -> None:
    """The operation of the removal does not report it, and after a restart no operation is known."""
    first = reported(provisioning({"pending": INTENDED}), looked(making(**FAILED), operation=ended)).status
    again = provisioning(first.model_dump(by_alias=True, mode="json", exclude_none=True))
    going = looked(making(provisioning_state="Deleting", resource_state="Deleting"), operation=removal)
    second = reported(again, going).status
    conditions = [{c.type: (c.reason, c.message) for c in status.conditions} for status in (first, second)]
    assert conditions[0]["Ready"] == conditions[1]["Ready"]
    assert conditions[0]["Stalled"] == conditions[1]["Stalled"]


def test_after_the_removal_the_creation_waits_an_hour() -> None:
    first = reported(provisioning({"pending": INTENDED}), looked(making(**FAILED), operation=FULL)).status
    assert first.pending is not None
    again = provisioning(first.model_dump(by_alias=True, mode="json", exclude_none=True))
    going = looked(making(provisioning_state="Deleting", resource_state="Deleting"))
    assert planned(again, going).actions == ()
    waiting = planned(again, looked(ABSENT))
    assert (waiting.actions, waiting.blocked[0].reason) == ((), Reason.INSUFFICIENT_CAPACITY)
    later = replace(looked(ABSENT), now=NOW.replace(hour=NOW.hour + 2))
    assert isinstance(only(planned(again, later)), CreateCache)


def test_the_status_does_not_change_while_the_rest_is_removed() -> None:
    """The hour counts from the attempt, which the intent of an earlier day is not."""
    again = provisioning({"pending": {**INTENDED, "recordedAt": "2026-11-23T12:00:00Z"}})
    first = planned(again, looked(making(**FAILED), operation=FULL)).pending
    assert first is not None
    assert first.recorded_at == rfc3339(NOW)
    later = provisioning({"pending": first.model_dump(by_alias=True)})
    going = replace(looked(making(provisioning_state="Deleting")), now=NOW + timedelta(minutes=5))
    assert planned(later, going).pending == first


def test_an_unknown_failure_is_reported_as_azure_worded_it() -> None:
    failed = OperationFacts("Failed", "Oops", "it did not work")
    plan = planned(provisioning({"pending": INTENDED}), looked(making(**FAILED), operation=failed))
    assert plan.actions == (DeleteCache(),)
    assert plan.blocked[0].reason is Reason.PROVISIONING_FAILED
    assert "Oops: it did not work" in plan.blocked[0].message
