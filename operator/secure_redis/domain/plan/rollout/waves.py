"""Decide which workloads are injected, moved to a new key or released now, and the status of each. Pure.

This happens in waves. The next wave begins when the workloads of the last one have rolled and only pods that are being
deleted are behind. A rollout that failed, or takes too long, stops the moves to a new key. First injections go on,
because they endanger no other workload. A workload whose PodDisruptionBudget allows nothing waits, and the others do
not wait for it.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from secure_redis.api import names
from secure_redis.api.reasons.reason import Reason
from secure_redis.api.resource import SecureRedisCache
from secure_redis.api.spec.spec import Restart
from secure_redis.api.status import StalePods, WorkloadStatus
from secure_redis.domain.explanation import Explanation
from secure_redis.domain.observe.observation import Observation
from secure_redis.domain.observe.secret import SecretFacts
from secure_redis.domain.observe.unknown import NotRead, Unknown
from secure_redis.domain.observe.workload_match import carries, consents, current
from secure_redis.domain.observe.workloads import PodFacts, WorkloadFacts
from secure_redis.domain.plan.actions import ReleaseWorkload, WorkloadAction
from secure_redis.domain.plan.outcomes import Done, Failed, Outcome
from secure_redis.domain.plan.rollout import followed_key
from secure_redis.domain.plan.rollout.disruption_budgets import (
    Allowance,
    minutes_late,
    refusal,
)
from secure_redis.domain.plan.rollout.pod_keys import CONTAINER_START, Holding, holding
from secure_redis.domain.plan.rollout.workload_checks import (
    Target,
    before_of,
    entry_of,
    leaving,
    publication,
    rolls,
    rotation,
    settled,
    wave_matters,
)
from secure_redis.domain.plan.rollout.workload_state import (
    WORKLOAD_MESSAGE_LIMIT,
    Disruption,
    Effect,
    WorkloadState,
    listed,
    with_reason,
    workload_states,
)

ROLLING_SECONDS: Final = 3.0  # between reads of pods that are being replaced: they are not watched
HUMAN_SECONDS: Final = 15.0
MOST_STATUSES: Final = 250  # as the schema bounds status.workloads


@dataclass(frozen=True, slots=True)
class Rollout:
    """The actions on workloads, and their statuses. `unread`: why the workloads are not known.

    `moved`: every workload has exactly what is published now, so a Secret that nothing names any more may go.
    `holding`: the status of a workload whose pods may hold an older key; None: no key is in use but the published one.
    `next_pass_in`, `opens_in` in seconds. `opens_in`: until a window opens that a workload waits for, if that is soon.
    """

    actions: tuple[WorkloadAction, ...] = ()
    statuses: tuple[WorkloadStatus, ...] = ()
    unread: Explanation | None = None
    moved: bool = True
    holding: WorkloadStatus | None = None
    next_pass_in: float | None = None
    opens_in: float | None = None

    @property
    def rolling(self) -> WorkloadStatus | None:
        """Return a workload whose rollout is under way, if there is one."""
        return next((one for one in self.statuses if one.reason == Reason.ROLLING_OUT), None)


def sentence(status: WorkloadStatus) -> str:
    """Describe one workload's status in a sentence."""
    where = f"{status.kind} {status.name!r}" if status.name else f"entry {status.id!r}"
    message = status.message or ""
    return message if message.startswith(where) else f"{where}: {message}"


def reason_of(status: WorkloadStatus) -> Reason:
    """Return the reason why a workload is not current; UNKNOWN for a reason of another version of the operator."""
    try:
        return Reason(status.reason or "")
    except ValueError:
        return Reason.UNKNOWN


def needs_workloads(resource: SecureRedisCache, observed: Observation) -> bool:
    """Whether the resource has workloads: listed, recorded, or found although neither spec nor status names them."""
    found = not isinstance(observed.workloads, NotRead) and observed.workloads != ()
    return bool(resource.spec.workloads or resource.status.workloads) or found


def named(resource: SecureRedisCache) -> frozenset[Target]:
    """Return the workloads that spec and status name: the pods of one that was released may still use the Secret."""
    listed = {(str(entry.kind), entry.name) for entry in resource.spec.workloads if entry.name is not None}
    return frozenset(listed | {(one.kind, one.name) for one in resource.status.workloads if one.name})


def required_pods(
    resource: SecureRedisCache, workloads: Iterable[WorkloadFacts], version: str | None, *, verify: bool = False
) -> tuple[Target, ...]:
    """Return the workloads whose pods have to be listed. `version`: the published one, None if it is not known.

    These are none in a steady state, and none of the workloads that wait for their turn. `verify`: as `roll` has it.
    """
    required: list[Target] = []
    there = [facts for facts in workloads if not facts.deleting]
    wave = wave_matters(resource, there, version)
    for facts in there:
        entry, before = entry_of(resource, facts), before_of(resource, facts)
        in_the_way = wave and rolls(facts)
        if entry is None or not consents(resource, facts):
            if not facts.owned.anything and (leaving(before) or in_the_way):
                required.append((facts.kind, facts.name))
            continue
        behind = entry.restart is Restart.ROLLING and version is not None and not current(resource, facts, version)
        known = not (verify or in_the_way) and settled(resource, entry, facts, before, version)
        if carries(resource, facts) and not behind and not known:
            required.append((facts.kind, facts.name))
    return tuple(required)


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
    verify: bool = False,
    container_start: timedelta = CONTAINER_START,
) -> Rollout:
    """Decide one pass over the workloads.

    `version`: of the key that the Secret holds; None: no good Secret is known, so nothing is injected. `keys`: those
    that the Secret holds. `writes` False: nothing is injected, moved or released. `proven` False: nothing is injected
    or moved, because that key is not known to be live. `publishing`: this pass writes the Secret, so that everything
    is checked again. `limit`: how many workloads a wave has; None: as the spec declares. `verify`: a key may be
    regenerated next, so every workload is judged by its pods, and not by what the status reports of them.
    `container_start`: as `pod_keys.Publication` has it.
    """
    if isinstance(observed.workloads, NotRead):
        needed = needs_workloads(resource, observed)
        waiting = Explanation(Reason.PENDING, "the workloads were not read yet") if needed else None
        return Rollout(statuses=resource.status.workloads, unread=waiting, moved=waiting is None)
    if isinstance(observed.workloads, Unknown):
        why = Explanation(observed.workloads.reason, observed.workloads.message)
        return Rollout(statuses=resource.status.workloads, unread=why, moved=False, next_pass_in=HUMAN_SECONDS)
    states = workload_states(
        resource, observed, observed.workloads, version, keys, publishing, container_start, verify=verify
    )
    size = rotation(resource).max_concurrent_workloads if limit is None else limit
    wave = _Wave(
        observed.now, size, writes, proven, Allowance(observed.budgets), minutes_late(resource, observed, version)
    )
    closed = followed_key.waits(resource, observed.now)
    states = [_windowed(one, closed) for one in states]
    rollout = wave.roll([_budgeted(resource, observed, wave, one, states) for one in states])
    waits = any(one.reason == Reason.OUTSIDE_WINDOW for one in rollout.statuses)
    return replace(rollout, opens_in=followed_key.opens_in(resource, observed.now)) if waits else rollout


@dataclass(frozen=True, slots=True)
class Behind:
    """An unlisted pod that may hold an older key, and why."""

    pod: PodFacts
    why: Holding


def behind(
    resource: SecureRedisCache,
    observed: Observation,
    consumers: Iterable[PodFacts],
    version: str | None,
    container_start: timedelta = CONTAINER_START,
) -> tuple[Behind, ...]:
    """Return the unlisted pods that may hold another key than `version`, the published one."""
    published = publication(resource, observed, version, container_start)
    found = (Behind(pod, holding(pod, published, observed.now)) for pod in consumers)
    return tuple(one for one in found if one.why.blocks)


def may_be_free(resource: SecureRedisCache, observed: Observation, pods: Iterable[PodFacts]) -> bool:
    """Whether the pods of a listed workload may all hold no older key, so that the unlisted ones have to be read too.

    The plan decides. A container that may be starting is counted as free here.
    """
    secret = observed.secret
    version = secret.annotations.get(names.SECRET_VERSION) if isinstance(secret, SecretFacts) else None
    published = publication(resource, observed, version, timedelta(0))
    return not any(holding(pod, published, observed.now, ours=True).blocks for pod in pods)


def consumers_listed(pods: Iterable[PodFacts]) -> StalePods | None:
    """Summarise unlisted pods as the status does: how many, and the first ten names. None: there are none."""
    return listed(pods)


def statuses_after(
    resource: SecureRedisCache, rollout: Rollout, outcomes: Iterable[Outcome]
) -> tuple[WorkloadStatus, ...]:
    """Return the statuses after the actions. An action that was not done is not reported as done."""
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
    """Chooses the actions of this pass among the possible ones. `late`: as `disruption_budgets.minutes_late`."""

    now: datetime
    limit: int
    writes: bool
    proven: bool
    allowance: Allowance
    late: int | None

    def may(self, one: WorkloadState) -> bool:
        """Whether this workload may be written to now. A release needs no key."""
        return self.writes and (self.proven or isinstance(one.action, ReleaseWorkload))

    def roll(self, states: list[WorkloadState]) -> Rollout:
        """Choose the actions, and report what is done and what waits for what."""
        running = any(one.effect is Effect.ROLLING for one in states)
        stopped = next((one.status for one in states if one.effect is Effect.FAILED), None)
        able = [one for one in states if one.action is not None and self.may(one)]
        todo = [one for one in able if one.disruption is Disruption.NONE]
        if not running:
            disruptive = (one for one in able if one.disruption is not Disruption.NONE)
            todo += self._turn([one for one in disruptive if stopped is None or not one.moves])
        chosen = {id(one) for one in todo}
        statuses = [
            _acting(one) if id(one) in chosen else _waiting(one, stopped, running, self.may(one)) for one in states
        ]
        return Rollout(
            actions=tuple(one.action for one in todo if one.action is not None),
            statuses=tuple(sorted(statuses, key=lambda one: one.reason is None)[:MOST_STATUSES]),
            moved=all(one.effect is Effect.NONE for one in states),
            holding=_first_holding(states, statuses),
            next_pass_in=_next_pass_in(statuses),
        )

    def _turn(self, able: list[WorkloadState]) -> list[WorkloadState]:
        """Choose the next wave. Workloads that the API server refused come last, in turn, so they delay no other."""
        # Moves come first: a changed key is more urgent than a first injection or a release.
        fresh = sorted((one for one in able if not one.refused_before), key=lambda one: not one.moves)
        refused = [one for one in able if one.refused_before]
        turn = int(self.now.timestamp() / HUMAN_SECONDS) % len(refused) if refused else 0
        chosen: list[WorkloadState] = []
        for one in [*fresh, *refused[turn:], *refused[:turn]]:
            if len(chosen) == self.limit:
                break
            if one.disruption is not Disruption.GUARDED or self.allowance.take((one.status.kind, one.status.name)):
                chosen.append(one)
        return chosen


def _first_holding(states: list[WorkloadState], statuses: list[WorkloadStatus]) -> WorkloadStatus | None:
    found = [status for one, status in zip(states, statuses, strict=True) if one.holds]
    return next((one for one in found if one.reason is not None), found[0] if found else None)


def _windowed(one: WorkloadState, closed: Explanation | None) -> WorkloadState:
    """Take a move to another key away while the window for it is closed, if the move replaces pods."""
    if closed is None or one.action is None or not one.moves or one.disruption is Disruption.NONE:
        return one
    return replace(
        one, action=None, status=with_reason(one.status, closed.reason, closed.message, one.status.stale_pods)
    )


def _budgeted(
    resource: SecureRedisCache, observed: Observation, wave: _Wave, one: WorkloadState, states: list[WorkloadState]
) -> WorkloadState:
    """Take the action away while a budget protects the pods that it would replace, and report the reason.

    Where no pod serves, there is nothing to protect, and its pods may wait for this very key. A rollout that ends no
    pod before a new one serves takes nothing from a budget.
    """
    if one.action is None or one.disruption is not Disruption.GUARDED or not wave.may(one):
        return one
    place = (one.status.kind, one.status.name)
    if isinstance(observed.budgets, NotRead):
        # Budgets are not read in the middle of a wave: the earlier answer holds.
        before = next((was for was in resource.status.workloads if (was.kind, was.name) == place and was.uid), None)
        if before is not None and before.reason == Reason.TARGET_BUDGET:
            kept = with_reason(one.status, Reason.TARGET_BUDGET, before.message or "", one.status.stale_pods)
            return replace(one, action=None, status=kept)
        if any(other.effect is Effect.ROLLING for other in states):
            return one
    why = refusal(observed.budgets, place, wave.late if not isinstance(one.action, ReleaseWorkload) else None)
    if why is None:
        return one
    return replace(one, action=None, status=with_reason(one.status, why.reason, why.message, one.status.stale_pods))


def _acting(one: WorkloadState) -> WorkloadStatus:
    """Return the status if the action succeeds (`statuses_after` corrects it if not)."""
    release = isinstance(one.action, ReleaseWorkload)
    what = "released" if release else "moved to what is published now" if one.moves else "injected"
    status = with_reason(one.status, Reason.ROLLING_OUT, f"is being {what}", one.status.stale_pods)
    return status.model_copy(update={"injected": not release})


def _waiting(one: WorkloadState, stopped: WorkloadStatus | None, running: bool, writes: bool) -> WorkloadStatus:
    status = one.status
    if one.action is None or status.reason != Reason.ROLLING_OUT:
        return status  # nothing to do, or refused before: that is reported until it succeeds
    if not writes:
        why = "once its key is known to be live and writes are not paused"
    elif stopped is not None and one.moves:
        why = f"once the rollout of {stopped.kind} {stopped.name!r} is repaired"
    else:
        why = "when the workloads before it have rolled" if running else "in its turn"
    return with_reason(status, Reason.ROLLING_OUT, f"{status.message} {why}", status.stale_pods)


def _next_pass_in(statuses: Iterable[WorkloadStatus]) -> float | None:
    # A selector that matches nothing waits for a workload to appear, not for a repair.
    # A window opens by itself, at a time that `Rollout.opens_in` contains.
    reasons = {one.reason for one in statuses if one.name} - {None, Reason.OUTSIDE_WINDOW}
    if Reason.ROLLING_OUT in reasons:
        return ROLLING_SECONDS
    return HUMAN_SECONDS if reasons else None
