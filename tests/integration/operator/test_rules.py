"""Every rule where it passes, fails and cannot be told: Azure simulated, read by the real operator through the SDKs.

A Pass is a rule that applies (another world shows it failing) and is no finding.
"""

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from sandbox.api import Api
from sandbox.azure import seeds
from sandbox.azure.storage_seeds import AccessPolicyAssignment
from sandbox.chart.install import install
from sandbox.controlplane import ControlPlane
from sandbox.waiting import wait_for
from sandbox.world import CACHE_KEYS, World
from secure_redis.domain.rules import RULES
from tests.controlplane import install_crds
from tests.integration.operator.conftest import INTERVALS, leads
from tests.integration.operator.support import PATIENCE, Case, provision
from tests.integration.operator.workload_support import URL, Target
from tests.kube import Kube

PASS, FAIL, UNKNOWN = "Pass", "Fail", "Unknown"
ALL = (PASS, FAIL, UNKNOWN)
READS = ("*/read", *CACHE_KEYS)

# Rules whose observer is built elsewhere: whoever merges it takes them out of here and adds their worlds.
AWAITED = {
    "endpoint": {"T4", "T5", "N5"},
    "storage": {"P3", "P4", "P5", "P6", "P7", "P9"},
    "managed_cache": {"T3", "A4", "P8"},
    "changes": {"L2"},
    "test_rules_workloads": {"W2", "P10"},  # their worlds are there
}
AWAITED_RULES = frozenset[str]().union(*AWAITED.values())
# Results that no world can show, and why.
NEVER = {
    **{(rule, UNKNOWN): "what was never set is off" for rule in ("N2", "N3", "N6", "A5", "P1", "P2", "R3", "O4", "O5")},
    **{(rule, UNKNOWN): "every answer has it" for rule in ("O7", "R1")},
    **{(rule, UNKNOWN): "without the namespace's RoleBinding there is no identity" for rule in ("T6", "A8")},
    **{(rule, UNKNOWN): "as above, for rights on workloads" for rule in ("T7", "W1", "W3", "W4")},
    **{(rule, UNKNOWN): "without a cache nothing is judged" for rule in ("R6", "L1")},
    ("L1", PASS): "every tier of this type retires",
}

Found = dict[str, str]
Arrange = Callable[[World], Case]
DAY = 86_400


@pytest.fixture(scope="module")
def rooms(tmp_path_factory: pytest.TempPathFactory, hosts: Path, domain: str) -> Iterator[World]:
    """A world whose operator has rights on workloads, and reads what stands around caches at the second look."""
    with ControlPlane(tmp_path_factory.mktemp("rules-plane")) as plane:
        install_crds(Kube(plane.cluster.kubeconfig))
        running = World(tmp_path_factory.mktemp("rules"), plane.cluster, hosts=hosts, domain=f"rules.{domain}")
        running.settings = {
            "intervals": {**INTERVALS, "surroundingsSpreadSeconds": 0.1},
            "workloads": {"enabled": True},
        }
        running.start()
        try:
            install(Api(plane.cluster), {"workloads": {"enabled": True}})
            running.start_operator()
            wait_for(lambda: leads(running), 60, "the operator to lead")
            yield running
            plane.check()
        finally:
            running.stop()


def _beside(case: Case) -> None:
    """What stands around a cache that is looked after."""
    entry = {"dayOfWeek": "Sunday", "startHourUtc": 2, "maintenanceWindow": "PT5H"}
    case.control.patch_schedule(case.cache, [entry])
    workspace = f"{case.team.group_scope}/providers/Microsoft.OperationalInsights/workspaces/logs"
    logs = {"workspaceId": workspace, "logs": [{"categoryGroup": "allLogs", "enabled": True}]}
    case.control.diagnostics(case.cache, {"kept": logs})
    case.control.access_assignments(
        case.cache, AccessPolicyAssignment(name="reader", policy="Data Reader", object_id=case.team.object_id)
    )
    case.control.seed(seeds.Lock(scope=case.team.cache_id(case.cache), name=case.cache, level="CanNotDelete"))
    case.control.vault_update(case.team.name, {"enableSoftDelete": True, "enablePurgeProtection": True})


def _safe(world: World) -> Case:
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


def _unsafe(world: World) -> Case:
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


def _open_handed(world: World) -> Case:
    """Too many may do too much, and the workload connects in clear."""
    case = Case(world, world.team(cache_actions=READS), "open")
    case.exists(redis_configuration={"aad-enabled": "True"})
    case.control.access_assignments(
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
    case.control.vault_update(case.team.name, {"enablePurgeProtection": None})
    case.store(tags={"CredentialId": "Secondary"}, created=int(time.time()) - 500 * DAY)
    host = case.control.endpoints.redis_host(case.cache)
    target = Target(case, replicas=1, progressDeadlineSeconds=1)
    variable = {"name": "REDIS_URL_OLD", "value": f"redis://{host}:6379"}
    target.patch({"spec": {"template": {"spec": {"containers": [{"name": "main", "env": [variable]}]}}}})
    entry = {"id": "web", "kind": "Deployment", "name": "web", "containers": ["main", "sidecar"], **URL}
    return case.apply(workloads=[entry])


def _premium(world: World) -> Case:
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


def _persistent(world: World) -> Case:
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


def _linked(world: World) -> Case:
    case = Case(world, world.team(cache_actions=READS), "linked")
    other = Case(world, case.team, "other")
    sku = {"name": "Premium", "family": "P", "capacity": 1}
    other.exists(sku=sku)
    case.exists(sku=sku, linked_servers=(other.cache,))
    return case.apply(key=False)


def _walled(world: World) -> Case:
    """Public, behind a firewall."""
    case = Case(world, world.team(cache_actions=READS), "walled")
    rules = (seeds.FirewallRule(name="here", start="10.0.0.1", end="10.0.0.9"),)
    case.exists(properties={"publicNetworkAccess": "Enabled"}, firewall_rules=rules)
    return case.apply(key=False)


def _silent(world: World) -> Case:
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


def _replaced(world: World) -> Case:
    case = Case(world, world.team(cache_actions=READS), "replaced")
    case.exists(sku={"name": "Premium", "family": "P", "capacity": 1})
    return case.apply(**provision(case))


def _provisioned(world: World) -> Case:
    case = Case(world, world.team(cache_actions=READS), "same")
    case.exists()
    return case.apply(**provision(case))


def _by_env(world: World) -> Case:
    case = Case(world, world.team(cache_actions=READS), "env")
    case.exists()
    case.store()
    Target(case, replicas=0)
    return case.apply(workloads=[{"id": "web", "kind": "Deployment", "name": "web", "containers": ["main"], **URL}])


def _with_version(name: str, **version: Any) -> Arrange:
    def arrange(world: World) -> Case:
        case = Case(world, world.team(cache_actions=READS), name)
        case.exists()
        case.store(**version)
        return case.apply()

    return arrange


def _pinned(world: World) -> Case:
    case = Case(world, world.team(cache_actions=READS), "pinned")
    case.exists()
    old = case.store(created=int(time.time()) - DAY)
    case.store(case.keys["Secondary"])
    vault = {"uri": case.control.endpoints.vault_url(case.team.name), "secretName": case.cache, "version": old}
    return case.apply(authentication={"keyVault": vault})


def _tampered(world: World) -> Case:
    """Paused, so that what somebody writes into the Secret stays there."""
    case = Case(world, world.team(cache_actions=READS), "tampered")
    case.published()
    case.annotate(paused="true")
    host = case.control.endpoints.redis_host(case.cache)
    url = f"redis://:{case.keys['Secondary']}@{host}:6379"
    metadata = {"name": case.cache, "namespace": case.team.namespace}
    case.world.api.merge(
        {"apiVersion": "v1", "kind": "Secret", "metadata": metadata}, {"stringData": {"uri": url}}
    ).must()
    return case


# By world: what each rule must come to there. Of what is not named here nothing is claimed.
WORLDS: dict[str, tuple[Arrange, dict[str, str]]] = {
    "safe": (
        _safe,
        {
            PASS: "T1 T2 T6 T7 A2 A3 A5 A6 A7 A8 A9 N1 N2 N3 N6 R1 R2 R4 O1 O2 O3 O4 O5 O6 O7 O8 K1 K2 K3 K4 K5 K6 "
            "W1 W3 W4",
            FAIL: "A1 P1 R3 L1",
            UNKNOWN: "",
        },
    ),
    "unsafe": (
        _unsafe,
        {PASS: "", FAIL: "T1 T2 A1 A2 N1 N2 N3 N4 R1 O1 O2 O3 O4 O6 O7 O8 L1", UNKNOWN: ""},
    ),
    "open-handed": (_open_handed, {PASS: "A7", FAIL: "T7 A3 A6 A9 K1 K5 K6 W1 W4", UNKNOWN: ""}),
    "premium": (_premium, {PASS: "P1", FAIL: "A5 N6 P2 R2 R4 R5 O5", UNKNOWN: ""}),
    "persistent": (_persistent, {PASS: "A1 P1 P2 R5", FAIL: "", UNKNOWN: ""}),
    "linked": (_linked, {PASS: "R3", FAIL: "", UNKNOWN: "R2"}),
    "walled": (_walled, {PASS: "N4", FAIL: "N1", UNKNOWN: ""}),
    "silent": (
        _silent,
        {
            PASS: "",
            FAIL: "",
            UNKNOWN: "T1 T2 A1 A2 A3 A6 A7 A9 N1 N4 R2 R4 R5 O1 O2 O3 O6 O8 K1 K2 K3 K4 K5 K6",
        },
    ),
    "replaced": (_replaced, {PASS: "", FAIL: "R6", UNKNOWN: ""}),
    "provisioned": (_provisioned, {PASS: "R6", FAIL: "", UNKNOWN: ""}),
    "by-env": (_by_env, {PASS: "W1", FAIL: "W3", UNKNOWN: ""}),
    "expired": (_with_version("expired", expires=1_600_000_000), {PASS: "K1", FAIL: "K2", UNKNOWN: ""}),
    "disabled": (_with_version("disabled", enabled=False), {PASS: "", FAIL: "K3", UNKNOWN: "A7"}),
    "mismatched": (_with_version("wrong", value="A" * 43 + "="), {PASS: "", FAIL: "A7", UNKNOWN: ""}),
    "pinned": (_pinned, {PASS: "", FAIL: "K4", UNKNOWN: ""}),
    "tampered": (_tampered, {PASS: "", FAIL: "T6 A8", UNKNOWN: ""}),
}


def _findings(case: Case) -> Found:
    told = case.status.get("compliance", {}).get("findings", [])
    return {one["rule"]: one["result"] for one in told}


def _differences(case: Case, expected: dict[str, str]) -> dict[str, str]:
    found = _findings(case)
    if "compliance" not in case.status:
        return {"compliance": "none yet"}
    return {
        rule: f"{found.get(rule, PASS)} instead of {result}"
        for result, rules in expected.items()
        for rule in rules.split()
        if found.get(rule, PASS) != result
    }


def test_every_rule_in_its_worlds(rooms: World) -> None:
    """All worlds at once; each is looked at again until it has come to rest, and then again without a change."""
    cases = {name: arrange(rooms) for name, (arrange, _) in WORLDS.items()}

    def wrong() -> dict[str, dict[str, str]]:
        told = {name: _differences(case, WORLDS[name][1]) for name, case in cases.items()}
        return {name: differences for name, differences in told.items() if differences}

    def right() -> bool:
        for asked, case in [(case.ask(), case) for case in cases.values()]:
            case.await_look(asked)
        return not wrong()

    try:
        wait_for(right, PATIENCE, "every rule to come to what its world holds", interval=0.5)
    except TimeoutError:
        messages = {name: cases[name].status.get("compliance", {}).get("findings") for name in wrong()}
        raise AssertionError(f"{wrong()}; {messages}") from None
    for name, case in cases.items():
        for one in case.status["compliance"]["findings"]:
            read = one["rule"] not in AWAITED_RULES or one["message"].endswith("was not read")
            assert read, f"{name}: {one}: not awaited any more"


def test_each_rule_has_a_world_for_each_result() -> None:
    shown = {
        (rule, result)
        for _, expected in WORLDS.values()
        for result, rules in expected.items()
        for rule in rules.split()
    }
    wanted = {(rule.id, result) for rule in RULES if rule.id not in AWAITED_RULES for result in ALL}
    assert wanted - shown == set(NEVER), "worlds that are missing, or reasons that do not hold any more"
    assert not {rule for rule, _ in shown} & AWAITED_RULES, "not awaited any more"
    assert not shown & set(NEVER)
