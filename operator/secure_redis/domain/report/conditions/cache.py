"""The conditions of the cache, of whichever service. The cache's service chooses the file that has its own part."""

from collections.abc import Mapping
from typing import Any, Final, Protocol, TypeVar

from secure_redis.api.azure_ids import Service
from secure_redis.api.reasons.catalogue import has
from secure_redis.api.reasons.reason import Reason
from secure_redis.api.reasons.row import Trait
from secure_redis.api.resource import SecureRedisCache
from secure_redis.domain.assess.persistence import required as required_persistence
from secure_redis.domain.observe.cache import Cache, CacheAbsent
from secure_redis.domain.observe.observation import Observation
from secure_redis.domain.observe.unknown import Unknown
from secure_redis.domain.plan.cache import creation
from secure_redis.domain.plan.outcomes import Failed
from secure_redis.domain.plan.types import Plan
from secure_redis.domain.report.conditions import managed_redis, redis
from secure_redis.domain.report.conditions.condition_state import FALSE, UNKNOWN, ConditionState

C_contra = TypeVar("C_contra", bound=Cache, contravariant=True)


class ServiceConditions(Protocol[C_contra]):
    """The conditions of a cache that was read, as far as they differ between services."""

    def available(self, cache: C_contra, plan: Plan, /) -> ConditionState:
        """Report whether the cache serves, and under which host and port."""

    def transport(
        self, cache: C_contra, resource: SecureRedisCache, observed: Observation, available: ConditionState, /
    ) -> ConditionState:
        """Report whether clients can connect by TLS 1.2 or newer only."""

    def persistence(
        self, cache: C_contra, resource: SecureRedisCache, observed: Observation, plan: Plan, failures: list[Failed], /
    ) -> ConditionState | None:
        """Report whether what is persisted is encrypted all the way to the key. None: nothing is persisted."""


# Any: a cache's service and its type go together.
SERVICES: Final[Mapping[Service, ServiceConditions[Any]]] = {
    Service.REDIS: redis,
    Service.MANAGED_REDIS: managed_redis,
}


def cache_available(
    resource: SecureRedisCache, observed: Observation, plan: Plan, failures: list[Failed]
) -> ConditionState:
    """Compose the condition CacheAvailable."""
    cache = observed.cache
    if isinstance(observed.identity, Unknown):
        return ConditionState(UNKNOWN, observed.identity.reason, observed.identity.message)
    if isinstance(cache, Unknown):
        return ConditionState(UNKNOWN, cache.reason, _explained(resource, cache))
    if isinstance(cache, CacheAbsent):
        explained = next(iter(plan.blocked), None) or plan.waiting
        if failures:
            return ConditionState(FALSE, failures[0].reason, _explained(resource, failures[0]))
        if explained is not None:
            return ConditionState(FALSE, explained.reason, explained.message)
        return ConditionState(FALSE, Reason.CACHE_NOT_FOUND, cache.message)
    if isinstance(cache, Cache):
        return SERVICES[cache.service].available(cache, plan)
    if resource.paused and plan.waiting is not None:
        return ConditionState(UNKNOWN, Reason.PAUSED, plan.waiting.message)
    return ConditionState(UNKNOWN, Reason.PENDING, "the cache was not read yet")


def _explained(resource: SecureRedisCache, failed: Unknown | Failed) -> str:
    if has(failed.reason, Trait.MISSING_RIGHT) and not creation.was_observed(resource):
        return creation.denied(resource, failed.message)
    return failed.message


def transport_secured(resource: SecureRedisCache, observed: Observation, available: ConditionState) -> ConditionState:
    """Compose the condition TransportSecured."""
    cache = observed.cache
    if isinstance(cache, Cache):
        return SERVICES[cache.service].transport(cache, resource, observed, available)
    return ConditionState(UNKNOWN, available.reason, available.message)


def persistence_encrypted(
    resource: SecureRedisCache, observed: Observation, plan: Plan, failures: list[Failed], available: ConditionState
) -> ConditionState | None:
    """Compose the condition PersistenceEncrypted. None: nothing is persisted, and no persistence is declared."""
    cache = observed.cache
    if isinstance(cache, Cache):
        return SERVICES[cache.service].persistence(cache, resource, observed, plan, failures)
    required = required_persistence(resource) is not None
    return ConditionState(UNKNOWN, available.reason, available.message) if required else None
