"""How a Microsoft.Cache/redisEnterprise cluster is compared with its spec. It is only read, so it has no owner."""

from dataclasses import replace

from secure_redis.api.resource import SecureRedisCache
from secure_redis.domain.assess.drift import ORDER, Drift, minimum_tls, public_access
from secure_redis.domain.assess.ownership import Ownership
from secure_redis.domain.observe.managed_redis import ManagedRedis
from secure_redis.domain.observe.observation import Observation

COMPARED: tuple[str, ...] = ("transport.minimumTLSVersion", "network.publicAccess")


def differences(cluster: ManagedRedis, resource: SecureRedisCache, _: Observation) -> tuple[Drift, ...]:
    """Compare transport and network with the spec. The operator cannot correct what differs."""
    found = [*minimum_tls(resource, cluster), *public_access(resource, cluster)]
    found.sort(key=lambda entry: ORDER[entry.drift_class])
    return tuple(replace(entry, correctable=False) for entry in found)


def owner(_cluster: ManagedRedis, _cluster_uid: str, _resource_uid: str) -> Ownership | None:
    """None: the operator creates and adopts no cluster."""
    return None
