"""What is the matter with each workload: what could be done to it, and what is told of it. Pure."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from secure_redis.api.reasons.catalogue import has
from secure_redis.api.reasons.reason import ConditionType, Reason
from secure_redis.api.reasons.row import Trait
from secure_redis.api.resource import SecureRedisCache
from secure_redis.api.spec.spec import Restart, Rotation, Workload
from secure_redis.api.status import StalePods, WorkloadStatus
from secure_redis.domain.explanation import Explanation
from secure_redis.domain.observe.observation import Observation
from secure_redis.domain.observe.unknown import Unknown
from secure_redis.domain.observe.workload_match import (
    carries,
    consents,
    current,
    matches,
)
from secure_redis.domain.observe.workloads import PodFacts, WorkloadFacts
from secure_redis.domain.plan.actions import WorkloadAction
from secure_redis.domain.plan.rollout.injection import inject, no_consent, release

LISTED_PODS: Final = 10
WORKLOAD_MESSAGE_LIMIT: Final = 512  # characters, as the schema bounds status.workloads[].message
REPLACED_LIMIT: Final = 3  # how often an injection may vanish as a whole before we stop putting it back
# The kubelet renews mounted Secrets at each sync (a minute, with jitter) from a cache that it keeps by watch.
RELOAD_BOUND: Final = timedelta(seconds=120)
# A pod that started this soon after the publication may have read the Secret just before it.
START_MARGIN: Final = timedelta(seconds=10)


Target = tuple[str, str]  # kind and name


@dataclass(frozen=True, slots=True)
class WorkloadState:
    """One workload: what is told, what could be done (`action`), and how it bears on the others."""

    status: WorkloadStatus
    action: WorkloadAction | None = None
    restarts: bool = True  # the action replaces pods by itself
    guarded: bool = True  # its rollout may end pods that serve, which a budget may protect
    first: bool = False  # injected for the first time, or released: endangers no key
    running: bool = False  # pods are being replaced
    last: bool = False  # the API server refused it before: it waits until no other does
    failed: bool = False  # a rollout of ours failed or takes too long
    holds: bool = False  # has something that is not what is published now


@dataclass(frozen=True, slots=True)
class WorkloadView:
    """One look at all workloads of a resource; the members are as `rollout.roll` has them."""

    resource: SecureRedisCache
    observed: Observation
    version: str | None
    keys: Collection[str] | None
    publishing: bool

    def all(self, workloads: tuple[WorkloadFacts, ...]) -> list[WorkloadState]:
        """Every workload that an entry means or that has something of ours, and every entry that means none."""
        told: list[WorkloadState] = []
        entries = () if self.resource.deleting else self.resource.spec.workloads
        there = [facts for facts in workloads if not facts.deleting]
        taken: dict[Target, str] = {}
        for entry in entries:
            meant = [facts for facts in there if matches(entry, facts)]
            if not meant:
                told.append(WorkloadState(_missing(entry)))
            for facts in sorted(meant, key=lambda one: one.name):
                by = taken.setdefault((facts.kind, facts.name), entry.id)
                told.append(self._claimed(entry, facts) if by == entry.id else WorkloadState(_twice(entry, facts, by)))
        for facts in there:
            if (facts.kind, facts.name) not in taken:
                left = self._unclaimed(facts)
                if left is not None:
                    told.append(left)
        return told

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
            return WorkloadState(said(status, why.reason, why.message))
        if self.version is None:
            return self._unpublished(status, before, carries(self.resource, facts))
        if given_up(facts, status.dropped):
            text = (
                f"the injection was dropped {status.dropped} times by something that replaces the workload as a whole; "
                "it is not put back: sync without Replace=true, then set secureredis.io/refresh"
            )
            return WorkloadState(said(status, Reason.TARGET_REPLACED, text))
        wanted = inject(self.resource, entry, facts, self.resource.secret_name, self.version, self.keys)
        if isinstance(wanted, Explanation):
            return WorkloadState(said(status, wanted.reason, wanted.message), holds=facts.owned.anything)
        if wanted is None:
            return self._in_place(entry, facts, status.model_copy(update={"injected": True}), before)
        first = not facts.owned.anything
        text = "is to be injected" if first else "is to be moved to what is published now"
        stale = StalePods(count=facts.replicas) if facts.replicas else None
        refused = before is not None and has(before.reason, Trait.WORKLOAD_REFUSED)
        if refused and before is not None:
            status = status.model_copy(update={"reason": before.reason, "message": before.message, "stale_pods": stale})
        else:
            status = said(status, Reason.ROLLING_OUT, text, stale)
        return WorkloadState(
            status,
            wanted,
            restarts=replaces(facts),
            guarded=guarded(facts),
            first=first,
            last=refused,
            holds=carries(self.resource, facts),
        )

    def _unpublished(self, status: WorkloadStatus, before: WorkloadStatus | None, carrying: bool) -> WorkloadState:
        if before is not None and not self.publishing:
            return WorkloadState(before, holds=carrying and before.reason is not None)
        text = "waits for the Secret" if not self.publishing else "is looked at once the Secret is written"
        return WorkloadState(said(status, Reason.ROLLING_OUT, text), holds=carrying)

    def _in_place(
        self, entry: Workload, facts: WorkloadFacts, status: WorkloadStatus, before: WorkloadStatus | None
    ) -> WorkloadState:
        """The template is as it must be; are the pods?"""
        if settled(self.resource, entry, facts, before, self.version):
            return WorkloadState(status)
        pods = self.observed.pods.get((facts.kind, facts.name))
        if pods is None:
            return WorkloadState(
                said(status, Reason.ROLLING_OUT, "its pods were not read yet"), running=True, holds=True
            )
        if isinstance(pods, Unknown):
            return WorkloadState(said(status, pods.reason, pods.message), running=True, holds=True)
        stale = [pod for pod in pods if self._stale(entry, pod)]
        behind = listed(stale)
        if not stale and (facts.rolled or held(facts) is not None):
            return WorkloadState(status)
        why = held(facts) or self._waits(entry, stale)
        if why is not None:
            return WorkloadState(said(status, why.reason, why.message, behind), holds=True)
        return self._progress(facts, status, stale, "do not hold the current key")

    def _progress(self, facts: WorkloadFacts, status: WorkloadStatus, pods: list[PodFacts], what: str) -> WorkloadState:
        """How far its rollout is. `pods`: those behind.

        Those that only end are replaced already: nobody waits for them but what would take the former key away.
        """
        stale = listed(pods)
        ending = facts.rolled and bool(pods) and all(pod.deleting for pod in pods)
        if facts.failed is not None:
            text = f"its rollout failed: {facts.failed}; nothing further is moved until it is repaired"
            return WorkloadState(said(status, Reason.ROLLOUT_FAILED, text, stale), failed=True, holds=True)
        minutes = rotation(self.resource).deadline_minutes
        since = facts.owned.applied or self._unwell_since()
        if since is not None and self.observed.now - since > timedelta(minutes=minutes):
            text = f"its rollout is not done after {minutes} minutes; nothing further is moved until it is"
            if ending:
                text = (
                    f"{len(pods)} of its pods are still being deleted after {minutes} minutes: "
                    "see whether their nodes are there, or delete them by force"
                )
            return WorkloadState(said(status, Reason.ROLLOUT_DEADLINE, text, stale), failed=not ending, holds=True)
        text = f"{len(pods)} of its pods {what}" if pods else "its new pods are not available yet"
        if ending:
            text = f"{text} and are being deleted"
        return WorkloadState(said(status, Reason.ROLLING_OUT, text, stale), running=not ending, holds=True)

    def _waits(self, entry: Workload, stale: list[PodFacts]) -> Explanation | None:
        """Why nobody but the user replaces these pods."""
        if entry.restart is Restart.ROLLING or not stale or any(pod.version is None for pod in stale):
            return None
        if entry.reloads_files:
            return Explanation(Reason.ROLLING_OUT, "its files are being renewed by the kubelet")
        return Explanation(
            Reason.TARGET_ON_DELETE, f"restart is {entry.restart}: its pods take the new key when they are deleted"
        )

    def _stale(self, entry: Workload, pod: PodFacts) -> bool:
        if entry.restart is Restart.ROLLING:
            return pod.version != self.version
        if pod.version is None:
            return True
        published = self._published()
        if published is None:
            return True
        if entry.reloads_files and entry.restart is Restart.NONE:
            return self.observed.now - published < RELOAD_BOUND
        return pod.started is None or pod.started <= published + START_MARGIN

    def _published(self) -> datetime | None:
        known = self.resource.status.credential
        if known is None or known.key_vault_version != self.version or known.published_at is None:
            return None
        return when(known.published_at)

    def _unclaimed(self, facts: WorkloadFacts) -> WorkloadState | None:
        """What no entry means any more: released, and awaited until its pods have let go."""
        before = before_of(self.resource, facts)
        status = WorkloadStatus(
            id=before.id if before is not None else "-", kind=facts.kind, name=facts.name, uid=facts.uid
        )
        wanted = release(self.resource, facts)
        if wanted is not None:
            status = said(status, Reason.ROLLING_OUT, "is to be released")
            status = status.model_copy(update={"injected": True})
            refused = before is not None and has(before.reason, Trait.WORKLOAD_REFUSED)
            return WorkloadState(
                status,
                wanted,
                restarts=replaces(facts),
                guarded=guarded(facts),
                first=True,
                last=refused,
                holds=True,
            )
        if not leaving(before):
            return None
        pods = self.observed.pods.get((facts.kind, facts.name))
        if isinstance(pods, Unknown):
            return WorkloadState(said(status, pods.reason, pods.message), holds=True)
        # An annotation that is still in the template and not ours any more will not go, and proves nothing.
        holding = [] if carries(self.resource, facts) else [pod for pod in pods or () if pod.version is not None]
        why = held(facts)
        if pods is not None and not holding and (facts.rolled or why is not None):
            return None
        if why is not None:
            return WorkloadState(said(status, why.reason, why.message, listed(holding)), holds=True)
        # A release that fails endangers no key: it holds up the Secret's removal, and nothing else.
        return replace(self._progress(facts, status, holding, "still use the Secret"), failed=False)

    def _unwell_since(self) -> datetime | None:
        condition = self.resource.status.condition(ConditionType.WORKLOADS_CURRENT)
        return None if condition is None or condition.status == "True" else when(condition.last_transition_time)


# --- small things ---------------------------------------------------------------------------------------------------


def rotation(resource: SecureRedisCache) -> Rotation:
    """How new keys are rolled out."""
    settings = resource.spec.authentication
    return settings.rotation if settings is not None else Rotation()


def entry_of(resource: SecureRedisCache, facts: WorkloadFacts) -> Workload | None:
    """The first entry that means a workload."""
    entries = () if resource.deleting else resource.spec.workloads
    return next((entry for entry in entries if matches(entry, facts)), None)


def follows(resource: SecureRedisCache, facts: WorkloadFacts) -> bool:
    """Whether a rollout answers for the workload's pods: it has our injection, and an entry or our release of it.

    One that is listed and refused, that goes, or that keeps what we once wrote as its own, answers for nothing: its
    pods count as unlisted if they use the Secret.
    """
    if facts.deleting:
        return False
    wanted = entry_of(resource, facts) is not None and consents(resource, facts) and carries(resource, facts)
    return facts.owned.anything or wanted


def before_of(resource: SecureRedisCache, facts: WorkloadFacts) -> WorkloadStatus | None:
    """What was told of this workload before (an entry that only names it too is told without uid)."""
    told = (one for one in resource.status.workloads if one.uid is not None)
    return next((one for one in told if (one.kind, one.name) == (facts.kind, facts.name)), None)


def dropped(resource: SecureRedisCache, facts: WorkloadFacts, before: WorkloadStatus | None) -> int | None:
    """How often all of ours vanished from this very object, while nobody changed what is asked for."""
    changed = resource.status.observed_generation != resource.generation or resource.refresh_asked
    if before is None or before.uid != facts.uid or changed:
        return None
    vanished = before.injected and not carries(resource, facts)
    return (before.dropped or 0) + 1 if vanished else before.dropped


def given_up(facts: WorkloadFacts, times: int | None) -> bool:
    """Whether an injection that vanished so many times is not put back."""
    return times is not None and times >= REPLACED_LIMIT and not facts.owned.anything


def replaces(facts: WorkloadFacts) -> bool:
    """Whether a changed template replaces running pods by itself."""
    return held(facts) is None and facts.replicas > 0


def guarded(facts: WorkloadFacts) -> bool:
    """Whether its rollout may end pods that serve before others do: what a budget is there to bound."""
    return facts.available != 0 and not facts.surges


def leaving(before: WorkloadStatus | None) -> bool:
    """Whether pods may still hold the Secret after all of ours is out of the template."""
    if before is None:
        return False
    return before.injected or has(before.reason, Trait.ROLLOUT_UNFINISHED)


def settled(
    resource: SecureRedisCache,
    entry: Workload,
    facts: WorkloadFacts,
    before: WorkloadStatus | None,
    version: str | None,
) -> bool:
    """Whether all pods were seen to hold this version; from then on every new pod does, whoever rolls it out."""
    if before is None or not before.injected or before.reason is not None or before.uid != facts.uid:
        return False
    if entry.restart is Restart.ROLLING:
        return version is None or current(resource, facts, version)
    known = resource.status.credential
    return version is None or (known is not None and known.key_vault_version == version)


def held(facts: WorkloadFacts) -> Explanation | None:
    """Why a changed template replaces no pods by itself, as far as the workload says."""
    if facts.paused:
        return Explanation(Reason.TARGET_PAUSED, "it is paused: its pods are replaced when it is resumed")
    if facts.kind == "CronJob":
        return Explanation(
            Reason.ROLLING_OUT, "jobs that run keep what they started with; later ones hold the current key"
        )
    if facts.update_strategy == "OnDelete":
        return Explanation(
            Reason.TARGET_ON_DELETE, "its updateStrategy is OnDelete: its pods are replaced when they are deleted"
        )
    if facts.partition > 0:
        return Explanation(
            Reason.TARGET_PAUSED, f"its partition {facts.partition} holds back the pods below that number"
        )
    return None


def said(status: WorkloadStatus, reason: Reason, message: str, stale: StalePods | None = None) -> WorkloadStatus:
    """The status with a reason, a bounded message and the pods that are behind."""
    changes = {"reason": str(reason), "message": message[:WORKLOAD_MESSAGE_LIMIT], "stale_pods": stale}
    return status.model_copy(update=changes)


def _missing(entry: Workload) -> WorkloadStatus:
    if entry.name is not None:
        text = f"there is no {entry.kind} {entry.name!r} in this namespace, or it is being deleted"
    else:
        text = f"no {entry.kind} that consents matches the selector"
    return said(WorkloadStatus(id=entry.id, kind=entry.kind, name=entry.name or ""), Reason.TARGET_NOT_FOUND, text)


def _twice(entry: Workload, facts: WorkloadFacts, by: str) -> WorkloadStatus:
    text = f"the entry {by!r} means this workload too, and comes first"
    return said(WorkloadStatus(id=entry.id, kind=facts.kind, name=facts.name), Reason.TARGET_CONFLICT, text)


def listed(pods: Iterable[PodFacts]) -> StalePods | None:
    """Pods as the status tells them: how many, and the first names."""
    found = sorted(pod.name for pod in pods)
    return StalePods(count=len(found), names=tuple(found[:LISTED_PODS])) if found else None


def when(text: str) -> datetime | None:
    """A time of the status, RFC 3339; None if it is none."""
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        return None
