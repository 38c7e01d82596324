"""The governance of a cache: maintenance windows, access policies, locks, diagnostics and roles."""

from collections.abc import Iterable
from dataclasses import dataclass
from fnmatch import fnmatchcase

# The right that persistence into an account needs: Microsoft requires Storage Blob Data Contributor.
WRITE_BLOBS = "Microsoft.Storage/storageAccounts/blobServices/containers/blobs/write"
LIST_KEYS = "Microsoft.Cache/redis/listKeys/action"
LIST_MANAGED_KEYS = "Microsoft.Cache/redisEnterprise/databases/listKeys/action"


@dataclass(frozen=True, slots=True)
class PatchWindow:
    """A maintenance window of a cache. `day`: Monday … Sunday, Everyday or Weekend; `start_hour` in UTC.

    `minutes`: how long it lasts. Azure takes five hours where none is given (API, ScheduleEntry).
    """

    day: str
    start_hour: int
    minutes: int = 300


@dataclass(frozen=True, slots=True)
class AccessPolicyFacts:
    """An access policy of a cache: the permissions of its assignees, in the words of Redis ACLs."""

    name: str
    permissions: str | None


@dataclass(frozen=True, slots=True)
class AccessAssignmentFacts:
    """The assignment of an access policy. `object_id` is the Redis user name.

    `permissions`: of an assignment of a database, in the words of Redis ACLs, as all of them have one policy. None: of
    others, or the interface version does not show them.
    """

    name: str
    policy: str
    object_id: str
    alias: str | None = None
    permissions: str | None = None


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
    """One permission of a role definition, with wildcards."""

    actions: tuple[str, ...] = ()
    not_actions: tuple[str, ...] = ()
    data_actions: tuple[str, ...] = ()
    not_data_actions: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class RoleAssignmentFacts:
    """A role assignment that applies to the scope of the read. `scope`: where it was made, there or above.

    `permissions` is None where the role's definition could not be read. `conditional`: it applies only under a
    condition that is not evaluated here.
    """

    scope: str
    role_id: str  # the GUID of the role definition
    principal_id: str
    permissions: tuple[RolePermissions, ...] | None = None
    conditional: bool = False

    def permits(self, action: str, *, data: bool = False) -> bool | None:
        """Whether the role permits the action (a data action with `data`); None if that is not known.

        Within one permission, negated actions are subtracted; permissions are added to each other (Microsoft,
        "Understand Azure role definitions").
        """
        if self.permissions is None:
            return None
        permitted = any(
            _matches(one.data_actions, action) and not _matches(one.not_data_actions, action)
            if data
            else _matches(one.actions, action) and not _matches(one.not_actions, action)
            for one in self.permissions
        )
        return None if permitted and self.conditional else permitted


def _matches(patterns: Iterable[str], action: str) -> bool:
    lowered = action.lower()
    return any(fnmatchcase(lowered, pattern.lower()) for pattern in patterns)


def any_permits(assignments: Iterable[RoleAssignmentFacts], action: str, *, data: bool = False) -> bool | None:
    """Whether one of the assignments certainly permits the action; None if one only may."""
    answers = [one.permits(action, data=data) for one in assignments]
    if any(answers):
        return True
    return None if None in answers else False
