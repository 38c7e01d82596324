"""Bad input about persistence: the status says each clearly, nothing is written, and nothing else is held up."""

import base64
import uuid
from collections.abc import Iterator
from typing import Any

import pytest

from sandbox.azure.seeds import seeds
from sandbox.azure.seeds.storage import StorageAccount, storage_scope
from sandbox.world import TENANT, World
from tests.integration.operator.persistence_support import (
    CHAIN,
    CLOSED,
    CORRECT,
    PREMIUM,
    Persisting,
    auditing,
    by_secret,
    making,
    premium,
    secret,
)


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


def _elsewhere(case: Persisting, tenant: str) -> str:
    """An account in a subscription of that tenant; the subscription."""
    other = str(uuid.uuid4())
    case.control.seed(
        seeds.Tenant(id=tenant),
        seeds.Subscription(id=other, tenant=tenant),
        seeds.Group(subscription=other, name="far"),
        StorageAccount(subscription=other, group="far", name=f"far{case.account[4:]}", properties=CLOSED),
    )
    case.account_id = storage_scope(other, "far", f"far{case.account[4:]}")
    return other


def _nothing_was_set(case: Persisting) -> None:
    assert not any("redisConfiguration" in str(w.body_keys) for w in case.control.log.writes(case.mark))
    assert case.condition("CacheAvailable")[0] == "True"


def test_an_account_of_another_tenant(auditor: Persisting) -> None:
    blob = auditor.blob.replace(auditor.account, f"far{auditor.account[4:]}")
    other = _elsewhere(auditor, str(uuid.uuid4()))
    auditor.persists(**{"rdb-storage-connection-string": blob, "storage-subscription-id": other})
    auditor.apply(key=False, persistence={"type": "RDB", "storage": auditor.storage()})
    assert "another tenant" in auditor.until(CHAIN, "Unknown")
    assert auditor.condition("Ready")[0] == "True"
    auditor.change(persistence=None)  # searched for by name, it is the same
    assert "another tenant" in auditor.until(CHAIN, "Unknown")


def test_an_account_that_does_not_exist_is_not_persisted_into(maker: Persisting) -> None:
    maker.control.storage.delete(maker.account)
    persistence = {"type": "RDB", "storage": maker.storage()}
    maker.exists(sku=PREMIUM, properties={"publicNetworkAccess": "Enabled"})
    maker.apply(
        annotations={"secureredis.io/adopt": maker.cache},
        **premium(maker, persistence=persistence, network={"publicAccess": "Enabled"}, drift=CORRECT["drift"]),
    )
    assert "is not there" in maker.until(CHAIN, "False", "StorageNotFound")
    maker.until("DriftDetected", "True", "StorageNotFound")
    _nothing_was_set(maker)


def test_an_account_that_may_not_be_read_is_not_persisted_into(maker: Persisting) -> None:
    maker.fault(service="arm", path="storageAccounts/", kind="status", status=403, body=_DENIED)
    persistence = {"type": "RDB", "storage": maker.storage()}
    maker.exists(sku=PREMIUM, properties={"publicNetworkAccess": "Enabled"})
    maker.apply(
        annotations={"secureredis.io/adopt": maker.cache},
        **premium(maker, persistence=persistence, network={"publicAccess": "Enabled"}, drift=CORRECT["drift"]),
    )
    maker.until(CHAIN, "False", "AzureDenied")
    _nothing_was_set(maker)


_DENIED = {"error": {"code": "AuthorizationFailed", "message": "The client does not have authorization."}}


@pytest.mark.parametrize(
    ("body", "why"),
    [
        ({"stringData": {"connectionString": "not a connection string"}}, "of the form"),
        ({"stringData": {"connectionString": "x" * 5000}}, "of the form"),
        ({"data": {"connectionString": base64.b64encode(b"\xff\xfe").decode()}}, "does not hold"),
        ({"stringData": {"connection": "x=y"}}, "holds no key connectionString"),
        ({"type": "Opaque", "stringData": {"connectionString": "x=y"}}, "must be of type"),
    ],
    ids=["words", "long", "bytes", "key", "type"],
)
def test_a_secret_without_a_connection_string(maker: Persisting, body: dict[str, Any], why: str) -> None:
    maker.exists(sku=PREMIUM, properties={"publicNetworkAccess": "Enabled"})
    metadata = {"name": "storage", "namespace": maker.team.namespace}
    named = {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "type": "secureredis.io/storage-connection"}
    maker.world.api.apply({**named, **body}).must()
    spec = premium(
        maker, identity=None, persistence=by_secret(maker), network={"publicAccess": "Enabled"}, drift=CORRECT["drift"]
    )
    maker.apply(annotations={"secureredis.io/adopt": maker.cache}, **spec)
    message = maker.until(CHAIN, "False", "StorageSecretRefused")
    assert why in message
    assert "it was not sent to Azure" in message
    _nothing_was_set(maker)


def test_a_connection_string_into_another_subscription_is_not_sent(maker: Persisting) -> None:
    other = _elsewhere(maker, TENANT)
    maker.allow("Microsoft.Storage/*/read", scope=seeds.subscription_scope(other))
    secret(maker, maker.connection_string(AccountName=f"far{maker.account[4:]}"))
    maker.exists(sku=PREMIUM, properties={"publicNetworkAccess": "Enabled"})
    spec = premium(
        maker, identity=None, persistence=by_secret(maker), network={"publicAccess": "Enabled"}, drift=CORRECT["drift"]
    )
    maker.apply(annotations={"secureredis.io/adopt": maker.cache}, **spec)
    assert "another subscription" in maker.until(CHAIN, "False", "StorageSecretRefused")
    _nothing_was_set(maker)


@pytest.mark.parametrize("part", ["BlobEndpoint=https://evil.example", "EndpointSuffix=evil.example"])
def test_data_that_goes_to_another_endpoint_is_not_safe(auditor: Persisting, part: str) -> None:
    """A connection string that a user set in Azure names the account, and sends its data elsewhere."""
    string = f"DefaultEndpointsProtocol=https;AccountName={auditor.account};AccountKey=[key hidden];{part}"
    auditor.persists(**{"rdb-storage-connection-string": string, "preferred-data-persistence-auth-method": "SAS"})
    auditor.apply(key=False)
    message = auditor.until(CHAIN, "False", "StorageOtherAccount")
    assert "another endpoint" in message
    assert "evil" not in message


@pytest.mark.parametrize("tier", ["Basic", "Standard"])
@pytest.mark.parametrize("mode", ["Validate", "Provision"])
def test_a_tier_that_cannot_persist(maker: Persisting, mode: str, tier: str) -> None:
    """Admission refuses it where the spec says the tier; where only Azure does, the status says so. Nothing is set."""
    sku = {"name": tier, "family": "C", "capacity": 1}
    persistence = {"type": "RDB", "storage": maker.storage()}
    maker.exists(sku=sku, properties={"publicNetworkAccess": "Enabled"})
    if mode == "Validate":
        maker.apply(key=False, persistence=persistence)
    else:
        spec = premium(maker, persistence=persistence, network={"publicAccess": "Enabled"}, drift=CORRECT["drift"])
        refused = {**spec, "provision": {**spec["provision"], "redis": {"sku": {"name": tier, "capacity": 1}}}}
        answer = maker.world.api.apply(maker.spec(**refused))
        assert not answer.ok
        assert "persistence requires SKU Premium" in str(answer.message)
        maker.apply(annotations={"secureredis.io/adopt": maker.cache}, **spec)
    assert f"a cache of tier {tier} cannot persist" in maker.until(CHAIN, "False", "PersistenceNotOffered")
    found = {one["path"]: one["observed"] for one in maker.status["drift"]}
    assert found["persistence.type"] == "None"
    _nothing_was_set(maker)
    assert "storageaccounts" not in str(
        [r.path.lower() for r in maker.control.log.requests(maker.mark) if r.method != "GET"]
    )
