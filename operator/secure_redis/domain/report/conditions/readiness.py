"""The conditions Ready, Stalled and Reconciling."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from secure_redis.api.reasons.catalogue import has
from secure_redis.api.reasons.reason import ConditionType, Reason
from secure_redis.api.reasons.row import Trait
from secure_redis.api.resource import SecureRedisCache
from secure_redis.api.spec.spec import Mode
from secure_redis.api.status import WorkloadStatus
from secure_redis.domain.assess.assessment import Assessment
from secure_redis.domain.explanation import Explanation
from secure_redis.domain.observe.cache import Cache
from secure_redis.domain.observe.observation import Observation
from secure_redis.domain.observe.secret import SecretFacts
from secure_redis.domain.plan.actions import StoreKey
from secure_redis.domain.plan.outcomes import Failed
from secure_redis.domain.plan.rollout.waves import reason_of
from secure_redis.domain.plan.types import Plan
from secure_redis.domain.report import evidence
from secure_redis.domain.report.conditions.condition_state import (
    FALSE,
    TRUE,
    UNKNOWN,
    ConditionState,
    first_state,
)


@dataclass(frozen=True, slots=True)
class ReadyInput:
    """Holds what the checks of Ready need. `credentials`: None where the resource has no `authentication`.

    `workloads`: `status.workloads` as it is to be written.
    """

    resource: SecureRedisCache
    observed: Observation
    assessed: Assessment
    plan: Plan
    failures: list[Failed]
    available: ConditionState
    credentials: ConditionState | None
    workloads: tuple[WorkloadStatus, ...] = ()

    @property
    def goal(self) -> ConditionState:
        """Return the state of what is declared: the credential, the cache, or its assessment."""
        return first_state(GOAL, self) or self.available


def ready_condition(given: ReadyInput) -> ConditionState:
    """Compose Ready. True: the declared state is in place for this generation. The reason names a pause in any case."""
    found = first_state(READY, given) or given.goal
    waiting = given.plan.waiting
    if waiting is not None and is_paused(given.plan) and not given.resource.deleting:
        # Where the pause itself is why the goal is not reached, `found` has its sentence already.
        text = found.message if waiting.message in found.message else f"{waiting.message}; {found.message}"
        return ConditionState(found.status, Reason.PAUSED, text)
    return found


def is_paused(plan: Plan) -> bool:
    """Whether a pause blocks every write of the pass."""
    return plan.waiting is not None and plan.waiting.reason is Reason.PAUSED


# --- what is declared -------------------------------------------------------------------------------------------------


def published_key_has_no_cache(given: ReadyInput) -> ConditionState | None:
    """A published key is of no use while the cache does not serve."""
    published = given.credentials is not None and given.credentials.status == TRUE
    return given.available if published and given.available.status == FALSE else None


def key_to_store_has_no_cache(given: ReadyInput) -> ConditionState | None:
    """No key can be listed, and so none be stored, while the cache does not serve."""
    waits = given.credentials is not None and given.credentials.reason is Reason.STORING_KEY
    stores = any(isinstance(action, StoreKey) for action in given.plan.actions)
    return given.available if waits and not stores and given.available.status == FALSE else None


def credential_was_requested(given: ReadyInput) -> ConditionState | None:
    """With `authentication`, the published Secret is the goal."""
    return given.credentials


def cache_was_requested(given: ReadyInput) -> ConditionState | None:
    """In mode Provision, the cache is the goal."""
    return given.available if given.resource.spec.mode is Mode.PROVISION else None


def assessment_was_requested(given: ReadyInput) -> ConditionState | None:
    """Otherwise the assessment is the goal, of a cache that something can reach."""
    if not isinstance(given.observed.cache, Cache):
        return None
    if given.assessed.compliance is None or given.available.reason is Reason.NO_ROUTE:
        return None
    return ConditionState(TRUE, Reason.ASSESSED, "the cache was assessed")


GOAL: Final = (
    published_key_has_no_cache,
    key_to_store_has_no_cache,
    credential_was_requested,
    cache_was_requested,
    assessment_was_requested,
)


# --- whether it is in place -------------------------------------------------------------------------------------------


def resource_is_being_deleted(given: ReadyInput) -> ConditionState | None:
    """A resource that is being deleted is never Ready; the reason names what its deletion waits for."""
    if not given.resource.deleting:
        return None
    failed = next((Explanation(one.reason, one.message) for one in given.failures), None)
    blocked, waiting = next(iter(given.plan.blocked), None), given.plan.waiting
    why = failed or blocked or waiting or Explanation(Reason.DELETING, "being deleted")
    return ConditionState(FALSE, why.reason, why.message)


def write_is_blocked(given: ReadyInput) -> ConditionState | None:
    """A write is blocked for a reason that outweighs a goal in place."""
    blocked = next((one for one in given.plan.blocked if has(one.reason, Trait.BLOCKS_READY)), None)
    if given.goal.status != TRUE or blocked is None:
        return None
    return ConditionState(FALSE, blocked.reason, blocked.message)


def write_failed_for_good(given: ReadyInput) -> ConditionState | None:
    """A write failed in a way that no retry resolves, which outweighs a goal in place."""
    failed = next((one for one in given.failures if one.permanent), None)
    if given.goal.status != TRUE or failed is None:
        return None
    return ConditionState(FALSE, failed.reason, failed.message)


def workload_does_not_consent(given: ReadyInput) -> ConditionState | None:
    """A listed workload is there and is not injected until its owner acts, which outweighs a goal in place.

    A workload that does not exist does not count: it may be created only once this resource is Ready.
    """
    found = next((one for one in given.workloads if has(one.reason, Trait.BLOCKS_READY)), None)
    if given.goal.status != TRUE or found is None:
        return None
    return ConditionState(FALSE, reason_of(found), found.message or "")


def goal_is_in_place(given: ReadyInput) -> ConditionState | None:
    """Everything that is declared is in place."""
    if given.goal.status != TRUE:
        return None
    reason = Reason.ASSESSED if given.goal.reason is Reason.ASSESSED else Reason.READY
    return ConditionState(TRUE, reason, given.goal.message)


def outage_hides_what_was_ready(given: ReadyInput) -> ConditionState | None:
    """An outage of Azure does not make a good Secret bad; the other conditions report the unknown values.

    It does for as long as a result is good: then nothing shows any more that the Secret still is.
    """
    goal, secret = given.goal, given.observed.secret
    if goal.status != UNKNOWN or not has(goal.reason, Trait.PASSING):
        return None
    before, interval = given.resource.status.condition(ConditionType.READY), given.resource.spec.drift.interval_seconds
    if before is None or before.status != TRUE or before.observed_generation != given.resource.generation:
        return None
    if any(evidence.is_over(since, given.observed.now, interval) for since in _unknown_since(given.resource)):
        return None
    intact = isinstance(secret, SecretFacts) and secret.owner_uid == given.resource.uid
    if given.credentials is not None and not intact:
        return None
    return ConditionState(TRUE, Reason.READY, f"as last observed; it cannot be read now: {goal.message}")


def _unknown_since(resource: SecureRedisCache) -> Iterator[str]:
    """Find since when the goal is not known, as the conditions that report it record it."""
    for kind in (ConditionType.CACHE_AVAILABLE, ConditionType.CREDENTIALS_SYNCED):
        condition = resource.status.condition(kind)
        if condition is not None and condition.status == UNKNOWN:
            yield condition.last_transition_time


READY: Final = (
    resource_is_being_deleted,
    write_is_blocked,
    write_failed_for_good,
    workload_does_not_consent,
    goal_is_in_place,
    outage_hides_what_was_ready,
)


# --- Reconciling and Stalled ------------------------------------------------------------------------------------------


def reconciling(plan: Plan) -> ConditionState | None:
    """Find the condition Reconciling; None where the pass waits for nothing."""
    waiting = plan.waiting
    if waiting is None or waiting.reason is Reason.PAUSED:
        return None
    return ConditionState(TRUE, waiting.reason, waiting.message)


def stalled_condition(given: ReadyInput) -> ConditionState | None:
    """Find the condition Stalled; None where a retry can still succeed."""
    candidates = [ConditionState(FALSE, one.reason, one.message) for one in given.failures]
    candidates += [ConditionState(FALSE, one.reason, one.message) for one in given.plan.blocked]
    candidates += [one for one in (given.available, given.credentials) if one is not None and one.status != TRUE]
    worst = next((one for one in candidates if has(one.reason, Trait.TERMINAL)), None)
    return None if worst is None else ConditionState(TRUE, worst.reason, worst.message)
