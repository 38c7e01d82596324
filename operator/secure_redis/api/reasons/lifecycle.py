"""A resource as a whole: its spec, its goal, its deletion, and the operator itself: its reasons, one row each."""

from collections.abc import Mapping
from typing import Final

from secure_redis.api.reasons.reason import ConditionType, Reason
from secure_redis.api.reasons.row import JUDGED, ON_CACHE, ON_CREDENTIALS, SAFETY, ReasonRow, Trait, row

LIFECYCLE_REASONS: Final[Mapping[Reason, ReasonRow]] = {
    Reason.PENDING: row(
        "The operator has not read it yet.",
        "Wait. If it lasts, check whether the operator runs.",
        on=ON_CACHE | ON_CREDENTIALS | JUDGED | {ConditionType.WORKLOADS_CURRENT},
        traits=Trait.PROGRESS | Trait.PASSING | Trait.ROTATION_STEP,
    ),
    Reason.READY: row("Everything that the spec declares is in place for this generation.", on={ConditionType.READY}),
    Reason.NOT_READY: row(
        "The operator could not judge this. The condition that the message names explains why.",
        "Do what the message of that condition says.",
        on=JUDGED,
    ),
    Reason.ASSESSED: row(
        "The operator read and judged the cache. The spec declares no Secret.", on={ConditionType.READY}
    ),
    Reason.COMPLIANT: row("No rule of severity Medium or higher failed.", on={ConditionType.COMPLIANT}),
    Reason.PROGRESSING: row("Work is under way.", "Wait.", on=ON_CREDENTIALS, traits=Trait.PROGRESS),
    Reason.PAUSED: row(
        "The annotation secureredis.io/paused stops all writes.",
        "To resume, remove the annotation.",
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
        "The namespace has more resources, or uses more ServiceAccounts, than the operator's limits allow. The oldest "
        "are served.",
        "Delete some, use fewer ServiceAccounts or another namespace, or have `limits` raised in the operator's "
        "configuration. A Secret that was published stays, but is not kept current.",
        on={ConditionType.READY},
    ),
    Reason.UNKNOWN_ANNOTATION: row(
        "An annotation that begins with `secureredis.io/` has no effect on a SecureRedisCache. Or the operator omits a "
        "label or an annotation of spec.connection, because by it a tool would copy or change the Secret.",
        "Correct its name, or remove it. The event names the annotation that comes closest.",
        traits=Trait.EVENT_ONLY,
    ),
    Reason.UNKNOWN: row(
        "The operator could not read it. The message gives the cause.",
        "Follow the message.",
        on=ON_CACHE | JUDGED | ON_CREDENTIALS | {ConditionType.WORKLOADS_CURRENT},
        traits=Trait.PASSING | Trait.WORKLOAD_REFUSED,
    ),
    Reason.FINDINGS: row(
        "Security rules failed, or the operator could not judge them.",
        "Fix each finding in `status.compliance.findings`.",
        on={ConditionType.COMPLIANT},
    ),
    Reason.CONFIRMATION_REQUIRED: row(
        "The operator would delete the cache with its data. A person must confirm that by the cache's name.",
        'Annotate `secureredis.io/confirm-delete: <cache name>`, or `secureredis.io/abandon: "true"` to keep it.',
        on={ConditionType.READY},
    ),
    Reason.DELETION_UNKNOWN: row(
        "The operator cannot read the cache, so it does not know what it would delete.",
        'Repair what the message names, or annotate `secureredis.io/abandon: "true"` to keep the cache.',
        on=ON_CACHE,
    ),
    Reason.ABANDONED: row(
        "The deletion ended before its work was done. The cache, the Secret and the injections stay as they are.",
        traits=Trait.EVENT_ONLY,
    ),
    Reason.RETAINED: row(
        "The operator finished the work of the deletion and kept the cache. The resource is deleted.",
        traits=Trait.EVENT_ONLY,
    ),
    Reason.OPERATED_BY_ANOTHER: row(
        "Another install of the operator serves this resource. This one does not change it.",
        "Uninstall one of the two. If the other one is permanently gone, remove its annotation: "
        "`kubectl annotate srcache --all -A secureredis.io/operator-`.",
        traits=Trait.EVENT_ONLY,
    ),
    Reason.OPERATOR_GONE: row(
        "The annotation `secureredis.io/operator` names an install of the operator that does not run, so no operator "
        "observes the resource. This install does not change it, because the other one could come back.",
        "Make sure that the other install is permanently gone, or never existed. Then remove the annotation: "
        "`kubectl annotate srcache NAME secureredis.io/operator-`. This install then serves the resource immediately.",
        on=SAFETY,
    ),
    Reason.INTERNAL_ERROR: row(
        "The operator has a defect, or received an answer that it does not expect. The message contains the class of "
        "the "
        "error. While it lasts, the operator reports nothing as safe.",
        "Report it with the operator's log, which has where it happened (`failed unexpectedly`).",
        on=SAFETY,
        traits=Trait.WORKLOAD_REFUSED,
    ),
    Reason.PASS_DEADLINE: row(
        "Azure, a vault, the endpoint or the API server answered too slowly for one reconcile, so the rest is unknown "
        "or "
        "was not written. The next reconcile continues.",
        "If it lasts, check the vault and the metric `secureredis_azure_request_duration_seconds`.",
        on=SAFETY,
        traits=Trait.PASSING | Trait.WORKLOAD_REFUSED,
    ),
    Reason.NOT_OBSERVED: row(
        "The operator has not observed the resource for three times its interval, and at least 15 minutes. The last "
        "observation is too old to count as safe.",
        "Search the operator's log for the resource. The metric `secureredis_namespace_passes_waiting` shows whether "
        "reconciles wait.",
        on=SAFETY,
    ),
}
