"""Checks role assignments by action and scope, with Azure's delay."""

import fnmatch
from collections.abc import Sequence

from sandbox.azure.responses import Refusal
from sandbox.azure.state.world import World


def covers(scope: str, target: str) -> bool:
    """Return whether `target` is `scope` or below it, by whole segments, ignoring case."""
    upper, lower = scope.lower().rstrip("/"), target.lower().rstrip("/")
    return lower == upper or lower.startswith(upper + "/")


def _any(patterns: Sequence[str], action: str) -> bool:
    return any(fnmatch.fnmatchcase(action.lower(), pattern.lower()) for pattern in patterns)


def allowed(world: World, object_id: str, action: str, scope: str, *, data: bool = False) -> bool:
    """Return whether an assignment in force permits the action (with `data`, a data action) at the scope."""
    now = world.timeline.now()
    for since, assignment in world.assignments:
        if since > now or assignment.object_id != object_id or not covers(assignment.scope, scope):
            continue
        if data:
            if _any(assignment.data_actions, action):
                return True
        elif _any(assignment.actions, action) and not _any(assignment.not_actions, action):
            return True
    return False


def authorization_failed(client_id: str, object_id: str, action: str, scope: str) -> Refusal:
    """Return ARM's refusal. Its text is the one in public issue threads."""
    return Refusal(
        403,
        "AuthorizationFailed",
        f"The client '{client_id}' with object id '{object_id}' does not have authorization to perform action "
        f"'{action}' over scope '{scope}' or the scope is invalid. If access was recently granted, please refresh "
        "your credentials.",
    )
