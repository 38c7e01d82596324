"""Rollouts that Kubernetes does not finish by itself are reported immediately, with what to do."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from secure_redis.domain.observe.workloads import ContainerState, Obstacle, PodFacts, WorkloadFacts
from secure_redis.domain.plan.rollout.unfinished import blocking, failure, obstacle
from secure_redis.domain.plan.rollout.waves import roll
from tests.builders.workloads import V1, V2, consumer, injected, pods
from tests.builders.world import NOW
from tests.unit.domain.plan.test_rollout import (
    ALL,
    A,
    B,
    C,
    acts,
    current_status,
    everything,
    observation,
    published,
    told,
)

SET = WorkloadFacts(
    "StatefulSet", "db", "u", "1", rolled=False, ordered=True, update_revision="db-2", template_annotations={}
)


def pod(name: str, revision: str | None = "db-1", **changes: Any) -> PodFacts:
    return replace(PodFacts(name, V1, NOW - timedelta(hours=1)), revision=revision, **changes)


WELL, NEW = pod("db-0"), pod("db-2", "db-2", ready=False)
SICK = pod("db-1", ready=False)


def test_an_unready_pod_of_the_former_template_blocks_an_ordered_stateful_set() -> None:
    found = blocking(SET, (WELL, SICK, NEW), NOW)
    assert found is not None
    assert found.reason == "PodBlocksRollout"
    assert found.message.endswith("kubectl delete pod db-1")
    assert "kubernetes#67250" in found.message


@pytest.mark.parametrize(
    ("changes", "there"),
    [
        ({}, (WELL, NEW)),
        ({"rolled": True}, (SICK,)),
        ({"ordered": False}, (SICK,)),
        ({"update_strategy": "OnDelete"}, (SICK,)),
        ({"update_revision": None}, (SICK,)),
        ({}, (replace(SICK, deleting=True, ends=NOW),)),
        ({}, (replace(SICK, revision=None),)),
    ],
)
def test_others_go_on_by_themselves(changes: dict[str, Any], there: tuple[PodFacts, ...]) -> None:
    assert blocking(replace(SET, **changes), there, NOW) is None


def test_a_pod_whose_end_no_node_confirms_blocks_any_rollout() -> None:
    late = replace(WELL, deleting=True, ends=NOW - timedelta(minutes=2))
    for kind in ("Deployment", "StatefulSet", "DaemonSet"):
        found = blocking(replace(SET, kind=kind, ordered=False), (late,), NOW)
        assert found is not None
        assert found.message.endswith("kubectl delete pod db-0 --force")
        assert blocking(replace(SET, kind=kind, rolled=True), (late,), NOW) == found
    assert blocking(SET, (replace(late, ends=NOW),), NOW) is None


def test_the_status_reports_it_at_once_and_the_others_wait() -> None:
    a, b = everything(consumer(ALL), A, B)
    stuck = replace(a, rolled=False, ordered=True, update_revision="2")
    res = consumer(ALL, status=current_status(a, b, reason="RollingOut"))
    held = tuple(replace(one, revision="1", ready=False) for one in pods(V2, 1))
    found = roll(res, observation(stuck, b, held={"a": held}), V1)
    assert (acts(found), told(found)["a"]) == ([], (True, "PodBlocksRollout"))
    assert found.holding is not None, "its containers ran with the older key"


def test_a_former_pod_that_does_not_end_is_named_and_blocks_no_other_workload() -> None:
    a, b = everything(consumer(ALL), A, B)
    res = consumer(ALL, status=current_status(a, b, reason="RollingOut"))
    ending = tuple(replace(one, deleting=True, ends=NOW - timedelta(minutes=2)) for one in pods(V2, 1))
    found = roll(res, observation(a, C, held={"a": ending + pods(V1)}), V1)
    assert (acts(found), told(found)["a"]) == (["+c"], (True, "PodBlocksRollout"))
    assert found.holding is not None, "its node may be lost and go on running it"


def test_pods_that_never_started_hold_nothing_although_the_rollout_is_not_done() -> None:
    a, b = everything(consumer(ALL), A, B)
    waits = ContainerState("main", started=False, running=False)
    held = tuple(
        replace(one, bound=False, containers=(waits,), obstacle=Obstacle.GATED, ready=False) for one in pods(V2, 2)
    )
    rolling = replace(a, rolled=False)
    res = consumer(ALL, status=current_status(a, b, reason="RollingOut"))
    found = roll(res, observation(rolling, b, held={"a": held, "b": pods(V1)}), V1)
    (status,) = [one for one in found.statuses if one.name == "a"]
    assert (status.reason, status.stale_pods) == ("RollingOut", None)
    assert status.message == (
        "2 of its pods are not replaced yet, and hold no older key: pod 'pod-bbbb-0' (and 1 more) has scheduling "
        "gates, which the party that set them has to remove"
    )
    assert (found.moved, found.holding) == (False, None), "their Secret stays, and the former key may go"
    paused = replace(a, rolled=False, paused=True)
    found = roll(res, observation(paused, b, held={"a": held, "b": pods(V1)}), V1)
    assert (told(found)["a"], found.moved, found.holding) == ((True, "TargetPaused"), False, None)


@pytest.mark.parametrize("form", [{"restart": "Rolling"}, {"restart": "OnDelete"}, {"restart": "None"}])
def test_a_pod_that_names_a_former_secret_keeps_it_there(form: dict[str, str]) -> None:
    """Of the same version: it holds the current key, and needs the Secret when its container starts again."""
    res = consumer({**ALL, **form}, status={"workloads": []})
    paused = replace(injected(res, A, V2), paused=True)
    waits = ContainerState("main", started=False, running=False)
    old = tuple(replace(one, uses=False, containers=(waits,)) for one in pods(V2, 1))
    for held, moved in ((old, False), (tuple(replace(one, uses=True) for one in old), True)):
        found = roll(res, observation(paused, held={"a": held}, **published(60)), V2)
        assert (found.moved, found.holding) == (moved, None)


def test_a_failure_states_what_to_do_where_that_is_known() -> None:
    quota = replace(SET, failed="FailedCreate: pods is forbidden: exceeded quota: compute")
    assert "raise the ResourceQuota" in failure(quota, ())
    late = replace(SET, failed="ProgressDeadlineExceeded: timed out")
    assert failure(late, (replace(NEW, obstacle=Obstacle.IMAGE),)).endswith("or the Secret for its registry")
    assert obstacle((WELL,)) == ""
