"""Microsoft.Resources/tags of a cache: `az tag` and the portal change them without permission to change the cache."""

from sandbox.azure.access.call import Call
from sandbox.azure.arm.common import api_version, authorize, group, subscription, writable
from sandbox.azure.arm.preconditions import check_busy, check_lock
from sandbox.azure.arm.redis_validation import checked_tags
from sandbox.azure.responses import Answer, Json, Refusal
from sandbox.azure.seeds import seeds
from sandbox.azure.state.redis import CacheState

_TYPE = "Microsoft.Resources/tags"


async def route(call: Call, subscription_id: str, group_name: str, name: str) -> Answer:
    """`{cache}/providers/Microsoft.Resources/tags/default`: GET, PUT of all tags, and PATCH with an operation."""
    api_version(call)
    found = subscription(call, subscription_id)
    scope = seeds.cache_scope(found.id, group_name, name)
    if call.method not in ("GET", "PUT", "PATCH"):
        raise Refusal(405, "HttpMethodNotSupported", "The http method is not supported at this address.")
    authorize(call, f"{_TYPE}/{'read' if call.method == 'GET' else 'write'}", scope)
    group(call, found.id, group_name)
    cache = call.world.cache(found.id, group_name, name)
    if cache is None:
        raise Refusal(404, "ResourceNotFound", f"The Resource 'Microsoft.Cache/redis/{name}' was not found.")
    if call.method == "GET":
        return Answer(200, _show(cache))
    writable(found)
    check_lock(call, cache.scope, "write")
    check_busy(call, cache)
    cache.tags = checked_tags(_result(call, cache))
    await call.world.changed(cache)
    call.effect("cache.update", cache.scope, ("tags",))
    return Answer(200, _show(cache))


def _result(call: Call, cache: CacheState) -> dict[str, str]:
    """Return the tags as they will be. Names ignore case."""
    body = call.json()
    given = checked_tags((body.get("properties") or {}).get("tags"))
    operation = "replace" if call.method == "PUT" else str(body.get("operation", "")).lower()
    lower = {tag.lower(): value for tag, value in given.items()}
    match operation:
        case "replace":
            return given
        case "merge":
            return {**{tag: value for tag, value in cache.tags.items() if tag.lower() not in lower}, **given}
        case "delete":  # a tag with another value than the given one stays
            return {tag: value for tag, value in cache.tags.items() if lower.get(tag.lower()) not in ("", value)}
    raise Refusal(400, "InvalidTagsOperation", f"The tags operation '{operation}' is not supported.")


def _show(cache: CacheState) -> Json:
    return {
        "id": f"{cache.scope}/providers/{_TYPE}/default",
        "name": "default",
        "type": _TYPE,
        "properties": {"tags": dict(cache.tags)},
    }
