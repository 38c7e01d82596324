"""Checks before a write to a cache: locks, policies, linked permissions, and a running operation."""

from typing import Any

from sandbox.azure.access.call import Call
from sandbox.azure.access.role_checks import allowed, covers
from sandbox.azure.arm.common import may
from sandbox.azure.arm.operations import busy
from sandbox.azure.arm.redis_validation import bad_value
from sandbox.azure.responses import Json, Refusal, cache_refusal
from sandbox.azure.seeds import seeds
from sandbox.azure.state.redis import CacheState

_ASSIGN = "Microsoft.ManagedIdentity/userAssignedIdentities/assign/action"
_WRITE_BLOBS = "Microsoft.Storage/storageAccounts/blobServices/containers/blobs/write"
_JOIN = "Microsoft.Network/virtualNetworks/subnets/join/action"


def check_lock(call: Call, scope: str, operation: str) -> None:
    """Raise Refusal 409 ScopeLocked. `operation`: write | delete | listKeys | regenerateKey."""
    stopping = [
        lock.scope
        for lock in call.world.locks
        if covers(lock.scope, scope) and (lock.level == "ReadOnly" or operation == "delete")
    ]
    if stopping:
        verb = operation if operation == "delete" else "write"
        raise Refusal(
            409,
            "ScopeLocked",
            f"The scope '{scope}' cannot perform {verb} operation because following scope(s) are locked: "
            f"'{','.join(stopping)}'. Please remove the lock and try again.",
        )


def check_busy(call: Call, cache: CacheState) -> None:
    """Raise Refusal 409 Conflict while an operation runs."""
    if busy(call.world, cache):
        raise cache_refusal(
            409,
            "Conflict",
            f"The resource '{cache.id}' is busy processing a previous update request or is undergoing system "
            "maintenance.  As such, it is currently unable to accept the update request.  Please try again later.",
            call.request_id,
        )


def check_policy(call: Call, scope: str, name: str, resulting: Json) -> None:
    """Raise Refusal 403 if a policy denies the resource as it would become."""
    for policy in call.world.policies:
        if not covers(policy.scope, scope):
            continue
        if policy.field and _at(resulting, policy.field) != policy.value:
            continue
        assignment = f"{policy.scope}/providers/Microsoft.Authorization/policyAssignments/{policy.name}"
        raise Refusal(
            403,
            "RequestDisallowedByPolicy",
            f"Resource '{name}' was disallowed by policy. Policy identifiers: "
            f'\'[{{"policyAssignment":{{"name":"{policy.name}","id":"{assignment}"}}}}]\'.',
            details={"target": name},
        )


def _at(resource: Json, path: str) -> Any:
    found: Any = resource
    for part in path.split("."):
        if not isinstance(found, dict):
            return None
        found = found.get(part)
    return found


def check_linked(call: Call, scope: str, body: Json, kind: str = "Microsoft.Cache/redis") -> None:
    """Raise Refusal 403 if the body names an identity or a subnet that the caller may not use."""
    identity = body.get("identity") or {}
    linked = [(_ASSIGN, str(one)) for one in (identity.get("userAssignedIdentities") or {})]
    subnet = (body.get("properties") or {}).get("subnetId")
    if subnet:
        linked.append((_JOIN, str(subnet)))
    for action, target in linked:
        if may(call, action, target):
            continue
        assert call.principal is not None  # noqa: S101 - authenticated by the router
        raise Refusal(
            403,
            "LinkedAuthorizationFailed",
            f"The client '{call.principal.client_id}' with object id '{call.principal.object_id}' has permission to "
            f"perform action '{kind}/write' on scope '{scope}'; however, it does not have permission to "
            f"perform action(s) '{action}' on the linked scope(s) '{target}' (respectively) or the linked scope(s) are "
            "invalid.",
        )


def check_persistence(call: Call, after: CacheState) -> None:
    """Raise Refusal 400 for persistence by an identity that cannot write yet, or given as a URL (two settings)."""
    settings, configuration = call.world.settings, after.configuration
    kinds = [kind for kind in ("rdb", "aof") if str(configuration.get(f"{kind}-backup-enabled")).lower() == "true"]
    if not kinds or configuration.get("preferred-data-persistence-auth-method") != "ManagedIdentity":
        return
    name = "rdb-storage-connection-string" if "rdb" in kinds else "aof-storage-connection-string-0"
    given = configuration.get(name, "")
    if given.startswith("https://") and not settings.identity_takes_blob_url:
        raise bad_value(name, call.request_id)
    if not settings.persistence_checks_role:
        return
    identity = after.identity or {}
    principals = [identity.get("principalId")]
    principals += [one.get("principalId") for one in (identity.get("userAssignedIdentities") or {}).values()]
    accounts = [
        one.scope for one in call.world.storage.values() if f"//{one.name}." in given or f"={one.name}" in given
    ]
    if not any(
        allowed(call.world, str(p), _WRITE_BLOBS, scope, data=True) for p in principals if p for scope in accounts
    ):
        raise cache_refusal(
            400,
            "BadRequest",
            "The managed identity of the cache does not have access to the storage account.",
            call.request_id,
        )


def check_location(call: Call, given: Any, kind: str = "Microsoft.Cache/Redis") -> seeds.Region:
    """Return the region of that name. Raises Refusal 400."""
    region = call.world.region(given) if isinstance(given, str) else None
    if not given:
        raise Refusal(400, "LocationRequired", "The location property is required for this definition.")
    if region is None:
        offered = ",".join(r.name for r in call.world.regions.values())
        raise Refusal(
            400,
            "LocationNotAvailableForResourceType",
            f"The provided location '{given}' is not available for resource type '{kind}'. List of "
            f"available regions for the resource type is '{offered}'.",
        )
    return region
