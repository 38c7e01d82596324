"""Reads what the next step of a rotation is decided by."""

from collections.abc import Mapping
from datetime import datetime

from secure_redis.api.azure_ids import Service
from secure_redis.api.resource import SecureRedisCache
from secure_redis.azure.cache_client import CacheClient
from secure_redis.domain.observe.cache import Cache
from secure_redis.domain.observe.identity import Identity
from secure_redis.domain.observe.keys import AuthenticationResult, ListedKeys
from secure_redis.domain.observe.observation import Observation
from secure_redis.domain.observe.observation import changed as replace
from secure_redis.domain.observe.unknown import NotRead
from secure_redis.domain.plan import types
from secure_redis.domain.plan.rotation import required_reads
from secure_redis.reconciler.edge import guarded
from secure_redis.reconciler.observe.credential import Authenticate
from secure_redis.reconciler.pass_state import PassState

FRESH_AUTHENTICATIONS = 3


class RotationReader:
    """Lists the keys where a regeneration is due, and tries whether the cache accepts a regenerated one."""

    def __init__(
        self, *, settings: types.Settings, clients: Mapping[Service, CacheClient], authenticate: Authenticate
    ) -> None:
        self._settings = settings
        self._clients = clients
        self._authenticate = authenticate

    async def read(
        self, resource: SecureRedisCache, observed: Observation, identity: Identity, pass_state: PassState
    ) -> Observation:
        """Add the listed keys, the last attempt and the AUTH with the new key, as far as the next step needs them."""
        cache, attempt = observed.cache, required_reads.attempt_of(resource, observed)
        if attempt is not None:
            observed = replace(observed, attempted=_attempted(observed, attempt, pass_state))
        if (
            not isinstance(cache, Cache)
            or cache.keys_are_off
            or not required_reads.needs_keys(resource, observed, self._settings)
        ):
            return observed
        if isinstance(observed.keys, NotRead):
            # An earlier proof does not cover the keys that are listed now.
            listed = self._clients[cache.service].list_keys(identity, resource.cache)
            keys = await guarded(listed, "the cache's keys")
            observed = replace(observed, keys=keys, proven=None if isinstance(keys, ListedKeys) else observed.proven)
        new, host, port = required_reads.candidate(resource, observed), cache.host_name, cache.tls_port
        if new is None or not host or not port:
            return observed
        tried = await guarded(self._authenticate(host, port, new), "the answer to AUTH")
        for _ in range(FRESH_AUTHENTICATIONS - 1):  # behind one name there are several nodes
            if tried is AuthenticationResult.ACCEPTED:
                tried = await guarded(self._authenticate(host, port, new), "the answer to AUTH")
        return replace(observed, regenerated=tried)


def _attempted(observed: Observation, attempt: str, pass_state: PassState) -> datetime | None:
    """Return when a marked regeneration may last have been requested from Azure.

    An earlier process may have requested it at any time until this process first observed that the key is marked.
    """
    if pass_state.regeneration is None or pass_state.regeneration[0] != attempt:
        pass_state.regeneration = (attempt, observed.now)
    return pass_state.regeneration[1]
