"""Microsoft.Cache/redisEnterprise: its reasons, one row each."""

from collections.abc import Mapping
from typing import Final

from secure_redis.api.reasons.reason import ConditionType, Reason
from secure_redis.api.reasons.row import ON_CACHE, ON_CREDENTIALS, ReasonRow, Trait, row

MANAGED_REASONS: Final[Mapping[Reason, ReasonRow]] = {
    Reason.SERVICE_NOT_SUPPORTED_YET: row(
        "The spec declares a setting that a Microsoft.Cache/redisEnterprise does not have.",
        "Remove the field that the message names.",
        on=ON_CACHE,
        traits=Trait.TERMINAL,
    ),
    Reason.INSUFFICIENT_CAPACITY: row(
        "Azure had no capacity for the cluster, so its creation failed. The operator removes what Azure left behind of "
        "the creation, and tries again after an hour. Usually the region is short of capacity, and not the size.",
        "Wait, or create the cache in another region or with another SKU by a new resource.",
        on=ON_CACHE,
        traits=Trait.TERMINAL | Trait.BLOCKS_READY | Trait.NOT_REPEATED | Trait.ABOUT_CORRECTION,
    ),
    Reason.SIZE_NOT_OFFERED: row(
        "Azure does not offer this SKU as a new size of the cluster.",
        "Use a SKU that the message lists, or move to another cache.",
        on={ConditionType.DRIFT_DETECTED},
        traits=Trait.ABOUT_CORRECTION,
    ),
    Reason.DATABASE_MISSING: row(
        "The cluster has no database named default, so there is nothing to connect to.",
        "Create it. The operator creates a database only as a part of its own creation of a cluster.",
        on={ConditionType.READY, ConditionType.CACHE_AVAILABLE, ConditionType.TRANSPORT_SECURED},
    ),
    Reason.PLAINTEXT_PROTOCOL: row(
        "The cluster's database speaks without TLS (clientProtocol Plaintext).",
        "Move the clients to TLS first, then set the protocol. If Azure refuses that, create another cluster and move.",
        on={ConditionType.TRANSPORT_SECURED} | ON_CREDENTIALS,
        rules={"T3", "T4"},
    ),
}
