"""Choose the keys to search for in foreign Secrets (rule W2). Pure."""

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


def keys_to_search(observed: Observation) -> tuple[SecretStr, ...] | Unknown:
    """Return the keys of the cache that no person could have chosen.

    The value in a vault is such a key only if Azure listed it or the cache itself accepted it. If the vault's tag alone
    were enough, a writer of the vault could find out, value by value, what other Secrets contain.
    """
    if isinstance(observed.keys, ListedKeys):
        return (observed.keys.primary, observed.keys.secondary)
    vault = observed.vault
    tried = observed.authentication is AuthenticationResult.ACCEPTED
    earlier = observed.proven is not None and observed.proven.by in (ProvenBy.LISTED, ProvenBy.AUTHENTICATED)
    # Without authentication, the cache accepts any key.
    authenticates = isinstance(observed.cache, Cache) and not observed.cache.authentication_disabled
    if isinstance(vault, VaultSecretFacts) and vault.value is not None and authenticates and (tried or earlier):
        return (vault.value,)
    return Unknown(
        Reason.KEY_UNPROVEN,
        "no key is known that Azure listed or the cache accepted, so none is searched for",
        permission="Microsoft.Cache/redis/listKeys/action",
    )
