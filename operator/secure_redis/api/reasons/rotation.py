"""A rotation of keys: its reasons, one row each."""

from collections.abc import Mapping
from typing import Final

from secure_redis.api.reasons.reason import ConditionType, Reason
from secure_redis.api.reasons.row import ON_CREDENTIALS, ReasonRow, Trait, row

ROTATION_REASONS: Final[Mapping[Reason, ReasonRow]] = {
    Reason.ROTATING: row(
        "A key is being rotated. status.rotation reports the phase.",
        "Wait.",
        on={ConditionType.RECONCILING},
        traits=Trait.ROTATION_STEP | Trait.ROTATION_STATUS,
    ),
    Reason.ROTATED: row(
        "The last rotation was completed: every known pod holds the new key.", traits=Trait.ROTATION_STATUS
    ),
    Reason.ROTATION_SCHEDULED: row("The next rotation is due at status.rotation.dueAt.", traits=Trait.ROTATION_STATUS),
    Reason.ROTATION_READ_ONLY: row(
        "A rotation was requested, but the resource only reads the key from Key Vault.",
        "Set `authentication.keyVault.access: ReadWrite`, or let the party that stores the key rotate it.",
        traits=Trait.ROTATION_STATUS,
    ),
    Reason.NOT_LEADING: row(
        "The resource does not lead the cache, so it neither stores nor rotates the cache's keys.",
        "Set the cache's tag `secureredis-leader` to the value that the message names, or remove that tag where the "
        "resource owns the cache. Exactly one resource leads.",
        on=ON_CREDENTIALS,
        traits=Trait.ROTATION_STATUS,
    ),
    Reason.GEO_REPLICATED: row(
        "The cache is linked for geo-replication, so the operator does not rotate its keys.",
        "Unlink the caches, rotate, and link them again. Or rotate manually, one cache after the other.",
        traits=Trait.ROTATION_STATUS,
    ),
    Reason.APPROVAL_REQUIRED: row(
        "The first rotation would regenerate a key that something outside the cluster may use.",
        "Make sure that no one uses the key that the message names, then set the annotation it names. Or state "
        "`authentication.rotation.otherConsumers: None`.",
        traits=Trait.ROTATION_WAIT | Trait.ROTATION_STATUS,
    ),
    Reason.OVERLAP_NOT_OVER: row(
        "The key that would be regenerated was current until not long ago. Consumers outside the cluster may hold it.",
        "Wait until the time that the message names, or lower `authentication.rotation.minimumOverlapHours`.",
        traits=Trait.ROTATION_WAIT | Trait.ROTATION_STATUS,
    ),
    Reason.OUTSIDE_WINDOW: row(
        "A scheduled rotation, a correction or the move of workloads to a new key waits for its maintenance window.",
        "Wait, or request it now: a rotation by the annotation `secureredis.io/rotate`, a correction by "
        "`secureredis.io/allow-disruption: <path>`, a move by `secureredis.io/allow-disruption: workloads`.",
        on={ConditionType.DRIFT_DETECTED, ConditionType.WORKLOADS_CURRENT},
        traits=Trait.ROTATION_WAIT | Trait.ROTATION_STATUS | Trait.ABOUT_CORRECTION,
    ),
    Reason.HOLDERS_BEHIND: row(
        "Pods may still hold the key, so the operator does not regenerate it.",
        "Restart the pods that status.rotation.holders and status.workloads name, or list their workloads in "
        "spec.workloads.",
        traits=Trait.ROTATION_STATUS,
    ),
    Reason.FORCE_NOT_ALLOWED: row(
        "An emergency rotation that does not wait for pods was requested, without the permission for it.",
        "It requires `authentication.rotation.otherConsumers: None` and the power Rotate in the operator's "
        "configuration "
        "(grants or caps). A value that begins with `emergency-` requires neither and waits for the pods.",
        traits=Trait.ROTATION_STATUS,
    ),
    Reason.REGENERATING: row(
        "Azure regenerates a key, or the operator does not know yet whether Azure did.",
        "Wait. The operator checks the key again before it repeats the request.",
        traits=Trait.ROTATION_STEP | Trait.ROTATION_STATUS,
    ),
    Reason.KEY_NOT_ACCEPTED: row(
        "The cache does not accept the regenerated key yet, so the operator does not store it.",
        "Wait. Azure may require some minutes. Consumers keep the other key, which is unchanged.",
        traits=Trait.ROTATION_STATUS,
    ),
    Reason.ROTATION_SUPERSEDED: row(
        "Another party stored another key during the rotation. The operator uses that key and ended the rotation.",
        "Let exactly one tool rotate the key.",
        traits=Trait.ROTATION_STATUS,
    ),
}
