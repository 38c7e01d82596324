"""The examples do what their comments promise. The demo, the chart's tests and the installation run the others."""

import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from sandbox.azure.seeds import seeds
from sandbox.azure.seeds.managed_redis import ManagedCluster, managed_scope
from sandbox.azure.seeds.storage import StorageAccount, VaultKey, storage_scope
from sandbox.waiting import PATIENCE, wait_for
from sandbox.world import (
    CACHE_KEYS,
    CACHE_READ,
    CACHE_ROTATE,
    CACHE_WRITE,
    SUBSCRIPTION,
    TENANT,
    VAULT_READ,
    VAULT_WRITE,
    Team,
    World,
)
from tests.integration.crd.test_corpus import EXAMPLES
from tests.integration.operator.conftest import INTERVALS
from tests.integration.operator.persistence_support import CLOSED, STORAGE_READ
from tests.integration.operator.support import Case, provisioning_team, release
from tests.integration.operator.workload_support import Target, path, world_with_pods

Json = dict[str, Any]
ROUTE = (seeds.PrivateEndpoint(name="shop"),)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory, hosts: Path, domain: str) -> Iterator[World]:
    """Two of the examples have workloads, whose pods run here."""
    with world_with_pods(tmp_path_factory, hosts, f"e.{domain}", INTERVALS) as running:
        yield running


@pytest.fixture
def team(world: World) -> Iterator[Team]:
    made = provisioning_team(
        world,
        cache_actions=CACHE_READ + CACHE_KEYS + CACHE_WRITE + CACHE_ROTATE + STORAGE_READ + ("*/read",),
        vault_actions=VAULT_READ + VAULT_WRITE,
    )
    yield made
    for kind in ("Deployment", "StatefulSet"):
        world.api.call("DELETE", path(kind, made.namespace)).must()
    release(world, made)


class Example(Case):
    """One file of `examples/`, with the names of this team, its cache, its vault and its storage account."""

    def __init__(self, world: World, team: Team, file: str) -> None:
        super().__init__(world, team)
        documents = [one for one in yaml.safe_load_all((EXAMPLES / file).read_text()) if one]
        (resource,) = [one for one in documents if one["kind"] == "SecureRedisCache"]
        name, self.account = resource["metadata"]["name"], f"data{self.cache.replace('-', '')}"[:24]
        text = yaml.safe_dump_all(documents)
        for old, new in {
            "/subscriptions/00000000-0000-0000-0000-000000000001/resourceGroups/shop/": f"{team.group_scope}/",
            f"/redis/{name}": f"/redis/{self.cache}",
            f"/redisEnterprise/{name}": f"/redisEnterprise/{self.cache}",
            "https://shop.vault.azure.net": self.control.endpoints.vault_url(team.name).rstrip("/"),
            "/storageAccounts/shopdata": f"/storageAccounts/{self.account}",
        }.items():
            text = text.replace(old, new)
        self.others: list[Json] = []
        for document in yaml.safe_load_all(text):
            document["metadata"]["namespace"] = team.namespace
            if document["kind"] == "SecureRedisCache":
                document["metadata"]["name"] = self.cache
                self.manifest: Json = document
            else:
                consent = document["metadata"].get("annotations", {})
                consent.update({key: self.cache for key in consent if key == "secureredis.io/resources"})
                self.others.append(document)

    def applied(self) -> None:
        """The files' objects are applied, the resource last."""
        for document in (*self.others, self.manifest):
            self.world.apply(document)
        self.document = self.manifest

    def made(self) -> None:
        """The operator has created the cache, and the platform team gives it a private endpoint."""
        self.until("CacheAvailable", "False", "NoRoute")
        self.control.redis.set_private_endpoint(self.cache, "shop", "Approved")
        self.poke()


def test_inject_workloads(world: World, team: Team) -> None:
    case = Example(world, team, "inject-workloads.yaml")
    case.exists()
    world.store_key(team, case.cache, "orders-redis-key")
    checkout = Target(case, "checkout", container="app")
    worker = Target(case, "worker", "StatefulSet")
    worker.patch({"metadata": {"labels": {"tier": "worker"}}})
    case.applied()
    case.until("WorkloadsCurrent", "True")
    (container,) = checkout.template()["spec"]["containers"]
    assert "REDIS_URL" in {one["name"] for one in container["env"]}
    (container,) = worker.template()["spec"]["containers"]
    assert "/bindings/orders" in {one["mountPath"] for one in container["volumeMounts"]}


def test_rotate_led(world: World, team: Team) -> None:
    case = Example(world, team, "rotate-led.yaml")
    case.applied()
    case.made()
    case.until("Ready", "True")
    case.until("WorkloadsCurrent", "True")
    before = case.control.redis.keys(case.cache)
    case.annotate(rotate="now")
    wait_for(lambda: case.status.get("lastHandled", {}).get("rotate") == "now", PATIENCE, "the rotation")
    assert not set(before.values()) & set(case.control.redis.keys(case.cache).values())


def test_provision_persistent(world: World, team: Team) -> None:
    case = Example(world, team, "provision-persistent.yaml")
    account = storage_scope(SUBSCRIPTION, team.name, case.account)
    case.control.seed(StorageAccount(subscription=SUBSCRIPTION, group=team.name, name=case.account, properties=CLOSED))
    case.applied()
    message = case.until("PersistenceEncrypted", "False", "StorageRoleMissing")
    assert "Storage Blob Data Contributor" in message
    principal = (case.control.redis.get(case.cache) or {})["identity"]["principalId"]
    assert principal in message
    case.control.seed(
        seeds.RoleAssignment(
            object_id=principal,
            scope=account,
            data_actions=("Microsoft.Storage/storageAccounts/blobServices/containers/blobs/*",),
        )
    )
    case.annotate(confirm_storage_role=case.account)
    case.until("PersistenceEncrypted", "True")


def test_validate_managed(world: World, team: Team) -> None:
    case = Example(world, team, "validate-managed.yaml")
    case.control.seed(
        ManagedCluster(
            subscription=SUBSCRIPTION,
            group=team.name,
            name=case.cache,
            properties={"publicNetworkAccess": "Disabled"},
            database={"accessKeysAuthentication": "Enabled"},
            private_endpoints=ROUTE,
        )
    )
    key = case.control.managed_redis.keys(case.cache)["Primary"]
    secret = case.manifest["spec"]["authentication"]["keyVault"]["secretName"]
    case.control.keyvault.set_secret(team.name, secret, seeds.SecretVersion(value=key))
    case.applied()
    case.until("Ready", "True")
    case.until("TransportSecured", "True")
    assert case.status["cache"]["service"] == "ManagedRedis"
    assert case.manifest["spec"]["resourceID"] == managed_scope(SUBSCRIPTION, team.name, case.cache)
    assert case.values()["password"] == key
    assert case.writes() == []


def test_provision_managed(world: World, team: Team) -> None:
    case = Example(world, team, "provision-managed.yaml")
    case.applied()
    case.until("CacheAvailable", "False", "NoRoute")
    case.control.managed_redis.update(case.cache, private_endpoints=ROUTE)
    case.heal()
    assert case.values()["password"] == case.control.managed_redis.keys(case.cache)["Primary"]


def test_provision_managed_persistent(world: World, team: Team) -> None:
    case = Example(world, team, "provision-managed-persistent.yaml")
    encryption = case.manifest["spec"]["persistence"]["encryption"]
    *_, name, version = encryption["keyURL"].split("/")
    reader = str(uuid.uuid4())
    case.control.seed(
        VaultKey(vault=team.name, name=name, version=version),
        seeds.App(tenant=TENANT, client_id=reader, object_id=reader, resource_id=encryption["identityID"]),
        seeds.RoleAssignment(
            object_id=reader,
            scope=team.vault_scope,
            data_actions=("Microsoft.KeyVault/vaults/keys/*",),
        ),
    )
    case.applied()
    case.until("CacheAvailable", "False", "NoRoute")
    case.control.managed_redis.update(case.cache, private_endpoints=ROUTE)
    case.heal()
    case.until("PersistenceEncrypted", "True")
