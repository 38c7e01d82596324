"""Which workloads are injected, moved to a new key or released now, and what is told of each. Pure.

In waves: the next one begins when the workloads of the last have rolled and no pod of theirs is behind but those that
end. A rollout that failed, or takes too long, stops the moves to a new key; a first injection goes on, because it
endangers no other. What a PodDisruptionBudget protects waits for it, and nobody waits for that.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from secure_redis.api.reasons.reason import Reason
from secure_redis.api.resource import SecureRedisCache
from secure_redis.api.spec.spec import Restart
from secure_redis.api.status import StalePods, WorkloadStatus
from secure_redis.domain.explanation import Explanation
from secure_redis.domain.observe.observation import Observation
from secure_redis.domain.observe.unknown import NotRead, Unknown
from secure_redis.domain.observe.workload_match import carries, consents, current
from secure_redis.domain.observe.workloads import PodFacts, WorkloadFacts
from secure_redis.domain.plan.actions import (
    Done,
    Failed,
    Outcome,
    ReleaseWorkload,
    WorkloadAction,
)
from secure_redis.domain.plan.rollout.disruption_budgets import (
    Allowance,
    minutes_late,
    refusal,
)
from secure_redis.domain.plan.rollout.workload_state import (
    START_MARGIN,
    WORKLOAD_MESSAGE_LIMIT,
    Target,
    WorkloadState,
    WorkloadView,
    before_of,
    entry_of,
    leaving,
    listed,
    rotation,
    said,
    settled,
    when,
)

ROLLING_SECONDS: Final = 3.0  # between looks while pods are awaited: they are not watched
HUMAN_SECONDS: Final = 15.0
MOST_STATUSES: Final = 250  # as the schema bounds status.workloads


@dataclass(frozen=True, slots=True)
class Rollout:
    """What is to be done to workloads, and what is told. `unread`: why they are not known.

    `moved`: no workload holds, or is to be relieved of, anything but what is published now; what consumers no longer
    need may go. `next_look` in seconds.
    """

    actions: tuple[WorkloadAction, ...] = ()
    statuses: tuple[WorkloadStatus, ...] = ()
    unread: Explanation | None = None
    moved: bool = True
    next_look: float | None = None

    @property
    def rolling(self) -> WorkloadStatus | None:
        """A workload that is under way, if there is one."""
        return next((one for one in self.statuses if one.reason == Reason.ROLLING_OUT), None)


def told(status: WorkloadStatus) -> str:
    """One workload's state in a sentence."""
    where = f"{status.kind} {status.name!r}" if status.name else f"entry {status.id!r}"
    return f"{where}: {status.message}"


def reason_of(status: WorkloadStatus) -> Reason:
    """Why a workload is not current; a word of another version of the operator is not known."""
    try:
        return Reason(status.reason or "")
    except ValueError:
        return Reason.UNKNOWN


def wants_workloads(resource: SecureRedisCache) -> bool:
    """Whether workloads have to be read for this resource at all."""
    return bool(resource.spec.workloads or resource.status.workloads)


def named(resource: SecureRedisCache) -> frozenset[Target]:
    """The workloads to read by name: those of the spec, and those of the status (an entry may have been removed)."""
    asked = {(str(entry.kind), entry.name) for entry in resource.spec.workloads if entry.name is not None}
    return frozenset(asked | {(one.kind, one.name) for one in resource.status.workloads if one.name})


def pods_wanted(
    resource: SecureRedisCache, workloads: Iterable[WorkloadFacts], version: str | None
) -> tuple[Target, ...]:
    """Whose pods have to be listed. `version`: the published one, None if it is not known.

    None in a steady state, and none of workloads that wait for their turn.
    """
    wanted: list[Target] = []
    for facts in workloads:
        if facts.deleting:
            continue
        entry, before = entry_of(resource, facts), before_of(resource, facts)
        if entry is None or not consents(resource, facts):
            if not facts.owned.anything and leaving(before):
                wanted.append((facts.kind, facts.name))
            continue
        behind = entry.restart is Restart.ROLLING and version is not None and not current(resource, facts, version)
        if carries(resource, facts) and not behind and not settled(resource, entry, facts, before, version):
            wanted.append((facts.kind, facts.name))
    return tuple(wanted)


def roll(
    resource: SecureRedisCache,
    observed: Observation,
    version: str | None,
    *,
    keys: Collection[str] | None = None,
    writes: bool = True,
    proven: bool = True,
    publishing: bool = False,
    limit: int | None = None,
) -> Rollout:
    """Decide one pass over the workloads.

    `version`: of the key that the Secret holds; None: no good Secret is known, so nothing is injected. `keys`: those
    that the Secret holds. `writes` False: nothing is injected, moved or released. `proven` False: nothing is injected
    or moved, because that key is not known to be live. `publishing`: this pass writes the Secret, so everything must be
    looked at again. `limit`: how many workloads a wave has; None: as the spec says.
    """
    if isinstance(observed.workloads, NotRead):
        waiting = Explanation(Reason.PENDING, "the workloads were not read yet") if wants_workloads(resource) else None
        return Rollout(statuses=resource.status.workloads, unread=waiting, moved=waiting is None)
    if isinstance(observed.workloads, Unknown):
        why = Explanation(observed.workloads.reason, observed.workloads.message)
        return Rollout(statuses=resource.status.workloads, unread=why, moved=False, next_look=HUMAN_SECONDS)
    looked = WorkloadView(resource, observed, version, keys, publishing).all(observed.workloads)
    wide = rotation(resource).max_concurrent_workloads if limit is None else limit
    wave = _Wave(
        observed.now, wide, writes, proven, Allowance(observed.budgets), minutes_late(resource, version, observed.now)
    )
    return wave.roll([_budgeted(resource, observed, wave, one, looked) for one in looked])


def behind(
    resource: SecureRedisCache, holders: Iterable[PodFacts], version: str | None, now: datetime
) -> tuple[PodFacts, ...]:
    """Those of the unlisted pods that are not known to hold `version`, the published one.

    A pod holds what was current when it started. A start that is not known, or lies ahead (a node's clock is wrong),
    proves nothing, nor does any start while it is not known when `version` was published.
    """
    known = resource.status.credential
    published = None
    if known is not None and version is not None and known.key_vault_version == version and known.published_at:
        published = when(known.published_at)
    return tuple(pod for pod in holders if not _started_after(pod, published, now))


def holders_listed(pods: Iterable[PodFacts]) -> StalePods | None:
    """Unlisted pods as the status tells them: how many, and the first ten names. None: there are none."""
    return listed(pods)


def _started_after(pod: PodFacts, published: datetime | None, now: datetime) -> bool:
    if published is None or pod.started is None:
        return False
    return published + START_MARGIN < pod.started <= now + START_MARGIN


def after(resource: SecureRedisCache, rollout: Rollout, outcomes: Iterable[Outcome]) -> tuple[WorkloadStatus, ...]:
    """The statuses once it is known what came of the actions. What was not done is not told as done."""
    results = {
        (outcome.action.kind, outcome.action.name): outcome
        for outcome in outcomes
        if isinstance(outcome.action, WorkloadAction)
    }
    planned = {(action.kind, action.name) for action in rollout.actions}
    statuses: list[WorkloadStatus] = []
    for status in rollout.statuses:
        outcome = results.get((status.kind, status.name))
        if (status.kind, status.name) not in planned or isinstance(outcome, Done):
            statuses.append(status)
            continue
        earlier = next((o for o in resource.status.workloads if (o.kind, o.name) == (status.kind, status.name)), None)
        changes: dict[str, object] = {"injected": earlier is not None and earlier.injected}
        if isinstance(outcome, Failed):
            changes |= {"reason": str(outcome.reason), "message": outcome.message[:WORKLOAD_MESSAGE_LIMIT]}
        statuses.append(status.model_copy(update=changes))
    return tuple(statuses)


# --- the wave -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Wave:
    """Which of the possible actions are done in this pass. `late`: as `budgets.minutes_late`."""

    now: datetime
    limit: int
    writes: bool
    proven: bool
    allowance: Allowance
    late: int | None

    def may(self, one: WorkloadState) -> bool:
        """Whether anything is written to this workload now. A release needs no key."""
        return self.writes and (self.proven or isinstance(one.action, ReleaseWorkload))

    def roll(self, looked: list[WorkloadState]) -> Rollout:
        """Choose, and tell what is done and what waits for what."""
        running = any(one.running for one in looked)
        stopped = next((one.status for one in looked if one.failed), None)
        able = [one for one in looked if one.action is not None and self.may(one)]
        todo = [one for one in able if not one.restarts]
        if not running:
            todo += self._turn([one for one in able if one.restarts and (one.first or stopped is None)])
        chosen = {id(one) for one in todo}
        statuses = [
            _acting(one) if id(one) in chosen else _waiting(one, stopped, running, self.may(one)) for one in looked
        ]
        return Rollout(
            actions=tuple(one.action for one in todo if one.action is not None),
            statuses=tuple(sorted(statuses, key=lambda one: one.reason is None)[:MOST_STATUSES]),
            moved=not any(one.holds for one in looked),
            next_look=_next_look(statuses),
        )

    def _turn(self, able: list[WorkloadState]) -> list[WorkloadState]:
        """The next wave. What the API server refused comes last and in turn, so that it holds up no other."""
        # First injections and releases behind moves: a key that changed is the more urgent matter.
        fresh = sorted((one for one in able if not one.last), key=lambda one: one.first)
        refused = [one for one in able if one.last]
        turn = int(self.now.timestamp() / HUMAN_SECONDS) % len(refused) if refused else 0
        chosen: list[WorkloadState] = []
        for one in [*fresh, *refused[turn:], *refused[:turn]]:
            if len(chosen) == self.limit:
                break
            if not one.guarded or self.allowance.take((one.status.kind, one.status.name)):
                chosen.append(one)
        return chosen


def _budgeted(
    resource: SecureRedisCache, observed: Observation, wave: _Wave, one: WorkloadState, looked: list[WorkloadState]
) -> WorkloadState:
    """What would replace pods that a budget protects now is not begun; the reason is told until it may be.

    Where no pod serves there is nobody to protect, and the key may be what its pods wait for; and a rollout that ends
    no pod before a new one serves takes nothing from a budget.
    """
    if one.action is None or not one.restarts or not one.guarded or not wave.may(one):
        return one
    place = (one.status.kind, one.status.name)
    if isinstance(observed.budgets, NotRead):
        # In mid-wave budgets are not read: what was told of them stands.
        before = next((was for was in resource.status.workloads if (was.kind, was.name) == place and was.uid), None)
        if before is not None and before.reason == Reason.TARGET_BUDGET:
            kept = said(one.status, Reason.TARGET_BUDGET, before.message or "", one.status.stale_pods)
            return replace(one, action=None, status=kept)
        if any(other.running for other in looked):
            return one
    why = refusal(observed.budgets, place, wave.late if not isinstance(one.action, ReleaseWorkload) else None)
    if why is None:
        return one
    return replace(one, action=None, status=said(one.status, why.reason, why.message, one.status.stale_pods))


def _acting(one: WorkloadState) -> WorkloadStatus:
    """What is told if the action succeeds (`after` corrects it if not)."""
    release = isinstance(one.action, ReleaseWorkload)
    what = "released" if release else "injected" if one.first else "moved to what is published now"
    status = said(one.status, Reason.ROLLING_OUT, f"is being {what}", one.status.stale_pods)
    return status.model_copy(update={"injected": not release})


def _waiting(one: WorkloadState, stopped: WorkloadStatus | None, running: bool, writes: bool) -> WorkloadStatus:
    status = one.status
    if one.action is None or status.reason != Reason.ROLLING_OUT:
        return status  # nothing to do, or refused before: then that is told until it succeeds
    if not writes:
        why = "once its key is known to be live and writes are not paused"
    elif stopped is not None and not one.first:
        why = f"once the rollout of {stopped.kind} {stopped.name!r} is repaired"
    else:
        why = "when the workloads before it have rolled" if running else "in its turn"
    return said(status, Reason.ROLLING_OUT, f"{status.message} {why}", status.stale_pods)


def _next_look(statuses: Iterable[WorkloadStatus]) -> float | None:
    # A selector that matches nothing waits for a workload to come, not for somebody to mend it.
    reasons = {one.reason for one in statuses if one.name} - {None}
    if Reason.ROLLING_OUT in reasons:
        return ROLLING_SECONDS
    return HUMAN_SECONDS if reasons else None
