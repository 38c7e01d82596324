"""Commands that change Managed Redis clusters."""

from typing import Any

from sandbox.azure.seeds import seeds
from sandbox.azure.seeds.seeds import Json
from sandbox.azure.state.managed_redis import ManagedState
from sandbox.azure.state.world import World

COMMANDS = frozenset({"managed", "managed-update", "managed-remove", "managed-database-remove", "managed-fault"})


def _cluster(world: World, name: str) -> ManagedState:
    found = [one for one in world.clusters.values() if one.name.lower() == name.lower()]
    if len(found) != 1:
        raise ValueError(f"there is no cluster {name!r}, or more than one in several groups")
    return found[0]


async def run(world: World, command: str, body: Json) -> Any:
    """Run one of COMMANDS. Raises ValueError with what is wrong."""
    name = str(body["cluster"])
    if command == "managed":
        found = [one for one in world.clusters.values() if one.name.lower() == name.lower()]
        return found[0].show(world.names.managed_host(found[0].name, found[0].region)) if found else None
    cluster = _cluster(world, name)
    match command:
        case "managed-update":
            _update(cluster, body)
            await world.changed_cluster(cluster)
        case "managed-remove":
            await world.remove_cluster(cluster)
        case "managed-database-remove":
            cluster.database = None
            await world.changed_cluster(cluster)
        case "managed-fault":
            await world.listeners.set_fault(cluster, body["fault"])
    return None


def _update(cluster: ManagedState, body: Json) -> None:
    absent, database_absent = tuple(body.get("absent", ())), tuple(body.get("database_absent", ()))
    cluster.change(body.get("properties"), body.get("database"), absent, database_absent)
    if body.get("tags") is not None:
        cluster.tags = dict(body["tags"])
    if body.get("sku") is not None:
        cluster.sku = dict(body["sku"])
    if body.get("diagnostics") is not None:
        cluster.diagnostics = dict(body["diagnostics"])
    if body.get("private_endpoints") is not None:
        endpoints = [seeds.PrivateEndpoint.model_validate(one) for one in body["private_endpoints"]]
        cluster.private_endpoints = {one.name: one for one in endpoints}
