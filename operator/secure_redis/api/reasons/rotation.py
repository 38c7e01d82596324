"""What the reasons around a rotation of keys mean: part of `reason_texts`."""

from collections.abc import Mapping
from typing import Final

from secure_redis.api.reasons.reason import Reason
from secure_redis.api.reasons.text import ReasonText, text

ROTATION_REASONS: Final[Mapping[Reason, ReasonText]] = {
    Reason.ROTATING: text("A key is being rotated; status.rotation tells how far it is.", "Wait."),
    Reason.ROTATED: text("The last rotation was completed: every known pod holds the new key."),
    Reason.ROTATION_SCHEDULED: text("The next rotation is due at status.rotation.dueAt."),
    Reason.ROTATION_READ_ONLY: text(
        "A rotation was asked for, but the resource only reads the key from Key Vault.",
        "Set authentication.keyVault.access: ReadWrite, or let whoever stores the key rotate it.",
    ),
    Reason.NOT_LEADING: text(
        "The resource does not lead the cache, so it may neither store nor rotate the cache's keys.",
        "Set the cache's tag `secureredis-leader` to the value that the message names, or remove that tag where the "
        "resource owns the cache. Exactly one resource leads.",
    ),
    Reason.GEO_REPLICATED: text(
        "The cache is linked for geo-replication; its keys are not rotated.",
        "Unlink the caches, rotate, and link them again; or rotate by hand, one cache after the other.",
    ),
    Reason.APPROVAL_REQUIRED: text(
        "The first rotation would regenerate a key that something outside the cluster may use.",
        "Make sure that nobody uses the key that the message names, then set the annotation it names; or state "
        "`authentication.rotation.otherConsumers: None`.",
    ),
    Reason.OVERLAP_NOT_OVER: text(
        "The key that would be regenerated was current until not long ago; consumers outside the cluster may hold it.",
        "Wait until the time that the message names, or lower `authentication.rotation.minimumOverlapHours`.",
    ),
    Reason.OUTSIDE_WINDOW: text(
        "A scheduled rotation waits for its maintenance window.",
        "Wait, or ask for it now by the annotation `secureredis.io/rotate`.",
    ),
    Reason.HOLDERS_BEHIND: text(
        "Pods may still hold the key that would be regenerated, so it is not.",
        "Restart the pods that status.rotation.holders and status.workloads name, or list their workloads in "
        "spec.workloads.",
    ),
    Reason.FORCE_NOT_ALLOWED: text(
        "An emergency rotation that does not wait for pods was asked for without the right to it.",
        "It needs `authentication.rotation.otherConsumers: None` and the power Rotate in the operator's configuration "
        "(grants or caps); `emergency-<anything>` needs neither and waits for the pods.",
    ),
    Reason.REGENERATING: text(
        "A key is being regenerated in Azure, or it is not known yet whether it was.",
        "Wait; it is looked at again before it is asked for once more.",
    ),
    Reason.KEY_NOT_ACCEPTED: text(
        "The cache does not accept the regenerated key yet, so it is not stored.",
        "Wait; Azure may take minutes. Consumers keep the other key, which is untouched.",
    ),
    Reason.ROTATION_SUPERSEDED: text(
        "Somebody else stored another key during the rotation; theirs is followed and the rotation ended.",
        "Let exactly one tool rotate the key.",
    ),
}
