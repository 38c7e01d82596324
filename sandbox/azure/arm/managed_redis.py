"""Microsoft.Cache/redisEnterprise: routes and the calls that change nothing."""

from sandbox.azure.access.call import Call
from sandbox.azure.access.role_checks import covers
from sandbox.azure.arm import managed_redis_database as database
from sandbox.azure.arm import managed_redis_operations as operations
from sandbox.azure.arm import managed_redis_versions as versions
from sandbox.azure.arm import managed_redis_write as write
from sandbox.azure.arm.common import (
    api_version,
    authorize,
    group,
    may,
    page,
    subscription,
)
from sandbox.azure.arm.managed_redis_refusals import not_found, not_supported, refusal
from sandbox.azure.responses import Answer
from sandbox.azure.seeds import seeds
from sandbox.azure.seeds.managed_redis import managed_scope
from sandbox.azure.state.managed_redis import TYPE, ManagedState

_READ = f"{TYPE}/read"
_DATABASES = f"{TYPE}/databases"
_ASSIGNMENTS = f"{_DATABASES}/accessPolicyAssignments"


async def route(call: Call, subscription_id: str, group_name: str | None, parts: list[str]) -> Answer:
    """Below /subscriptions/{s}[/resourceGroups/{g}]/providers/Microsoft.Cache/redisEnterprise."""
    version = versions.requested(call)
    found = subscription(call, subscription_id)
    if not parts and call.method == "GET":
        return _list(call, found, group_name, version)
    if group_name is None or not parts:
        raise not_supported()
    scope = managed_scope(found.id, group_name, parts[0])
    match [call.method, *[part.lower() for part in parts[1:]]]:
        case ["GET"]:
            authorize(call, _READ, scope)
            return Answer(200, write.show(call, _existing(call, found, group_name, parts[0], version), version))
        case ["PUT"]:
            authorize(call, f"{TYPE}/write", scope)
            return await write.put(call, found, group_name, parts[0], version)
        case ["PATCH"]:
            authorize(call, f"{TYPE}/write", scope)
            return await write.patch(call, found, _existing(call, found, group_name, parts[0], version), version)
        case ["DELETE"]:
            authorize(call, f"{TYPE}/delete", scope)
            return await write.delete(call, found, group_name, parts[0], version)
        case ["POST", "listskusforscaling"]:
            authorize(call, f"{TYPE}/listSkusForScaling/action", scope)
            return write.scaling_skus(call, _existing(call, found, group_name, parts[0], version))
        case ["GET", "operationresults", identifier]:
            authorize(call, f"{TYPE}/operationResults/read", scope)
            return operations.show(call, identifier, results=True)
        case [_, "databases", *_]:
            return await _database(call, found, group_name, parts, version)
    raise not_supported()


async def _database(call: Call, found: seeds.Subscription, group_name: str, parts: list[str], version: str) -> Answer:
    """Requests at /redisEnterprise/{name}/databases and below; `parts` begins with the cluster's name."""
    parent = managed_scope(found.id, group_name, parts[0])
    scope = "/".join([parent, *parts[1:3]])
    match [call.method, *[part.lower() for part in parts[2:]]]:
        case ["GET"]:
            authorize(call, f"{_DATABASES}/read", parent)
            cluster = _existing(call, found, group_name, parts[0], version)
            shown = [] if cluster.database is None else [database.show(cluster, version)]
            return page(call, shown, call.world.settings.page_size)
        case ["GET", _]:
            authorize(call, f"{_DATABASES}/read", scope)
            return Answer(200, database.show(_with_database(call, found, group_name, parts, version), version))
        case ["PUT", _]:
            authorize(call, f"{_DATABASES}/write", scope)
            return await database.put(call, found, group_name, parts, version)
        case ["PATCH", _]:
            authorize(call, f"{_DATABASES}/write", scope)
            _existing(call, found, group_name, parts[0], version)
            raise refusal(call, 501, "NotImplemented", "The requested operation is not implemented.")
        case ["DELETE", _]:
            authorize(call, f"{_DATABASES}/delete", scope)
            return await database.delete(call, found, group_name, parts, version)
        case ["POST", _, "listkeys"]:
            authorize(call, f"{_DATABASES}/listKeys/action", scope)
            return database.list_keys(call, _existing(call, found, group_name, parts[0], version), parts, version)
        case ["POST", _, "regeneratekey"]:
            authorize(call, f"{_DATABASES}/regenerateKey/action", scope)
            cluster = _existing(call, found, group_name, parts[0], version)
            return await database.regenerate(call, found, cluster, parts, version)
        case ["GET", _, "operationresults", identifier]:
            authorize(call, f"{_DATABASES}/operationResults/read", scope)
            return operations.show(call, identifier, results=True)
        case ["GET", _, "accesspolicyassignments", *rest] if len(rest) < 2:
            authorize(call, f"{_ASSIGNMENTS}/read", scope)
            return _assignments(call, _with_database(call, found, group_name, parts, version), parts, version)
    raise not_supported()


def operation(call: Call, subscription_id: str, identifier: str) -> Answer:
    """GET /subscriptions/{s}/providers/Microsoft.Cache/locations/{l}/operationsStatus/{id}."""
    versions.requested(call)
    found = subscription(call, subscription_id)
    if call.method != "GET":
        raise not_supported()
    authorize(call, "Microsoft.Cache/locations/operationsStatus/read", seeds.subscription_scope(found.id))
    return operations.show(call, identifier, results=False)


def diagnostics(call: Call, found: seeds.Subscription, group_name: str, name: str) -> Answer:
    """GET of the Microsoft.Insights/diagnosticSettings of a cluster's database, which has the logs: one page."""
    api_version(call)
    kind = "Microsoft.Insights/diagnosticSettings"
    scope = managed_scope(found.id, group_name, name)
    if call.method != "GET":
        raise not_supported()
    authorize(call, f"{kind}/read", scope)
    cluster = _existing(call, found, group_name, name)
    shown = [
        {
            "id": f"{scope.lower()}/databases/default/providers/{kind}/{one}",
            "name": one,
            "type": kind,
            "properties": dict(properties),
        }
        for one, properties in cluster.diagnostics.items()
    ]
    return Answer(200, {"value": shown})


def _list(call: Call, found: seeds.Subscription, group_name: str | None, version: str) -> Answer:
    world = call.world
    scope = seeds.subscription_scope(found.id) if group_name is None else seeds.group_scope(found.id, group_name)
    if world.settings.list_needs_scope_right:
        authorize(call, _READ, scope)
    call.action = _READ
    if group_name is not None:
        group(call, found.id, group_name)
    names = sorted(
        name
        for name, cluster in world.clusters.items()
        if covers(scope, cluster.scope) and may(call, _READ, cluster.scope)
    )
    answer = page(call, names, world.settings.page_size)
    whole = world.settings.managed_list_is_whole
    shown = [write.show(call, world.clusters[name], version, endpoints=whole) for name in answer.body["value"]]
    if world.settings.managed_failed_looks_healthy_in_list:
        for one in shown:
            if one["properties"].get("resourceState") == "CreateFailed":
                one["properties"] |= {"provisioningState": "Succeeded", "resourceState": "Running"}
    return Answer(answer.status, {**answer.body, "value": shown}, answer.headers)


def _assignments(call: Call, cluster: ManagedState, parts: list[str], version: str) -> Answer:
    strings = versions.brings(version, versions.ACCESS_STRING_SINCE)
    shown = [cluster.show_assignment(one, strings=strings) for one in cluster.assignments]
    if len(parts) == 4:
        return page(call, shown, call.world.settings.page_size)
    one = next((entry for entry in shown if entry["name"].lower() == parts[4].lower()), None)
    if one is None:
        raise not_found(call, "/".join(parts))
    return Answer(200, one)


def _existing(
    call: Call, found: seeds.Subscription, group_name: str, name: str, version: str | None = None
) -> ManagedState:
    """Return the cluster. With `version`, its region must serve that API version. Raises Refusal."""
    group(call, found.id, group_name)
    cluster = call.world.clusters.get(managed_scope(found.id, group_name, name).lower())
    if cluster is None:
        raise not_found(call, name)
    if version is not None:
        versions.check_region(call, version, cluster.location)
    return cluster


def _with_database(
    call: Call, found: seeds.Subscription, group_name: str, parts: list[str], version: str
) -> ManagedState:
    cluster = _existing(call, found, group_name, parts[0], version)
    if parts[2].lower() != "default" or cluster.database is None:
        raise not_found(call, f"{parts[0]}/databases/{parts[2]}")
    return cluster
