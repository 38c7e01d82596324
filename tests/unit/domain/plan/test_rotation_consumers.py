"""A consumer that may still hold a key keeps it alive; and consumers that an emergency does not wait for."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest
from pydantic import SecretBytes

from secure_redis.api import names
from secure_redis.api.reasons.reason import Reason
from secure_redis.domain.grants import GrantPolicy, Power
from secure_redis.domain.observe.keys import Slot
from secure_redis.domain.observe.unknown import Unknown
from secure_redis.domain.observe.workloads import BudgetFacts
from secure_redis.domain.plan.actions import InjectWorkload, MarkKey, RegenerateKey
from secure_redis.domain.plan.rotation.consumers import secret_may_hold
from secure_redis.domain.plan.rotation.required_reads import wave_limit
from tests.builders.rotation_stage import SETTINGS
from tests.builders.rotations import World, asked, done_by, step, world

CRITICAL = (MarkKey, RegenerateKey)
FORCE = "emergency-force-leak"
VERSION_ANNOTATION = names.version_annotation("orders")


def stuck(made: World, reason: str, *parts: str) -> None:
    """Neither key is marked or regenerated any more; that, and why, is reported."""
    count = len(made.regenerated)
    assert done_by(made, *CRITICAL, looks=6) == []
    assert len(made.regenerated) == count
    state = made.rotation
    assert state is not None
    assert state.reason == reason, state
    for part in parts:
        assert part in (state.message or ""), state
    assert made.handled is None


# --- who is waited for ----------------------------------------------------------------------------------------------


def test_an_unlisted_pod_is_waited_for_and_named_until_it_restarts() -> None:
    made = asked(unlisted=4)
    made.looks(until=lambda one: one.reason == "HoldersBehind")
    assert made.phase == "RollingOut"
    stuck(
        made, "HoldersBehind", "unlisted-5, unlisted-6, unlisted-7 and 1 more;", "restart them, or list their workload"
    )
    assert made.rotation is not None
    told = made.rotation.holders
    assert told is not None
    assert told.count == 4
    _, found = made.look()
    assert (found.next_pass_in, found.grows_to) == (15.0, 300.0), "checked less and less often: a person has to act"
    made.pass_time(60)
    for pod in [pod for pod in made.pods if pod.of is None]:
        made.restart(pod)
    made.looks(until=lambda one: one.phase == "Completed")
    assert made.rotation.holders is None
    assert not any(one.consumers for one in made.regenerated)


def test_the_deadline_for_unlisted_pods_is_reported_and_ends_nothing() -> None:
    made = asked(unlisted=1)
    made.looks(until=lambda one: one.reason == "HoldersBehind")
    assert "deadline" not in ((made.rotation and made.rotation.message) or "")
    made.pass_time(3600)
    stuck(made, "HoldersBehind", "(the deadline for it is over)")


def test_an_unlisted_pod_that_started_before_the_key_was_published_bars_the_beginning() -> None:
    made = world(unlisted=1)
    made.store(Slot.SECONDARY)  # another party's rotation, which the pod did not follow
    made.looks(8)
    made.ask("please")
    stuck(made, "HoldersBehind", "without being listed")
    assert made.phase == "Waiting"
    assert made.rotation is not None
    assert made.rotation.target is None


def test_a_listed_pod_is_waited_for() -> None:
    made = asked(until="RollingOut")
    for _ in range(10):
        step(made, roll=False)
    assert (made.phase, made.reason) == ("RollingOut", "RollingOut")
    assert len(made.regenerated) == 1
    made.roll("checkout", most=1)  # one of two
    for _ in range(5):
        step(made, roll=False)
    assert (made.phase, len(made.regenerated)) == ("RollingOut", 1)
    made.looks(until=lambda one: one.phase == "Completed")


@pytest.mark.parametrize("phase", ["RollingOut", "Retiring"])
def test_consumers_that_cannot_be_listed_are_awaited(phase: str) -> None:
    made = asked(until=phase)
    made.consumers_unread = Unknown(Reason.NO_WORKLOAD_RIGHTS, "pods cannot be listed")
    stuck(made, "NoWorkloadRights", "it is not known who holds which key: pods cannot be listed")
    assert made.phase == phase
    made.consumers_unread = None
    made.looks(until=lambda one: one.phase == "Completed")


@pytest.mark.parametrize("phase", ["Waiting", "RollingOut", "Retiring"])
def test_workloads_that_cannot_be_read_are_waited_for(phase: str) -> None:
    made = asked(until=phase)
    made.workloads_unread = Unknown(Reason.NO_WORKLOAD_RIGHTS, "workloads cannot be read")
    stuck(made, "NoWorkloadRights", "workloads cannot be read")
    made.workloads_unread = None
    made.looks(until=lambda one: one.phase == "Completed")


def test_a_failed_rollout_keeps_both_keys_alive_and_states_the_remedy() -> None:
    made = asked(until="RollingOut", workloads=2)
    made.looks(until=lambda one: any(not facts.rolled for facts in one.workloads.values()), roll=False)
    first = next(name for name, facts in made.workloads.items() if not facts.rolled)
    made.workloads[first] = replace(made.workloads[first], failed="ProgressDeadlineExceeded")
    keys = dict(made.keys)
    for _ in range(6):
        todo, _ = made.look()
        assert not any(isinstance(action, (*CRITICAL, InjectWorkload)) for action in todo.actions)
        made.pass_time(1)
    assert (made.phase, made.reason) == ("RollingOut", "RolloutFailed")
    assert made.rotation is not None
    assert f"'{first}'" in (made.rotation.message or "")
    assert "both keys work: repair or roll back the workload" in (made.rotation.message or "")
    assert made.keys == keys
    made.workloads[first] = replace(made.workloads[first], failed=None)
    made.looks(until=lambda one: one.phase == "Completed")


def test_a_paused_workload_is_waited_for() -> None:
    made = asked(until="RollingOut")
    made.workloads["checkout"] = replace(made.workloads["checkout"], paused=True)
    for _ in range(6):
        step(made, roll=False)
    assert made.reason == "TargetPaused"
    stuck_at = len(made.regenerated)
    made.workloads["checkout"] = replace(made.workloads["checkout"], paused=False)
    made.looks(until=lambda one: one.phase == "Completed")
    assert (stuck_at, len(made.regenerated)) == (1, 2)


def test_a_budget_that_allows_nothing_is_waited_for() -> None:
    made = asked(until="RollingOut")
    made.budgets = (BudgetFacts("keep", allowed=0, expected=2, covers=frozenset({("Deployment", "checkout")})),)
    stuck(made, "TargetBudget", "keep")
    made.budgets = ()
    made.looks(until=lambda one: one.phase == "Completed")


def test_a_key_in_the_secret_is_never_regenerated() -> None:
    made = world()
    observed = made.observe()
    keys = made.listed()
    assert not isinstance(keys, Unknown)
    assert secret_may_hold(observed, keys.primary)
    assert not secret_may_hold(observed, keys.secondary)
    for secret in (None, Unknown(Reason.NO_WORKLOAD_RIGHTS, "")):
        assert secret_may_hold(replace(observed, secret=secret), keys.secondary)
    assert made.secret is not None
    assert secret_may_hold(replace(observed, secret=replace(made.secret, data={})), keys.secondary)


# --- emergencies ----------------------------------------------------------------------------------------------------


def most_at_once(made: World, looks: int = 30) -> int:
    """The most workloads that were moved in one pass."""
    most = 0
    for _ in range(looks):
        todo, _ = made.look()
        most = max(most, sum(isinstance(action, InjectWorkload) for action in todo.actions))
        for name in made.workloads:
            made.roll(name, most=9)
        made.pass_time(1)
    return most


@pytest.mark.parametrize(("request_", "at_once"), [("please", 1), ("emergency-leak", 2), (FORCE, 2)])
@pytest.mark.parametrize("others", ["None", "Possible"])
def test_an_emergency_regenerates_both_and_rolls_all_at_once(request_: str, at_once: int, others: str) -> None:
    made = world(workloads=2, other_consumers=others)
    made.approve()
    before = dict(made.keys)
    made.ask(request_)
    if request_ == FORCE and others == "Possible":
        stuck(made, "ForceNotAllowed", "otherConsumers: None", "emergency-…")
        return
    assert most_at_once(made) == at_once
    spared = request_ == "please" and others == "Possible"
    assert made.handled == request_
    assert len(set(before.values()) & set(made.keys.values())) == (1 if spared else 0)
    assert request_ == FORCE or not any(one.consumers for one in made.regenerated)


def test_an_emergency_requested_during_an_ordinary_rollout_speeds_it_up_and_follows_it() -> None:
    made = asked(until="RollingOut", workloads=2)
    assert wave_limit(made.resource(), made.observe()) is None
    made.ask("emergency-leak")
    assert wave_limit(made.resource(), made.observe()) is not None
    assert most_at_once(made, looks=3) == 2
    leaked = dict(made.keys)
    made.looks(60, until=lambda one: one.handled == "emergency-leak")
    assert [one.request for one in made.regenerated] == ["please", "please", "emergency-leak", "emergency-leak"]
    assert not set(leaked.values()) & set(made.keys.values())
    assert not any(one.consumers for one in made.regenerated)


def at_retiring(made: World) -> World:
    """Retiring, with a pod that came from an older key."""
    made.looks(until=lambda one: one.phase == "Retiring")
    made.start().started -= timedelta(hours=3)
    return made


def at_rolling(made: World) -> World:
    """RollingOut, with an unlisted pod that no one restarts."""
    made.looks(until=lambda one: one.phase == "Intended")
    made.start()
    return made.looks(until=lambda one: one.reason == "HoldersBehind")


STUCK = [at_rolling, at_retiring]


@pytest.mark.parametrize("come_to", STUCK)
def test_a_leave_to_force_overrides_a_rotation_that_waits_for_pods(come_to: Callable[[World], World]) -> None:
    made = come_to(asked())
    keys = dict(made.keys)
    stuck(made, "HoldersBehind")
    made.ask(FORCE)
    made.looks(60, until=lambda one: one.handled == FORCE)
    assert not set(keys.values()) & set(made.keys.values())
    assert made.regenerated[-1].request == FORCE


@pytest.mark.parametrize("come_to", STUCK)
@pytest.mark.parametrize("missing", ["other consumers", "the power"])
def test_without_leave_to_force_it_waits_on(come_to: Callable[[World], World], missing: str) -> None:
    made = come_to(asked("emergency-leak", other_consumers="None"))
    count = len(made.regenerated)
    if missing == "other consumers":
        made.other_consumers = "Possible"
    else:
        caps = (replace(SETTINGS.policy.caps[0], powers=frozenset(Power) - {Power.ROTATE}),)
        made.settings = replace(SETTINGS, policy=GrantPolicy(caps=caps))
    made.ask(FORCE)
    assert done_by(made, RegenerateKey) == []
    assert len(made.regenerated) == count
    assert made.handled != FORCE


def test_a_plain_emergency_does_not_override() -> None:
    made = at_rolling(asked())
    made.ask("emergency-leak")
    stuck(made, "HoldersBehind")
    assert made.rotation is not None
    assert made.rotation.request == "please"


def test_a_leave_that_is_gone_makes_pods_waited_for() -> None:
    made = asked(FORCE, until="Intended")
    made.start()
    made.looks(until=lambda one: one.phase == "RollingOut")
    made.other_consumers = "Possible"
    made.looks(until=lambda one: one.reason == "HoldersBehind")
    stuck(made, "HoldersBehind")
    made.other_consumers = "None"
    made.looks(until=lambda one: one.phase == "Completed")
    assert any(one.consumers for one in made.regenerated)  # that is what was requested


def test_force_waits_for_no_pod() -> None:
    made = asked(FORCE, unlisted=1)
    made.looks(30, until=lambda one: one.handled == FORCE, roll=False)
    assert [one.slot for one in made.regenerated] == ["Secondary", "Primary"]
    assert any(one.consumers for one in made.regenerated)


@pytest.mark.parametrize("secret", ["the target's key", "unknown"])
def test_not_even_force_regenerates_a_key_that_the_secret_may_hold(secret: str) -> None:
    made = asked(FORCE, until="Intended")
    published = made.secret
    assert published is not None
    assert made.rotation is not None
    target = SecretBytes(made.keys[Slot(made.rotation.target or "")].encode())
    for _ in range(6):  # another party writes the Secret before each pass
        made.secret = None if secret == "unknown" else replace(published, data={**published.data, "password": target})
        assert done_by(made, *CRITICAL, looks=1) == []
    assert made.reason == "HoldersBehind"
    assert "the Secret holds" in (made.rotation.message or "")
    made.secret = published
    made.looks(30, until=lambda one: one.handled == FORCE)


# --- pods whose containers never started -----------------------------------------------------------------------------

GATED = {"bound": False, "accepted": False}


@pytest.mark.parametrize("request_", ["please", "emergency-leak"])
@pytest.mark.parametrize("of", [None, "checkout"])
@pytest.mark.parametrize("state", [GATED, {}], ids=["gated", "image"])
def test_a_pod_that_never_started_ends_no_rotation(request_: str, of: str | None, state: dict[str, bool]) -> None:
    made = world(other_consumers="None")
    before = dict(made.keys)
    made.start_waiting(of, **state)
    made.pass_time(3600)
    made.ask(request_)
    for _ in range(60):
        step(made, roll=False)
        for name in made.workloads:
            running = [pod for pod in made.pods if pod.of == name and not pod.state]
            for pod in running:  # the controller replaces what runs, and never comes to an end
                if pod.version != made.workloads[name].template_annotations.get(VERSION_ANNOTATION):
                    made.restart(pod)
        made.pass_time(10)
        if made.handled == request_:
            break
    assert made.handled == request_, made.rotation
    assert not set(before.values()) & set(made.keys.values())
    assert not any(one.consumers for one in made.regenerated)


def test_a_container_that_may_be_starting_is_awaited_and_what_it_read_stays_alive() -> None:
    made = asked(until="Intended")
    pod = made.start_waiting()
    made.looks(until=lambda one: len(one.regenerated) == 1)
    made.read(pod)  # before the new key is published
    made.looks(until=lambda one: one.reason == "HoldersBehind")
    stuck(made, "HoldersBehind", "may be starting with what the Secret held before", "unlisted-", "; wait")
    made.pass_time(400)
    stuck(made, "HoldersBehind", "started before the current key was published", "restart them")
    made.restart(pod)
    made.looks(until=lambda one: one.phase == "Completed")
    assert not any(one.consumers for one in made.regenerated)


def test_a_pod_that_no_kubelet_reports_is_waited_for_and_so_is_one_that_ends() -> None:
    made = asked(until="RollingOut")
    both = [made.start_waiting(accepted=False), made.start_waiting(deleting=True)]
    for pod in both:
        pod.started -= timedelta(hours=3)
    made.pass_time(400)
    made.looks(until=lambda one: one.reason == "HoldersBehind")
    stuck(made, "HoldersBehind", "assigned to a node that does not report them", "are being deleted", "others")
    for pod in both:
        made.pods.remove(pod)
    made.looks(until=lambda one: one.phase == "Completed")
