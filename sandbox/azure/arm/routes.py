"""The resource manager's routes."""

from sandbox.azure.access.call import Call
from sandbox.azure.arm import (
    activity_log,
    keyvault,
    managed_redis,
    redis,
    redis_access,
    resources,
    role_assignments,
    storage,
    tags,
)
from sandbox.azure.arm.common import authenticate, headers, subscription
from sandbox.azure.responses import Answer, Refusal


async def handle(call: Call) -> Answer:
    """Answer a request to the management host. Path keywords ignore case, as ARM's do."""
    try:
        if call.method == "GET" and call.path.lower() == "/metadata/endpoints":
            return resources.metadata(call)  # the one answer of ARM that needs no token
        authenticate(call)
        answer = await _route(call)
    except Refusal as refusal:
        answer = refusal.answer
    return Answer(answer.status, answer.body, {**headers(call), **answer.headers})


async def _route(call: Call) -> Answer:
    parts = [part for part in call.path.split("/") if part]
    lower = [part.lower() for part in parts]
    match lower:
        case ["subscriptions", _, *_, "providers", "microsoft.authorization", "roleassignments" | "locks"]:
            return role_assignments.route(call, parts[:-3], parts[-1], None)
        case ["subscriptions", _, *_, "providers", "microsoft.authorization", "roledefinitions", _]:
            return role_assignments.route(call, parts[:-4], parts[-2], parts[-1])
        case [
            "subscriptions", _, "resourcegroups", _, "providers", "microsoft.cache", "redis", _,
            "providers", "microsoft.insights", "diagnosticsettings",
        ]:  # fmt: skip
            found = subscription(call, parts[1])
            return redis_access.diagnostics(call, found, parts[3], parts[7])
        case [
            "subscriptions", _, "resourcegroups", _, "providers", "microsoft.cache", "redisenterprise", _,
            "databases", "default", "providers", "microsoft.insights", "diagnosticsettings",
        ]:  # fmt: skip
            return managed_redis.diagnostics(call, subscription(call, parts[1]), parts[3], parts[7])
        case [
            "subscriptions", _, "resourcegroups", _, "providers", "microsoft.cache", "redis", _,
            "providers", "microsoft.resources", "tags", "default",
        ]:  # fmt: skip
            return await tags.route(call, parts[1], parts[3], parts[7])
        case ["subscriptions", _, "providers", "microsoft.insights", "eventtypes", "management", "values"]:
            return activity_log.route(call, parts[1])
        case ["subscriptions", _, "resources"] if call.method == "GET":
            return keyvault.resources(call, parts[1])
        case ["subscriptions", _, "resourcegroups", _, "resources"] if call.method == "GET":
            return keyvault.resources(call, parts[1], parts[3])
        case ["subscriptions", _, "resourcegroups", _, "providers", "microsoft.storage", "storageaccounts", *_]:
            return storage.route(call, parts[1], parts[3], parts[7:])
        case ["subscriptions", _, "resourcegroups", _, "providers", "microsoft.keyvault", "vaults", *_]:
            return keyvault.route(call, parts[1], parts[3], parts[7:])
        case ["tenants"] | ["subscriptions"]:
            return resources.top(call, lower[0])
        case ["subscriptions", _, "providers", "microsoft.cache", "locations", _, "operationsstatus", _]:
            return managed_redis.operation(call, parts[1], lower[7])
        case ["subscriptions", _, "providers", "microsoft.cache", "redis" | "locations" | "checknameavailability", *_]:
            return await redis.subscription_route(call, parts[1], parts[4:])
        case ["subscriptions", _, "providers", "microsoft.cache", "redisenterprise"]:
            return await managed_redis.route(call, parts[1], None, [])
        case ["subscriptions", _, "resourcegroups", _, "providers", "microsoft.cache", "redisenterprise", *_]:
            return await managed_redis.route(call, parts[1], parts[3], parts[7:])
        case ["subscriptions", _, "resourcegroups", _, "providers", "microsoft.cache", "redis", *_]:
            return await redis.group_route(call, parts[1], parts[3], parts[7:])
        case ["subscriptions", _, *_]:
            return resources.route(call, parts)
    raise Refusal(404, "InvalidResourceType", "The resource type could not be found.")
