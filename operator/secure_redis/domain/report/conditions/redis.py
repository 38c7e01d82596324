"""The conditions of a Microsoft.Cache/redis cache."""

from secure_redis.api.reasons.reason import Reason
from secure_redis.api.resource import SecureRedisCache
from secure_redis.domain.assess.encryption_chain import follow
from secure_redis.domain.assess.persistence import wanted as wanted_persistence
from secure_redis.domain.explanation import Refusal
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
from secure_redis.domain.report.conditions.verdict import (
    FALSE,
    TRUE,
    UNKNOWN,
    Verdict,
)
from secure_redis.domain.report.endpoint_status import aside, only_recalled, wrong


def cache_available(resource: SecureRedisCache, seen: Observation, plan: Plan, failures: list[Failed]) -> Verdict:
    """The condition CacheAvailable."""
    cache = of_either(seen)
    if isinstance(seen.identity, Unknown):
        return Verdict(UNKNOWN, seen.identity.reason, seen.identity.message)
    if isinstance(cache, Unknown):
        return Verdict(UNKNOWN, cache.reason, cache.message)
    if isinstance(cache, CacheAbsent):
        said = next(iter(plan.refused), None) or plan.waiting
        if failures:
            return Verdict(FALSE, failures[0].reason, failures[0].message)
        if said is not None:
            return Verdict(FALSE, said.reason, said.message)
        return Verdict(FALSE, Reason.CACHE_NOT_FOUND, cache.message)
    if isinstance(cache, ManagedFacts):
        return managed_redis.available(cache)
    if not isinstance(cache, CacheFacts):
        if resource.paused and plan.waiting is not None:
            return Verdict(UNKNOWN, Reason.PAUSED, plan.waiting.message)
        return Verdict(UNKNOWN, Reason.PENDING, "the cache was not read yet")
    failed = next((r for r in plan.refused if r.reason is Reason.PROVISIONING_FAILED), None)
    if failed is not None and is_dead(cache.provisioning_state):
        return Verdict(FALSE, failed.reason, failed.message)
    state = cache.provisioning_state
    if is_dead(state):
        reason = Reason.CACHE_DISABLED if state.lower() == "disabled" else Reason.CACHE_FAILED
        return Verdict(
            FALSE, reason, f"Azure reports provisioningState {state}: look at the cache in Azure and repair it"
        )
    if is_busy(state) and (cache.host_name is None or state.lower() in {"creating", "deleting"}):
        waiting = plan.waiting or Refusal(busy_reason(state), busy(state))
        return Verdict(FALSE, waiting.reason, waiting.message)
    if cache.host_name is None or cache.tls_port is None:
        return Verdict(FALSE, Reason.CACHE_FAILED, "Azure reports no host name or no TLS port")
    closed = same_word(cache.public_network_access, "Disabled")
    if closed and not cache.has_approved_private_endpoint and cache.subnet_id is None:
        return Verdict(
            FALSE,
            Reason.NO_ROUTE,
            "public access is off and there is no approved private endpoint: nothing can reach the cache; create a "
            "private endpoint for it and approve it",
        )
    return Verdict(TRUE, Reason.AVAILABLE, f"{cache.host_name}:{cache.tls_port}")


def transport_secured(resource: SecureRedisCache, seen: Observation, available: Verdict) -> Verdict:
    """The condition TransportSecured."""
    cache = of_either(seen)
    if isinstance(cache, ManagedFacts):
        return managed_redis.transport(cache, resource.status, seen, available)
    if not isinstance(cache, CacheFacts):
        return Verdict(UNKNOWN, available.reason, available.message)
    if cache.non_tls_port_enabled:
        return Verdict(FALSE, Reason.NON_TLS_PORT_OPEN, "the non-TLS port is open: keys and data can travel in clear")
    version, floor = cache.minimum_tls_version, tls_version(cache.minimum_tls_version)
    if floor is not None and floor < (1, 2):
        return Verdict(FALSE, Reason.MINIMUM_TLS_TOO_LOW, f"the cache accepts TLS {version}")
    found = next(wrong(seen.endpoint, seen.now), None) if isinstance(seen.endpoint, EndpointFacts) else None
    if found is not None:
        return Verdict(FALSE, *found)
    if cache.non_tls_port_enabled is None:
        return Verdict(UNKNOWN, Reason.UNKNOWN, "Azure did not say whether the non-TLS port is open")
    if floor is None:
        return Verdict(
            UNKNOWN, Reason.MINIMUM_TLS_UNSET, "no minimum TLS version is set on the cache: set it to 1.2 explicitly"
        )
    if only_recalled(resource.status, seen):
        return Verdict(UNKNOWN, Reason.PENDING, "the first look of this process at the endpoint is still to come")
    return Verdict(TRUE, Reason.SECURED, f"TLS {version} at least; the non-TLS port is off{aside(seen)}")


def persistence_encrypted(
    resource: SecureRedisCache, seen: Observation, plan: Plan, failures: list[Failed], available: Verdict
) -> Verdict | None:
    """None: nothing is persisted, and nothing was asked for."""
    if isinstance(seen.managed_cache, ManagedFacts):
        return managed_redis.persistence(seen.managed_cache, seen)
    if not isinstance(seen.cache, CacheFacts):
        asked = wanted_persistence(resource) is not None
        return Verdict(UNKNOWN, available.reason, available.message) if asked else None
    link = follow(resource, seen, held_back(plan, failures))
    if link is None:
        return None
    status = UNKNOWN if link.encrypted is None else TRUE if link.encrypted else FALSE
    return Verdict(status, link.reason, link.message)
