"""Compose every condition of the status from the observation, the assessment, the plan and its outcomes."""

from dataclasses import replace

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
from secure_redis.domain.report.conditions.cache import cache_available, persistence_encrypted, transport_secured
from secure_redis.domain.report.conditions.condition_state import (
    FALSE,
    TRUE,
    UNKNOWN,
    ConditionState,
)
from secure_redis.domain.report.conditions.credentials import CredentialsInput, credentials_synced
from secure_redis.domain.report.conditions.readiness import ReadyInput, ready_condition, reconciling, stalled_condition
from secure_redis.domain.report.conditions.way_out import with_way_out

LISTED_PATHS = 3


def compose_conditions(
    resource: SecureRedisCache,
    observed: Observation,
    assessed: Assessment,
    plan: Plan,
    outcomes: tuple[Outcome, ...],
    statuses: tuple[WorkloadStatus, ...] = (),
) -> dict[ConditionType, ConditionState]:
    """Compose all conditions. Those that are absent when normal, or not declared, are left out.

    `statuses`: `status.workloads` as it is to be written.
    """
    # A failed action on a workload does not concern the cache, the key or the Secret.
    outcomes = tuple(outcome for outcome in outcomes if not isinstance(outcome.action, WorkloadAction))
    failures = [outcome for outcome in outcomes if isinstance(outcome, Failed)]
    available = cache_available(resource, observed, plan, failures)
    credentials = credentials_synced(CredentialsInput(resource, observed, assessed, plan, outcomes, available))
    ready = ReadyInput(resource, observed, assessed, plan, failures, available, credentials)
    found: dict[ConditionType, ConditionState] = {
        ConditionType.READY: ready_condition(ready),
        ConditionType.CACHE_AVAILABLE: available,
        ConditionType.TRANSPORT_SECURED: transport_secured(resource, observed, available),
        ConditionType.COMPLIANT: _compliant(assessed, available),
        ConditionType.DRIFT_DETECTED: _drift(assessed, plan, failures, available),
    }
    if credentials is not None:
        found[ConditionType.CREDENTIALS_SYNCED] = credentials
    persistence = persistence_encrypted(resource, observed, plan, failures, available)
    if persistence is not None:
        found[ConditionType.PERSISTENCE_ENCRYPTED] = persistence
    workloads = workload_verdict.current(plan.rollout, statuses)
    if workloads is not None:
        found[ConditionType.WORKLOADS_CURRENT] = workloads
    stalled = stalled_condition(ready)
    progress = reconciling(plan)
    if stalled is not None:
        found[ConditionType.STALLED] = stalled
    elif progress is not None:
        found[ConditionType.RECONCILING] = progress
    return {kind: replace(state, message=with_way_out(resource, kind, state.message)) for kind, state in found.items()}


def _compliant(assessed: Assessment, available: ConditionState) -> ConditionState:
    found = assessed.compliance
    if found is None:
        return ConditionState(UNKNOWN, available.reason, available.message)
    counted = [f for f in found.findings if f.severity not in {Severity.INFO, Severity.LOW}]
    failed = [f for f in counted if f.result == "Fail"]
    unknown = [f for f in counted if f.result == "Unknown"]
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
    blocked = _not_corrected(plan, failures)
    if not assessed.drift:
        return (
            ConditionState(FALSE, blocked.reason, blocked.message)
            if blocked
            else ConditionState(FALSE, Reason.NO_DRIFT, "as declared")
        )
    paths = [d.path for d in assessed.drift]
    more = f" and {len(paths) - LISTED_PATHS} more" if len(paths) > LISTED_PATHS else ""
    listed = f"{', '.join(paths[:LISTED_PATHS])}{more}"
    return (
        ConditionState(TRUE, blocked.reason, f"{listed}: {blocked.message}")
        if blocked
        else ConditionState(TRUE, Reason.DRIFTED, listed)
    )


def _not_corrected(plan: Plan, failures: list[Failed]) -> Explanation | None:
    """Explain why a correction that the spec allows was not made."""
    for failure in failures:
        if isinstance(failure.action, AzureAction) and not isinstance(failure.action, StoreKey):
            return Explanation(failure.reason, failure.message)
    return next((r for r in plan.blocked if has(r.reason, Trait.ABOUT_CORRECTION)), None)
