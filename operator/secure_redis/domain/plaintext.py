"""Which listed workloads are set to reach the cache without TLS. Pure."""

from collections.abc import Iterable

from secure_redis.api.resource import SecureRedisCache
from secure_redis.domain.further_facts import PlaintextUse
from secure_redis.domain.injection import matches
from secure_redis.domain.observation import WorkloadFacts


def plaintext_uses(
    resource: SecureRedisCache, workloads: Iterable[WorkloadFacts], host: str
) -> tuple[PlaintextUse, ...]:
    """Entries of the listed workloads' environments that name `host` (as Azure reports it) in clear."""
    first, _, rest = host.lower().partition(".")
    names = {host.lower(), f"{first}.privatelink.{rest}"}  # the name that a private endpoint has besides
    return tuple(
        PlaintextUse(facts.kind, facts.name, container.name, env.name)
        for facts in workloads
        if not facts.deleting and any(matches(entry, facts) for entry in resource.spec.workloads)
        for container in facts.containers
        for env in container.env
        if not names.isdisjoint(env.in_clear)
    )
