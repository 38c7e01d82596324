"""The conditions of a Microsoft.Cache/redis cache."""

from secure_redis.api.reasons.reason import Reason
from secure_redis.api.resource import SecureRedisCache
from secure_redis.domain.assess.encryption_chain import follow
from secure_redis.domain.assess.persistence import wanted as wanted_persistence
from secure_redis.domain.explanation import Explanation
from secure_redis.domain.observe.endpoint import EndpointFacts
from secure_redis.domain.observe.managed_redis import ManagedFacts
from secure_redis.domain.observe.normalise import (
    is_busy,
    is_dead,
    same_word,
    tls_version,
)
from secure_redis.domain.observe.observation import Observation, of_either
from secure_redis.domain.observe.redis import CacheAbsent, CacheFacts
from secure_redis.domain.observe.unknown import Unknown
from secure_redis.domain.plan.actions import (
    Failed,
)
from secure_redis.domain.plan.cache.creation import busy, busy_reason
from secure_redis.domain.plan.cache.persistence import held_back
from secure_redis.domain.plan.types import Plan
from secure_redis.domain.report.conditions import managed_redis
from secure_redis.domain.report.conditions.condition_state import (
    FALSE,
    TRUE,
    UNKNOWN,
    ConditionState,
)
from secure_redis.domain.report.endpoint_status import aside, only_recalled, wrong


def cache_available(
    resource: SecureRedisCache, observed: Observation, plan: Plan, failures: list[Failed]
) -> ConditionState:
    """The condition CacheAvailable."""
    cache = of_either(observed)
    if isinstance(observed.identity, Unknown):
        return ConditionState(UNKNOWN, observed.identity.reason, observed.identity.message)
    if isinstance(cache, Unknown):
        return ConditionState(UNKNOWN, cache.reason, cache.message)
    if isinstance(cache, CacheAbsent):
        said = next(iter(plan.blocked), None) or plan.waiting
        if failures:
            return ConditionState(FALSE, failures[0].reason, failures[0].message)
        if said is not None:
            return ConditionState(FALSE, said.reason, said.message)
        return ConditionState(FALSE, Reason.CACHE_NOT_FOUND, cache.message)
    if isinstance(cache, ManagedFacts):
        return managed_redis.available(cache)
    if not isinstance(cache, CacheFacts):
        if resource.paused and plan.waiting is not None:
            return ConditionState(UNKNOWN, Reason.PAUSED, plan.waiting.message)
        return ConditionState(UNKNOWN, Reason.PENDING, "the cache was not read yet")
    failed = next((r for r in plan.blocked if r.reason is Reason.PROVISIONING_FAILED), None)
    if failed is not None and is_dead(cache.provisioning_state):
        return ConditionState(FALSE, failed.reason, failed.message)
    state = cache.provisioning_state
    if is_dead(state):
        reason = Reason.CACHE_DISABLED if state.lower() == "disabled" else Reason.CACHE_FAILED
        return ConditionState(
            FALSE, reason, f"Azure reports provisioningState {state}: look at the cache in Azure and repair it"
        )
    if is_busy(state) and (cache.host_name is None or state.lower() in {"creating", "deleting"}):
        waiting = plan.waiting or Explanation(busy_reason(state), busy(state))
        return ConditionState(FALSE, waiting.reason, waiting.message)
    if cache.host_name is None or cache.tls_port is None:
        return ConditionState(FALSE, Reason.CACHE_FAILED, "Azure reports no host name or no TLS port")
    closed = same_word(cache.public_network_access, "Disabled")
    if closed and not cache.has_approved_private_endpoint and cache.subnet_id is None:
        return ConditionState(
            FALSE,
            Reason.NO_ROUTE,
            "public access is off and there is no approved private endpoint: nothing can reach the cache; create a "
            "private endpoint for it and approve it",
        )
    return ConditionState(TRUE, Reason.AVAILABLE, f"{cache.host_name}:{cache.tls_port}")


def transport_secured(resource: SecureRedisCache, observed: Observation, available: ConditionState) -> ConditionState:
    """The condition TransportSecured."""
    cache = of_either(observed)
    if isinstance(cache, ManagedFacts):
        return managed_redis.transport(cache, resource.status, observed, available)
    if not isinstance(cache, CacheFacts):
        return ConditionState(UNKNOWN, available.reason, available.message)
    if cache.non_tls_port_enabled:
        return ConditionState(
            FALSE, Reason.NON_TLS_PORT_OPEN, "the non-TLS port is open: keys and data can travel in clear"
        )
    version, floor = cache.minimum_tls_version, tls_version(cache.minimum_tls_version)
    if floor is not None and floor < (1, 2):
        return ConditionState(FALSE, Reason.MINIMUM_TLS_TOO_LOW, f"the cache accepts TLS {version}")
    found = next(wrong(observed.endpoint, observed.now), None) if isinstance(observed.endpoint, EndpointFacts) else None
    if found is not None:
        return ConditionState(FALSE, *found)
    if cache.non_tls_port_enabled is None:
        return ConditionState(UNKNOWN, Reason.UNKNOWN, "Azure did not say whether the non-TLS port is open")
    if floor is None:
        return ConditionState(
            UNKNOWN, Reason.MINIMUM_TLS_UNSET, "no minimum TLS version is set on the cache: set it to 1.2 explicitly"
        )
    if only_recalled(resource.status, observed):
        return ConditionState(
            UNKNOWN, Reason.PENDING, "the first look of this process at the endpoint is still to come"
        )
    return ConditionState(TRUE, Reason.SECURED, f"TLS {version} at least; the non-TLS port is off{aside(observed)}")


def persistence_encrypted(
    resource: SecureRedisCache, observed: Observation, plan: Plan, failures: list[Failed], available: ConditionState
) -> ConditionState | None:
    """None: nothing is persisted, and nothing was asked for."""
    if isinstance(observed.managed_cache, ManagedFacts):
        return managed_redis.persistence(observed.managed_cache, observed)
    if not isinstance(observed.cache, CacheFacts):
        asked = wanted_persistence(resource) is not None
        return ConditionState(UNKNOWN, available.reason, available.message) if asked else None
    link = follow(resource, observed, held_back(plan, failures))
    if link is None:
        return None
    status = UNKNOWN if link.encrypted is None else TRUE if link.encrypted else FALSE
    return ConditionState(status, link.reason, link.message)
