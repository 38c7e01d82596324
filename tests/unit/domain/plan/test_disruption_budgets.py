"""PodDisruptionBudgets hold back exactly what they cover; who holds an older key without being listed."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from secure_redis.api.reasons.reason import Reason
from secure_redis.api.status import StalePods
from secure_redis.domain.observe.observation import Observation
from secure_redis.domain.observe.unknown import NOT_READ, Unknown
from secure_redis.domain.observe.workloads import BudgetFacts, PodFacts, WorkloadFacts
from secure_redis.domain.plan.rollout.disruption_budgets import needs_budgets
from secure_redis.domain.plan.rollout.pod_keys import START_MARGIN
from secure_redis.domain.plan.rollout.waves import (
    HUMAN_SECONDS,
    behind,
    consumers_listed,
    required_pods,
    roll,
)
from secure_redis.domain.plan.rollout.workload_checks import follows
from tests.builders.workloads import ENV, V1, V2, consumer, done, pods, released
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
    with_status,
)


def budget(*names: str, allowed: int = 0, expected: int = 3, name: str = "keep") -> BudgetFacts:
    return BudgetFacts(name, allowed, expected, frozenset(("Deployment", one) for one in names))


def message(found: Any, name: str) -> str:
    (status,) = [one for one in found.statuses if one.name == name]
    return str(status.message)


# --- blocked --------------------------------------------------------------------------------------------------------


def test_an_exhausted_budget_blocks_the_move_without_a_deadline() -> None:
    facts = everything(consumer(ALL), A, B)
    res = consumer(ALL, status=current_status(*facts))
    assert needs_budgets(res, facts, V2)
    found = roll(res, observation(*facts, budgets=(budget("a"),)), V2)
    assert acts(found) == ["+b"]
    assert told(found)["a"] == (True, "TargetBudget")
    assert "'keep'" in message(found, "a")
    assert "3 pods" in message(found, "a")
    assert found.moved is False
    # The budget widens: it goes on by itself.
    res = with_status(res, found)
    b = replace(done(B, found.actions[0]), rolled=True)
    found = roll(res, observation(facts[0], b, held={"b": pods(V2)}, budgets=(budget("a", allowed=1),)), V2)
    assert acts(found) == ["+a"]


def test_a_blocked_workload_alone_is_checked_at_the_interval_for_humans() -> None:
    facts = everything(consumer(ALL), A)
    res = consumer(ALL, status=current_status(*facts))
    found = roll(res, observation(*facts, budgets=(budget("a"),)), V2)
    assert (found.actions, found.next_pass_in, found.moved) == ((), HUMAN_SECONDS, False)


@pytest.mark.parametrize(("minutes", "late"), [(29, False), (31, True)])
def test_past_the_deadline_the_message_reports_it_and_the_reason_stays(minutes: int, late: bool) -> None:
    facts = everything(consumer(ALL), A)
    res = consumer(ALL, status=current_status(*facts))
    found = roll(res, observation(*facts, budgets=(budget("a"),), **published(minutes)), V2)
    assert told(found)["a"] == (True, "TargetBudget")
    assert ("30 minutes ago" in message(found, "a")) is late


def test_a_first_injection_and_a_release_replace_pods_too() -> None:
    found = roll(consumer(ALL), observation(A, budgets=(budget("a"),)), V1)
    assert (acts(found), told(found)["a"]) == ([], (False, "TargetBudget"))
    (a,) = everything(consumer(ALL), A)
    found = roll(consumer(status=current_status(a)), observation(a, budgets=(budget("a"),)), V1)
    assert (acts(found), told(found)["a"], found.moved) == ([], (True, "TargetBudget"), False)


@pytest.mark.parametrize(
    "facts", [replace(A, paused=True), replace(A, update_strategy="OnDelete"), replace(A, replicas=0)]
)
def test_a_change_that_replaces_no_pods_needs_no_budget(facts: WorkloadFacts) -> None:
    assert not needs_budgets(consumer(ALL), (facts,), V1)
    assert acts(roll(consumer(ALL), observation(facts, budgets=NOT_READ), V1)) == ["+a"]


def test_a_workload_without_a_pod_that_serves_gets_the_key_that_its_pods_may_wait_for() -> None:
    down = replace(A, available=0, rolled=False)
    held_back = (budget("a", "b"),)
    found = roll(consumer(ALL), observation(down, B, budgets=held_back), V1)
    assert (acts(found), told(found)["b"]) == (["+a"], (False, "TargetBudget"))
    (a,) = everything(consumer(ALL), down)
    res = consumer(ALL, status=current_status(a))
    assert acts(roll(res, observation(a, budgets=held_back), V2)) == ["+a"], "whose key is dead needs the new one"
    assert acts(roll(res, observation(replace(a, available=1), budgets=held_back), V2)) == []
    assert acts(roll(consumer(status=current_status(a)), observation(a, budgets=held_back), V1)) == ["-a"]


def test_a_budget_that_counts_no_pods_yet_blocks_nothing() -> None:
    assert acts(roll(consumer(ALL), observation(A, budgets=(budget("a", expected=0),)), V1)) == ["+a"]


def test_a_wave_takes_no_more_than_a_budget_allows() -> None:
    found = roll(consumer(ALL), observation(A, B, C, budgets=(budget("a", "b", allowed=1),)), V1, limit=10)
    assert acts(found) == ["+a", "+c"]
    assert told(found)["b"] == (False, "RollingOut")


def test_several_budgets_over_one_workload_all_count() -> None:
    both = (budget("a", allowed=2), budget("a", name="tight"))
    found = roll(consumer(ALL), observation(A, budgets=both), V1)
    assert acts(found) == []
    assert "'tight'" in message(found, "a")


def test_unknown_budgets_are_not_safe() -> None:
    why = Unknown(Reason.NO_WORKLOAD_RIGHTS, "may not list them: upgrade the chart")
    found = roll(consumer(ALL), observation(A, budgets=why), V1)
    assert (acts(found), told(found)["a"]) == ([], (False, "TargetBudget"))
    assert "upgrade the chart" in message(found, "a")
    found = roll(consumer(ALL), observation(A, budgets=NOT_READ), V1)
    assert (acts(found), told(found)["a"]) == ([], (False, "RollingOut"))
    # As soon as they are known it begins, as if nothing had been.
    assert acts(roll(with_status(consumer(ALL), found), observation(A), V1)) == ["+a"]


def test_during_a_wave_the_budget_report_stays() -> None:
    facts = everything(consumer(ALL), A, B)
    res = consumer(ALL, status=current_status(*facts))
    found = roll(res, observation(*facts, budgets=(budget("a"),)), V2)
    res, b = with_status(res, found), done(B, found.actions[0])
    assert not needs_budgets(res, (facts[0], b), V2)
    again = roll(res, observation(facts[0], b, held={"b": pods(V1)}, budgets=NOT_READ), V2)
    assert (acts(again), message(again, "a")) == ([], message(found, "a"))


# --- when they are read ---------------------------------------------------------------------------------------------


def test_budgets_are_read_only_when_a_wave_could_begin() -> None:
    facts = everything(consumer(ALL), A, B)
    steady = consumer(ALL, status=current_status(*facts))
    assert not needs_budgets(steady, facts, V1)
    assert not needs_budgets(steady, facts, None)
    assert needs_budgets(steady, facts, V2)
    paused = replace(steady, requests={"secureredis.io/paused": "true"})
    assert paused.paused
    assert not needs_budgets(paused, facts, V2)
    found = roll(steady, observation(*facts), V2)
    res, a = with_status(steady, found), done(facts[0], found.actions[0])
    assert required_pods(res, (a, facts[1]), V2)
    assert not needs_budgets(res, (a, facts[1]), V2), "the wave is under way"
    assert needs_budgets(res, (replace(a, rolled=True), facts[1]), V2), "the next one could begin"
    assert needs_budgets(res, (replace(a, failed="gave up"), facts[1]), V2), "a first injection could"
    assert needs_budgets(consumer(status=current_status(*facts)), facts, V1), "a release"
    assert not needs_budgets(consumer(ALL), (replace(A, labels={}),), V1), "no consent"
    assert not needs_budgets(consumer(ALL), (replace(A, deleting=True),), V1)


def test_an_abandoned_workload_reads_no_budgets() -> None:
    res = consumer(ALL, status=current_status(A, reason="TargetReplaced", injected=False, dropped=3))
    assert told(roll(res, observation(A), V1)) == {"a": (False, "TargetReplaced")}
    assert not needs_budgets(res, (A,), V1)


def test_after_the_deadline_the_budgets_are_read_one_pass_later() -> None:
    facts = everything(consumer(ALL), A)
    res = consumer(ALL, status=current_status(*facts))
    found = roll(res, observation(*facts, B), V2)
    res, a = with_status(res, found), done(facts[0], found.actions[0], NOW - timedelta(minutes=31))
    for _ in range(2):
        wanted = needs_budgets(res, (a, B), V2)
        found = roll(res, observation(a, B, held={"a": pods(V1)}, budgets=() if wanted else NOT_READ), V2)
        res = with_status(res, found)
    assert acts(found) == ["+b"]


# --- unlisted holders -----------------------------------------------------------------------------------------------


def pod(started: datetime | None, name: str = "x") -> PodFacts:
    return PodFacts(name, None, started)


def blocking(there: Observation, consumers: tuple[PodFacts, ...], version: str | None) -> list[PodFacts]:
    return [one.pod for one in behind(consumer(), there, consumers, version)]


def test_an_unlisted_pod_uses_the_key_that_was_current_when_it_started() -> None:
    at = NOW - timedelta(minutes=5)
    res = observation(**published(5))
    second = timedelta(seconds=1)
    old, raced, new = (
        pod(at - second),
        pod(at + START_MARGIN, "raced"),
        pod(at + START_MARGIN + second, "new"),
    )
    assert blocking(res, (old, raced, new), V2) == [old, raced]
    assert blocking(res, (), V2) == []


def test_an_unknown_start_or_publication_counts_as_behind() -> None:
    at = NOW - timedelta(minutes=1)
    unknown, ahead, new = pod(None), pod(NOW + timedelta(hours=1), "ahead"), pod(at, "new")
    there = observation(**published(5))
    assert blocking(there, (unknown, ahead, new), V2) == [unknown, ahead]
    foreign = observation(**published(5, own=False))
    for res, version in ((there, V1), (observation(), V2), (foreign, V2), (there, None)):
        assert blocking(res, (new,), version) == [new]


def test_holders_are_named_up_to_ten() -> None:
    assert consumers_listed(()) is None
    found = consumers_listed([pod(NOW, f"p{number:02}") for number in reversed(range(12))])
    assert found == StalePods(count=12, names=tuple(f"p{number:02}" for number in range(10)))


def test_only_what_a_rollout_answers_for_is_followed() -> None:
    asked = consumer({**ENV, "name": "a"})
    (a,) = everything(asked, A)
    assert follows(asked, a)
    assert follows(consumer(), a), "it is to be released"
    assert not follows(asked, A), "listed and not injected yet: what it uses, it uses by itself"
    assert not follows(asked, replace(A, labels={})), "refused"
    assert not follows(asked, replace(a, deleting=True))
    (action,) = roll(consumer(status=current_status(a)), observation(a), V1).actions
    assert not follows(consumer(), released(a, action))
