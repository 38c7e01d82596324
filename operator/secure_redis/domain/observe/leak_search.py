"""Which keys may be looked for in Secrets that are not ours (rule W2). Pure."""

from pydantic import SecretStr

from secure_redis.api.reasons.reason import Reason
from secure_redis.domain.observe.cache import Cache
from secure_redis.domain.observe.keys import (
    AuthenticationResult,
    ListedKeys,
    ProvenBy,
    VaultSecretFacts,
)
from secure_redis.domain.observe.observation import Observation
from secure_redis.domain.observe.unknown import Unknown


def needles(observed: Observation) -> tuple[SecretStr, ...] | Unknown:
    """Keys of the cache that nobody could have chosen.

    What a vault holds is one only if Azure listed it or the cache itself accepted it. By the vault's word alone (its
    tag), whoever writes to the vault could ask, value by value, what lies in other people's Secrets.
    """
    if isinstance(observed.keys, ListedKeys):
        return (observed.keys.primary, observed.keys.secondary)
    vault = observed.vault
    tried = observed.authentication is AuthenticationResult.ACCEPTED
    earlier = observed.proven is not None and observed.proven.by in (ProvenBy.LISTED, ProvenBy.AUTHENTICATED)
    picky = isinstance(observed.cache, Cache) and not observed.cache.authentication_disabled  # else it takes any key
    if isinstance(vault, VaultSecretFacts) and vault.value is not None and picky and (tried or earlier):
        return (vault.value,)
    return Unknown(
        Reason.KEY_UNPROVEN,
        "no key is known that Azure listed or the cache accepted, so that none is looked for",
        permission="Microsoft.Cache/redis/listKeys/action",
    )
