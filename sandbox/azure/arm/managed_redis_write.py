"""Microsoft.Cache/redisEnterprise: the calls that create, change and delete a cluster."""

import copy

from sandbox.azure.access.call import Call
from sandbox.azure.arm import identities, managed_redis_encryption, managed_redis_operations
from sandbox.azure.arm import managed_redis_skus as skus
from sandbox.azure.arm import managed_redis_validation as validation
from sandbox.azure.arm import managed_redis_versions as versions
from sandbox.azure.arm.common import group, provider_not_registered, writable
from sandbox.azure.arm.managed_redis_operations import Result, addresses, check_busy, settle
from sandbox.azure.arm.managed_redis_refusals import bad_request, conflict
from sandbox.azure.arm.preconditions import check_linked, check_location, check_lock, check_policy
from sandbox.azure.arm.redis_validation import checked_tags
from sandbox.azure.responses import Answer, Json, Refusal
from sandbox.azure.seeds import seeds
from sandbox.azure.seeds.managed_redis import managed_scope
from sandbox.azure.state.managed_redis import TYPE, ManagedState, merge
from sandbox.azure.state.operation import ManagedOperation

_RETIRED = (
    "Creation of new Azure Cache for Redis Enterprise resources is no longer supported. Azure Cache for Redis "
    "Enterprise is retiring, please create Azure Managed Redis instead."
)
_NO_CAPACITY = (
    "Request failed due to insufficient capacity. Retry using a different Azure Managed Redis size or region."
)
_REPLACED = ("encryption", "maintenanceConfiguration")


def show(call: Call, cluster: ManagedState, version: str, *, endpoints: bool = True) -> Json:
    """Return a cluster as an answer of this API version shows it."""
    host = call.world.names.managed_host(cluster.name, cluster.region)
    shown = cluster.show(host, endpoints=endpoints, hidden=versions.hidden_of_cluster(version))
    return versions.without_kind(shown, version)


async def put(call: Call, found: seeds.Subscription, group_name: str, name: str, version: str) -> Answer:
    """PUT of a cluster: creates or updates."""
    writable(found)
    home = group(call, found.id, group_name)
    if not found.registered:
        raise provider_not_registered()
    body = call.json()
    scope = managed_scope(found.id, home.name, name)
    check_lock(call, scope, "write")
    region = check_location(call, body.get("location"), TYPE)
    versions.check_region(call, version, region.name)
    existing = call.world.clusters.get(scope.lower())
    if existing is not None:
        return await _put_existing(call, existing, region, body, version)
    validation.check_name(call, name)
    cluster = _new(call, found, home, name, region, body, version)
    check_policy(call, scope, name, show(call, cluster, version))
    check_linked(call, scope, body, TYPE)
    _check_creation(call, found, cluster, region)
    return await _create(call, cluster, body, version)


async def _create(call: Call, cluster: ManagedState, body: Json, version: str) -> Answer:
    world = call.world
    short = world.capacity_failures > 0
    world.capacity_failures -= short
    world.clusters[cluster.scope.lower()] = cluster

    def trouble() -> Json | None:
        if short:
            return {"code": world.settings.managed_capacity_code, "message": _NO_CAPACITY}
        return managed_redis_encryption.trouble(world, cluster)

    async def finish(result: Result) -> None:
        match result:
            case Result.DONE:
                settle(call, cluster, lambda: cluster.properties)
            case Result.FAILED:
                cluster.properties |= {"provisioningState": "Failed", "resourceState": "CreateFailed"}
            case Result.UNDONE:
                await world.remove_cluster(cluster)
                return
        await world.changed_cluster(cluster)

    operation = managed_redis_operations.start(
        call, cluster, world.settings.create_seconds, finish, version, trouble=trouble
    )
    call.effect("cluster.create", cluster.scope, tuple(sorted(body.get("properties") or {})))
    shown = show(call, cluster, version)
    if not body.get("tags"):
        shown["tags"] = None  # and {} later (recorded)
    return Answer(201, shown, addresses(operation))


def _new(
    call: Call,
    found: seeds.Subscription,
    home: seeds.Group,
    name: str,
    region: seeds.Region,
    body: Json,
    version: str,
) -> ManagedState:
    sku = validation.checked_sku(call, body.get("sku"))
    zones = validation.check_zones(call, body.get("zones"), str(sku["name"]))
    given = validation.checked_properties(call, body.get("properties") or {}, version, whole=True)
    given_identity = validation.checked_identity(call, body.get("identity"))
    identity = identities.shown(call.world, given_identity, found.tenant) or {"type": "None"}
    properties = {
        "highAvailability": "Enabled",
        "minimumTlsVersion": "1.2",
        **managed_redis_encryption.applied(call, given, identity),
        "provisioningState": "Creating",
        "resourceState": "Creating",
    }
    properties["redundancyMode"] = _redundancy(properties, region)
    cluster = ManagedState(
        subscription=found.id,
        group=home.name,
        name=name,
        location=region.display,
        sku=sku,
        tags=checked_tags(body.get("tags")),
        zones=zones,
        identity=identity,
        properties=properties,
        database=None,
    )
    cluster.renew_keys()
    return cluster


def _redundancy(properties: Json, region: seeds.Region) -> str:
    if properties["highAvailability"] == "Disabled":
        return "None"
    return "ZR" if region.zones else "LR"


def _check_creation(call: Call, found: seeds.Subscription, cluster: ManagedState, region: seeds.Region) -> None:
    world, name = call.world, str(cluster.sku["name"])
    tenant = world.tenants.get(found.tenant.lower())
    new_tenant = world.settings.retired_for_new_tenants and tenant is not None and not tenant.redis_customer
    if skus.retiring(name) and (world.settings.managed_enterprise_refused_for_all or new_tenant):
        raise bad_request(call, _RETIRED)
    here = (cluster.name.lower(), cluster.region)
    if any((other.name.lower(), other.region) == here for other in world.clusters.values()):
        raise conflict(call)
    if ".".join(here) in world.foreign_names:
        raise conflict(call)
    if name in region.unavailable_skus:
        raise Refusal(
            400,
            "SkuNotAvailable",
            f"The requested size for resource '{cluster.scope}' is currently not available in location "
            f"'{region.name}' for subscription. Please try another size or deploy to a different location.",
        )


async def _put_existing(call: Call, cluster: ManagedState, region: seeds.Region, body: Json, version: str) -> Answer:
    if region.display.lower() != cluster.location.lower():
        raise Refusal(
            409,
            "InvalidResourceLocation",
            f"The resource '{cluster.name}' already exists in location '{cluster.location}' in resource group "
            f"'{cluster.group}'. A resource with the same name cannot be created in location '{region.name}'. Please "
            "select a new resource name.",
        )
    _check_changeable(call, cluster)
    sku = validation.checked_sku(call, body.get("sku"))
    validation.check_zones(call, body.get("zones"), str(sku["name"]))
    whole = {**body, "sku": sku, "tags": body.get("tags") or {}}
    if call.world.settings.managed_cluster_put_replaces:
        whole.setdefault("identity", {"type": "None"})
    after = _planned(call, cluster, whole, version, put=True)
    operation, shown = await _update(call, cluster, after, version, body)
    return Answer(200, shown, addresses(operation))


async def patch(call: Call, found: seeds.Subscription, cluster: ManagedState, version: str) -> Answer:
    """PATCH of a cluster: 202 without a body, or 200 with the cluster (a setting)."""
    writable(found)
    check_lock(call, cluster.scope, "write")
    body = call.json()
    _check_changeable(call, cluster)
    after = _planned(call, cluster, body, version, put=False)
    operation, shown = await _update(call, cluster, after, version, body)
    status = call.world.settings.managed_patch_status
    return Answer(status, shown if status == 200 else None, addresses(operation))


def _check_changeable(call: Call, cluster: ManagedState) -> None:
    if cluster.properties["resourceState"] == "CreateFailed":
        raise conflict(call)
    check_busy(call, cluster)


def _planned(call: Call, cluster: ManagedState, body: Json, version: str, *, put: bool) -> ManagedState:
    """Return the cluster as it will be. Raises Refusal for a change that is not allowed."""
    world = call.world
    after = copy.deepcopy(cluster)
    if "tags" in body:
        after.tags = checked_tags(body["tags"])
    if body.get("sku") is not None:
        after.sku = validation.checked_sku(call, body["sku"])
    if "identity" in body:
        subscription = world.subscription(cluster.subscription)
        tenant = subscription.tenant if subscription is not None else ""
        given_identity = validation.checked_identity(call, body["identity"])
        after.identity = identities.changed(world, cluster.identity, given_identity, tenant) or {"type": "None"}
    given = validation.checked_properties(call, body.get("properties") or {}, version, whole=put)
    if put and world.settings.managed_cluster_put_replaces:
        keep = versions.hidden_of_cluster(version) if world.settings.managed_old_versions_keep_newer else frozenset()
        for name in _REPLACED:
            if name not in keep:
                after.properties.pop(name, None)
    after.properties |= given
    after.properties = managed_redis_encryption.applied(call, after.properties, after.identity)
    if not (after.properties.get("maintenanceConfiguration") or {}).get("maintenanceWindows"):
        after.properties.pop("maintenanceConfiguration", None)
    region = world.region(cluster.location)
    if region is not None and "highAvailability" in given:
        after.properties["redundancyMode"] = _redundancy(after.properties, region)
    validation.check_change(call, cluster, after)
    check_policy(call, cluster.scope, cluster.name, show(call, after, version))
    check_linked(call, cluster.scope, body, TYPE)
    return after


async def _update(
    call: Call, cluster: ManagedState, after: ManagedState, version: str, body: Json
) -> tuple[ManagedOperation, Json]:
    """Begin the change to `after`. Returns the operation and the cluster as it is shown meanwhile."""
    world = call.world
    before = copy.deepcopy(cluster)
    scales, at_once = after.sku != before.sku, world.settings.managed_shows_wanted_values

    async def finish(result: Result) -> None:
        if result is Result.DONE:
            if not at_once:
                merge(cluster, before, after)
        elif at_once:
            merge(cluster, after, before)
        if result is Result.FAILED:
            failed = "ScalingFailed" if scales else "UpdateFailed"
            cluster.properties |= {"provisioningState": "Failed", "resourceState": failed}
        else:
            settle(call, cluster, lambda: cluster.properties)
        # Connections drop while a cluster is scaled (documented).
        await world.changed_cluster(cluster, cut=scales and result is Result.DONE)

    def trouble() -> Json | None:
        changes = after.properties.get("encryption") != before.properties.get("encryption")
        return managed_redis_encryption.trouble(world, after) if changes else None

    seconds = world.settings.scale_seconds if scales else world.settings.update_seconds
    operation = managed_redis_operations.start(call, cluster, seconds, finish, version, trouble=trouble)
    if at_once:
        merge(cluster, before, after)
    states = {"provisioningState": "Updating", "resourceState": "Scaling" if scales else "Updating"}
    cluster.properties |= states
    fields = [f"properties.{name}" for name in body.get("properties") or {}]
    call.effect("cluster.update", cluster.scope, tuple(sorted([*fields, *(k for k in body if k != "properties")])))
    return operation, show(call, cluster, version)


async def delete(call: Call, found: seeds.Subscription, group_name: str, name: str, version: str) -> Answer:
    """DELETE of a cluster and its database: 202 and an operation; 204 for a missing cluster."""
    writable(found)
    group(call, found.id, group_name)
    world = call.world
    cluster = world.clusters.get(managed_scope(found.id, group_name, name).lower())
    if cluster is None:
        if world.settings.delete_missing_status == 204:
            return Answer(204)
        raise Refusal(404, "ResourceNotFound", f"The Resource '{TYPE}/{name}' was not found.")
    versions.check_region(call, version, cluster.location)
    check_lock(call, cluster.scope, "delete")
    check_busy(call, cluster)
    before = copy.deepcopy(cluster.properties)

    async def finish(result: Result) -> None:
        match result:
            case Result.DONE:
                await world.remove_cluster(cluster)
                return
            case Result.FAILED:
                cluster.properties |= {"provisioningState": "Failed", "resourceState": "DeleteFailed"}
            case Result.UNDONE:
                cluster.properties |= {one: before[one] for one in ("provisioningState", "resourceState")}
        await world.changed_cluster(cluster)

    operation = managed_redis_operations.start(call, cluster, world.settings.delete_seconds, finish, version)
    cluster.properties |= {"provisioningState": "Deleting", "resourceState": "Deleting"}
    call.effect("cluster.delete", cluster.scope)
    return Answer(202, None, addresses(operation))


def scaling_skus(call: Call, cluster: ManagedState) -> Answer:
    """POST listSkusForScaling: the SKUs that this cluster can be scaled to."""
    region = call.world.region(cluster.location)
    unclustered = (cluster.database or {}).get("clusteringPolicy") == "NoCluster"
    names = [] if region is None else skus.replaces(str(cluster.sku["name"]), region, unclustered=unclustered)
    return Answer(200, {"skus": [{"name": name, "sizeInGB": skus.size(name)} for name in names]})
