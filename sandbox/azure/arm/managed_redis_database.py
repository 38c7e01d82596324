"""Microsoft.Cache/redisEnterprise/databases: the one database of a cluster, and its access keys."""

import copy

from sandbox.azure.access.call import Call
from sandbox.azure.arm import managed_redis_operations
from sandbox.azure.arm import managed_redis_versions as versions
from sandbox.azure.arm.common import group, provider_not_registered, writable
from sandbox.azure.arm.managed_redis_database_values import check_change, planned
from sandbox.azure.arm.managed_redis_operations import Result, addresses, check_busy, settle
from sandbox.azure.arm.managed_redis_refusals import bad_request, conflict, no_parent, not_found
from sandbox.azure.arm.preconditions import check_lock, check_policy
from sandbox.azure.responses import Answer, Json, Refusal
from sandbox.azure.seeds import seeds
from sandbox.azure.seeds.managed_redis import managed_scope
from sandbox.azure.state.managed_redis import TYPE, ManagedState, merge

_CHILD = "/databases/default"
_NAME = "default"
_STATES = ("provisioningState", "resourceState")
_WRONG_NAME = "You can currently only create or update a single RedisEnterprise database which must be named 'default'."
_NO_KEYS = "Access keys authentication is disabled for this database. Keys cannot be listed or regenerated."


def show(cluster: ManagedState, version: str) -> Json:
    """Return the database as an answer of this API version shows it."""
    return cluster.show_database(hidden=versions.hidden_of_database(version))


def _parent(call: Call, found: seeds.Subscription, group_name: str, name: str, operation: str) -> ManagedState:
    group(call, found.id, group_name)
    scope = managed_scope(found.id, group_name, name)
    cluster = call.world.clusters.get(scope.lower())
    if cluster is None:
        raise no_parent(scope, operation)
    return cluster


async def put(call: Call, found: seeds.Subscription, group_name: str, parts: list[str], version: str) -> Answer:
    """PUT of the database: creates it, or replaces all of it that can be replaced."""
    writable(found)
    if not found.registered:
        raise provider_not_registered()
    cluster = _parent(call, found, group_name, parts[0], "write")
    versions.check_region(call, version, cluster.location)
    check_lock(call, cluster.scope, "write")
    if parts[2].lower() != _NAME:
        raise bad_request(call, _WRONG_NAME)
    body = call.json()
    check_busy(call, cluster)
    if cluster.properties["resourceState"] != "Running":
        raise conflict(call)
    given: Json = body.get("properties") or {}
    database = planned(call, cluster, given, version)
    if cluster.database is not None:
        check_change(call, cluster, database, given)
    after = copy.deepcopy(cluster)
    after.database = {**{name: (cluster.database or {}).get(name) for name in _STATES}, **database}
    check_policy(call, f"{cluster.scope}{_CHILD}", _NAME, show(after, version))
    call.effect("database.put", f"{cluster.scope}{_CHILD}", tuple(sorted(given)))
    if cluster.database is None:
        return await _create(call, cluster, database, version)
    return await _replace(call, cluster, after, version)


async def _create(call: Call, cluster: ManagedState, database: Json, version: str) -> Answer:
    world = call.world
    cluster.renew_keys()
    cluster.database_absent = set()
    cluster.database = {**database, "provisioningState": "Creating", "resourceState": "Creating"}

    async def finish(result: Result) -> None:
        if result is Result.UNDONE:
            cluster.database = None
        elif result is Result.FAILED and cluster.database is not None:
            cluster.database |= {"provisioningState": "Failed", "resourceState": "CreateFailed"}
        else:
            settle(call, cluster, lambda: cluster.database)
        await world.changed_cluster(cluster)

    seconds = world.settings.managed_database_seconds
    operation = managed_redis_operations.start(call, cluster, seconds, finish, version, child=_CHILD)
    return Answer(201, show(cluster, version), addresses(operation))


async def _replace(call: Call, cluster: ManagedState, after: ManagedState, version: str) -> Answer:
    world = call.world
    before = copy.deepcopy(cluster)
    at_once = world.settings.managed_shows_wanted_values
    # Connections by key and by Entra alike end when keys are switched on or off (documented).
    cuts = before.keys_enabled != after.keys_enabled

    async def finish(result: Result) -> None:
        if result is Result.DONE:
            if not at_once:
                merge(cluster, before, after)
        elif at_once:
            merge(cluster, after, before)
        if result is Result.FAILED and cluster.database is not None:
            cluster.database |= {"provisioningState": "Failed", "resourceState": "UpdateFailed"}
        else:
            settle(call, cluster, lambda: cluster.database)
        await world.changed_cluster(cluster, cut=cuts and result is Result.DONE)

    seconds = world.settings.managed_database_seconds
    operation = managed_redis_operations.start(call, cluster, seconds, finish, version, child=_CHILD)
    if at_once:
        merge(cluster, before, after)
    cluster.database_absent -= set(after.database or {})
    cluster.change(database={"provisioningState": "Updating", "resourceState": "Updating"})
    return Answer(200, show(cluster, version), addresses(operation))


async def delete(call: Call, found: seeds.Subscription, group_name: str, parts: list[str], version: str) -> Answer:
    """DELETE of the database with its data and keys: 202 and an operation; 204 for a missing one."""
    writable(found)
    cluster = _parent(call, found, group_name, parts[0], "delete")
    versions.check_region(call, version, cluster.location)
    world = call.world
    if parts[2].lower() != _NAME or cluster.database is None:
        if world.settings.delete_missing_status == 204:
            return Answer(204)
        raise Refusal(404, "ResourceNotFound", f"The Resource '{TYPE}/{parts[0]}/databases/{parts[2]}' was not found.")
    check_lock(call, f"{cluster.scope}{_CHILD}", "delete")
    check_busy(call, cluster)
    states = {one: cluster.database[one] for one in _STATES}

    async def finish(result: Result) -> None:
        if result is Result.DONE:
            cluster.database = None
            cluster.assignments = ()
        elif result is Result.FAILED:
            cluster.change(database={"provisioningState": "Failed", "resourceState": "DeleteFailed"})
        else:
            cluster.change(database=states)
        await world.changed_cluster(cluster)

    seconds = world.settings.managed_database_seconds
    operation = managed_redis_operations.start(call, cluster, seconds, finish, version, child=_CHILD)
    cluster.change(database={"provisioningState": "Deleting", "resourceState": "Deleting"})
    call.effect("database.delete", f"{cluster.scope}{_CHILD}")
    return Answer(202, None, addresses(operation))


def _check_database(call: Call, cluster: ManagedState, parts: list[str], version: str) -> None:
    versions.check_region(call, version, cluster.location)
    if parts[2].lower() != _NAME or cluster.database is None:
        raise not_found(call, f"{parts[0]}/databases/{parts[2]}")


def list_keys(call: Call, cluster: ManagedState, parts: list[str], version: str) -> Answer:
    """POST listKeys: both keys; while keys are off, a refusal or an answer without keys (a setting)."""
    _check_database(call, cluster, parts, version)
    check_lock(call, cluster.scope, "listKeys")
    if not cluster.keys_enabled:
        if call.world.settings.managed_list_keys_when_disabled == "refused":
            raise bad_request(call, _NO_KEYS)
        return Answer(200, {"primaryKey": None, "secondaryKey": None})
    keys = cluster.listed_keys(call.world.timeline.now())
    return Answer(200, {"primaryKey": keys["Primary"], "secondaryKey": keys["Secondary"]})


async def regenerate(
    call: Call, found: seeds.Subscription, cluster: ManagedState, parts: list[str], version: str
) -> Answer:
    """POST regenerateKey: one key, by an operation whose end has no keys; or immediately with both keys (a setting)."""
    _check_database(call, cluster, parts, version)
    writable(found)
    check_lock(call, cluster.scope, "regenerateKey")
    slot = call.json().get("keyType")
    if slot not in ("Primary", "Secondary"):
        raise bad_request(call, "The value of the parameter 'keyType' is invalid.")
    check_busy(call, cluster)
    if not cluster.keys_enabled:
        raise bad_request(call, _NO_KEYS)
    world, target = call.world, f"{cluster.scope}{_CHILD}"
    if not world.settings.managed_regenerate_by_operation:
        await world.regenerate_key(cluster, slot)
        call.effect("managedKey.regenerate", target, (slot,))
        return Answer(200, {"primaryKey": cluster.keys["Primary"], "secondaryKey": cluster.keys["Secondary"]})

    async def finish(result: Result) -> None:
        if result is Result.DONE:
            await world.regenerate_key(cluster, slot)
            call.effect("managedKey.regenerate", target, (slot,))

    seconds = world.settings.managed_regenerate_seconds
    operation = managed_redis_operations.start(call, cluster, seconds, finish, version, child=_CHILD)
    return Answer(202, None, addresses(operation))
