"""The identity of a cache or cluster, as ARM shows it."""

import uuid

from sandbox.azure.responses import Json
from sandbox.azure.state.world import World


def shown(world: World, given: Json | None, tenant: str) -> Json | None:
    """Return the identity that a request gives, with its ids. A seeded App with the resource id is that identity."""
    if not given or str(given.get("type", "None")) == "None":
        return None
    identity: Json = {"type": given["type"]}
    if "SystemAssigned" in str(given["type"]):
        identity |= {"principalId": str(uuid.uuid4()), "tenantId": tenant}
    assigned = given.get("userAssignedIdentities") or {}
    if assigned:
        identity["userAssignedIdentities"] = {one: _ids(world, one) for one in assigned}
    return identity


def changed(world: World, before: Json | None, given: Json | None, tenant: str) -> Json | None:
    """Return the identity as it will be. Identities that stay keep their ids."""
    old, after = before or {}, shown(world, given, tenant)
    if after is None:
        return None
    if "principalId" in old and "principalId" in after:
        after["principalId"] = old["principalId"]
    known = {name.lower(): ids for name, ids in (old.get("userAssignedIdentities") or {}).items()}
    for name in after.get("userAssignedIdentities") or {}:
        after["userAssignedIdentities"][name] = known.get(name.lower()) or after["userAssignedIdentities"][name]
    return after


def _ids(world: World, resource_id: str) -> Json:
    for app in world.apps.values():
        if app.resource_id and app.resource_id.lower() == resource_id.lower():
            return {"principalId": app.object_id, "clientId": app.client_id}
    return {"principalId": str(uuid.uuid4()), "clientId": str(uuid.uuid4())}
