"""Checks, before a read, whether the identity may be used for it."""

from secure_redis.api.azure_ids import StorageAccountID
from secure_redis.api.resource import SecureRedisCache
from secure_redis.domain.grants import GrantPolicy, Power, VaultTarget, refuse
from secure_redis.domain.observe.identity import Identity
from secure_redis.domain.observe.unknown import Unknown


def refused(
    policy: GrantPolicy,
    identity: Identity,
    resource: SecureRedisCache,
    power: Power,
    *,
    vault: VaultTarget | None = None,
    storage: StorageAccountID | None = None,
) -> Unknown | None:
    """Explain why the read is not made; None: it may be made."""
    why = refuse(policy, identity, resource.key.namespace, power, cache=resource.cache, vault=vault, storage=storage)
    return None if why is None else Unknown(why.reason, why.message, permanent=True)
