"""The state of a storage account, and its form in ARM."""

import copy
from dataclasses import dataclass, field

from sandbox.azure.seeds.seeds import Json
from sandbox.azure.seeds.storage import StorageAccount, storage_scope

TYPE = "Microsoft.Storage/storageAccounts"
_CREATED = "2024-03-01T09:00:00.1234567Z"  # seven digits, as the service writes them
_SERVICE = {"keyType": "Account", "enabled": True, "lastEnabledTime": _CREATED}
_GEO = ("GRS", "GZRS")


@dataclass(slots=True)
class StorageState:
    """The state of one account. `properties` and `blob_service` use wire names."""

    subscription: str
    group: str
    name: str
    location: str
    sku: Json
    kind: str
    tags: dict[str, str]
    identity: Json | None
    properties: Json
    blob_service: Json
    absent: set[str] = field(default_factory=set)

    @property
    def scope(self) -> str:
        """Return its ARM id."""
        return storage_scope(self.subscription, self.group, self.name)

    def change(
        self,
        properties: Json | None = None,
        encryption: Json | None = None,
        blob_service: Json | None = None,
        absent: tuple[str, ...] = (),
    ) -> None:
        """Merge wire names into the existing ones, unchecked. `absent` are left out of answers."""
        for given in (properties, encryption, blob_service):
            self.absent -= set(given or {})
        self.properties.update(properties or {})
        self.properties["encryption"] = {**self.properties["encryption"], **(encryption or {})}
        self.blob_service.update(blob_service or {})
        self.absent |= set(absent)

    def show(self, domain: str) -> Json:
        """Return the account as a GET shows it, without keys and connection strings."""
        properties = copy.deepcopy(self.properties)
        properties["primaryLocation"] = self.location
        properties["primaryEndpoints"] = {
            service: f"https://{self.name}.{service}.{domain}/" for service in ("blob", "dfs", "file", "queue", "table")
        }
        properties["statusOfPrimary"] = "available"
        if any(word in str(self.sku.get("name")) for word in _GEO):
            properties.setdefault("secondaryLocation", "northeurope")
            properties.setdefault("statusOfSecondary", "available")
        properties = _without(properties, self.absent)
        if "encryption" in properties:
            properties["encryption"] = _without(properties["encryption"], self.absent)
        shown: Json = {
            "id": self.scope,
            "name": self.name,
            "type": TYPE,
            "location": self.location,
            "tags": dict(self.tags),
            "kind": self.kind,
            "sku": dict(self.sku),
            "properties": properties,
        }
        if self.identity is not None:
            shown["identity"] = copy.deepcopy(self.identity)
        return shown

    def show_blob_service(self) -> Json:
        """Return its blob service."""
        return {
            "id": f"{self.scope}/blobServices/default",
            "name": "default",
            "type": f"{TYPE}/blobServices",
            "sku": dict(self.sku),
            "properties": _without(copy.deepcopy(self.blob_service), self.absent),
        }


def _without(properties: Json, absent: set[str]) -> Json:
    return {name: value for name, value in properties.items() if name not in absent}


def from_seed(seed: StorageAccount) -> StorageState:
    """Return an account in the state that a seed declares."""
    state = StorageState(
        subscription=seed.subscription,
        group=seed.group,
        name=seed.name.lower(),
        location=seed.location,
        sku=dict(seed.sku),
        kind=seed.kind,
        tags=dict(seed.tags),
        identity=seed.identity,
        properties={
            "provisioningState": "Succeeded",
            "creationTime": _CREATED,
            "keyCreationTime": {"key1": _CREATED, "key2": _CREATED},
            "accessTier": "Hot",
            "minimumTlsVersion": "TLS1_2",
            "allowBlobPublicAccess": False,
            "supportsHttpsTrafficOnly": True,
            "networkAcls": {
                "bypass": "AzureServices",
                "defaultAction": "Allow",
                "ipRules": [],
                "virtualNetworkRules": [],
            },
            "privateEndpointConnections": [],
            "encryption": {
                "keySource": "Microsoft.Storage",
                "services": {"blob": dict(_SERVICE), "file": dict(_SERVICE)},
            },
        },
        blob_service={
            "cors": {"corsRules": []},
            "deleteRetentionPolicy": {"enabled": False, "allowPermanentDelete": False},
        },
    )
    state.change(seed.properties, seed.encryption, seed.blob_service, seed.absent)
    return state
