"""Set persistence in steps: the cache's identity first, then its role (which others assign), then the settings."""

from collections.abc import Iterable, Mapping
from typing import Any

from pydantic import SecretStr

from secure_redis.api import names
from secure_redis.api.azure_ids import StorageAccountID
from secure_redis.api.reasons.catalogue import has
from secure_redis.api.reasons.reason import Reason
from secure_redis.api.reasons.row import Trait
from secure_redis.api.resource import SecureRedisCache
from secure_redis.api.spec.persistence import Persistence, PersistenceType, StorageAuthentication
from secure_redis.api.spec.spec import CacheIdentity
from secure_redis.domain.assess import persistence
from secure_redis.domain.assess.storage_connection import connection_string
from secure_redis.domain.explanation import Blocked
from secure_redis.domain.observe import normalise
from secure_redis.domain.observe.governance import WRITE_BLOBS, any_permits
from secure_redis.domain.observe.observation import Observation
from secure_redis.domain.observe.redis import Redis
from secure_redis.domain.observe.storage import StorageAbsent, StorageFacts
from secure_redis.domain.observe.unknown import NotRead, Unknown
from secure_redis.domain.plan.actions import AzureAction, PersistCache, UpdateCache
from secure_redis.domain.plan.outcomes import Failed
from secure_redis.domain.plan.types import Plan

ROLE = "Storage Blob Data Contributor"


def next_step(
    resource: SecureRedisCache, observed: Observation, cache: Redis, due: set[str]
) -> AzureAction | Blocked | None:
    """Return the one write that comes next, or what blocks it. None: no step of persistence is due."""
    wrong, declared = due & set(persistence.PATHS), resource.spec.persistence
    if not wrong or declared is None:
        return None
    if declared.type is PersistenceType.NONE:
        return PersistCache(dict.fromkeys(_on(cache), "false"))
    if wrong == {persistence.FREQUENCY}:
        return PersistCache(_schedule(declared))
    if {one.path for one in persistence.differences(resource, cache)} - wrong:
        return None  # one request sets them all: each has to be allowed
    if declared.storage is None:  # no schema lets it through
        return Blocked(Reason.INVALID_SPEC, "spec.persistence.storage is needed to persist")
    account = declared.storage.account
    storage = _of(observed, account)
    if isinstance(storage, Blocked):
        return storage
    if declared.storage.authentication is StorageAuthentication.CONNECTION_STRING:
        if account.subscription.lower() != resource.cache.subscription.lower():
            return Blocked(
                Reason.STORAGE_SECRET_REFUSED,
                f"account {account.name!r} lies in another subscription than the cache, which Azure takes with a "
                "managed identity only; the connection string was not sent to Azure",
            )
        return _by_connection_string(resource, observed, declared, account, storage)
    return _by_identity(resource, observed, cache, declared, account, storage)


def blocked_by(plan: Plan, failures: Iterable[Failed]) -> Blocked | None:
    """Explain why declared persistence is not set: Azure refused it, now or within the hour, or a person must act."""
    failed = next((one for one in failures if one.permanent and isinstance(one.action, PersistCache)), None)
    if failed is not None:
        return Blocked(failed.reason, failed.message)
    waits = next((one for one in plan.blocked if has(one.reason, Trait.ABOUT_PERSISTENCE)), None)
    blocked = (plan.not_corrected[path] for path in persistence.PATHS if path in plan.not_corrected)
    return waits or next((one for one in blocked if has(one.reason, Trait.NOT_REPEATED)), None)


def _by_identity(
    resource: SecureRedisCache,
    observed: Observation,
    cache: Redis,
    declared: Persistence,
    account: StorageAccountID,
    storage: StorageFacts,
) -> AzureAction | Blocked:
    provision = resource.spec.provision
    own = (provision.identity if provision is not None else None) or CacheIdentity()
    if not _has(cache, own):
        return UpdateCache({"identity": _identity(cache, own)}, ("identity",))
    principal = persistence.principal(cache)
    if principal is None:
        return Blocked(Reason.STORAGE_ROLE_MISSING, "Azure does not show the object id of the cache's identity yet")
    if not _may_write(resource, observed, account):
        return Blocked(Reason.STORAGE_ROLE_MISSING, _assign(observed, account, principal))
    if not storage.blob_endpoint:
        return Blocked(Reason.STORAGE_UNREAD, f"Azure does not report the blob endpoint of account {account.name!r}")
    settings = {
        **_switches(declared),
        "preferred-data-persistence-auth-method": "ManagedIdentity",
        "storage-subscription-id": account.subscription,
        _place(declared): storage.blob_endpoint.rstrip("/"),
    }
    return PersistCache(settings, account=account)


def _by_connection_string(
    resource: SecureRedisCache,
    observed: Observation,
    declared: Persistence,
    account: StorageAccountID,
    storage: StorageFacts,
) -> AzureAction | Blocked:
    name, secret = persistence.secret_name(resource), observed.storage_secret
    if isinstance(secret, Unknown):
        return _not_readable(secret)
    if isinstance(secret, NotRead) or secret is None:
        return Blocked(
            Reason.STORAGE_SECRET_MISSING,
            f"Secret {name!r} does not exist in this namespace; create it with type {names.STORAGE_SECRET_TYPE} and "
            f"the key {names.STORAGE_SECRET_KEY}",
        )
    value: SecretStr | Blocked = connection_string(secret, storage)
    if isinstance(value, Blocked):
        return value
    settings = {**_switches(declared), "preferred-data-persistence-auth-method": "SAS"}
    return PersistCache(settings, account=account, secret_setting=_place(declared), secret=value)


def _of(observed: Observation, account: StorageAccountID) -> StorageFacts | Blocked:
    """Find the declared account as it was read. The cache is not set to persist into an unread account."""
    found = observed.storage
    if isinstance(found, Unknown):
        return _not_readable(found)
    if isinstance(found, StorageAbsent):
        return Blocked(Reason.STORAGE_NOT_FOUND, f"storage account {account.name!r} is not there: {found.message}")
    if isinstance(found, NotRead) or not normalise.same_id(found.account_id.text, account.text):
        return Blocked(Reason.STORAGE_UNREAD, f"storage account {account.name!r} was not read yet")
    return found


def _not_readable(why: Unknown) -> Blocked:
    """Block only persistence after an outage or a missing right around the account."""
    reason = why.reason if has(why.reason, Trait.ABOUT_PERSISTENCE) else Reason.STORAGE_UNREAD
    return Blocked(reason, why.message)


def _may_write(resource: SecureRedisCache, observed: Observation, account: StorageAccountID) -> bool:
    if resource.requests.get(names.CONFIRM_STORAGE_ROLE, "").lower() == account.name.lower():
        return True
    return (
        isinstance(observed.storage_roles, tuple)
        and any_permits(observed.storage_roles, WRITE_BLOBS, data=True) is True
    )


def _assign(observed: Observation, account: StorageAccountID, principal: str) -> str:
    why = ""
    if isinstance(observed.storage_roles, Unknown):
        needed = observed.storage_roles.permission
        why = f" (its roles cannot be read: {needed} is needed)" if needed else " (its roles cannot be read)"
    return (
        f"the cache's identity {principal} needs the role {ROLE} on {account.text}{why}: assign it, and if the "
        f"operator may not see role assignments annotate {names.CONFIRM_STORAGE_ROLE}: {account.name.lower()}"
    )


# --- settings -------------------------------------------------------------------------------------------------------


def _on(cache: Redis) -> tuple[str, ...]:
    facts = cache.persistence
    pairs = (("rdb-backup-enabled", facts.rdb), ("aof-backup-enabled", facts.aof))
    return tuple(name for name, on in pairs if on)


def _schedule(declared: Persistence) -> dict[str, str]:
    return {"rdb-backup-enabled": "true", "rdb-backup-frequency": str(declared.frequency_minutes)}


def _switches(declared: Persistence) -> dict[str, str]:
    if declared.type is PersistenceType.RDB:
        return {**_schedule(declared), "aof-backup-enabled": "false"}
    return {"aof-backup-enabled": "true", "rdb-backup-enabled": "false"}


def _place(declared: Persistence) -> str:
    is_rdb = declared.type is PersistenceType.RDB
    return "rdb-storage-connection-string" if is_rdb else "aof-storage-connection-string-0"


def _has(cache: Redis, own: CacheIdentity) -> bool:
    if not normalise.identity_kinds(own.type) <= cache.identity_kinds:
        return False
    return normalise.id_set(own.user_assigned_ids) <= normalise.id_set(cache.user_assigned_ids)


def _identity(cache: Redis, own: CacheIdentity) -> Mapping[str, Any]:
    """Join the declared identities with the present ones: an identity in use is never removed."""
    all_kinds = cache.identity_kinds | normalise.identity_kinds(own.type)
    kinds = [kind for kind in ("SystemAssigned", "UserAssigned") if kind.lower() in all_kinds]
    body: dict[str, Any] = {"type": ", ".join(kinds)}
    if "UserAssigned" in kinds:
        there = normalise.id_set(cache.user_assigned_ids)
        added = [one for one in own.user_assigned_ids if not normalise.id_set([one]) <= there]
        body["userAssignedIdentities"] = {one: {} for one in (*cache.user_assigned_ids, *added)}
    return body
