"""The state of a cache, and its form in ARM."""

import base64
import copy
import secrets
from dataclasses import dataclass, field
from typing import Any

from sandbox.azure.seeds import seeds
from sandbox.azure.seeds.storage import AccessPolicy, AccessPolicyAssignment

Json = dict[str, Any]

TYPE = "Microsoft.Cache/Redis"  # answers carry a capital R; requests say /redis/

_MAX_CLIENTS = {
    ("C", 0): 256, ("C", 1): 1000, ("C", 2): 2000, ("C", 3): 5000, ("C", 4): 10000, ("C", 5): 15000, ("C", 6): 20000,
    ("P", 1): 7500, ("P", 2): 15000, ("P", 3): 30000, ("P", 4): 40000, ("P", 5): 40000,
}  # fmt: skip
# Reserved memory in MB. Recorded: C0, C2, C4 and P1; the others are in proportion.
_RESERVED = {
    ("C", 0): 30, ("C", 1): 125, ("C", 2): 299, ("C", 3): 663, ("C", 4): 1326, ("C", 5): 2652, ("C", 6): 5304,
    ("P", 1): 642, ("P", 2): 1283, ("P", 3): 2569, ("P", 4): 5138, ("P", 5): 10280,
}  # fmt: skip


def new_key() -> str:
    """Return an access key as the service makes them: 44 characters of base64."""
    return base64.b64encode(secrets.token_bytes(32)).decode()


def default_configuration(sku: Json) -> Json:
    """Return the service's additions to redisConfiguration."""
    family, capacity = str(sku["family"]), int(sku["capacity"])
    added: Json = {"maxclients": str(_MAX_CLIENTS.get((family, capacity), 1000))}
    for name in ("maxmemory-reserved", "maxfragmentationmemory-reserved", "maxmemory-delta"):
        added[name] = str(_RESERVED.get((family, capacity), 642))
    return added


@dataclass(slots=True)
class CacheState:
    """The state of one cache. `properties` uses wire names as in a GET."""

    subscription: str
    group: str
    name: str
    tenant: str
    location: str
    sku: Json
    tags: dict[str, str]
    properties: Json
    configuration: Json
    identity: Json | None = None
    zones: tuple[str, ...] = ()
    keys: dict[str, str] = field(default_factory=dict, repr=False)
    live_keys: tuple[str, ...] = field(default=(), repr=False)
    listed_late: dict[str, tuple[str, float]] = field(default_factory=dict, repr=False)  # slot: key shown until when
    firewall: dict[str, tuple[str, str]] = field(default_factory=dict)
    private_endpoints: dict[str, seeds.PrivateEndpoint] = field(default_factory=dict)
    patch_entries: list[Json] | None = None
    access_policies: tuple[AccessPolicy, ...] = ()
    access_assignments: tuple[AccessPolicyAssignment, ...] = ()
    diagnostics: dict[str, Json] = field(default_factory=dict)  # wire properties of the settings by name
    state: str = "Succeeded"
    operation: str | None = None
    busy: bool = False
    deleted_at: float | None = None
    history: list[tuple[float, Json]] = field(default_factory=list, repr=False)

    @property
    def scope(self) -> str:
        """Return the ARM id as requests spell it. Permissions are checked against it."""
        return seeds.cache_scope(self.subscription, self.group, self.name)

    @property
    def id(self) -> str:
        """Return the ARM id as answers spell it."""
        return f"{seeds.group_scope(self.subscription, self.group)}/providers/{TYPE}/{self.name}"

    @property
    def keys_disabled(self) -> bool:
        """Return whether access keys are off."""
        return bool(self.properties.get("disableAccessKeyAuthentication"))

    def listed_keys(self, now: float) -> dict[str, str]:
        """Return the keys by slot as listKeys shows them."""
        late = {slot: key for slot, (key, until) in self.listed_late.items() if now < until}
        return {**self.keys, **late}

    @property
    def public(self) -> bool:
        """Return whether public network access is on; absent means Enabled."""
        return str(self.properties.get("publicNetworkAccess", "Enabled")) != "Disabled"

    def show(self, domain: str, *, keys: bool = False, state: str | None = None) -> Json:
        """Return the resource as ARM shows it: keys only in a PUT's answer, else null (recorded traffic)."""
        properties = copy.deepcopy(self.properties)
        properties["provisioningState"] = state or self.state
        properties["sku"] = dict(self.sku)
        properties["redisConfiguration"] = dict(self.configuration)
        properties["accessKeys"] = (
            {"primaryKey": self.keys["Primary"], "secondaryKey": self.keys["Secondary"]} if keys else None
        )
        properties.setdefault("hostName", f"{self.name}.redis.{domain}")
        properties.setdefault("port", 6379)
        properties.setdefault("sslPort", 6380)
        properties.setdefault("linkedServers", [])
        if properties.get("enableNonSslPort"):
            for node in properties.get("instances", ()):
                node["nonSslPort"] = int(node["sslPort"]) - 2000
        if self.private_endpoints:
            properties["privateEndpointConnections"] = [self.show_endpoint(e) for e in self.private_endpoints.values()]
        shown: Json = {
            "id": self.id,
            "name": self.name,
            "type": TYPE,
            "location": self.location,
            "tags": dict(self.tags),
            "properties": properties,
        }
        if self.zones:
            shown["zones"] = list(self.zones)
        if self.identity is not None:
            shown["identity"] = copy.deepcopy(self.identity)
        return shown

    def show_endpoint(self, endpoint: seeds.PrivateEndpoint) -> Json:
        """Return a private endpoint connection as ARM shows it."""
        return {
            "id": f"{self.id}/privateEndpointConnections/{endpoint.name}",
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

    def show_rule(self, name: str, *, qualified: bool) -> Json:
        """Return a firewall rule as ARM shows it. A setting decides whether its name contains the cache's."""
        start, end = self.firewall[name]
        return {
            "id": f"{self.id}/firewallRules/{name}",
            "name": f"{self.name}/{name}" if qualified else name,
            "type": f"{TYPE}/firewallRules",
            "properties": {"startIP": start, "endIP": end},
        }

    def remember(self, now: float, domain: str) -> None:
        """Record the current state for readers that are behind."""
        self.history.append((now, self.show(domain)))
        del self.history[:-50]

    def seen_at(self, moment: float) -> Json | None:
        """Return the state that a reader that is behind sees, or None if it does not know the cache yet."""
        shown = None
        for since, snapshot in self.history:
            if since <= moment:
                shown = snapshot
        return shown


def from_seed(seed: seeds.Cache, tenant: str) -> CacheState:
    """Return a cache in the state that a seed declares."""
    sku = dict(seed.sku)
    state = str(seed.properties.get("provisioningState", "Succeeded"))
    properties: Json = {
        "redisVersion": "6.0",
        "enableNonSslPort": False,
        "minimumTlsVersion": "1.2",
        "publicNetworkAccess": "Enabled",
        "disableAccessKeyAuthentication": False,
        "updateChannel": "Stable",
        "instances": instances(sku, seed.zones, 0, 1),
    }
    properties.update({k: v for k, v in seed.properties.items() if k != "provisioningState"})
    if seed.linked_servers:
        scope = f"{seeds.group_scope(seed.subscription, seed.group)}/providers/{TYPE}/{seed.name}"
        properties["linkedServers"] = [{"id": f"{scope}/linkedServers/{name}"} for name in seed.linked_servers]
    for name in seed.absent:
        properties.pop(name, None)
    keys = {"Primary": seed.primary_key or new_key(), "Secondary": seed.secondary_key or new_key()}
    return CacheState(
        subscription=seed.subscription,
        group=seed.group,
        name=seed.name,
        tenant=tenant,
        location=seed.location,
        sku=sku,
        tags=dict(seed.tags),
        properties=properties,
        configuration={**default_configuration(sku), **seed.redis_configuration},
        identity=seed.identity,
        zones=seed.zones,
        keys=keys,
        live_keys=(keys["Primary"], keys["Secondary"]),
        firewall={rule.name: (rule.start, rule.end) for rule in seed.firewall_rules},
        private_endpoints={e.name: e for e in seed.private_endpoints},
        state=state,
        busy=seed.busy,
    )


def instances(sku: Json, zones: tuple[str, ...], shards: int, replicas: int) -> list[Json]:
    """Return the nodes, as a GET lists them."""
    nodes = 1 if sku["name"] == "Basic" else 1 + replicas
    listed: list[Json] = []
    for shard in range(max(1, shards)):
        for node in range(nodes):
            number = shard * nodes + node
            entry: Json = {"sslPort": 15000 + number, "isMaster": node == 0, "isPrimary": node == 0}
            if sku["name"] == "Premium":
                entry["shardId"] = shard
            if zones:
                entry["zone"] = zones[node % len(zones)]
            listed.append(entry)
    return listed
