"""Follows persistence to the account that holds the data, at the slow cadence of what stands around a cache."""

from collections.abc import Callable
from dataclasses import dataclass, replace

from secure_redis.api.azure_ids import StorageAccountID
from secure_redis.api.resource import SecureRedisCache
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
    refuse,
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
from secure_redis.reconciler.pass_state import PassState

_AGAIN = 60.0  # seconds until what could not be read is asked for again


@dataclass(frozen=True, slots=True)
class _Chain:
    """What was read of one account. `key`: by whom, and for which place it was looked."""

    key: tuple[Identity, str]
    at: float
    storage: StorageFacts | StorageAbsent | Unknown
    blob_service: BlobServiceFacts | Unknown | NotRead = NOT_READ
    encryption_key: EncryptionKeyFacts | Unknown | NotRead = NOT_READ

    @property
    def whole(self) -> bool:
        """Whether everything answered, or something that a quick look again will not change."""
        key = self.encryption_key
        parts = (self.storage, self.blob_service, key)
        inner = (key.vault, key.key) if isinstance(key, EncryptionKeyFacts) else ()
        return not any(isinstance(part, Unknown | StorageAbsent) for part in (*parts, *inner))


class StorageObserver:
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
        self._surroundings = governance
        self._resource_manager = resource_manager
        self._secrets = secrets
        self._monotonic = monotonic
        self._max_age = max_age

    async def observe(
        self,
        resource: SecureRedisCache,
        observed: Observation,
        cache: Redis,
        identity: Identity,
        pass_state: PassState,
    ) -> Observation:
        """Add what is known of the account, or why it could not be read. Nothing persisted or asked for: nothing."""
        chain = await self._chain(resource, cache, identity, pass_state)
        if chain is None:
            return observed
        observed = replace(
            observed,
            storage=chain.storage,
            blob_service=chain.blob_service,
            encryption_key=chain.encryption_key,
        )
        if persistence.wants_roles(resource, cache):
            observed = replace(observed, storage_roles=await self._roles(resource, cache, identity))
        if persistence.wants_secret(resource, cache):
            name = persistence.secret_name(resource)
            if name is not None:
                observed = replace(observed, storage_secret=await self._secrets.read(resource.key.namespace, name))
        return observed

    async def _chain(
        self, resource: SecureRedisCache, cache: Redis, identity: Identity, pass_state: PassState
    ) -> _Chain | None:
        place = persistence.place(resource, cache)
        if place is None:
            pass_state.storage = None
            return None
        key = (identity, str(place))
        held = pass_state.storage
        if isinstance(held, _Chain) and held.key == key and not pass_state.refresh:
            age = self._max_age if held.whole else min(_AGAIN, self._max_age)
            if self._monotonic() - held.at < age:
                return held
        at = self._monotonic()
        account: StorageAccountID | Unknown
        if isinstance(place, persistence.Named):
            account = await self._find(resource, identity, place)
        else:
            account = place
        if isinstance(account, Unknown):
            return self._keep(_Chain(key, at, account), pass_state)
        return self._keep(await self._read(resource, identity, account, key, at), pass_state)

    async def _find(
        self, resource: SecureRedisCache, identity: Identity, named: persistence.Named
    ) -> StorageAccountID | Unknown:
        namespace = resource.key.namespace
        scopes = storage_scopes(self._policy, identity, namespace, resource.cache, named.subscription, named.name)
        if isinstance(scopes, Explanation):
            return Unknown(scopes.reason, scopes.message, permanent=True)
        return await find_account(self._resource_manager, identity, named.subscription, named.name, scopes)

    async def _read(
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
        storage = await self._accounts.read(identity, account)
        if not isinstance(storage, StorageFacts):
            return _Chain(key, at, storage)
        blobs = await self._accounts.blob_service(identity, account)
        chain = _Chain(key, at, storage, NOT_READ if isinstance(blobs, StorageAbsent) else blobs)
        if storage.encryption is not None and storage.encryption.customer_managed:
            chain = replace(chain, encryption_key=await self._vaults.encryption_key(identity, storage))
        return chain

    def _refused(self, resource: SecureRedisCache, identity: Identity, account: StorageAccountID) -> Unknown | None:
        refusal = refuse(
            self._policy, identity, resource.key.namespace, Power.OBSERVE, cache=resource.cache, storage=account
        )
        return None if refusal is None else Unknown(refusal.reason, refusal.message, permanent=True)

    async def _roles(
        self, resource: SecureRedisCache, cache: Redis, identity: Identity
    ) -> tuple[RoleAssignmentFacts, ...] | Unknown | NotRead:
        """Read at every look: somebody is waiting for the role."""
        account, principal = persistence.wanted_account(resource), persistence.principal(cache)
        if not isinstance(account, StorageAccountID) or principal is None:
            return NOT_READ
        denied = self._refused(resource, identity, account)
        if denied is not None:
            return denied
        return await self._surroundings.role_assignments(identity, account, principal)

    def _keep(self, chain: _Chain, pass_state: PassState) -> _Chain:
        pass_state.storage = chain
        return chain
