"""The state of a Managed Redis cluster, and its form in ARM."""

import copy
from dataclasses import dataclass, field

from sandbox.azure.seeds import seeds
from sandbox.azure.seeds.managed_redis import ManagedCluster, managed_scope
from sandbox.azure.seeds.seeds import Json
from sandbox.azure.state.redis import new_key

TYPE = "Microsoft.Cache/redisEnterprise"
PORT = 10000
_RETIRING = ("enterprise_", "enterpriseflash_")


@dataclass(slots=True)
class ManagedState:
    """The state of one cluster. `properties` and `database` use wire names as in a GET."""

    subscription: str
    group: str
    name: str
    location: str
    sku: Json
    tags: dict[str, str]
    zones: tuple[str, ...]
    identity: Json
    properties: Json
    database: Json | None
    absent: set[str] = field(default_factory=set)
    database_absent: set[str] = field(default_factory=set)
    private_endpoints: dict[str, seeds.PrivateEndpoint] = field(default_factory=dict)
    diagnostics: dict[str, Json] = field(default_factory=dict)
    keys: tuple[str, ...] = field(default=(), repr=False)

    @property
    def scope(self) -> str:
        """Return the ARM id against which rights are checked."""
        return managed_scope(self.subscription, self.group, self.name)

    @property
    def region(self) -> str:
        """Return the short name of its location, which is part of its host."""
        return "".join(self.location.split()).lower()

    @property
    def public(self) -> bool:
        """Return whether public network access is on; absent means Enabled."""
        return str(self.properties.get("publicNetworkAccess", "Enabled")) != "Disabled"

    def change(
        self,
        properties: Json | None = None,
        database: Json | None = None,
        absent: tuple[str, ...] = (),
        database_absent: tuple[str, ...] = (),
    ) -> None:
        """Merge wire names into the existing ones, unchecked. Absent ones are left out of answers."""
        self.absent = (self.absent - set(properties or {})) | set(absent)
        self.database_absent = (self.database_absent - set(database or {})) | set(database_absent)
        self.properties.update(properties or {})
        if database:
            self.database = {**(self.database or _database()), **database}

    def show(self, host: str, *, endpoints: bool = True, public: bool = True) -> Json:
        """Return the cluster as a GET shows it. `public`: the API version has publicNetworkAccess."""
        properties = copy.deepcopy(self.properties)
        properties.setdefault("hostName", host)
        if endpoints:
            properties["privateEndpointConnections"] = [self._endpoint(e) for e in self.private_endpoints.values()]
        hidden = self.absent if public else self.absent | {"publicNetworkAccess"}
        shown: Json = {
            "location": self.location,
            "name": self.name,
            "id": self.scope,
            "type": TYPE,
            "kind": "v1" if str(self.sku.get("name")).lower().startswith(_RETIRING) else "v2",
            "tags": dict(self.tags),
            "sku": dict(self.sku),
            "properties": {name: value for name, value in properties.items() if name not in hidden},
            "identity": copy.deepcopy(self.identity),
        }
        if self.zones:
            shown["zones"] = list(self.zones)
        return shown

    def show_database(self, *, access_keys: bool = True) -> Json:
        """Return the database as a GET shows it. `access_keys`: the API version has accessKeysAuthentication.

        Raises KeyError: it has none.
        """
        if self.database is None:
            raise KeyError("the cluster has no database")
        hidden = self.database_absent if access_keys else self.database_absent | {"accessKeysAuthentication"}
        return {
            "name": "default",
            "id": f"{self.scope}/databases/default",
            "type": f"{TYPE}/databases",
            "properties": {k: copy.deepcopy(v) for k, v in self.database.items() if k not in hidden},
        }

    def _endpoint(self, endpoint: seeds.PrivateEndpoint) -> Json:
        return {
            "id": f"{self.scope}/privateEndpointConnections/{endpoint.name}",
            "name": endpoint.name,
            "type": f"{TYPE}/privateEndpointConnections",
            "properties": {
                "privateEndpoint": {"id": endpoint.endpoint_id},
                "privateLinkServiceConnectionState": {
                    "status": endpoint.status,
                    "description": "",
                    "actionsRequired": "None",
                },
                "provisioningState": "Succeeded",
            },
        }


def _database() -> Json:
    return {
        "clientProtocol": "Encrypted",
        "port": PORT,
        "provisioningState": "Succeeded",
        "resourceState": "Running",
        "clusteringPolicy": "OSSCluster",
        "evictionPolicy": "VolatileLRU",
        "deferUpgrade": "NotDeferred",
        "redisVersion": "7.4",
        "accessKeysAuthentication": "Enabled",  # unless sent (recorded, 2025-04-01)
    }


def from_seed(seed: ManagedCluster) -> ManagedState:
    """Return a cluster in the state that a seed declares."""
    state = ManagedState(
        subscription=seed.subscription,
        group=seed.group,
        name=seed.name,
        location=seed.location,
        sku=dict(seed.sku),
        tags=dict(seed.tags),
        zones=seed.zones,
        identity=dict(seed.identity),
        properties={
            "minimumTlsVersion": "1.2",
            "provisioningState": "Succeeded",
            "resourceState": "Running",
            "highAvailability": "Enabled",
            "redundancyMode": "ZR",
            "publicNetworkAccess": "Enabled",
        },
        database=None if seed.database is None else _database(),
        private_endpoints={e.name: e for e in seed.private_endpoints},
        keys=(seed.primary_key or new_key(), new_key()),
    )
    state.change(seed.properties, seed.database, seed.absent, seed.database_absent)
    return state
