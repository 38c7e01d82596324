"""The conditions Ready, Stalled and Reconciling."""

from secure_redis.api.reasons.catalogue import has
from secure_redis.api.reasons.reason import ConditionType, Reason
from secure_redis.api.reasons.row import Trait
from secure_redis.api.resource import SecureRedisCache
from secure_redis.api.spec.spec import Mode
from secure_redis.domain.assess.assessment import Assessment
from secure_redis.domain.explanation import Explanation
from secure_redis.domain.observe.managed_redis import ManagedFacts
from secure_redis.domain.observe.observation import Observation, of_either
from secure_redis.domain.observe.redis import CacheFacts
from secure_redis.domain.observe.secret import SecretFacts
from secure_redis.domain.plan.actions import (
    Failed,
)
from secure_redis.domain.plan.types import Plan
from secure_redis.domain.report.conditions.condition_state import (
    FALSE,
    TRUE,
    UNKNOWN,
    ConditionState,
)


def is_paused(plan: Plan) -> bool:
    """Whether a pause holds back every write of the pass."""
    return plan.waiting is not None and plan.waiting.reason is Reason.PAUSED


def ready_condition(
    resource: SecureRedisCache,
    observed: Observation,
    assessed: Assessment,
    plan: Plan,
    failures: list[Failed],
    available: ConditionState,
    credentials: ConditionState | None,
) -> ConditionState:
    """True: what was asked for is in place for this generation. A pause is said in the reason, whatever the status."""
    told = _goal(resource, observed, assessed, plan, failures, available, credentials)
    if plan.waiting is not None and is_paused(plan) and not resource.deleting:
        return ConditionState(told.status, Reason.PAUSED, f"{plan.waiting.message}; {told.message}")
    return told


def _goal(
    resource: SecureRedisCache,
    observed: Observation,
    assessed: Assessment,
    plan: Plan,
    failures: list[Failed],
    available: ConditionState,
    credentials: ConditionState | None,
) -> ConditionState:
    if resource.deleting:
        failed = next((Explanation(f.reason, f.message) for f in failures), None)
        said = failed or next(iter(plan.refused), None) or plan.waiting or Explanation(Reason.DELETING, "being deleted")
        return ConditionState(FALSE, said.reason, said.message)
    goal = credentials or available
    if credentials is None and isinstance(of_either(observed), CacheFacts | ManagedFacts):
        if assessed.compliance is not None and available.reason is not Reason.NO_ROUTE:
            goal = ConditionState(TRUE, Reason.ASSESSED, "the cache was assessed")
        if resource.spec.mode is Mode.PROVISION:
            goal = available
    if credentials is not None and credentials.status == TRUE and available.status == FALSE:
        goal = available
    if goal.status == TRUE:
        blocked = next((r for r in plan.refused if has(r.reason, Trait.BLOCKS_READY)), None)
        if blocked is not None:
            return ConditionState(FALSE, blocked.reason, blocked.message)
        azure = next((f for f in failures if f.permanent), None)
        if azure is not None:
            return ConditionState(FALSE, azure.reason, azure.message)
        return ConditionState(TRUE, Reason.READY, goal.message)
    before = resource.status.condition(ConditionType.READY)
    was = before is not None and before.status == TRUE and before.observed_generation == resource.generation
    intact = credentials is None or (
        isinstance(observed.secret, SecretFacts) and observed.secret.owner_uid == resource.uid
    )
    if goal.status == UNKNOWN and has(goal.reason, Trait.PASSING) and was and intact and before is not None:
        # An outage of Azure does not make a good Secret bad; the other conditions say what is not known.
        return ConditionState(TRUE, Reason.READY, f"as last seen; it cannot be seen now: {goal.message}")
    return ConditionState(goal.status if goal.status != TRUE else FALSE, goal.reason, goal.message)


def reconciling(plan: Plan) -> ConditionState | None:
    """The condition Reconciling; None where the pass waits for nothing."""
    waiting = plan.waiting
    if waiting is None or waiting.reason is Reason.PAUSED:
        return None
    return ConditionState(TRUE, waiting.reason, waiting.message)


def stalled_condition(
    plan: Plan,
    failures: list[Failed],
    available: ConditionState,
    credentials: ConditionState | None,
) -> ConditionState | None:
    """The condition Stalled; None where a retry can still succeed."""
    candidates = [ConditionState(FALSE, f.reason, f.message) for f in failures]
    candidates += [ConditionState(FALSE, r.reason, r.message) for r in plan.refused]
    candidates += [v for v in (available, credentials) if v is not None and v.status != TRUE]
    worst = next((c for c in candidates if has(c.reason, Trait.TERMINAL)), None)
    return None if worst is None else ConditionState(TRUE, worst.reason, worst.message)
