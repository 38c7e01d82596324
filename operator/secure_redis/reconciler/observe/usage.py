"""Reads how the namespace uses the cache: connections without TLS, and other Secrets that contain its key."""

import asyncio
from collections.abc import Iterable
from dataclasses import replace
from typing import Final

from secure_redis.api.resource import SecureRedisCache
from secure_redis.domain.assess import plaintext
from secure_redis.domain.observe.cache import Cache
from secure_redis.domain.observe.leak_search import keys_to_search
from secure_redis.domain.observe.observation import Observation
from secure_redis.domain.observe.unknown import NOT_READ_YET, NotRead, Unknown
from secure_redis.domain.observe.workloads import WorkloadFacts
from secure_redis.kube.foreign_secrets import ForeignSecrets
from secure_redis.kube.workloads.config_maps import ConfigMaps
from secure_redis.reconciler.edge import guarded
from secure_redis.reconciler.pass_state import PassState

_WAIT_SECONDS: Final = 5.0
_SOON_SECONDS: Final = 10.0


class Usage:
    """Reads what the rules T7 and W2 assess."""

    def __init__(self, config_maps: ConfigMaps, foreign_secrets: ForeignSecrets) -> None:
        self._config_maps = config_maps
        self._foreign_secrets = foreign_secrets

    async def connections(
        self, resource: SecureRedisCache, observed: Observation, found: Iterable[WorkloadFacts], *, fresh: bool
    ) -> Observation:
        """Add which settings of the listed workloads (among `found`) name the cache without TLS."""
        host = observed.cache.host_name if isinstance(observed.cache, Cache) else None
        if host is None or resource.deleting or not resource.spec.workloads:
            return observed
        workloads = tuple(found)
        required = plaintext.config_maps(resource, workloads)
        config = await self._config_maps.read(resource.key.namespace, required, fresh=fresh)
        return replace(
            observed,
            plaintext_uses=plaintext.plaintext_uses(resource, workloads, host, config),
            plaintext_unread=plaintext.unread(resource, workloads, config),
        )

    async def copies(self, resource: SecureRedisCache, observed: Observation, pass_state: PassState) -> Observation:
        """Add which other Secrets of the namespace contain a key of the cache, or a connection to it without TLS.

        A pass does not wait long: a search that takes longer goes on and serves the next pass, which comes soon.
        """
        host = observed.cache.host_name if isinstance(observed.cache, Cache) else None
        idle = host is None or resource.deleting or resource.spec.authentication is None
        if idle or host is None or not self._foreign_secrets.enabled:
            return observed
        keys = keys_to_search(observed)
        searched = () if isinstance(keys, Unknown) else keys
        space, names = resource.key.namespace, plaintext.names_of(host)
        try:
            async with asyncio.timeout(_WAIT_SECONDS):
                search = self._foreign_secrets.search(space, searched, names, fresh=pass_state.refresh)
                found = await guarded(search, "the other Secrets of the namespace")
        except TimeoutError:
            pass_state.next_pass_within = min(pass_state.next_pass_within or _SOON_SECONDS, _SOON_SECONDS)
            return replace(observed, secret_copies=NOT_READ_YET)
        if isinstance(keys, Unknown) and not isinstance(found, Unknown | NotRead) and not found:
            found = keys  # nothing was found, and the key was not searched for
        return replace(observed, secret_copies=found)
