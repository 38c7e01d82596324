"""Rules on workloads and other people's Secrets (T7, W2), and a tier that cannot persist (P10): worlds of their own.

P11 has no world: docs/rules/ says why it cannot be known.
"""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from sandbox.api import Api, Document
from sandbox.chart.install import install
from sandbox.controlplane import ControlPlane
from sandbox.waiting import PATIENCE, wait_for
from sandbox.world import CACHE_KEYS, CACHE_READ, SUBSCRIPTION, World
from tests.controlplane import install_crds
from tests.integration.operator.conftest import INTERVALS, leads
from tests.integration.operator.support import Case
from tests.integration.operator.workload_support import USER, Target
from tests.kube import Kube

PASS, FAIL, UNKNOWN = "Pass", "Fail", "Unknown"
ROLE = "secure-redis-namespace"
READS = CACHE_READ + CACHE_KEYS
BLOBS = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/shop/providers/Microsoft.Storage/storageAccounts/shopdata"
FILES = {"mountPath": "/bindings/redis"}


@pytest.fixture(scope="module")
def rooms(tmp_path_factory: pytest.TempPathFactory, hosts: Path, domain: str) -> Iterator[World]:
    """A world whose operator has permissions on workloads and may search Secrets, as the chart gives them."""
    with ControlPlane(tmp_path_factory.mktemp("usage-plane")) as plane:
        install_crds(Kube(plane.cluster.kubeconfig))
        running = World(tmp_path_factory.mktemp("usage"), plane.cluster, hosts=hosts, domain=f"usage.{domain}")
        running.settings = {
            "intervals": INTERVALS,
            "workloads": {"enabled": True},
            "compliance": {"foreignSecrets": True},
        }
        running.start()
        try:
            install(Api(plane.cluster), {"workloads": {"enabled": True}, "secrets": {"searchForeign": True}})
            running.start_operator()
            wait_for(lambda: leads(running), PATIENCE, "the operator to lead")
            yield running
            plane.check()
        finally:
            running.stop()


def _object(case: Case, kind: str, name: str, **body: Any) -> None:
    metadata = {"name": name, "namespace": case.team.namespace}
    case.world.api.create({"apiVersion": "v1", "kind": kind, "metadata": metadata, **body}).must()


def _host(case: Case) -> str:
    return case.control.endpoints.redis_host(case.cache)


def _clear(case: Case) -> str:
    return f"redis://:{case.keys['Secondary']}@{_host(case)}:6379"


def _case(world: World, name: str) -> Case:
    case = Case(world, world.team(cache_actions=READS), name)
    case.exists()
    case.store()
    return case


def _pod(**container: Any) -> Document:
    volumes = container.pop("volumes", [])
    return {"spec": {"template": {"spec": {"containers": [{"name": "main", **container}], "volumes": volumes}}}}


def _set(case: Case, body: Document, *, consents: bool = True) -> Case:
    """A listed workload with these settings."""
    target = Target(case, replicas=0, consents=consents)
    target.patch(body)
    return case.apply(workloads=[target.entry(**FILES)])


# --- worlds ---------------------------------------------------------------------------------------------------------


def _safe(world: World) -> Case:
    """Everything says TLS; a ConfigMap that is not there holds nothing."""
    case = _case(world, "safe")
    _object(case, "ConfigMap", "app", data={"REDIS_URL": f"rediss://{_host(case)}:6380"})
    _object(case, "Secret", "other", stringData={"password": "x" * 44})
    froms = [{"configMapRef": {"name": "app"}}, {"configMapRef": {"name": "none", "optional": True}}]
    return _set(case, _pod(envFrom=froms))


def _by_key(world: World) -> Case:
    case = _case(world, "by-key")
    _object(case, "ConfigMap", "app", data={"url": _clear(case)})
    reference = {"name": "app", "key": "url"}
    return _set(case, _pod(env=[{"name": "OLD_URL", "valueFrom": {"configMapKeyRef": reference}}]))


def _all_keys(world: World) -> Case:
    """The template gives the host, a ConfigMap the port."""
    case = _case(world, "all-keys")
    _object(case, "ConfigMap", "app", data={"PORT": "6379"})
    env = [{"name": "CACHE_HOST", "value": _host(case)}]
    return _set(case, _pod(env=env, envFrom=[{"prefix": "CACHE_", "configMapRef": {"name": "app"}}]))


def _file(world: World) -> Case:
    case = _case(world, "file")
    text = f"redis:\n  host: {_host(case)}\n  ssl: false\n"
    _object(case, "ConfigMap", "app", data={"application.yaml": text})
    volumes = [{"name": "settings", "configMap": {"name": "app"}}]
    return _set(case, _pod(volumeMounts=[{"name": "settings", "mountPath": "/etc/app"}], volumes=volumes))


def _shy(world: World) -> Case:
    case = _case(world, "shy")
    _object(case, "ConfigMap", "app", data={"REDIS_URL": _clear(case)})
    return _set(case, _pod(envFrom=[{"configMapRef": {"name": "app"}}]), consents=False)


def _copied(world: World) -> Case:
    case = _case(world, "copied")
    uri = f"rediss://:{case.keys['Primary']}@{_host(case)}:6380"
    _object(case, "Secret", "legacy", stringData={"uri": uri})
    return case.apply()


def _plain(world: World) -> Case:
    case = _case(world, "plain")
    _object(case, "Secret", "legacy", stringData={"REDIS_HOST": _host(case), "REDIS_PORT": "6379"})
    return case.apply()


def _only_tagged(world: World) -> Case:
    """Only the vault says which key it is, so the operator does not search for it: vault writers can choose it."""
    case = Case(world, world.team(cache_actions=CACHE_READ), "tagged")
    case.exists()
    case.control.redis.listener_fault(case.cache, "self-signed-certificate")
    case.store(tags={"ProviderAddress": case.team.cache_id(case.cache)})
    _object(case, "Secret", "legacy", stringData={"password": case.keys["Primary"]})
    return case.apply()


def _persisting(name: str, sku: Document) -> Callable[[World], Case]:
    def arrange(world: World) -> Case:
        case = Case(world, world.team(cache_actions=READS), name)
        case.exists(sku=sku)
        storage = {"accountID": BLOBS, "authentication": "ManagedIdentity"}
        return case.apply(key=False, persistence={"type": "RDB", "frequencyMinutes": 60, "storage": storage})

    return arrange


# By world: what each rule must come to, and words of its message.
WORLDS: dict[str, tuple[Callable[[World], Case], dict[str, tuple[str, str]]]] = {
    "safe": (_safe, {"T7": (PASS, ""), "W2": (PASS, "")}),
    "by-key": (_by_key, {"T7": (FAIL, "Deployment 'web' (main: OLD_URL, from ConfigMap 'app')")}),
    "all-keys": (_all_keys, {"T7": (FAIL, "(main: CACHE_PORT, from ConfigMap 'app')")}),
    "file": (_file, {"T7": (FAIL, "(main: application.yaml, from a file of ConfigMap 'app')")}),
    "shy": (_shy, {"T7": (UNKNOWN, "does not consent")}),
    "copied": (_copied, {"W2": (FAIL, "the key also lies in legacy (uri)")}),
    "plain": (_plain, {"W2": (FAIL, "a connection without TLS lies in legacy (REDIS_PORT)")}),
    "only-tagged": (_only_tagged, {"W2": (UNKNOWN, "Microsoft.Cache/redis/listKeys/action")}),
    "premium": (_persisting("premium", {"name": "Premium", "family": "P", "capacity": 1}), {"P10": (PASS, "")}),
    "standard": (
        _persisting("standard", {"name": "Standard", "family": "C", "capacity": 1}),
        {"P10": (FAIL, "a cache of tier Standard cannot persist")},
    ),
}

# The results that these worlds show, for the table of all rules in `test_rules`.
SHOWN = {(rule, result) for _, told in WORLDS.values() for rule, (result, _) in told.items()}


def _told(case: Case, rule: str) -> tuple[str, str]:
    """Result and message; a rule that applies in another world and is no finding passed."""
    listed = {one["rule"]: one for one in case.status.get("compliance", {}).get("findings", [])}
    if "compliance" not in case.status:
        return ("", "")
    return (listed[rule]["result"], listed[rule]["message"]) if rule in listed else (PASS, "")


def _until(cases: dict[str, tuple[Case, dict[str, tuple[str, str]]]]) -> None:
    """Check each again until it has the results of its world."""

    def wrong() -> dict[str, Any]:
        return {
            f"{name} {rule}": told
            for name, (case, rules) in cases.items()
            for rule, (result, words) in rules.items()
            if (told := _told(case, rule))[0] != result or words not in told[1]
        }

    def right() -> bool:
        for asked, case in [(case.ask(), case) for case, _ in cases.values()]:
            case.await_look(asked)
        return not wrong()

    try:
        wait_for(right, PATIENCE, "every rule to come to what its world holds", interval=0.5)
    except TimeoutError:
        raise AssertionError(str(wrong())) from None


def test_workloads_and_secrets_and_tiers(rooms: World) -> None:
    """No value appears anywhere: not in a status, not in an event, not in a log."""
    cases = {name: (arrange(rooms), rules) for name, (arrange, rules) in WORLDS.items()}
    _until(cases)
    log = rooms.operator_log.read_text()
    for case, _ in cases.values():
        told = str(case.object.get("status"))
        for key in case.keys.values():
            assert key not in told
            assert key not in log


def test_a_file_that_is_mended_and_a_copy_that_is_deleted_are_noticed(rooms: World) -> None:
    case = _all_keys(rooms)
    _object(case, "Secret", "legacy", stringData={"password": case.keys["Primary"]})
    _until({"broken": (case, {"T7": (FAIL, ""), "W2": (FAIL, "legacy (password)")})})
    named = {"apiVersion": "v1", "metadata": {"name": "app", "namespace": case.team.namespace}}
    rooms.api.merge({**named, "kind": "ConfigMap"}, {"data": {"PORT": "6380"}}).must()
    named["metadata"] = {"name": "legacy", "namespace": case.team.namespace}
    rooms.api.delete({**named, "kind": "Secret"}).must()
    _until({"mended": (case, {"T7": (PASS, ""), "W2": (PASS, "")})})


def test_the_secrets_of_other_namespaces_are_not_read(rooms: World) -> None:
    mark, other = rooms.cluster.audit_position(), rooms.team(cache_actions=READS)
    case = _copied(rooms)
    beside = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "beside", "namespace": other.namespace}}
    rooms.api.create({**beside, "stringData": {"password": case.keys["Primary"]}}).must()
    _until({"copied": (case, {"W2": (FAIL, "the key also lies in legacy (uri);")})})
    lists = rooms.cluster.audit_events(
        since=mark, user=USER, where=lambda event: event.resource == "secrets" and event.verb == "list"
    )
    searched = {event.namespace for event in lists if "fieldSelector=type" in event.uri}
    assert case.team.namespace in searched
    assert not searched & {other.namespace, ""}


def test_without_the_right_it_is_unknown_and_reported(rooms: World) -> None:
    """A user removes permissions that the chart gave: list on Secrets, and get on ConfigMaps."""
    case = _by_key(rooms)
    _until({"with": (case, {"T7": (FAIL, ""), "W2": (PASS, "")})})
    path = f"/apis/rbac.authorization.k8s.io/v1/clusterroles/{ROLE}"
    role = rooms.api.get(path).must()
    fewer = [
        {**rule, "verbs": ["get", "create", "patch", "delete"]} if rule["resources"] == ["secrets"] else rule
        for rule in role["rules"]
        if rule["resources"] != ["configmaps"]
    ]
    rooms.api.merge(role, {"rules": fewer}).must()
    try:
        _until(
            {"without": (case, {"T7": (UNKNOWN, "upgrade the chart"), "W2": (UNKNOWN, "secrets.searchForeign=true")})}
        )
        assert case.condition("Ready")[0] == "True"
    finally:
        rooms.api.merge(role, {"rules": role["rules"]}).must()
    _until({"again": (case, {"T7": (FAIL, ""), "W2": (PASS, "")})})
