"""Microsoft.Authorization: role assignments, role definitions and locks, read at any scope."""

import re

from sandbox.azure.access.call import Call
from sandbox.azure.access.role_checks import covers
from sandbox.azure.arm.common import (
    api_version,
    authorize,
    page,
    subscription,
)
from sandbox.azure.responses import Answer, Json, Refusal
from sandbox.azure.seeds import seeds
from sandbox.azure.seeds.storage import assignment_name, role_of

_PROVIDER = "providers/Microsoft.Authorization"
_PRINCIPAL = re.compile(r"principalId\s+eq\s+'?([^' ]+)'?|assignedTo\(\s*'([^']+)'\s*\)", re.IGNORECASE)
_AT_SCOPE = re.compile(r"atScope\(\)", re.IGNORECASE)


def route(call: Call, scope_parts: list[str], kind: str, name: str | None) -> Answer:
    """`{scope}/providers/Microsoft.Authorization/{kind}[/{name}]`; the scope begins with a subscription."""
    api_version(call)
    if call.method != "GET":
        raise Refusal(405, "HttpMethodNotSupported", "The http method is not supported at this address.")
    found = subscription(call, scope_parts[1])
    scope = "/" + "/".join(scope_parts)
    match kind.lower(), name:
        case "roleassignments", None:
            authorize(call, "Microsoft.Authorization/roleAssignments/read", scope)
            return _assignments(call, scope)
        case "roledefinitions", str():
            authorize(call, "Microsoft.Authorization/roleDefinitions/read", scope)
            return Answer(200, _definition(call, found, str(name)))
        case "locks", None:
            authorize(call, "Microsoft.Authorization/locks/read", scope)
            return _locks(call, scope)
    raise Refusal(404, "InvalidResourceType", "The resource type could not be found in the namespace for api version.")


def _assignments(call: Call, scope: str) -> Answer:
    given = call.request.query.get("$filter", "")
    at_scope, principal = _filter(given)
    shown = [
        _show_assignment(one)
        for _, one in call.world.assignments  # listed immediately; when it works is another matter
        if (covers(one.scope, scope) or (not at_scope and covers(scope, one.scope)))
        and principal in (None, one.object_id.lower())
    ]
    return page(call, shown, call.world.settings.page_size)


def _filter(given: str) -> tuple[bool, str | None]:
    remaining = given
    principal = _PRINCIPAL.search(remaining)
    remaining = _AT_SCOPE.sub("", _PRINCIPAL.sub("", remaining))
    if remaining.replace("and", "").strip():
        raise Refusal(400, "BadRequestFormat", f"The filter '{given}' is not supported.")
    wanted = (principal.group(1) or principal.group(2)).lower() if principal else None
    return _AT_SCOPE.search(given) is not None, wanted


def _subscription_of(scope: str) -> str:
    return "/".join(scope.split("/")[:3])


def _show_assignment(one: seeds.RoleAssignment) -> Json:
    properties: Json = {
        "roleDefinitionId": f"{_subscription_of(one.scope)}/{_PROVIDER}/roleDefinitions/{role_of(one)}",
        "principalId": one.object_id,
        "principalType": "ServicePrincipal",
        "scope": one.scope,
    }
    if one.condition:
        properties |= {"condition": one.condition, "conditionVersion": "2.0"}
    name = assignment_name(one)
    return {
        "id": f"{one.scope}/{_PROVIDER}/roleAssignments/{name}",
        "name": name,
        "type": "Microsoft.Authorization/roleAssignments",
        "properties": properties,
    }


def _definition(call: Call, found: seeds.Subscription, name: str) -> Json:
    for _, one in call.world.assignments:
        if role_of(one) == name.lower():
            return {
                "id": f"{seeds.subscription_scope(found.id)}/{_PROVIDER}/roleDefinitions/{name}",
                "name": name,
                "type": "Microsoft.Authorization/roleDefinitions",
                "properties": {
                    "roleName": f"role {name}",
                    "type": "BuiltInRole" if one.role else "CustomRole",
                    "description": "",
                    "assignableScopes": ["/" if one.role else seeds.subscription_scope(found.id)],
                    "permissions": [
                        {
                            "actions": list(one.actions),
                            "notActions": list(one.not_actions),
                            "dataActions": list(one.data_actions),
                            "notDataActions": [],
                        }
                    ],
                },
            }
    raise Refusal(404, "RoleDefinitionDoesNotExist", f"The specified role definition with ID '{name}' does not exist.")


def _locks(call: Call, scope: str) -> Answer:
    at_scope = _AT_SCOPE.search(call.request.query.get("$filter", "")) is not None
    inherited = call.world.settings.lock_list_shows_inherited
    shown = [
        {
            "id": f"{lock.scope}/{_PROVIDER}/locks/{lock.name}",
            "name": lock.name,
            "type": "Microsoft.Authorization/locks",
            "properties": {"level": lock.level, "notes": lock.notes},
        }
        for lock in call.world.locks
        if (covers(lock.scope, scope) and (inherited or covers(scope, lock.scope)))
        or (not at_scope and covers(scope, lock.scope))
    ]
    return page(call, shown, call.world.settings.page_size)
