"""The write to a Microsoft.Cache/redis cache that a pass plans."""

from functools import partial

from secure_redis.api.resource import SecureRedisCache
from secure_redis.api.spec.spec import Mode
from secure_redis.domain.assess.assessment import Assessment
from secure_redis.domain.observe.cache import CacheAbsent
from secure_redis.domain.observe.identity import NamespaceIdentity, OperatorIdentity
from secure_redis.domain.observe.observation import Observation
from secure_redis.domain.observe.redis import Redis
from secure_redis.domain.observe.unknown import Unknown
from secure_redis.domain.plan.cache import creation
from secure_redis.domain.plan.cache.provisioning import Creation, change, create, store_key
from secure_redis.domain.plan.cache.redis_corrections import next_correction
from secure_redis.domain.plan.types import Plan, Settings


def unsupported(_resource: SecureRedisCache) -> Unknown | None:
    """Return None: everything that the spec can declare is supported."""
    return None


def provision(resource: SecureRedisCache, observed: Observation, assessed: Assessment, settings: Settings) -> Plan:
    """Plan the one write to Azure of this pass, if any."""
    identity, cache = observed.identity, observed.cache
    if not isinstance(identity, NamespaceIdentity | OperatorIdentity):
        return Plan()
    target = creation.target(resource)
    if isinstance(cache, CacheAbsent):
        return create(resource, observed, cache, settings, identity, Creation(target, creation.body))
    if not isinstance(cache, Redis):
        return Plan(pending=resource.status.pending)
    if resource.spec.mode is not Mode.PROVISION:
        return store_key(resource, observed, assessed, settings, identity)
    correct = partial(next_correction, resource, observed, cache, assessed.drift or ())
    return change(resource, observed, cache, assessed, settings, identity, target, correct)
