"""Commands that take away tokens, role assignments, locks and policies, as administrators do."""

from typing import Any

from sandbox.azure.seeds.seeds import Json, RoleAssignment
from sandbox.azure.state.world import World

COMMANDS = frozenset({"revoke", "unassign", "unlock", "policy-remove"})


async def run(world: World, command: str, body: Json) -> Any:
    """Run one of COMMANDS."""
    match command:
        case "revoke":
            world.revoked.update(t for t, owner in world.issued.items() if owner == body["object_id"])
        case "unassign":
            remaining = [(t, a) for t, a in world.assignments if not _is_assignment(a, body)]
            removed = len(world.assignments) - len(remaining)
            world.assignments[:] = remaining
            return removed
        case "unlock":
            world.locks[:] = [lock for lock in world.locks if lock.name != body["name"]]
        case "policy-remove":
            world.policies[:] = [policy for policy in world.policies if policy.name != body["name"]]
    return None


def _is_assignment(assignment: RoleAssignment, body: Json) -> bool:
    return assignment.object_id == body["object_id"] and body.get("scope") in (None, assignment.scope)
