"""What stands around a cache: maintenance windows, who may use it, what protects it, who has which role."""

from collections.abc import Iterable
from dataclasses import dataclass
from fnmatch import fnmatchcase

# What an identity needs in order to persist into an account: Microsoft asks for Storage Blob Data Contributor.
WRITE_BLOBS = "Microsoft.Storage/storageAccounts/blobServices/containers/blobs/write"
LIST_KEYS = "Microsoft.Cache/redis/listKeys/action"
LIST_MANAGED_KEYS = "Microsoft.Cache/redisEnterprise/databases/listKeys/action"


@dataclass(frozen=True, slots=True)
class PatchWindow:
    """A maintenance window of a cache. `day`: Monday … Sunday, Everyday or Weekend; `start_hour` in UTC."""

    day: str
    start_hour: int


@dataclass(frozen=True, slots=True)
class AccessPolicyFacts:
    """An access policy of a cache: what its holders may do, in the words of Redis ACLs."""

    name: str
    permissions: str | None


@dataclass(frozen=True, slots=True)
class AccessAssignmentFacts:
    """Who has an access policy. `object_id` is the Redis user name."""

    name: str
    policy: str
    object_id: str
    alias: str | None = None


@dataclass(frozen=True, slots=True)
class LockFacts:
    """A management lock at a resource or above it. `level`: CanNotDelete or ReadOnly."""

    name: str
    level: str
    scope: str


@dataclass(frozen=True, slots=True)
class DiagnosticSettingFacts:
    """A diagnostic setting of a cache. `logs`: enabled categories or groups of them (`allLogs`, `audit`)."""

    name: str
    logs: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class RolePermissions:
    """What one permission of a role definition holds, with wildcards."""

    actions: tuple[str, ...] = ()
    not_actions: tuple[str, ...] = ()
    data_actions: tuple[str, ...] = ()
    not_data_actions: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class RoleAssignmentFacts:
    """A role assignment that works at the scope it was asked for. `scope`: where it was made, there or above.

    `permissions` is None where the role's definition could not be read. `conditional`: it holds only under a condition
    that is not evaluated here.
    """

    scope: str
    role_id: str  # the GUID of the role definition
    principal_id: str
    permissions: tuple[RolePermissions, ...] | None = None
    conditional: bool = False

    def permits(self, action: str, *, data: bool = False) -> bool | None:
        """Whether the role holds the action (a data action with `data`); None if that cannot be told.

        Within one permission, a negated action takes away; between permissions, what one holds is held (Microsoft,
        "Understand Azure role definitions").
        """
        if self.permissions is None:
            return None
        held = any(
            _matches(one.data_actions, action) and not _matches(one.not_data_actions, action)
            if data
            else _matches(one.actions, action) and not _matches(one.not_actions, action)
            for one in self.permissions
        )
        return None if held and self.conditional else held


def _matches(patterns: Iterable[str], action: str) -> bool:
    wanted = action.lower()
    return any(fnmatchcase(wanted, pattern.lower()) for pattern in patterns)


def any_permits(assignments: Iterable[RoleAssignmentFacts], action: str, *, data: bool = False) -> bool | None:
    """Whether one of the assignments surely holds the action; None where none surely does and one may."""
    answers = [one.permits(action, data=data) for one in assignments]
    if any(answers):
        return True
    return None if None in answers else False
