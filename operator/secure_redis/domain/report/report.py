"""Compose the status, the events and the time of the next pass from everything that one pass did. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass, replace

from secure_redis.api import names
from secure_redis.api.reasons.catalogue import has
from secure_redis.api.reasons.reason import ConditionType, Reason
from secure_redis.api.reasons.row import Trait
from secure_redis.api.resource import SecureRedisCache
from secure_redis.api.status import Status
from secure_redis.domain.assess.assessment import Assessment
from secure_redis.domain.observe.observation import Observation
from secure_redis.domain.observe.secret import SecretFacts
from secure_redis.domain.observe.unknown import Unknown
from secure_redis.domain.plan.actions import ApplySecret, CreateSecret, WorkloadAction
from secure_redis.domain.plan.outcomes import Done, Failed, Outcome
from secure_redis.domain.plan.types import PERMANENT_RETRY_SECONDS, Plan
from secure_redis.domain.report import drift_status
from secure_redis.domain.report.conditions.condition_state import ConditionState
from secure_redis.domain.report.conditions.conditions import compose_conditions
from secure_redis.domain.report.events import Event, events_of
from secure_redis.domain.report.status import compose_status, stale_pods_of, workload_statuses


@dataclass(frozen=True, slots=True)
class Report:
    """The status to write (if it differs), the events, and the seconds until the next pass."""

    status: Status
    events: tuple[Event, ...]
    next_pass_in: float
    failed: bool  # a transient failure: the scheduler backs off
    retry_after: float | None = None
    unread: bool = False  # a part that matters could not be read
    grows_to: float | None = None  # while nothing changes, `next_pass_in` grows up to so many seconds


def with_own_writes(resource: SecureRedisCache, observed: Observation, outcomes: Iterable[Outcome]) -> Observation:
    """Add to the observation what this pass itself published, so that the next pass has nothing new to report."""
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
                own_labels=frozenset(action.labels),
                own_annotations=frozenset(action.annotations),
            )
            return replace(observed, secret=secret)
    return observed


def report(
    resource: SecureRedisCache, observed: Observation, assessed: Assessment, plan: Plan, outcomes: Iterable[Outcome]
) -> Report:
    """Compose the report of one pass."""
    outcomes = tuple(outcomes)
    workloads = workload_statuses(resource, plan, outcomes)
    conditions = compose_conditions(
        resource, observed, assessed, plan, tuple(o for o in outcomes if not _reported_apart(o, plan)), workloads
    )
    failures = [o for o in outcomes if isinstance(o, Failed) and not _reported_apart(o, plan)]
    rotating = [o for o in outcomes if isinstance(o, Failed) and plan.rotation and o.action is plan.rotation.action]
    status = compose_status(resource, observed, assessed, plan, conditions, outcomes)
    status = status.model_copy(update={"workloads": workloads})
    status = status.model_copy(update={"stale_pods": stale_pods_of(status)})
    unknowns = [
        u for u in (observed.identity, observed.cache, observed.vault, observed.secret) if isinstance(u, Unknown)
    ]
    failed_parts: list[Failed | Unknown] = [*failures, *rotating, *unknowns]
    waits = [part.retry_after for part in failed_parts if part.retry_after is not None]
    # A plan that goes on by itself does not wait for a part that could not be read.
    reads = [part for part in unknowns if plan.next_pass_in is None and _passes(part)]
    backs_off = bool(reads) or any(_passes(part) for part in (*failures, *rotating))
    next_pass_in, grows_to = _next_pass_in(
        resource, replace(plan, next_pass_in=None) if rotating else plan, failures, conditions
    )
    return Report(
        status=status,
        events=(
            *events_of(resource, status),
            *(Event("Normal", Reason.CORRECTING, note) for note in drift_status.announced(resource, assessed, plan)),
        ),
        next_pass_in=next_pass_in,
        failed=backs_off,
        retry_after=max(waits, default=None) if backs_off else None,
        unread=bool(reads),
        grows_to=grows_to,
    )


def _passes(part: Failed | Unknown) -> bool:
    """Whether the failure may pass by itself."""
    return not part.permanent and not has(part.reason, Trait.NEEDS_HUMAN)


def _reported_apart(outcome: Outcome, plan: Plan) -> bool:
    """Whether an outcome is reported with the workloads or the rotation alone, and affects nothing else."""
    step = plan.rotation.action if plan.rotation is not None else None
    return isinstance(outcome.action, WorkloadAction) or (step is not None and outcome.action is step)


_HUMAN_SECONDS = 15.0


def _next_pass_in(
    resource: SecureRedisCache, plan: Plan, failures: list[Failed], conditions: dict[ConditionType, ConditionState]
) -> tuple[float, float | None]:
    """Return the seconds until the next pass, and up to which they grow while a person has to act."""
    interval = float(resource.spec.drift.interval_seconds)
    refused = {failure.reason for failure in failures if failure.permanent}
    if refused:
        return (interval if drift_status.refusals_recorded(plan, refused) else PERMANENT_RETRY_SECONDS), None
    if failures:
        # The plan's next pass was for a write that was made. Only pods that are being replaced are read meanwhile.
        rolling = plan.rollout.next_pass_in if plan.rollout is not None and plan.rollout.rolling is not None else None
        return interval if rolling is None else min(interval, rolling), None
    if plan.next_pass_in is not None:
        longest = interval if plan.exact_in is None else min(interval, plan.exact_in)
        return plan.next_pass_in, max(longest, plan.next_pass_in) if _is_stuck(plan) else None
    needs_human = any(has(state.reason, Trait.NEEDS_HUMAN) for state in conditions.values())
    return (min(interval, _HUMAN_SECONDS), interval) if needs_human else (interval, None)


def _is_stuck(plan: Plan) -> bool:
    """Whether nothing goes on by itself: the next pass only finds out whether a person acted meanwhile."""
    rollout, rotation, waiting = plan.rollout, plan.rotation, plan.waiting
    if plan.actions or not plan.next_pass_in or (rollout is not None and rollout.rolling is not None):
        return False
    checks = rotation is not None and rotation.is_check
    if waiting is None:
        return bool(plan.blocked) or checks or (rollout is not None and bool(rollout.next_pass_in))
    # A finalizer can keep a Secret for ever, and a person the pods that hold an older key.
    return waiting.reason is Reason.SECRET_DELETING or (checks and waiting.reason is Reason.ROTATING)


def released(resource: SecureRedisCache, reason: Reason) -> str:
    """Compose the last event of a resource: what became of its cache."""
    cache = resource.cache.text
    match reason:
        case Reason.DELETING:
            return f"{cache} was deleted"
        case Reason.ABANDONED:
            return f"{cache}, its Secret and the injections were kept, whatever the deletion policies are"
        case _:
            return f"{cache} was kept"
