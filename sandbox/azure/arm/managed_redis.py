"""Microsoft.Cache/redisEnterprise: reads of clusters and their database. It writes nothing and returns no key."""

from datetime import UTC, datetime

from sandbox.azure.access.call import Call
from sandbox.azure.access.role_checks import covers
from sandbox.azure.arm.common import (
    api_version,
    authorize,
    group,
    may,
    page,
    subscription,
)
from sandbox.azure.responses import Answer, Refusal
from sandbox.azure.seeds import seeds
from sandbox.azure.seeds.managed_redis import managed_scope
from sandbox.azure.state.managed_redis import TYPE, ManagedState

# The first two were answered in 2023 (recorded); the newest Go and JavaScript modules ask for the first.
API_VERSIONS = ("2021-03-01", "2023-07-01", "2023-11-01", "2024-02-01", "2024-10-01", "2025-04-01", "2025-07-01")
_READ = f"{TYPE}/read"
_ACCESS_KEYS_SINCE, _KIND_SINCE, _PUBLIC_SINCE = "2025-04-01", "2025-04-01", "2025-07-01"


def route(call: Call, subscription_id: str, group_name: str | None, parts: list[str]) -> Answer:
    """Below /subscriptions/{s}[/resourceGroups/{g}]/providers/Microsoft.Cache/redisEnterprise."""
    version = _version(call)
    found = subscription(call, subscription_id)
    if not parts and call.method == "GET":
        return _list(call, found, group_name, version)
    if group_name is None or not parts:
        raise _not_supported()
    scope = managed_scope(found.id, group_name, parts[0])
    match [call.method, *[part.lower() for part in parts[1:]]]:
        case ["GET"]:
            authorize(call, _READ, scope)
            return Answer(200, _show(call, _existing(call, found, group_name, parts[0]), version))
        case ["GET", "databases"]:
            authorize(call, f"{TYPE}/databases/read", scope)
            cluster = _existing(call, found, group_name, parts[0])
            shown = [] if cluster.database is None else [_show_database(cluster, version)]
            return page(call, shown, call.world.settings.page_size)
        case ["GET", "databases", name]:
            authorize(call, f"{TYPE}/databases/read", f"{scope}/databases/{parts[2]}")
            cluster = _existing(call, found, group_name, parts[0])
            if name != "default" or cluster.database is None:
                raise _not_found(call, f"{parts[0]}/databases/{parts[2]}")
            return Answer(200, _show_database(cluster, version))
    raise _not_supported()


def diagnostics(call: Call, found: seeds.Subscription, group_name: str, name: str) -> Answer:
    """GET of a cluster's Microsoft.Insights/diagnosticSettings: one page, always."""
    api_version(call)
    kind = "Microsoft.Insights/diagnosticSettings"
    scope = managed_scope(found.id, group_name, name)
    if call.method != "GET":
        raise _not_supported()
    authorize(call, f"{kind}/read", scope)
    cluster = _existing(call, found, group_name, name)
    shown = [
        {"id": f"{scope.lower()}/providers/{kind}/{one}", "name": one, "type": kind, "properties": dict(properties)}
        for one, properties in cluster.diagnostics.items()
    ]
    return Answer(200, {"value": shown})


def _version(call: Call) -> str:
    given = api_version(call)
    if given not in API_VERSIONS:
        raise Refusal(
            400,
            "NoRegisteredProviderFound",
            f"No registered resource provider found for location '' and API version '{given}' for type "
            f"'redisEnterprise'. The supported api-versions are '{', '.join(API_VERSIONS)}'.",
        )
    return given


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
    shown = [_show(call, world.clusters[name], version, endpoints=whole) for name in answer.body["value"]]
    return Answer(answer.status, {**answer.body, "value": shown}, answer.headers)


def _show(call: Call, cluster: ManagedState, version: str, *, endpoints: bool = True) -> seeds.Json:
    host = call.world.names.managed_host(cluster.name, cluster.region)
    shown = cluster.show(host, endpoints=endpoints, public=version >= _PUBLIC_SINCE)
    return {name: value for name, value in shown.items() if name != "kind" or version >= _KIND_SINCE}


def _show_database(cluster: ManagedState, version: str) -> seeds.Json:
    return cluster.show_database(access_keys=version >= _ACCESS_KEYS_SINCE)


def _existing(call: Call, found: seeds.Subscription, group_name: str, name: str) -> ManagedState:
    group(call, found.id, group_name)
    cluster = call.world.clusters.get(managed_scope(found.id, group_name, name).lower())
    if cluster is None:
        raise _not_found(call, name)
    return cluster


def _not_found(call: Call, what: str) -> Refusal:
    """Return the provider's refusal, whose text has another time and other ids each time; a setting makes it ARM's.

    Resource Manager sends the GET of a deleted cluster, or of a missing child, to the provider for a while.
    """
    settings = call.world.settings
    code = settings.managed_missing_database_code if "/" in what else "ResourceNotFound"
    if settings.managed_provider_words:
        at = datetime.fromtimestamp(call.world.timeline.now(), UTC)
        text = (
            "A requested resource could not be found. It may already have been deleted. "
            f"CorrelationID={call.correlation_id} RequestID={call.request_id} Timestamp={at:%m/%d/%Y %H:%M:%S} (UTC)"
        )
        return Refusal(404, code, text, target=True)
    text = f"The Resource '{TYPE}/{what}' was not found. For more details please go to "
    return Refusal(404, code, f"{text}https://aka.ms/ARMResourceNotFoundFix")


def _not_supported() -> Refusal:
    return Refusal(405, "HttpMethodNotSupported", "The http method is not supported at this address.")
