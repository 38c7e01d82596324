"""Reads the storage account that a cache persists into, its blob service and its encryption key."""

from collections.abc import Callable
from dataclasses import dataclass, replace

from secure_redis.api.azure_ids import StorageAccountID
from secure_redis.api.resource import Key, SecureRedisCache
from secure_redis.azure.core.resource_manager import ResourceManager
from secure_redis.azure.governance.reads import Governance
from secure_redis.azure.keyvault.encryption_keys import KeyVaults
from secure_redis.azure.storage.accounts import StorageAccounts
from secure_redis.azure.storage.lookup import find_account
from secure_redis.domain.assess import persistence
from secure_redis.domain.explanation import Explanation
from secure_redis.domain.grants import (
    GrantPolicy,
    Power,
    storage_scopes,
)
from secure_redis.domain.observe.governance import RoleAssignmentFacts
from secure_redis.domain.observe.identity import Identity
from secure_redis.domain.observe.observation import Observation
from secure_redis.domain.observe.redis import Redis
from secure_redis.domain.observe.storage import (
    BlobServiceFacts,
    EncryptionKeyFacts,
    StorageAbsent,
    StorageFacts,
)
from secure_redis.domain.observe.unknown import NOT_READ, NotRead, Unknown
from secure_redis.kube.secrets import Secrets
from secure_redis.reconciler.edge import guarded
from secure_redis.reconciler.observe.permission import refused
from secure_redis.reconciler.pass_state import PassState

_RETRY_SECONDS = 60.0  # seconds until what could not be read is read again


@dataclass(frozen=True, slots=True)
class _Chain:
    """The facts of one account. `key`: which identity read it, and where it searched for the account."""

    key: tuple[Identity, str]
    at: float
    storage: StorageFacts | StorageAbsent | Unknown
    blob_service: BlobServiceFacts | Unknown | NotRead = NOT_READ
    encryption_key: EncryptionKeyFacts | Unknown | NotRead = NOT_READ

    @property
    def whole(self) -> bool:
        """Whether everything answered, or failed in a way that a quick second read does not change."""
        key = self.encryption_key
        parts = (self.storage, self.blob_service, key)
        inner = (key.vault, key.key) if isinstance(key, EncryptionKeyFacts) else ()
        return not any(isinstance(part, Unknown | StorageAbsent) for part in (*parts, *inner))


class StorageReader:
    """Reads the account, its blob service and its key; before persistence is set also who may write into it."""

    def __init__(
        self,
        *,
        policy: GrantPolicy,
        accounts: StorageAccounts,
        vaults: KeyVaults,
        governance: Governance,
        resource_manager: ResourceManager,
        secrets: Secrets,
        monotonic: Callable[[], float],
        max_age: float,
    ) -> None:
        self._policy = policy
        self._accounts = accounts
        self._vaults = vaults
        self._governance = governance
        self._resource_manager = resource_manager
        self._secrets = secrets
        self._monotonic = monotonic
        self._max_age = max_age
        self._chains: dict[Key, _Chain] = {}

    async def read(
        self,
        resource: SecureRedisCache,
        observed: Observation,
        cache: Redis,
        identity: Identity,
        pass_state: PassState,
    ) -> Observation:
        """Add the account, or why it could not be read; nothing where neither cache nor spec persists."""
        chain = await self._chain(resource, cache, identity, pass_state)
        if chain is None:
            return observed
        observed = replace(
            observed,
            storage=chain.storage,
            blob_service=chain.blob_service,
            encryption_key=chain.encryption_key,
        )
        if persistence.needs_roles(resource, cache):
            observed = replace(observed, storage_roles=await self._roles(resource, cache, identity))
        if persistence.needs_secret(resource, cache):
            name = persistence.secret_name(resource)
            if name is not None:
                secret = await guarded(self._secrets.read(resource.key.namespace, name), f"Secret {name!r}")
                observed = replace(observed, storage_secret=secret)
        return observed

    def forget(self, key: Key) -> None:
        """Forget a resource that is gone, or persists nothing."""
        self._chains.pop(key, None)

    async def _chain(
        self, resource: SecureRedisCache, cache: Redis, identity: Identity, pass_state: PassState
    ) -> _Chain | None:
        place = persistence.account_to_follow(resource, cache)
        if place is None:
            self.forget(resource.key)
            return None
        key = (identity, str(place))
        cached = self._chains.get(resource.key)
        if cached is not None and cached.key == key and not pass_state.refresh:
            age = self._max_age if cached.whole else min(_RETRY_SECONDS, self._max_age)
            if self._monotonic() - cached.at < age:
                return cached
        at = self._monotonic()
        account: StorageAccountID | Unknown
        if isinstance(place, persistence.Named):
            account = await self._find(resource, identity, place)
        else:
            account = place
        if isinstance(account, Unknown):
            chain = _Chain(key, at, account)
        else:
            chain = await self._follow(resource, identity, account, key, at)
        self._chains[resource.key] = chain
        return chain

    async def _find(
        self, resource: SecureRedisCache, identity: Identity, named: persistence.Named
    ) -> StorageAccountID | Unknown:
        namespace = resource.key.namespace
        scopes = storage_scopes(self._policy, identity, namespace, resource.cache, named.subscription, named.name)
        if isinstance(scopes, Explanation):
            return Unknown(scopes.reason, scopes.message, permanent=True)
        found = find_account(self._resource_manager, identity, named.subscription, named.name, scopes)
        return await guarded(found, "where the storage account is")

    async def _follow(
        self,
        resource: SecureRedisCache,
        identity: Identity,
        account: StorageAccountID,
        key: tuple[Identity, str],
        at: float,
    ) -> _Chain:
        denied = self._refused(resource, identity, account)
        if denied is not None:
            return _Chain(key, at, denied)
        storage = await guarded(self._accounts.read(identity, account), "the storage account")
        if not isinstance(storage, StorageFacts):
            return _Chain(key, at, storage)
        blobs = await guarded(self._accounts.blob_service(identity, account), "the blob service")
        chain = _Chain(key, at, storage, NOT_READ if isinstance(blobs, StorageAbsent) else blobs)
        if storage.encryption is not None and storage.encryption.customer_managed:
            key_of_account = self._vaults.encryption_key(identity, storage)
            chain = replace(chain, encryption_key=await guarded(key_of_account, "the encryption key"))
        return chain

    def _refused(self, resource: SecureRedisCache, identity: Identity, account: StorageAccountID) -> Unknown | None:
        return refused(self._policy, identity, resource, Power.OBSERVE, storage=account)

    async def _roles(
        self, resource: SecureRedisCache, cache: Redis, identity: Identity
    ) -> tuple[RoleAssignmentFacts, ...] | Unknown | NotRead:
        """Read in every pass: an administrator is about to assign the role, and the pass waits for it."""
        account, principal = persistence.declared_account(resource), persistence.principal(cache)
        if not isinstance(account, StorageAccountID) or principal is None:
            return NOT_READ
        denied = self._refused(resource, identity, account)
        if denied is not None:
            return denied
        roles = self._governance.role_assignments(identity, account, principal)
        return await guarded(roles, "the roles at the storage account")
