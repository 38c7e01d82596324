"""Reads the identity that a resource uses in Azure."""

from typing import Final

from secure_redis.api import names
from secure_redis.api.resource import SecureRedisCache
from secure_redis.api.sharing import Shared
from secure_redis.domain.explanation import Explanation
from secure_redis.domain.grants import GrantPolicy, resolve_identity
from secure_redis.domain.observe.identity import Identity
from secure_redis.domain.observe.unknown import Unknown
from secure_redis.kube.service_accounts import ServiceAccounts
from secure_redis.reconciler.edge import guarded

_shared: Final = Shared(1024)  # what was read with an identity is kept under it, for each resource


class IdentityReader:
    """Reads the ServiceAccount and decides by the grants whose identity is used."""

    def __init__(self, accounts: ServiceAccounts, policy: GrantPolicy) -> None:
        self._accounts = accounts
        self._policy = policy

    async def read(self, resource: SecureRedisCache) -> Identity | Unknown:
        """Return the identity, or why there is none."""
        name = resource.spec.identity.service_account_name or names.DEFAULT_SERVICE_ACCOUNT
        account = await guarded(self._accounts.read(resource.key.namespace, name), f"ServiceAccount {name!r}")
        identity = resolve_identity(resource, account, self._policy)
        if isinstance(identity, Explanation):
            return Unknown(identity.reason, identity.message)
        return _shared(identity)
