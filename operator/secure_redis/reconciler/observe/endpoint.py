"""Reads what the probes last found at a cache's endpoint."""

from secure_redis.api.resource import Key, SecureRedisCache
from secure_redis.api.spec.spec import Probe
from secure_redis.domain.observe import probe_target
from secure_redis.domain.observe.cache import Cache
from secure_redis.domain.observe.observation import Observation
from secure_redis.domain.observe.observation import changed as replace
from secure_redis.domain.observe.unknown import Unknown
from secure_redis.domain.report.endpoint_status import awaited, recalled
from secure_redis.reconciler.observe.probes import Probes
from secure_redis.reconciler.pass_state import PassState


class EndpointReader:
    """Takes the last result and waits for nothing. Only an endpoint that ARM reported to this identity is probed."""

    def __init__(self, probes: Probes) -> None:
        self._probes = probes

    def read(self, resource: SecureRedisCache, observed: Observation, pass_state: PassState) -> Observation:
        """Add the last result, unless the cache was not read or the spec disables the probe."""
        cache = observed.cache
        if not isinstance(cache, Cache) or resource.spec.transport.probe is Probe.DISABLED:
            return observed
        endpoint = probe_target.target(cache)
        if isinstance(endpoint, Unknown):
            self.forget(resource.key)
            return replace(observed, endpoint=endpoint)
        found = self._probes.latest(
            resource.key,
            endpoint,
            settings=probe_target.settings_of(cache),
            refresh=resource.refresh if pass_state.refresh else None,
            recalled=recalled(resource.status, endpoint),
            awaited=awaited(resource.status),
        )
        return replace(observed, endpoint=found)

    def forget(self, key: Key) -> None:
        """Forget a resource that is gone, or needs no probe any more."""
        self._probes.leave(key)
