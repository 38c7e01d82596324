"""The customer-managed key of a cluster: what a request must name, and whether the key can be used in the end."""

import re
from typing import Any
from urllib.parse import urlsplit

from sandbox.azure.access.call import Call
from sandbox.azure.access.role_checks import allowed
from sandbox.azure.arm.managed_redis_refusals import bad_request
from sandbox.azure.responses import Json
from sandbox.azure.seeds.storage import VaultKey
from sandbox.azure.state.managed_redis import ManagedState
from sandbox.azure.state.world import World

_KEYS = "Microsoft.KeyVault/vaults/keys"
_ACTIONS = (f"{_KEYS}/read", f"{_KEYS}/wrap/action", f"{_KEYS}/unwrap/action")
_PATH = re.compile(r"/keys/([A-Za-z0-9-]{1,127})/([A-Za-z0-9]{1,64})/?")
_CODE = "EncryptionKeyNotAccessible"


def applied(call: Call, properties: Json, identity: Json) -> Json:
    """Return properties with the encryption that they ask for: a customer's key, or none of one's own.

    Raises Refusal 400 for a key without version, without an identity, or whose identity the cluster does not have.
    """
    if "encryption" not in properties:
        return properties
    encryption = properties["encryption"]
    key = encryption.get("customerManagedKeyEncryption") if isinstance(encryption, dict) else None
    if not key:
        rest = {name: value for name, value in properties.items() if name != "encryption"}
        if call.world.settings.managed_removed_key_leaves_object:
            rest["encryption"] = {"customerManagedKeyEncryption": {}}
        return rest
    parts = urlsplit(str(key.get("keyEncryptionKeyUrl", "")))
    if parts.scheme != "https" or not parts.hostname or not _PATH.fullmatch(parts.path):
        raise bad_request(call, "The property 'keyEncryptionKeyUrl' must be the URL of a key with its version.")
    reader = key.get("keyEncryptionKeyIdentity") or {}
    name = str(reader.get("userAssignedIdentityResourceId") or "")
    if reader.get("identityType") != "userAssignedIdentity" or not name:
        raise bad_request(call, "A customer-managed key needs a user-assigned identity, 'keyEncryptionKeyIdentity'.")
    if _ids(identity, name) is None:
        raise bad_request(call, f"The identity '{name}' of the customer-managed key is not assigned to the cluster.")
    return properties


def trouble(world: World, cluster: ManagedState) -> Json | None:
    """Return the error of the operation that is to use the cluster's key, or None if it can be used."""
    key = (cluster.properties.get("encryption") or {}).get("customerManagedKeyEncryption")
    if not key or not world.settings.managed_checks_encryption_key:
        return None
    problem = _problem(world, key, cluster.identity)
    return None if problem is None else {"code": _CODE, "message": f"The customer-managed key {problem}."}


def _problem(world: World, key: Json, identity: Json) -> str | None:
    parts = urlsplit(str(key["keyEncryptionKeyUrl"]))
    matched = _PATH.fullmatch(parts.path)
    vault = next(
        (one for one in world.vaults.values() if world.names.vault_host(one.seed.name) == parts.hostname), None
    )
    if vault is None or matched is None:
        return "is in a vault that does not exist"
    found = world.vault_keys.get((vault.seed.name.lower(), matched[1].lower()))
    if found is None or found.version.lower() != matched[2].lower():
        return "does not exist in this version"
    if not _usable(found, world.timeline.now()):
        return "is disabled or expired"
    ids = _ids(identity, str(key["keyEncryptionKeyIdentity"]["userAssignedIdentityResourceId"])) or {}
    scope = f"{vault.scope}/keys/{found.name}"
    if not all(allowed(world, str(ids.get("principalId")), one, scope, data=True) for one in _ACTIONS):
        return "cannot be read, wrapped and unwrapped by the identity"
    return None


def _usable(key: VaultKey, now: float) -> bool:
    begun = key.not_before is None or key.not_before <= now
    return key.enabled and begun and (key.expires is None or key.expires > now)


def _ids(identity: Json, name: str) -> Any:
    assigned = identity.get("userAssignedIdentities") or {}
    return next((ids for one, ids in assigned.items() if one.lower() == name.lower()), None)
