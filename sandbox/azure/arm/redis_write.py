"""Microsoft.Cache/redis: the calls that change a cache."""

import copy

from sandbox.azure.access.call import Call
from sandbox.azure.arm import identities, operations, redis_validation, update_course
from sandbox.azure.arm.common import group, provider_not_registered, writable
from sandbox.azure.arm.preconditions import (
    check_busy,
    check_linked,
    check_location,
    check_lock,
    check_persistence,
    check_policy,
)
from sandbox.azure.responses import (
    Answer,
    Json,
    Refusal,
    cache_refusal,
)
from sandbox.azure.seeds import seeds
from sandbox.azure.state import operation
from sandbox.azure.state.redis import (
    CacheState,
    default_configuration,
    instances,
    new_key,
)

_RETIRED = (
    "Azure Cache for Redis is retiring, create Azure Managed Redis instance instead. "
    "https://aka.ms/AzureCacheForRedisRetirement"
)
_NAME_TAKEN = (
    "An error occured when trying to reserve the DNS name for the cache instance. This may be a temporary issue if a "
    "cache instance of this name was recently deleted. Please try again later or use another name."
)


def check_name(call: Call) -> Answer:
    """POST checkNameAvailability: 200 and nothing else if the name is free."""
    body = call.json()
    name = body.get("name")
    if not isinstance(name, str) or not redis_validation.NAME.fullmatch(name):
        raise redis_validation.bad_value("name", call.request_id)
    if str(body.get("type", "")).lower() != "microsoft.cache/redis":
        raise redis_validation.bad_value("type", call.request_id)
    if _taken(call, name):
        raise cache_refusal(409, "NameNotAvailable", f"The name '{name}' is not available.", call.request_id)
    return Answer(200)


def _taken(call: Call, name: str) -> bool:
    world = call.world
    if name.lower() in world.caches or name.lower() in world.foreign_names:
        return True
    since = world.timeline.now() - world.settings.name_reserved_after_delete_seconds
    return any(g.name.lower() == name.lower() and (g.deleted_at or 0.0) > since for g in world.ghosts)


async def put(call: Call, found: seeds.Subscription, group_name: str, name: str, version: str) -> Answer:
    """PUT: creates, updates, or finds that nothing differs."""
    writable(found)
    home = group(call, found.id, group_name)
    if not found.registered:
        raise provider_not_registered()
    body = call.json()
    scope = seeds.cache_scope(found.id, home.name, name)
    check_lock(call, scope, "write")
    region = check_location(call, body.get("location"))
    existing = call.world.cache(found.id, home.name, name)
    if existing is not None:
        return await _put_existing(call, existing, region, body, version)
    tags = redis_validation.checked_tags(body.get("tags"))
    cache = _new(call, found, home, name, region, body)
    cache.tags = tags
    check_policy(call, scope, name, cache.show(call.world.names.domain))
    check_linked(call, scope, body)
    _check_creation(call, found, name, cache, region)
    world = call.world
    world.caches[name.lower()] = cache

    async def finish(succeeded: bool) -> None:
        cache.state = "Succeeded" if succeeded else "Failed"
        await world.changed(cache)

    operation = operations.start(call, cache, "create", world.settings.create_seconds, finish, version)
    await world.changed(cache)
    call.effect("cache.create", cache.scope, tuple(sorted(body.get("properties") or {})))
    location = f"{world.names.management}{call.path}?api-version={version}"
    shown = _as_accepted(cache.show(world.names.domain, keys=world.settings.put_returns_keys))
    return Answer(201, shown, {"Azure-AsyncOperation": operation.url, "Location": location})


def _as_accepted(shown: Json) -> Json:
    """Return a new cache as the PUT's answer shows it: replicas, shards and the primary node come later (recorded)."""
    for late in ("replicasPerMaster", "replicasPerPrimary"):
        shown["properties"].pop(late, None)
    for node in shown["properties"]["instances"]:
        node.pop("shardId", None)
        node["isMaster"] = node["isPrimary"] = False
    return shown


def _new(
    call: Call, found: seeds.Subscription, home: seeds.Group, name: str, region: seeds.Region, body: Json
) -> CacheState:
    if not redis_validation.NAME.fullmatch(name):
        raise redis_validation.bad_value("name", call.request_id)
    given: Json = body.get("properties") or {}
    sku = redis_validation.normalised_sku(given.get("sku"), call.request_id)
    properties: Json = {
        "redisVersion": "6.0",
        "enableNonSslPort": False,
        "publicNetworkAccess": "Enabled",
        "disableAccessKeyAuthentication": False,
        "updateChannel": "Stable",
        **redis_validation.checked_properties(given, sku, call.request_id),
    }
    configuration = {
        **default_configuration(sku),
        **redis_validation.checked_configuration(given.get("redisConfiguration"), sku, call.request_id),
    }
    redis_validation.check_keys_switch(properties, configuration, call.world.settings, call.request_id)
    zones = tuple(str(zone) for zone in body.get("zones") or ())
    if zones and (sku["name"] != "Premium" or not region.zones):
        raise redis_validation.bad_value("zones", call.request_id)
    if sku["name"] != "Basic":
        automatic = "Automatic" if region.zones else "NoZones"
        properties.setdefault("zonalAllocationPolicy", "UserDefined" if zones else automatic)
    replicas = int(properties.get("replicasPerPrimary") or properties.get("replicasPerMaster") or 1)
    if sku["name"] == "Premium":
        properties["replicasPerMaster"] = properties["replicasPerPrimary"] = replicas
    properties["instances"] = instances(sku, zones, int(properties.get("shardCount") or 0), replicas)
    keys = {"Primary": new_key(), "Secondary": new_key()}
    return CacheState(
        subscription=found.id,
        group=home.name,
        name=name,
        tenant=found.tenant,
        location=region.display,
        sku=sku,
        tags={},
        properties=properties,
        configuration=configuration,
        identity=identities.shown(call.world, body.get("identity"), found.tenant),
        zones=zones,
        keys=keys,
        live_keys=(keys["Primary"], keys["Secondary"]),
        state="Creating",
    )


def _check_creation(call: Call, found: seeds.Subscription, name: str, cache: CacheState, region: seeds.Region) -> None:
    world = call.world
    tenant = world.tenants.get(found.tenant.lower())
    if world.settings.retired_for_new_tenants and tenant is not None and not tenant.redis_customer:
        raise cache_refusal(400, "BadRequest", _RETIRED)
    if _taken(call, name):
        raise cache_refusal(409, "NameNotAvailable", _NAME_TAKEN, call.request_id)
    if cache.sku["name"] in region.unavailable_skus:
        raise Refusal(
            400,
            "SkuNotAvailable",
            f"The requested size for resource '{cache.id}' is currently not available in location '{region.name}' for "
            "subscription. Please try another size or deploy to a different location.",
        )
    mine = sum(1 for other in world.caches.values() if other.subscription.lower() == found.id.lower())
    if mine >= world.settings.cache_quota_per_subscription:
        raise cache_refusal(
            409,
            "QuotaExceeded",
            f"The subscription has reached its limit of {world.settings.cache_quota_per_subscription} cache instances.",
            call.request_id,
        )


async def _put_existing(call: Call, cache: CacheState, region: seeds.Region, body: Json, version: str) -> Answer:
    if region.display.lower() != cache.location.lower():
        raise Refusal(
            409,
            "InvalidResourceLocation",
            f"The resource '{cache.name}' already exists in location '{cache.location}' in resource group "
            f"'{cache.group}'. A resource with the same name cannot be created in location '{region.name}'. Please "
            "select a new resource name.",
        )
    check_busy(call, cache)
    # A PUT that does not name publicNetworkAccess opens the cache (recorded).
    properties = {"publicNetworkAccess": "Enabled", **(body.get("properties") or {})}
    identity = {"identity": body["identity"]} if "identity" in body else {}
    changed = _planned(call, cache, {"tags": body.get("tags") or {}, "properties": properties, **identity})
    world = call.world
    if _same(changed, cache):
        return Answer(200, cache.show(world.names.domain, keys=world.settings.put_returns_keys))
    state = "Scaling" if update_course.scaled(cache, changed) else "Updating"
    operation = _begin_update(call, cache, update_course.Course(state, changed=cache), changed, version, body)
    shown = cache.show(world.names.domain, keys=world.settings.put_returns_keys)
    await world.changed(cache)
    return Answer(200, shown, {"Azure-AsyncOperation": operation.url})


async def patch(call: Call, found: seeds.Subscription, cache: CacheState, version: str) -> Answer:
    """PATCH: done immediately, or by an operation, as `update_course` knows from recordings."""
    writable(found)
    check_lock(call, cache.scope, "write")
    body = call.json()
    check_busy(call, cache)
    changed = _planned(call, cache, body)
    world = call.world
    course = update_course.of_patch(cache, changed, world.settings)
    if course is None:
        _record(call, cache, body)
        closes = _closes(call, cache, changed)
        update_course.apply(cache, copy.deepcopy(cache), changed)
        cache.state = "Succeeded"
        await world.changed(cache, cut=closes)
        return Answer(200, cache.show(world.names.domain))
    operation = _begin_update(call, cache, course, changed, version, body)
    await world.changed(cache)
    shown = cache.show(world.names.domain)
    if not course.polled:
        return Answer(200, shown)
    return Answer(202, shown, {"Azure-AsyncOperation": operation.url, "Location": operation.url})


def _planned(call: Call, cache: CacheState, body: Json) -> CacheState:
    """Return the cache as it will be. Raises Refusal for a change that is not allowed."""
    given: Json = body.get("properties") or {}
    after = copy.deepcopy(cache)
    if "tags" in body:
        after.tags = redis_validation.checked_tags(body["tags"])
    if given.get("sku") is not None:
        after.sku = redis_validation.normalised_sku(given["sku"], call.request_id)
        redis_validation.check_scale(cache.sku, after.sku, call.request_id)
    after.properties |= redis_validation.checked_properties(given, after.sku, call.request_id)
    scaled = after.sku != cache.sku
    wanted = redis_validation.checked_configuration(given.get("redisConfiguration"), after.sku, call.request_id)
    if scaled:
        # Documented: memory settings in the same call as a scale are ignored.
        wanted = {name: value for name, value in wanted.items() if "memory" not in name}
        after.configuration |= default_configuration(after.sku)
    if call.world.settings.configuration_patch_replaces and given.get("redisConfiguration") is not None:
        after.configuration = default_configuration(after.sku)
    after.configuration |= wanted
    if "identity" in body:
        after.identity = identities.changed(call.world, cache.identity, body["identity"], cache.tenant)
    redis_validation.check_update(cache, after, given, call.world.settings, call.request_id)
    redis_validation.check_keys_switch(after.properties, after.configuration, call.world.settings, call.request_id)
    if given.get("redisConfiguration") is not None:
        check_persistence(call, after)
    check_policy(call, cache.scope, cache.name, after.show(call.world.names.domain))
    check_linked(call, cache.scope, body)
    return after


def _same(after: CacheState, before: CacheState) -> bool:
    return (after.tags, after.sku, after.properties, after.configuration, after.identity) == (
        before.tags,
        before.sku,
        before.properties,
        before.configuration,
        before.identity,
    )


def _begin_update(
    call: Call, cache: CacheState, course: update_course.Course, after: CacheState, version: str, body: Json
) -> operation.Operation:
    world = call.world
    scales, closes = update_course.scaled(cache, after), _closes(call, cache, after)
    update_course.apply(cache, copy.deepcopy(cache), course.changed)
    before = copy.deepcopy(cache)

    async def finish(succeeded: bool) -> None:
        cache.state = "Succeeded" if succeeded else "Failed"
        if succeeded:
            update_course.apply(cache, before, after)
        await world.changed(cache, cut=succeeded and closes)

    seconds = world.settings.scale_seconds if scales else world.settings.update_seconds
    operation = operations.start(call, cache, "update", seconds, finish, version)
    cache.state = course.state
    _record(call, cache, body)
    return operation


def _closes(call: Call, before: CacheState, after: CacheState) -> bool:
    """Whether the change ends the connections of clients that use a key."""
    return not before.keys_disabled and after.keys_disabled and call.world.settings.disabling_keys_cuts_connections


def _record(call: Call, cache: CacheState, body: Json) -> None:
    fields = [f"properties.{name}" for name in body.get("properties") or {}]
    call.effect("cache.update", cache.scope, tuple(sorted([*fields, *(k for k in body if k != "properties")])))


async def delete(call: Call, found: seeds.Subscription, group_name: str, name: str, version: str) -> Answer:
    """DELETE: 202 and an operation polled at its results URL; 204 for a missing cache."""
    writable(found)
    group(call, found.id, group_name)
    world = call.world
    cache = world.cache(found.id, group_name, name)
    if cache is None:
        if world.settings.delete_missing_status == 204:
            return Answer(204)
        raise Refusal(404, "ResourceNotFound", f"The Resource 'Microsoft.Cache/redis/{name}' was not found.")
    check_lock(call, cache.scope, "delete")
    check_busy(call, cache)
    if cache.properties.get("linkedServers"):
        raise cache_refusal(
            400,
            "BadRequest",
            f"Cannot delete '{cache.name}' since it has linked servers associated with it. Please remove the linked "
            "server(s) and then try deleting the cache.",
            call.request_id,
        )

    async def finish(succeeded: bool) -> None:
        if succeeded:
            await world.remove(cache)
        else:
            cache.state = "Failed"
            await world.changed(cache)

    operation = operations.start(call, cache, "delete", world.settings.delete_seconds, finish, version)
    cache.state = "Deleting"
    await world.changed(cache)
    call.effect("cache.delete", cache.scope)
    return Answer(202, None, {"Location": operation.url})


async def regenerate(call: Call, found: seeds.Subscription, cache: CacheState, version: str) -> Answer:
    """POST regenerateKey: one key. The answer has both keys; a setting makes it a long-running operation instead.

    A geo-linked cache has keys of its own (documented) and regenerates like any other (not documented).
    """
    writable(found)
    check_lock(call, cache.scope, "regenerateKey")
    slot = call.json().get("keyType")
    if slot not in ("Primary", "Secondary"):
        raise redis_validation.bad_value("keyType", call.request_id)
    check_busy(call, cache)
    if cache.keys_disabled:
        raise cache_refusal(
            400,
            "BadRequest",
            "Access key authentication is disabled for this cache. Keys cannot be listed or regenerated.",
            call.request_id,
        )
    seconds = call.world.settings.regenerate_seconds
    if seconds > 0:

        async def finish(succeeded: bool) -> None:
            if succeeded:
                await call.world.regenerate_key(cache, slot)
                call.effect("cache.regenerateKey", cache.scope, (slot,))

        operation = operations.start(call, cache, "regenerateKey", seconds, finish, version)
        return Answer(202, None, {"Azure-AsyncOperation": operation.url, "Location": operation.url})
    await call.world.regenerate_key(cache, slot)
    call.effect("cache.regenerateKey", cache.scope, (slot,))
    return Answer(200, {"primaryKey": cache.keys["Primary"], "secondaryKey": cache.keys["Secondary"]})
