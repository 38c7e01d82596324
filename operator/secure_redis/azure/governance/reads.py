"""Read the governance of a cache in the management plane: small lists, each with a permission of its own.

Reads count against Resource Manager's limit of a service principal in a subscription. Since 2024 it is a bucket of 250
per region, which 25 a second refill (15 times that for all principals together). Free and trial subscriptions may get
less. Source: learn.microsoft.com/azure/azure-resource-manager/management/request-limits-and-throttling, section
"Regional throttling and token bucket algorithm". How much of it is used: `reconciler.observe.governance`.
"""

import re
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any, Final, TypeVar

from pydantic import TypeAdapter, ValidationError

from secure_redis.api.azure_ids import CacheID, KeyScope, StorageAccountID, within
from secure_redis.api.reasons.reason import Reason
from secure_redis.azure.core.answers import Malformed, elements, mapping, number, text
from secure_redis.azure.core.expiring_cache import ExpiringCache
from secure_redis.azure.core.failures import (
    Denied,
    Failure,
    Missing,
    NotFound,
    Transient,
)
from secure_redis.azure.core.resource_manager import ResourceManager, unread
from secure_redis.azure.redis.client import API_VERSION
from secure_redis.domain.observe.governance import (
    AccessAssignmentFacts,
    AccessPolicyFacts,
    DiagnosticSettingFacts,
    LockFacts,
    PatchWindow,
    RoleAssignmentFacts,
    RolePermissions,
)
from secure_redis.domain.observe.identity import Identity
from secure_redis.domain.observe.services import CACHES
from secure_redis.domain.observe.unknown import Unknown

T = TypeVar("T")
RoleScope = CacheID | StorageAccountID | KeyScope
Item = Mapping[str, Any]

LOCKS_API_VERSION: Final = "2020-05-01"
DIAGNOSTICS_API_VERSION: Final = "2021-05-01-preview"  # the newest there is of this type
ROLES_API_VERSION: Final = "2022-04-01"
READ_SCHEDULE: Final = "Microsoft.Cache/redis/patchSchedules/read"
READ_POLICIES: Final = "Microsoft.Cache/redis/accessPolicies/read"
READ_ASSIGNMENTS: Final = "Microsoft.Cache/redis/accessPolicyAssignments/read"
READ_DIAGNOSTICS: Final = "Microsoft.Insights/diagnosticSettings/read"
READ_LOCKS: Final = "Microsoft.Authorization/locks/read"
READ_ROLES: Final = "Microsoft.Authorization/roleAssignments/read"

_DURATION: Final = TypeAdapter(timedelta)
_MOST_ROLES: Final = 200  # one request each, kept for an hour
_LOCK = re.compile(r"/providers/microsoft\.authorization/locks/[^/]+$", re.IGNORECASE)
_PRINCIPAL = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE | re.ASCII)


class Governance:
    """Reads the governance of caches. It keeps role definitions for an hour, under the identity that read them."""

    def __init__(self, resource_manager: ResourceManager) -> None:
        self._resource_manager = resource_manager
        self._roles: ExpiringCache[tuple[Identity, str, str], tuple[RolePermissions, ...]] = ExpiringCache(
            time.monotonic
        )

    async def patch_schedule(self, identity: Identity, cache: CacheID) -> tuple[PatchWindow, ...] | Unknown:
        """Read the maintenance windows; empty if none were chosen. The cache itself is known to exist."""
        answer = await self._resource_manager.get(identity, f"{cache.text}/patchSchedules/default", API_VERSION)
        if isinstance(answer, NotFound) and answer.what is Missing.RESOURCE:
            return ()  # "There are no patch schedules found for redis cache …"
        if isinstance(answer, Failure):
            return unread(answer, READ_SCHEDULE)
        return _convert(elements(mapping(answer.get("properties")).get("scheduleEntries")), patch_window)

    async def access_policies(self, identity: Identity, cache: CacheID) -> tuple[AccessPolicyFacts, ...] | Unknown:
        """Read all access policies, the built-in ones too."""
        found = await self._resource_manager.walk(identity, f"{cache.text}/accessPolicies", API_VERSION)
        return unread(found, READ_POLICIES) if isinstance(found, Failure) else _convert(found, _policy)

    async def access_assignments(
        self, identity: Identity, cache: CacheID
    ) -> tuple[AccessAssignmentFacts, ...] | Unknown:
        """Read which object ids have which access policy."""
        found = await self._resource_manager.walk(identity, f"{cache.text}/accessPolicyAssignments", API_VERSION)
        return unread(found, READ_ASSIGNMENTS) if isinstance(found, Failure) else _convert(found, _assignment)

    async def locks(self, identity: Identity, cache: CacheID) -> tuple[LockFacts, ...] | Unknown:
        """Read the locks that apply to the cache: its own, its group's and its subscription's."""
        path = f"{cache.text}/providers/Microsoft.Authorization/locks"
        found = await self._resource_manager.walk(identity, path, LOCKS_API_VERSION)
        if isinstance(found, Failure):
            return unread(found, READ_LOCKS)
        locks = _convert(found, _lock)
        if isinstance(locks, Unknown):
            return locks
        # The list also contains locks below the cache, such as one of a private endpoint connection.
        return tuple(lock for lock in locks if within(lock.scope, cache.text))

    async def diagnostics(self, identity: Identity, cache: CacheID) -> tuple[DiagnosticSettingFacts, ...] | Unknown:
        """Read the diagnostic settings; empty if the cache's logs go nowhere."""
        path = f"{cache.text}{CACHES[cache.service].LOGS}/providers/Microsoft.Insights/diagnosticSettings"
        found = await self._resource_manager.walk(identity, path, DIAGNOSTICS_API_VERSION)
        return unread(found, READ_DIAGNOSTICS) if isinstance(found, Failure) else _convert(found, _diagnostic)

    async def role_assignments(
        self, identity: Identity, target: RoleScope, principal: str | None = None
    ) -> tuple[RoleAssignmentFacts, ...] | Unknown:
        """Read the role assignments that apply to the cache, account or key, of all principals or of one object id.

        Those of the groups that `principal` is in are among them. Needs
        `Microsoft.Authorization/roleAssignments/read` there and, to read what a role permits,
        `Microsoft.Authorization/roleDefinitions/read`; without the latter `permissions` is None.

        Raises:
            ValueError: `principal` is not an object id.

        """
        selected = "atScope()"
        if principal is not None:
            if not _PRINCIPAL.fullmatch(principal):
                raise ValueError("the principal is not an object id")
            selected += f" and assignedTo('{principal}')"
        path = f"{target.text}/providers/Microsoft.Authorization/roleAssignments"
        found = await self._resource_manager.walk(identity, path, ROLES_API_VERSION, filter=selected)
        if isinstance(found, NotFound) and not isinstance(target, CacheID):
            return Unknown(Reason.AZURE_ERROR, found.message)
        if isinstance(found, Failure):
            return unread(found, READ_ROLES)
        listed = _convert(found, _role_assignment)
        if isinstance(listed, Unknown):
            return listed
        here = [one for one in listed if within(one.scope, target.text) or _above_subscriptions(one.scope)]
        known_roles: dict[str, tuple[RolePermissions, ...]] = {}
        for role in sorted({one.role_id for one in here})[:_MOST_ROLES]:  # of the others, `permissions` stays None
            permissions = await self._permissions(identity, target, role)
            if isinstance(permissions, Denied | Transient):
                break  # the others would be refused too
            if isinstance(permissions, tuple):
                known_roles[role] = permissions
        return tuple(replace(one, permissions=known_roles.get(one.role_id)) for one in here)

    async def _permissions(
        self, identity: Identity, target: RoleScope, role: str
    ) -> tuple[RolePermissions, ...] | Failure | None:
        # Read at the target: a reader of the assignments there needs no permission on the whole subscription.
        key = (identity, target.subscription.lower(), role)
        known = self._roles.peek(key)
        if known is not None:
            return known
        path = f"{target.text}/providers/Microsoft.Authorization/roleDefinitions/{role}"
        answer = await self._resource_manager.get(identity, path, ROLES_API_VERSION)
        if isinstance(answer, Failure):
            return answer
        listed = mapping(answer.get("properties")).get("permissions")
        if not isinstance(listed, list):
            return None
        permissions = tuple(_permission(one) for one in listed if isinstance(one, Mapping))
        self._roles.get(key, lambda: permissions)
        return permissions


def _convert(items: Iterable[object], convert: Callable[[Item], T]) -> tuple[T, ...] | Unknown:
    """Convert all items. One that cannot be understood makes the whole Unknown: it may be the one that matters."""
    try:
        return tuple(convert(mapping(item)) for item in items)
    except Malformed as error:
        return Unknown(Reason.AZURE_ERROR, f"Azure's answer cannot be understood: {error}")


def patch_window(entry: Item) -> PatchWindow:
    """Convert one entry of a patch schedule.

    Raises:
        Malformed: no day or hour, or a length that is not an ISO 8601 duration.

    """
    day, hour = text(entry.get("dayOfWeek")), number(entry.get("startHourUtc"))
    if day is None or hour is None:
        raise Malformed("a maintenance window without a day or an hour")
    lasts = text(entry.get("maintenanceWindow"))
    if lasts is None:
        return PatchWindow(day, hour)
    try:
        return PatchWindow(day, hour, int(_DURATION.validate_python(lasts).total_seconds() // 60))
    except ValidationError:
        raise Malformed("a maintenance window whose length is not an ISO 8601 duration") from None


def _named(item: Item) -> str:
    # The name of a cache's child can start with the cache's name: `cache/name`.
    name = (text(item.get("name")) or "").rpartition("/")[2]
    if not name:
        raise Malformed("an item without a name")
    return name


def _policy(item: Item) -> AccessPolicyFacts:
    properties = mapping(item.get("properties"))
    return AccessPolicyFacts(_named(item), text(properties.get("permissions")))


def _assignment(item: Item) -> AccessAssignmentFacts:
    properties = mapping(item.get("properties"))
    policy, object_id = text(properties.get("accessPolicyName")), text(properties.get("objectId"))
    if policy is None or object_id is None:
        raise Malformed("an access policy assignment without a policy or an object id")
    return AccessAssignmentFacts(_named(item), policy, object_id, text(properties.get("objectIdAlias")))


def _lock(item: Item) -> LockFacts:
    identifier, level = text(item.get("id")) or "", text(mapping(item.get("properties")).get("level"))
    scope = _LOCK.sub("", identifier)
    if level is None or scope == identifier:
        raise Malformed("a lock without a level or a place")
    return LockFacts(_named(item), level, scope)


def _diagnostic(item: Item) -> DiagnosticSettingFacts:
    switches = [mapping(one) for one in elements(mapping(item.get("properties")).get("logs"))]
    named = [text(one.get("category")) or text(one.get("categoryGroup")) for one in switches if one.get("enabled")]
    return DiagnosticSettingFacts(_named(item), tuple(name for name in named if name is not None))


def _role_assignment(item: Item) -> RoleAssignmentFacts:
    properties = mapping(item.get("properties"))
    scope, principal = text(properties.get("scope")), text(properties.get("principalId"))
    role = (text(properties.get("roleDefinitionId")) or "").rpartition("/")[2].lower()
    if scope is None or principal is None or not _PRINCIPAL.fullmatch(role):
        raise Malformed("a role assignment without a scope, a principal or a role")
    return RoleAssignmentFacts(
        scope,
        role,
        principal,
        conditional=text(properties.get("condition")) is not None,
    )


def _above_subscriptions(scope: str) -> bool:
    """Whether the scope is the root or a management group. The list contains only those above the subscription."""
    return scope == "/" or scope.lower().startswith("/providers/microsoft.management/managementgroups/")


def _permission(one: Item) -> RolePermissions:
    def words(name: str) -> tuple[str, ...]:
        return tuple(str(word) for word in elements(one.get(name)))

    return RolePermissions(words("actions"), words("notActions"), words("dataActions"), words("notDataActions"))
