"""Access policies of a cache, their assignments, and its diagnostic settings.

Read here; written by the platform team over the control port.
"""

from sandbox.azure.access.call import Call
from sandbox.azure.arm.common import (
    api_version,
    authorize,
    group,
    page,
)
from sandbox.azure.responses import Answer, Json, Refusal
from sandbox.azure.seeds import seeds
from sandbox.azure.state.redis import TYPE, CacheState

BUILT_IN = {
    "Data Owner": "+@all allkeys",
    "Data Contributor": "+@all -@dangerous +cluster|info +cluster|nodes +cluster|slots allkeys",
    "Data Reader": "+@read +@connection +cluster|info +cluster|nodes +cluster|slots allkeys",
}


def route(call: Call, found: seeds.Subscription, scope: str, parts: list[str], group_name: str) -> Answer:
    """Requests below /redis/{name}/accessPolicies and accessPolicyAssignments; `parts` begins with the name."""
    child = {"accesspolicies": "accessPolicies", "accesspolicyassignments": "accessPolicyAssignments"}[parts[1].lower()]
    if call.method != "GET" or len(parts) > 3:
        raise Refusal(405, "HttpMethodNotSupported", "The http method is not supported at this address.")
    authorize(call, f"Microsoft.Cache/redis/{child}/read", scope)
    group(call, found.id, group_name)
    cache = call.world.cache(found.id, group_name, parts[0])
    if cache is None:
        raise _missing(group_name, parts[0])
    shown = _policies(cache) if child == "accessPolicies" else _assignments(cache)
    if len(parts) == 2:
        return page(call, shown, call.world.settings.page_size)
    one = next((entry for entry in shown if entry["name"].lower() == parts[2].lower()), None)
    if one is None:
        raise _missing(group_name, f"{parts[0]}/{child}/{parts[2]}")
    return Answer(200, one)


def diagnostics(call: Call, found: seeds.Subscription, group_name: str, name: str) -> Answer:
    """GET of a cache's Microsoft.Insights/diagnosticSettings: one page, always."""
    api_version(call)
    scope = seeds.cache_scope(found.id, group_name, name)
    if call.method != "GET":
        raise Refusal(405, "HttpMethodNotSupported", "The http method is not supported at this address.")
    authorize(call, "Microsoft.Insights/diagnosticSettings/read", scope)
    group(call, found.id, group_name)
    cache = call.world.cache(found.id, group_name, name)
    if cache is None:
        raise _missing(group_name, name)
    kind = "Microsoft.Insights/diagnosticSettings"
    shown = [
        {"id": f"{cache.id.lower()}/providers/{kind}/{one}", "name": one, "type": kind, "properties": dict(properties)}
        for one, properties in cache.diagnostics.items()
    ]
    return Answer(200, {"value": shown})


def _policies(cache: CacheState) -> list[Json]:
    built_in = [("BuiltIn", name, permissions) for name, permissions in BUILT_IN.items()]
    custom = [("Custom", policy.name, policy.permissions) for policy in cache.access_policies]
    return [
        {
            "id": f"{cache.id}/accessPolicies/{name}",
            "name": name,
            "type": f"{TYPE}/accessPolicies",
            "properties": {"provisioningState": "Succeeded", "permissions": permissions, "type": kind},
        }
        for kind, name, permissions in built_in + custom
    ]


def _assignments(cache: CacheState) -> list[Json]:
    return [
        {
            "id": f"{cache.id}/accessPolicyAssignments/{one.name}",
            "name": one.name,
            "type": f"{TYPE}/accessPolicyAssignments",
            "properties": {
                "provisioningState": "Succeeded",
                "accessPolicyName": one.policy,
                "objectId": one.object_id,
                "objectIdAlias": one.alias or one.name,
            },
        }
        for one in cache.access_assignments
    ]


def _missing(group_name: str, name: str) -> Refusal:
    return Refusal(
        404,
        "ResourceNotFound",
        f"The Resource 'Microsoft.Cache/redis/{name}' under resource group '{group_name}' was not found. For more "
        "details please go to https://aka.ms/ARMResourceNotFoundFix",
    )
