"""Subscriptions, tenants, resource groups and provider registration."""

from sandbox.azure.access.call import Call
from sandbox.azure.arm import managed_redis_versions
from sandbox.azure.arm.common import (
    REDIS_API_VERSIONS,
    api_version,
    authorize,
    group,
    may,
    page,
    subscription,
    writable,
)
from sandbox.azure.responses import Answer, Json, Refusal
from sandbox.azure.seeds import seeds


def metadata(call: Call) -> Answer:
    """GET /metadata/endpoints: the cloud's endpoints, from which azure-cli registers a custom cloud."""
    api_version(call)
    names = call.world.names
    body: Json = {
        "name": "Sandbox",
        "resourceManager": names.management,
        "portal": names.management,
        "authentication": {
            "loginEndpoint": names.login,
            "audiences": [names.management],
            "tenant": "common",
            "identityProvider": "AAD",
        },
        "suffixes": {"keyVaultDns": f"vault.{names.domain}:{names.port}"},
    }
    return Answer(200, body)


def top(call: Call, kind: str) -> Answer:
    """GET /tenants and /subscriptions: what the caller can see."""
    api_version(call)
    world = call.world
    assert call.principal is not None  # noqa: S101 - authenticated by the router
    if call.method != "GET":
        raise Refusal(405, "HttpMethodNotSupported", "The http method is not supported at this address.")
    if kind == "tenants":
        call.action = "Microsoft.Resources/tenants/read"
        mine = [t for t in world.tenants.values() if t.id == call.principal.tenant]
        return page(call, [{"id": f"/tenants/{t.id}", "tenantId": t.id} for t in mine], 100)
    call.action = "Microsoft.Resources/subscriptions/read"
    visible = [
        _show_subscription(s)
        for s in world.subscriptions.values()
        if s.tenant == call.principal.tenant and s.state != "Deleted" and _sees(call, s)
    ]
    return page(call, visible, 100)


def _sees(call: Call, found: seeds.Subscription) -> bool:
    prefix = seeds.subscription_scope(found.id).lower()
    return any(a.object_id == call.object_id and a.scope.lower().startswith(prefix) for _, a in call.world.assignments)


def _show_subscription(found: seeds.Subscription) -> Json:
    return {
        "id": seeds.subscription_scope(found.id),
        "subscriptionId": found.id,
        "tenantId": found.tenant,
        "displayName": found.name,
        "state": found.state,
        "authorizationSource": "RoleBased",
        "managedByTenants": [],
        "subscriptionPolicies": {
            "locationPlacementId": "Public_2014-09-01",
            "quotaId": "PayAsYouGo_2014-09-01",
            "spendingLimit": "Off",
        },
    }


def _show_group(found: seeds.Group) -> Json:
    return {
        "id": seeds.group_scope(found.subscription, found.name),
        "name": found.name,
        "type": "Microsoft.Resources/resourceGroups",
        "location": found.location,
        "tags": dict(found.tags),
        "properties": {"provisioningState": "Succeeded"},
    }


def _show_provider(found: seeds.Subscription) -> Json:
    return {
        "id": f"{seeds.subscription_scope(found.id)}/providers/Microsoft.Cache",
        "namespace": "Microsoft.Cache",
        "registrationPolicy": "RegistrationRequired",
        "registrationState": "Registered" if found.registered else "NotRegistered",
        "resourceTypes": [  # from which `az resource show` takes the newest version
            {"resourceType": "Redis", "locations": [], "apiVersions": list(REDIS_API_VERSIONS)},
            {
                "resourceType": "RedisEnterprise",
                "locations": [],
                "apiVersions": list(reversed(managed_redis_versions.API_VERSIONS)),
            },
        ],
    }


def route(call: Call, parts: list[str]) -> Answer:
    """Routes below one subscription, except Microsoft.Cache's own resources."""
    api_version(call)
    found = subscription(call, parts[1])
    scope = seeds.subscription_scope(found.id)
    match [call.method, *[part.lower() for part in parts[2:]]]:
        case ["GET"]:
            authorize(call, "Microsoft.Resources/subscriptions/read", scope)
            return Answer(200, _show_subscription(found))
        case ["GET", "locations"]:
            authorize(call, "Microsoft.Resources/subscriptions/locations/read", scope)
            regions = call.world.regions.values()
            return page(
                call,
                [{"id": f"{scope}/locations/{r.name}", "name": r.name, "displayName": r.display} for r in regions],
                1000,
            )
        case ["GET", "resourcegroups"]:
            action = "Microsoft.Resources/subscriptions/resourceGroups/read"
            call.action = action
            groups = [g for g in call.world.groups.values() if g.subscription.lower() == found.id.lower()]
            readable = [g for g in groups if may(call, action, seeds.group_scope(found.id, g.name))]
            return page(call, [_show_group(g) for g in readable], 100)
        case ["GET" | "HEAD", "resourcegroups", name]:
            authorize(
                call, "Microsoft.Resources/subscriptions/resourceGroups/read", seeds.group_scope(found.id, parts[3])
            )
            shown = _show_group(group(call, found.id, name))
            return Answer(204) if call.method == "HEAD" else Answer(200, shown)
        case ["GET", "providers", "microsoft.cache"]:
            authorize(call, "Microsoft.Resources/subscriptions/providers/read", scope)
            return Answer(200, _show_provider(found))
        case ["POST", "providers", "microsoft.cache", "register"]:
            authorize(call, "Microsoft.Cache/register/action", scope)
            writable(found)
            registered = found.model_copy(update={"registered": True})
            call.world.subscriptions[found.id.lower()] = registered
            call.effect("provider.register", scope)
            return Answer(200, _show_provider(registered))
    raise Refusal(404, "InvalidResourceType", "The resource type could not be found in the namespace for api version.")
