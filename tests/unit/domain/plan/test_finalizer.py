"""The finalizer is on an object exactly while its deletion leaves work, and never at the price of a Secret."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from secure_redis.api import names
from secure_redis.api.reasons.reason import Reason
from secure_redis.api.spec.spec import DeletionPolicy, Mode
from secure_redis.domain.observe.cache import CacheAbsent
from secure_redis.domain.observe.observation import Observation
from secure_redis.domain.observe.secret import SecretFacts
from secure_redis.domain.observe.unknown import NOT_READ, Unknown
from secure_redis.domain.plan.actions import (
    Action,
    AddFinalizer,
    ApplySecret,
    AzureAction,
    DeleteCache,
    DeleteSecret,
    ReleaseWorkload,
    RemoveFinalizer,
    RemoveOwnerReference,
)
from secure_redis.domain.plan.finalizer import ends_rotation
from secure_redis.domain.plan.outcomes import Failed
from secure_redis.domain.plan.write_failure import WriteFailure
from secure_redis.domain.report.conditions.condition_state import SEE
from secure_redis.domain.report.conditions.way_out import EXPLAINS_WAITING
from tests.builders.passes import OWNER, PROVISION, cache, observation, planned, published, reported, resource
from tests.builders.rotations import asked, password
from tests.builders.workloads import ENTRY, done, workload
from tests.builders.world import AUTHENTICATION, UID

RETAIN: dict[str, Any] = {"authentication": AUTHENTICATION}
DELETES_SECRET = {**RETAIN, "connection": {"deletionPolicy": "Delete"}}
DELETES_CACHE = {**RETAIN, "mode": "Provision", "provision": PROVISION, "deletionPolicy": "Delete"}
UNREAD = Unknown(Reason.NAMESPACE_NOT_BOUND, "no consent")


def kinds(actions: tuple[Action, ...]) -> list[type[Action]]:
    return [type(action) for action in actions]


def legacy(spec: dict[str, Any] = RETAIN) -> SecretFacts:
    """The Secret as an earlier version left it: owned by an ownerReference, without the annotation."""
    secret = published(resource(spec), observation(), referenced_by=frozenset({UID}))
    return replace(secret, annotations={k: v for k, v in secret.annotations.items() if k != names.SECRET_UID})


# --- while the resource lives ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("spec", [DELETES_SECRET, DELETES_CACHE], ids=["Secret", "cache"])
def test_a_delete_policy_sets_it_first_and_a_return_to_retain_removes_it(spec: dict[str, Any]) -> None:
    obs = observation(cache=cache(tags=OWNER), secret=published(resource(spec), observation()))
    assert kinds(planned(resource(spec, finalizer=False), obs).actions)[0] is AddFinalizer
    assert planned(resource(spec, finalizer=True), obs).actions == ()
    assert kinds(planned(resource(RETAIN, finalizer=True), obs).actions) == [RemoveFinalizer]
    assert planned(resource(RETAIN), obs).actions == (), "no write when nothing changes"


def test_the_cache_of_a_validating_resource_is_never_deleted_so_it_has_none() -> None:
    spec = {**RETAIN, "deletionPolicy": "Delete"}
    assert AddFinalizer not in kinds(planned(resource(spec), observation()).actions)


def test_the_first_pass_migrates_what_an_earlier_version_left() -> None:
    res = resource(RETAIN, finalizer=True)
    todo = planned(res, observation(secret=legacy()))
    assert kinds(todo.actions) == [RemoveOwnerReference, RemoveFinalizer, ApplySecret]
    former = replace(legacy(), name="former", uid="former-uid")
    todo = planned(res, observation(secret=published(res, observation()), former_secrets=(former,)))
    assert [one.name for one in todo.actions if isinstance(one, RemoveOwnerReference)] == ["former"]


@pytest.mark.parametrize("changes", [{"vault": UNREAD}, {"cache": UNREAD, "vault": UNREAD}, {"identity": UNREAD}])
def test_a_migration_needs_no_azure(changes: dict[str, Any]) -> None:
    todo = planned(resource(RETAIN, finalizer=True), observation(secret=legacy(), **changes))
    assert kinds(todo.actions) == [RemoveOwnerReference, RemoveFinalizer]


@pytest.mark.parametrize(
    "unread", [{"secret": UNREAD}, {"secret": NOT_READ}, {"former_secrets": UNREAD}, {"workloads": UNREAD}], ids=str
)
def test_what_is_not_known_removes_no_finalizer(unread: dict[str, Any]) -> None:
    obs = observation(**{"secret": published(resource(RETAIN), observation()), **unread})
    assert RemoveFinalizer not in kinds(planned(resource(RETAIN, finalizer=True), obs).actions)


def test_an_injection_that_is_not_listed_any_more_holds_it_until_it_is_released() -> None:
    listed = resource({**RETAIN, "workloads": [ENTRY]})
    obs = observation(secret=published(resource(RETAIN), observation()), budgets=())
    (inject,) = planned(listed, replace(obs, workloads=(workload(),))).actions
    injected = done(workload(), inject)  # type: ignore[arg-type]
    unlisted = resource(RETAIN, status=reported(listed, replace(obs, workloads=(workload(),))).status.document())
    todo = planned(unlisted, replace(obs, workloads=(injected,)))
    assert kinds(todo.actions) == [AddFinalizer, ReleaseWorkload]
    released = done(injected, todo.actions[1])  # type: ignore[arg-type]
    held = replace(unlisted, finalizers=(names.FINALIZER,))
    assert RemoveFinalizer in kinds(planned(held, replace(obs, workloads=(released,))).actions)
    leaving = replace(held, deleting=True)
    assert kinds(planned(leaving, replace(obs, workloads=(injected,))).actions) == [ReleaseWorkload, RemoveFinalizer]
    listed_still = replace(listed, finalizers=(names.FINALIZER,), deleting=True)
    assert kinds(planned(listed_still, replace(obs, workloads=(injected,))).actions) == [RemoveFinalizer]


# --- a rotation that a deletion under Retain ends -------------------------------------------------------------------


def leave(made: Any, **changes: Any) -> tuple[Action, ...]:
    res = replace(made.resource(), deleting=True, **changes)
    assert res.has_finalizer, "a rotation is under way"
    return planned(res, made.observe(), made.settings).actions


@pytest.mark.parametrize("phase", ["Intended", "Regenerating", "RollingOut", "Retiring"])
def test_a_deletion_ends_a_rotation_at_once_and_nothing_is_regenerated(phase: str) -> None:
    made = asked(until=phase)
    actions = leave(made)
    assert not any(isinstance(action, AzureAction) for action in actions)
    assert kinds(actions)[-1] is RemoveFinalizer


def test_only_a_deletion_that_keeps_cache_and_secret_ends_a_rotation() -> None:
    res = asked(until="RollingOut").resource()
    connection = res.spec.connection.model_copy(update={"deletion_policy": DeletionPolicy.DELETE})
    deletes_secret = res.spec.model_copy(update={"connection": connection})
    deletes_cache = res.spec.model_copy(update={"mode": Mode.PROVISION, "deletion_policy": DeletionPolicy.DELETE})
    assert ends_rotation(res)
    assert not ends_rotation(replace(res, spec=deletes_secret))
    assert not ends_rotation(replace(res, spec=deletes_cache))
    assert not ends_rotation(replace(res, requests={names.PAUSED: "true"}))


def test_a_stored_key_is_published_before_the_resource_goes() -> None:
    made = asked(until="Regenerating")
    count = len(made.versions)
    made.looks(until=lambda one: len(one.versions) > count)  # stored, and not published yet
    stored = made.vault.value
    assert stored is not None
    assert password(made.secret) != stored.get_secret_value()  # type: ignore[arg-type]
    actions = leave(made)
    assert kinds(actions) == [ApplySecret, RemoveFinalizer]
    assert isinstance(actions[0], ApplySecret)
    assert actions[0].data["password"].get_secret_value().decode() == stored.get_secret_value()
    assert kinds(leave(made, requests={names.ABANDON: "true"})) == [RemoveFinalizer]
    assert kinds(leave(made, requests={names.PAUSED: "true"})) == [RemoveFinalizer]


def test_an_outage_does_not_hold_a_resource_in_the_middle_of_a_rotation() -> None:
    made = asked(until="Regenerating")
    res = replace(made.resource(), deleting=True)
    dark = replace(made.observe(), cache=UNREAD, vault=NOT_READ, identity=UNREAD)
    assert kinds(planned(res, dark, made.settings).actions) == [RemoveFinalizer]


def test_a_withdrawn_consent_does_not_hold_it_where_no_owner_reference_can_be_left() -> None:
    made = asked(until="Regenerating")
    res = replace(made.resource(), deleting=True)
    unread = replace(made.observe(), secret=UNREAD, former_secrets=UNREAD, workloads=UNREAD)
    assert planned(res, unread, made.settings).actions == ()
    assert kinds(planned(res, replace(unread, unreferenced=True), made.settings).actions) == [RemoveFinalizer]
    deletes = resource(DELETES_SECRET, deleting=True)
    assert planned(deletes, observation(secret=UNREAD, unreferenced=True)).actions == ()


# --- a resource that is being deleted -------------------------------------------------------------------------------


def test_an_owner_reference_goes_before_anything_else_also_while_the_cache_is_deleted() -> None:
    obs = observation(cache=cache(tags=OWNER), secret=legacy())
    unconfirmed = planned(resource(DELETES_CACHE, deleting=True), obs)
    assert kinds(unconfirmed.actions) == [RemoveOwnerReference]
    assert [one.reason for one in unconfirmed.blocked] == [Reason.CONFIRMATION_REQUIRED]
    abandoned = resource(DELETES_CACHE, deleting=True, annotations={names.ABANDON: "true"})
    assert kinds(planned(abandoned, obs).actions) == [RemoveOwnerReference, RemoveFinalizer]


def test_abandon_keeps_the_secret_and_goes_without_reading_it() -> None:
    res = resource(DELETES_SECRET, deleting=True, annotations={names.ABANDON: "true"})
    for secret in (published(res, observation()), UNREAD, NOT_READ):
        assert kinds(planned(res, observation(secret=secret)).actions) == [RemoveFinalizer]


ABSENT = (CacheAbsent(True, "404"), CacheAbsent(False, "404"))
PIECES: dict[str, list[Any]] = {
    "cache": [cache(tags=OWNER), cache(), cache(tags=OWNER, provisioning_state="Updating"), UNREAD, *ABSENT],
    "secret": [None, legacy(DELETES_SECRET), UNREAD, NOT_READ],
    "former_secrets": [(), UNREAD],
    "workloads": [NOT_READ, UNREAD, (), (workload(),)],
    "namespace_terminating": [True, False],
}
observations = st.fixed_dictionaries({name: st.sampled_from(values) for name, values in PIECES.items()})


@given(
    facts=observations,
    spec=st.sampled_from([RETAIN, DELETES_SECRET, DELETES_CACHE, {**DELETES_CACHE, **DELETES_SECRET}]),
    annotations=st.sampled_from([{}, {names.PAUSED: "true"}, {names.CONFIRM_DELETE: "orders"}]),
    listed=st.booleans(),
    fails=st.booleans(),
)
def test_every_message_of_a_resource_that_waits_names_the_way_out(
    facts: dict[str, Any], spec: dict[str, Any], annotations: dict[str, str], listed: bool, fails: bool
) -> None:
    given_spec = {**spec, "workloads": [ENTRY]} if listed else spec
    status = {"pending": {"action": "DeleteCache", "recordedAt": "2026-11-24T12:00:00Z"}}
    res = resource(given_spec, annotations=annotations, deleting=True, status=status)
    obs: Observation = observation(**facts)
    todo = planned(res, obs)
    leaves = RemoveFinalizer in kinds(todo.actions)
    if spec is RETAIN and facts["secret"] is not UNREAD and facts["former_secrets"] == ():
        assert leaves, "under Retain a deletion never waits"
    if leaves and not fails:
        assert not (UNREAD in (facts["secret"], facts["former_secrets"]) and not facts["namespace_terminating"])
        return
    refused = WriteFailure(Reason.LOCKED, "a lock " * 300, permanent=True)
    told = reported(res, obs, tuple(Failed(action, refused) for action in todo.actions) if fails else ())
    for kind in EXPLAINS_WAITING:
        condition = told.status.condition(kind)
        if condition is not None and condition.message != f"{SEE}{EXPLAINS_WAITING[0]}":
            assert f'{names.ABANDON}: "true": the object is removed immediately' in condition.message, kind
            assert "stay as they are" in condition.message, kind
    assert told.status.condition(EXPLAINS_WAITING[0]) is not None
    for event in told.events:
        if event.note.startswith(tuple(EXPLAINS_WAITING)):
            assert names.ABANDON in event.note


@given(facts=observations, spec=st.sampled_from([RETAIN, DELETES_CACHE]))
def test_under_retain_no_deletion_touches_the_secret_but_for_its_owner_reference(
    facts: dict[str, Any], spec: dict[str, Any]
) -> None:
    todo = planned(resource(spec, deleting=True), observation(**facts))
    assert not any(isinstance(action, DeleteSecret | ApplySecret) for action in todo.actions)
    if spec is RETAIN:
        assert DeleteCache not in kinds(todo.actions)
