"""The running operator and real rollouts: injected, followed in waves, stopped by a failure, released again."""

import base64
import copy
from collections.abc import Iterator
from pathlib import Path

import pytest

from sandbox.waiting import PATIENCE, wait_for
from sandbox.world import Team, World
from secure_redis.api import names
from tests.integration.operator.conftest import INTERVALS
from tests.integration.operator.support import Case, release
from tests.integration.operator.workload_support import (
    SLEEP,
    URL,
    Document,
    Target,
    current,
    path,
    rotate,
    workload_writes,
    world_with_pods,
)

CLIENT = "sandbox.test/redis-client:1"


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory, hosts: Path, domain: str) -> Iterator[World]:
    """A world of its own: other tests' charts give the operator no permissions on workloads, and pods run here."""
    with world_with_pods(tmp_path_factory, hosts, domain, INTERVALS) as running:
        yield running


@pytest.fixture
def team(world: World) -> Iterator[Team]:
    made = world.team()
    yield made
    for kind in ("Deployment", "StatefulSet", "DaemonSet", "CronJob"):
        world.api.call("DELETE", path(kind, made.namespace)).must()
    release(world, made)


@pytest.fixture
def case(world: World, team: Team) -> Case:
    return Case(world, team)


def test_pods_get_the_key_and_a_new_one_reaches_them(case: Case) -> None:
    web = Target(case, "web", image=CLIENT, replicas=2)
    case.published(workloads=[web.entry()])
    current(case)
    web.until_rolled()
    first = web.version()
    assert first == case.status["credential"]["keyVaultVersion"]
    assert web.status()["injected"] is True
    assert "reason" not in web.status()
    for pod in web.pods():
        answers(case, pod)
    second = rotate(case)
    current(case)
    assert web.version() == second != first
    assert {pod["metadata"]["annotations"][names.version_annotation(case.cache)] for pod in web.pods()} == {second}
    for pod in web.pods():
        answers(case, pod)


def answers(case: Case, pod: Document) -> None:
    """The application in this pod speaks with Redis by the key that it holds."""
    where = f"/api/v1/namespaces/{case.team.namespace}/pods/{pod['metadata']['name']}/log"
    wait_for(
        lambda: "OK" in case.world.cluster.raw_request("GET", where)[1], PATIENCE, f"{pod['metadata']['name']}: OK"
    )


@pytest.mark.parametrize("kind", ["StatefulSet", "DaemonSet", "CronJob"])
def test_every_kind_is_injected_and_followed(case: Case, kind: str) -> None:
    target = Target(case, kind.lower(), kind)
    case.published(workloads=[{"id": "one", "kind": kind, "name": target.name}])
    current(case)
    assert target.version() == case.status["credential"]["keyVaultVersion"]
    main = target.template()["spec"]["containers"][0]
    assert main["volumeMounts"] == [
        {"name": names.volume_name(case.cache), "mountPath": f"/bindings/{case.cache}", "readOnly": True}
    ]
    version = rotate(case)
    current(case)
    assert target.version() == version


def test_one_after_the_other(case: Case) -> None:
    targets = [Target(case, f"w{number}", replicas=2) for number in range(3)]
    case.published(workloads=[target.entry() for target in targets])
    current(case)
    version = rotate(case)

    def moved() -> bool:
        bodies = [target.now() for target in targets]
        under_way = [
            target.name
            for target, body in zip(targets, bodies, strict=True)
            if target.version(body) == version and not target.rolled(body)
        ]
        assert len(under_way) <= 1, f"{under_way} roll out at once"
        return all(target.version(body) == version for target, body in zip(targets, bodies, strict=True))

    wait_for(moved, PATIENCE, "all to be moved")
    current(case)


def test_a_failed_rollout_stops_the_others_until_it_is_repaired(case: Case) -> None:
    first = Target(case, "a-first")
    second = Target(case, "b-second")
    case.published(workloads=[first.entry(), second.entry()])
    current(case)
    before = second.version()
    first.patch({"spec": {"paused": True}})
    broken = {"containers": [{"name": "main", "image": "sandbox.test/none:1"}]}
    first.patch({"spec": {"progressDeadlineSeconds": 3, "template": {"spec": broken}}})  # fails what starts next
    case.change(authentication={"rotation": {"deadlineMinutes": 1}})
    first.patch({"spec": {"paused": False}})
    version = rotate(case)
    case.until("WorkloadsCurrent", "False", "RolloutFailed")
    assert "ProgressDeadlineExceeded" in first.until("RolloutFailed")
    assert first.status()["stalePods"]["count"] >= 1
    case.poke()
    assert second.version() == before, "nothing further is moved"
    assert case.condition("Ready")[0] == "True", "the Secret is good"
    first.patch({"spec": {"template": {"spec": {"containers": [{"name": "main", "image": SLEEP}]}}}})
    current(case)
    assert (first.version(), second.version()) == (version, version)


def test_an_entry_that_goes_is_released(case: Case) -> None:
    web = Target(case)
    case.published(workloads=[web.entry()])
    current(case)
    web.until_rolled()
    case.change(workloads=None)
    wait_for(lambda: web.now()["spec"] == web.made["spec"], PATIENCE, "the injection to be gone")
    wait_for(lambda: not case.status.get("workloads"), PATIENCE, "the status to forget it")
    assert case.secret() is not None


def test_an_entry_stays_until_no_pod_can_miss_it(case: Case) -> None:
    web = Target(case)
    env = [{"name": "BROKER", "key": "celery"}, {"name": "PASSWORD", "key": "REDIS_PASSWORD"}]
    connection = {"formats": ["Standard", "Celery"], "keys": {"REDIS_PASSWORD": "password"}}
    case.published(connection=connection, workloads=[web.entry(env=env)])
    current(case)
    web.until_rolled()
    dropped = {"celery", "REDIS_PASSWORD"}

    # The new template is there, and the pod is of the former one.
    web.patch({"spec": {"paused": True}})
    case.change(connection=None, workloads=[web.entry()])

    def moved() -> bool:
        return any(one["name"] == "REDIS_URL" for one in web.template()["spec"]["containers"][0]["env"])

    wait_for(moved, PATIENCE, "the template to be changed")
    rotate(case)
    values = case.values()
    assert dropped <= set(values)
    assert values["REDIS_PASSWORD"] == values["password"]
    (former,) = web.pods()
    case.world.api.delete({"apiVersion": "v1", "kind": "Pod", **former}).must()

    def started_again() -> bool:
        found = [pod for pod in web.pods() if pod["metadata"]["uid"] != former["metadata"]["uid"]]
        return bool(found) and all(one.get("ready") for one in found[0]["status"].get("containerStatuses", [{}]))

    wait_for(started_again, PATIENCE, "a pod of the former template to start again")

    web.patch({"spec": {"paused": False}})
    current(case)
    wait_for(lambda: not dropped & set(case.values()), PATIENCE, "the entries to be gone")
    web.until_rolled()


def test_consent_that_is_withdrawn_releases(case: Case) -> None:
    web = Target(case)
    case.published(workloads=[web.entry()])
    current(case)
    web.patch({"metadata": {"annotations": {names.RESOURCES: "another"}}})
    wait_for(lambda: web.now()["spec"] == web.made["spec"], PATIENCE, "the injection to be gone")
    assert names.RESOURCES in web.until("TargetNotConsenting")
    web.patch({"metadata": {"annotations": {names.RESOURCES: f"another, {case.cache}"}}})
    current(case)


def test_without_consent_nothing_is_touched(case: Case) -> None:
    web = Target(case, consents=False)
    case.exists()
    case.store()
    case.apply(workloads=[web.entry()])
    assert "does not consent" in web.until("TargetNotConsenting")
    case.until("Ready", "False", "TargetNotConsenting")
    assert case.secret() is not None
    assert web.now()["spec"] == web.made["spec"]


def test_a_foreign_env_entry_is_a_conflict(case: Case) -> None:
    web = Target(case)
    case.published(workloads=[web.entry(env=[{"name": "MODE", "key": "uri"}])])
    assert "'MODE'" in web.until("TargetConflict")
    assert web.now()["spec"] == web.made["spec"]


def test_a_new_workload_is_picked_up_by_its_labels(case: Case) -> None:
    selector = {"matchLabels": {"tier": "shop"}}
    case.published(workloads=[{"id": "all", "kind": "Deployment", "selector": selector, **URL}])
    web = Target(case)
    other = Target(case, "other", consents=False)
    wait_for(lambda: web.version() is not None, PATIENCE, "the new workload to be injected")
    current(case)
    assert other.now()["spec"] == other.made["spec"]


def test_a_removed_field_is_restored(case: Case) -> None:
    web = Target(case)
    case.published(workloads=[web.entry()])
    current(case)
    gone = [{"name": "REDIS_URL", "$patch": "delete"}]
    web.patch({"spec": {"template": {"spec": {"containers": [{"name": "main", "env": gone}]}}}})

    def back() -> bool:
        return any(one["name"] == "REDIS_URL" for one in web.template()["spec"]["containers"][0]["env"])

    wait_for(back, PATIENCE, "the env entry to be back")
    current(case)


def test_a_writer_that_replaces_the_whole_workload_wins_in_the_end(case: Case) -> None:
    web = Target(case)
    case.published(workloads=[web.entry()])
    current(case)
    git = {**web.made, "metadata": {**web.made["metadata"]}, "status": {}}
    for name in ("uid", "resourceVersion", "generation", "managedFields", "creationTimestamp"):
        del git["metadata"][name]

    def given_up() -> bool:
        if any(one.get("reason") == "TargetReplaced" for one in case.status.get("workloads", [])):
            return True
        if web.version() is not None and case.condition("WorkloadsCurrent")[0] == "True":
            case.world.api.call("PUT", web.path, git).must()  # Argo CD's Replace=true at each sync
        return False

    wait_for(given_up, PATIENCE, "the operator to leave it", interval=0.1)
    assert web.now()["spec"] == web.made["spec"]
    case.poke()
    current(case)  # asked for again: it is put back


def test_deleted_with_its_secret_only_when_it_is_unused(case: Case) -> None:
    web = Target(case, replicas=2)
    case.published(workloads=[web.entry()], connection={"deletionPolicy": "Delete"})
    current(case)
    web.until_rolled()
    case.delete()

    def gone() -> bool:
        if case.secret() is not None:
            return False
        holding = [pod["metadata"]["name"] for pod in web.pods() if "REDIS_URL" in str(pod["spec"])]
        assert not holding, f"the Secret went while {holding} used it"
        return True

    wait_for(gone, PATIENCE, "the Secret to be gone")
    case.world.await_gone(case.document)
    assert web.now()["spec"] == web.made["spec"]


def test_deleted_with_retain_everything_stays_and_a_new_one_takes_over(case: Case) -> None:
    web = Target(case)
    case.published(workloads=[web.entry()])
    current(case)
    web.until_rolled()
    before = web.now()
    document = copy.deepcopy(case.document)
    case.delete()
    case.world.await_gone(case.document)
    assert web.now()["metadata"]["generation"] == before["metadata"]["generation"]
    assert case.secret() is not None
    case.world.apply(document)
    current(case)
    assert web.now()["metadata"]["generation"] == before["metadata"]["generation"], "nothing was restarted"


def test_in_steady_state_nothing_is_written(case: Case) -> None:
    targets = [Target(case, f"w{number}", kind) for number, kind in enumerate(("Deployment", "StatefulSet", "CronJob"))]
    case.published(workloads=[{"id": target.name, "kind": target.kind, "name": target.name} for target in targets])
    current(case)
    for target in targets[:2]:
        target.until_rolled()
    case.poke()
    mark = case.world.cluster.audit_position()
    before = [target.now()["metadata"]["generation"] for target in targets]
    for _ in range(3):
        case.poke()
    assert workload_writes(case.world.cluster, mark, case.team.namespace) == []
    assert [target.now()["metadata"]["generation"] for target in targets] == before


def test_values_never_reach_a_workload(case: Case) -> None:
    web = Target(case)
    case.published(workloads=[web.entry()])
    current(case)
    text = str(web.now())
    for key in case.keys.values():
        assert key not in text
        assert base64.b64encode(key.encode()).decode() not in text
