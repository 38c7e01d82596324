"""Worlds in which rules pass, fail or are unknown: what exists in the simulated Azure, and who may read it."""

import time
from collections.abc import Callable
from typing import Any

from sandbox.azure.arm.activity_log import ACTION as READ_EVENTS
from sandbox.azure.seeds import seeds
from sandbox.azure.seeds.storage import AccessPolicyAssignment
from sandbox.names import HostsFile
from sandbox.world import CACHE_KEYS, CACHE_READ, SUBSCRIPTION, World
from tests.integration.operator.persistence_support import Persisting
from tests.integration.operator.support import Case, provision
from tests.integration.operator.workload_support import URL, Target

READS = CACHE_READ + CACHE_KEYS
READS_CACHE = ("Microsoft.Cache/redis/read", "Microsoft.Cache/redis/firewallRules/read")
DAY = 86_400
# No host is there: an address made by RFC 4193's random rule, and one of the range that the 6bone gave back (RFC 3701).
PRIVATE_ADDRESS = "fd6d:9e2b:71c4::1"
PUBLIC_ADDRESS = "3ffe::1"

Arrange = Callable[[World], Case]


def _beside(case: Case) -> None:
    """The surroundings of a well-kept cache."""
    entry = {"dayOfWeek": "Sunday", "startHourUtc": 2, "maintenanceWindow": "PT5H"}
    case.control.redis.set_patch_schedule(case.cache, [entry])
    workspace = f"{case.team.group_scope}/providers/Microsoft.OperationalInsights/workspaces/logs"
    logs = {"workspaceId": workspace, "logs": [{"categoryGroup": "allLogs", "enabled": True}]}
    case.control.redis.set_diagnostics(case.cache, {"kept": logs})
    case.control.redis.set_access_assignments(
        case.cache, AccessPolicyAssignment(name="reader", policy="Data Reader", object_id=case.team.object_id)
    )
    case.control.seed(seeds.Lock(scope=case.team.cache_id(case.cache), name=case.cache, level="CanNotDelete"))
    case.control.keyvault.update(case.team.name, {"enableSoftDelete": True, "enablePurgeProtection": True})


def safe(world: World) -> Case:
    """All is as it should be, except that keys are still accepted."""
    case = Case(world, world.team(cache_actions=READS), "safe")
    case.exists(
        sku={"name": "Premium", "family": "P", "capacity": 1},
        tags={"owner": "shop"},
        identity={"type": "SystemAssigned"},
        zones=("1", "2"),
        properties={"updateChannel": "Stable", "disableAccessKeyAuthentication": False},
        redis_configuration={"aad-enabled": "True", "maxmemory-reserved": "700"},
    )
    _beside(case)
    case.store(expires=int(time.time()) + 90 * DAY, tags={"CredentialId": "Primary"})
    Target(case, replicas=0)
    entry = {"id": "web", "kind": "Deployment", "name": "web", "containers": ["main"], "mountPath": "/bindings/redis"}
    return case.apply(workloads=[entry])


def unsafe(world: World) -> Case:
    """A cache as old ones are; Azure does not serve it any more."""
    case = Case(world, world.team(cache_actions=READS), "unsafe")
    case.exists(
        sku={"name": "Basic", "family": "C", "capacity": 0},
        properties={
            "enableNonSslPort": True,
            "minimumTlsVersion": "1.0",
            "publicNetworkAccess": "Enabled",
            "redisVersion": "4.0.14",
            "updateChannel": "Preview",
            "provisioningState": "Failed",
            "disableAccessKeyAuthentication": False,
        },
        redis_configuration={"aad-enabled": "False"},
        private_endpoints=(seeds.PrivateEndpoint(name="shop", status="Pending"),),
    )
    return case.apply(key=False)


def open_handed(world: World) -> Case:
    """Too many may do too much, and the workload connects unencrypted."""
    case = Case(world, world.team(cache_actions=READS), "open")
    case.exists(redis_configuration={"aad-enabled": "True"})
    case.control.redis.set_access_assignments(
        case.cache, AccessPolicyAssignment(name="all", policy="Data Owner", object_id=case.team.object_id)
    )
    for number in range(6):
        case.control.seed(
            seeds.RoleAssignment(
                object_id=f"00000000-0000-0000-0000-00000000000{number}",
                scope=case.team.group_scope,
                actions=CACHE_KEYS,
            )
        )
    case.control.keyvault.update(case.team.name, {"enablePurgeProtection": None})
    case.store(tags={"CredentialId": "Secondary"}, created=int(time.time()) - 500 * DAY)
    host = case.control.endpoints.redis_host(case.cache)
    target = Target(case, replicas=1, progressDeadlineSeconds=1)
    variable = {"name": "REDIS_URL_OLD", "value": f"redis://{host}:6379"}
    target.patch({"spec": {"template": {"spec": {"containers": [{"name": "main", "env": [variable]}]}}}})
    entry = {"id": "web", "kind": "Deployment", "name": "web", "containers": ["main", "sidecar"], **URL}
    return case.apply(workloads=[entry])


def premium(world: World) -> Case:
    """Injected into a network, without a password, persisting with a key of the account."""
    case = Case(world, world.team(cache_actions=READS), "premium")
    subnet = f"{case.team.group_scope}/providers/Microsoft.Network/virtualNetworks/net/subnets/redis"
    case.exists(
        sku={"name": "Premium", "family": "P", "capacity": 1},
        zones=("1",),
        properties={"subnetId": subnet},
        private_endpoints=(),
        redis_configuration={
            "authnotrequired": "true",
            "maxmemory-reserved": "0",
            "maxmemory-policy": "allkeys-lru",
            "rdb-backup-enabled": "true",
            "rdb-storage-connection-string": "[key hidden]",
            "preferred-data-persistence-auth-method": "SAS",
        },
    )
    return case.apply(key=False)


def in_network(world: World) -> Case:
    """Injected into a network, with a password."""
    case = Case(world, world.team(cache_actions=READS), "inside")
    subnet = f"{case.team.group_scope}/providers/Microsoft.Network/virtualNetworks/net/subnets/redis"
    case.exists(
        sku={"name": "Premium", "family": "P", "capacity": 1},
        properties={"subnetId": subnet},
        private_endpoints=(),
        redis_configuration={"authnotrequired": "false"},
    )
    return case.apply(key=False)


def persistent(world: World) -> Case:
    """Persists by managed identity, and takes no access key."""
    case = Case(world, world.team(cache_actions=READS), "kept")
    case.exists(
        sku={"name": "Premium", "family": "P", "capacity": 1},
        properties={"disableAccessKeyAuthentication": True},
        redis_configuration={
            "aad-enabled": "True",
            "maxmemory-policy": "volatile-lru",
            "rdb-backup-enabled": "true",
            "preferred-data-persistence-auth-method": "ManagedIdentity",
        },
    )
    return case.apply(key=False)


def linked(world: World) -> Case:
    """Linked for geo-replication."""
    case = Case(world, world.team(cache_actions=READS), "linked")
    other = Case(world, case.team, "other")
    sku = {"name": "Premium", "family": "P", "capacity": 1}
    other.exists(sku=sku)
    case.exists(sku=sku, linked_servers=(other.cache,))
    return case.apply(key=False)


def walled(world: World) -> Case:
    """Public, behind a firewall."""
    case = Case(world, world.team(cache_actions=READS), "walled")
    rules = (seeds.FirewallRule(name="here", start="10.0.0.1", end="10.0.0.9"),)
    case.exists(properties={"publicNetworkAccess": "Enabled"}, firewall_rules=rules)
    return case.apply(key=False)


def silent(world: World) -> Case:
    """Azure leaves out what it can, and the identity may read the cache only."""
    case = Case(world, world.team(cache_actions=("Microsoft.Cache/redis/read",), vault_actions=()), "silent")
    case.exists(
        sku={"name": "Premium", "family": "P", "capacity": 1},
        absent=(
            *("enableNonSslPort", "minimumTlsVersion", "publicNetworkAccess", "redisVersion", "updateChannel"),
            "disableAccessKeyAuthentication",
        ),
        redis_configuration={"maxmemory-reserved": None, "rdb-backup-enabled": "true"},
    )
    return case.apply()


def replaced(world: World) -> Case:
    """The spec asks for another tier than there is."""
    case = Case(world, world.team(cache_actions=READS), "replaced")
    case.exists(sku={"name": "Premium", "family": "P", "capacity": 1})
    return case.apply(**provision(case))


def provisioned(world: World) -> Case:
    """Made as the spec says."""
    case = Case(world, world.team(cache_actions=READS), "same")
    case.exists()
    case.allow(READ_EVENTS, scope=seeds.subscription_scope(SUBSCRIPTION))
    return case.apply(**provision(case))


def changed_by_others(world: World) -> Case:
    """Made as the spec says, and then changed by others."""
    case = Case(world, world.team(cache_actions=READS), "touched")
    case.exists()
    case.allow(READ_EVENTS, scope=seeds.subscription_scope(SUBSCRIPTION))
    case.update({"updateChannel": "Preview"})
    return case.apply(**provision(case))


def by_env(world: World) -> Case:
    """The workload takes the URL from its environment."""
    case = Case(world, world.team(cache_actions=READS), "env")
    case.exists()
    case.store()
    Target(case, replicas=0)
    return case.apply(workloads=[{"id": "web", "kind": "Deployment", "name": "web", "containers": ["main"], **URL}])


def with_version(name: str, **version: Any) -> Arrange:
    """One version of the secret, with these attributes."""

    def arrange(world: World) -> Case:
        case = Case(world, world.team(cache_actions=READS), name)
        case.exists()
        case.store(**version)
        return case.apply()

    return arrange


def pinned(world: World) -> Case:
    """The spec names a version that is not the newest."""
    case = Case(world, world.team(cache_actions=READS), "pinned")
    case.exists()
    old = case.store(created=int(time.time()) - DAY)
    case.store(case.keys["Secondary"])
    vault = {"uri": case.control.endpoints.vault_url(case.team.name), "secretName": case.cache, "version": old}
    return case.apply(authentication={"keyVault": vault})


def tampered(world: World) -> Case:
    """Paused, so that what a user writes into the Secret stays there."""
    case = Case(world, world.team(cache_actions=READS), "tampered")
    case.published()
    case.annotate(paused="true")
    case.poke()  # else the operator may repair the Secret before it sees the pause
    host = case.control.endpoints.redis_host(case.cache)
    url = f"redis://:{case.keys['Secondary']}@{host}:6379"
    metadata = {"name": case.cache, "namespace": case.team.namespace}
    case.world.api.merge(
        {"apiVersion": "v1", "kind": "Secret", "metadata": metadata}, {"stringData": {"uri": url}}
    ).must()
    return case


# --- the endpoint ---------------------------------------------------------------------------------------------------


def leading_to(name: str, address: str) -> Arrange:
    """The cluster's DNS says this of the cache's name."""

    def arrange(world: World) -> Case:
        case = Case(world, world.team(cache_actions=READS), name)
        case.exists()
        HostsFile(case.control.endpoints.hosts_file).set(case.control.endpoints.redis_host(case.cache), address)
        return case.apply(key=False)

    return arrange


def in_clear(world: World) -> Case:
    """The non-TLS port is open."""
    case = Case(world, world.team(cache_actions=READS), "clear")
    case.exists(properties={"enableNonSslPort": True})
    return case.apply(key=False)


def interfered(world: World) -> Case:
    """Something between the operator and the cache."""
    case = Case(world, world.team(cache_actions=READS), "between")
    case.exists()
    case.control.redis.listener_fault(case.cache, "self-signed-certificate")
    return case.apply(key=False)


def unreachable(world: World) -> Case:
    """No private endpoint leads to it, and no public address."""
    case = Case(world, world.team(cache_actions=READS), "far")
    case.exists(private_endpoints=())
    return case.apply(key=False)


# --- where the data lie ---------------------------------------------------------------------------------------------


def stored_safely(world: World) -> Case:
    """The account is closed and encrypted with a sound key of the team's."""
    case = Persisting(world, world.team(cache_actions=READS))
    case.persists()
    _encrypt(case)
    case.control.keyvault.update(case.team.name, {"enableSoftDelete": True, "enablePurgeProtection": True})
    return case.apply(key=False)


def stored_openly(world: World) -> Case:
    """All that can be wrong with an account is; its key has expired."""
    case = Persisting(world, world.team(cache_actions=READS))
    case.persists()
    _encrypt(case, services={"blob": {"enabled": False}})
    case.control.keyvault.change_key(case.team.name, "disk", expires=1_700_000_000)
    case.control.storage.update(
        case.account,
        {
            "supportsHttpsTrafficOnly": False,
            "minimumTlsVersion": "TLS1_0",
            "allowSharedKeyAccess": True,
            "allowBlobPublicAccess": True,
            "networkAcls": {"bypass": "AzureServices", "defaultAction": "Allow"},
        },
        blob_service={"deleteRetentionPolicy": {"enabled": True, "days": 7}},
    )
    return case.apply(key=False)


def stored_out_of_sight(world: World) -> Case:
    """The identity may read the cache, and no account."""
    case = Persisting(world, world.team(cache_actions=READS_CACHE))
    case.persists()
    return case.apply(key=False)


def _encrypt(case: Persisting, **more: Any) -> None:
    case.encrypt()
    reader = f"{case.team.group_scope}/providers/Microsoft.ManagedIdentity/userAssignedIdentities/disk"
    case.control.storage.update(case.account, encryption={"identity": {"userAssignedIdentity": reader}, **more})
