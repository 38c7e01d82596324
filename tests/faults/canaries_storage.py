"""Canaries of persistence: connection strings that are sent, refused, echoed by Azure and compared."""

import base64
import secrets
import uuid

from sandbox.api import Document
from sandbox.azure.seeds.storage import StorageAccount, storage_scope
from sandbox.azure.state.faults import Fault
from sandbox.waiting import PATIENCE, wait_for
from sandbox.world import SUBSCRIPTION
from tests.faults.canaries import Planted
from tests.faults.scenarios import PROVISION, Stage


def persist(held: Planted) -> None:
    """A storage account's connection string goes to Azure, which first refuses it and quotes it."""
    world, stage = held.world, PROVISION.stage(held.world)
    account, value = f"data{uuid.uuid4().hex[:12]}", base64.b64encode(secrets.token_bytes(64)).decode()
    string = f"DefaultEndpointsProtocol=https;AccountName={account};AccountKey={value}"
    held.hidden |= {"the storage account's key": value, "the storage connection string": string}
    held.stages.append(stage)
    world.control.seed(StorageAccount(subscription=SUBSCRIPTION, group=stage.team.name, name=account))
    spec = stage.document["spec"]
    spec["provision"] = {"location": "westeurope", "redis": {"sku": {"name": "Premium", "capacity": 1}}}
    spec["persistence"] = {
        "type": "RDB",
        "storage": {
            "accountID": storage_scope(SUBSCRIPTION, stage.team.name, account),
            "authentication": "ConnectionString",
            "connectionStringSecretRef": {"name": "storage"},
        },
    }
    secret: Document = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "storage", "namespace": stage.team.namespace},
        "type": "secureredis.io/storage-connection",
        "data": {"connectionString": base64.b64encode(string.encode()).decode()},
    }
    world.api.apply(secret).must()
    refused = Fault(
        service="arm",
        method="PATCH",
        path=f"/redis/{stage.name}$",
        kind="status",
        status=400,
        body=held.hostile("arm persistence", f"{value} {string}"),
    )
    world.control.faults.add(refused)
    world.apply(stage.document)

    def was_refused() -> bool:
        return any(
            r.method == "PATCH" and r.status == 400 and stage.name in r.path for r in world.control.log.requests()
        )

    wait_for(was_refused, PATIENCE, "the refusal of the connection string")
    held.keys_of(stage)

    def persisted() -> bool:
        held.refresh(stage)
        return (world.condition(stage.document, "PersistenceEncrypted") or ("",))[0] == "True"

    wait_for(persisted, PATIENCE, "persistence to be set", interval=1)
    _compare(held, stage)
    _refuse(held, stage, secret)
    world.api.delete(secret).must()  # where it may be: what is left must not hold it


def _compare(held: Planted, stage: Stage) -> None:
    """A person sets another account, and Azure forgets to mask its key: both are compared, and reported as drift."""
    value = base64.b64encode(secrets.token_bytes(64)).decode()
    string = f"DefaultEndpointsProtocol=https;AccountName=elsewhere;AccountKey={value}"
    held.hidden |= {"another account's key": value, "another account's connection string": string}
    held.world.control.redis.update(
        stage.name, {"redisConfiguration": {"rdb-storage-connection-string": string, "rdb-backup-frequency": "15"}}
    )
    held.refresh(stage)
    held.world.await_condition(stage.document, "PersistenceEncrypted", "False", "StorageOtherAccount")
    found = {one["path"]: one["observed"] for one in _drift(held, stage)}
    assert found["persistence.storage.accountID"] == "elsewhere"
    assert found["persistence.frequencyMinutes"] == "15"


def _refuse(held: Planted, stage: Stage, secret: Document) -> None:
    """It is to be corrected with strings that are not sent: malformed, masked, of another account."""
    correct = {"spec": {"drift": {"correct": ["Security", "Availability"]}}}
    held.world.api.merge(stage.document, correct).must()
    word = held.word
    for name, text in {
        "not a connection string": f"{word('a malformed string')} and more",
        "a shared access signature": f"AccountName=x;SharedAccessSignature={word('a signature in a Secret')}",
        "an endpoint of its own": f"AccountName=x;BlobEndpoint=https://{word('an endpoint in a Secret')}.example",
        "another account": (
            f"DefaultEndpointsProtocol=https;AccountName=x{uuid.uuid4().hex[:8]};"
            f"AccountKey={word('a key of another account')}"
        ),
    }.items():
        data = {"connectionString": base64.b64encode(text.encode()).decode()}
        held.world.api.merge(secret, {"data": data}).must()

        def refused() -> bool:
            held.refresh(stage)
            reasons = {one["path"]: one.get("reason") for one in _drift(held, stage)}
            return reasons.get("persistence.storage.accountID") == "StorageSecretRefused"

        wait_for(refused, PATIENCE, f"{name} to be refused", interval=0.5)


def _drift(held: Planted, stage: Stage) -> list[Document]:
    found: list[Document] = (held.world.get(stage.document) or {}).get("status", {}).get("drift", [])
    return found
