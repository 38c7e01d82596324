"""Decide by the PodDisruptionBudgets whose pods may be replaced in a wave. Pure.

Kubernetes applies a budget to evictions only: a rollout is bounded by the workload's own strategy. So the operator
does not begin a rollout while a budget over its pods allows no disruption, and a wave has no more workloads than a
budget allows disruptions.
"""

from collections.abc import Iterable
from datetime import timedelta

from secure_redis.api.reasons.reason import Reason
from secure_redis.api.resource import SecureRedisCache
from secure_redis.domain.explanation import Explanation
from secure_redis.domain.observe.observation import Observation
from secure_redis.domain.observe.unknown import NotRead, Unknown
from secure_redis.domain.observe.workload_match import carries, consents, current
from secure_redis.domain.observe.workloads import BudgetFacts, WorkloadFacts
from secure_redis.domain.plan.rollout.workload_checks import (
    before_of,
    could_begin,
    entry_of,
    no_replacement,
    publication,
    replaces,
    rotation,
    settled,
)

Budgets = tuple[BudgetFacts, ...] | Unknown | NotRead


def needs_budgets(resource: SecureRedisCache, workloads: Iterable[WorkloadFacts], version: str | None) -> bool:
    """Whether a wave could begin now, so that budgets have to be read. Never in a steady state or during a wave.

    `version`: of the key that the Secret holds, None if it is not known.
    """
    if resource.paused:
        return False
    there = [facts for facts in workloads if not facts.deleting]
    if any(_under_way(resource, facts, version) for facts in there):
        return False
    return any(replaces(facts) and could_begin(resource, facts, version) for facts in there)


def refusal(budgets: Budgets, place: tuple[str, str], minutes_late: int | None) -> Explanation | None:
    """Explain why the pods of the workload (kind and name) may not be replaced now. Unknown budgets allow nothing.

    `minutes_late`: the deadline that the key's publication is past; None: it is not.
    """
    if isinstance(budgets, NotRead):
        return Explanation(Reason.ROLLING_OUT, "waits until its PodDisruptionBudgets are read")
    late = f"; the key was published more than {minutes_late} minutes ago" if minutes_late is not None else ""
    if isinstance(budgets, Unknown):
        return Explanation(Reason.TARGET_BUDGET, f"its pods are not replaced: {budgets.message}{late}")
    none_left = next((one for one in budgets if place in one.covers and one.expected > 0 and one.allowed <= 0), None)
    if none_left is None:
        return None
    return Explanation(
        Reason.TARGET_BUDGET,
        f"PodDisruptionBudget {none_left.name!r} allows no disruption of its {none_left.expected} pods now, so none is "
        "replaced: repair those that are not ready, or widen the budget. With maxUnavailable 0, or minAvailable as "
        f"large as the number of pods, it never allows any{late}",
    )


def minutes_late(resource: SecureRedisCache, observed: Observation, version: str | None) -> int | None:
    """Return the deadline in minutes if the published key is past it."""
    minutes, published = rotation(resource).deadline_minutes, publication(resource, observed, version).at
    return minutes if published is not None and observed.now - published > timedelta(minutes=minutes) else None


class Allowance:
    """Counts what the budgets allow while a wave is composed."""

    def __init__(self, budgets: Budgets) -> None:
        self._budgets = budgets if isinstance(budgets, tuple) else ()
        self._left = {one.name: one.allowed for one in self._budgets if one.expected > 0}

    def take(self, place: tuple[str, str]) -> bool:
        """Whether one more workload may begin; if so, its share is subtracted."""
        over = [one.name for one in self._budgets if place in one.covers and one.name in self._left]
        if any(self._left[name] <= 0 for name in over):
            return False
        for name in over:
            self._left[name] -= 1
        return True


def _under_way(resource: SecureRedisCache, facts: WorkloadFacts, version: str | None) -> bool:
    """Whether its rollout certainly delays the next wave, without reading its pods."""
    entry, before = entry_of(resource, facts), before_of(resource, facts)
    if facts.rolled or facts.failed is not None or no_replacement(facts) is not None:
        return False
    if before is None or before.reason != Reason.ROLLING_OUT or entry is None or version is None:
        return False
    in_place = consents(resource, facts) and carries(resource, facts) and current(resource, facts, version)
    return in_place and not settled(resource, entry, facts, before, version)
