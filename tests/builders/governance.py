"""Builds role assignments and access policies of a cache."""

from dataclasses import replace
from typing import Any

from secure_redis.domain.observe.governance import (
    AccessAssignmentFacts,
    AccessPolicyFacts,
    RoleAssignmentFacts,
    RolePermissions,
)
from tests.builders.world import CACHE_ID


def role_assignment(principal: str, *actions: str, **changes: Any) -> RoleAssignmentFacts:
    return replace(RoleAssignmentFacts(CACHE_ID, "role", principal, permissions=(RolePermissions(actions),)), **changes)


def assigned(policy: str) -> tuple[AccessAssignmentFacts, ...]:
    return (AccessAssignmentFacts("one", policy, "00000000-0000-0000-0000-00000000000a", "shop-app"),)


def permitted(*permissions: str | None) -> tuple[AccessAssignmentFacts, ...]:
    """Return assignments of a database, with the permissions that the interface version shows of each."""
    return tuple(
        AccessAssignmentFacts(f"a{number}", "default", f"oid-{number}", permissions=one)
        for number, one in enumerate(permissions)
    )


def custom(permissions: str) -> tuple[AccessPolicyFacts, ...]:
    return (AccessPolicyFacts("mine", permissions),)
