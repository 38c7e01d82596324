"""Decide which key a pod can hold, by what its containers can have read. Pure.

| state of the pod | result | reason |
| --- | --- | --- |
| its template has the published version | current | the template got it after the publication |
| names no Secret of the resource, and was never injected | nothing | it reads none |
| Succeeded, Failed, Evicted; no container runs | nothing | its processes have ended for good |
| Failed, but a container runs by the last report | as a running one | the control plane sets it for a lost node too |
| gated, or not scheduled: bound to no node | nothing | no kubelet has read a Secret for it |
| the same, less than `START_MARGIN` after the publication | may hold an older one | a kubelet's cache may be behind |
| accepted by the kubelet after the publication | current | the kubelet accepts a pod before it reads a Secret |
| listed with reloadsFiles, reads whole volumes only | current after `RELOAD_BOUND` | the kubelet renews them |
| bound, and no kubelet has accepted it | may hold an older one | its node may be lost, and then reports nothing |
| no reader has started, and the pod is being deleted | may hold an older one | as above; else it is gone soon |
| no reader has started, soon after the publication | may hold an older one | it may start with what was read before |
| no reader has started, later | nothing | env is read when a container is created, files are renewed |
| every reader started first well after the publication | current | each read the Secret later |
| anything else (started before, restarted more than once) | may hold an older one | nothing proves otherwise |

Readers are the containers that take the Secret by env, envFrom or a mount: init containers, sidecars, main and
ephemeral ones. A container that started once counts to the end of the pod, even if it has ended or was restarted. It
can have handed the key to another by a shared volume. An injected pod that does not name the published Secret names a
former one: every container counts, and no time proves anything. docs/internals/kubernetes-facts.md#pods-and-secrets
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum
from typing import Final

from secure_redis.domain.observe.workloads import PodFacts, Reads

# The kubelet renews mounted Secrets at each sync (a minute, with jitter) from a cache that it keeps by watch.
RELOAD_BOUND: Final = timedelta(seconds=120)
# A pod that the kubelet accepted this soon after the publication may have got the Secret from a cache that was behind.
START_MARGIN: Final = timedelta(seconds=10)
# From the kubelet's read of a Secret for a container to its report that the container started. The runtime has two
# minutes to create it and two to start it (the kubelet's runtimeRequestTimeout), and the report follows.
CONTAINER_START: Final = timedelta(minutes=5)


class Holding(Enum):
    """The key, if any, that a pod can hold. The value describes the pods that the retirement of a key waits for."""

    CURRENT = "hold the current key"
    NOTHING = "hold no key"
    OLDER = "started before the current key was published"
    STARTING = "may be starting with what the Secret held before; this is known in some minutes"
    ENDING = "are being deleted"
    UNREPORTED = "are assigned to a node that does not report them"

    @property
    def blocks(self) -> bool:
        """Whether the pod may hold an older key, so that no key may be taken away from it."""
        return self not in (Holding.CURRENT, Holding.NOTHING)


@dataclass(frozen=True, slots=True)
class Publication:
    """The published version, its time (None: not known), and how long a container may take to start."""

    version: str | None
    at: datetime | None
    container_start: timedelta = CONTAINER_START


def holding(
    pod: PodFacts, published: Publication, now: datetime, *, ours: bool = False, reloads: bool = False
) -> Holding:
    """Decide by the table above. `ours`: the operator writes the pod's version annotation. `reloads`: as declared."""
    if ours and pod.version is not None and pod.version == published.version:
        return Holding.CURRENT
    readers = [one for one in pod.containers if not pod.uses or one.reads]
    started = [one for one in readers if one.started]
    if pod.ended or (not pod.uses and pod.version is None):
        return Holding.NOTHING
    if not pod.bound and not started:
        fresh = published.at is not None and now <= published.at + START_MARGIN
        return Holding.STARTING if fresh else Holding.NOTHING
    if published.at is None:
        return Holding.OLDER
    if pod.uses and _after(pod.started, published.at + START_MARGIN, now):
        return Holding.CURRENT
    if pod.uses and reloads and readers and all(one.reads is Reads.FILES for one in readers):
        return Holding.CURRENT if now - published.at >= RELOAD_BOUND else Holding.STARTING
    late = published.at + published.container_start
    if not started:
        return _not_started(pod, late, now)
    if pod.uses and all(_after(one.first_start, late, now) for one in started):
        return Holding.CURRENT
    return Holding.OLDER


def _not_started(pod: PodFacts, late: datetime, now: datetime) -> Holding:
    if not pod.accepted:
        return Holding.UNREPORTED
    if pod.deleting:
        return Holding.ENDING
    return Holding.NOTHING if now > late else Holding.STARTING


def _after(time: datetime | None, earliest: datetime, now: datetime) -> bool:
    """Whether the time is later. A time that lies ahead (a node's clock is wrong) proves nothing."""
    return time is not None and earliest < time <= now + START_MARGIN
