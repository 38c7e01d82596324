"""Find out why a rollout does not go on, and what a person has to do. Pure.

Some rollouts Kubernetes never finishes by itself: docs/internals/kubernetes-facts.md#rollouts-of-workloads. The
operator reports them immediately, and deletes no pod.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Final

from secure_redis.api.reasons.reason import Reason
from secure_redis.domain.explanation import Explanation
from secure_redis.domain.observe.workloads import PodFacts, WorkloadFacts

_NAMED: Final = 3
# A kubelet ends a pod at its deletion time at the latest, and then removes it.
_OVERDUE: Final = timedelta(minutes=1)


def blocking(facts: WorkloadFacts, pods: Iterable[PodFacts], now: datetime) -> Explanation | None:
    """Explain which pods Kubernetes waits for without end; None: it goes on by itself, as far as is known."""
    there = tuple(pods)
    overdue = [pod for pod in there if pod.ends is not None and now - pod.ends > _OVERDUE]
    if overdue:
        return Explanation(
            Reason.POD_BLOCKS_ROLLOUT,
            f"{_named(overdue)} should have ended, but the node does not confirm it: if the node is off for good, "
            f"kubectl delete pod {overdue[0].name} --force",
        )
    if facts.rolled:
        return None
    unready = [pod for pod in there if not (pod.ready or pod.deleting) and _former(facts, pod)]
    if facts.ordered and facts.update_strategy == "RollingUpdate" and unready:
        return Explanation(
            Reason.POD_BLOCKS_ROLLOUT,
            f"{_named(unready)} of the former template is not ready, and a StatefulSet with OrderedReady replaces no "
            "pod before it is (kubernetes/kubernetes#67250): "
            f"kubectl delete pod {' '.join(pod.name for pod in unready[:_NAMED])}",
        )
    return None


def obstacle(pods: Iterable[PodFacts]) -> str:
    """Describe why a pod does not start; empty: nothing is known to prevent it."""
    refused = sorted((pod for pod in pods if pod.obstacle is not None), key=lambda pod: pod.name)
    first = next(iter(refused), None)
    if first is None or first.obstacle is None:
        return ""
    more = f" (and {len(refused) - 1} more)" if len(refused) > 1 else ""
    return f": pod {first.name!r}{more} {first.obstacle.value}"


def failure(facts: WorkloadFacts, pods: Iterable[PodFacts]) -> str:
    """Describe a rollout that its controller gave up, with what to do where that is known."""
    text = f"its rollout failed: {facts.failed}"
    if "exceeded quota" in (facts.failed or ""):
        return f"{text}; raise the ResourceQuota, or let the strategy end a pod before it starts one (maxUnavailable 1)"
    return f"{text}{obstacle(pods)}"


def _former(facts: WorkloadFacts, pod: PodFacts) -> bool:
    return facts.update_revision is not None and pod.revision not in (None, facts.update_revision)


def _named(pods: list[PodFacts]) -> str:
    names = sorted(pod.name for pod in pods)
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return f"its pod{'s' if len(names) > 1 else ''} {', '.join(map(repr, names[:_NAMED]))}{more}"
