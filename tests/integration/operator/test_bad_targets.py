"""Targets that are not as they should be: a clear reason, nothing lost, and everything else goes on.

Already in test_injection.py: no consent, an env entry of the same name, Replace=true, a failed rollout. A rollout
that never finishes takes minutes by definition: tests/unit/domain/plan/test_rollout.py.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sandbox.waiting import PATIENCE, wait_for
from secure_redis.api import names
from tests.integration.operator.support import Case
from tests.integration.operator.test_injection import case, team, world
from tests.integration.operator.workload_support import Document, Target, current, rotate

__all__ = ["case", "team", "world"]

CRASHES: Document = {"name": "crash", "image": "sandbox.test/operator:1", "args": ["no-such-command"]}

ENDS_PODS_FIRST = {"rollingUpdate": {"maxUnavailable": 1, "maxSurge": 0}}


def _stale(target: Target) -> int:
    """How many pods of the workload the status counts as stale. A later pass than the one that moves another counts."""
    return int(target.status().get("stalePods", {}).get("count", 0))


def spec_of(target: Target) -> Document:
    found: Document = target.now()["spec"]
    return found


def untouched(target: Target, spec: Document) -> None:
    assert spec_of(target) == spec, "nothing of it was changed"


def other_goes_on(case: Case, other: Target) -> None:
    """The other target is injected and current, whatever is wrong with the first."""
    wait_for(
        lambda: other.version() is not None and "reason" not in other.status(), PATIENCE, f"{other.name} to be current"
    )
    assert case.condition("Ready")[0] == "True"


# --- who is there ---------------------------------------------------------------------------------------------------


def test_a_missing_target_is_reported_and_injected_when_it_appears(case: Case) -> None:
    other = Target(case, "other")
    missing = {"id": "web", "kind": "Deployment", "name": "web"}
    case.published(workloads=[missing, other.entry()])
    other_goes_on(case, other)
    kind, reason, message = case.condition("WorkloadsCurrent")
    assert (kind, reason) == ("False", "TargetNotFound")
    assert "no Deployment 'web' in this namespace" in message
    web = Target(case)
    wait_for(lambda: web.version() is not None, PATIENCE, "the new workload to be injected")
    current(case)


def test_a_target_that_is_being_deleted_is_left_alone(case: Case) -> None:
    web, other = Target(case), Target(case, "other")
    web.patch({"metadata": {"finalizers": ["test.example/hold"]}})
    case.world.api.call("DELETE", web.path).must()
    spec = spec_of(web)
    try:
        case.published(workloads=[web.entry(), other.entry()])
        other_goes_on(case, other)
        assert "being deleted" in web.until("TargetNotFound")
        untouched(web, spec)
    finally:
        web.patch({"metadata": {"finalizers": None}})


def test_zero_replicas_are_current_and_start_with_the_key(case: Case) -> None:
    web = Target(case, replicas=0)
    case.published(workloads=[web.entry()])
    current(case)
    version = rotate(case)
    current(case)
    assert web.version() == version
    assert web.pods() == []
    web.patch({"spec": {"replicas": 1}})
    web.until_rolled()
    annotation = names.version_annotation(case.cache)
    assert [pod["metadata"]["annotations"][annotation] for pod in web.pods()] == [version]
    current(case)


# --- what is in the way ---------------------------------------------------------------------------------------------


def test_a_volume_or_a_mount_path_of_the_same_name_is_a_conflict(case: Case) -> None:
    by_volume, by_path, other = Target(case, "by-volume"), Target(case, "by-path"), Target(case, "other")
    volume, taken = names.volume_name(case.cache), "/mnt/redis"
    by_volume.patch({"spec": {"template": {"spec": {"volumes": [{"name": volume, "emptyDir": {}}]}}}})
    mounted = {"containers": [{"name": "main", "volumeMounts": [{"name": "mine", "mountPath": taken}]}]}
    by_path.patch({"spec": {"template": {"spec": {"volumes": [{"name": "mine", "emptyDir": {}}], **mounted}}}})
    before = {target: spec_of(target) for target in (by_volume, by_path)}
    case.published(workloads=[by_volume.entry(mountPath="/mnt/x"), by_path.entry(mountPath=taken), other.entry()])
    other_goes_on(case, other)
    assert f"a volume '{volume}'" in by_volume.until("TargetConflict")
    assert f"a mount at '{taken}'" in by_path.until("TargetConflict")
    for target, spec in before.items():
        untouched(target, spec)


def test_a_foreign_secret_keeps_every_target_as_it_is(case: Case) -> None:
    web = Target(case)
    spec = spec_of(web)
    foreign = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": case.cache, "namespace": case.team.namespace},
        "stringData": {"password": "of-somebody-else"},
    }
    made = case.world.api.create(foreign).must()
    case.exists()
    case.store()
    case.apply(workloads=[web.entry()])
    case.until("CredentialsSynced", "False", "SecretForeign")
    assert "waits for the Secret" in web.until("RollingOut")
    untouched(web, spec)
    case.world.api.delete(made).must()
    case.heal()
    current(case)


def test_an_immutable_secret_moves_no_workload_and_the_former_key_stays_in_use(case: Case) -> None:
    web = Target(case)
    case.published(workloads=[web.entry()])
    current(case)
    first, held = web.version(), case.values()["password"]
    secret = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": case.cache, "namespace": case.team.namespace},
    }
    case.world.api.merge(secret, {"immutable": True}).must()
    version = case.store(case.keys["Secondary"])
    case.poke()
    case.until("CredentialsSynced", "False", "SecretImmutable")
    assert web.version() == first
    assert case.values()["password"] == held == case.keys["Primary"], "which still works"
    case.world.api.delete(secret).must()
    case.heal()
    current(case)
    assert web.version() == version


# --- who does not roll ----------------------------------------------------------------------------------------------


@contextmanager
def budget(case: Case, target: Target, *, healthy: bool = True, **bounds: Any) -> Iterator[None]:
    """A PodDisruptionBudget over the target's pods, counted by its controller and found healthy or not."""
    document = {
        "apiVersion": "policy/v1",
        "kind": "PodDisruptionBudget",
        "metadata": {"name": f"{target.name}-budget", "namespace": case.team.namespace},
        "spec": {"selector": {"matchLabels": {"app": target.name}}, **bounds},
    }
    made = case.world.api.create(document).must()

    def counted() -> bool:
        status = (case.world.get(made) or {}).get("status", {})
        return bool(status.get("expectedPods")) and (status["currentHealthy"] == status["expectedPods"]) is healthy

    wait_for(counted, PATIENCE, "the budget to be counted")
    yield
    case.world.api.delete(made).must()


def test_a_budget_that_never_allows_blocks_only_its_workload(case: Case) -> None:
    web, other = Target(case, replicas=2, strategy=ENDS_PODS_FIRST), Target(case, "other")
    web.until_rolled()
    spec = spec_of(web)
    with budget(case, web, maxUnavailable=0):
        case.published(workloads=[web.entry(), other.entry()])
        other_goes_on(case, other)
        message = web.until("TargetBudget")
        assert "'web-budget'" in message
        assert "widen the budget" in message
        untouched(web, spec)
    case.poke()
    current(case)
    web.until_rolled()
    first = web.version()
    pods = {pod["metadata"]["name"] for pod in web.pods()}
    with budget(case, web, minAvailable="100%"):
        version = rotate(case)
        web.until("TargetBudget")
        wait_for(lambda: other.version() == version and "reason" not in other.status(), PATIENCE, "the other to move")
        assert web.version() == first
        assert {pod["metadata"]["name"] for pod in web.pods()} == pods
        wait_for(lambda: _stale(web) == 2, PATIENCE, "the stale pods to be counted")
        kind, reason, _ = case.condition("WorkloadsCurrent")
        assert (kind, reason) == ("False", "TargetBudget")
    case.poke()
    current(case)
    assert web.version() == version


def test_a_budget_with_disruptions_left_blocks_no_workload(case: Case) -> None:
    web = Target(case, replicas=2, strategy=ENDS_PODS_FIRST)
    web.until_rolled()
    with budget(case, web, minAvailable=1):
        case.published(workloads=[web.entry()])
        current(case)
        version = rotate(case)
        current(case)
        assert web.version() == version


def test_a_rollout_that_takes_no_pod_away_needs_nothing_of_a_budget(case: Case) -> None:
    web = Target(case)
    web.until_rolled()
    with budget(case, web, minAvailable=1):
        case.published(workloads=[web.entry()])
        current(case)
        version = rotate(case)
        current(case)
        assert web.version() == version


def test_a_budget_does_not_keep_the_key_from_pods_that_wait_for_it(case: Case) -> None:
    """An application that does not become ready without its key uses up its own budget."""
    web = Target(case, replicas=0)
    web.patch({"spec": {"template": {"spec": {"initContainers": [CRASHES]}}, "replicas": 1}})
    with budget(case, web, healthy=False, minAvailable=1):
        case.published(workloads=[web.entry()])
        wait_for(lambda: web.version() is not None, PATIENCE, "the injection")
        web.patch({"spec": {"template": {"spec": {"initContainers": [{"name": "crash", "$patch": "delete"}]}}}})
        current(case)


def test_a_paused_target_takes_the_key_and_rolls_when_it_is_resumed(case: Case) -> None:
    web, other = Target(case), Target(case, "other")
    case.published(workloads=[web.entry(), other.entry()])
    current(case)
    web.until_rolled()
    web.patch({"spec": {"paused": True}})
    version = rotate(case)
    assert "when it is resumed" in web.until("TargetPaused")
    wait_for(lambda: other.version() == version and "reason" not in other.status(), PATIENCE, "the other to move")
    assert web.version() == version
    wait_for(lambda: _stale(web) == 1, PATIENCE, "the stale pod to be counted")
    web.patch({"spec": {"paused": False}})
    current(case)


def test_an_image_that_crashes_with_the_new_key_stops_there_and_the_old_pods_keep_running(case: Case) -> None:
    first, second = Target(case, "a-first"), Target(case, "b-second")
    case.published(workloads=[first.entry(), second.entry()])
    current(case)
    for target in (first, second):
        target.until_rolled()
    (old,) = first.pods()
    before = second.version()
    # It takes effect with the very write that brings the new key.
    first.patch({"spec": {"paused": True}})
    first.patch({"spec": {"progressDeadlineSeconds": 3, "template": {"spec": {"initContainers": [CRASHES]}}}})
    second.patch({"spec": {"paused": True}})
    version = rotate(case)
    for target in (first, second):
        target.until("TargetPaused")
    first.patch({"spec": {"paused": False}})
    message = first.until("RolloutFailed")
    assert "ProgressDeadlineExceeded" in message
    assert "until it is repaired" in message
    there = {pod["metadata"]["name"]: pod for pod in first.pods()}
    assert old["metadata"]["name"] in there, "the old pod serves on, with the former key"
    crashed = [pod for name, pod in there.items() if name != old["metadata"]["name"]]
    assert [pod["metadata"]["annotations"][names.version_annotation(case.cache)] for pod in crashed] == [version]
    assert first.status()["stalePods"] == {"count": 1, "names": [old["metadata"]["name"]]}
    assert before != version
    first.patch({"spec": {"template": {"spec": {"initContainers": [{"name": "crash", "$patch": "delete"}]}}}})
    second.patch({"spec": {"paused": False}})
    current(case)


def test_a_statefulset_with_a_partition_or_on_delete_is_reported_and_waits_for_its_owner(case: Case) -> None:
    ordered = Target(case, "ordered", "StatefulSet", replicas=2)
    quiet = Target(case, "quiet", "StatefulSet", updateStrategy={"type": "OnDelete"})
    case.published(workloads=[{"id": one.name, "kind": one.kind, "name": one.name} for one in (ordered, quiet)])
    quiet.until("TargetOnDelete")
    for pod in quiet.pods():
        where = f"/api/v1/namespaces/{case.team.namespace}/pods/{pod['metadata']['name']}"
        case.world.api.call("DELETE", where).must()
    current(case)
    ordered.until_rolled()
    ordered.patch({"spec": {"updateStrategy": {"rollingUpdate": {"partition": 1}}}})
    version = rotate(case)
    assert "partition 1" in ordered.until("TargetPaused")
    assert ordered.version() == version
    ordered.patch({"spec": {"updateStrategy": {"rollingUpdate": {"partition": 0}}}})
    for pod in quiet.pods():
        where = f"/api/v1/namespaces/{case.team.namespace}/pods/{pod['metadata']['name']}"
        case.world.api.call("DELETE", where).must()
    current(case)


def test_a_missing_container_is_reported_with_the_existing_ones(case: Case) -> None:
    web, other = Target(case), Target(case, "other")
    spec = spec_of(web)
    case.published(workloads=[{**web.entry(), "containers": ["app"]}, other.entry()])
    other_goes_on(case, other)
    assert "it has main" in web.until("ContainerNotFound")
    untouched(web, spec)
