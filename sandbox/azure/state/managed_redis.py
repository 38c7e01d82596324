"""The state of a Managed Redis cluster, and its form in ARM."""

import copy
from dataclasses import dataclass, field

from sandbox.azure.seeds import seeds
from sandbox.azure.seeds.managed_redis import ManagedAssignment, ManagedCluster, managed_scope
from sandbox.azure.seeds.seeds import Json
from sandbox.azure.state.redis import new_key

TYPE = "Microsoft.Cache/redisEnterprise"
PORT = 10000
RETIRING = ("enterprise_", "enterpriseflash_")
# The states of a resource on which nothing is at work.
RESTING = frozenset({"Succeeded", "Failed", "Canceled"})
_UNDER_WAY = frozenset({"Creating", "Updating", "Deleting", "Scaling", "Enabling", "Disabling", "Moving"})


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
    assignments: tuple[ManagedAssignment, ...] = ()
    keys: dict[str, str] = field(default_factory=dict, repr=False)
    live_keys: tuple[str, ...] = field(default=(), repr=False)
    listed_late: dict[str, tuple[str, float]] = field(default_factory=dict, repr=False)  # slot: key shown until when
    operation: str | None = None

    @property
    def scope(self) -> str:
        """Return the ARM id against which permissions are checked."""
        return managed_scope(self.subscription, self.group, self.name)

    @property
    def region(self) -> str:
        """Return the short name of its location, which is part of its host."""
        return "".join(self.location.split()).lower()

    @property
    def public(self) -> bool:
        """Return whether public network access is on; absent means Enabled."""
        return str(self.properties.get("publicNetworkAccess", "Enabled")) != "Disabled"

    @property
    def keys_enabled(self) -> bool:
        """Return whether the database accepts access keys."""
        return self.database is not None and self.database.get("accessKeysAuthentication") == "Enabled"

    @property
    def lags(self) -> bool:
        """Return whether a resource state shows work although the provisioning state does not."""
        states = [self.properties.get("resourceState"), (self.database or {}).get("resourceState")]
        return any(state in _UNDER_WAY for state in states)

    @property
    def at_rest(self) -> bool:
        """Return whether no operation runs and neither provisioning state shows one."""
        states = [self.properties.get("provisioningState"), (self.database or {}).get("provisioningState")]
        return self.operation is None and all(state is None or state in RESTING for state in states)

    def listed_keys(self, now: float) -> dict[str, str]:
        """Return the keys by slot as listKeys shows them."""
        late = {slot: key for slot, (key, until) in self.listed_late.items() if now < until}
        return {**self.keys, **late}

    def renew_keys(self, primary: str | None = None, secondary: str | None = None) -> None:
        """Put the given keys, or new ones, into both slots, as a new database has them."""
        self.keys = {"Primary": primary or new_key(), "Secondary": secondary or new_key()}
        self.live_keys = (self.keys["Primary"], self.keys["Secondary"])
        self.listed_late = {}

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
            self.database = {**(self.database or default_database()), **database}

    def show(self, host: str, *, endpoints: bool = True, hidden: frozenset[str] = frozenset()) -> Json:
        """Return the cluster as a GET shows it. `hidden`: properties that the API version does not have."""
        properties = copy.deepcopy(self.properties)
        properties.setdefault("hostName", host)
        if endpoints:
            properties["privateEndpointConnections"] = [self._endpoint(e) for e in self.private_endpoints.values()]
        left_out = self.absent | hidden
        shown: Json = {
            "location": self.location,
            "name": self.name,
            "id": self.scope,
            "type": TYPE,
            "kind": "v1" if str(self.sku.get("name")).lower().startswith(RETIRING) else "v2",
            "tags": dict(self.tags),
            "sku": dict(self.sku),
            "properties": {name: value for name, value in properties.items() if name not in left_out},
            "identity": copy.deepcopy(self.identity),
        }
        if self.zones:
            shown["zones"] = list(self.zones)
        return shown

    def show_database(self, *, hidden: frozenset[str] = frozenset()) -> Json:
        """Return the database as a GET shows it. `hidden`: properties that the API version does not have.

        Raises KeyError: it has none.
        """
        if self.database is None:
            raise KeyError("the cluster has no database")
        left_out = self.database_absent | hidden
        return {
            "name": "default",
            "id": f"{self.scope}/databases/default",
            "type": f"{TYPE}/databases",
            "properties": {k: copy.deepcopy(v) for k, v in self.database.items() if k not in left_out},
        }

    def show_assignment(self, assignment: ManagedAssignment, *, strings: bool) -> Json:
        """Return an access policy assignment of the database. `strings`: the API version has accessString."""
        properties: Json = {
            "provisioningState": assignment.state,
            "accessPolicyName": assignment.policy,
            "user": {"objectId": assignment.object_id},
        }
        if strings:
            properties["accessString"] = assignment.access_string
            if assignment.error:
                properties["provisioningError"] = dict(assignment.error)
        return {
            "id": f"{self.scope}/databases/default/accessPolicyAssignments/{assignment.name}",
            "name": assignment.name,
            "type": f"{TYPE}/databases/accessPolicyAssignments",
            "properties": properties,
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


def default_database() -> Json:
    """Return a running database of a seed, in wire names."""
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
        database=None if seed.database is None else default_database(),
        private_endpoints={e.name: e for e in seed.private_endpoints},
        assignments=seed.assignments,
    )
    state.renew_keys(seed.primary_key, seed.secondary_key)
    state.change(seed.properties, seed.database, seed.absent, seed.database_absent)
    return state


def merge(target: ManagedState, before: ManagedState, after: ManagedState) -> None:
    """Apply only what differs between `before` and `after`. Other fields may have changed in the meantime."""
    for name in ("tags", "sku", "identity"):
        if getattr(after, name) != getattr(before, name):
            setattr(target, name, copy.deepcopy(getattr(after, name)))
    _merge(target.properties, before.properties, after.properties)
    if target.database is not None:
        _merge(target.database, before.database or {}, after.database or {})


def _merge(kept: Json, before: Json, after: Json) -> None:
    for name, value in after.items():
        if name not in before or before[name] != value:
            kept[name] = copy.deepcopy(value)
    for name in before.keys() - after.keys():
        kept.pop(name, None)
