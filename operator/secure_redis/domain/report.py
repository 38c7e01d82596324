"""From what was seen, meant, planned and done to the status, the events and when to look again. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Literal

from secure_redis.api import names
from secure_redis.api.reasons import ConditionType, Reason
from secure_redis.api.resource import SecureRedisCache, Unreadable
from secure_redis.api.status import (
    MESSAGE_LIMIT,
    UNDER_WAY,
    Binding,
    ComplianceStatus,
    Condition,
    CredentialStatus,
    FindingStatus,
    LastHandled,
    PendingStatus,
    RotationPhase,
    RotationStatus,
    StalePods,
    Status,
    WorkloadStatus,
    merge_conditions,
)
from secure_redis.domain import told_drift
from secure_redis.domain.actions import (
    ApplySecret,
    CreateCache,
    CreateSecret,
    DeleteSecret,
    Done,
    Failed,
    Outcome,
    ReleaseSecret,
    WorkloadAction,
)
from secure_redis.domain.assess import Assessment
from secure_redis.domain.endpoint_report import status_of
from secure_redis.domain.intent import PERMANENT_RETRY_SECONDS, Plan, rfc3339
from secure_redis.domain.observation import Observation, of_either
from secure_redis.domain.observe.keys import VaultSecretFacts
from secure_redis.domain.observe.redis import CacheFacts
from secure_redis.domain.observe.secret import SecretFacts
from secure_redis.domain.observe.unknown import Unknown
from secure_redis.domain.rollout import after
from secure_redis.domain.rotation import told
from secure_redis.domain.targets import LISTED_PODS
from secure_redis.domain.told_cache import cache_status
from secure_redis.domain.verdict import FALSE, TRUE, UNKNOWN, Verdict
from secure_redis.domain.verdicts import verdicts


@dataclass(frozen=True, slots=True)
class Event:
    """What is told about a transition. `kind`: Normal or Warning."""

    kind: Literal["Normal", "Warning"]
    reason: str
    note: str


@dataclass(frozen=True, slots=True)
class Report:
    """The status to write (if it differs), the events, and the time of the next look in seconds."""

    status: Status
    events: tuple[Event, ...]
    next_look: float
    failed: bool  # a transient failure: the scheduler backs off
    retry_after: float | None = None


def afterwards(resource: SecureRedisCache, seen: Observation, outcomes: Iterable[Outcome]) -> Observation:
    """The observation with what this pass itself published, so that the next pass has nothing to add to the report."""
    for outcome in outcomes:
        action = outcome.action
        if isinstance(outcome, Done) and isinstance(action, CreateSecret | ApplySecret):
            secret = SecretFacts(
                name=action.name,
                uid=action.uid if isinstance(action, ApplySecret) else "",
                resource_version="",
                type=names.SECRET_TYPE,
                data=action.data,
                labels=action.labels,
                annotations=action.annotations,
                owner_uid=resource.uid,
                owner_name=resource.key.name,
                owner_kind=names.KIND,
            )
            return replace(seen, secret=secret)
    return seen


def report(
    resource: SecureRedisCache, seen: Observation, means: Assessment, plan: Plan, outcomes: Iterable[Outcome]
) -> Report:
    """Compose what the world is told after one pass."""
    outcomes = tuple(outcomes)
    workloads = _workloads(resource, plan, outcomes)
    said = verdicts(resource, seen, means, plan, tuple(o for o in outcomes if not _aside(o, plan)), workloads)
    failures = [o for o in outcomes if isinstance(o, Failed) and not _aside(o, plan)]
    rotating = [o for o in outcomes if isinstance(o, Failed) and plan.rotation and o.action is plan.rotation.action]
    status = _status(resource, seen, means, plan, said, outcomes)
    status = status.model_copy(update={"workloads": workloads})
    status = status.model_copy(update={"stale_pods": _stale_pods(status)})
    unknowns = [u for u in (seen.identity, of_either(seen), seen.vault, seen.secret) if isinstance(u, Unknown)]
    troubles: list[Failed | Unknown] = [*failures, *rotating, *unknowns]
    waits = [trouble.retry_after for trouble in troubles if trouble.retry_after is not None]
    # A plan that wants to go on is not held up by a part that could not be read.
    grave: list[Failed | Unknown] = [*failures, *rotating, *(unknowns if plan.next_look is None else ())]
    backs_off = any(not trouble.permanent and trouble.reason not in _HUMAN for trouble in grave)
    return Report(
        status=status,
        events=(
            *_events(resource, status),
            *(Event("Normal", Reason.CORRECTING, note) for note in told_drift.announced(resource, means, plan)),
        ),
        next_look=_next_look(resource, replace(plan, next_look=None) if rotating else plan, failures, said),
        failed=backs_off,
        retry_after=max(waits, default=None) if backs_off else None,
    )


def minor(before: Status, now: Status) -> bool:
    """Whether only counts and names of pods, and sentences about them, differ: what changes while workloads roll."""
    if before == now or not any(one.reason == Reason.ROLLING_OUT for one in now.workloads):
        return False
    if (before.stale_pods is None) != (now.stale_pods is None):
        return False  # that there are any is told at once
    return _without_counts(before) == _without_counts(now)


def _without_counts(status: Status) -> Status:
    workloads = tuple(one.model_copy(update={"stale_pods": None, "message": None}) for one in status.workloads)
    conditions = tuple(condition.model_copy(update={"message": ""}) for condition in status.conditions)
    rotation = status.rotation and status.rotation.model_copy(update={"message": None, "holders": None})
    changes = {"workloads": workloads, "conditions": conditions, "rotation": rotation, "stale_pods": None}
    return status.model_copy(update=changes)


def _aside(outcome: Outcome, plan: Plan) -> bool:
    """What a workload refuses, or a rotation is refused, is told there and holds up nothing else."""
    step = plan.rotation.action if plan.rotation is not None else None
    return isinstance(outcome.action, WorkloadAction) or (step is not None and outcome.action is step)


# What somebody has to mend, mostly in Kubernetes: looked at again soon, however often it was not mended.
_HUMAN = frozenset(
    {
        Reason.SERVICE_ACCOUNT_NOT_FOUND,
        Reason.SERVICE_ACCOUNT_NOT_ANNOTATED,
        Reason.CONSENT_MISSING,
        Reason.NO_IDENTITY,
        Reason.NAMESPACE_NOT_BOUND,
        Reason.SECRET_FOREIGN,
    }
)
_HUMAN_SECONDS = 15.0


def _next_look(
    resource: SecureRedisCache, plan: Plan, failures: list[Failed], said: dict[ConditionType, Verdict]
) -> float:
    refused = {failure.reason for failure in failures if failure.permanent}
    if refused:
        return (
            float(resource.spec.drift.interval_seconds) if told_drift.kept(plan, refused) else PERMANENT_RETRY_SECONDS
        )
    if plan.next_look is not None:
        return plan.next_look
    interval = float(resource.spec.drift.interval_seconds)
    return min(interval, _HUMAN_SECONDS) if any(v.reason in _HUMAN for v in said.values()) else interval


def unreadable(resource: Unreadable, now: datetime) -> Status:
    """The status of a resource whose spec could not be read: what is known stays, nothing is acted on."""
    before, generation = resource.envelope.status, resource.envelope.generation
    kept = [c for c in before.conditions if c.type not in {ConditionType.READY, ConditionType.STALLED}]
    said = [
        Condition(type=ConditionType.READY, status=FALSE, reason=resource.reason, message=resource.message),
        Condition(type=ConditionType.STALLED, status=TRUE, reason=resource.reason, message=resource.message),
    ]
    stamped = [c.model_copy(update={"observed_generation": generation}) for c in (*said, *kept)]
    conditions = merge_conditions(before.conditions, stamped, rfc3339(now))
    return before.model_copy(update={"observed_generation": generation, "conditions": conditions})


def released(resource: SecureRedisCache, reason: Reason) -> str:
    """What the last event of a resource says about its cache."""
    cache = resource.cache.text
    match reason:
        case Reason.DELETING:
            return f"{cache} was deleted"
        case Reason.ABANDONED:
            return f"{cache} was kept although spec.deletionPolicy is Delete"
        case _:
            return f"{cache} was kept"


# --- the status -----------------------------------------------------------------------------------------------------


def _status(
    resource: SecureRedisCache,
    seen: Observation,
    means: Assessment,
    plan: Plan,
    said: dict[ConditionType, Verdict],
    outcomes: tuple[Outcome, ...],
) -> Status:
    before, at = resource.status, rfc3339(seen.now)
    conditions = [
        Condition(
            type=kind,
            status=verdict.status,
            reason=verdict.reason,
            message=verdict.message,
            observed_generation=resource.generation,
        )
        for kind, verdict in said.items()
    ]
    credentials = said.get(ConditionType.CREDENTIALS_SYNCED)
    published = credentials is not None and credentials.status == TRUE
    facts = seen.cache if isinstance(seen.cache, CacheFacts) else None
    return Status(
        observed_generation=resource.generation,
        conditions=merge_conditions(before.conditions, conditions, at),
        binding=_binding(resource, plan, outcomes) if published else before.binding,
        cache=cache_status(seen, means.ownership, before.cache),
        endpoint=status_of(seen, before.endpoint),
        compliance=_compliance(means) if means.compliance is not None else before.compliance,
        drift=tuple(told_drift.entries(before, seen, means, plan, at)) if means.drift is not None else before.drift,
        corrections=told_drift.corrections(resource, seen, means, plan, outcomes),
        credential=_credential(resource, seen, means, at) if published else before.credential,
        pending=_pending(resource, facts, plan, outcomes, at),
        rotation=_rotation(resource, plan, outcomes),
        last_handled=LastHandled(
            refresh=resource.refresh or (before.last_handled.refresh if before.last_handled else None),
            rotate=_handled(resource, plan),
        ),
    )


def _workloads(resource: SecureRedisCache, plan: Plan, outcomes: tuple[Outcome, ...]) -> tuple[WorkloadStatus, ...]:
    if plan.rollout is None:
        return resource.status.workloads
    return after(resource, plan.rollout, outcomes)


def _rotation(resource: SecureRedisCache, plan: Plan, outcomes: tuple[Outcome, ...]) -> RotationStatus | None:
    before = resource.status.rotation
    if plan.rotation is None:
        return before
    status = told.after(before, plan.rotation, outcomes)
    if status is None or status.message is None:
        return status
    return status.model_copy(update={"message": status.message[:MESSAGE_LIMIT]})


def _handled(resource: SecureRedisCache, plan: Plan) -> str | None:
    """The rotation request that counts as answered: one that is there at the first look does."""
    if plan.rotation is not None:
        return plan.rotation.handled
    before = resource.status.last_handled
    return resource.rotate if before is None else before.rotate


def _stale_pods(status: Status) -> StalePods | None:
    """All pods that hold an older key, whoever owns them."""
    parts = [one.stale_pods for one in status.workloads]
    parts.append(status.rotation.holders if status.rotation is not None else None)
    found = [part for part in parts if part is not None]
    names = tuple(name for part in found for name in part.names)
    return StalePods(count=sum(part.count for part in found), names=names[:LISTED_PODS]) if found else None


def _binding(resource: SecureRedisCache, plan: Plan, outcomes: tuple[Outcome, ...]) -> Binding | None:
    """The published Secret; an earlier one stays named until it was parted with, so that it is not forgotten."""
    if resource.status.binding is not None and plan.rollout is not None and not plan.rollout.moved:
        return resource.status.binding
    parted = [o for o in outcomes if isinstance(o.action, ReleaseSecret | DeleteSecret)]
    if any(isinstance(outcome, Failed) for outcome in parted):
        return resource.status.binding
    return Binding(name=resource.secret_name)


def _pending(
    resource: SecureRedisCache, facts: CacheFacts | None, plan: Plan, outcomes: tuple[Outcome, ...], at: str
) -> PendingStatus | None:
    refused = any(isinstance(o, Failed) and o.permanent and isinstance(o.action, CreateCache) for o in outcomes)
    if refused and plan.pending is not None:
        return plan.pending.model_copy(update={"recorded_at": at})  # from here on it is held for an hour
    return plan.pending or (None if facts is not None else resource.status.pending)


def _compliance(means: Assessment) -> ComplianceStatus:
    found = means.compliance
    if found is None:
        return ComplianceStatus()
    return ComplianceStatus(
        passed=found.passed,
        failed=found.failed,
        unknown=found.unknown,
        waived=found.waived,
        findings=tuple(
            FindingStatus(rule=f.rule, result=f.result, severity=f.severity, message=f.message) for f in found.findings
        ),
        passes=tuple(rule for rule, verdict in found.results.items() if verdict.result == "Pass"),
        notes=found.notes,
    )


def _credential(resource: SecureRedisCache, seen: Observation, means: Assessment, at: str) -> CredentialStatus:
    vault, proven, before = seen.vault, means.credential.proven, resource.status.credential
    if not isinstance(vault, VaultSecretFacts):
        return before or CredentialStatus()
    same = before is not None and before.key_vault_version == vault.version
    return CredentialStatus(
        slot=proven.slot if proven is not None else None,
        key_vault_version=vault.version,
        published_at=before.published_at if same and before is not None else at,
        expires_at=rfc3339(vault.expires) if vault.expires is not None else None,
    )


# --- events ---------------------------------------------------------------------------------------------------------

_GOOD_WHEN_FALSE = frozenset({ConditionType.DRIFT_DETECTED, ConditionType.STALLED})
_SILENT = frozenset({ConditionType.RECONCILING})
# On the way to the goal: told once, by Ready, and no reason to warn.
_PROGRESS = frozenset(
    {
        Reason.PENDING,
        Reason.PAUSED,
        Reason.CONFIRMING_ABSENCE,
        Reason.CREATE_INTENDED,
        Reason.CREATING,
        Reason.UPDATING,
        Reason.DELETING,
        Reason.STORING_KEY,
    }
)


def _events(resource: SecureRedisCache, now: Status) -> Iterable[Event]:
    """Transitions only. A first look that finds all well tells nothing: the conditions say it."""
    for condition in now.conditions:
        kind = ConditionType(condition.type)
        if kind in _SILENT or condition.status == UNKNOWN:
            continue
        before = resource.status.condition(kind)
        fresh = before is None or before.status == UNKNOWN
        good = (condition.status == FALSE) == (kind in _GOOD_WHEN_FALSE)
        changed = before is None or before.status != condition.status
        if not changed and not (kind is ConditionType.READY and not good and before.reason != condition.reason):  # type: ignore[union-attr]
            continue
        if condition.reason in _PROGRESS:
            if kind is ConditionType.READY:
                yield Event("Normal", condition.reason, condition.message)
            continue
        if good and fresh:
            continue
        normal = good or condition.reason == Reason.ROLLING_OUT
        yield Event("Normal" if normal else "Warning", condition.reason, f"{kind}: {condition.message}")
    yield from _rotation_events(resource.status.rotation, now.rotation)
    old, new = resource.status.credential, now.credential
    if old is not None and new is not None and old.key_vault_version != new.key_vault_version:
        yield Event("Normal", Reason.PUBLISHED, f"Secret {resource.secret_name!r} now holds the {new.slot} key")


# What a rotation passes through by itself; whatever else it waits for is told once, when it begins to.
_STEPS = frozenset({Reason.ROTATING, Reason.ROLLING_OUT, Reason.REGENERATING, Reason.STORING_KEY, Reason.PENDING})
_PATIENT = frozenset({Reason.OVERLAP_NOT_OVER, Reason.OUTSIDE_WINDOW, Reason.APPROVAL_REQUIRED})


def _rotation_events(before: RotationStatus | None, now: RotationStatus | None) -> Iterable[Event]:
    if now is None or now.reason is None:
        return
    begins = now.phase == RotationPhase.INTENDED and (before is None or before.phase not in UNDER_WAY)
    if begins:
        yield Event("Normal", Reason.ROTATING, f"the {now.target} key is to be regenerated")
    if before is not None and (before.phase, before.reason) == (now.phase, now.reason):
        return
    ended = now.phase in {RotationPhase.COMPLETED, RotationPhase.SUPERSEDED}
    if ended and before is not None and before.phase in UNDER_WAY:
        kind: Literal["Normal", "Warning"] = "Normal" if now.phase == RotationPhase.COMPLETED else "Warning"
        yield Event(kind, now.reason, now.message or "")
    elif not ended and now.phase != RotationPhase.SCHEDULED and now.reason not in _STEPS:
        yield Event("Normal" if now.reason in _PATIENT else "Warning", now.reason, f"rotation: {now.message}")
