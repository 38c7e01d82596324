"""A case with a cache that persists, or is to, into a storage account; and the words that its tests use."""

import base64
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sandbox.azure.seeds.storage import StorageAccount, VaultKey, storage_scope
from sandbox.world import SUBSCRIPTION, World
from tests.integration.operator.support import Case, provision, provisioning_team, release

PREMIUM = {"name": "Premium", "family": "P", "capacity": 1}
CLOSED = {"networkAcls": {"bypass": "AzureServices", "defaultAction": "Deny"}, "allowSharedKeyAccess": False}
STORAGE_READ = ("Microsoft.Storage/storageAccounts/read", "Microsoft.Storage/storageAccounts/blobServices/read")
ROLES_READ = ("Microsoft.Authorization/roleAssignments/read", "Microsoft.Authorization/roleDefinitions/read")
VAULTS_READ = ("Microsoft.KeyVault/vaults/read", "Microsoft.KeyVault/vaults/keys/read")
KEY_VERSION = "Microsoft.KeyVault/vaults/keys/versions/read"
VERSION = "0123456789abcdef0123456789abcdef"
CORRECT = {"drift": {"correct": ["Security", "Availability"]}}
CHAIN = "PersistenceEncrypted"


class Persisting(Case):
    """A case with a storage account, safe unless it is changed."""

    def __init__(self, world: World, team: Any) -> None:
        super().__init__(world, team)
        self.account = f"data{uuid.uuid4().hex[:12]}"
        self.account_id = storage_scope(SUBSCRIPTION, team.name, self.account)
        self.control.seed(
            StorageAccount(subscription=SUBSCRIPTION, group=team.name, name=self.account, properties=CLOSED)
        )

    @property
    def blob(self) -> str:
        shown = self.control.storage.get(self.account)
        assert shown is not None
        return str(shown["properties"]["primaryEndpoints"]["blob"]).rstrip("/")

    def connection_string(self, key: str | None = None, **parts: str) -> str:
        key = key or base64.b64encode(uuid.uuid4().bytes * 4).decode()
        said = {"DefaultEndpointsProtocol": "https", "AccountName": self.account, "AccountKey": key, **parts}
        return ";".join(f"{name}={value}" for name, value in said.items())

    def persists(self, **settings: str) -> None:
        """The cache exists and persists by managed identity into the account."""
        self.exists(
            sku=PREMIUM,
            redis_configuration={
                "rdb-backup-enabled": "true",
                "rdb-backup-frequency": "60",
                "preferred-data-persistence-auth-method": "ManagedIdentity",
                "rdb-storage-connection-string": self.blob,
                **settings,
            },
        )

    def storage(self, **more: Any) -> dict[str, Any]:
        return {"accountID": self.account_id, **more}

    def settings(self) -> dict[str, str]:
        found = self.control.redis.get(self.cache)
        assert found is not None
        return dict(found["properties"]["redisConfiguration"])

    def look(self, status: str, reason: str) -> str:
        """Check again; the message of the chain's condition."""
        self.poke()
        return self.until(CHAIN, status, reason)

    def encrypt(self) -> None:
        """The account is encrypted with the key `disk` of the team's vault."""
        vault = self.control.endpoints.vault_url(self.team.name)
        key = {"keyvaulturi": vault, "keyname": "disk", "keyversion": ""}
        self.control.seed(VaultKey(vault=self.team.name, name="disk", version=VERSION))
        self.control.storage.update(
            self.account, encryption={"keySource": "Microsoft.Keyvault", "keyvaultproperties": key}
        )


@contextmanager
def auditing(world: World) -> Iterator[Persisting]:
    """A team that may read the cache, its account and its account's key."""
    team = world.team()
    made = Persisting(world, team)
    yield made
    made.mend_faults()
    release(world, team)


@contextmanager
def making(world: World) -> Iterator[Persisting]:
    """A team that may make caches, read the account, and see who has which role."""
    team = provisioning_team(world)
    made = Persisting(world, team)
    yield made
    made.mend_faults()
    release(world, team)


def vault(case: Case) -> str:
    """The team's vault."""
    return case.control.endpoints.vault_url(case.team.name)


def premium(case: Case, *, identity: str | None = "SystemAssigned", **spec: Any) -> dict[str, Any]:
    made: dict[str, Any] = {"location": "westeurope", "redis": {"sku": {"name": "Premium", "capacity": 1}}}
    if identity is not None:
        made["identity"] = {"type": identity}
    return provision(case, provision=made, **spec)


def by_secret(case: Persisting) -> dict[str, Any]:
    reference = {"authentication": "ConnectionString", "connectionStringSecretRef": {"name": "storage"}}
    return {"type": "RDB", "storage": case.storage(**reference)}


def secret(case: Persisting, value: str) -> None:
    case.world.api.apply(
        {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {"name": "storage", "namespace": case.team.namespace},
            "type": "secureredis.io/storage-connection",
            "stringData": {"connectionString": value},
        }
    ).must()
