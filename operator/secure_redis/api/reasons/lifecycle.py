"""A resource as a whole: its spec, its goal, its deletion, and the operator itself: its reasons, one row each."""

from collections.abc import Mapping
from typing import Final

from secure_redis.api.reasons.reason import ConditionType, Reason
from secure_redis.api.reasons.row import JUDGED, ON_CACHE, ON_CREDENTIALS, SAFETY, ReasonRow, Trait, row

LIFECYCLE_REASONS: Final[Mapping[Reason, ReasonRow]] = {
    Reason.PENDING: row(
        "The operator has not read it yet.",
        "Wait; if it lasts, check whether the operator runs.",
        on=ON_CACHE | ON_CREDENTIALS | JUDGED | {ConditionType.WORKLOADS_CURRENT},
        traits=Trait.PROGRESS | Trait.PASSING | Trait.ROTATION_STEP,
    ),
    Reason.READY: row("What the spec declares is in place for this generation.", on={ConditionType.READY}),
    Reason.NOT_READY: row(
        "This could not be judged; the condition that the message names explains why.",
        "Do what the message of that condition says.",
        on=JUDGED,
    ),
    Reason.ASSESSED: row("The cache was read and judged; no Secret is declared.", on={ConditionType.READY}),
    Reason.COMPLIANT: row("No rule of weight failed.", on={ConditionType.COMPLIANT}),
    Reason.PROGRESSING: row("Work is under way.", "Wait.", on=ON_CREDENTIALS, traits=Trait.PROGRESS),
    Reason.PAUSED: row(
        "All writes are stopped by the annotation secureredis.io/paused.",
        "Remove the annotation to go on.",
        on=ON_CACHE | ON_CREDENTIALS | {ConditionType.WORKLOADS_CURRENT},
        traits=Trait.PROGRESS | Trait.PASSING,
    ),
    Reason.INVALID_SPEC: row(
        "The spec holds something the schema should have refused.",
        "Correct the field the message names.",
        on={ConditionType.READY, ConditionType.DRIFT_DETECTED, ConditionType.WORKLOADS_CURRENT},
        traits=Trait.TERMINAL | Trait.ABOUT_CORRECTION,
    ),
    Reason.INVALID_RESOURCE_ID: row(
        "spec.resourceID is not the id of a Redis cache.",
        "Copy it from `az redis show --query id`. Once a cache was observed it cannot be changed: then create another "
        "resource.",
        on={ConditionType.READY},
        traits=Trait.TERMINAL,
    ),
    Reason.LIMIT_REACHED: row(
        "The namespace has more resources, or uses more ServiceAccounts, than the operator's limits allow; the oldest "
        "are served.",
        "Delete some, use fewer ServiceAccounts or another namespace, or have `limits` raised in the operator's "
        "configuration. A Secret that was published stays, but is not kept current.",
        on={ConditionType.READY},
    ),
    Reason.UNKNOWN_ANNOTATION: row(
        "An annotation that begins with `secureredis.io/` has no effect on a SecureRedisCache, or a label or an "
        "annotation of spec.connection is left out of the Secret, because a tool would copy or change the Secret.",
        "Correct its name, or remove it. The event names the annotation that comes closest.",
        traits=Trait.EVENT_ONLY,
    ),
    Reason.UNKNOWN: row(
        "It could not be read.",
        "Read the message.",
        on=ON_CACHE | JUDGED | ON_CREDENTIALS | {ConditionType.WORKLOADS_CURRENT},
        traits=Trait.PASSING | Trait.WORKLOAD_REFUSED,
    ),
    Reason.FINDINGS: row(
        "Rules failed or could not be judged.", "See status.compliance.findings.", on={ConditionType.COMPLIANT}
    ),
    Reason.CONFIRMATION_REQUIRED: row(
        "The cache would be deleted with its data; that must be confirmed by name.",
        'Annotate `secureredis.io/confirm-delete: <cache name>`, or `secureredis.io/abandon: "true"` to keep it.',
        on={ConditionType.READY},
    ),
    Reason.DELETION_UNKNOWN: row(
        "The cache cannot be read, so it is not known what would be deleted.",
        'Repair what the message names, or annotate `secureredis.io/abandon: "true"` to keep the cache.',
        on=ON_CACHE,
    ),
    Reason.ABANDONED: row(
        "The deletion ended before its work was done; the cache, the Secret and the injections stay as they are.",
        traits=Trait.EVENT_ONLY,
    ),
    Reason.RETAINED: row(
        "The deletion had work to end, and the resource went; the cache was kept.", traits=Trait.EVENT_ONLY
    ),
    Reason.OPERATED_BY_ANOTHER: row(
        "Another install of the operator serves this resource; this one does not change it.",
        "Uninstall one of the two. If the other one is gone for good, remove its annotation: "
        "`kubectl annotate srcache --all -A secureredis.io/operator-`.",
        traits=Trait.EVENT_ONLY,
    ),
    Reason.OPERATOR_GONE: row(
        "The annotation `secureredis.io/operator` names an install of the operator that does not run, so no operator "
        "observes the resource. This install does not change it, because the other one could come back.",
        "Make sure that the other install is gone for good, or never was. Then remove the annotation: "
        "`kubectl annotate srcache NAME secureredis.io/operator-`. This install takes the resource up at once.",
        on=SAFETY,
    ),
    Reason.INTERNAL_ERROR: row(
        "The operator met a fault of its own, or an answer that it does not expect. The message has the class of the "
        "error. While it lasts, nothing is reported as safe.",
        "Report it with the operator's log, which has where it happened (`failed unexpectedly`).",
        on=SAFETY,
        traits=Trait.WORKLOAD_REFUSED,
    ),
    Reason.PASS_DEADLINE: row(
        "Azure, a vault, the endpoint or the API server answered too slowly for one pass, so what was left is not "
        "known or was not written. The next pass goes on.",
        "Nothing if it passes; else see `secureredis_azure_request_duration_seconds`, and check the vault.",
        on=SAFETY,
        traits=Trait.PASSING | Trait.WORKLOAD_REFUSED,
    ),
    Reason.NOT_OBSERVED: row(
        "No pass has observed the resource for three times its interval, and at least 15 minutes. What was known is "
        "too old to count as safe.",
        "Search the operator's log for the resource. `secureredis_namespace_passes_waiting` shows whether passes wait.",
        on=SAFETY,
    ),
}
