"""The report of a rotation, and what else may happen in its passes."""

from collections import Counter
from dataclasses import replace

import pytest

from secure_redis.api.reasons.reason import Reason
from secure_redis.api.status import MESSAGE_LIMIT, RotationPhase, RotationStatus, StalePods, Status, WorkloadStatus
from secure_redis.domain.assess.assessment import assess
from secure_redis.domain.observe.keys import Slot
from secure_redis.domain.plan.actions import (
    AzureAction,
    MarkKey,
    RegenerateKey,
    StoreKey,
)
from secure_redis.domain.plan.plan import plan
from secure_redis.domain.plan.rotation.outcome import status_after
from secure_redis.domain.plan.types import Rotating
from secure_redis.domain.report.status import differs_in_pods_only
from tests.builders.rotation_stage import REFUSED
from tests.builders.rotations import World, asked, done_by, world
from tests.builders.world import CLUSTER

CRITICAL = (MarkKey, RegenerateKey)


def told(made: World) -> Counter[str]:
    """How often each reason was reported as an event."""
    return Counter(str(reason) for _, reason, _ in made.events)


# --- which changes of the status can wait ---------------------------------------------------------------------------


def rolling(count: int | None, message: str = "rolls", **changes: object) -> Status:
    """A status while one workload rolls, with so many stale pods."""
    stale = StalePods(count=count, names=("a",)) if count is not None else None
    one = WorkloadStatus(
        id="checkout", kind="Deployment", name="checkout", reason="RollingOut", message=message, stale_pods=stale
    )
    state = RotationStatus(phase=RotationPhase.ROLLING_OUT, reason="RollingOut", message=message, holders=stale)
    return Status(workloads=(one,), rotation=state, stale_pods=stale).model_copy(update=changes)


def test_counts_that_change_while_workloads_roll_are_minor() -> None:
    assert differs_in_pods_only(rolling(3), rolling(2))
    assert differs_in_pods_only(rolling(3, "3 pods are left"), rolling(2, "2 pods are left"))


def test_the_first_count_and_the_last_one_are_reported_at_once() -> None:
    assert not differs_in_pods_only(rolling(None), rolling(3))
    assert not differs_in_pods_only(rolling(1), rolling(None))


def test_more_than_a_count_is_not_minor() -> None:
    now = rolling(2)
    assert now.rotation is not None
    retiring = now.rotation.model_copy(update={"phase": RotationPhase.RETIRING})
    behind = now.rotation.model_copy(update={"reason": "HoldersBehind"})
    failed = now.workloads[0].model_copy(update={"reason": "RolloutFailed"})
    assert not differs_in_pods_only(rolling(3), rolling(2, rotation=retiring))
    assert not differs_in_pods_only(rolling(3), rolling(2, rotation=behind))
    assert not differs_in_pods_only(rolling(3), rolling(2, workloads=(failed,)))
    assert not differs_in_pods_only(rolling(3), rolling(3))  # nothing changed: nothing is written anyway


# --- events ---------------------------------------------------------------------------------------------------------


def test_a_rotation_reports_its_start_its_key_and_its_end_once_each_and_no_step() -> None:
    made = asked()
    made.looks(20)
    assert made.phase == "Completed"
    mine = told(made)
    assert (mine["Rotating"], mine["Published"], mine["Rotated"]) == (1, 1, 1)
    assert not {"Regenerating", "StoringKey", "Pending"} & mine.keys()
    assert [note for _, reason, note in made.events if reason == "Rotating"] == [
        "the Secondary key will be regenerated"
    ]
    assert {kind for kind, reason, _ in made.events if reason in {"Rotating", "Rotated"}} == {"Normal"}


def test_what_a_rotation_waits_for_is_reported_once_with_its_kind() -> None:
    made = asked(unlisted=1, until="RollingOut")
    made.looks(20)
    assert [kind for kind, reason, _ in made.events if reason == "HoldersBehind"] == ["Warning"]

    made = asked(other_consumers="Possible")
    made.looks(10)
    assert [kind for kind, reason, _ in made.events if reason == "ApprovalRequired"] == ["Normal"]


def test_a_superseded_rotation_warns_once() -> None:
    made = asked(until="Retiring")
    made.store(Slot.PRIMARY)
    made.pass_time(40)
    made.looks(10)
    assert [kind for kind, reason, _ in made.events if reason == "RotationSuperseded"] == ["Warning"]
    assert told(made)["Rotated"] == 0


@pytest.mark.parametrize("kind", [MarkKey, RegenerateKey, StoreKey])
def test_a_refused_write_warns_once_and_the_rotation_is_reported_complete_once(kind: type[AzureAction]) -> None:
    made = asked()
    made.fate[kind] = REFUSED
    made.looks(30)
    assert [text for sort, reason, text in made.events if reason == "AzureDenied" and sort == "Warning"] == [
        "rotation: refused"
    ]
    assert (told(made)["Rotating"], told(made)["Rotated"]) == (1, 1)


# --- counts and bounds ----------------------------------------------------------------------------------------------


def test_stale_pods_sum_listed_and_unlisted_ones() -> None:
    made = asked(unlisted=3, until="RollingOut")
    made.looks(4, roll=False)
    status = made.resource().status
    assert status.stale_pods is not None
    assert status.stale_pods.count == sum(one.stale_pods.count for one in status.workloads if one.stale_pods)
    assert status.stale_pods.count == 2
    made.looks(until=lambda one: one.reason == "HoldersBehind")
    status = made.resource().status
    assert status.stale_pods is not None
    assert (status.stale_pods.count, len(status.stale_pods.names)) == (3, 3)
    made.pass_time(60)
    for pod in [pod for pod in made.pods if pod.of is None]:
        made.restart(pod)
    made.looks(until=lambda one: one.phase == "Completed")
    assert made.resource().status.stale_pods is None


def test_a_message_is_bounded() -> None:
    made = world(unlisted=0)
    names = "x" * (MESSAGE_LIMIT * 2)
    made.change_cache(geo_linked=(names,))
    made.ask("please")
    made.look()
    state = made.rotation
    assert state is not None
    assert state.reason == "GeoReplicated"
    assert len(state.message or "") == MESSAGE_LIMIT


def test_a_step_without_an_outcome_was_not_tried() -> None:
    before = RotationStatus(phase=RotationPhase.INTENDED, reason="Rotating")
    status = RotationStatus(phase=RotationPhase.REGENERATING, reason="Regenerating")
    assert status_after(before, Rotating(status, None, action=RegenerateKey(Slot.SECONDARY)), ()) == before
    assert status_after(before, Rotating(status, None), ()) == status
    assert status_after(before, Rotating(None, None), ()) is None


# --- the plan -------------------------------------------------------------------------------------------------------


def test_no_pass_writes_twice_to_azure() -> None:
    for request in ("please", "emergency-leak"):
        made = asked(request, workloads=2)
        for slot in (None, Slot.SECONDARY, Slot.PRIMARY, None):
            if slot is not None:
                made.portal(slot)
                made.pass_time(40)
            for _ in range(8):
                todo, _ = made.look()
                assert sum(isinstance(action, AzureAction) for action in todo.actions) <= 1
                for name in made.workloads:
                    made.roll(name, most=9)
                made.pass_time(1)


def test_the_rotation_knows_which_key_belongs_into_the_vault() -> None:
    made = asked(until="Regenerating")
    made.portal(Slot.PRIMARY)  # provisioning would store that one; the rotation stores the new secondary
    res, observed = made.resource(), made.observe()
    assessed = assess(res, observed, cluster_uid=CLUSTER, ca=None)
    assert assessed.credential.store is not None
    assert assessed.credential.store.slot is Slot.PRIMARY
    todo = plan(res, observed, assessed, made.settings)
    stores = [action for action in todo.actions if isinstance(action, StoreKey)]
    assert [action.value.get_secret_value() for action in stores] == [made.keys[Slot.SECONDARY]]


@pytest.mark.parametrize("phase", ["Waiting", "Intended", "Regenerating", "RollingOut", "Retiring"])
def test_paused_stops_everything_and_it_goes_on_after(phase: str) -> None:
    made = asked(until=phase)
    made.pause(True)
    count, before = len(made.regenerated), made.rotation
    for _ in range(5):
        todo, _ = made.look()
        assert todo.actions == ()
        made.pass_time(1)
    assert (len(made.regenerated), made.rotation) == (count, before)
    made.pause(False)
    made.looks(until=lambda one: one.phase == "Completed")
    assert len(made.regenerated) == 2


def test_deleting_rotates_nothing() -> None:
    made = asked(until="Intended")
    res, observed = replace(made.resource(), deleting=True), made.observe()
    assessed = assess(res, observed, cluster_uid=CLUSTER, ca=None)
    todo = plan(res, observed, assessed, made.settings)
    assert todo.rotation is None
    assert not any(isinstance(action, AzureAction) for action in todo.actions)


def test_ready_stays_true_through_a_rotation() -> None:
    made = asked()
    for _ in range(16):
        made.look()
        ready = next(one for one in made.resource().status.conditions if one.type == "Ready")
        assert ready.status == "True", made.rotation
        made.roll("checkout", most=9)
        made.pass_time(1)
    assert made.phase == "Completed"
    assert done_by(made, *CRITICAL, looks=3) == []
    assert made.reason == Reason.ROTATED
