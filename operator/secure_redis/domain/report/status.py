"""The status that a pass writes."""

from collections import Counter
from collections.abc import Iterable
from datetime import datetime

from secure_redis.api import names
from secure_redis.api.reasons.reason import ConditionType, Reason
from secure_redis.api.resource import SecureRedisCache, Unreadable
from secure_redis.api.status import (
    MESSAGE_LIMIT,
    Binding,
    ComplianceStatus,
    Condition,
    CredentialStatus,
    EffectiveStatus,
    FailedStatus,
    FindingStatus,
    LastHandled,
    PendingStatus,
    RotationStatus,
    StalePods,
    Status,
    WorkloadStatus,
    merge_conditions,
)
from secure_redis.api.times import rfc3339
from secure_redis.domain.assess.assessment import Assessment
from secure_redis.domain.assess.rules import Finding
from secure_redis.domain.assess.rules.rule import THRESHOLD, Result, Severity
from secure_redis.domain.explanation import Explanation
from secure_redis.domain.observe.cache import Cache
from secure_redis.domain.observe.keys import VaultSecretFacts
from secure_redis.domain.observe.observation import Observation
from secure_redis.domain.plan.actions import CreateCache
from secure_redis.domain.plan.outcomes import Failed, Outcome
from secure_redis.domain.plan.rollout.waves import statuses_after
from secure_redis.domain.plan.rollout.workload_state import LISTED_PODS
from secure_redis.domain.plan.rotation import outcome
from secure_redis.domain.plan.types import Plan
from secure_redis.domain.report import drift_status
from secure_redis.domain.report.cache_status import cache_status
from secure_redis.domain.report.conditions.condition_state import FALSE, TRUE, ConditionState
from secure_redis.domain.report.conditions.way_out import with_way_out
from secure_redis.domain.report.endpoint_status import status_of


def differs_in_pods_only(before: Status, now: Status) -> bool:
    """Whether only counts and names of pods, and messages about them, differ, as they do during a rollout."""
    if before == now or not any(one.reason == Reason.ROLLING_OUT for one in now.workloads):
        return False
    if (before.stale_pods is None) != (now.stale_pods is None):
        return False  # whether there are any is reported immediately
    return _without_counts(before) == _without_counts(now)


def _without_counts(status: Status) -> Status:
    workloads = tuple(one.model_copy(update={"stale_pods": None, "message": None}) for one in status.workloads)
    conditions = tuple(condition.model_copy(update={"message": ""}) for condition in status.conditions)
    rotation = status.rotation and status.rotation.model_copy(update={"message": None, "holders": None})
    changes = {"workloads": workloads, "conditions": conditions, "rotation": rotation, "stale_pods": None}
    return status.model_copy(update=changes)


def unreadable(resource: Unreadable, now: datetime, waits_for: Explanation | None = None) -> Status:
    """Compose the status of a resource whose spec could not be read. Known values stay.

    `waits_for`: why its deletion does not go on.
    """
    before, generation = resource.envelope.status, resource.envelope.generation
    why = waits_for or Explanation(resource.reason, resource.message)
    kept = [c for c in before.conditions if c.type not in {ConditionType.READY, ConditionType.STALLED}]
    new = [
        Condition(
            type=kind, status=state, reason=why.reason, message=with_way_out(resource.envelope, kind, why.message)
        )
        for kind, state in ((ConditionType.READY, FALSE), (ConditionType.STALLED, TRUE))
    ]
    stamped = [c.model_copy(update={"observed_generation": generation}) for c in (*new, *kept)]
    conditions = merge_conditions(before.conditions, stamped, rfc3339(now))
    return before.model_copy(update={"observed_generation": generation, "conditions": conditions})


def compose_status(
    resource: SecureRedisCache,
    observed: Observation,
    assessed: Assessment,
    plan: Plan,
    states: dict[ConditionType, ConditionState],
    outcomes: tuple[Outcome, ...],
) -> Status:
    """Compose the status from everything that the pass found, planned and did."""
    before, at = resource.status, rfc3339(observed.now)
    conditions = [
        Condition(
            type=kind,
            status=state.status,
            reason=state.reason,
            message=state.message,
            observed_generation=resource.generation,
        )
        for kind, state in states.items()
    ]
    credentials = states.get(ConditionType.CREDENTIALS_SYNCED)
    published = credentials is not None and credentials.status == TRUE
    # Without `authentication` no Secret is maintained: a published one stays, and is not reported.
    declared = resource.spec.authentication is not None
    facts = observed.cache if isinstance(observed.cache, Cache) else None
    return Status(
        observed_generation=resource.generation,
        conditions=merge_conditions(before.conditions, conditions, at),
        effective=_effective(resource, assessed),
        binding=Binding(name=resource.secret_name) if published else before.binding if declared else None,
        cache=cache_status(observed, assessed.ownership, before.cache),
        endpoint=status_of(observed, before.endpoint),
        compliance=_compliance(assessed) if assessed.compliance is not None else before.compliance,
        drift_count=len(assessed.drift) if assessed.drift is not None else before.drift_count,
        drift=tuple(drift_status.entries(before, observed, assessed, plan, at))
        if assessed.drift is not None
        else before.drift,
        corrections=drift_status.corrections(resource, observed, assessed, plan, outcomes),
        credential=_credential(resource, observed, assessed, at)
        if published
        else before.credential
        if declared
        else None,
        pending=_pending(resource, facts, plan, outcomes, at),
        rotation=_rotation(resource, plan, outcomes),
        last_handled=LastHandled(
            refresh=resource.refresh or (before.last_handled.refresh if before.last_handled else None),
            rotate=_handled(resource, plan),
        ),
    )


def _effective(resource: SecureRedisCache, assessed: Assessment) -> EffectiveStatus:
    before, compliance = resource.status.effective, assessed.compliance
    profile = str(compliance.profile) if compliance is not None else before.profile if before is not None else None
    return EffectiveStatus(
        mode=resource.spec.mode, profile=profile, interval_seconds=resource.spec.drift.interval_seconds
    )


def workload_statuses(
    resource: SecureRedisCache, plan: Plan, outcomes: tuple[Outcome, ...]
) -> tuple[WorkloadStatus, ...]:
    """Compose `status.workloads` after the pass; it stays as it was where no rollout was planned."""
    if plan.rollout is None:
        return resource.status.workloads
    return statuses_after(resource, plan.rollout, outcomes)


def _rotation(resource: SecureRedisCache, plan: Plan, outcomes: tuple[Outcome, ...]) -> RotationStatus | None:
    before = resource.status.rotation
    if plan.rotation is None:
        return before
    status = outcome.status_after(before, plan.rotation, outcomes)
    if status is None or status.message is None:
        return status
    return status.model_copy(update={"message": status.message[:MESSAGE_LIMIT]})


def _handled(resource: SecureRedisCache, plan: Plan) -> str | None:
    """Return the rotation request that counts as answered. One that is there in the first pass does."""
    if plan.rotation is not None:
        return plan.rotation.handled
    before = resource.status.last_handled
    return resource.rotate if before is None else before.rotate


def stale_pods_of(status: Status) -> StalePods | None:
    """Count all pods that hold an older key, with any owner."""
    parts = [one.stale_pods for one in status.workloads]
    parts.append(status.rotation.holders if status.rotation is not None else None)
    found = [part for part in parts if part is not None]
    names = tuple(name for part in found for name in part.names)
    return StalePods(count=sum(part.count for part in found), names=names[:LISTED_PODS]) if found else None


def _pending(
    resource: SecureRedisCache, facts: Cache | None, plan: Plan, outcomes: tuple[Outcome, ...], at: str
) -> PendingStatus | None:
    refused = any(isinstance(o, Failed) and o.permanent and isinstance(o.action, CreateCache) for o in outcomes)
    if refused and plan.pending is not None:
        return plan.pending.model_copy(update={"recorded_at": at})  # from here on it is not repeated for an hour
    return plan.pending or (None if facts is not None else resource.status.pending)


def _compliance(assessed: Assessment) -> ComplianceStatus:
    found = assessed.compliance
    if found is None:
        return ComplianceStatus()
    return ComplianceStatus(
        passed=found.passed,
        failed=FailedStatus(**{str(severity).lower(): number for severity, number in found.failed.items()}),
        advice=found.count(Result.ADVICE),
        unknown=found.count(Result.UNKNOWN),
        waived=found.count(Result.WAIVED),
        threshold=THRESHOLD,
        findings=tuple(
            FindingStatus(rule=f.rule, result=f.result, severity=f.severity, message=f.message) for f in found.findings
        ),
        summary=_summary(found.findings),
        passed_rules=" ".join(rule for rule, verdict in found.results.items() if verdict.result == "Pass"),
        notes=found.notes,
    )


def _summary(findings: Iterable[Finding]) -> str:
    """Count what failed by the first letter of its severity, and what could not be judged. INFO is advice."""
    counted = [one for one in findings if one.severity is not Severity.INFO]
    failed = Counter(one.severity for one in counted if one.result is Result.FAIL)
    parts = [f"{failed[severity]}{severity[0]}" for severity in Severity if failed[severity]]
    unknown = sum(one.result is Result.UNKNOWN for one in counted)
    return " ".join([*parts, *([f"{unknown}?"] if unknown else [])]) or "none"


def _credential(resource: SecureRedisCache, observed: Observation, assessed: Assessment, at: str) -> CredentialStatus:
    vault, proven, data = observed.vault, assessed.credential.proven, assessed.credential.data
    if not isinstance(vault, VaultSecretFacts) or data is None:
        return resource.status.credential or CredentialStatus()
    return CredentialStatus(
        slot=proven.slot if proven is not None else None,
        key_vault_version=vault.version,
        published_at=data.annotations.get(names.SECRET_PUBLISHED, at),
        expires_at=rfc3339(vault.expires) if vault.expires is not None else None,
    )
