"""TODO"""

from dataclasses import replace

from secure_redis.api.resource import SecureRedisCache
from secure_redis.domain.assess.drift import (
    NOT_SET,
    ORDER,
    Drift,
    minimum_tls,
    public,
)
from secure_redis.domain.observe.managed_redis import ManagedFacts


def managed_differences(resource: SecureRedisCache, cluster: ManagedFacts) -> tuple[Drift, ...]:
    """What of transport and network differs in a Managed Redis cluster, which is read only: nothing is correctable."""
    # Docstring of Microsoft's SDK: null is returned for clusters of an old interface version, which do not have it.
    absent = f"{NOT_SET} (a cluster made with an old interface has no such setting)"
    found = [
        *minimum_tls(resource, cluster.minimum_tls_version),
        *public(resource, cluster.public_network_access, absent),
    ]
    found.sort(key=lambda entry: ORDER[entry.drift_class])
    return tuple(replace(entry, correctable=False) for entry in found)
