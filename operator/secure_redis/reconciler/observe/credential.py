"""Reads the credential: the key in the vault, and as much as proves that it is a live key of the cache."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Protocol

from pydantic import SecretStr

from secure_redis.api.azure_ids import Service
from secure_redis.api.resource import SecureRedisCache
from secure_redis.azure.cache_client import CacheClient
from secure_redis.azure.keyvault.secrets import Vaults
from secure_redis.domain.assess.key import keys_not_accepted, needs_authentication, needs_keys
from secure_redis.domain.grants import GrantPolicy, Power, VaultTarget
from secure_redis.domain.observe.cache import Cache
from secure_redis.domain.observe.identity import Identity
from secure_redis.domain.observe.keys import AuthenticationResult, VaultSecretFacts
from secure_redis.domain.observe.observation import Observation
from secure_redis.domain.observe.observation import changed as replace
from secure_redis.domain.observe.unknown import Unknown
from secure_redis.domain.plan.rotation import required_reads
from secure_redis.reconciler.edge import guarded
from secure_redis.reconciler.observe.ages import Ages
from secure_redis.reconciler.observe.permission import refused
from secure_redis.reconciler.pass_state import PassState, proof_subject


class Authenticate(Protocol):
    """AUTH over verified TLS (see `probe.authentication`)."""

    def __call__(self, host: str, port: int, password: SecretStr) -> Awaitable[AuthenticationResult | Unknown]:
        """Try one AUTH."""


class CredentialReader:
    """Reads the vault's secret; lists keys and tries AUTH only where no earlier proof of this version counts."""

    def __init__(
        self,
        *,
        policy: GrantPolicy,
        clients: Mapping[Service, CacheClient],
        vaults: Vaults,
        authenticate: Authenticate,
        ages: Ages,
        monotonic: Callable[[], float],
    ) -> None:
        self._policy = policy
        self._clients = clients
        self._vaults = vaults
        self._authenticate = authenticate
        self._ages = ages
        self._monotonic = monotonic

    async def read(
        self, resource: SecureRedisCache, observed: Observation, identity: Identity, pass_state: PassState
    ) -> Observation:
        """Add the vault's secret and its proof, or why it could not be read."""
        settings, cache = resource.spec.authentication, observed.cache
        if settings is None or not isinstance(cache, Cache):
            return observed
        vault = VaultTarget(settings.key_vault.uri, settings.key_vault.secret_name)
        denied = refused(self._policy, identity, resource, Power.PUBLISH_KEY, vault=vault)
        if denied is not None:
            return replace(observed, vault=denied)
        age = 0.0 if observed.cache_fresh or pass_state.refresh else self._ages.of(resource)
        current = self._vaults.current(identity, vault.uri, vault.secret_name, settings.key_vault.version, max_age=age)
        found = await guarded(current, "the secret in Key Vault")
        observed = replace(observed, vault=found)
        cached = pass_state.proof
        if isinstance(found, VaultSecretFacts) and cached is not None and not pass_state.refresh:
            rotating = required_reads.open_mark(resource, observed) is not None
            age = self._ages.proof_in_rotation if rotating else self._ages.proof
            same = cached.subject == proof_subject(identity, resource.cache, vault, found)
            if same and self._monotonic() - cached.at < age:
                return replace(observed, proven=cached.proven)
        return await self._with_proof(resource, observed, identity, cache)

    async def _with_proof(
        self, resource: SecureRedisCache, observed: Observation, identity: Identity, cache: Cache
    ) -> Observation:
        if keys_not_accepted(cache) is not None or cache.port_unknown is not None:
            return observed  # a key could not be published, and Azure may answer anything to a request for the keys
        if needs_keys(resource, identity, observed.vault, observed.proven, observed.now):
            listed = self._clients[cache.service].list_keys(identity, resource.cache)
            observed = replace(observed, keys=await guarded(listed, "the cache's keys"))
        vault, host, port = observed.vault, cache.host_name, cache.tls_port
        needed = needs_authentication(resource, identity, vault, observed.keys, observed.proven, observed.now)
        if needed and isinstance(vault, VaultSecretFacts) and vault.value is not None and host and port:
            tried = await guarded(self._authenticate(host, port, vault.value), "the answer to AUTH")
            observed = replace(observed, authentication=tried)
        return observed
