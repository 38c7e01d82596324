"""Decide what an identity may be used for, before every call. No other module decides it."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from fnmatch import fnmatchcase
from urllib.parse import urlsplit

from secure_redis.api.azure_ids import CacheID, StorageAccountID, segments, within
from secure_redis.api.names import ALLOW, CLIENT_ID, DEFAULT_SERVICE_ACCOUNT, TENANT_ID
from secure_redis.api.reasons.reason import Reason
from secure_redis.api.resource import SecureRedisCache
from secure_redis.domain.explanation import Blocked, by_number
from secure_redis.domain.observe import normalise
from secure_redis.domain.observe.identity import (
    Identity,
    NamespaceIdentity,
    OperatorIdentity,
    ServiceAccountFacts,
)
from secure_redis.domain.observe.managed_redis import size_gb
from secure_redis.domain.observe.tier import rank
from secure_redis.domain.observe.unknown import Unknown


class Power(StrEnum):
    """A kind of use of an identity."""

    OBSERVE = "Observe"
    PUBLISH_KEY = "PublishKey"
    STORE_KEY = "StoreKey"
    PROVISION = "Provision"
    CORRECT = "Correct"
    ROTATE = "Rotate"
    DELETE = "Delete"


@dataclass(frozen=True, slots=True)
class VaultScope:
    """A vault and some of its secrets (shell patterns)."""

    uri: str
    secret_names: tuple[str, ...] = ("*",)


@dataclass(frozen=True, slots=True)
class SkuLimit:
    """The largest SKU: tier first, then capacity."""

    name: str
    capacity: int


@dataclass(frozen=True, slots=True)
class Grant:
    """A permission: the powers, for which namespaces, on which targets.

    Empty `locations` and no `largest_sku`: nothing is created. `largest_managed_gb`: the same of Azure Managed Redis,
    the number in the name of a SKU.
    """

    namespaces: tuple[str, ...]
    powers: frozenset[Power]
    caches: tuple[str, ...] = ()  # ARM scopes
    vaults: tuple[VaultScope, ...] = ()
    storage_accounts: tuple[str, ...] = ()  # ARM scopes
    locations: tuple[str, ...] = ()
    largest_sku: SkuLimit | None = None
    largest_managed_gb: int | None = None


@dataclass(frozen=True, slots=True)
class GrantPolicy:
    """The operator's configuration. `grants` open its own identity, `caps` bound the namespaces'."""

    grants: tuple[Grant, ...] = ()
    caps: tuple[Grant, ...] = ()
    operator_identity: bool = False  # whether an identity is configured at all


@dataclass(frozen=True, slots=True)
class VaultTarget:
    """A secret in a vault, as the resource names it."""

    uri: str
    secret_name: str


@dataclass(frozen=True, slots=True)
class CreationTarget:
    """The cache that a creation would make. `sku_capacity`: 0 where the name of the SKU contains the size."""

    location: str
    sku_name: str
    sku_capacity: int


def resolve_identity(
    resource: SecureRedisCache, account: ServiceAccountFacts | None | Unknown, policy: GrantPolicy
) -> Identity | Blocked | Unknown:
    """Find the Azure identity that the resource uses, or why there is none.

    `account` is the ServiceAccount that the spec names, or the default one of the namespace; None where there is none.
    """
    declared = resource.spec.identity.service_account_name
    if isinstance(account, Unknown):
        return account
    name = declared or DEFAULT_SERVICE_ACCOUNT
    if account is None:
        if declared:
            return Blocked(
                Reason.SERVICE_ACCOUNT_NOT_FOUND,
                f"ServiceAccount {name!r} does not exist in this namespace; create it with the annotations "
                f"{CLIENT_ID}, {TENANT_ID} and {ALLOW}",
            )
        if policy.operator_identity:
            return OperatorIdentity()
        return Blocked(
            Reason.NO_IDENTITY,
            f"no Azure identity: name a ServiceAccount in spec.identity.serviceAccountName or create {name!r} "
            "in this namespace",
        )
    missing = [a for a, v in ((CLIENT_ID, account.client_id), (TENANT_ID, account.tenant_id)) if not v]
    if missing:
        return Blocked(
            Reason.SERVICE_ACCOUNT_NOT_ANNOTATED,
            f"ServiceAccount {name!r} lacks the {by_number(len(missing), 'annotation', 'annotations')} "
            f"{' and '.join(missing)}: set the ids of its Azure identity",
        )
    if "*" not in account.allow and resource.key.name not in account.allow:
        return Blocked(
            Reason.CONSENT_MISSING,
            f"ServiceAccount {name!r} does not consent: annotate it with {ALLOW}: {resource.key.name} (or *)",
        )
    return NamespaceIdentity(
        resource.key.namespace, name, account.uid, account.client_id or "", account.tenant_id or ""
    )


def refuse(
    policy: GrantPolicy,
    identity: Identity,
    namespace: str,
    power: Power,
    *,
    cache: CacheID | None = None,
    vault: VaultTarget | None = None,
    creation: CreationTarget | None = None,
    storage: StorageAccountID | None = None,
) -> Blocked | None:
    """Explain why `identity` may not be used for `power` here; None: it may."""
    if isinstance(identity, NamespaceIdentity):
        if identity.namespace != namespace:  # no spelling leads here; the last line of defence
            return Blocked(Reason.NOT_GRANTED, "the identity belongs to another namespace")
        candidates: Iterable[Grant] = policy.caps
        if not policy.caps:
            return None
        who = "this namespace's identities"
    else:
        candidates = policy.grants
        who = "the operator's identity"
    for grant in candidates:
        if _covers(grant, namespace, power, cache, vault, creation, storage):
            return None
    what = [f"the power {power}"]
    if cache is not None:
        what.append(f"on {cache.text}")
    if vault is not None:
        what.append(f"on the secret {vault.secret_name} of {vault.uri}")
    if storage is not None:
        what.append(f"with the storage account {storage.text}")
    if creation is not None:
        known = size_gb(creation.sku_name) is not None
        sku = creation.sku_name if known else f"{creation.sku_name} {creation.sku_capacity}"
        what.append(f"for {sku} in {creation.location}")
    return Blocked(
        Reason.NOT_GRANTED,
        f"the operator's configuration does not grant {who} {' '.join(what)} for namespace {namespace!r}",
    )


def storage_scopes(
    policy: GrantPolicy, identity: Identity, namespace: str, cache: CacheID, subscription: str, name: str
) -> tuple[str, ...] | Blocked:
    """Find the narrowest scopes in which an account may be searched, if only name and subscription are known.

    Each is the account's own id, or a group or the subscription that it could lie in. A person who can point a cache at
    an account learns nothing through the operator of accounts that no grant covers, not even where they are.
    """
    where = f"/subscriptions/{subscription.lower()}"
    if isinstance(identity, NamespaceIdentity) and not policy.caps:
        return (where,)
    candidates = policy.caps if isinstance(identity, NamespaceIdentity) else policy.grants
    found = {
        "/" + "/".join(segments(scope))
        for grant in candidates
        if _covers(grant, namespace, Power.OBSERVE, cache, None, None, None)
        for scope in grant.storage_accounts
        if within(where, scope) and _could_hold(segments(scope), name)
    }
    if found:
        return tuple(sorted(found, key=lambda scope: (-scope.count("/"), scope)))
    return Blocked(
        Reason.NOT_GRANTED,
        f"the operator's configuration grants no storage account {name!r} in subscription {subscription} for "
        f"namespace {namespace!r}",
    )


def _could_hold(scope: tuple[str, ...], name: str) -> bool:
    """Whether an account of that name can lie within: a subscription, a group, or the account itself."""
    if len(scope) in {2, 4}:
        return True
    kind = ("microsoft.storage", "storageaccounts")
    return len(scope) == 8 and scope[5:7] == kind and scope[7] == name.lower()


def granted(
    policy: GrantPolicy,
    identity: Identity,
    namespace: str,
    power: Power,
    *,
    cache: CacheID,
    vault: VaultTarget,
) -> bool:
    """Whether the operator's configuration names this power for this use. Without caps it names none."""
    if isinstance(identity, NamespaceIdentity) and not policy.caps:
        return False
    return refuse(policy, identity, namespace, power, cache=cache, vault=vault) is None


def _covers(
    grant: Grant,
    namespace: str,
    power: Power,
    cache: CacheID | None,
    vault: VaultTarget | None,
    creation: CreationTarget | None,
    storage: StorageAccountID | None,
) -> bool:
    if power not in grant.powers or not any(fnmatchcase(namespace, pattern) for pattern in grant.namespaces):
        return False
    if cache is not None and not any(within(scope, cache.text) for scope in grant.caches):
        return False
    if vault is not None and not any(_vault_covers(scope, vault) for scope in grant.vaults):
        return False
    if storage is not None and not any(within(scope, storage.text) for scope in grant.storage_accounts):
        return False
    return creation is None or _creation_covers(grant, creation)


def _vault_covers(scope: VaultScope, target: VaultTarget) -> bool:
    if authority(scope.uri) != authority(target.uri):
        return False
    return any(fnmatchcase(target.secret_name.lower(), pattern.lower()) for pattern in scope.secret_names)


def _creation_covers(grant: Grant, creation: CreationTarget) -> bool:
    if normalise.location(creation.location) not in map(normalise.location, grant.locations):
        return False
    size = size_gb(creation.sku_name)
    if size is not None:
        return grant.largest_managed_gb is not None and size <= grant.largest_managed_gb
    limit = grant.largest_sku
    if limit is None:
        return False
    requested, largest = rank(creation.sku_name), rank(limit.name)
    if requested is None or largest is None:
        return False
    return requested < largest or (requested == largest and creation.sku_capacity <= limit.capacity)


def authority(uri: str) -> str:
    """Return host and port of a URI in lower case, as vaults are compared: `https://A.b/` gives `a.b`."""
    return urlsplit(uri).netloc.lower()
