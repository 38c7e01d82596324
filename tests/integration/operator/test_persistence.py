"""Persistence: the chain from a cache to the key that encrypts its data, and setting it in order, end to end."""

import base64
import uuid
from collections.abc import Iterator

import pytest

from sandbox.azure.seeds import seeds
from sandbox.azure.seeds.storage import StorageAccount, blob_data_contributor, storage_scope
from sandbox.waiting import PATIENCE, wait_for
from sandbox.world import CACHE_KEYS, CACHE_READ, CACHE_WRITE, TENANT, World
from tests.faults.canaries import leaks
from tests.integration.operator.persistence_support import (
    CHAIN,
    CLOSED,
    CORRECT,
    PREMIUM,
    STORAGE_READ,
    Persisting,
    auditing,
    by_secret,
    making,
    premium,
    secret,
    vault,
)
from tests.integration.operator.support import release


@pytest.fixture
def auditor(world: World) -> Iterator[Persisting]:
    """A team that may read the cache, its account and its account's key."""
    with auditing(world) as made:
        yield made


@pytest.fixture
def maker(world: World) -> Iterator[Persisting]:
    """A team that may make caches, read the account, and see who has which role."""
    with making(world) as made:
        yield made


# --- the chain ------------------------------------------------------------------------------------------------------


def test_safe_unsafe_and_safe_again(auditor: Persisting) -> None:
    auditor.persists()
    auditor.apply(key=False)
    assert "managed identity" in auditor.until(CHAIN, "True", CHAIN)
    auditor.control.storage.update(auditor.account, {"minimumTlsVersion": "TLS1_0"})
    assert "--min-tls-version TLS1_2" in auditor.look("False", "StorageTransportWeak")
    auditor.control.storage.update(auditor.account, {"minimumTlsVersion": "TLS1_2", "allowBlobPublicAccess": True})
    assert "public blobs" in auditor.look("False", "StorageOpen")
    auditor.control.storage.update(auditor.account, {"allowBlobPublicAccess": False})
    auditor.look("True", CHAIN)
    assert auditor.condition("Ready")[0] == "True"
    assert auditor.writes() == []


def test_without_persistence_and_without_a_request_nothing_is_reported(auditor: Persisting) -> None:
    auditor.exists(sku=PREMIUM)
    auditor.apply(key=False)
    auditor.until("Ready", "True")
    assert not auditor.has(CHAIN)
    assert not [r for r in auditor.control.log.requests(auditor.mark) if "storageaccounts" in r.path.lower()]


def test_an_account_that_may_not_be_read_names_the_permission(world: World) -> None:
    team = world.team(cache_actions=tuple(a for a in CACHE_READ if not a.startswith("Microsoft.Storage/")))
    case = Persisting(world, team)
    try:
        case.persists()
        case.apply(key=False, persistence={"type": "RDB", "storage": case.storage()})
        assert "Microsoft.Storage/storageAccounts/read" in case.until(CHAIN, "Unknown", "AzureDenied")
        case.allow(STORAGE_READ[0])
        case.heal(CHAIN, "Unknown", "AzureDenied")
        assert "Microsoft.Storage/storageAccounts/blobServices/read" in case.look("Unknown", "AzureDenied")
        case.allow(STORAGE_READ[1])
        case.heal(CHAIN, "True")
    finally:
        release(world, team)


def test_an_account_of_another_subscription_is_found_there(auditor: Persisting) -> None:
    other = str(uuid.uuid4())
    auditor.control.seed(
        seeds.Subscription(id=other, tenant=TENANT),
        seeds.Group(subscription=other, name="far"),
    )
    name = f"far{uuid.uuid4().hex[:12]}"
    account = StorageAccount(subscription=other, group="far", name=name, properties=CLOSED)
    auditor.control.seed(account)
    blob = auditor.blob.replace(auditor.account, name)
    auditor.persists(**{"rdb-storage-connection-string": blob, "storage-subscription-id": other})
    auditor.apply(key=False)
    assert other in auditor.until(CHAIN, "Unknown", "AzureDenied")
    auditor.allow(*STORAGE_READ, scope=storage_scope(other, "far", name))
    auditor.heal(CHAIN, "True")


def test_a_deleted_account(auditor: Persisting) -> None:
    auditor.persists()
    auditor.apply(key=False, persistence={"type": "RDB", "storage": auditor.storage()})
    auditor.until(CHAIN, "True")
    auditor.control.storage.delete(auditor.account)
    assert "is not there" in auditor.look("False", "StorageNotFound")
    assert auditor.condition("Ready")[0] == "True"


def test_a_key_that_expires_is_disabled_or_gone(auditor: Persisting) -> None:
    auditor.persists()
    auditor.encrypt()
    expected = {"keySource": "CustomerManaged", "keyURL": f"{vault(auditor)}/keys/disk"}
    auditor.apply(key=False, persistence={"type": "RDB", "storage": auditor.storage(), "encryption": expected})
    assert "customer-managed" in auditor.until(CHAIN, "True")
    auditor.control.keyvault.change_key(auditor.team.name, "disk", expires=1_700_000_000)
    assert "expired on 2023-11-14" in auditor.look("False", "EncryptionKeyUnusable")
    auditor.control.keyvault.change_key(auditor.team.name, "disk", expires=None, enabled=False)
    assert "disabled" in auditor.look("False", "EncryptionKeyUnusable")
    auditor.control.keyvault.delete_key(auditor.team.name, "disk")
    auditor.look("False", "EncryptionKeyUnusable")


def test_a_key_that_was_not_wanted_and_a_second_encryption_that_was(auditor: Persisting) -> None:
    auditor.persists()
    auditor.apply(
        key=False,
        persistence={"type": "RDB", "storage": auditor.storage(), "encryption": {"keySource": "CustomerManaged"}},
    )
    auditor.until(CHAIN, "False", "StorageKeyUnwanted")
    auditor.change(persistence={"encryption": {"keySource": None, "infrastructureEncryption": "Required"}})
    auditor.until(CHAIN, "False", "InfrastructureEncryptionMissing")


def test_data_in_another_account_is_drift_of_class_security(auditor: Persisting) -> None:
    auditor.persists(**{"rdb-storage-connection-string": auditor.blob.replace(auditor.account, "elsewhere")})
    auditor.apply(key=False, persistence={"type": "RDB", "storage": auditor.storage()})
    assert "'elsewhere'" in auditor.until(CHAIN, "False", "StorageOtherAccount")
    found = {one["path"]: one["class"] for one in auditor.status["drift"]}
    assert found == {"persistence.storage.accountID": "Security"}


# --- setting it -----------------------------------------------------------------------------------------------------


def test_managed_identity_comes_in_order(maker: Persisting) -> None:
    """The identity by a PATCH of its own, then a user (never the operator) assigns the role, then persistence."""
    maker.apply(**premium(maker, identity=None))
    maker.until("Ready", "True")
    mark = maker.control.log.position()
    maker.change(
        provision={"identity": {"type": "SystemAssigned"}},
        persistence={"type": "RDB", "frequencyMinutes": 15, "storage": maker.storage()},
        **CORRECT,
    )
    told = maker.until(CHAIN, "False", "StorageRoleMissing")
    cache = maker.control.redis.get(maker.cache)
    assert cache is not None
    principal = cache["identity"]["principalId"]
    assert principal in told
    assert "Storage Blob Data Contributor" in told
    assert "rdb-backup-enabled" not in maker.settings()
    assert [w.body_keys for w in maker.control.log.writes(mark)] == [("identity", "identity.type")]
    maker.control.seed(blob_data_contributor(principal, maker.account_id))
    maker.poke()
    maker.until(CHAIN, "True")
    settings = maker.settings()
    assert settings["rdb-backup-enabled"] == "true"
    assert settings["rdb-backup-frequency"] == "15"
    assert settings["preferred-data-persistence-auth-method"] == "ManagedIdentity"
    assert settings["rdb-storage-connection-string"] == maker.blob
    maker.until("DriftDetected", "False", "NoDrift")
    assert not any("roleassignments" in w.path.lower() for w in maker.control.log.writes(mark))


def test_a_creation_is_complete_once_persistence_is_set(maker: Persisting) -> None:
    """Without `drift.correct`; where roles cannot be read, a user says by annotation that it is assigned."""
    maker.control.access.unassign(maker.team.object_id, maker.team.group_scope)
    readable = (action for action in CACHE_READ if not action.startswith("Microsoft.Authorization/"))
    maker.allow(*readable, *CACHE_KEYS, *CACHE_WRITE)
    maker.apply(**premium(maker, persistence={"type": "AOF", "storage": maker.storage()}))
    assert "Microsoft.Authorization/roleAssignments/read" in maker.until(CHAIN, "False", "StorageRoleMissing")
    maker.annotate(confirm_storage_role="another")
    maker.poke()
    assert maker.condition(CHAIN)[1] == "StorageRoleMissing"
    maker.annotate(confirm_storage_role=maker.account)
    maker.until(CHAIN, "True")
    assert maker.settings()["aof-backup-enabled"] == "true"
    maker.until("DriftDetected", "False", "NoDrift")
    # A later pass removes the tag of the creation from the cache, and then the record.
    wait_for(lambda: "pending" not in maker.status, PATIENCE, "the creation to be complete")


def test_switching_it_off_asks_first(maker: Persisting) -> None:
    """Being corrected counts; what was set before, for the creation or in two steps, does not."""
    persistence = {"type": "AOF", "storage": maker.storage()}
    maker.apply(**premium(maker, persistence=persistence, drift=CORRECT["drift"]))
    maker.until(CHAIN, "False", "StorageRoleMissing")
    maker.annotate(confirm_storage_role=maker.account)
    maker.until(CHAIN, "True")
    maker.until("DriftDetected", "False", "NoDrift")
    assert "corrections" not in maker.status
    maker.change(persistence={"type": "None", "storage": None})
    message = maker.until("DriftDetected", "True", "DisruptionNotAllowed")
    assert "secureredis.io/allow-disruption: persistence.type" in message
    (entry,) = maker.status["drift"]
    assert (entry["effect"], entry["reason"]) == ("LosesData", "DisruptionNotAllowed")
    assert maker.settings()["aof-backup-enabled"] == "true"
    maker.annotate(allow_disruption="persistence.type")  # no refresh: that would forget what was counted
    maker.until("DriftDetected", "False", "NoDrift")
    assert maker.settings()["aof-backup-enabled"] == "false"
    assert [(one["path"], one["count"]) for one in maker.status["corrections"]] == [("persistence.type", 1)]


def test_a_connection_string_goes_to_azure_and_nowhere_else(maker: Persisting, world: World) -> None:
    key = base64.b64encode(uuid.uuid4().bytes * 4).decode()
    maker.control.storage.update(maker.account, {"allowSharedKeyAccess": True})
    spec = by_secret(maker)
    maker.apply(**premium(maker, identity=None, persistence=spec))
    maker.until(CHAIN, "False", "StorageSecretMissing")
    secret(maker, maker.connection_string(key))
    maker.poke()
    maker.until(CHAIN, "True")
    shown = maker.settings()["rdb-storage-connection-string"]
    assert f"AccountName={maker.account}" in shown
    assert key not in shown
    maker.until("DriftDetected", "False", "NoDrift")
    mark = maker.control.log.position()
    maker.poke()
    assert not maker.control.log.writes(mark), "the masked string was taken for a difference"
    events = world.api.get(f"/api/v1/namespaces/{maker.team.namespace}/events").must()
    places = [("status", str(maker.object)), ("events", str(events))]
    places.append(("log", world.operator_log.read_text(errors="replace")))
    assert leaks({"account key": key, "connection string": maker.connection_string(key)}, places) == []


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"AccountName": "another"}, "another account"),
        ({"DefaultEndpointsProtocol": "http"}, "https"),
        ({"EndpointSuffix": "evil.example"}, "suffix"),
        ({"BlobEndpoint": "https://evil.example"}, "blob endpoint"),
        ({"FileEndpoint": "https://evil.example"}, "parts besides"),
        ({"SharedAccessSignature": "sv=2020&sig=x"}, "shared access signature"),
        ({"AccountKey": "[key hidden]"}, "form"),
    ],
)
def test_a_string_that_is_not_the_accounts_is_never_sent(maker: Persisting, change: dict[str, str], why: str) -> None:
    maker.exists(sku=PREMIUM)
    secret(maker, maker.connection_string(**change))
    maker.apply(**premium(maker, identity=None, persistence=by_secret(maker), **CORRECT))
    maker.annotate(adopt=maker.cache)
    assert why in maker.until(CHAIN, "False", "StorageSecretRefused")
    assert not any("redisConfiguration" in str(w.body_keys) for w in maker.control.log.writes(maker.mark))
    assert "rdb-storage-connection-string" not in maker.settings()
