"""The condition WorkloadsCurrent."""

from secure_redis.api.reasons.catalogue import has
from secure_redis.api.reasons.reason import Reason
from secure_redis.api.reasons.row import Trait
from secure_redis.api.status import WorkloadStatus
from secure_redis.domain.explanation import by_number
from secure_redis.domain.plan.rollout.waves import Rollout, reason_of, sentence
from secure_redis.domain.report.conditions.condition_state import (
    FALSE,
    TRUE,
    UNKNOWN,
    ConditionState,
)


def current(rollout: Rollout | None, statuses: tuple[WorkloadStatus, ...]) -> ConditionState | None:
    """Compose WorkloadsCurrent; None where no workload is declared and none is left to release."""
    if rollout is None or (rollout.unread is None and not statuses):
        return None
    if rollout.unread is not None:
        return ConditionState(UNKNOWN, rollout.unread.reason, rollout.unread.message)
    # A selector that matches nothing (yet) leaves nothing behind.
    behind = [one for one in statuses if one.reason is not None and (one.name or one.reason != Reason.TARGET_NOT_FOUND)]
    behind.sort(key=lambda one: _urgency(one.reason))
    well = sum(one.reason is None for one in statuses)
    if not behind:
        whose = by_number(well, "workload, and each of its", "workloads, and each of their")
        return ConditionState(TRUE, Reason.WORKLOADS_CURRENT, f"{well} {whose} pods holds the current key")
    more = f"; and {len(behind) - 1} more" if len(behind) > 1 else ""
    text = f"{well} of {len(statuses)} {by_number(well, 'is', 'are')} current; {sentence(behind[0])}{more}"
    return ConditionState(FALSE, reason_of(behind[0]), text)


def _urgency(reason: str | None) -> int:
    """Sort what a person must repair first, and what continues by itself last."""
    if has(reason, Trait.ROLLOUT_STUCK):
        return 0
    return 2 if reason == Reason.ROLLING_OUT else 1
