"""Every rule where it passes, fails and is unknown: Azure simulated, read by the real operator through the SDKs.

A Pass is a rule that applies (another world shows it failing) and is no finding.
"""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from sandbox.api import Api
from sandbox.chart.install import install
from sandbox.controlplane import ControlPlane
from sandbox.waiting import PATIENCE, wait_for
from sandbox.world import World
from secure_redis.domain.assess.rules import RULES
from tests.controlplane import install_crds
from tests.integration.operator import rule_worlds as worlds
from tests.integration.operator import test_managed, test_rules_workloads
from tests.integration.operator.conftest import INTERVALS, leads
from tests.integration.operator.support import Case
from tests.kube import Kube

PASS, FAIL, UNKNOWN = "Pass", "Fail", "Unknown"
ALL = (PASS, FAIL, UNKNOWN)

# Results that no world can show, and why.
NEVER = {
    **{(rule, UNKNOWN): "what was never set is off" for rule in ("N2", "N3", "N6", "A5", "P1", "P2", "R3", "O4", "O5")},
    **{(rule, UNKNOWN): "every answer has it" for rule in ("O7", "R1")},
    **{(rule, UNKNOWN): "without the namespace's RoleBinding there is no identity" for rule in ("T6", "A8")},
    **{(rule, UNKNOWN): "as above, for rights on workloads" for rule in ("W1", "W3", "W4")},
    **{(rule, UNKNOWN): "without a cache nothing is judged" for rule in ("R6", "L1")},
    ("P10", UNKNOWN): "every answer has the tier",
    ("N6", PASS): "Azure reports a subnet only for a cache that has one",
    **test_managed.NEVER,
}

Found = dict[str, str]
ROUND = 4 * PATIENCE  # seconds for a check of every world
SETTLED = 5  # rounds in which nothing moved


@pytest.fixture(scope="module")
def rooms(tmp_path_factory: pytest.TempPathFactory, hosts: Path, domain: str) -> Iterator[World]:
    """A world whose operator has permissions on workloads, and reads the surroundings of caches at the second check."""
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
            wait_for(lambda: leads(running), PATIENCE, "the operator to lead")
            yield running
            plane.check()
        finally:
            running.stop()


# By world: the result of each rule there. Rules not named here may have any result.
WORLDS: dict[str, tuple[worlds.Arrange, dict[str, str]]] = {
    "safe": (
        worlds.safe,
        {
            PASS: "T1 T2 T4 T5 T6 T7 A2 A3 A6 A7 A8 A9 N1 N2 N3 R1 R2 R4 O1 O2 O3 O4 O5 O6 O7 O8 "
            "K1 K2 K3 K4 K5 K6 W1 W3 W4",
            FAIL: "A1 P1 R3 L1",
            UNKNOWN: "N5",
        },
    ),
    "unsafe": (
        worlds.unsafe,
        {PASS: "", FAIL: "T1 T2 A1 A2 N1 N2 N3 N4 R1 O1 O2 O3 O4 O6 O7 O8 L1", UNKNOWN: ""},
    ),
    "open-handed": (worlds.open_handed, {PASS: "A7", FAIL: "T7 A3 A6 A9 K1 K5 K6 W1 W4", UNKNOWN: ""}),
    "premium": (worlds.premium, {PASS: "P1", FAIL: "A5 N6 P2 R2 R4 R5 O5", UNKNOWN: ""}),
    "in-network": (worlds.in_network, {PASS: "A5", FAIL: "N6", UNKNOWN: ""}),
    "persistent": (worlds.persistent, {PASS: "A1 P1 P2 R5", FAIL: "", UNKNOWN: ""}),
    "linked": (worlds.linked, {PASS: "R3", FAIL: "", UNKNOWN: "R2"}),
    "walled": (worlds.walled, {PASS: "N4", FAIL: "N1", UNKNOWN: ""}),
    "silent": (
        worlds.silent,
        {
            PASS: "",
            FAIL: "",
            UNKNOWN: "T1 T2 A1 A2 A3 A6 A7 A9 N1 N4 R2 R4 R5 O1 O2 O3 O6 O8 K1 K2 K3 K4 K5 K6",
        },
    ),
    "replaced": (worlds.replaced, {PASS: "", FAIL: "R6", UNKNOWN: "L2"}),
    "provisioned": (worlds.provisioned, {PASS: "R6 L2", FAIL: "", UNKNOWN: ""}),
    "changed-by-others": (worlds.changed_by_others, {PASS: "R6", FAIL: "L2", UNKNOWN: ""}),
    "by-env": (worlds.by_env, {PASS: "W1", FAIL: "W3", UNKNOWN: ""}),
    "expired": (worlds.with_version("expired", expires=1_600_000_000), {PASS: "K1", FAIL: "K2", UNKNOWN: ""}),
    "disabled": (worlds.with_version("disabled", enabled=False), {PASS: "", FAIL: "K3", UNKNOWN: "A7"}),
    "mismatched": (worlds.with_version("wrong", value="A" * 43 + "="), {PASS: "", FAIL: "A7", UNKNOWN: ""}),
    "pinned": (worlds.pinned, {PASS: "", FAIL: "K4", UNKNOWN: ""}),
    "tampered": (worlds.tampered, {PASS: "", FAIL: "T6 A8", UNKNOWN: ""}),
    # The sandbox's caches are on loopback addresses, which are neither private nor public.
    "private-name": (worlds.leading_to("inside", worlds.PRIVATE_ADDRESS), {PASS: "N5", FAIL: "", UNKNOWN: "T4 T5"}),
    "public-name": (worlds.leading_to("outside", worlds.PUBLIC_ADDRESS), {PASS: "", FAIL: "N5", UNKNOWN: "T4 T5"}),
    "in-clear": (worlds.in_clear, {PASS: "T5", FAIL: "T1 T4", UNKNOWN: ""}),
    "interfered": (worlds.interfered, {PASS: "T4", FAIL: "T5", UNKNOWN: ""}),
    "unreachable": (worlds.unreachable, {PASS: "", FAIL: "N2", UNKNOWN: "T4 T5 N5"}),
    "stored-safely": (worlds.stored_safely, {PASS: "P1 P2 P3 P4 P5 P6 P7 P9", FAIL: "", UNKNOWN: ""}),
    "stored-openly": (worlds.stored_openly, {PASS: "P2", FAIL: "P3 P4 P5 P6 P7 P9", UNKNOWN: ""}),
    "stored-out-of-sight": (worlds.stored_out_of_sight, {PASS: "", FAIL: "", UNKNOWN: "P3 P4 P5 P6 P7 P9"}),
}


def _findings(case: Case) -> Found:
    """Return what was found by rule. A failure of severity Info is shown as advice."""
    told = case.status.get("compliance", {}).get("findings", [])
    return {one["rule"]: FAIL if one["result"] == "Advice" else one["result"] for one in told}


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
    """All worlds together, checked again until each has its expected results, or no result changes any more.

    The duration is no result of the rules: every round checks all worlds, on any machine.
    """
    cases = {name: arrange(rooms) for name, (arrange, _) in WORLDS.items()}

    def wrong() -> dict[str, dict[str, str]]:
        told = {name: _differences(case, WORLDS[name][1]) for name, case in cases.items()}
        return {name: differences for name, differences in told.items() if differences}

    found: dict[str, Found] = {}
    still, since = 0, time.monotonic()
    while True:
        for asked, case in [(case.ask(), case) for case in cases.values()]:
            case.await_look(asked, ROUND)
        if not (differences := wrong()):
            break
        now = {name: _findings(case) for name, case in cases.items()}
        still, since = (still + 1, since) if now == found else (0, time.monotonic())
        found = now
        if still >= SETTLED and time.monotonic() - since >= PATIENCE:
            messages = {name: cases[name].status.get("compliance", {}).get("findings") for name in differences}
            raise AssertionError(f"{differences}; {messages}")


def test_each_rule_has_a_world_for_each_result() -> None:
    here = {
        (rule, result)
        for _, expected in WORLDS.values()
        for result, rules in expected.items()
        for rule in rules.split()
    }
    shown = here | test_managed.SHOWN | test_rules_workloads.SHOWN
    wanted = {(rule.id, result) for rule in RULES for result in ALL if any((rule.id, one) in shown for one in ALL)}
    assert wanted - shown == set(NEVER), "worlds that are missing, or reasons that do not hold any more"
    assert not shown & set(NEVER)
