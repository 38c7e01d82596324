"""Workloads in a whole pass: after the Secret, never before. They are released before it goes; no more is delayed."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from secure_redis.api import names
from secure_redis.api.reasons.reason import ConditionType, Reason
from secure_redis.api.resource import SecureRedisCache
from secure_redis.domain.observe.observation import Observation
from secure_redis.domain.observe.unknown import NOT_READ, Unknown
from secure_redis.domain.observe.workloads import SecretUser, WorkloadFacts
from secure_redis.domain.plan.actions import (
    Action,
    AddFinalizer,
    ApplySecret,
    CreateSecret,
    DeleteSecret,
    InjectWorkload,
    ReleaseSecret,
    ReleaseWorkload,
    RemoveFinalizer,
)
from secure_redis.domain.plan.outcomes import Failed
from secure_redis.domain.plan.write_failure import WriteFailure
from secure_redis.domain.report.report import Report
from tests.builders.passes import observation, planned, published, reported, resource, tampered, vault
from tests.builders.workloads import ENV, V1, V2, done, injected, pods, workload
from tests.builders.world import AUTHENTICATION, NOW, PRIMARY, SECONDARY

SPEC: dict[str, Any] = {"authentication": AUTHENTICATION, "workloads": [ENV]}
RES = resource(SPEC)
CHECKOUT = ("Deployment", "checkout")
OLD = workload()
DOWN = Unknown(Reason.AZURE_UNREACHABLE, "no answer")


def world(*facts: WorkloadFacts, res: SecureRedisCache = RES, **changes: Any) -> Observation:
    """Return an observation without problems, in which the Secret is published."""
    well = observation()
    return replace(well, secret=published(res, well), workloads=facts, **{"budgets": (), **changes})


def kinds(actions: tuple[Action, ...]) -> list[type[Action]]:
    return [type(action) for action in actions]


def said(told: Report) -> tuple[str, str] | None:
    condition = told.status.condition(ConditionType.WORKLOADS_CURRENT)
    return None if condition is None else (condition.status, condition.reason)


def after(res: SecureRedisCache, told: Report) -> SecureRedisCache:
    return replace(res, status=told.status)


def settled() -> tuple[SecureRedisCache, WorkloadFacts]:
    """The resource and its workload after the first injection was observed to have rolled."""
    facts = injected(RES, OLD)
    told = reported(RES, world(facts, pods={CHECKOUT: pods(V1)}))
    assert said(told) == ("True", "WorkloadsCurrent")
    return after(RES, told), facts


def test_a_resource_without_workloads_reports_nothing_about_them() -> None:
    told = reported(resource({"authentication": AUTHENTICATION}), observation(workloads=NOT_READ))
    assert said(told) is None
    assert "workloads" not in told.status.document() or told.status.workloads == ()


def test_the_secret_comes_first_and_the_workloads_in_the_next_pass() -> None:
    obs = observation(workloads=(OLD,))
    todo = planned(RES, obs)
    assert kinds(todo.actions) == [CreateSecret]
    assert todo.next_pass_in == 0.0
    told = reported(RES, obs)
    assert said(told) == ("False", "RollingOut")
    assert kinds(planned(after(RES, told), world(OLD)).actions) == [InjectWorkload]


def test_a_first_injection_until_it_is_current() -> None:
    told = reported(RES, world(OLD))
    assert said(told) == ("False", "RollingOut")
    assert told.status.condition(ConditionType.RECONCILING) is not None
    ready = told.status.condition(ConditionType.READY)
    assert ready is not None
    assert ready.status == "True", "Ready speaks of the Secret"
    res, facts = after(RES, told), replace(injected(RES, OLD), rolled=False)
    told = reported(res, world(facts, pods={CHECKOUT: pods(None, 2)}))
    (entry,) = told.status.workloads
    assert entry.stale_pods is not None
    assert entry.stale_pods.count == 2
    res = after(res, told)
    told = reported(res, world(replace(facts, rolled=True), pods={CHECKOUT: pods(V1)}))
    assert said(told) == ("True", "WorkloadsCurrent")
    assert told.status.condition(ConditionType.RECONCILING) is None


def test_a_steady_state_writes_nothing() -> None:
    res, facts = settled()
    obs = world(facts, res=res)
    assert planned(res, obs).actions == ()
    told = reported(res, obs)
    assert told.status == res.status
    assert told.next_pass_in == 300.0


def test_a_new_key_is_published_then_rolled_out() -> None:
    res, facts = settled()
    rotated = world(facts, res=res, vault=vault(SECONDARY, version=V2))
    todo = planned(res, rotated)
    assert kinds(todo.actions) == [ApplySecret]
    assert todo.next_pass_in == 0.0
    told = reported(res, rotated)
    assert said(told) == ("False", "RollingOut")
    res = after(res, told)
    current = replace(rotated, secret=published(res, rotated))
    (action,) = planned(res, current).actions
    assert isinstance(action, InjectWorkload)
    assert action.version == V2
    assert PRIMARY not in repr(action)
    assert SECONDARY not in repr(action)
    moved = replace(done(facts, action), rolled=True)
    res = after(res, reported(res, current))
    told = reported(res, replace(current, workloads=(moved,), pods={CHECKOUT: pods(V2)}))
    assert said(told) == ("True", "WorkloadsCurrent")


@pytest.mark.parametrize(
    "changes",
    [
        {"vault": vault("bm90LWEta2V5LW9mLXRoaXMtY2FjaGU=", version=V2)},  # no live key
        {"vault": DOWN},
        {"cache": DOWN},
        {"identity": DOWN},
        {"namespace_terminating": True},
    ],
)
def test_an_unproven_key_is_never_rolled_out(changes: dict[str, Any]) -> None:
    res, facts = settled()
    for obs in (world(OLD), world(facts, res=res)):
        assert not [a for a in planned(res, replace(obs, **changes)).actions if isinstance(a, InjectWorkload)]
    told = reported(res, replace(world(facts, res=res), **changes))
    assert told.status.workloads == res.status.workloads


def test_an_outage_in_mid_rollout_still_shows_how_far_it_is() -> None:
    res = after(RES, reported(RES, world(OLD)))
    facts = injected(RES, OLD)
    told = reported(res, world(facts, pods={CHECKOUT: pods(V1)}, vault=DOWN))
    assert said(told) == ("True", "WorkloadsCurrent")


@pytest.mark.parametrize("change", [tampered, lambda s: replace(s, owner_uid="someone"), lambda _: None])
def test_no_injection_while_the_secret_has_another_owner_or_wrong_data(change: Any) -> None:
    obs = world(OLD)
    obs = replace(obs, secret=change(obs.secret))
    assert InjectWorkload not in kinds(planned(RES, obs).actions)


def test_paused_injects_and_releases_nothing_and_is_reported() -> None:
    held = resource(SPEC, annotations={names.PAUSED: "true"})
    assert planned(held, world(OLD)).actions == ()
    told = reported(held, world(OLD))
    assert said(told) == ("False", "RollingOut")
    ready = told.status.condition(ConditionType.READY)
    assert ready is not None
    assert ready.reason == "Paused"


def test_a_refused_workload_blocks_nothing_else() -> None:
    obs = world(OLD)
    (action,) = planned(RES, obs).actions
    told = reported(RES, obs, (Failed(action, WriteFailure(Reason.TARGET_REFUSED, "denied", permanent=True)),))
    assert said(told) == ("False", "TargetRefused")
    for kind in (ConditionType.READY, ConditionType.CREDENTIALS_SYNCED, ConditionType.CACHE_AVAILABLE):
        condition = told.status.condition(kind)
        assert condition is not None
        assert condition.status == "True"
    assert told.status.condition(ConditionType.STALLED) is None
    assert not told.failed
    assert told.next_pass_in <= 15.0


def test_no_right_to_workloads_is_unknown_and_the_secret_is_kept_up() -> None:
    refused = Unknown(Reason.NO_WORKLOAD_RIGHTS, "set workloads.enabled")
    obs = replace(world(), workloads=refused, secret=None)
    assert kinds(planned(RES, obs).actions) == [CreateSecret]
    assert said(reported(RES, replace(obs, secret=world().secret))) == ("Unknown", "NoWorkloadRights")


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"labels": {}}, "TargetNotConsenting"),
        ({"volumes": (("secureredis-orders", "theirs"),)}, None),
        ({"name": "other"}, "TargetNotFound"),
        ({"deleting": True}, "TargetNotFound"),
    ],
)
def test_the_problem_of_a_target_is_the_conditions_reason(changes: dict[str, Any], reason: str | None) -> None:
    told = reported(RES, world(replace(OLD, **changes)))
    assert said(told) == ("False", reason or "RollingOut")


@pytest.mark.parametrize(
    ("changes", "ready"),
    [
        ({"labels": {}}, ("False", "TargetNotConsenting")),
        ({"labels": {}, "template_labels": {names.INJECT: "true"}}, ("False", "TargetNotConsenting")),
        # It may be created only once the resource is Ready, so waiting for it could wait for ever.
        ({"name": "other"}, ("True", "Ready")),
        ({}, ("True", "Ready")),  # a rollout does not change Ready
    ],
)
def test_ready_waits_for_the_consent_of_a_listed_workload(changes: dict[str, Any], ready: tuple[str, str]) -> None:
    condition = reported(RES, world(replace(OLD, **changes))).status.condition(ConditionType.READY)
    assert condition is not None
    assert (condition.status, condition.reason) == ready
    if ready[0] == "False":
        assert "not its pod template" in condition.message


def message(told: Report, kind: ConditionType = ConditionType.WORKLOADS_CURRENT) -> str:
    condition = told.status.condition(kind)
    assert condition is not None
    return condition.message


@pytest.mark.parametrize(
    ("behind", "words"),
    [(1, "1 of its pods does not hold the current key"), (2, "2 of its pods do not hold the current key")],
)
def test_the_words_agree_with_the_number_of_pods(behind: int, words: str) -> None:
    facts = replace(injected(RES, OLD), rolled=False)
    assert words in message(reported(RES, world(facts, pods={CHECKOUT: pods(None, behind)})))


def test_the_words_agree_with_the_number_of_workloads_and_a_workload_is_named_once() -> None:
    res, facts = settled()
    assert message(reported(res, world(facts, res=res))) == "1 workload, and each of its pods holds the current key"
    behind = message(reported(RES, world(replace(OLD, labels={}))))
    assert behind.startswith("0 of 1 are current; Deployment 'checkout' does not consent")
    assert behind.count("Deployment 'checkout'") == 1


def test_a_removed_entry_leaves_no_trace() -> None:
    res, facts = settled()
    res = replace(res, spec=res.spec.model_copy(update={"workloads": ()}))
    obs = world(facts, res=res)
    first, action = planned(res, obs).actions
    assert isinstance(first, AddFinalizer), "a deletion in the middle of it releases the workload"
    assert isinstance(action, ReleaseWorkload)
    res = after(res, reported(res, obs))
    clean = replace(done(facts, action), rolled=True)
    told = reported(res, replace(obs, workloads=(clean,), pods={CHECKOUT: pods(None)}))
    assert told.status.workloads == ()
    assert said(told) is None


def test_an_outage_keeps_no_removed_entry_in_a_workload() -> None:
    res, facts = settled()
    res = replace(res, spec=res.spec.model_copy(update={"workloads": ()}))
    assert kinds(planned(res, world(facts, res=res, vault=DOWN)).actions) == [AddFinalizer, ReleaseWorkload]


def test_a_selector_that_matches_nothing_yet_leaves_nothing_behind() -> None:
    res = resource({**SPEC, "workloads": [{"id": "all", "kind": "Deployment", "selector": {}}]})
    told = reported(res, world(res=res))
    assert said(told) == ("True", "WorkloadsCurrent")
    assert [one.reason for one in told.status.workloads] == ["TargetNotFound"]
    assert told.next_pass_in == 300.0


# --- what neither spec nor status names ---------------------------------------------------------------------------


def test_an_injection_that_neither_spec_nor_status_names_is_released_and_followed_to_its_end() -> None:
    plain = resource({"authentication": AUTHENTICATION})
    stray = injected(RES, OLD)
    first, action = planned(plain, world(stray, res=plain)).actions
    assert isinstance(first, AddFinalizer)
    assert isinstance(action, ReleaseWorkload)
    told = reported(plain, world(stray, res=plain))
    assert said(told) == ("False", "RollingOut")
    assert [one.name for one in told.status.workloads] == ["checkout"]
    plain, clean = after(plain, told), done(stray, action)
    told = reported(plain, world(clean, res=plain, pods={CHECKOUT: pods(V1, 1)}))
    plain = after(plain, told)
    told = reported(plain, world(replace(clean, rolled=True), res=plain, pods={CHECKOUT: pods(None)}))
    assert told.status.workloads == ()


def test_an_injection_that_neither_spec_nor_status_names_keeps_the_secret() -> None:
    spec = {"authentication": AUTHENTICATION, "connection": {"deletionPolicy": "Delete"}}
    going = resource(spec, deleting=True)
    (action,) = planned(going, world(injected(RES, OLD), res=going, secret_users=())).actions
    assert isinstance(action, ReleaseWorkload)


# --- another Secret name --------------------------------------------------------------------------------------------


def test_consumers_move_before_the_former_secret_goes() -> None:
    res, facts = settled()
    before = published(res, observation())
    spec = {**SPEC, "connection": {"secretName": "renamed"}}
    renamed = resource(spec, status=res.status.document())
    former = (before,)
    obs = replace(observation(), workloads=(facts,), former_secrets=former, budgets=())
    assert kinds(planned(renamed, obs).actions) == [CreateSecret]
    told = reported(renamed, obs)
    assert told.status.binding is not None
    assert told.status.binding.name == "renamed"
    renamed = after(renamed, told)
    obs = replace(obs, secret=published(renamed, obs))
    (action,) = planned(renamed, obs).actions
    assert isinstance(action, InjectWorkload)
    moved = replace(done(facts, action), rolled=False)
    renamed = after(renamed, reported(renamed, obs))
    obs = replace(obs, workloads=(moved,), pods={CHECKOUT: pods(V1)})
    assert planned(renamed, obs).actions == ()
    obs = replace(obs, workloads=(replace(moved, rolled=True),))
    assert kinds(planned(renamed, obs).actions) == [ReleaseSecret]
    told = reported(renamed, obs)
    assert told.status.binding is not None
    assert told.status.binding.name == "renamed"


# --- deletion -------------------------------------------------------------------------------------------------------


def leaving(policy: str, **changes: Any) -> tuple[SecureRedisCache, WorkloadFacts]:
    res, facts = settled()
    spec = {**SPEC, "connection": {"deletionPolicy": policy}}
    return resource(spec, status=res.status.document(), deleting=True, **changes), facts


def test_retain_leaves_the_injection_where_it_is() -> None:
    res, facts = leaving("Retain")
    assert kinds(planned(res, world(facts)).actions) == [RemoveFinalizer]


def test_delete_releases_waits_and_then_deletes_the_secret() -> None:
    res, facts = leaving("Delete")
    obs = world(facts)
    (action,) = planned(res, obs).actions
    assert isinstance(action, ReleaseWorkload)
    told = reported(res, obs)
    ready = told.status.condition(ConditionType.READY)
    assert ready is not None
    assert (ready.status, ready.reason) == ("False", "RollingOut")
    res, clean = after(res, told), done(facts, action)
    rolling = replace(obs, workloads=(clean,), pods={CHECKOUT: pods(V1, 1)})
    assert planned(res, rolling).actions == ()
    res = after(res, reported(res, rolling))
    gone = replace(obs, workloads=(replace(clean, rolled=True),), pods={CHECKOUT: pods(None)})
    told = reported(res, gone)
    assert planned(res, gone).actions == (), "who uses the Secret is read once the rollout has ended"
    assert told.status.workloads == ()
    assert told.next_pass_in == 3.0
    res, ended = after(res, told), replace(gone, pods={})
    used = replace(ended, secret_users=(SecretUser("orders", "Pod", "job"),))
    assert planned(res, used).actions == ()
    assert kinds(planned(res, replace(ended, secret_users=())).actions) == [DeleteSecret, RemoveFinalizer]


@pytest.mark.parametrize(
    ("changes", "reason"), [({"paused": True}, "TargetPaused"), ({"failed": "no pod becomes ready"}, "RolloutFailed")]
)
def test_a_consumer_that_cannot_be_released_keeps_the_secret_and_is_reported(
    changes: dict[str, Any], reason: str
) -> None:
    res, facts = leaving("Delete")
    (action,) = planned(res, world(facts)).actions
    assert isinstance(action, ReleaseWorkload)
    res = after(res, reported(res, world(facts)))
    stuck = replace(done(facts, action), **changes)
    obs = world(stuck, pods={CHECKOUT: pods(V1)})
    assert planned(res, obs).actions == ()
    ready = reported(res, obs).status.condition(ConditionType.READY)
    assert ready is not None
    assert ready.reason == reason


def test_abandon_waits_for_no_consumer_and_keeps_the_secret_that_they_use() -> None:
    res, facts = leaving("Delete", annotations={names.ABANDON: "true"})
    assert kinds(planned(res, world(facts)).actions) == [RemoveFinalizer]
    unread = replace(world(), workloads=Unknown(Reason.NO_WORKLOAD_RIGHTS, "no"))
    assert kinds(planned(res, unread).actions) == [RemoveFinalizer]


def test_unread_workloads_keep_the_secret() -> None:
    res, _ = leaving("Delete")
    unread = replace(world(), workloads=Unknown(Reason.NO_WORKLOAD_RIGHTS, "no"))
    assert planned(res, unread).actions == ()
    assert planned(res, replace(unread, workloads=NOT_READ)).actions == ()


def test_a_terminating_namespace_waits_for_nothing() -> None:
    res, facts = leaving("Delete")
    assert kinds(planned(res, world(facts, namespace_terminating=True)).actions) == [RemoveFinalizer]


def test_a_new_resource_of_the_name_takes_the_injection_over() -> None:
    _, facts = settled()
    again = resource(SPEC, uid="22222222-0000-0000-0000-000000000002")
    obs = world(facts, res=again, pods={CHECKOUT: pods(V1, started=NOW - timedelta(days=1))})
    assert planned(again, obs).actions == ()
    assert said(reported(again, obs)) == ("True", "WorkloadsCurrent")


def test_events_report_transitions_only() -> None:
    res, facts = settled()
    rotated = world(facts, res=res, vault=vault(SECONDARY, version=V2))
    told = reported(res, rotated)
    assert [event.reason for event in told.events if "WorkloadsCurrent" in event.note] == ["RollingOut"]
    again = reported(after(res, told), replace(rotated, secret=published(res, rotated)))
    assert [event for event in again.events if "WorkloadsCurrent" in event.note] == []
