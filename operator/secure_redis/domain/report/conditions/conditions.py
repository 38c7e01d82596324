"""Each condition of the status from what was seen, meant, planned and done."""

from secure_redis.api.reasons.catalogue import has
from secure_redis.api.reasons.reason import ConditionType, Reason
from secure_redis.api.reasons.row import Trait
from secure_redis.api.resource import SecureRedisCache
from secure_redis.api.status import WorkloadStatus
from secure_redis.domain.assess.assessment import Assessment
from secure_redis.domain.assess.rules.rule import Severity
from secure_redis.domain.explanation import Explanation
from secure_redis.domain.observe.observation import Observation
from secure_redis.domain.plan.actions import (
    AzureAction,
    Failed,
    Outcome,
    StoreKey,
    WorkloadAction,
)
from secure_redis.domain.plan.types import Plan
from secure_redis.domain.report.conditions import workloads as workload_verdict
from secure_redis.domain.report.conditions.condition_state import (
    FALSE,
    TRUE,
    UNKNOWN,
    ConditionState,
)
from secure_redis.domain.report.conditions.credentials import credentials_synced
from secure_redis.domain.report.conditions.readiness import ready_condition, reconciling, stalled_condition
from secure_redis.domain.report.conditions.redis import cache_available, persistence_encrypted, transport_secured

LISTED_PATHS = 3


def compose_conditions(
    resource: SecureRedisCache,
    observed: Observation,
    assessed: Assessment,
    plan: Plan,
    outcomes: tuple[Outcome, ...],
    told_workloads: tuple[WorkloadStatus, ...] = (),
) -> dict[ConditionType, ConditionState]:
    """All conditions; what is absent when normal (Reconciling, Stalled) or was not asked for is left out.

    `told_workloads`: `status.workloads` as it is to be written.
    """
    # A workload that refuses says nothing about the cache, the key or the Secret.
    outcomes = tuple(outcome for outcome in outcomes if not isinstance(outcome.action, WorkloadAction))
    failures = [outcome for outcome in outcomes if isinstance(outcome, Failed)]
    available = cache_available(resource, observed, plan, failures)
    credentials = credentials_synced(resource, observed, assessed, plan, outcomes, available)
    said: dict[ConditionType, ConditionState] = {
        ConditionType.READY: ready_condition(resource, observed, assessed, plan, failures, available, credentials),
        ConditionType.CACHE_AVAILABLE: available,
        ConditionType.TRANSPORT_SECURED: transport_secured(resource, observed, available),
        ConditionType.COMPLIANT: _compliant(assessed, available),
        ConditionType.DRIFT_DETECTED: _drift(assessed, plan, failures, available),
    }
    if credentials is not None:
        said[ConditionType.CREDENTIALS_SYNCED] = credentials
    persistence = persistence_encrypted(resource, observed, plan, failures, available)
    if persistence is not None:
        said[ConditionType.PERSISTENCE_ENCRYPTED] = persistence
    workloads = workload_verdict.current(plan.rollout, told_workloads)
    if workloads is not None:
        said[ConditionType.WORKLOADS_CURRENT] = workloads
    stalled = stalled_condition(plan, failures, available, credentials)
    progress = reconciling(plan)
    if stalled is not None:
        said[ConditionType.STALLED] = stalled
    elif progress is not None:
        said[ConditionType.RECONCILING] = progress
    return said


def _compliant(assessed: Assessment, available: ConditionState) -> ConditionState:
    found = assessed.compliance
    if found is None:
        return ConditionState(UNKNOWN, available.reason, available.message)
    weighty = [f for f in found.findings if f.severity not in {Severity.INFO, Severity.LOW}]
    failed = [f for f in weighty if f.result == "Fail"]
    unknown = [f for f in weighty if f.result == "Unknown"]
    for worst, status in ((failed, FALSE), (unknown, UNKNOWN)):
        if worst:
            listed = ", ".join(f.rule for f in worst)
            word = "failed" if status == FALSE else "could not be judged"
            rules = "1 rule" if len(worst) == 1 else f"{len(worst)} rules"
            return ConditionState(status, Reason.FINDINGS, f"{rules} {word}: {listed}")
    return ConditionState(TRUE, Reason.COMPLIANT, "no rule that counts failed")


def _drift(assessed: Assessment, plan: Plan, failures: list[Failed], available: ConditionState) -> ConditionState:
    if assessed.drift is None:
        return ConditionState(UNKNOWN, available.reason, available.message)
    if available.reason in {Reason.CACHE_GONE, Reason.CACHE_NOT_FOUND} and assessed.drift:
        return ConditionState(TRUE, available.reason, available.message)
    back = _held_back(plan, failures)
    if not assessed.drift:
        return (
            ConditionState(FALSE, back.reason, back.message)
            if back
            else ConditionState(FALSE, Reason.NO_DRIFT, "as declared")
        )
    paths = [d.path for d in assessed.drift]
    more = f" and {len(paths) - LISTED_PATHS} more" if len(paths) > LISTED_PATHS else ""
    listed = f"{', '.join(paths[:LISTED_PATHS])}{more}"
    return (
        ConditionState(TRUE, back.reason, f"{listed}: {back.message}")
        if back
        else ConditionState(TRUE, Reason.DRIFTED, listed)
    )


def _held_back(plan: Plan, failures: list[Failed]) -> Explanation | None:
    """Why a correction that was wanted was not made."""
    for failure in failures:
        if isinstance(failure.action, AzureAction) and not isinstance(failure.action, StoreKey):
            return Explanation(failure.reason, failure.message)
    return next((r for r in plan.refused if has(r.reason, Trait.ABOUT_CORRECTION)), None)
