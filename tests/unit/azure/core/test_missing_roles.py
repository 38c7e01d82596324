"""A missing role is reported with what assigning it needs: which action, whose identity, where, and the command."""

import json
import shlex

import pytest

from secure_redis.azure.core.errors import classify_answer
from secure_redis.azure.core.failures import Denied, Guard, Source

CLIENT = "0f8fad5b-d9cb-469f-a165-70867728950e"
OBJECT = "7C9E6679-7425-40de-944b-e07fc1f90ae7"
GROUP = "/subscriptions/11111111-2222-3333-4444-555555555555/resourceGroups/shop (west)"
CACHE = "/subscriptions/11111111-2222-3333-4444-555555555555/resourceGroups/shop/providers/Microsoft.Cache/redis/orders"
VAULT = CACHE.replace("Microsoft.Cache/redis/orders", "Microsoft.KeyVault/vaults/shop/secrets/orders").lower()
ASSIGN = f"az role assignment create --assignee-object-id {OBJECT.lower()} --assignee-principal-type ServicePrincipal"


def manager(action: str, scope: str = CACHE, client: str = f"The client '{CLIENT}' with object id '{OBJECT}'") -> str:
    return told(
        "AuthorizationFailed",
        f"{client} does not have authorization to perform action '{action}' over scope '{scope}' or the scope is "
        "invalid. If access was recently granted, please refresh your credentials.",
        Source.RESOURCE_MANAGER,
    )


def vault(action: str, inner: str = "ForbiddenByRbac") -> str:
    return told(
        "Forbidden",
        "Caller is not authorized to perform action on resource.\r\nIf role assignments, deny assignments or role "
        f"definitions were changed recently, please observe propagation time.\r\nCaller: appid={CLIENT};oid={OBJECT};"
        f"iss=https://sts.windows.net/x/\r\nAction: 'Microsoft.KeyVault/vaults/secrets/{action}'\r\n"
        f"Resource: '{VAULT}'\r\nAssignment: (not found)\r\nDenyAssignmentId: null\r\nVault: shop;location=x\r\n",
        Source.VAULT,
        innererror={"code": inner},
    )


def told(code: str, message: str, source: Source, **more: object) -> str:
    body = {"error": {"code": code, "message": message, **more}}
    failure = classify_answer(403, {}, json.dumps(body), source)
    assert isinstance(failure, Denied)
    assert failure.by is Guard.ROLE
    return failure.message


@pytest.mark.parametrize(
    ("action", "names", "role"),
    [
        ("redis/listKeys/action", "Secure Redis PublishKey", "Secure Redis PublishKey"),
        ("redis/regenerateKey/action", "Secure Redis Rotate", "Secure Redis Rotate"),
        ("redis/write", "Secure Redis Provision or Secure Redis Correct", "Secure Redis Provision"),
    ],
)
def test_an_action_is_reported_with_role_and_command(action: str, names: str, role: str) -> None:
    message = manager(f"Microsoft.Cache/{action}")
    assert f"lacks the permission Microsoft.Cache/{action} on {CACHE.lower()}; " in message
    command = f"{ASSIGN} --role '{role}' --scope {CACHE.lower()}"
    assert f"assign a role that holds it, such as {names}: {command} (a new assignment takes" in message


@pytest.mark.parametrize(
    ("action", "before", "role"),
    [
        ("getSecret/action", "Key Vault Secrets User", "Secure Redis PublishKey"),
        ("setSecret/action", "Key Vault Secrets Officer or a custom role that holds it", "Secure Redis StoreKey"),
        ("update/action", "Key Vault Secrets Officer or a custom role that holds it", "Secure Redis Rotate"),
    ],
)
def test_a_vaults_right_too(action: str, before: str, role: str) -> None:
    message = vault(action)
    assert f"{before}, such as {role}: {ASSIGN} --role '{role}' --scope {VAULT} (takes" in message


def test_a_vault_with_access_policies_has_no_roles() -> None:
    assert "az role" not in vault("setSecret/action", "ForbiddenByPolicy")


def test_a_linked_resource_is_the_one_that_is_lacking() -> None:
    """The text first names what the caller may do: that is not what has to be assigned."""
    identity = CACHE.replace("Microsoft.Cache/redis", "Microsoft.ManagedIdentity/userAssignedIdentities")
    lacking = "Microsoft.ManagedIdentity/userAssignedIdentities/assign/action"
    message = told(
        "LinkedAuthorizationFailed",
        f"The client '{CLIENT}' with object id '{OBJECT}' has permission to perform action "
        f"'Microsoft.Cache/redis/write' on scope '{CACHE}'; however, it does not have permission to perform action(s) "
        f"'{lacking}' on the linked "
        f"scope(s) '{identity}' (respectively) or the linked scope(s) are invalid.",
        Source.RESOURCE_MANAGER,
    )
    assert f"lacks the permission {lacking} on {identity.lower()} (a resource that the request links to)" in message
    assert message.count("Microsoft.Cache/redis/write") == 0
    assert f"--scope {identity.lower()}" in message


@pytest.mark.parametrize("scope", [f"{CACHE}$(reboot)", f"{CACHE}; reboot", "$(reboot)", "/a b"])
def test_nothing_but_an_id_goes_into_a_command(scope: str) -> None:
    assert "az role" not in manager("Microsoft.Cache/redis/read", scope)


def test_parentheses_of_a_group_are_quoted() -> None:
    scope = GROUP.replace(" ", "")
    message = manager("Microsoft.Cache/redis/read", scope)
    command = message[message.index("az role") : message.index(" (a new assignment")]
    assert shlex.split(command)[-1] == scope.lower()


def test_a_refusal_without_a_caller_still_names_the_role() -> None:
    message = manager("Microsoft.Cache/redis/read", client="The client")
    assert "such as Secure Redis Observe (a new assignment" in message


def test_an_action_outside_the_documented_roles_names_none() -> None:
    assert "assign a role that holds it (a new assignment" in manager("Microsoft.Cache/redis/export/action")
