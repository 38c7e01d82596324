"""Microsoft.Cache/redisEnterprise: its reasons, one row each."""

from collections.abc import Mapping
from typing import Final

from secure_redis.api.reasons.reason import ConditionType, Reason
from secure_redis.api.reasons.row import ON_CACHE, ReasonRow, Trait, row

MANAGED_REASONS: Final[Mapping[Reason, ReasonRow]] = {
    Reason.SERVICE_NOT_SUPPORTED_YET: row(
        "The spec declares for a Microsoft.Cache/redisEnterprise what this version does for Microsoft.Cache/redis "
        "only. Such a cluster is read and judged; its keys are not published and nothing of it is written.",
        "Remove the field that the message names: without it the cluster is assessed.",
        on=ON_CACHE,
        traits=Trait.TERMINAL,
    ),
    Reason.DATABASE_MISSING: row(
        "The cluster has no database named default, so there is nothing to connect to.",
        "Create it: `az redisenterprise database create --cluster-name <name>`.",
        on={ConditionType.READY, ConditionType.CACHE_AVAILABLE, ConditionType.TRANSPORT_SECURED},
    ),
    Reason.PLAINTEXT_PROTOCOL: row(
        "The cluster's database speaks without TLS (clientProtocol Plaintext).",
        "`az redisenterprise database update --cluster-name <name> --client-protocol Encrypted`; where Azure refuses "
        "that, create another cluster and move. Clients must speak TLS first.",
        on={ConditionType.TRANSPORT_SECURED},
        rules={"T3", "T4"},
    ),
}
