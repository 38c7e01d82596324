"""What can be asked of a Microsoft.Cache/redisEnterprise cluster yet: to be read and judged, nothing more."""

from collections.abc import Iterator

from secure_redis.api.azure_ids import Service
from secure_redis.api.reasons.reason import Reason
from secure_redis.api.resource import SecureRedisCache
from secure_redis.api.spec.spec import DeletionPolicy, Mode
from secure_redis.domain.observe.unknown import Unknown


def unsupported(resource: SecureRedisCache) -> Unknown | None:
    """Why a resource on a cluster cannot be served; None: it can, or is on a Microsoft.Cache/redis.

    The schema refuses each of these when an object is written. One that was stored under an earlier schema comes here.
    """
    if resource.cache.service is not Service.MANAGED_REDIS:
        return None
    asked = list(_asked(resource))
    if not asked:
        return None
    it = "it" if len(asked) == 1 else "them"
    return Unknown(
        Reason.SERVICE_NOT_SUPPORTED_YET,
        f"{', '.join(asked)} can be asked of a Microsoft.Cache/redis only; a Microsoft.Cache/redisEnterprise is read "
        f"and judged, so remove {it} to have it assessed",
        permanent=True,
    )


def _asked(resource: SecureRedisCache) -> Iterator[str]:
    spec = resource.spec
    if spec.mode is Mode.PROVISION:
        yield "spec.mode Provision"
    if spec.deletion_policy is DeletionPolicy.DELETE:
        yield "spec.deletionPolicy Delete"
    if spec.authentication is not None:
        yield "spec.authentication"
    if spec.workloads:
        yield "spec.workloads"
    if spec.persistence is not None:
        yield "spec.persistence"
    connection = spec.connection
    if connection.secret_name or connection.database or connection.keys or connection.labels or connection.annotations:
        yield "spec.connection"
    if spec.network.firewall_rules is not None:
        yield "spec.network.firewallRules"
    if spec.drift.correct:
        yield "spec.drift.correct"
