"""Plan nothing for a Microsoft.Cache/redisEnterprise cluster, because it is only assessed."""

from collections.abc import Iterator

from secure_redis.api.reasons.reason import Reason
from secure_redis.api.resource import SecureRedisCache
from secure_redis.api.spec.spec import Connection, DeletionPolicy, Mode
from secure_redis.domain.assess.assessment import Assessment
from secure_redis.domain.observe.observation import Observation
from secure_redis.domain.observe.unknown import Unknown
from secure_redis.domain.plan.types import Plan, Settings


def unsupported(resource: SecureRedisCache) -> Unknown | None:
    """Name what a resource declares beyond an assessment; None: nothing.

    The schema refuses each of these when an object is written. An object that was stored under an earlier schema can
    still have one.
    """
    redis_only = list(_redis_only(resource))
    if not redis_only:
        return None
    it = "it" if len(redis_only) == 1 else "them"
    return Unknown(
        Reason.SERVICE_NOT_SUPPORTED_YET,
        f"{', '.join(redis_only)} can be declared for a Microsoft.Cache/redis only; a Microsoft.Cache/redisEnterprise "
        f"is read and judged, so remove {it} to have it assessed",
        permanent=True,
    )


def provision(resource: SecureRedisCache, _observed: Observation, _assessed: Assessment, _settings: Settings) -> Plan:
    """Plan no write."""
    return Plan(pending=resource.status.pending)


def _redis_only(resource: SecureRedisCache) -> Iterator[str]:
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
    if connection.model_copy(update={"deletion_policy": DeletionPolicy.RETAIN}) != Connection():
        yield "spec.connection"
    if spec.network.firewall_rules:
        yield "spec.network.firewallRules"
    if spec.drift.correct:
        yield "spec.drift.correct"
