"""Key Vault's routes, with the challenge and the checks of network and permissions."""

from sandbox.azure.access import role_checks, tokens
from sandbox.azure.access.call import Call
from sandbox.azure.keyvault import secrets
from sandbox.azure.responses import Answer, Refusal
from sandbox.azure.state.keyvault import VaultState

API_VERSIONS = ("7.4", "7.5", "7.6", "2025-07-01", "2026-04-01")
_ACTIONS = {
    "get": "Microsoft.KeyVault/vaults/secrets/getSecret/action",
    "list": "Microsoft.KeyVault/vaults/secrets/readMetadata/action",
    "set": "Microsoft.KeyVault/vaults/secrets/setSecret/action",
    "update": "Microsoft.KeyVault/vaults/secrets/update/action",
    "delete": "Microsoft.KeyVault/vaults/secrets/delete",
    "recover": "Microsoft.KeyVault/vaults/secrets/recover/action",
    "purge": "Microsoft.KeyVault/vaults/secrets/purge/action",
}


async def handle(call: Call, name: str) -> Answer:
    """Answer a request to the host of the vault `name`."""
    headers = {
        "x-ms-request-id": call.request_id,
        "x-ms-client-request-id": call.request.headers.get("x-ms-client-request-id", call.request_id),
        "x-ms-keyvault-service-version": "1.9.0.0",
        "Cache-Control": "no-cache",
    }
    try:
        answer = _route(call, _vault(call, name))
    except Refusal as refusal:
        answer = refusal.answer
    return Answer(answer.status, answer.body, {**headers, **answer.headers})


def _vault(call: Call, name: str) -> VaultState:
    found = call.world.vaults.get(name.lower())
    if found is None:
        raise Refusal(404, "VaultNotFound", f"The vault '{name}' does not exist.")
    return found


def _authenticate(call: Call, vault: VaultState) -> None:
    world = call.world
    base = f'Bearer authorization="{world.names.login}/{vault.seed.tenant}", resource="{world.names.vault_resource}"'
    try:
        principal = tokens.check(world, call.request.headers.get("Authorization"), world.names.vault_resource)
    except tokens.TokenError as error:
        if error.problem == "revoked":
            base += f', error="insufficient_claims", claims="{tokens.claims_challenge(world)}"'
        text = {
            "missing": "AKV10000: Request is missing a Bearer or PoP token.",
            "audience": f"AKV10022: Invalid audience. Expected {world.names.vault_resource}, found: {error.detail}.",
            "expired": "AKV10044: Token is expired.",
            "revoked": "AKV10042: Continuous access evaluation resulted in a challenge.",
        }.get(error.problem, "AKV10001: Unable to parse the token.")
        raise Refusal(401, "Unauthorized", text, headers={"WWW-Authenticate": base}) from None
    if principal.tenant.lower() != vault.seed.tenant.lower():
        raise Refusal(
            401,
            "Unauthorized",
            f"AKV10032: Invalid issuer. Expected {world.names.login}/{vault.seed.tenant}/, found "
            f"{world.names.login}/{principal.tenant}/.",
            headers={"WWW-Authenticate": base},
        )
    call.principal = principal


def _authorize(call: Call, vault: VaultState, power: str, secret: str | None) -> None:
    action = _ACTIONS[power]
    call.action = action
    assert call.principal is not None  # noqa: S101 - _authenticate() comes first
    scope = f"{vault.scope}/secrets/{secret}" if secret else vault.scope
    if role_checks.allowed(call.world, call.principal.object_id, action, scope, data=True):
        call.authorized.add(action)
        return
    raise Refusal(
        403,
        "Forbidden",
        "Caller is not authorized to perform action on resource.\r\nIf role assignments, deny assignments or role "
        "definitions were changed recently, please observe propagation time.\r\n"
        f"Caller: appid={call.principal.client_id};oid={call.principal.object_id};"
        f"iss={call.world.names.login}/{call.principal.tenant}/\r\nAction: '{action}'\r\n"
        f"Resource: '{scope.lower()}'\r\n"
        "Assignment: (not found)\r\nDenyAssignmentId: null\r\nDecisionReason: null \r\n"
        f"Vault: {vault.seed.name};location=sandbox\r\n",
        inner="ForbiddenByRbac",
    )


def _route(call: Call, vault: VaultState) -> Answer:
    _authenticate(call, vault)
    if vault.seed.firewall:
        raise Refusal(
            403,
            "Forbidden",
            "Public network access is disabled and request is not from a trusted service nor via an approved private "
            f"link.\r\nCaller: appid={call.principal.client_id if call.principal else ''}\r\nVault: {vault.seed.name};"
            "location=sandbox",
            inner="ForbiddenByFirewall",
        )
    _api_version(call)
    parts = [part for part in call.path.split("/") if part]
    match [call.method, *[part.lower() if index != 1 else part for index, part in enumerate(parts)]]:
        case ["GET", "secrets"]:
            _authorize(call, vault, "list", None)
            return secrets.list_secrets(call, vault)
        case ["GET", "secrets", name, "versions"]:
            _authorize(call, vault, "list", name)
            return secrets.list_versions(call, vault, name)
        case ["GET", "secrets", name, *version] if len(version) < 2:
            _authorize(call, vault, "get", name)
            return secrets.get(call, vault, name, version[0] if version else "")
        case ["PUT", "secrets", name]:
            _authorize(call, vault, "set", name)
            return secrets.put(call, vault, name)
        case ["PATCH", "secrets", name, *version] if len(version) < 2:
            _authorize(call, vault, "update", name)
            return secrets.patch(call, vault, name, version[0] if version else "")
        case ["DELETE", "secrets", name]:
            _authorize(call, vault, "delete", name)
            return secrets.delete(call, vault, name)
        case ["GET", "deletedsecrets", name]:
            _authorize(call, vault, "list", name)
            return secrets.get_deleted(call, vault, name)
        case ["POST", "deletedsecrets", name, "recover"]:
            _authorize(call, vault, "recover", name)
            return secrets.recover(call, vault, name)
        case ["DELETE", "deletedsecrets", name]:
            _authorize(call, vault, "purge", name)
            return secrets.purge(call, vault, name)
    raise Refusal(405, "MethodNotAllowed", "The request is not supported by this vault.")


def _api_version(call: Call) -> None:
    given = call.request.query.get("api-version", "")
    if not given:
        raise Refusal(400, "BadParameter", "api-version must be specified")
    if given not in API_VERSIONS:
        raise Refusal(
            400,
            "BadParameter",
            f"The specified version ({given}) is not recognized. Consider using the latest supported version "
            f"({API_VERSIONS[-1]}).",
        )
