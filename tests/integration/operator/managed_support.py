"""A case of Managed Redis: one team, one cluster with its database, and one resource for it."""

from typing import Any

from sandbox import roles
from sandbox.azure.seeds import seeds
from sandbox.azure.seeds.managed_redis import ManagedCluster, managed_scope
from sandbox.waiting import PATIENCE, wait_for
from sandbox.world import AT_SUBSCRIPTION, SUBSCRIPTION, Team, World
from secure_redis.domain.grants import Power
from tests.integration.operator.support import Case

PROVISION: dict[str, Any] = {
    "location": "westeurope",
    "tags": {"cost": "shop"},
    "managedRedis": {"sku": "Balanced_B5", "clusteringPolicy": "NoCluster"},
}
ALL = ["Security", "Availability", "Cosmetic"]
PUBLIC = {"network": {"publicAccess": "Enabled"}}
ROUTE = seeds.PrivateEndpoint(name="shop")


class Cluster(Case):
    """A cluster of a team and a resource on it."""

    @property
    def id(self) -> str:
        return managed_scope(SUBSCRIPTION, self.team.name, self.cache)

    @property
    def keys(self) -> dict[str, str]:
        return self.control.managed_redis.keys(self.cache)

    def there(self, **changes: Any) -> "Cluster":
        """A safe cluster that others keep, with access keys."""
        properties = {"publicNetworkAccess": "Disabled", **changes.pop("properties", {})}
        database = {
            "accessKeysAuthentication": "Enabled",
            "clusteringPolicy": "NoCluster",
            **changes.pop("database", {}),
        }
        changes.setdefault("private_endpoints", (ROUTE,))
        self.control.seed(
            ManagedCluster(
                subscription=SUBSCRIPTION,
                group=self.team.name,
                name=self.cache,
                properties=properties,
                database=database,
                **changes,
            )
        )
        return self

    def declare(self, **spec: Any) -> "Cluster":
        """Apply a resource in mode Provision whose key goes to the vault, unless `key` is False."""
        key = spec.pop("key", True)
        if key:
            uri = self.control.endpoints.vault_url(self.team.name)
            vault = {"uri": uri, "secretName": self.cache, "access": "ReadWrite"}
            spec.setdefault("authentication", {"keyVault": vault})
        spec.setdefault("provision", PROVISION)
        self.apply(key=False, resourceID=self.id, mode="Provision", **spec)
        return self

    def created(self, **spec: Any) -> "Cluster":
        """The operator has created it, and the creation has ended."""
        self.declare(**{**PUBLIC, **spec})
        self.until("Ready", "True")
        wait_for(lambda: "pending" not in self.status, PATIENCE, "the creation to end")
        self.until("DriftDetected", "False", "NoDrift")
        return self

    @property
    def cluster(self) -> dict[str, Any]:
        found = self.control.managed_redis.get(self.cache)
        assert found is not None
        return dict(found)

    @property
    def database(self) -> dict[str, Any]:
        found = self.control.managed_redis.database(self.cache)
        assert found is not None
        return dict(found["properties"])

    def kinds(self) -> list[str]:
        return [kind for kind, _ in self.effects()]


def managed_team(world: World) -> Team:
    """A team whose identity has every role of the documentation."""
    team = world.team(cache_actions=roles.actions(*Power), vault_actions=roles.data_actions(*Power))
    scope = seeds.subscription_scope(SUBSCRIPTION)
    world.control.seed(seeds.RoleAssignment(object_id=team.object_id, scope=scope, actions=AT_SUBSCRIPTION))
    return team
