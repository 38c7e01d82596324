"""Microsoft.Cache/redis: routes and the calls that change nothing."""

from sandbox.azure.access.call import Call
from sandbox.azure.access.role_checks import covers
from sandbox.azure.arm import (
    operations,
    redis_access,
    redis_children,
    redis_write,
)
from sandbox.azure.arm.common import (
    REDIS_API_VERSIONS,
    api_version,
    authorize,
    group,
    may,
    page,
    subscription,
)
from sandbox.azure.arm.preconditions import check_lock
from sandbox.azure.responses import (
    Answer,
    Json,
    Refusal,
    cache_refusal,
)
from sandbox.azure.seeds import seeds
from sandbox.azure.state.redis import CacheState

_READ = "Microsoft.Cache/redis/read"
# The first interface version that shows a property (recorded).
_SINCE = {
    "updateChannel": "2023-08-01",
    "disableAccessKeyAuthentication": "2024-03-01",
    "replicasPerMaster": "2024-11-01",
    "replicasPerPrimary": "2024-11-01",
    "zonalAllocationPolicy": "2024-11-01",
}


async def subscription_route(call: Call, subscription_id: str, parts: list[str]) -> Answer:
    """Below /subscriptions/{s}/providers/Microsoft.Cache."""
    version = api_version(call, REDIS_API_VERSIONS)
    found = subscription(call, subscription_id)
    scope = seeds.subscription_scope(found.id)
    match [call.method, *[part.lower() for part in parts]]:
        case ["GET", "redis"]:
            return _as_of(version, _list(call, found, scope, None))
        case ["POST", "checknameavailability"]:
            authorize(call, "Microsoft.Cache/checknameavailability/action", scope)
            return redis_write.check_name(call)
        case ["GET", "locations", _, "asyncoperations" | "operationresults" as kind, identifier]:
            action = "asyncOperations" if kind == "asyncoperations" else "operationResults"
            authorize(call, f"Microsoft.Cache/locations/{action}/read", scope)
            return operations.show(call, identifier, results=kind == "operationresults")
    raise _not_allowed()


async def group_route(call: Call, subscription_id: str, group_name: str, parts: list[str]) -> Answer:
    """Below /subscriptions/{s}/resourceGroups/{g}/providers/Microsoft.Cache/redis."""
    version = api_version(call, REDIS_API_VERSIONS)
    return _as_of(version, await _in_group(call, subscription_id, group_name, parts, version))


def _as_of(version: str, answer: Answer) -> Answer:
    """Leave out what the interface version does not show."""
    late = {name for name, since in _SINCE.items() if version < since}
    if not late or not isinstance(answer.body, dict):
        return answer

    def older(shown: Json) -> Json:
        properties = {name: value for name, value in shown.get("properties", {}).items() if name not in late}
        return {**shown, "properties": properties} if "properties" in shown else shown

    body = answer.body
    body = {**body, "value": [older(one) for one in body["value"]]} if "value" in body else older(body)
    return Answer(answer.status, body, answer.headers)


async def _in_group(call: Call, subscription_id: str, group_name: str, parts: list[str], version: str) -> Answer:
    found = subscription(call, subscription_id)
    if not parts:
        if call.method != "GET":
            raise _not_allowed()
        return _list(call, found, seeds.group_scope(found.id, group_name), group_name)
    scope = seeds.cache_scope(found.id, group_name, parts[0])
    match [call.method, *[part.lower() for part in parts[1:]]]:
        case ["GET"]:
            authorize(call, _READ, scope)
            return Answer(200, _get(call, found.id, group_name, parts[0]))
        case ["POST", "listkeys"]:
            authorize(call, "Microsoft.Cache/redis/listKeys/action", scope)
            return _list_keys(call, existing(call, found.id, group_name, parts[0]))
        case ["PUT"]:
            authorize(call, "Microsoft.Cache/redis/write", scope)
            return await redis_write.put(call, found, group_name, parts[0], version)
        case ["PATCH"]:
            authorize(call, "Microsoft.Cache/redis/write", scope)
            return await redis_write.patch(call, found, existing(call, found.id, group_name, parts[0]), version)
        case ["DELETE"]:
            authorize(call, "Microsoft.Cache/redis/delete", scope)
            return await redis_write.delete(call, found, group_name, parts[0], version)
        case ["POST", "regeneratekey"]:
            authorize(call, "Microsoft.Cache/redis/regenerateKey/action", scope)
            cache = existing(call, found.id, group_name, parts[0])
            return await redis_write.regenerate(call, found, cache, version)
        case [_, "accesspolicies" | "accesspolicyassignments", *_]:
            return redis_access.route(call, found, scope, parts, group_name)
        case [_, "firewallrules" | "privateendpointconnections" | "patchschedules", *_]:
            return await redis_children.route(call, found, scope, parts, group_name)
    raise _not_allowed()


def existing(call: Call, subscription_id: str, group_name: str, name: str) -> CacheState:
    """Return the cache as it is now. Raises Refusal 404 for a missing group or cache."""
    group(call, subscription_id, group_name)
    found = call.world.cache(subscription_id, group_name, name)
    if found is None:
        raise not_found(group_name, name)
    return found


def not_found(group_name: str, name: str) -> Refusal:
    """Return ARM's refusal for a missing cache."""
    return Refusal(
        404,
        "ResourceNotFound",
        f"The Resource 'Microsoft.Cache/redis/{name}' under resource group '{group_name}' was not found. For more "
        "details please go to https://aka.ms/ARMResourceNotFoundFix",
    )


def _get(call: Call, subscription_id: str, group_name: str, name: str) -> Json:
    group(call, subscription_id, group_name)
    behind = call.world.settings.stale_get_seconds
    if behind <= 0:
        return existing(call, subscription_id, group_name, name).show(call.world.names.domain)
    wanted = seeds.cache_scope(subscription_id, group_name, name).lower()
    for shown in _seen(call, behind):
        if str(shown["id"]).lower() == wanted:
            return shown
    raise not_found(group_name, name)


def _seen(call: Call, behind: float) -> list[Json]:
    """Return every cache as a reader sees it that is `behind` by so many seconds."""
    world = call.world
    moment = world.timeline.now() - behind
    gone = [c for c in world.ghosts if c.deleted_at is not None and c.deleted_at > moment]
    alive = list(world.caches.values())
    snapshots = [c.seen_at(moment) for c in [*alive, *(g for g in gone if g.name.lower() not in world.caches)]]
    return [snapshot for snapshot in snapshots if snapshot is not None]


def _list(call: Call, found: seeds.Subscription, scope: str, group_name: str | None) -> Answer:
    world = call.world
    if world.settings.list_needs_scope_right:
        authorize(call, _READ, scope)
    call.action = _READ
    if group_name is not None:
        group(call, found.id, group_name)
    everything = may(call, _READ, scope)

    def readable(identifier: str) -> bool:
        return covers(scope, identifier) and (everything or may(call, _READ, identifier))

    behind, size = world.settings.stale_list_seconds, world.settings.page_size
    if behind > 0:
        shown = [one for one in _seen(call, behind) if readable(str(one["id"]))]
        return page(call, sorted(shown, key=lambda one: str(one["name"]).lower()), size)
    # Only what is on the page is rendered: a list of a thousand caches is asked for ten times.
    names = sorted(name for name, cache in world.caches.items() if readable(cache.scope))
    answer = page(call, names, size)
    rendered = [world.caches[name].show(world.names.domain) for name in answer.body["value"]]
    return Answer(answer.status, {**answer.body, "value": rendered}, answer.headers)


def _list_keys(call: Call, cache: CacheState) -> Answer:
    check_lock(call, cache.scope, "listKeys")
    if cache.keys_disabled and call.world.settings.list_keys_refused_when_disabled:
        raise cache_refusal(
            400,
            "BadRequest",
            "Access key authentication is disabled for this cache. Keys cannot be listed or regenerated.",
            call.request_id,
        )
    keys = cache.listed_keys(call.world.timeline.now())
    return Answer(200, {"primaryKey": keys["Primary"], "secondaryKey": keys["Secondary"]})


def _not_allowed() -> Refusal:
    return Refusal(405, "HttpMethodNotSupported", "The http method is not supported at this address.")
