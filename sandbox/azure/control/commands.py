"""What other people do behind the caller's back: the portal's users, the platform team, administrators."""

from typing import Any

from sandbox.azure.control import commands_managed_redis, commands_storage
from sandbox.azure.seeds import seeds
from sandbox.azure.state.keyvault import VaultState
from sandbox.azure.state.redis import CacheState
from sandbox.azure.state.world import World

Json = dict[str, Any]


def _cache(world: World, name: str) -> CacheState:
    found = world.caches.get(name.lower())
    if found is None:
        raise ValueError(f"there is no cache {name!r}")
    return found


def _vault(world: World, name: str) -> VaultState:
    found = world.vaults.get(name.lower())
    if found is None:
        raise ValueError(f"there is no vault {name!r}")
    return found


async def run(world: World, command: str, body: Json) -> Any:
    """Run a command of the control port that changes the world. Raises ValueError with what is wrong."""
    match command:
        case "cache":
            found = world.caches.get(str(body["cache"]).lower())
            return found.show(world.names.domain) if found else None
        case "cache-update":
            return await _update(world, _cache(world, body["cache"]), body)
        case "cache-keys":
            return dict(_cache(world, body["cache"]).keys)
        case "cache-regenerate":
            cache = _cache(world, body["cache"])
            await world.regenerate_key(cache, body["slot"])
            return cache.keys[body["slot"]]
        case "redis-fault":
            await world.listeners.set_fault(_cache(world, body["cache"]), body["fault"])
            return None
        case "cache-remove":
            await world.remove(_cache(world, body["cache"]))
            return None
        case "private-endpoint":
            cache = _cache(world, body["cache"])
            endpoint = seeds.PrivateEndpoint.model_validate(body["endpoint"])
            if not endpoint.endpoint_id:
                scope = seeds.group_scope(cache.subscription, "network")
                generated = f"{scope}/providers/Microsoft.Network/privateEndpoints/{endpoint.name}"
                endpoint = endpoint.model_copy(update={"endpoint_id": generated})
            cache.private_endpoints[endpoint.name] = endpoint
            await world.changed(cache)
            return None
        case "foreign-name":
            world.foreign_names.add(str(body["name"]).lower())
            return None
        case "revoke":
            world.revoked.update(t for t, owner in world.issued.items() if owner == body["object_id"])
            return None
        case "unassign":
            kept = [(t, a) for t, a in world.assignments if not _is_assignment(a, body)]
            removed = len(world.assignments) - len(kept)
            world.assignments[:] = kept
            return removed
        case "unlock":
            world.locks[:] = [lock for lock in world.locks if lock.name != body["name"]]
            return None
        case "policy-remove":
            world.policies[:] = [policy for policy in world.policies if policy.name != body["name"]]
            return None
    if command in commands_managed_redis.COMMANDS:
        return await commands_managed_redis.run(world, command, body)
    if command in commands_storage.COMMANDS:
        return await commands_storage.run(world, command, body)
    return _secret_command(world, command, body)


def _is_assignment(assignment: seeds.RoleAssignment, body: Json) -> bool:
    return assignment.object_id == body["object_id"] and body.get("scope") in (None, assignment.scope)


def _secret_command(world: World, command: str, body: Json) -> Any:
    now = int(world.timeline.now())
    match command:
        case "secret-set":
            vault = _vault(world, body["vault"])
            return vault.add(body["name"], seeds.SecretVersion.model_validate(body["version"]), now).id
        case "secret-change":
            secret = _vault(world, body["vault"]).secret(body["name"])
            version = secret.find(body.get("version", "")) if secret else None
            if version is None:
                raise ValueError(f"there is no secret {body['name']!r} with that version")
            for name, value in body["change"].items():
                if name not in ("enabled", "not_before", "expires", "tags", "content_type"):
                    raise ValueError(f"{name!r} cannot be changed in a version")
                setattr(version, name, value)
            version.updated = now
            return None
        case "secret-delete":
            secret = _vault(world, body["vault"]).secret(body["name"])
            if secret is None:
                raise ValueError(f"there is no secret {body['name']!r}")
            secret.deleted_at = now
            secret.being_deleted = bool(body.get("being_deleted", False))
            return None
        case "secret-versions":
            secret = _vault(world, body["vault"]).secret(body["name"])
            return [
                {
                    "version": v.id,
                    "value": v.value,
                    "enabled": v.enabled,
                    "tags": v.tags,
                    "expires": v.expires,
                    "not_before": v.not_before,
                    "created": v.created,
                    "content_type": v.content_type,
                }
                for v in (secret.versions if secret and secret.deleted_at is None else [])
            ]
        case "vault-remove":
            world.vaults.pop(str(body["vault"]).lower(), None)
            return None
    raise ValueError(f"there is no command {command!r}")


async def _update(world: World, cache: CacheState, body: Json) -> None:
    """A change that someone else made: at once, unchecked, in wire names."""
    world.log.by_others.append((world.timeline.now(), cache.scope))
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
        cache.firewall = {rule.name: (rule.start, rule.end) for rule in rules}
    if body.get("location") is not None:
        cache.location = str(body["location"])
    if body.get("busy") is not None:
        cache.busy = bool(body["busy"])
    await world.changed(cache)
