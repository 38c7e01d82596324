"""The conditions of a Microsoft.Cache/redisEnterprise cluster that was read."""

from secure_redis.api.reasons.reason import Reason
from secure_redis.api.resource import SecureRedisCache
from secure_redis.api.spec.persistence import KeySource
from secure_redis.domain.assess.persistence import required
from secure_redis.domain.observe.cache import LOWEST_TLS
from secure_redis.domain.observe.endpoint import EndpointFacts
from secure_redis.domain.observe.managed_redis import ManagedDatabase, ManagedRedis
from secure_redis.domain.observe.normalise import (
    is_busy,
    is_dead,
    same_word,
    tls_version,
)
from secure_redis.domain.observe.observation import Observation
from secure_redis.domain.observe.storage import CIPHER, EncryptionKeyFacts, KeyAbsent
from secure_redis.domain.observe.unknown import NotRead, Unknown
from secure_redis.domain.plan.cache.creation import busy, busy_reason
from secure_redis.domain.plan.cache.managed_redis import FAILED_CREATION
from secure_redis.domain.plan.outcomes import Failed
from secure_redis.domain.plan.types import Plan
from secure_redis.domain.report.conditions.condition_state import (
    FALSE,
    TRUE,
    UNKNOWN,
    ConditionState,
)
from secure_redis.domain.report.conditions.route import no_route
from secure_redis.domain.report.endpoint_status import aside, only_recalled, wrong

_COMING_OR_GOING = frozenset({"creating", "deleting"})


def available(cluster: ManagedRedis, plan: Plan) -> ConditionState:
    """Report whether the cluster's database serves, and under which host and port."""
    database = cluster.database
    failed = next((one for one in plan.blocked if one.reason in FAILED_CREATION), None)
    if failed is not None and cluster.never_served:
        return ConditionState(FALSE, failed.reason, failed.message)
    parts = [("the cluster", cluster.provisioning_state, cluster.resource_state)]
    if isinstance(database, ManagedDatabase):
        parts.append(("its database", database.provisioning_state, database.resource_state))
    for what, state, serving in parts:
        if same_word(serving, "Disabled") or same_word(state, "Disabled"):
            return ConditionState(FALSE, Reason.CACHE_DISABLED, f"Azure reports that {what} is disabled")
        if is_dead(state):
            message = f"Azure reports provisioningState {state} of {what}: inspect it in Azure and repair it"
            return ConditionState(FALSE, Reason.CACHE_FAILED, message)
        if is_busy(state) and (cluster.host_name is None or state.strip().lower() in _COMING_OR_GOING):
            return ConditionState(FALSE, busy_reason(state), busy(state))
    if database is None and cluster.never_served and plan.waiting is not None:
        return ConditionState(FALSE, Reason.CREATING, "the cluster serves, and its database is created next")
    if database is None:
        return ConditionState(
            FALSE, Reason.DATABASE_MISSING, "the cluster has no database named default, so nothing can be connected to"
        )
    if not isinstance(database, ManagedDatabase):
        return _unread("the database", database)
    if cluster.host_name is None or database.port is None:
        return ConditionState(FALSE, Reason.CACHE_FAILED, "Azure reports no host name or no port")
    return no_route(cluster) or ConditionState(TRUE, Reason.AVAILABLE, f"{cluster.host_name}:{database.port}")


def transport(
    cluster: ManagedRedis, resource: SecureRedisCache, observed: Observation, available: ConditionState
) -> ConditionState:
    """Report whether clients can connect by TLS 1.2 or newer only. A known fault comes before an unknown value."""
    database = cluster.database
    known = isinstance(database, ManagedDatabase)
    protocol = database.client_protocol if isinstance(database, ManagedDatabase) else None
    if protocol is not None and not same_word(protocol, "Encrypted"):
        message = f"the database speaks without TLS (clientProtocol {protocol}): keys and data travel unencrypted"
        return ConditionState(FALSE, Reason.PLAINTEXT_PROTOCOL, message)
    version, floor = cluster.minimum_tls_version, tls_version(cluster.minimum_tls_version)
    if floor is not None and floor < LOWEST_TLS:
        return ConditionState(FALSE, Reason.MINIMUM_TLS_TOO_LOW, f"the cluster accepts TLS {version}")
    found = next(wrong(observed.endpoint, observed.now), None) if isinstance(observed.endpoint, EndpointFacts) else None
    if found is not None:
        return ConditionState(FALSE, *found)
    if not known:
        if isinstance(database, Unknown | NotRead):
            return _unread("the database", database)
        return ConditionState(UNKNOWN, available.reason, available.message)
    if protocol is None:
        return ConditionState(
            UNKNOWN, Reason.UNKNOWN, "Azure did not report whether the database takes encrypted connections"
        )
    if floor is None:
        return ConditionState(
            UNKNOWN, Reason.MINIMUM_TLS_UNSET, "no minimum TLS version is set on the cluster: set it to 1.2 explicitly"
        )
    if only_recalled(resource.status, observed):
        return ConditionState(UNKNOWN, Reason.PENDING, "this process has not probed the endpoint yet")
    return ConditionState(
        TRUE, Reason.SECURED, f"TLS {version} at least; the database speaks nothing else{aside(observed)}"
    )


def persistence(
    cluster: ManagedRedis, resource: SecureRedisCache, observed: Observation, _plan: Plan, _failures: list[Failed]
) -> ConditionState | None:
    """Report whether what is persisted is encrypted all the way to a usable key. None: nothing is persisted.

    The cluster writes to disks of its own, which Azure always encrypts: with a key of Microsoft's unless a
    customer-managed one is set (docs/internals/azure-facts.md#disk-encryption).
    """
    database = cluster.database
    if isinstance(database, Unknown | NotRead):
        return _unread("whether anything is persisted", database)
    wanted = required(resource)
    if database is None or not cluster.persists:
        if wanted is None:
            return None
        off = f"{wanted.type} is declared, and the database persists nothing"
        return ConditionState(FALSE, Reason.PERSISTENCE_OFF, off)
    expected = None if wanted is None else wanted.encryption.key_source
    source = KeySource.CUSTOMER_MANAGED if cluster.key_url else KeySource.MICROSOFT_MANAGED
    if expected is not None and expected is not source:
        other = f"the cluster's disks are encrypted with a {source} key and not with a {expected} one"
        return ConditionState(FALSE, Reason.STORAGE_KEY_UNWANTED, other)
    if cluster.key_url is None:
        return _encrypted(database, "a Microsoft-managed key")
    key_name = f"the key {cluster.key_url} that encrypts the cluster's disks"
    found = observed.encryption_key
    if not isinstance(found, EncryptionKeyFacts):
        return _unread(key_name, found)
    key = found.key
    if isinstance(key, KeyAbsent):
        return _unusable(f"{key_name} is not there: {key.message}")
    if isinstance(key, Unknown):
        return _unread(key_name, key)
    why = key.unusable(observed.now)
    if why is not None:
        return _unusable(f"{key_name} {why}")
    if key.enabled is None:
        return ConditionState(UNKNOWN, Reason.UNKNOWN, f"Key Vault does not report whether {key_name} is enabled")
    if isinstance(found.vault, Unknown):
        return _unread(f"the vault of {key_name}", found.vault)
    return _encrypted(database, f"the customer-managed key {key.name!r} of vault {found.vault.name!r}")


def _encrypted(database: ManagedDatabase, whose: str) -> ConditionState:
    often = f" every {database.rdb_frequency}" if database.rdb_frequency else ""
    kind = f"RDB{often}" if database.rdb_enabled else "AOF"
    return ConditionState(
        TRUE, Reason.PERSISTENCE_ENCRYPTED, f"{kind} onto the cluster's own disks, {CIPHER} under {whose}"
    )


def _unusable(what: str) -> ConditionState:
    return ConditionState(
        FALSE, Reason.ENCRYPTION_KEY_UNUSABLE, f"{what}: renew or enable it, or have another one used"
    )


def _unread(what: str, why: Unknown | NotRead) -> ConditionState:
    if isinstance(why, NotRead):
        return ConditionState(UNKNOWN, Reason.PENDING, f"{what} was not read yet")
    needed = f" (permission {why.permission})" if why.permission and why.permission not in why.message else ""
    return ConditionState(UNKNOWN, why.reason, f"{what} could not be read: {why.message}{needed}")
