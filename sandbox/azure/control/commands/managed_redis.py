"""Commands that change Managed Redis clusters."""

from typing import Any

from sandbox.azure.seeds import seeds
from sandbox.azure.seeds.managed_redis import ManagedAssignment
from sandbox.azure.seeds.seeds import Json
from sandbox.azure.state.managed_redis import ManagedState
from sandbox.azure.state.world import World

COMMANDS = frozenset(
    {
        "managed",
        "managed-database",
        "managed-update",
        "managed-remove",
        "managed-database-remove",
        "managed-fault",
        "managed-keys",
        "managed-regenerate",
        "managed-assignments",
        "managed-capacity",
        "managed-versions",
        "managed-foreign-name",
    }
)


def _cluster(world: World, name: str) -> ManagedState:
    found = [one for one in world.clusters.values() if one.name.lower() == name.lower()]
    if len(found) != 1:
        raise ValueError(f"there is no cluster {name!r}, or more than one in several groups")
    return found[0]


async def run(world: World, command: str, body: Json) -> Any:
    """Run one of COMMANDS. Raises ValueError with what is wrong."""
    if command in ("managed-capacity", "managed-versions", "managed-foreign-name"):
        return _around(world, command, body)
    name = str(body["cluster"])
    found = [one for one in world.clusters.values() if one.name.lower() == name.lower()]
    if command == "managed":
        return found[0].show(world.names.managed_host(found[0].name, found[0].region)) if found else None
    if command == "managed-database" and not found:
        return None
    cluster = _cluster(world, name)
    match command:
        case "managed-database":
            return None if cluster.database is None else cluster.show_database()
        case "managed-update":
            existed, enabled = cluster.database is not None, cluster.keys_enabled
            _update(world, cluster, body)
            await world.changed_cluster(cluster, cut=existed and enabled != cluster.keys_enabled)
        case "managed-remove":
            await world.remove_cluster(cluster)
        case "managed-database-remove":
            cluster.database = None
            await world.changed_cluster(cluster)
        case "managed-fault":
            await world.listeners.set_fault(cluster, body["fault"])
        case "managed-keys":
            return dict(cluster.keys)
        case "managed-regenerate":
            await world.regenerate_key(cluster, body["slot"])
            return cluster.keys[body["slot"]]
        case "managed-assignments":
            cluster.assignments = tuple(ManagedAssignment.model_validate(one) for one in body["assignments"])
    return None


def _around(world: World, command: str, body: Json) -> None:
    """Change what concerns no cluster that exists: capacity, API versions of a region, names of other tenants."""
    if command == "managed-capacity":
        world.capacity_failures = int(body["failures"])
        return
    region = world.region(str(body["region"]))
    if region is None:
        raise ValueError(f"there is no region {body['region']!r}")
    if command == "managed-foreign-name":
        world.foreign_names.add(f"{str(body['name']).lower()}.{region.name.lower()}")
        return
    served = tuple(str(one) for one in body["versions"])
    world.regions[region.name.lower()] = region.model_copy(update={"managed_versions": served})


def _update(world: World, cluster: ManagedState, body: Json) -> None:
    if any(value for name, value in body.items() if name != "cluster"):
        world.log.by_others.append((world.timeline.now(), cluster.scope, "write"))
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
