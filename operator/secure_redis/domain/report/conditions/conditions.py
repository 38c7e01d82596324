"""Compose every condition of the status from the observation, the assessment, the plan and its outcomes."""

from dataclasses import replace

from secure_redis.api.reasons.catalogue import has
from secure_redis.api.reasons.reason import ConditionType, Reason
from secure_redis.api.reasons.row import JUDGED, Trait
from secure_redis.api.resource import SecureRedisCache
from secure_redis.api.status import WorkloadStatus
from secure_redis.domain.assess.assessment import Assessment
from secure_redis.domain.assess.rules.rule import Result
from secure_redis.domain.explanation import Explanation
from secure_redis.domain.observe.observation import Observation
from secure_redis.domain.plan.actions import AzureAction, StoreKey, WorkloadAction
from secure_redis.domain.plan.outcomes import Failed, Outcome
from secure_redis.domain.plan.types import Plan
from secure_redis.domain.report.conditions import workloads as workload_verdict
from secure_redis.domain.report.conditions.cache import cache_available, persistence_encrypted, transport_secured
from secure_redis.domain.report.conditions.condition_state import (
    FALSE,
    SEE,
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
    ready = ReadyInput(resource, observed, assessed, plan, failures, available, credentials, statuses)
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
    named = {kind: replace(state, message=with_way_out(resource, kind, state.message)) for kind, state in found.items()}
    return _each_message_once(named)


# kstatus, and with it Flux and kubectl wait, shows the messages of these: they stay whole.
_WHOLE = frozenset({ConditionType.READY, ConditionType.STALLED, ConditionType.RECONCILING})


def _each_message_once(found: dict[ConditionType, ConditionState]) -> dict[ConditionType, ConditionState]:
    """Refer to the first condition that has a message, instead of repeating it.

    A condition that could not be judged at all has no reason of its own either. CacheAvailable and CredentialsSynced
    keep theirs: it is what they report.
    """
    first: dict[str, ConditionType] = {}
    result: dict[ConditionType, ConditionState] = {}
    for kind, state in found.items():
        explained_by = first.setdefault(state.message, kind)
        if explained_by is kind or kind in _WHOLE or state.status == TRUE:
            result[kind] = state
            continue
        reason = Reason.NOT_READY if kind in JUDGED and state.status == UNKNOWN else state.reason
        result[kind] = ConditionState(state.status, reason, f"{SEE}{explained_by}")
    return result


def _compliant(assessed: Assessment, available: ConditionState) -> ConditionState:
    found = assessed.compliance
    if found is None:
        return ConditionState(UNKNOWN, available.reason, available.message)
    for worst, status in ((found.counted(Result.FAIL), FALSE), (found.counted(Result.UNKNOWN), UNKNOWN)):
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
