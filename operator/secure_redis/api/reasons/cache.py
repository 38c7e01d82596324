"""A cache and the corrections of it: its reasons, one row each."""

from collections.abc import Mapping
from typing import Final

from secure_redis.api.reasons.reason import ConditionType, Reason
from secure_redis.api.reasons.row import ON_CACHE, ON_CREDENTIALS, ReasonRow, Trait, row

CACHE_REASONS: Final[Mapping[Reason, ReasonRow]] = {
    Reason.AVAILABLE: row("The cache serves under the host and port shown.", on={ConditionType.CACHE_AVAILABLE}),
    Reason.NO_DRIFT: row("Azure has the values that the spec declares.", on={ConditionType.DRIFT_DETECTED}),
    Reason.DRIFTED: row(
        "Fields in Azure differ from what the spec declares. `status.drift` lists them.",
        "Change it in Azure, change the spec, or let the operator correct it: mode Provision and spec.drift.correct.",
        on={ConditionType.DRIFT_DETECTED},
    ),
    Reason.CACHE_NOT_FOUND: row(
        "The cache or its resource group does not exist.",
        "Create it, or correct spec.resourceID. The mode Provision creates a cache, but no resource group.",
        on=ON_CACHE | ON_CREDENTIALS,
    ),
    Reason.CACHE_GONE: row(
        "The cache existed and was deleted in Azure. Its data is lost, so it is not created again by itself.",
        "To create the cache again, delete this resource and create it again.",
        on=ON_CACHE,
        traits=Trait.TERMINAL | Trait.BLOCKS_READY,
    ),
    Reason.CONFIRMING_ABSENCE: row(
        "Azure answered 404 once. The operator reads the cache again before it reports that the cache is missing.",
        "Wait.",
        on=ON_CACHE | {ConditionType.RECONCILING},
        traits=Trait.PROGRESS | Trait.PASSING,
    ),
    Reason.CREATE_INTENDED: row(
        "The operator will create the cache in the next reconcile.",
        "Wait.",
        on=ON_CACHE | {ConditionType.RECONCILING},
        traits=Trait.PROGRESS,
    ),
    Reason.CREATING: row(
        "Azure is creating the cache.",
        "Wait 10 to 20 minutes.",
        on=ON_CACHE | {ConditionType.RECONCILING},
        traits=Trait.PROGRESS,
    ),
    Reason.UPDATING: row(
        "Azure is changing the cache.",
        "Wait.",
        on=ON_CACHE | ON_CREDENTIALS | {ConditionType.RECONCILING},
        traits=Trait.PROGRESS,
    ),
    Reason.DELETING: row(
        "The cache or the resource is being deleted.",
        "Wait.",
        on={ConditionType.READY, ConditionType.RECONCILING, ConditionType.CACHE_AVAILABLE},
        traits=Trait.PROGRESS,
    ),
    Reason.CACHE_FAILED: row(
        "Azure reports the cache as failed or unusable.",
        "Inspect the cache in Azure. Open a support request there.",
        on={ConditionType.READY, ConditionType.CACHE_AVAILABLE},
    ),
    Reason.CACHE_DISABLED: row(
        "Azure has disabled the cache.",
        "Inspect the subscription and the cache in Azure.",
        on={ConditionType.READY, ConditionType.CACHE_AVAILABLE},
        traits=Trait.TERMINAL,
    ),
    Reason.PROVISIONING_FAILED: row(
        "Azure accepted the change and failed to make it. The message names the result.",
        "Correct what the message names. If a failed cache remains in Azure, delete it.",
        on={ConditionType.READY, ConditionType.CACHE_AVAILABLE, ConditionType.DRIFT_DETECTED},
        traits=Trait.TERMINAL | Trait.NOT_REPEATED | Trait.ABOUT_CORRECTION,
    ),
    Reason.RETIRED: row(
        "Azure no longer creates caches of this service for this tenant.",
        "Use Azure Managed Redis, or validate an existing cache. https://aka.ms/AzureCacheForRedisRetirement",
        on=ON_CACHE,
        traits=Trait.TERMINAL | Trait.NOT_REPEATED,
    ),
    Reason.RETIREMENT_ANNOUNCED: row(
        "Microsoft retires the service of the cache. The event and `status.cache.retiresOn` contain the day.",
        "Plan the move to Azure Managed Redis before that day. https://aka.ms/AzureCacheForRedisRetirement",
        traits=Trait.EVENT_ONLY,
    ),
    Reason.NAME_TAKEN: row(
        "The cache's name is in use somewhere in Azure, or was a short while ago.",
        "Choose another name in a new resource. If the cache was deleted a short while ago, wait.",
        on=ON_CACHE,
        traits=Trait.TERMINAL | Trait.NOT_REPEATED,
    ),
    Reason.QUOTA_EXCEEDED: row(
        "The subscription has no quota left, or the region has no capacity left.",
        "Request more quota from Azure, or use another location or SKU.",
        on=ON_CACHE,
        traits=Trait.TERMINAL | Trait.NOT_REPEATED,
    ),
    Reason.REQUEST_REFUSED: row(
        "Azure refused the request as wrong. The message names the error.",
        "Correct what Azure's message names in the spec.",
        on=ON_CACHE | ON_CREDENTIALS,
        traits=Trait.TERMINAL | Trait.BLOCKS_READY | Trait.NOT_REPEATED | Trait.ABOUT_CORRECTION,
    ),
    Reason.BUSY: row(
        "Another operation on the cache is under way in Azure.",
        "Wait.",
        on=ON_CACHE | ON_CREDENTIALS,
        traits=Trait.PASSING,
    ),
    Reason.ADOPTION_REQUIRED: row(
        "The cache exists and this resource did not create it, so the operator changes nothing.",
        "Check status.drift, then annotate `secureredis.io/adopt: <cache name>`.",
        on={ConditionType.READY, ConditionType.DRIFT_DETECTED},
        traits=Trait.TERMINAL | Trait.BLOCKS_READY | Trait.ABOUT_CORRECTION,
    ),
    Reason.OWNED_BY_ANOTHER: row(
        "Another SecureRedisCache provisions this cache.",
        "Use `mode: Validate` here. Any number of resources can validate one cache.",
        on={ConditionType.READY},
        traits=Trait.TERMINAL | Trait.BLOCKS_READY,
    ),
    Reason.NO_ROUTE: row(
        "Public access is off and no private endpoint is approved.",
        "Create a private endpoint and approve it.",
        on={ConditionType.READY, ConditionType.CACHE_AVAILABLE},
    ),
    Reason.WOULD_DISCONNECT: row(
        "The correction would disconnect clients, so the operator does not make it.",
        "Do first what the message names.",
        on={ConditionType.DRIFT_DETECTED},
        traits=Trait.ABOUT_CORRECTION,
    ),
    Reason.DISRUPTION_NOT_ALLOWED: row(
        "The correction would restart the cache, disconnect clients, lose data or require another cache, so the "
        "operator does not make it without your consent.",
        "Check `status.drift[].effect`, then annotate `secureredis.io/allow-disruption: <path>`, or change the spec.",
        on={ConditionType.DRIFT_DETECTED},
        traits=Trait.ABOUT_CORRECTION,
    ),
    Reason.CONTESTED: row(
        "The operator corrected a value twice, and the value came back. Another party sets it, so the operator no "
        "longer corrects it.",
        "Find out who sets it (Activity Log) and agree on one value. Then change the spec or annotate "
        "`secureredis.io/refresh`.",
        on={ConditionType.DRIFT_DETECTED},
        traits=Trait.ABOUT_CORRECTION,
    ),
    Reason.CORRECTING: row(
        "The operator corrects a difference in the next reconcile. The event names the effect.",
        "There is nothing to do.",
        traits=Trait.EVENT_ONLY,
    ),
    Reason.READ_ONLY: row(
        "The operator's configuration has `brakes.readOnly`: the operator writes nothing to Azure or Key Vault.",
        "Set `brakes.readOnly` to false when the operator may write again.",
        on=ON_CACHE | ON_CREDENTIALS,
        traits=Trait.BRAKE | Trait.ABOUT_CORRECTION | Trait.ROTATION_STATUS,
    ),
    Reason.CAPPED: row(
        "The operator made as many corrections or rotations as it may make in an hour (`brakes` in its configuration).",
        "Wait: the operator continues by itself. If you cannot wait, raise the limit.",
        on={ConditionType.DRIFT_DETECTED},
        traits=Trait.BRAKE | Trait.ABOUT_CORRECTION | Trait.ROTATION_STATUS,
    ),
    Reason.MASS_DRIFT: row(
        "Many resources require a correction at the same time, so another cause is likely. All corrections stopped.",
        "Find out what changed (docs/operations.md), then set `brakes.release` to a new value.",
        on={ConditionType.DRIFT_DETECTED},
        traits=Trait.BRAKE | Trait.ABOUT_CORRECTION,
    ),
    Reason.FIRST_LOOK: row(
        "The operator was upgraded. Its first reconcile of the resource only reports.",
        "Wait a minute.",
        on=ON_CACHE | ON_CREDENTIALS,
        traits=Trait.BRAKE | Trait.ABOUT_CORRECTION | Trait.ROTATION_STATUS,
    ),
}
