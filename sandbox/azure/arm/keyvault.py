"""Microsoft.KeyVault: the management plane of vaults and keys, and the list that finds a vault by name."""

import re

from sandbox.azure.access.call import Call
from sandbox.azure.arm.common import (
    api_version,
    authorize,
    group,
    may,
    page,
    subscription,
)
from sandbox.azure.responses import Answer, Json, Refusal
from sandbox.azure.seeds import seeds
from sandbox.azure.seeds.storage import VaultKey
from sandbox.azure.state.keyvault import VaultState

TYPE = "Microsoft.KeyVault/vaults"
_EQUALS = re.compile(r"\s*(\w+)\s+eq\s+'([^']*)'\s*", re.IGNORECASE)


def route(call: Call, subscription_id: str, group_name: str, parts: list[str]) -> Answer:
    """Below /subscriptions/{s}/resourceGroups/{g}/providers/Microsoft.KeyVault/vaults."""
    api_version(call)
    found = subscription(call, subscription_id)
    if call.method != "GET" or not parts:
        raise _not_supported()
    scope = seeds.vault_scope(found.id, group_name, parts[0])
    match [part.lower() for part in parts[1:]]:
        case []:
            authorize(call, f"{TYPE}/read", scope)
            return Answer(200, _show(call, _existing(call, found, group_name, parts[0])))
        case ["keys", name]:
            authorize(call, f"{TYPE}/keys/read", f"{scope}/keys/{parts[2]}")
            return Answer(200, _show_key(call, _key(call, found, group_name, parts[0], name), version=False))
        case ["keys", name, "versions", version]:
            authorize(call, f"{TYPE}/keys/versions/read", f"{scope}/keys/{parts[2]}")
            key = _key(call, found, group_name, parts[0], name)
            if key.version.lower() != version:
                raise _no_key(parts[2])
            return Answer(200, _show_key(call, key, version=True))
    raise _not_supported()


def resources(call: Call, subscription_id: str, group_name: str | None = None) -> Answer:
    """GET /resources of a subscription or group with a filter: what the caller may read of it, without properties."""
    api_version(call)
    found = subscription(call, subscription_id)
    call.action = "Microsoft.Resources/subscriptions/resources/read"
    if group_name is not None:
        group(call, found.id, group_name)
    wanted = _wanted(call.request.query.get("$filter", ""))
    world = call.world
    everything = [
        (f"{TYPE}/read", vault.scope, TYPE, vault.seed.name, vault.seed.location) for vault in world.vaults.values()
    ]
    everything += [
        ("Microsoft.Storage/storageAccounts/read", a.scope, "Microsoft.Storage/storageAccounts", a.name, a.location)
        for a in world.storage.values()
    ]
    where = seeds.subscription_scope(found.id) if group_name is None else seeds.group_scope(found.id, group_name)
    prefix = where.lower() + "/"
    shown = [
        {"id": scope, "name": name, "type": kind, "location": location, "tags": {}}
        for action, scope, kind, name, location in everything
        if scope.lower().startswith(prefix)
        and wanted.get("resourcetype", kind.lower()) == kind.lower()
        and wanted.get("name", name.lower()) == name.lower()
        and may(call, action, scope)
    ]
    return page(call, sorted(shown, key=lambda one: one["id"]), world.settings.page_size)


def _wanted(given: str) -> dict[str, str]:
    wanted: dict[str, str] = {}
    for part in re.split(r"\s+and\s+", given, flags=re.IGNORECASE) if given.strip() else ():
        matched = _EQUALS.fullmatch(part)
        if matched is None or matched.group(1).lower() not in ("resourcetype", "name"):
            raise Refusal(
                400, "InvalidFilterInQueryString", f"Invalid $filter '{given}' specified in the query string."
            )
        wanted[matched.group(1).lower()] = matched.group(2).lower()
    return wanted


def _existing(call: Call, found: seeds.Subscription, group_name: str, name: str) -> VaultState:
    group(call, found.id, group_name)
    vault = call.world.vaults.get(name.lower())
    if vault is None or vault.scope.lower() != seeds.vault_scope(found.id, group_name, name).lower():
        raise Refusal(
            404,
            "ResourceNotFound",
            f"The Resource '{TYPE}/{name}' under resource group '{group_name}' was not found. For more details please "
            "go to https://aka.ms/ARMResourceNotFoundFix",
        )
    return vault


def _show(call: Call, vault: VaultState) -> Json:
    seed = vault.seed
    properties: Json = {
        "sku": {"family": "A", "name": "standard"},
        "tenantId": seed.tenant,
        "accessPolicies": [],
        "enableSoftDelete": True,
        "softDeleteRetentionInDays": 90,
        "enableRbacAuthorization": True,
        "vaultUri": f"{call.world.names.vault_url(seed.name)}/",
        "provisioningState": "Succeeded",
        "publicNetworkAccess": "Enabled",
    }
    if seed.firewall:
        properties["networkAcls"] = {
            "bypass": "AzureServices",
            "defaultAction": "Deny",
            "ipRules": [],
            "virtualNetworkRules": [],
        }
    properties.update(seed.properties)
    return {
        "id": vault.scope,
        "name": seed.name,
        "type": TYPE,
        "location": seed.location,
        "tags": {},
        "properties": {name: value for name, value in properties.items() if name not in seed.absent},
    }


def _key(call: Call, found: seeds.Subscription, group_name: str, vault: str, name: str) -> VaultKey:
    _existing(call, found, group_name, vault)
    key = call.world.vault_keys.get((vault.lower(), name.lower()))
    if key is None:
        raise _no_key(name)
    return key


def _show_key(call: Call, key: VaultKey, *, version: bool) -> Json:
    vault = call.world.vaults[key.vault.lower()]
    attributes: Json = {
        "enabled": key.enabled,
        "created": key.created,
        "updated": key.created,
        "recoveryLevel": "Recoverable+Purgeable",
    }
    if key.expires is not None:
        attributes["exp"] = key.expires
    if key.not_before is not None:
        attributes["nbf"] = key.not_before
    uri = f"{call.world.names.vault_url(key.vault)}/keys/{key.name}"
    identifier = f"{vault.scope}/keys/{key.name}"
    return {
        "id": f"{identifier}/versions/{key.version}" if version else identifier,
        "name": key.version if version else key.name,
        "type": f"{TYPE}/keys/versions" if version else f"{TYPE}/keys",
        "location": vault.seed.location,
        "properties": {
            "attributes": attributes,
            "kty": key.kind,
            "keyOps": ["wrapKey", "unwrapKey"],
            "keySize": key.size,
            "keyUri": uri,
            "keyUriWithVersion": f"{uri}/{key.version}",
        },
    }


def _no_key(name: str) -> Refusal:
    return Refusal(404, "KeyNotFound", f"A key with (name/id) {name} was not found in this key vault.")


def _not_supported() -> Refusal:
    return Refusal(405, "HttpMethodNotSupported", "The http method is not supported at this address.")
