"""The state of each workload: its status, the action that is possible, and its effect on the others. Pure."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import Enum, auto
from typing import Final

from secure_redis.api.reasons.catalogue import has
from secure_redis.api.reasons.reason import ConditionType, Reason
from secure_redis.api.reasons.row import Trait
from secure_redis.api.resource import SecureRedisCache
from secure_redis.api.spec.spec import Restart, Workload
from secure_redis.api.status import StalePods, WorkloadStatus
from secure_redis.api.times import parse_rfc3339
from secure_redis.domain.explanation import Explanation, by_number
from secure_redis.domain.observe.observation import Observation
from secure_redis.domain.observe.unknown import Unknown
from secure_redis.domain.observe.workload_match import carries, consents, matches
from secure_redis.domain.observe.workloads import PodFacts, WorkloadFacts
from secure_redis.domain.plan.actions import WorkloadAction
from secure_redis.domain.plan.rollout.injection import inject, no_consent, release
from secure_redis.domain.plan.rollout.pod_keys import CONTAINER_START, Holding, Publication, holding
from secure_redis.domain.plan.rollout.unfinished import blocking, failure, obstacle
from secure_redis.domain.plan.rollout.workload_checks import (
    Target,
    before_of,
    dropped,
    ends_serving_pods,
    given_up,
    leaving,
    no_replacement,
    publication,
    replaces,
    rolls,
    rotation,
    settled,
    wave_matters,
)

LISTED_PODS: Final = 10
WORKLOAD_MESSAGE_LIMIT: Final = 512  # characters, as the schema bounds status.workloads[].message


# The words for one pod, and for several.
_BEHIND: Final = ("does not hold the current key", "do not hold the current key")
_USING: Final = ("still uses the Secret", "still use the Secret")


class Effect(Enum):
    """The effect of a workload on the others of the resource, and on what the rotation may take away.

    NONE: it has nothing but what is published now. BEHIND: it has something else. ROLLING: its pods are being
    replaced. FAILED: its rollout failed or takes too long. The last two are behind as well.
    """

    NONE = auto()
    BEHIND = auto()
    ROLLING = auto()
    FAILED = auto()


class Disruption(Enum):
    """The disruption that the action causes to running pods.

    NONE: it replaces no pods by itself. SAFE: no serving pod ends before another serves. GUARDED: serving pods may
    end, which a PodDisruptionBudget may protect.
    """

    NONE = auto()
    SAFE = auto()
    GUARDED = auto()


@dataclass(frozen=True, slots=True)
class WorkloadState:
    """One workload: its status, the action that is possible, and its effect on the others.

    `moves`: the action moves pods from one key to another. A first injection or a release does not, so it endangers
    no key. `refused_before`: the API server refused the action before, so that it waits until all others are done.
    """

    status: WorkloadStatus
    action: WorkloadAction | None = None
    effect: Effect = Effect.NONE
    disruption: Disruption = Disruption.NONE
    moves: bool = True
    refused_before: bool = False
    free: bool = False  # its pods were read, and none of them can hold an older key

    @property
    def holds(self) -> bool:
        """Whether a pod of it may hold an older key."""
        return self.effect is not Effect.NONE and not self.free


def workload_states(
    resource: SecureRedisCache,
    observed: Observation,
    workloads: tuple[WorkloadFacts, ...],
    version: str | None,
    keys: Collection[str] | None,
    publishing: bool,
    container_start: timedelta = CONTAINER_START,
    *,
    verify: bool = False,
) -> list[WorkloadState]:
    """Return every workload that an entry selects or that is injected, and every entry that selects none."""
    published = publication(resource, observed, version, container_start)
    there = tuple(facts for facts in workloads if not facts.deleting)
    wave = wave_matters(resource, there, version)
    return _View(resource, observed, version, keys, publishing, published, verify, wave).all(there)


@dataclass(frozen=True, slots=True)
class _View:
    """The workloads of a resource in one pass; the members are as `waves.roll` has them.

    `wave`: another workload could be changed, so that no report of an earlier pass counts for one that rolls.
    """

    resource: SecureRedisCache
    observed: Observation
    version: str | None
    keys: Collection[str] | None
    publishing: bool
    published: Publication
    verify: bool
    wave: bool

    def all(self, there: tuple[WorkloadFacts, ...]) -> list[WorkloadState]:
        """Return every workload that an entry selects or that is injected, and every entry that selects none."""
        states: list[WorkloadState] = []
        entries = () if self.resource.deleting else self.resource.spec.workloads
        claimed: dict[Target, str] = {}
        for entry in entries:
            selected = [facts for facts in there if matches(entry, facts)]
            if not selected:
                states.append(WorkloadState(_missing(entry)))
            for facts in sorted(selected, key=lambda one: one.name):
                by = claimed.setdefault((facts.kind, facts.name), entry.id)
                states.append(
                    self._claimed(entry, facts) if by == entry.id else WorkloadState(_twice(entry, facts, by))
                )
        for facts in there:
            if (facts.kind, facts.name) not in claimed:
                left = self._unclaimed(facts)
                if left is not None:
                    states.append(left)
        return states

    def _claimed(self, entry: Workload, facts: WorkloadFacts) -> WorkloadState:
        before = before_of(self.resource, facts)
        status = WorkloadStatus(
            id=entry.id, kind=facts.kind, name=facts.name, injected=facts.owned.anything, uid=facts.uid
        )
        status = status.model_copy(update={"dropped": dropped(self.resource, facts, before)})
        if not consents(self.resource, facts):
            left = self._unclaimed(facts)
            if left is not None:
                return replace(left, status=left.status.model_copy(update={"id": entry.id}))
            why = no_consent(self.resource, facts)
            return WorkloadState(with_reason(status, why.reason, why.message))
        if self.version is None:
            return self._unpublished(status, before, carries(self.resource, facts))
        if given_up(facts, status.dropped):
            text = (
                f"the injection was dropped {status.dropped} times by a writer that replaces the whole workload. "
                "The operator does not inject it again: sync without Replace=true, then set secureredis.io/refresh"
            )
            status = with_reason(status, Reason.TARGET_REPLACED, text)
            return WorkloadState(status, effect=_behind_if(carries(self.resource, facts)))
        required = inject(self.resource, entry, facts, self.resource.secret_name, self.version, self.keys)
        if isinstance(required, Explanation):
            return WorkloadState(
                with_reason(status, required.reason, required.message), effect=_behind_if(facts.owned.anything)
            )
        if required is None:
            return self._in_place(entry, facts, status.model_copy(update={"injected": True}), before)
        first = not facts.owned.anything
        text = "is to be injected" if first else "is to be moved to what is published now"
        stale = StalePods(count=facts.replicas) if facts.replicas else None
        refused = before is not None and has(before.reason, Trait.WORKLOAD_REFUSED)
        if refused and before is not None:
            status = status.model_copy(update={"reason": before.reason, "message": before.message, "stale_pods": stale})
        else:
            status = with_reason(status, Reason.ROLLING_OUT, text, stale)
        return WorkloadState(
            status,
            required,
            effect=_behind_if(carries(self.resource, facts)),
            disruption=_disruption(facts),
            moves=not first,
            refused_before=refused,
        )

    def _unpublished(self, status: WorkloadStatus, before: WorkloadStatus | None, carrying: bool) -> WorkloadState:
        if before is not None and not self.publishing:
            return WorkloadState(before, effect=_behind_if(carrying and before.reason is not None))
        text = "waits for the Secret" if not self.publishing else "waits for the Secret, which this reconcile writes"
        return WorkloadState(with_reason(status, Reason.ROLLING_OUT, text), effect=_behind_if(carrying))

    def _in_place(
        self, entry: Workload, facts: WorkloadFacts, status: WorkloadStatus, before: WorkloadStatus | None
    ) -> WorkloadState:
        """Decide about a workload whose template is as it must be, by its pods."""
        reported = not self.verify and settled(self.resource, entry, facts, before, self.version)
        if reported and not self._is_in_the_way(facts):
            return WorkloadState(status)
        pods = self.observed.pods.get((facts.kind, facts.name))
        if pods is None:
            return WorkloadState(
                with_reason(status, Reason.ROLLING_OUT, "its pods were not read yet"), effect=Effect.ROLLING
            )
        if isinstance(pods, Unknown):
            return WorkloadState(with_reason(status, pods.reason, pods.message), effect=Effect.ROLLING)
        stale = [pod for pod in pods if self._holding(entry, pod).blocks]
        former = [pod for pod in pods if pod in stale or self._of_former_template(entry, pod)]
        behind, free = listed(stale), not stale
        why = no_replacement(facts)
        if not former and (facts.rolled or why is not None or reported):
            return WorkloadState(status)
        why = why or self._waits(entry, former)
        if why is not None:
            status = with_reason(status, why.reason, why.message, behind)
            return WorkloadState(status, effect=Effect.BEHIND, free=free)
        state = self._progress(facts, status, pods, former, stale)
        return replace(state, free=free)

    def _progress(
        self,
        facts: WorkloadFacts,
        status: WorkloadStatus,
        pods: Iterable[PodFacts],
        former: list[PodFacts],
        stale: list[PodFacts],
        what: tuple[str, str] = _BEHIND,
    ) -> WorkloadState:
        """Decide how far the rollout is. `former`: the pods that it replaces. `stale`: those of them that matter.

        Pods that are being deleted are replaced already. Only the retirement of the former key waits for them.
        """
        behind = listed(stale)
        ending = facts.rolled and bool(former) and all(pod.deleting for pod in former)
        if facts.failed is not None:
            text = f"{failure(facts, pods)}; nothing further is moved until it is repaired"
            status = with_reason(status, Reason.ROLLOUT_FAILED, text, behind)
            return WorkloadState(status, effect=Effect.FAILED)
        minutes = rotation(self.resource).deadline_minutes
        since = facts.owned.applied or self._unwell_since()
        late = since is not None and self.observed.now - since > timedelta(minutes=minutes)
        blocked = blocking(facts, pods, self.observed.now)
        if blocked is not None:
            effect = Effect.BEHIND if ending else Effect.FAILED if late else Effect.ROLLING
            return WorkloadState(with_reason(status, blocked.reason, blocked.message, behind), effect=effect)
        if late:
            text = (
                f"its rollout is not done after {minutes} minutes; nothing further is moved until it is{obstacle(pods)}"
            )
            if ending:
                verb = by_number(len(former), "is", "are")
                text = (
                    f"{len(former)} of its pods {verb} still being deleted after {minutes} minutes: "
                    "see whether their nodes are there, or delete them by force"
                )
            effect = Effect.BEHIND if ending else Effect.FAILED
            return WorkloadState(with_reason(status, Reason.ROLLOUT_DEADLINE, text, behind), effect=effect)
        text = _progress_text(former, stale, what) + obstacle(pods)
        if ending:
            text = f"{text} and {by_number(len(stale or former), 'is', 'are')} being deleted"
        effect = Effect.BEHIND if ending else Effect.ROLLING
        return WorkloadState(with_reason(status, Reason.ROLLING_OUT, text, behind), effect=effect)

    def _waits(self, entry: Workload, stale: list[PodFacts]) -> Explanation | None:
        """Explain why the operator does not replace these pods; None if it does."""
        if entry.restart is Restart.ROLLING or not stale or any(pod.version is None for pod in stale):
            return None
        if entry.reloads_files:
            return Explanation(Reason.ROLLING_OUT, "its files are being renewed by the kubelet")
        return Explanation(
            Reason.TARGET_ON_DELETE, f"restart is {entry.restart}: its pods take the new key when they are deleted"
        )

    def _holding(self, entry: Workload, pod: PodFacts) -> Holding:
        rolling, reloads = entry.restart is Restart.ROLLING, entry.reloads_files and entry.restart is Restart.NONE
        return holding(pod, self.published, self.observed.now, ours=rolling, reloads=reloads)

    def _of_former_template(self, entry: Workload, pod: PodFacts) -> bool:
        """Whether the rollout replaces the pod: it names a former Secret, or its template was another one.

        Where no rollout restarts pods, the version of the template stays as it is.
        """
        other = pod.version != self.version if entry.restart is Restart.ROLLING else pod.version is None
        return other or not pod.uses

    def _unclaimed(self, facts: WorkloadFacts) -> WorkloadState | None:
        """Decide about a workload that no entry selects: release it, then wait until its pods do not use the Secret."""
        before = before_of(self.resource, facts)
        status = WorkloadStatus(
            id=before.id if before is not None else "-", kind=facts.kind, name=facts.name, uid=facts.uid
        )
        required = release(self.resource, facts)
        if required is not None:
            status = with_reason(status, Reason.ROLLING_OUT, "is to be released")
            status = status.model_copy(update={"injected": True})
            refused = before is not None and has(before.reason, Trait.WORKLOAD_REFUSED)
            return WorkloadState(
                status,
                required,
                effect=Effect.BEHIND,
                disruption=_disruption(facts),
                moves=False,
                refused_before=refused,
            )
        if not (leaving(before) or self._is_in_the_way(facts)):
            return None
        pods = self.observed.pods.get((facts.kind, facts.name))
        if isinstance(pods, Unknown):
            return WorkloadState(with_reason(status, pods.reason, pods.message), effect=Effect.BEHIND)
        # An annotation in the template that the operator does not own any more stays, and proves nothing.
        using = [] if carries(self.resource, facts) else [pod for pod in pods or () if pod.version is not None]
        why = no_replacement(facts)
        if pods is not None and not using and (facts.rolled or why is not None or not leaving(before)):
            return None
        free = pods is not None and not any(holding(pod, self.published, self.observed.now).blocks for pod in using)
        if why is not None:
            status = with_reason(status, why.reason, why.message, listed(using))
            return WorkloadState(status, effect=Effect.BEHIND, free=free)
        state = replace(self._progress(facts, status, pods or (), using, using, _USING), free=free)
        # A release that fails endangers no key: it delays the Secret's removal, and nothing else.
        return replace(state, effect=Effect.BEHIND) if state.effect is Effect.FAILED else state

    def _is_in_the_way(self, facts: WorkloadFacts) -> bool:
        """Whether a wave may have to wait for this workload, so that its pods decide."""
        return self.wave and rolls(facts)

    def _unwell_since(self) -> datetime | None:
        condition = self.resource.status.condition(ConditionType.WORKLOADS_CURRENT)
        return (
            None if condition is None or condition.status == "True" else parse_rfc3339(condition.last_transition_time)
        )


def with_reason(status: WorkloadStatus, reason: Reason, message: str, stale: StalePods | None = None) -> WorkloadStatus:
    """Return the status with a reason, a bounded message and the pods that are behind."""
    changes = {"reason": str(reason), "message": message[:WORKLOAD_MESSAGE_LIMIT], "stale_pods": stale}
    return status.model_copy(update=changes)


def _missing(entry: Workload) -> WorkloadStatus:
    if entry.name is not None:
        text = f"there is no {entry.kind} {entry.name!r} in this namespace, or it is being deleted"
    else:
        text = f"no {entry.kind} that consents matches the selector"
    return with_reason(
        WorkloadStatus(id=entry.id, kind=entry.kind, name=entry.name or ""), Reason.TARGET_NOT_FOUND, text
    )


def _twice(entry: Workload, facts: WorkloadFacts, by: str) -> WorkloadStatus:
    text = f"the entry {by!r} selects this workload too, and comes first"
    return with_reason(WorkloadStatus(id=entry.id, kind=facts.kind, name=facts.name), Reason.TARGET_CONFLICT, text)


def listed(pods: Iterable[PodFacts]) -> StalePods | None:
    """Summarise pods as the status does: how many, and the first names."""
    found = sorted(pod.name for pod in pods)
    return StalePods(count=len(found), names=tuple(found[:LISTED_PODS])) if found else None


def _progress_text(former: list[PodFacts], stale: list[PodFacts], what: tuple[str, str]) -> str:
    if stale:
        return f"{len(stale)} of its pods {by_number(len(stale), *what)}"
    if former:
        words = by_number(len(former), "is not replaced yet, and holds", "are not replaced yet, and hold")
        return f"{len(former)} of its pods {words} no older key"
    return "its new pods are not available yet"


def _behind_if(condition: bool) -> Effect:
    return Effect.BEHIND if condition else Effect.NONE


def _disruption(facts: WorkloadFacts) -> Disruption:
    if not replaces(facts):
        return Disruption.NONE
    return Disruption.GUARDED if ends_serving_pods(facts) else Disruption.SAFE
