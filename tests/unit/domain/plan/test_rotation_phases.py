"""The phases of a rotation one pass at a time, and what disturbs each of them."""

from dataclasses import replace
from datetime import timedelta

import pytest
from pydantic import SecretStr

from secure_redis.api.reasons.reason import ConditionType, Reason
from secure_redis.domain.assess.rotation_record import digest
from secure_redis.domain.observe.keys import AuthenticationResult, Slot
from secure_redis.domain.observe.unknown import Unknown
from secure_redis.domain.plan.actions import (
    Action,
    ApplySecret,
    MarkKey,
    RegenerateKey,
    StoreKey,
)
from secure_redis.domain.plan.rotation.regeneration_mark import RegenerationMark
from tests.builders.rotation_stage import LATE, LOST, LOST_DONE, REFUSED, SETTINGS, SETTLE, password
from tests.builders.rotations import World, asked, done_by, step

CRITICAL = (MarkKey, RegenerateKey)


def marked(made: World) -> World:
    """As far as the key being marked."""
    return made.looks(until=lambda one: "secureredis-rotation" in one.vault.tags)


def regenerated(made: World) -> World:
    """As far as a first key being regenerated."""
    return made.looks(until=lambda one: len(one.regenerated) == 1)


# --- forward --------------------------------------------------------------------------------------------------------

FORWARD = [  # what one pass does, and what is reported after it
    ([], "Waiting", "Rotating", None),
    (["AddFinalizer"], "Intended", "Rotating", "Secondary"),
    ([], "Intended", "Rotating", "Secondary"),  # reads the cache directly first
    (["MarkKey"], "Intended", "Rotating", "Secondary"),
    (["RegenerateKey"], "Regenerating", "Regenerating", "Secondary"),
    (["StoreKey"], "Regenerating", "StoringKey", "Secondary"),
    (["ApplySecret"], "RollingOut", "RollingOut", "Secondary"),
    (["InjectWorkload"], "RollingOut", "RollingOut", "Secondary"),
    ([], "Retiring", "Rotating", "Secondary"),
    ([], "Retiring", "Rotating", "Secondary"),
    (["MarkKey"], "Retiring", "Rotating", "Secondary"),
    (["RegenerateKey"], "Retiring", "Regenerating", "Secondary"),
    (["MarkKey"], "Completed", "Rotated", "Secondary"),  # the mark is removed
    (["RemoveFinalizer", "ApplySecret"], "Completed", "Rotated", "Secondary"),  # the answered request is recorded
]


def test_each_pass_does_one_step_and_reports_it() -> None:
    made = asked()
    old = dict(made.keys)
    for number, (actions, phase, reason, target) in enumerate(FORWARD):
        todo, told = made.look()
        assert [type(action).__name__ for action in todo.actions] == actions, number
        state = made.rotation
        assert state is not None
        assert (state.phase, state.reason, state.target) == (phase, reason, target), number
        if "RemoveFinalizer" not in actions:
            assert told.next_pass_in <= 3.0, number  # nothing is waited for but a workload that rolls
        assert made.handled == ("please" if phase == "Completed" else None), number
        made.roll("checkout", most=9)
        made.pass_time(1)
    assert made.keys[Slot.PRIMARY] != old[Slot.PRIMARY]
    assert made.keys[Slot.SECONDARY] != old[Slot.SECONDARY]
    assert password(made.secret) == made.keys[Slot.SECONDARY]  # type: ignore[arg-type]
    assert {pod.key for pod in made.pods} == {made.keys[Slot.SECONDARY]}
    assert done_by(made, Action, looks=5) == []
    assert made.look()[1].next_pass_in == 300.0


def test_the_intent_is_recorded_and_removed_at_the_end() -> None:
    made = asked(until="Intended")
    state = made.rotation
    assert state is not None
    assert state.started_at == state.recorded_at
    assert state.request == "please"
    started = state.started_at
    made.looks(until=lambda one: one.phase == "Retiring")
    assert made.rotation is not None
    mark = RegenerationMark.on(made.vault.tags)
    assert mark is not None
    assert made.rotation.started_at == started
    assert made.rotation.recorded_at == mark.rotation
    made.looks(until=lambda one: one.phase == "Completed")
    state = made.rotation
    assert state is not None
    assert (state.recorded_at, state.holders, state.due_at) == (None, None, None)
    assert (state.slot, state.target, state.started_at) == ("Secondary", "Secondary", started)
    assert state.completed_at is not None


def test_the_next_rotation_goes_back_to_the_first_slot() -> None:
    made = asked(until="Completed")
    made.pass_time(3600)
    made.ask("again")
    made.looks(until=lambda one: one.phase == "Completed" and one.handled == "again")
    assert made.rotation is not None
    assert made.rotation.slot == "Primary"
    assert [one.slot for one in made.regenerated] == ["Secondary", "Primary", "Primary", "Secondary"]
    assert not any(one.consumers for one in made.regenerated)


def test_two_requests_in_a_row_are_two_rotations() -> None:
    made = asked(until="RollingOut")
    made.ask("second")
    made.looks(until=lambda one: one.handled == "please")
    made.looks(until=lambda one: one.handled == "second")
    assert [one.request for one in made.regenerated] == ["please", "please", "second", "second"]


def test_a_request_withdrawn_before_it_is_recorded_is_forgotten() -> None:
    made = asked(until="Waiting")
    made.ask(None)
    assert done_by(made, *CRITICAL) == []
    assert made.rotation is None
    assert made.handled is None


def test_a_request_withdrawn_after_it_is_recorded_is_carried_out() -> None:
    made = asked(until="Regenerating")
    made.ask(None)
    made.looks(until=lambda one: one.phase == "Completed")
    assert made.handled == "please"
    assert len(made.regenerated) == 2


def test_a_value_present_at_the_first_pass_is_answered() -> None:
    made = World(annotations={"secureredis.io/rotate": "old"})
    assert done_by(made, *CRITICAL) == []
    assert made.handled == "old"
    assert made.rotation is None
    made.ask("new")
    assert len(done_by(made, RegenerateKey, looks=20)) == 2


# --- a regeneration that is not plain -------------------------------------------------------------------------------


def test_a_key_that_is_not_accepted_yet_is_not_stored() -> None:
    made = regenerated(asked())
    made.accepts = AuthenticationResult.REFUSED
    todo, told = made.look()
    assert todo.actions == ()
    assert told.next_pass_in == 5.0
    assert (made.phase, made.reason) == ("Regenerating", "KeyNotAccepted")
    assert done_by(made, StoreKey, *CRITICAL) == []
    made.accepts = AuthenticationResult.ACCEPTED
    assert len(done_by(made, StoreKey, looks=2)) == 1


def test_without_a_way_to_the_cache_the_listed_key_is_stored() -> None:
    made = regenerated(asked())
    made.accepts = Unknown(Reason.AZURE_UNREACHABLE, "no route")
    assert step(made) == ["StoreKey"]
    assert made.vault.value is not None
    assert made.vault.value.get_secret_value() == made.keys[Slot.SECONDARY]


def test_the_stored_version_has_the_regeneration_mark_and_the_previous_tags() -> None:
    made = marked(asked())
    mark = made.vault.tags["secureredis-rotation"]
    made.looks(until=lambda one: one.phase == "RollingOut")
    assert made.vault.tags["secureredis-rotation"] == mark
    assert made.vault.tags["CredentialId"] == "Secondary"
    assert made.vault.tags["ProviderAddress"]


def test_a_busy_cache_is_waited_for() -> None:
    made = marked(asked())
    idle = made.cache
    made.change_cache(provisioning_state="Scaling")
    todo, _ = made.look()
    assert todo.rotation is not None
    assert todo.rotation.next_pass_in == SETTINGS.operation_poll
    assert done_by(made, *CRITICAL) == []
    assert (made.phase, made.reason) == ("Intended", "Regenerating")
    assert made.rotation is not None
    assert "Scaling" in (made.rotation.message or "")
    made.cache = idle
    assert len(done_by(made, RegenerateKey, looks=3)) == 1


@pytest.mark.parametrize(("fate", "again"), [(LOST, 1), (LOST_DONE, 0), (LATE, 0)])
def test_an_unclear_regeneration_is_repeated_only_after_the_settle_time(fate: str, again: int) -> None:
    made = marked(asked())
    made.fate[RegenerateKey] = fate
    assert step(made) == ["RegenerateKey"]
    assert (made.phase, made.reason) == ("Regenerating", "AzureUnreachable")
    sent, key = made.now - timedelta(seconds=1), made.keys[Slot.SECONDARY]
    while (made.now - sent).total_seconds() < SETTLE and not (fate == LATE and made.keys[Slot.SECONDARY] != key):
        todo, _ = made.look()
        assert not any(isinstance(action, RegenerateKey) for action in todo.actions)
        if fate == LOST:
            left = SETTLE - (made.now - sent).total_seconds()
            assert todo.rotation is not None
            assert todo.rotation.needs_fresh_read or todo.rotation.next_pass_in == left
        made.pass_time(1)
    made.looks(until=lambda one: one.phase == "RollingOut")
    assert [one.slot for one in made.regenerated] == ["Secondary"]
    assert (made.now - sent).total_seconds() >= SETTLE or not again


def test_a_clearly_refused_regeneration_is_repeated_at_once() -> None:
    made = marked(asked())
    made.fate[RegenerateKey] = REFUSED
    assert step(made) == ["RegenerateKey"]
    assert (made.phase, made.reason) == ("Intended", "AzureDenied")
    assert step(made) == ["RegenerateKey"]
    assert (made.phase, len(made.regenerated)) == ("Regenerating", 1)


def test_a_new_process_waits_from_its_first_observation_because_another_may_have_requested_it() -> None:
    made = marked(asked())
    made.pass_time(3600)
    made.die()
    born = made.now
    step(made)  # reads the cache directly
    todo, _ = made.look()
    assert todo.actions == ()
    assert todo.rotation is not None
    assert todo.rotation.next_pass_in == SETTLE - (made.now - born).total_seconds()
    made.pass_time(SETTLE)
    assert len(done_by(made, RegenerateKey, looks=2)) == 1


def test_a_process_that_died_before_it_marked_has_nothing_to_wait_for() -> None:
    made = asked(until="Intended")
    made.die()
    assert [type(one) for one in done_by(made, *CRITICAL, looks=4)] == [MarkKey, RegenerateKey]


def test_a_mark_that_cannot_be_read_is_replaced() -> None:
    made = asked(until="Intended")
    foreign = {"secureredis-rotation": "2020-01-01T00:00:00Z/Secondary/new/00"}
    made.versions[-1] = replace(made.vault, tags={**made.vault.tags, **foreign})
    assert [type(one) for one in done_by(made, StoreKey, *CRITICAL, looks=3)] == [MarkKey, RegenerateKey]
    assert made.vault.tags["secureredis-rotation"] != foreign["secureredis-rotation"]


def test_an_end_whose_report_was_lost_is_reported_by_the_vault() -> None:
    made = asked(until="Retiring")
    retiring = made.status
    made.looks(until=lambda one: one.phase == "Completed")
    made.status = retiring
    made.looks(2, until=lambda one: one.phase == "Completed")
    assert made.rotation is not None
    assert (made.rotation.slot, made.rotation.request, made.handled) == ("Secondary", "please", "please")
    assert len(made.regenerated) == 2
    made.status = {}
    made.looks(2, until=lambda one: one.phase == "Completed")
    assert made.handled == "please"


def test_an_end_whose_report_was_lost_is_reported_in_the_same_words() -> None:
    made, before = asked(until="Retiring"), {}
    while made.rotation is not None and made.rotation.phase != "Completed":
        before = made.status
        made.look()
    assert made.rotation is not None
    words = made.rotation.message
    assert words is not None
    assert "the Primary key was regenerated" in words
    made.status = before
    made.looks(2, until=lambda one: one.phase == "Completed")
    assert made.rotation.message == words
    made.status = {}
    made.looks(2, until=lambda one: one.phase == "Completed")
    assert made.rotation.message == "every known pod holds the Secondary key"


def test_that_a_request_was_answered_is_recorded_without_checking_every_workload_again() -> None:
    made = asked(until="Completed")
    todo, _ = made.look()
    assert [type(one) for one in todo.actions if isinstance(one, ApplySecret)] == [ApplySecret]
    current = made.resource().status.condition(ConditionType.WORKLOADS_CURRENT)
    assert current is not None
    assert current.status == "True"


def test_a_mark_of_another_request_is_removed_and_the_rotation_begins_again() -> None:
    made = asked(until="Intended")
    earlier = RegenerationMark("2020-01-01T00:00:00Z", Slot.SECONDARY, False, digest("earlier"))
    earlier = earlier.of(SecretStr(made.keys[Slot.SECONDARY]))
    made.versions[-1] = replace(made.vault, tags={**made.vault.tags, **earlier.tag})
    assert done_by(made, *CRITICAL, looks=4) == [], "another process may have requested it from Azure"
    made.pass_time(SETTLE)
    made.looks(until=lambda one: one.phase == "Completed" and one.handled == "please")
    assert [one.slot for one in made.regenerated] == ["Secondary", "Primary"]


# --- failures of each write -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "before", "unclear"),
    [
        (MarkKey, "Intended", "Intended"),
        (RegenerateKey, "Intended", "Regenerating"),
        (StoreKey, "Regenerating", "Regenerating"),
    ],
)
@pytest.mark.parametrize("fate", [REFUSED, LOST, LOST_DONE])
def test_a_failed_write_is_reported_keeps_the_phase_and_does_not_change_ready(
    kind: type[Action], before: str, unclear: str, fate: str
) -> None:
    made = asked()
    made.fate[kind] = fate
    made.looks(until=lambda one: kind not in one.fate)
    assert made.phase == (before if fate == REFUSED else unclear)
    assert made.reason == ("AzureDenied" if fate == REFUSED else "AzureUnreachable")
    ready = made.resource().status.condition("Ready")  # type: ignore[arg-type]
    assert ready is not None
    assert ready.status == "True"
    made.pass_time(SETTLE)
    made.looks(until=lambda one: one.phase == "Completed")
    assert [one.slot for one in made.regenerated] == ["Secondary", "Primary"]


def test_a_step_that_was_not_tried_is_not_reported() -> None:
    made = asked(until="Retiring")
    made.portal(Slot.SECONDARY)  # the Secret is written again, and that fails: what comes after it is not tried
    made.fate[ApplySecret] = REFUSED
    made.looks(until=lambda one: ApplySecret not in one.fate)
    assert made.phase == "Retiring"
    assert len(made.regenerated) == 1
