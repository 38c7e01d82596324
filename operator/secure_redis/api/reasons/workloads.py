"""What the reasons around workloads and their pods mean: part of `reason_texts`."""

from collections.abc import Mapping
from typing import Final

from secure_redis.api.reasons.reason import Reason
from secure_redis.api.reasons.text import ReasonText, text

WORKLOAD_REASONS: Final[Mapping[Reason, ReasonText]] = {
    Reason.WORKLOADS_CURRENT: text("Every listed workload is injected and every pod of it holds the current key."),
    Reason.ROLLING_OUT: text(
        "Workloads are being injected, released or moved to a new key; status.workloads says which pods are behind.",
        "Wait.",
    ),
    Reason.ROLLOUT_FAILED: text(
        "A workload's rollout failed, so no further one is moved; the old pods run on and nothing is invalidated.",
        "Look why its new pods do not become ready (`kubectl rollout status`, `kubectl describe pod`) and repair it; "
        "the others follow by themselves.",
    ),
    Reason.ROLLOUT_DEADLINE: text(
        "A rollout takes longer than spec.authentication.rotation.deadlineMinutes, so no further workload is moved.",
        "Look what holds it up (a pod that does not become ready, or does not end); the others follow by themselves.",
    ),
    Reason.TARGET_NOT_FOUND: text(
        "A workload that spec.workloads names does not exist in this namespace, or is being deleted.",
        "Create it, or correct kind, name or selector.",
    ),
    Reason.TARGET_NOT_CONSENTING: text(
        "The workload does not consent, so it is not changed (or was released again).",
        'Label it `secureredis.io/inject: "true"` and annotate `secureredis.io/resources: <names of resources>`.',
    ),
    Reason.TARGET_CONFLICT: text(
        "The workload has an env entry, a volume or a mount of that name or path that is not ours; it is left alone.",
        "Choose another name or mountPath in spec.workloads, or take it out of the workload.",
    ),
    Reason.TARGET_PAUSED: text(
        "The workload is paused, or a partition holds pods back: the template is changed, the pods are not replaced.",
        "Resume it, or lower the partition.",
    ),
    Reason.TARGET_ON_DELETE: text(
        "Pods are replaced only when somebody deletes them (OnDelete), or are not restarted by us (restart).",
        "Delete the pods that status.workloads lists, when it suits.",
    ),
    Reason.TARGET_REFUSED: text(
        "The API server refused the change of the workload.", "See the message: an admission rule, or a quota."
    ),
    Reason.TARGET_REPLACED: text(
        "Something replaces the workload as a whole, again and again, and drops the injection (`Replace=true`).",
        "Sync it without Replace=true, or write the Secret's reference into its manifest; then set "
        "`secureredis.io/refresh`.",
    ),
    Reason.CONTAINER_NOT_FOUND: text(
        "The workload has no container of a name that spec.workloads lists.", "Correct containers or initContainers."
    ),
    Reason.KEY_NOT_PUBLISHED: text(
        "An env entry asks for a key that the Secret does not hold; the pod could not start.",
        "Use one of the Secret's keys, or add it to spec.connection.keys.",
    ),
    Reason.NO_WORKLOAD_RIGHTS: text(
        "The operator may not read or change workloads in this namespace.",
        "Set `workloads.enabled: true` in the chart, and bind its ClusterRole in the namespace.",
    ),
    Reason.TARGET_BUDGET: text(
        "A PodDisruptionBudget over the workload's pods allows no disruption now, or the budgets could not be read, so "
        "its pods are not replaced.",
        "Repair the pods that are not ready, or widen the budget; the rollout goes on by itself.",
    ),
}
