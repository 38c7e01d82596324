"""Workloads and their pods: its reasons, one row each."""

from collections.abc import Mapping
from typing import Final

from secure_redis.api.reasons.reason import ConditionType, Reason
from secure_redis.api.reasons.row import ReasonRow, Trait, row

WORKLOAD_REASONS: Final[Mapping[Reason, ReasonRow]] = {
    Reason.WORKLOADS_CURRENT: row(
        "Every listed workload is injected and every pod of it holds the current key.",
        on={ConditionType.WORKLOADS_CURRENT},
    ),
    Reason.ROLLING_OUT: row(
        "Workloads are being injected, released or moved to a new key. `status.workloads` lists the pods that still "
        "hold an older key.",
        "Wait.",
        on={ConditionType.RECONCILING, ConditionType.WORKLOADS_CURRENT},
        traits=Trait.ROLLOUT_UNFINISHED | Trait.ROTATION_STEP,
    ),
    Reason.ROLLOUT_FAILED: row(
        "A workload's rollout failed, so the operator moves no further one. The old pods keep running, and no key is "
        "invalidated.",
        "Find out why its new pods do not become ready (`kubectl rollout status`, `kubectl describe pod`) and repair "
        "it. The others follow by themselves.",
        on={ConditionType.WORKLOADS_CURRENT},
        traits=Trait.ROLLOUT_STUCK | Trait.ROLLOUT_UNFINISHED,
    ),
    Reason.ROLLOUT_DEADLINE: row(
        "A rollout takes longer than spec.authentication.rotation.deadlineMinutes, so no further workload is moved.",
        "Find out what delays it (a pod that does not become ready, or does not end). The others follow by themselves.",
        on={ConditionType.WORKLOADS_CURRENT},
        traits=Trait.ROLLOUT_STUCK | Trait.ROLLOUT_UNFINISHED,
    ),
    Reason.POD_BLOCKS_ROLLOUT: row(
        "Kubernetes waits for one pod without end. A StatefulSet with OrderedReady waits for a pod of the former "
        "template that is not ready. Or a rollout waits for a pod whose node does not confirm its end.",
        "Delete the pod that the message names. Use --force only if its node is off for good.",
        on={ConditionType.WORKLOADS_CURRENT},
        traits=Trait.ROLLOUT_STUCK | Trait.ROLLOUT_UNFINISHED,
    ),
    Reason.TARGET_NOT_FOUND: row(
        "A workload that spec.workloads names does not exist in this namespace, or is being deleted.",
        "Create it, or correct kind, name or selector.",
        on={ConditionType.WORKLOADS_CURRENT},
    ),
    Reason.TARGET_NOT_CONSENTING: row(
        "The workload does not consent, so the operator does not change it (or released it again).",
        'Label the workload itself (not its pod template) `secureredis.io/inject: "true"`, and annotate it '
        "`secureredis.io/resources: <names of resources>`.",
        on={ConditionType.READY, ConditionType.WORKLOADS_CURRENT},
        traits=Trait.BLOCKS_READY,
    ),
    Reason.TARGET_CONFLICT: row(
        "The workload has an env entry, a volume or a mount of that name or path that the operator did not add. The "
        "operator does not change the workload.",
        "Choose another name or mountPath in spec.workloads, or take it out of the workload.",
        on={ConditionType.WORKLOADS_CURRENT},
        traits=Trait.WORKLOAD_REFUSED,
    ),
    Reason.TARGET_PAUSED: row(
        "The workload is paused, or a partition holds pods back. Its template is changed, and its pods are not "
        "replaced.",
        "Resume it, or lower the partition.",
        on={ConditionType.WORKLOADS_CURRENT},
        traits=Trait.ROLLOUT_UNFINISHED,
    ),
    Reason.TARGET_ON_DELETE: row(
        "Pods are replaced only when a person deletes them (OnDelete), or `restart` does not let the operator restart "
        "them.",
        "Delete the pods that `status.workloads` lists when you can restart them.",
        on={ConditionType.WORKLOADS_CURRENT},
        traits=Trait.ROLLOUT_UNFINISHED,
    ),
    Reason.TARGET_REFUSED: row(
        "The API server refused the change of the workload.",
        "Change what the message names: an admission rule, or a quota.",
        on={ConditionType.WORKLOADS_CURRENT},
        traits=Trait.WORKLOAD_REFUSED,
    ),
    Reason.TARGET_REPLACED: row(
        "Another process replaces the whole workload repeatedly and drops the injection (`Replace=true`).",
        "Sync it without Replace=true, or write the Secret's reference into its manifest. Then set "
        "`secureredis.io/refresh`.",
        on={ConditionType.WORKLOADS_CURRENT},
    ),
    Reason.CONTAINER_NOT_FOUND: row(
        "The workload has no container of a name that spec.workloads lists.",
        "Correct containers or initContainers.",
        on={ConditionType.WORKLOADS_CURRENT},
    ),
    Reason.INJECTION_UNSAFE: row(
        "An entry of spec.workloads sets a variable or a mount path that changes which code runs, where requests go or "
        "what the system's directories contain. The operator does not change the workload.",
        "Choose another name in env, such as REDIS_URL, or another mountPath, such as /etc/redis.",
        on={ConditionType.WORKLOADS_CURRENT},
    ),
    Reason.TARGET_BUDGET: row(
        "A PodDisruptionBudget over the workload's pods allows no disruption now, or the budgets could not be read, so "
        "its pods are not replaced.",
        "Repair the pods that are not ready, or widen the budget. The rollout resumes by itself.",
        on={ConditionType.WORKLOADS_CURRENT},
    ),
    Reason.KEY_NOT_PUBLISHED: row(
        "An env entry references a key that the Secret does not contain, so the pod could not start.",
        "Use one of the Secret's entries, or add it to spec.connection.keys or spec.connection.template.",
        on={ConditionType.WORKLOADS_CURRENT},
    ),
    Reason.NO_WORKLOAD_RIGHTS: row(
        "The operator has no permission to read or change workloads in this namespace.",
        "Set `workloads.enabled: true` in the chart, and bind its ClusterRole in the namespace.",
        on={ConditionType.WORKLOADS_CURRENT},
        traits=Trait.ROLLOUT_UNFINISHED | Trait.WORKLOAD_REFUSED,
    ),
}
