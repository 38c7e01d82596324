"""Compare what a cache persists, into which account and as whom, with the spec. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass

from secure_redis.api.azure_ids import StorageAccountID
from secure_redis.api.resource import SecureRedisCache
from secure_redis.api.spec.persistence import Persistence, PersistenceType, StorageAuthentication
from secure_redis.api.spec.spec import DriftClass, Mode
from secure_redis.domain.assess.drift import NOT_REPORTED
from secure_redis.domain.observe.redis import PersistenceFacts, Redis

TYPE = "persistence.type"
FREQUENCY = "persistence.frequencyMinutes"
ACCOUNT = "persistence.storage.accountID"
AUTHENTICATION = "persistence.storage.authentication"
PATHS = (TYPE, FREQUENCY, ACCOUNT, AUTHENTICATION)


@dataclass(frozen=True, slots=True)
class Named:
    """An account of which only the name is known, and the subscription it should lie in."""

    subscription: str
    name: str


@dataclass(frozen=True, slots=True)
class Difference:
    """A field of spec.persistence that differs from Azure."""

    path: str
    declared: str
    observed: str
    drift_class: DriftClass
    correctable: bool = True
    note: str = ""


def kind(facts: PersistenceFacts) -> PersistenceType:
    """Return how the cache persists now."""
    if facts.rdb:
        return PersistenceType.RDB
    return PersistenceType.AOF if facts.aof else PersistenceType.NONE


def authentication(facts: PersistenceFacts) -> StorageAuthentication:
    """Return how the cache authenticates at its account now."""
    by_identity = facts.by_identity
    return StorageAuthentication.MANAGED_IDENTITY if by_identity else StorageAuthentication.CONNECTION_STRING


def required(resource: SecureRedisCache) -> Persistence | None:
    """Return the declared persistence that has to be on; None where nothing or `None` is declared."""
    declared = resource.spec.persistence
    return None if declared is None or declared.type is PersistenceType.NONE else declared


def declared_account(resource: SecureRedisCache) -> StorageAccountID | None:
    """Return the account that the spec names."""
    declared = resource.spec.persistence
    return declared.storage.account if declared is not None and declared.storage is not None else None


def same_account(account: StorageAccountID, facts: PersistenceFacts) -> bool:
    """Whether the cache persists into this account: names of accounts are unique in a cloud."""
    return facts.account is not None and facts.account.lower() == account.name.lower()


def elsewhere(resource: SecureRedisCache, facts: PersistenceFacts) -> bool:
    """Whether the cache persists, and into another account than the one that is declared."""
    account = declared_account(resource)
    return facts.on and account is not None and facts.account is not None and not same_account(account, facts)


def account_to_follow(resource: SecureRedisCache, cache: Redis) -> StorageAccountID | Named | None:
    """Find the account to follow: where the data lies, and before there is any, where it is to lie. None: nowhere."""
    facts, account = cache.persistence, declared_account(resource)
    moving = resource.spec.mode is Mode.PROVISION and DriftClass.SECURITY in resource.spec.drift.correct
    followed = account is not None and (required(resource) is not None or facts.on)
    if followed and (moving or not elsewhere(resource, facts)):
        return account
    if not facts.on or facts.account is None:
        return None
    return Named(facts.subscription or cache.resource_id.subscription, facts.account)


def principal(cache: Redis) -> str | None:
    """Find the object id that the cache persists as: the system-assigned identity, else the first user-assigned one."""
    if cache.principal_id is not None:
        return cache.principal_id
    return next((id_ for _, id_ in sorted(cache.user_assigned_principals.items())), None)


def secret_name(resource: SecureRedisCache) -> str | None:
    """Return the name of the Secret with the connection string, where the spec names one."""
    declared = resource.spec.persistence
    reference = declared.storage.connection_string_secret_ref if declared and declared.storage else None
    return None if reference is None else reference.name


def needs_roles(resource: SecureRedisCache, cache: Redis) -> bool:
    """Whether the roles of the cache's identity are needed: persistence by it is to be set and is not."""
    return _to_be_set(resource, cache) is StorageAuthentication.MANAGED_IDENTITY


def needs_secret(resource: SecureRedisCache, cache: Redis) -> bool:
    """Whether the connection string is needed: persistence by it is to be set and is not."""
    return _to_be_set(resource, cache) is StorageAuthentication.CONNECTION_STRING


def _to_be_set(resource: SecureRedisCache, cache: Redis) -> StorageAuthentication | None:
    declared = required(resource)
    if resource.spec.mode is not Mode.PROVISION or declared is None or declared.storage is None:
        return None
    # A changed frequency alone needs neither.
    if not any(found.path != FREQUENCY for found in differences(resource, cache)):
        return None
    return declared.storage.authentication


def differences(resource: SecureRedisCache, cache: Redis) -> Iterable[Difference]:
    """List where the cache's persistence is not as declared; nothing where `spec.persistence` is absent.

    A connection string is never compared: Azure masks it. The account that it names is.
    """
    declared, facts = resource.spec.persistence, cache.persistence
    if declared is None:
        return
    observed = kind(facts)
    if declared.type is not observed:
        if declared.type is PersistenceType.NONE:
            note = "the data is written to a storage account that is not declared"
            yield Difference(TYPE, declared.type, observed, DriftClass.SECURITY, note=note)
        else:
            note = "" if cache.can_persist else f"tier {cache.sku_name} cannot persist"
            yield Difference(TYPE, declared.type, observed, DriftClass.AVAILABILITY, cache.can_persist, note)
    if declared.type is PersistenceType.NONE or observed is PersistenceType.NONE:
        return
    if declared.type is observed is PersistenceType.RDB and facts.rdb_frequency_minutes != declared.frequency_minutes:
        shown = NOT_REPORTED if facts.rdb_frequency_minutes is None else str(facts.rdb_frequency_minutes)
        yield Difference(FREQUENCY, str(declared.frequency_minutes), shown, DriftClass.AVAILABILITY)
    if declared.storage is None:
        return
    if elsewhere(resource, facts):
        note = "the data lies in another account; what was written there stays there"
        yield Difference(ACCOUNT, declared.storage.account.name, facts.account or "", DriftClass.SECURITY, note=note)
    if authentication(facts) is not declared.storage.authentication:
        yield Difference(AUTHENTICATION, declared.storage.authentication, authentication(facts), DriftClass.SECURITY)
