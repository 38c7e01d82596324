"""What the reasons around Microsoft.Cache/redisEnterprise mean: part of `reason_texts`."""

from collections.abc import Mapping
from typing import Final

from secure_redis.api.reasons.reason import Reason
from secure_redis.api.reasons.text import ReasonText, text

MANAGED_REASONS: Final[Mapping[Reason, ReasonText]] = {
    Reason.SERVICE_NOT_SUPPORTED_YET: text(
        "The spec asks of a Microsoft.Cache/redisEnterprise cluster what this version does for Microsoft.Cache/redis "
        "only. Such a cluster is read and judged; its keys are not published and nothing of it is written.",
        "Remove the field that the message names: without it the cluster is assessed.",
        terminal=True,
    ),
    Reason.DATABASE_MISSING: text(
        "The cluster has no database named default, so there is nothing to connect to.",
        "Create it: `az redisenterprise database create --cluster-name <name>`.",
    ),
    Reason.PLAINTEXT_PROTOCOL: text(
        "The cluster's database speaks without TLS (clientProtocol Plaintext).",
        "`az redisenterprise database update --cluster-name <name> --client-protocol Encrypted`; where Azure refuses "
        "that, create another cluster and move. Clients must speak TLS first.",
    ),
}
