"""The two services under the same names, for stories and tests that are the same for both."""

from collections.abc import Mapping
from typing import Any, Final, Protocol

from sandbox.azure.control.client import Control
from sandbox.azure.seeds import seeds
from sandbox.azure.seeds.managed_redis import ManagedCluster, managed_scope
from sandbox.azure.seeds.seeds import Json
from sandbox.world import SUBSCRIPTION, Team, World


class CacheControl(Protocol):
    """The reads and changes by other people, in both services."""

    def get(self, cache: str, /) -> Json | None:
        """Return a cache as ARM shows it, or None if it does not exist."""

    def keys(self, cache: str, /) -> dict[str, str]:
        """Return its keys by slot (Primary, Secondary)."""

    def regenerate(self, cache: str, slot: str, /) -> str:
        """Regenerate a key immediately. Returns the new one."""

    def update(
        self, cache: str, /, properties: Mapping[str, Any] | None = None, *, tags: Mapping[str, str] | None = None
    ) -> None:
        """Change a cache immediately and unchecked, in wire names."""


class Service(Protocol):
    """One of the two services."""

    name: str  # as SOAK_SERVICE takes it
    regenerated: str  # the kind of effect of a regenerated key

    def id(self, team: Team, name: str) -> str:
        """Return the ARM id of a cache in the team's group."""

    def control(self, control: Control) -> CacheControl:
        """Return the client of the simulated service."""

    def seed(self, world: World, team: Team, name: str, **changes: Any) -> None:
        """Create a safe cache with keys, reachable by a private endpoint only."""


class Classic:
    """Microsoft.Cache/redis."""

    name = "classic"
    regenerated = "cache.regenerateKey"

    def id(self, team: Team, name: str) -> str:
        """Return the ARM id of a cache in the team's group."""
        return team.cache_id(name)

    def control(self, control: Control) -> CacheControl:
        """Return the client of the simulated service."""
        return control.redis

    def seed(self, world: World, team: Team, name: str, **changes: Any) -> None:
        """Create a safe cache with keys, reachable by a private endpoint only."""
        world.cache(team, name, **changes)


class Managed:
    """Microsoft.Cache/redisEnterprise: a cluster with a database that takes keys and that every client knows."""

    name = "managed"
    regenerated = "managedKey.regenerate"

    def id(self, team: Team, name: str) -> str:
        """Return the ARM id of a cluster in the team's group."""
        return managed_scope(SUBSCRIPTION, team.name, name)

    def control(self, control: Control) -> CacheControl:
        """Return the client of the simulated service."""
        return control.managed_redis

    def seed(self, world: World, team: Team, name: str, **changes: Any) -> None:
        """Create a safe cluster with keys, reachable by a private endpoint only. `changes`: of its seed."""
        properties = {"publicNetworkAccess": "Disabled", **changes.pop("properties", {})}
        database = {
            "accessKeysAuthentication": "Enabled",
            "clusteringPolicy": "NoCluster",
            **changes.pop("database", {}),
        }
        changes.setdefault("private_endpoints", (seeds.PrivateEndpoint(name="shop"),))
        cluster = ManagedCluster(
            subscription=SUBSCRIPTION,
            group=team.name,
            name=name,
            properties=properties,
            database=database,
            **changes,
        )
        world.control.seed(cluster)


CLASSIC: Final[Service] = Classic()
MANAGED: Final[Service] = Managed()
SERVICES: Final = {one.name: one for one in (CLASSIC, MANAGED)}


def store_key(
    service: Service, world: World, team: Team, name: str, slot: str = "Primary", *, tagged: bool = False
) -> str:
    """Store one of a cache's keys in the team's vault, `tagged` with slot and cache. Returns the version."""
    tags = {"CredentialId": slot, "ProviderAddress": service.id(team, name)} if tagged else None
    key = service.control(world.control).keys(name)[slot]
    return world.control.keyvault.set_secret(team.name, name, seeds.SecretVersion(value=key, tags=tags))
