"""Commands that change caches, as the portal's users and the platform team do."""

from typing import Any

from sandbox.azure.seeds import seeds
from sandbox.azure.seeds.seeds import Json
from sandbox.azure.seeds.storage import AccessPolicy, AccessPolicyAssignment
from sandbox.azure.state.redis import CacheState
from sandbox.azure.state.world import World

COMMANDS = frozenset(
    {
        "cache",
        "cache-update",
        "cache-keys",
        "cache-regenerate",
        "cache-remove",
        "redis-fault",
        "private-endpoint",
        "patch-schedule",
        "beside-cache",
        "foreign-name",
    }
)


async def run(world: World, command: str, body: Json) -> Any:
    """Run one of COMMANDS. Raises ValueError with what is wrong."""
    if command == "foreign-name":
        world.foreign_names.add(str(body["name"]).lower())
        return None
    if command == "cache":
        found = world.caches.get(str(body["cache"]).lower())
        return found.show(world.names.domain) if found else None
    cache = _cache(world, str(body["cache"]))
    match command:
        case "cache-update":
            await _update(world, cache, body)
        case "cache-keys":
            return dict(cache.keys)
        case "cache-regenerate":
            await world.regenerate_key(cache, body["slot"])
            return cache.keys[body["slot"]]
        case "cache-remove":
            await world.remove(cache)
        case "redis-fault":
            await world.listeners.set_fault(cache, body["fault"])
        case "private-endpoint":
            await _set_private_endpoint(world, cache, seeds.PrivateEndpoint.model_validate(body["endpoint"]))
        case "patch-schedule":
            return cache.patch_entries or []
        case "beside-cache":
            await _beside(world, cache, body)
    return None


def _cache(world: World, name: str) -> CacheState:
    found = world.caches.get(name.lower())
    if found is None:
        raise ValueError(f"there is no cache {name!r}")
    return found


async def _set_private_endpoint(world: World, cache: CacheState, endpoint: seeds.PrivateEndpoint) -> None:
    if not endpoint.endpoint_id:
        scope = seeds.group_scope(cache.subscription, "network")
        generated = f"{scope}/providers/Microsoft.Network/privateEndpoints/{endpoint.name}"
        endpoint = endpoint.model_copy(update={"endpoint_id": generated})
    cache.private_endpoints[endpoint.name] = endpoint
    await world.changed(cache)


async def _update(world: World, cache: CacheState, body: Json) -> None:
    """Change a cache as another user does: immediately, unchecked, in wire names."""
    if any(value for name, value in body.items() if name not in {"cache", "firewall_rules"}):
        world.log.by_others.append((world.timeline.now(), cache.scope, "write"))
    for name, value in body.get("properties", {}).items():
        if name == "provisioningState":
            cache.state = str(value)
        elif name == "sku":
            cache.sku = dict(value)
        elif name == "redisConfiguration":
            cache.configuration = {**cache.configuration, **value}
        else:
            cache.properties[name] = value
    for name in body.get("absent", ()):
        cache.properties.pop(name, None)
        cache.configuration.pop(name, None)
    if body.get("tags") is not None:
        cache.tags = dict(body["tags"])
    if body.get("firewall_rules") is not None:
        rules = [seeds.FirewallRule.model_validate(rule) for rule in body["firewall_rules"]]
        _set_firewall(world, cache, {rule.name: (rule.start, rule.end) for rule in rules})
    if body.get("location") is not None:
        cache.location = str(body["location"])
    if body.get("busy") is not None:
        cache.busy = bool(body["busy"])
    await world.changed(cache)


def _set_firewall(world: World, cache: CacheState, rules: dict[str, tuple[str, str]]) -> None:
    for name in sorted({*cache.firewall, *rules}):
        if cache.firewall.get(name) != rules.get(name):
            operation = "write" if name in rules else "delete"
            world.log.by_others.append((world.timeline.now(), f"{cache.scope}/firewallRules/{name}", operation))
    cache.firewall = rules


async def _beside(world: World, cache: CacheState, body: Json) -> None:
    if "patch_schedule" in body:
        cache.patch_entries = body["patch_schedule"]
    if "access_policies" in body:
        cache.access_policies = tuple(AccessPolicy.model_validate(one) for one in body["access_policies"])
    if "access_assignments" in body:
        cache.access_assignments = tuple(
            AccessPolicyAssignment.model_validate(one) for one in body["access_assignments"]
        )
    if "diagnostics" in body:
        cache.diagnostics = dict(body["diagnostics"])
    await world.changed(cache)
