"""The surroundings of a cache, as the operator reads them."""

import uuid

import pytest

from sandbox.azure.seeds import seeds
from sandbox.azure.seeds.storage import (
    BLOB_DATA_CONTRIBUTOR,
    AccessPolicy,
    AccessPolicyAssignment,
    StorageAccount,
    blob_data_contributor,
    storage_scope,
)
from sandbox.azure.state.faults import Fault
from secure_redis.api.azure_ids import StorageAccountID
from secure_redis.api.reasons.reason import Reason
from secure_redis.azure.core.resource_manager import ResourceManager
from secure_redis.azure.governance.reads import (
    READ_ASSIGNMENTS,
    READ_DIAGNOSTICS,
    READ_LOCKS,
    READ_POLICIES,
    READ_ROLES,
    READ_SCHEDULE,
    Governance,
)
from secure_redis.domain.observe.governance import (
    LIST_KEYS,
    WRITE_BLOBS,
    AccessAssignmentFacts,
    AccessPolicyFacts,
    DiagnosticSettingFacts,
    LockFacts,
    PatchWindow,
    RoleAssignmentFacts,
    any_permits,
)
from secure_redis.domain.observe.redis import Redis
from secure_redis.domain.observe.unknown import Unknown

from .conftest import READ, Site

ROLE_DEFINITIONS = "Microsoft.Authorization/roleDefinitions/read"


class Room:
    def __init__(self, site: Site) -> None:
        self.site = site
        self.control = site.control
        self.around = Governance(ResourceManager(site.transport, site.credentials))
        self.account = StorageAccountID.parse(storage_scope(site.subscription, site.group, site.name))
        self.principal = str(uuid.uuid4())
        site.add_cache()
        self.control.seed(StorageAccount(subscription=site.subscription, group=site.group, name=site.name))

    async def roles(self, principal: str | None = None) -> tuple[RoleAssignmentFacts, ...]:
        found = await self.around.role_assignments(self.site.identity, self.account, principal or self.principal)
        assert not isinstance(found, Unknown)
        return found


@pytest.fixture
def room(site: Site) -> Room:
    return Room(site)


def lacking(found: object, permission: str) -> None:
    assert isinstance(found, Unknown)
    assert (found.reason, found.permission) == (Reason.AZURE_DENIED, permission)
    assert permission in found.message


async def test_nothing_may_be_read_without_its_own_right(room: Room) -> None:
    identity, cache = room.site.identity, room.site.cache
    lacking(await room.around.patch_schedule(identity, cache), READ_SCHEDULE)
    lacking(await room.around.access_policies(identity, cache), READ_POLICIES)
    lacking(await room.around.access_assignments(identity, cache), READ_ASSIGNMENTS)
    lacking(await room.around.diagnostics(identity, cache), READ_DIAGNOSTICS)
    lacking(await room.around.locks(identity, cache), READ_LOCKS)
    lacking(await room.around.role_assignments(identity, cache), READ_ROLES)
    lacking(await room.around.role_assignments(identity, room.account, room.principal), READ_ROLES)


async def test_where_the_logs_go(room: Room) -> None:
    room.site.allow(READ_DIAGNOSTICS)
    assert await room.around.diagnostics(room.site.identity, room.site.cache) == ()
    workspace = "/subscriptions/x/resourceGroups/y/providers/Microsoft.OperationalInsights/workspaces/z"
    room.control.redis.set_diagnostics(
        room.site.name,
        {
            "all": {
                "workspaceId": workspace,
                "storageAccountId": None,
                "logs": [
                    {"categoryGroup": "allLogs", "enabled": True},
                    {"category": "ConnectedClientList", "enabled": False},
                ],
                "metrics": [{"category": "AllMetrics", "enabled": True}],
            },
            "nothing": {"logs": None},
        },
    )
    assert await room.around.diagnostics(room.site.identity, room.site.cache) == (
        DiagnosticSettingFacts("all", ("allLogs",)),
        DiagnosticSettingFacts("nothing"),
    )


async def test_the_patch_schedule(room: Room) -> None:
    room.site.allow(READ_SCHEDULE)
    assert await room.around.patch_schedule(room.site.identity, room.site.cache) == ()
    room.control.redis.set_patch_schedule(
        room.site.name,
        [
            {"dayOfWeek": "Sunday", "startHourUtc": 2, "maintenanceWindow": "PT6H30S"},
            {"dayOfWeek": "Everyday", "startHourUtc": 23},
        ],
    )
    assert await room.around.patch_schedule(room.site.identity, room.site.cache) == (
        PatchWindow("Sunday", 2, 360),
        PatchWindow("Everyday", 23),
    )
    room.control.redis.set_patch_schedule(room.site.name, [{"dayOfWeek": "Sunday"}])
    odd = await room.around.patch_schedule(room.site.identity, room.site.cache)
    assert isinstance(odd, Unknown)
    assert "maintenance window" in odd.message


async def test_access_policies_and_who_has_them(room: Room) -> None:
    room.site.allow(READ_POLICIES, READ_ASSIGNMENTS)
    room.control.redis.set_access_policies(room.site.name, AccessPolicy(name="Everything", permissions="+@all allkeys"))
    room.control.redis.set_access_assignments(
        room.site.name,
        AccessPolicyAssignment(name="app", policy="Everything", object_id=room.principal, alias="checkout"),
    )
    policies = await room.around.access_policies(room.site.identity, room.site.cache)
    assert not isinstance(policies, Unknown)
    assert [p.name for p in policies] == ["Data Owner", "Data Contributor", "Data Reader", "Everything"]
    assert policies[-1] == AccessPolicyFacts("Everything", "+@all allkeys")
    held = await room.around.access_assignments(room.site.identity, room.site.cache)
    assert held == (AccessAssignmentFacts("app", "Everything", room.principal, "checkout"),)


async def test_a_list_of_many_pages(room: Room) -> None:
    room.site.allow(READ_POLICIES)
    room.control.settings.change(page_size=4)
    room.control.redis.set_access_policies(
        room.site.name, *[AccessPolicy(name=f"policy{number}", permissions="+get") for number in range(9)]
    )
    policies = await room.around.access_policies(room.site.identity, room.site.cache)
    assert not isinstance(policies, Unknown)
    assert len(policies) == 12
    assert room.site.requests("accessPolicies") == 3


async def test_a_next_link_to_elsewhere_is_not_followed(room: Room) -> None:
    room.site.allow(READ_POLICIES)
    elsewhere = {"value": [], "nextLink": "https://management.evil.example/next"}
    with room.control.faults.during(Fault(service="arm", path="accessPolicies", status=200, body=elsewhere)):
        found = await room.around.access_policies(room.site.identity, room.site.cache)
    assert isinstance(found, Unknown)
    assert "management.evil.example" in found.message
    assert "not part of the configured cloud" in found.message


async def test_locks_of_the_cache_and_above_it(room: Room) -> None:
    room.site.allow(READ_LOCKS)
    group = seeds.group_scope(room.site.subscription, room.site.group)
    assert await room.around.locks(room.site.identity, room.site.cache) == ()
    own, groups = f"own-{room.site.name}", f"group-{room.site.name}"
    room.control.seed(
        seeds.Lock(scope=room.site.cache.text, name=own, level="CanNotDelete"),
        seeds.Lock(scope=group, name=groups, level="ReadOnly"),
        seeds.Lock(scope=f"{room.site.cache.text}/privateEndpointConnections/x", name="below", level="ReadOnly"),
        seeds.Lock(scope=f"{room.site.cache.text}2", name="beside", level="ReadOnly"),
    )
    try:
        assert await room.around.locks(room.site.identity, room.site.cache) == (
            LockFacts(own, "CanNotDelete", room.site.cache.text),
            LockFacts(groups, "ReadOnly", group),
        )
    finally:
        for name in (own, groups, "below", "beside"):
            room.control.access.delete_lock(name)


async def test_whether_the_caches_identity_may_write_blobs(room: Room) -> None:
    room.site.allow(READ_ROLES, ROLE_DEFINITIONS)
    assert await room.roles() == ()
    assert any_permits(await room.roles(), WRITE_BLOBS, data=True) is False
    # A management role, however wide, holds no data action; a role on one container does not do for the account.
    group = seeds.group_scope(room.site.subscription, room.site.group)
    room.control.seed(
        seeds.RoleAssignment(object_id=room.principal, scope=group, actions=("*",)),
        blob_data_contributor(room.principal, f"{room.account.text}/blobServices/default/containers/one"),
        blob_data_contributor(str(uuid.uuid4()), room.account.text),  # of another identity
    )
    assert any_permits(await room.roles(), WRITE_BLOBS, data=True) is False
    assert any_permits(await room.roles(), LIST_KEYS) is True
    room.control.seed(blob_data_contributor(room.principal, group))
    found = await room.roles()
    assert any_permits(found, WRITE_BLOBS, data=True) is True
    assert {one.scope for one in found} == {group}
    assert BLOB_DATA_CONTRIBUTOR in {one.role_id for one in found}
    # A definition is read once.
    before = room.site.requests("roleDefinitions")
    await room.roles()
    assert room.site.requests("roleDefinitions") == before


async def test_an_unreadable_role_and_one_with_a_condition(room: Room) -> None:
    room.site.allow(READ_ROLES)
    room.control.seed(blob_data_contributor(room.principal, room.account.text))
    (closed,) = await room.roles()
    assert (closed.permissions, closed.conditional) == (None, False)
    assert any_permits([closed], WRITE_BLOBS, data=True) is None
    room.control.seed(seeds.RoleAssignment(object_id=room.principal, scope=room.account.text, actions=("*/read",)))
    before = room.site.requests("roleDefinitions")
    assert [one.permissions for one in await room.roles()] == [None, None]
    assert room.site.requests("roleDefinitions") == before + 1  # refused once is refused for all
    room.site.allow(ROLE_DEFINITIONS, scope=room.account.text)
    assert any_permits(await room.roles(), WRITE_BLOBS, data=True) is True
    room.control.access.unassign(room.principal)
    room.control.seed(blob_data_contributor(room.principal, room.account.text, condition="@Resource[...] Equals 'x'"))
    (bound,) = await room.roles()
    assert bound.conditional
    assert any_permits([bound], WRITE_BLOBS, data=True) is None


async def test_who_may_list_the_keys_of_a_cache(room: Room) -> None:
    room.site.allow(READ_ROLES, ROLE_DEFINITIONS)
    room.control.seed(
        seeds.RoleAssignment(
            object_id=room.principal,
            scope=room.site.cache.text,
            actions=("Microsoft.Cache/redis/*",),
            not_actions=("Microsoft.Cache/redis/listKeys/action",),
        ),
        seeds.RoleAssignment(
            object_id="11111111-2222-4333-8444-555555555555", scope=room.site.cache.text, actions=("*",)
        ),
    )
    found = await room.around.role_assignments(room.site.identity, room.site.cache)
    assert not isinstance(found, Unknown)
    may = {one.principal_id: one.permits(LIST_KEYS) for one in found if one.scope == room.site.cache.text}
    assert may == {room.principal: False, "11111111-2222-4333-8444-555555555555": True}
    with pytest.raises(ValueError, match="not an object id"):
        await room.around.role_assignments(room.site.identity, room.site.cache, "x') or ('")


async def test_the_caches_own_identities_are_reported(room: Room) -> None:
    room.site.allow(READ)
    group = seeds.group_scope(room.site.subscription, "ids")
    one = f"{group}/providers/Microsoft.ManagedIdentity/userAssignedIdentities/a"
    room.site.add_cache(
        identity={
            "type": "SystemAssigned, UserAssigned",
            "principalId": room.principal,
            "userAssignedIdentities": {one: {"principalId": "p", "clientId": "c"}},
        }
    )
    facts = await room.site.caches.read(room.site.identity, room.site.cache)
    assert isinstance(facts, Redis)
    assert (facts.principal_id, facts.user_assigned_principals) == (room.principal, {one: "p"})
