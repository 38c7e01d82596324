"""Which workloads are changed when, and what is reported of them."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from secure_redis.api import names
from secure_redis.api.reasons.reason import Reason
from secure_redis.api.resource import SecureRedisCache
from secure_redis.api.status import StalePods
from secure_redis.api.times import rfc3339
from secure_redis.domain.observe.observation import Observation
from secure_redis.domain.observe.secret import SecretFacts
from secure_redis.domain.observe.unknown import NOT_READ, Unknown
from secure_redis.domain.observe.workloads import ContainerState, Owned, PodFacts, Reads, WorkloadFacts
from secure_redis.domain.plan.actions import InjectWorkload, ReleaseWorkload
from secure_redis.domain.plan.outcomes import Done, Failed
from secure_redis.domain.plan.rollout.waves import (
    HUMAN_SECONDS,
    ROLLING_SECONDS,
    Rollout,
    named,
    needs_workloads,
    required_pods,
    roll,
    statuses_after,
)
from secure_redis.domain.plan.write_failure import WriteFailure
from tests.builders.passes import resource
from tests.builders.workloads import ENTRY, ENV, V1, V2, consumer, done, injected, pods, released, workload
from tests.builders.world import NOW, UID

ALL: dict[str, Any] = {"id": "all", "kind": "Deployment", "selector": {}, "env": ENV["env"]}
A, B, C = (workload(name) for name in "abc")


def observation(*facts: WorkloadFacts, held: dict[str, Any] | None = None, **changes: Any) -> Observation:
    """The observation of a pass; `held`: pods by name of the Deployment."""
    listed = {("Deployment", name): found for name, found in (held or {}).items()}
    return Observation(now=NOW, workloads=facts, pods=listed, **{"budgets": (), **changes})


def told(found: Rollout) -> dict[str, tuple[bool, str | None]]:
    return {one.name: (one.injected, one.reason) for one in found.statuses}


def acts(found: Rollout) -> list[str]:
    verbs = {InjectWorkload: "+", ReleaseWorkload: "-"}
    return [f"{verbs[type(action)]}{action.name}" for action in found.actions]


def current_status(*facts: WorkloadFacts, reason: str | None = None, **changes: Any) -> dict[str, Any]:
    """The status in which these workloads were observed to be current."""
    entries = [
        {"id": "all", "kind": one.kind, "name": one.name, "uid": one.uid, "injected": True, "reason": reason, **changes}
        for one in facts
    ]
    return {"workloads": entries}


def with_status(res: SecureRedisCache, found: Rollout, outcomes: Any = None) -> SecureRedisCache:
    """The resource after a pass whose actions came to `outcomes` (default: all done)."""
    results = tuple(Done(action) for action in found.actions) if outcomes is None else outcomes
    return replace(res, status=res.status.model_copy(update={"workloads": statuses_after(res, found, results)}))


def everything(res: SecureRedisCache, *facts: WorkloadFacts) -> tuple[WorkloadFacts, ...]:
    return tuple(injected(res, one) for one in facts)


# --- reading --------------------------------------------------------------------------------------------------------


def test_nothing_is_read_where_nothing_is_declared() -> None:
    plain = resource()
    assert not needs_workloads(plain, Observation(now=NOW))
    assert roll(plain, Observation(now=NOW), V1) == Rollout()


def test_the_workload_of_a_removed_entry_is_still_read() -> None:
    res = consumer({**ENTRY, "name": "new", "id": "n"}, ALL, status=current_status(A))
    assert needs_workloads(consumer(status=current_status(A)), Observation(now=NOW))
    assert named(res) == {("Deployment", "new"), ("Deployment", "a")}


def test_unread_is_unknown_and_writes_nothing() -> None:
    res = consumer(ALL, status=current_status(A))
    for not_seen in (NOT_READ, Unknown(Reason.NO_WORKLOAD_RIGHTS, "forbidden")):
        found = roll(res, Observation(now=NOW, workloads=not_seen), V1)
        assert (found.actions, found.moved) == ((), False)
        assert found.statuses == res.status.workloads
        assert found.unread is not None


# --- a steady state -------------------------------------------------------------------------------------------------


def test_a_current_workload_is_not_written_and_its_pods_are_not_read() -> None:
    res = consumer(ALL)
    facts = everything(res, A, B)
    res = consumer(ALL, status=current_status(*facts))
    assert required_pods(res, facts, V1) == ()
    found = roll(res, observation(*facts), V1)
    assert (found.actions, found.moved, found.next_pass_in) == ((), True, None)
    assert found.statuses == res.status.workloads


def test_a_rollout_of_the_users_own_changes_nothing() -> None:
    (a,) = everything(consumer(ALL), A)
    res = consumer(ALL, status=current_status(a))
    rolling = replace(a, rolled=False, failed="ProgressDeadlineExceeded")
    assert required_pods(res, (rolling,), V1) == ()
    assert told(roll(res, observation(rolling), V1)) == {"a": (True, None)}


def test_a_lost_status_is_restored_and_nothing_is_written() -> None:
    (a,) = everything(consumer(ALL), A)
    assert required_pods(consumer(ALL), (a,), V1) == (("Deployment", "a"),)
    found = roll(consumer(ALL), observation(a, held={"a": pods(V1)}), V1)
    assert (found.actions, told(found), found.moved) == ((), {"a": (True, None)}, True)


# --- waves ----------------------------------------------------------------------------------------------------------


def test_first_injections_run_one_after_the_other() -> None:
    res = consumer(ALL)
    found = roll(res, observation(A, B, C), V1)
    assert acts(found) == ["+a"]
    assert told(found) == {name: (name == "a", "RollingOut") for name in "abc"}
    assert found.next_pass_in == ROLLING_SECONDS
    res = with_status(res, found)
    a = done(A, found.actions[0])
    assert required_pods(res, (a, B, C), V1) == (("Deployment", "a"),)
    # Rolling: the next one waits.
    found = roll(res, observation(a, B, C, held={"a": pods(None, 2) + pods(V1, 1)}), V1)
    assert acts(found) == []
    (status,) = [one for one in found.statuses if one.name == "a"]
    assert status.stale_pods is not None
    assert status.stale_pods.count == 2
    # Counted as rolled, but a pod that ends still runs.
    res, a = with_status(res, found), replace(a, rolled=True)
    assert acts(roll(res, observation(a, B, C, held={"a": pods(None, 1) + pods(V1)}), V1)) == []
    # All have moved.
    found = roll(res, observation(a, B, C, held={"a": pods(V1)}), V1)
    assert acts(found) == ["+b"]
    assert told(found)["a"] == (True, None)


def test_a_status_that_claims_a_rollout_to_be_over_begins_no_wave() -> None:
    (a,) = everything(consumer(ALL), A)
    res, rolling = consumer(ALL, status=current_status(a)), replace(a, rolled=False)
    assert required_pods(res, (rolling, B), V1) == (("Deployment", "a"),)
    assert acts(roll(res, observation(rolling, B, held={"a": pods(None, 1) + pods(V1, 2)}), V1)) == []
    # A rollout of the owner's own, after all pods have moved, delays nothing.
    assert acts(roll(res, observation(rolling, B, held={"a": pods(V1)}), V1)) == ["+b"]


@pytest.mark.parametrize("status", [{}, {"workloads": []}])
def test_a_lost_status_lets_no_release_begin_beside_another(status: dict[str, Any]) -> None:
    (b,) = everything(consumer(ALL), B)
    res, rolling = consumer(status=status), replace(A, rolled=False)
    assert required_pods(res, (rolling, b), V1) == (("Deployment", "a"),)
    assert acts(roll(res, observation(rolling, b, held={"a": pods(V1, 1) + pods(None, 2)}), V1)) == []
    assert acts(roll(res, observation(rolling, b, held={"a": pods(None)}), V1)) == ["-b"]


def ending(*found: PodFacts) -> tuple[PodFacts, ...]:
    return tuple(replace(pod, deleting=True) for pod in found)


def test_terminating_pods_use_their_key_and_block_no_wave() -> None:
    res = consumer(ALL)
    found = roll(res, observation(A, B), V1)
    res, a = with_status(res, found), replace(done(A, found.actions[0]), rolled=True)
    both = pods(V1) + ending(*pods(None, 2))
    found = roll(res, observation(a, B, held={"a": both}), V1)
    assert acts(found) == ["+b"]
    (status,) = [one for one in found.statuses if one.name == "a"]
    assert (status.reason, status.stale_pods) == (
        "RollingOut",
        StalePods(count=2, names=("pod-none-0", "pod-none-1")),
    )
    assert not found.moved
    res = with_status(res, found)
    assert required_pods(res, (a,), V1) == (("Deployment", "a"),), "they are read until they are gone"
    assert roll(res, observation(a, held={"a": both}), V1).moved is False
    assert acts(roll(res, observation(replace(a, rolled=False), B, held={"a": both}), V1)) == [], (
        "its new pods are not there"
    )
    late = replace(observation(a, B, held={"a": both}), now=NOW + timedelta(minutes=31))
    found = roll(res, late, V1)
    assert (acts(found), told(found)["a"], found.moved) == (["+b"], (True, "RolloutDeadline"), False)


def test_the_limit_of_a_wave_can_be_another_than_the_specs() -> None:
    assert acts(roll(consumer(ALL), observation(A, B, C), V1, limit=1000)) == ["+a", "+b", "+c"]
    assert acts(roll(consumer(ALL, maxConcurrentWorkloads=2), observation(A, B, C), V1, limit=1)) == ["+a"]


def test_a_wave_is_as_wide_as_configured() -> None:
    res = consumer(ALL, maxConcurrentWorkloads=2)
    found = roll(res, observation(A, B, C), V1)
    assert acts(found) == ["+a", "+b"]
    a, b = done(A, found.actions[0]), replace(done(B, found.actions[1]), rolled=True)
    res = with_status(res, found)
    half = roll(res, observation(a, b, C, held={"a": pods(None), "b": pods(V1)}), V1)
    assert acts(half) == [], "the next wave begins when the whole of the last has rolled"
    a = replace(a, rolled=True)
    assert acts(roll(res, observation(a, b, C, held={"a": pods(V1), "b": pods(V1)}), V1)) == ["+c"]


def test_a_new_key_reaches_every_workload_in_order() -> None:
    facts = {one.name: one for one in everything(consumer(ALL), A, B, C)}
    res = consumer(ALL, status=current_status(*facts.values()))
    order: list[str] = []
    held = {name: pods(V1) for name in facts}
    for _ in range(20):
        wanted = {name for _, name in required_pods(res, facts.values(), V2)}
        found = roll(res, observation(*facts.values(), held={n: held[n] for n in wanted}), V2)
        assert len(found.actions) <= 1
        order += acts(found)
        res = with_status(res, found)
        for name in facts:  # what was rolling is done
            if not facts[name].rolled:
                facts[name], held[name] = replace(facts[name], rolled=True), pods(V2)
        for action in found.actions:
            facts[action.name] = done(facts[action.name], action)
    assert order == ["+a", "+b", "+c"]
    assert all(one.reason is None for one in res.status.workloads)
    assert roll(res, observation(*facts.values()), V2).moved


def test_waiting_workloads_are_reported_as_behind_without_a_list_of_pods() -> None:
    facts = everything(consumer(ALL), A, B)
    res = consumer(ALL, status=current_status(*facts))
    assert required_pods(res, facts, V2) == ()
    found = roll(res, observation(*facts), V2)
    (b,) = [one for one in found.statuses if one.name == "b"]
    assert b.stale_pods is not None
    assert (b.stale_pods.count, b.stale_pods.names) == (3, ())
    assert not found.moved


def test_many_stale_pods_are_named_up_to_ten() -> None:
    (a,) = everything(consumer(ALL), A)
    res = consumer(ALL, status=current_status(a, reason="RollingOut"))
    (status,) = roll(res, observation(replace(a, rolled=False), held={"a": pods(V2, 25)}), V1).statuses
    assert status.stale_pods is not None
    assert (status.stale_pods.count, len(status.stale_pods.names)) == (25, 10)


def test_pods_that_cannot_be_read_are_not_taken_as_current() -> None:
    (a,) = everything(consumer(ALL), A)
    res = consumer(ALL, status=current_status(a, reason="RollingOut"))
    found = roll(res, observation(a, B, held={"a": Unknown(Reason.NO_WORKLOAD_RIGHTS, "forbidden")}), V1)
    assert (acts(found), told(found)["a"], found.moved) == ([], (True, "NoWorkloadRights"), False)
    assert told(roll(res, observation(a), V1))["a"] == (True, "RollingOut")


# --- failure --------------------------------------------------------------------------------------------------------


def moving(*, at: timedelta = timedelta(minutes=1), **changes: Any) -> tuple[SecureRedisCache, Any, Any]:
    """`a` was moved to V2 and is rolling; `b` still waits at V1."""
    a, b = everything(consumer(ALL), A, B)
    res = consumer(ALL, status=current_status(a, b, reason="RollingOut"))
    found = roll(res, observation(a, b), V2)
    (action,) = found.actions
    return with_status(res, found), replace(done(a, action, NOW - at), **changes), b


def test_a_failed_rollout_stops_the_moves_and_nothing_else() -> None:
    res, a, b = moving(failed="ProgressDeadlineExceeded")
    found = roll(res, observation(a, b, C, held={"a": pods(V1), "b": pods(V1)}), V2)
    assert acts(found) == ["+c"], "a first injection endangers no other"
    assert told(found) == {"a": (True, "RolloutFailed"), "b": (True, "RollingOut"), "c": (True, "RollingOut")}
    (waits,) = [one for one in found.statuses if one.name == "b"]
    assert waits.message is not None
    assert "Deployment 'a'" in waits.message
    # Repaired: it goes on.
    healed = replace(a, failed=None, rolled=True)
    assert acts(roll(with_status(res, found), observation(healed, b, held={"a": pods(V2)}), V2)) == ["+b"]


def test_a_rollout_that_never_ends_stops_the_moves() -> None:
    res, a, b = moving(at=timedelta(minutes=31))
    found = roll(res, observation(a, b, held={"a": pods(V1)}), V2)
    assert (acts(found), told(found)["a"]) == ([], (True, "RolloutDeadline"))
    res, a, b = moving(at=timedelta(minutes=29))
    assert told(roll(res, observation(a, b, held={"a": pods(V1)}), V2))["a"] == (True, "RollingOut")


def test_old_pods_gone_and_new_ones_not_there_is_no_success() -> None:
    res, a, b = moving()
    found = roll(res, observation(a, b, held={"a": pods(V2)}), V2)
    assert (acts(found), told(found)["a"]) == ([], (True, "RollingOut"))


def test_a_workload_that_the_server_refuses_blocks_no_other() -> None:
    res = consumer(ALL)
    found = roll(res, observation(A, B), V1)
    (action,) = found.actions
    res = with_status(res, found, (Failed(action, WriteFailure(Reason.TARGET_REFUSED, "denied by policy")),))
    (a,) = [one for one in res.status.workloads if one.name == "a"]
    assert (a.injected, a.reason, a.message) == (False, "TargetRefused", "denied by policy")
    found = roll(res, observation(A, B), V1)
    assert acts(found) == ["+b"]
    assert told(found)["a"] == (False, "TargetRefused")
    res, (b,) = with_status(res, found), everything(consumer(ALL), B)
    found = roll(res, observation(A, b, held={"b": pods(V1)}), V1)
    assert acts(found) == ["+a"], "tried again when no other one waits"


def test_refused_workloads_are_tried_in_turn() -> None:
    res = consumer(ALL, status=current_status(A, B, C, reason="TargetRefused", injected=False))
    tried = {
        acts(roll(res, replace(observation(A, B, C), now=NOW + timedelta(seconds=15 * i)), V1))[0] for i in range(3)
    }
    assert tried == {"+a", "+b", "+c"}


def test_an_action_that_was_not_done_is_not_reported_as_done() -> None:
    res = consumer(ALL)
    found = roll(res, observation(A), V1)
    assert [one.injected for one in statuses_after(res, found, ())] == [False]
    assert [one.injected for one in statuses_after(res, found, (Done(found.actions[0]),))] == [True]


# --- what replaces no pods ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"paused": True}, "TargetPaused"),
        ({"update_strategy": "OnDelete"}, "TargetOnDelete"),
        ({"partition": 2}, "TargetPaused"),
    ],
)
def test_a_workload_without_automatic_rollout_is_changed_reported_and_not_awaited(
    changes: dict[str, Any], reason: str
) -> None:
    a, b = everything(consumer(ALL), A, B)
    res = consumer(ALL, status=current_status(a, b))
    a = replace(a, **changes)
    found = roll(res, observation(a, b), V2)
    assert acts(found) == ["+a", "+b"], "it takes no place in the wave"
    res, a = with_status(res, found), done(a, found.actions[0], NOW - timedelta(days=1))
    b = replace(done(b, found.actions[1]), rolled=True)
    found = roll(res, observation(a, b, C, held={"a": pods(V1, 2), "b": pods(V2)}), V2)
    assert acts(found) == ["+c"]
    assert told(found)["a"] == (True, reason)
    assert found.moved is False
    (status,) = [one for one in found.statuses if one.name == "a"]
    assert status.stale_pods is not None
    assert status.stale_pods.count == 2
    assert told(roll(res, observation(a, b, held={"a": pods(V2), "b": pods(V2)}), V2))["a"] == (True, None)


def test_zero_replicas_are_current_at_once_and_take_no_place() -> None:
    empty = replace(A, replicas=0)
    found = roll(consumer(ALL), observation(empty, B), V1)
    assert acts(found) == ["+a", "+b"]
    a = replace(done(empty, found.actions[0]), rolled=True)
    found = roll(with_status(consumer(ALL), found), observation(a, held={"a": ()}), V1)
    assert told(found) == {"a": (True, None)}


def test_a_running_job_keeps_its_key_and_blocks_no_other() -> None:
    res = consumer({**ENV, "kind": "CronJob"}, ALL)
    job = workload(kind="CronJob")
    found = roll(res, observation(job, A), V1)
    assert acts(found) == ["+checkout", "+a"]
    job = replace(done(job, found.actions[0], NOW - timedelta(days=1)), rolled=True)
    observed = replace(observation(job), pods={("CronJob", "checkout"): pods(V2, 1)})
    found = roll(with_status(res, found), observed, V1)
    assert told(found)["checkout"] == (True, "RollingOut")
    assert not any(one.reason == "RolloutDeadline" for one in found.statuses)
    found = roll(with_status(res, found), replace(observed, pods={("CronJob", "checkout"): ()}), V1)
    assert told(found)["checkout"] == (True, None)


def published(minutes: float, *, own: bool = True) -> dict[str, Any]:
    """The Secret that holds the version V2 since so many minutes. `own`: the operator owns what records it."""
    at = rfc3339(NOW - timedelta(minutes=minutes))
    annotations = {names.SECRET_VERSION: V2, names.SECRET_PUBLISHED: at}
    secret = SecretFacts(
        name="orders",
        uid="secret-uid",
        resource_version="1",
        type=names.SECRET_TYPE,
        annotations=annotations,
        owner_uid=UID,
        own_annotations=frozenset(annotations if own else ()),
    )
    return {"secret": secret}


@pytest.mark.parametrize("restart", ["None", "OnDelete"])
def test_without_restart_a_pod_is_behind_until_it_started_after_the_publication(restart: str) -> None:
    quiet = {**ALL, "restart": restart}
    (a,) = everything(consumer(quiet), A)
    res = consumer(quiet, status=current_status(a, reason="RollingOut"))
    assert required_pods(res, (a,), V2) == (("Deployment", "a"),)
    old, new = pods(V1, 2), pods(V1, 1, started=NOW - timedelta(minutes=4))
    forged = {"credential": {"keyVaultVersion": V2, "publishedAt": "2026-01-01T00:00:00Z"}}
    claims = consumer(quiet, status={**current_status(a, reason="RollingOut"), **forged})
    for one in (res, claims):
        unknown = roll(one, observation(a, held={"a": new}, **published(5, own=False)), V2)
        assert unknown.holding is not None, "only the operator's own record of the publication counts"
    found = roll(res, observation(a, B, held={"a": old + new}, **published(5)), V2)
    assert acts(found) == ["+b"], "it takes no place in the wave"
    (status,) = [one for one in found.statuses if one.name == "a"]
    assert (status.reason, status.stale_pods) == (
        "TargetOnDelete",
        StalePods(count=2, names=("pod-aaaa-0", "pod-aaaa-1")),
    )
    found = roll(res, observation(a, held={"a": new}, **published(5)), V2)
    assert told(found) == {"a": (True, None)}


def test_before_a_key_is_regenerated_the_pods_count_and_not_what_the_status_reports() -> None:
    (a,) = everything(consumer(ALL), A)
    res = consumer(ALL, status=current_status(a))
    assert required_pods(res, (a,), V1) == ()
    assert roll(res, observation(a), V1).holding is None
    assert required_pods(res, (a,), V1, verify=True) == (("Deployment", "a"),)
    unread = roll(res, observation(a), V1, verify=True)
    assert unread.holding is not None
    old = roll(res, observation(a, held={"a": pods(V2)}), V1, verify=True)
    assert old.holding is not None
    new = roll(res, observation(a, held={"a": pods(V1)}), V1, verify=True)
    assert new.holding is None


def test_an_injection_that_the_status_claims_to_be_dropped_holds_its_key_all_the_same() -> None:
    (a,) = everything(consumer(ALL), A)
    copied = replace(a, owned=Owned())
    res = consumer(ALL, status=current_status(a, reason="TargetReplaced", injected=False, dropped=3))
    found = roll(res, observation(copied), V1)
    assert told(found)["a"][1] == "TargetReplaced"
    assert found.holding is not None


def test_a_publication_unsettles_what_is_not_restarted() -> None:
    quiet = {**ALL, "restart": "None"}
    (a,) = everything(consumer(quiet), A)
    res = consumer(quiet, status={**current_status(a), "credential": {"keyVaultVersion": V1}})
    assert required_pods(res, (a,), V1) == ()
    assert required_pods(res, (a,), V2) == (("Deployment", "a"),)
    assert told(roll(res, observation(a), None, publishing=True)) == {"a": (True, "RollingOut")}


def test_a_workload_that_reloads_files_is_current_once_the_kubelet_has_renewed_them() -> None:
    rereads = {"id": "all", "kind": "Deployment", "selector": {}, "restart": "None", "reloadsFiles": True}
    (a,) = everything(consumer(rereads), A)
    for minutes, expected in ((1.9, "RollingOut"), (2.1, None)):
        res, there = consumer(rereads, status=current_status(a, reason="RollingOut")), published(minutes)
        files = (ContainerState("main", Reads.FILES),)
        mounted = tuple(replace(pod, containers=files) for pod in pods(V1))
        found = roll(res, observation(a, held={"a": mounted}, **there), V2)
        assert told(found) == {"a": (True, expected)}
        assert found.actions == ()
        by_env = roll(res, observation(a, held={"a": pods(V1)}, **there), V2)
        assert told(by_env)["a"][1] is not None, "no application re-reads its environment"


# --- targets that are not as they should be -------------------------------------------------------------------------


def test_a_missing_or_terminating_target_is_reported() -> None:
    res = consumer(ENV, {**ALL, "kind": "StatefulSet"})
    for there in ((), (workload(deleting=True),)):
        found = roll(res, observation(*there), V1)
        assert {one.id: one.reason for one in found.statuses} == {"checkout": "TargetNotFound", "all": "TargetNotFound"}
        assert (found.actions, found.moved, found.next_pass_in) == ((), True, HUMAN_SECONDS)


def test_a_selector_that_matches_nothing_waits_quietly() -> None:
    assert roll(consumer(ALL), observation(), V1).next_pass_in is None


def test_two_entries_for_one_workload_the_first_has_it() -> None:
    res = consumer(ENV, ALL)
    found = roll(res, observation(workload()), V1)
    assert acts(found) == ["+checkout"]
    assert {one.id: one.reason for one in found.statuses} == {"checkout": "RollingOut", "all": "TargetConflict"}
    res, facts = with_status(res, found), replace(done(workload(), found.actions[0]), rolled=True)
    observed = replace(observation(facts), pods={("Deployment", "checkout"): pods(V1)})
    found = roll(res, observed, V1)
    assert [(one.id, one.reason) for one in found.statuses] == [("all", "TargetConflict"), ("checkout", None)]
    assert required_pods(with_status(res, found), (facts,), V1) == (), (
        "what is reported of the second is not of the first"
    )


def test_a_conflict_does_not_stop_the_others() -> None:
    taken = replace(A, containers=(replace(A.containers[0], name="x"),))
    res = consumer({**ALL, "containers": ["app"]})
    found = roll(res, observation(taken, B), V1)
    assert (acts(found), told(found)["a"]) == (["+b"], (False, "ContainerNotFound"))


def test_a_repeatedly_replaced_workload_is_given_up_until_a_request() -> None:
    res = consumer(ALL)
    found = Rollout()
    for _ in range(3):
        found = roll(res, observation(A), V1)
        assert acts(found) == ["+a"]
        res = with_status(res, found)
    for _ in range(3):
        found = roll(res, observation(A), V1)
        assert (acts(found), told(found)) == ([], {"a": (False, "TargetReplaced")})
        res = with_status(res, found)
    assert acts(roll(replace(res, generation=2), observation(A), V1)) == ["+a"]
    assert acts(roll(res, observation(replace(A, uid="another")), V1)) == ["+a"]


# --- release --------------------------------------------------------------------------------------------------------


def test_a_removed_entry_is_released_and_followed_until_its_pods_are_replaced() -> None:
    (a,) = everything(consumer(ALL), A)
    res = consumer(status=current_status(a))
    found = roll(res, observation(a), V1)
    assert acts(found) == ["-a"]
    assert (told(found), found.moved) == ({"a": (False, "RollingOut")}, False)
    res, a = with_status(res, found), released(a, found.actions[0])
    assert required_pods(res, (a,), V1) == (("Deployment", "a"),)
    found = roll(res, observation(a, held={"a": pods(V1, 1)}), V1)
    assert (acts(found), told(found), found.moved) == ([], {"a": (False, "RollingOut")}, False)
    a = replace(a, rolled=True)
    assert roll(res, observation(a, held={"a": pods(V1, 1)}), V1).moved is False, (
        "a pod that ends still uses the Secret"
    )
    found = roll(res, observation(a, held={"a": pods(None)}), V1)
    assert (found.actions, found.statuses, found.moved) == ((), (), True)


@pytest.mark.parametrize("withdrawn", [{"labels": {}}, {"annotations": {names.RESOURCES: "sessions"}}])
def test_withdrawn_consent_releases(withdrawn: dict[str, Any]) -> None:
    (a,) = everything(consumer({**ENV, "name": "a"}), A)
    res = consumer({**ENV, "name": "a"}, status=current_status(a))
    a = replace(a, **withdrawn)
    found = roll(res, observation(a), V1)
    assert acts(found) == ["-a"]
    res, a = with_status(res, found), replace(released(a, found.actions[0]), rolled=True)
    assert required_pods(res, (a,), V1) == (("Deployment", "a"),)
    assert told(roll(res, observation(a, held={"a": pods(V1)}), V1)) == {"a": (False, "RollingOut")}
    found = roll(res, observation(a, held={"a": pods(None)}), V1)
    assert (told(found), found.moved) == ({"a": (False, "TargetNotConsenting")}, True)
    again = roll(with_status(res, found), observation(a), V1)
    assert (again.actions, told(again)) == ((), told(found))


def test_fields_that_others_injected_are_not_released() -> None:
    found = roll(consumer(status={}), observation(A), V1)
    assert (found.actions, found.statuses) == ((), ())


def test_a_failed_release_blocks_no_move() -> None:
    a, b = everything(consumer(ALL), A, B)
    asked = {**ENV, "name": "b"}
    res = consumer(asked, status=current_status(a, b))
    (action,) = [one for one in roll(res, observation(a, b), V1).actions if isinstance(one, ReleaseWorkload)]
    a = replace(released(a, action), failed="ProgressDeadlineExceeded")
    found = roll(res, observation(a, b, held={"a": pods(V1)}), V2)
    assert (acts(found), told(found)["a"]) == (["+b"], (False, "RolloutFailed"))


def test_a_release_that_never_ends_is_reported_after_the_deadline() -> None:
    (a,) = everything(consumer(ALL), A)
    (action,) = roll(consumer(status=current_status(a)), observation(a), V1).actions
    a = released(a, action)
    a = replace(
        a, owned=replace(a.owned, applied=None)
    )  # the operator's entry in managedFields goes with its last field
    for minutes, reason in ((29, "RollingOut"), (31, "RolloutDeadline")):
        since = (NOW - timedelta(minutes=minutes)).strftime("%Y-%m-%dT%H:%M:%SZ")
        condition = {"type": "WorkloadsCurrent", "status": "False", "reason": "RollingOut", "lastTransitionTime": since}
        res = consumer(status={**current_status(a, reason="RollingOut"), "conditions": [condition]})
        assert told(roll(res, observation(a, held={"a": pods(V1)}), V1)) == {"a": (False, reason)}


def test_an_annotation_taken_over_by_another_is_not_awaited() -> None:
    (a,) = everything(consumer(ALL), A)
    res = consumer(status=current_status(a))
    theirs = replace(a, owned=Owned())
    assert roll(res, observation(theirs, held={"a": pods(V1)}), V1).moved


def test_a_new_object_of_the_same_name_is_evaluated_again() -> None:
    (a,) = everything(consumer(ALL), A)
    res = consumer(ALL, status=current_status(a))
    again = replace(a, uid="another")
    assert required_pods(res, (again,), V1) == (("Deployment", "a"),)
    assert told(roll(res, observation(again, held={"a": pods(None)}), V1)) == {"a": (True, "RollingOut")}


def test_a_workload_that_is_gone_is_forgotten() -> None:
    assert roll(consumer(status=current_status(A)), observation(), V1).statuses == ()


def test_a_deletion_releases_all_in_waves() -> None:
    a, b = everything(consumer(ALL), A, B)
    res = replace(consumer(ALL, status=current_status(a, b)), deleting=True)
    found = roll(res, observation(a, b), None)
    assert (acts(found), found.moved) == (["-a"], False)
    res, a = with_status(res, found), replace(released(a, found.actions[0]), rolled=True)
    found = roll(res, observation(a, b, held={"a": pods(None)}), None)
    assert acts(found) == ["-b"]
    res, b = with_status(res, found), replace(released(b, found.actions[0]), rolled=True)
    assert required_pods(res, (a, b), None) == (("Deployment", "b"),)
    assert roll(res, observation(a, b, held={"b": pods(None)}), None).moved


# --- when not to write ----------------------------------------------------------------------------------------------


def test_without_a_published_key_nothing_is_injected_and_the_report_stays() -> None:
    (a,) = everything(consumer(ALL), A)
    res = consumer(ALL, status=current_status(a))
    found = roll(res, observation(a, B), None)
    assert (found.actions, told(found)) == ((), {"a": (True, None), "b": (False, "RollingOut")})


def test_an_outage_or_a_pause_shows_how_far_it_is_and_begins_nothing() -> None:
    res, a, b = moving(rolled=True)
    found = roll(res, observation(a, b, C, held={"a": pods(V2)}), V2, writes=False)
    assert found.actions == ()
    assert told(found) == {"a": (True, None), "b": (True, "RollingOut"), "c": (False, "RollingOut")}
    gone = consumer(status=current_status(a))
    assert roll(gone, observation(a), V2, writes=False).actions == ()


def test_every_status_fits_the_schema() -> None:
    many = tuple(workload(f"w{i:03}") for i in range(300))
    found = roll(consumer(ALL), observation(*many), V1)
    assert len(found.statuses) == 250
    assert all(len(one.message or "") <= 512 for one in found.statuses)
    (a,) = everything(consumer(ALL), A)
    res = consumer(ALL, status=current_status(a, reason="RollingOut"))
    endless = roll(res, observation(replace(a, rolled=False, failed="x" * 2000), held={"a": (PodFacts("p"),)}), V1)
    assert len(endless.statuses[0].message or "") == 512
