"""The conditions of a Microsoft.Cache/redis cache that was read."""

from secure_redis.api.reasons.reason import Reason
from secure_redis.api.resource import SecureRedisCache
from secure_redis.domain.assess.encryption_chain import follow
from secure_redis.domain.explanation import Explanation
from secure_redis.domain.observe.cache import LOWEST_TLS
from secure_redis.domain.observe.endpoint import EndpointFacts
from secure_redis.domain.observe.normalise import is_busy, is_dead, tls_version
from secure_redis.domain.observe.observation import Observation
from secure_redis.domain.observe.redis import Redis
from secure_redis.domain.plan.cache.creation import busy, busy_reason
from secure_redis.domain.plan.cache.persistence import blocked_by
from secure_redis.domain.plan.outcomes import Failed
from secure_redis.domain.plan.types import Plan
from secure_redis.domain.report.conditions.condition_state import FALSE, TRUE, UNKNOWN, ConditionState
from secure_redis.domain.report.conditions.route import no_route
from secure_redis.domain.report.endpoint_status import aside, only_recalled, wrong


def available(cache: Redis, plan: Plan) -> ConditionState:
    """Report whether the cache serves, and under which host and port."""
    failed = next((r for r in plan.blocked if r.reason is Reason.PROVISIONING_FAILED), None)
    if failed is not None and is_dead(cache.provisioning_state):
        return ConditionState(FALSE, failed.reason, failed.message)
    state = cache.provisioning_state
    if is_dead(state):
        reason = Reason.CACHE_DISABLED if state.lower() == "disabled" else Reason.CACHE_FAILED
        return ConditionState(
            FALSE, reason, f"Azure reports provisioningState {state}: inspect the cache in Azure and repair it"
        )
    if is_busy(state) and (cache.host_name is None or state.lower() in {"creating", "deleting"}):
        waiting = plan.waiting or Explanation(busy_reason(state), busy(state))
        return ConditionState(FALSE, waiting.reason, waiting.message)
    if cache.host_name is None or cache.tls_port is None:
        return ConditionState(FALSE, Reason.CACHE_FAILED, "Azure reports no host name or no TLS port")
    return no_route(cache) or ConditionState(TRUE, Reason.AVAILABLE, f"{cache.host_name}:{cache.tls_port}")


def transport(cache: Redis, resource: SecureRedisCache, observed: Observation, _: ConditionState) -> ConditionState:
    """Report whether clients can connect by TLS 1.2 or newer only. A known fault comes before an unknown value."""
    if cache.plaintext_open:
        return ConditionState(
            FALSE, Reason.NON_TLS_PORT_OPEN, "the non-TLS port is open: keys and data can travel unencrypted"
        )
    version, floor = cache.minimum_tls_version, tls_version(cache.minimum_tls_version)
    if floor is not None and floor < LOWEST_TLS:
        return ConditionState(FALSE, Reason.MINIMUM_TLS_TOO_LOW, f"the cache accepts TLS {version}")
    found = next(wrong(observed.endpoint, observed.now), None) if isinstance(observed.endpoint, EndpointFacts) else None
    if found is not None:
        return ConditionState(FALSE, *found)
    if cache.plaintext_open is None:
        return ConditionState(UNKNOWN, Reason.UNKNOWN, "Azure did not report whether the non-TLS port is open")
    if floor is None:
        return ConditionState(
            UNKNOWN, Reason.MINIMUM_TLS_UNSET, "no minimum TLS version is set on the cache: set it to 1.2 explicitly"
        )
    if only_recalled(resource.status, observed):
        return ConditionState(UNKNOWN, Reason.PENDING, "this process has not probed the endpoint yet")
    return ConditionState(TRUE, Reason.SECURED, f"TLS {version} at least; the non-TLS port is off{aside(observed)}")


def persistence(
    cache: Redis, resource: SecureRedisCache, observed: Observation, plan: Plan, failures: list[Failed]
) -> ConditionState | None:
    """Report whether what is persisted is encrypted all the way to the key. None: nothing is persisted or declared."""
    link = follow(resource, observed, cache, blocked_by(plan, failures))
    if link is None:
        return None
    status = UNKNOWN if link.encrypted is None else TRUE if link.encrypted else FALSE
    return ConditionState(status, link.reason, link.message)
