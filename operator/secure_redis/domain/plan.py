"""From an observation and what it means to a list of actions and the time of the next look. Pure.

An empty plan means that nothing is written anywhere, except a status that changed.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from pydantic import SecretStr

from secure_redis.api import names
from secure_redis.api.reasons import Reason
from secure_redis.api.resource import DeletionPolicy, Mode, SecureRedisCache
from secure_redis.api.status import PendingStatus
from secure_redis.domain import corrections, creation
from secure_redis.domain.actions import (
    Action,
    AddFinalizer,
    AdoptCache,
    ApplySecret,
    CreateCache,
    CreateSecret,
    DeleteCache,
    DeleteSecret,
    ReleaseSecret,
    RemoveFinalizer,
    StoreKey,
)
from secure_redis.domain.assess import Assessment
from secure_redis.domain.connection import differs
from secure_redis.domain.grants import GrantPolicy, Power, Refusal, VaultTarget, refuse
from secure_redis.domain.normalise import is_busy
from secure_redis.domain.observation import (
    CacheAbsent,
    CacheFacts,
    Identity,
    ListedKeys,
    NamespaceIdentity,
    Observation,
    OperatorIdentity,
    SecretFacts,
    Slot,
    Unknown,
)
from secure_redis.domain.ownership import Ownership, owner_value
from secure_redis.domain.proof import CREDENTIAL_ID, PROVIDER_ADDRESS

CREATE = "CreateCache"
DELETE = "DeleteCache"
PERMANENT_RETRY_SECONDS = 3600.0


@dataclass(frozen=True, slots=True)
class Settings:
    """What the plan must know of the operator. Seconds throughout."""

    cluster_uid: str
    policy: GrantPolicy = field(default_factory=GrantPolicy)
    operation_poll: float = 30.0
    absence_confirmation: float = 60.0
    ca: str | None = None  # PEM that clients need, published as ca.crt


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to be done. `refused`: what was wanted and may not be. `pending`: intent for the status."""

    actions: tuple[Action, ...] = ()
    refused: tuple[Refusal, ...] = ()
    pending: PendingStatus | None = None
    # Why the resource is not at its goal although nothing went wrong.
    waiting: Refusal | None = None
    next_look: float | None = None  # None: at the resource's own interval
    released: Reason | None = None  # the finalizer goes: what is told about the cache


def plan(resource: SecureRedisCache, seen: Observation, means: Assessment, settings: Settings) -> Plan:
    """Decide one pass."""
    if resource.deleting:
        return _leave(resource, seen, means, settings)
    if resource.paused:
        return Plan(waiting=Refusal(Reason.PAUSED, f"paused by the annotation {names.PAUSED}: nothing is written"))
    first: tuple[Action, ...] = () if resource.has_finalizer else (AddFinalizer(),)
    azure = _azure(resource, seen, means, settings)
    kubernetes = _secret(resource, seen, means)
    return Plan(
        actions=first + kubernetes.actions + azure.actions,
        refused=azure.refused + kubernetes.refused,
        pending=azure.pending,
        waiting=azure.waiting or kubernetes.waiting,
        next_look=_sooner(azure.next_look, kubernetes.next_look),
    )


# --- the cache ------------------------------------------------------------------------------------------------------


def _azure(resource: SecureRedisCache, seen: Observation, means: Assessment, settings: Settings) -> Plan:
    if not isinstance(seen.identity, NamespaceIdentity | OperatorIdentity):
        return Plan()
    if isinstance(seen.cache, CacheAbsent):
        return _absent(resource, seen, seen.cache, seen.identity, settings)
    if not isinstance(seen.cache, CacheFacts):
        return Plan(pending=resource.status.pending)
    if resource.spec.mode is not Mode.PROVISION:
        return _store(resource, seen, means, settings, seen.identity)
    return _present(resource, seen, seen.cache, means, settings, seen.identity)


def _absent(
    resource: SecureRedisCache, seen: Observation, absent: CacheAbsent, identity: Identity, settings: Settings
) -> Plan:
    soon = settings.absence_confirmation
    known = creation.was_seen(resource)
    if known and not absent.confirmed:
        return Plan(
            waiting=Refusal(Reason.CONFIRMING_ABSENCE, "Azure answered 404; reading once more before believing it"),
            next_look=soon,
        )
    if resource.spec.mode is not Mode.PROVISION:
        return Plan(refused=(Refusal(Reason.CACHE_NOT_FOUND, absent.message),))
    if known:
        return Plan(refused=(Refusal(Reason.CACHE_GONE, creation.gone(resource)),))
    if _failed(seen):
        return Plan(refused=(creation.failed(seen.operation),))
    wanted = creation.target(resource)
    refused = refuse(
        settings.policy, identity, resource.key.namespace, Power.PROVISION, cache=resource.cache, creation=wanted
    )
    if refused is not None:
        return Plan(refused=(refused,))
    if absent.group_missing:
        return Plan(refused=(Refusal(Reason.CACHE_NOT_FOUND, absent.message),))
    pending = resource.status.pending
    if pending is None or pending.action != CREATE:
        intent = PendingStatus(action=CREATE, recorded_at=rfc3339(seen.now), detail=resource.cache.name)
        return Plan(
            pending=intent,
            waiting=Refusal(Reason.CREATE_INTENDED, "no such cache; its creation is recorded and comes next"),
            next_look=0.0 if absent.confirmed else soon,
        )
    if not absent.confirmed:
        return Plan(
            pending=pending,
            waiting=Refusal(Reason.CREATE_INTENDED, "no such cache; reading once more before it is created"),
            next_look=soon,
        )
    if seen.name_available is False:
        return Plan(pending=pending, refused=(Refusal(Reason.NAME_TAKEN, creation.name_taken(resource)),))
    if isinstance(seen.name_available, Unknown):
        unknown = seen.name_available
        return Plan(pending=pending, refused=(Refusal(unknown.reason, unknown.message),))
    body = creation.body(resource, owner_value(settings.cluster_uid, resource.uid))
    return Plan(
        actions=(CreateCache(body),),
        pending=pending,
        waiting=Refusal(Reason.CREATING, creation.CREATING),
        next_look=settings.operation_poll,
    )


def _present(
    resource: SecureRedisCache,
    seen: Observation,
    cache: CacheFacts,
    means: Assessment,
    settings: Settings,
    identity: Identity,
) -> Plan:
    namespace = resource.key.namespace
    if means.ownership is Ownership.FOREIGN:
        return Plan(refused=(Refusal(Reason.OWNED_BY_ANOTHER, creation.FOREIGN),))
    if is_busy(cache.provisioning_state) or (seen.operation is not None and seen.operation.status == "InProgress"):
        return Plan(
            waiting=Refusal(creation.busy_reason(cache.provisioning_state), creation.busy(cache.provisioning_state)),
            next_look=settings.operation_poll,
        )
    if _failed(seen):
        return Plan(refused=(creation.failed(seen.operation),))
    if means.ownership is Ownership.UNCLAIMED:
        if resource.requests.get(names.ADOPT) != cache.resource_id.name:
            return Plan(refused=(Refusal(Reason.ADOPTION_REQUIRED, creation.adoption(resource)),))
        refused = refuse(settings.policy, identity, namespace, Power.PROVISION, cache=resource.cache)
        if refused is not None:
            return Plan(refused=(refused,))
        tags = creation.tags(resource, owner_value(settings.cluster_uid, resource.uid), cache.tags)
        return Plan(actions=(AdoptCache(tags),), next_look=settings.operation_poll)
    correction = corrections.next_correction(resource, seen, cache, means.drift or ())
    if correction.action is not None:
        refused = refuse(settings.policy, identity, namespace, Power.CORRECT, cache=resource.cache)
        if refused is not None:
            return Plan(refused=(*correction.refused, refused))
        return Plan(actions=(correction.action,), refused=correction.refused, next_look=settings.operation_poll)
    stored = _store(resource, seen, means, settings, identity)
    return Plan(
        actions=stored.actions,
        refused=correction.refused + stored.refused,
        waiting=stored.waiting,
        next_look=_sooner(correction.next_look, stored.next_look),
    )


def _store(
    resource: SecureRedisCache, seen: Observation, means: Assessment, settings: Settings, identity: Identity
) -> Plan:
    authentication, store = resource.spec.authentication, means.credential.store
    if authentication is None or store is None or not isinstance(seen.keys, ListedKeys):
        return Plan()
    vault = VaultTarget(authentication.key_vault.uri, authentication.key_vault.secret_name)
    refused = refuse(
        settings.policy, identity, resource.key.namespace, Power.STORE_KEY, cache=resource.cache, vault=vault
    )
    if refused is not None:
        return Plan(refused=(refused,))
    value: SecretStr = seen.keys.primary if store.slot is Slot.PRIMARY else seen.keys.secondary
    # The tags of Microsoft's own rotation tooling, so that both understand each other.
    tags: Mapping[str, str] = {CREDENTIAL_ID: str(store.slot), PROVIDER_ADDRESS: resource.cache.text}
    return Plan(
        actions=(StoreKey(vault.uri, vault.secret_name, value, tags),),
        waiting=Refusal(Reason.STORING_KEY, f"storing the cache's {store.slot} key in {vault.uri}"),
        next_look=0.0,
    )


# --- the Secret -----------------------------------------------------------------------------------------------------


def _secret(resource: SecureRedisCache, seen: Observation, means: Assessment) -> Plan:
    wanted = means.credential.data
    if wanted is None or seen.namespace_terminating:
        return Plan()
    name, there = resource.secret_name, seen.secret
    if isinstance(there, Unknown):
        return Plan(refused=(Refusal(there.reason, there.message),))
    if there is None:
        create = CreateSecret(name, wanted.data, wanted.labels, wanted.annotations)
        return Plan(actions=(create, *_former(resource, seen)))
    if not isinstance(there, SecretFacts):
        return Plan()
    mine = there.owner_uid == resource.uid
    if there.deleting:
        return Plan(
            waiting=Refusal(Reason.SECRET_DELETING, f"Secret {name!r} is being deleted; it is published anew after"),
            next_look=5.0,
        )
    if not mine and not adoptable(resource, there):
        return Plan(refused=(Refusal(Reason.SECRET_FOREIGN, foreign_secret(resource, there)),))
    if mine and not differs(there, wanted):
        return Plan(actions=_former(resource, seen))
    if there.immutable:
        return Plan(
            refused=(
                Refusal(
                    Reason.SECRET_IMMUTABLE,
                    f"Secret {name!r} was made immutable and differs from what is to be published; delete it, "
                    "it is then published anew",
                ),
            )
        )
    apply = ApplySecret(name, there.uid, wanted.data, wanted.labels, wanted.annotations, adopt=not mine)
    return Plan(actions=(apply, *_former(resource, seen)))


def adoptable(resource: SecureRedisCache, secret: SecretFacts) -> bool:
    """Whether a Secret was published by a resource of this very name that is gone (kept under Retain)."""
    marked = secret.annotations.get(names.SECRET_RESOURCE) == resource.key.name
    ours = secret.labels.get(names.MANAGED_BY) == names.MANAGER and secret.type == names.SECRET_TYPE
    # One name can be held by one object only: another uid under our name and kind is a dead one.
    orphaned = secret.owner_uid is None or (
        secret.owner_kind == names.KIND and secret.owner_name == resource.key.name and secret.owner_uid != resource.uid
    )
    return marked and ours and orphaned


def foreign_secret(resource: SecureRedisCache, secret: SecretFacts) -> str:
    """Why a Secret is not touched, and what to do."""
    whose = f"belongs to {secret.owner_kind} {secret.owner_name!r}" if secret.owner_uid else "was not made by us"
    return (
        f"Secret {secret.name!r} exists and {whose}; it is left alone: delete it or choose another "
        f"spec.connection.secretName for {resource.key.name!r}"
    )


def _former(resource: SecureRedisCache, seen: Observation) -> tuple[Action, ...]:
    """What becomes of Secrets under an earlier name, once the new one is in place."""
    return tuple(
        _part_with(resource, secret)
        for secret in seen.former_secrets
        if secret.owner_uid == resource.uid and secret.name != resource.secret_name and not secret.deleting
    )


def _part_with(resource: SecureRedisCache, secret: SecretFacts) -> Action:
    if resource.spec.connection.deletion_policy is DeletionPolicy.DELETE:
        return DeleteSecret(secret.name, secret.uid)
    return ReleaseSecret(secret.name, secret.uid)


# --- leaving --------------------------------------------------------------------------------------------------------


def _leave(resource: SecureRedisCache, seen: Observation, means: Assessment, settings: Settings) -> Plan:
    if not resource.has_finalizer:
        return Plan()
    abandoned = resource.requests.get(names.ABANDON, "").lower() == "true"
    deletes = resource.spec.deletion_policy is DeletionPolicy.DELETE and resource.spec.mode is Mode.PROVISION
    told = Reason.RETAINED
    if seen.namespace_terminating or abandoned:
        told = Reason.ABANDONED if deletes else Reason.RETAINED
    elif deletes:
        if resource.paused:
            return Plan(waiting=Refusal(Reason.PAUSED, f"paused by {names.PAUSED}: the cache is not deleted"))
        cache = _delete_cache(resource, seen, means, settings)
        if cache is not None:
            return cache
        told = Reason.DELETING
    elif resource.paused and resource.spec.connection.deletion_policy is DeletionPolicy.DELETE:
        return Plan(waiting=Refusal(Reason.PAUSED, f"paused by {names.PAUSED}: the Secret is not deleted"))
    if seen.namespace_terminating:
        return Plan(actions=(RemoveFinalizer(),), released=told)
    secrets = [seen.secret, *seen.former_secrets]
    unknown = next((secret for secret in secrets if isinstance(secret, Unknown)), None)
    if unknown is not None and not abandoned:
        return Plan(refused=(Refusal(unknown.reason, unknown.message),))
    parting: list[Action] = [
        _part_with(resource, secret)
        for secret in secrets
        if isinstance(secret, SecretFacts) and secret.owner_uid == resource.uid and not secret.deleting
    ]
    return Plan(actions=(*parting, RemoveFinalizer()), released=told)


def _delete_cache(resource: SecureRedisCache, seen: Observation, means: Assessment, settings: Settings) -> Plan | None:
    """None: the cache is gone, or never was."""
    keep = resource.status.pending
    if isinstance(seen.cache, CacheAbsent):
        if seen.cache.confirmed:
            return None
        return Plan(
            pending=keep,
            waiting=Refusal(Reason.CONFIRMING_ABSENCE, "Azure answered 404; reading once more before believing it"),
            next_look=settings.absence_confirmation,
        )
    if not isinstance(seen.cache, CacheFacts):
        why = seen.cache.message if isinstance(seen.cache, Unknown) else "the cache was not read"
        if isinstance(seen.identity, Unknown):
            why = seen.identity.message
        refusal = Refusal(
            Reason.DELETION_UNKNOWN,
            f'the cache cannot be deleted while it cannot be read: {why}; {names.ABANDON}: "true" gives it up and '
            "keeps the cache",
        )
        return Plan(pending=keep, refused=(refusal,))
    if means.ownership is not Ownership.OWNED:
        return Plan(
            refused=(
                Refusal(
                    Reason.NOT_OWNED,
                    f"the cache does not carry this resource's tag {names.OWNER_TAG}, so it is not deleted; set "
                    f'spec.deletionPolicy: Retain or annotate {names.ABANDON}: "true"',
                ),
            )
        )
    if is_busy(seen.cache.provisioning_state):
        return Plan(
            pending=keep,
            waiting=Refusal(
                creation.busy_reason(seen.cache.provisioning_state), creation.busy(seen.cache.provisioning_state)
            ),
            next_look=settings.operation_poll,
        )
    if resource.requests.get(names.CONFIRM_DELETE) != seen.cache.resource_id.name:
        return Plan(
            refused=(
                Refusal(
                    Reason.CONFIRMATION_REQUIRED,
                    f"deleting the cache loses its data: annotate {names.CONFIRM_DELETE}: {seen.cache.resource_id.name}"
                    f' to go on, or {names.ABANDON}: "true" to keep the cache',
                ),
            )
        )
    if not isinstance(seen.identity, NamespaceIdentity | OperatorIdentity):
        return Plan(refused=(Refusal(Reason.DELETION_UNKNOWN, "no identity to delete the cache with"),))
    refused = refuse(settings.policy, seen.identity, resource.key.namespace, Power.DELETE, cache=resource.cache)
    if refused is not None:
        return Plan(refused=(refused,))
    if keep is None or keep.action != DELETE:
        intent = PendingStatus(action=DELETE, recorded_at=rfc3339(seen.now), detail=resource.cache.name)
        return Plan(pending=intent, waiting=Refusal(Reason.DELETING, "the deletion is recorded"), next_look=0.0)
    return Plan(
        actions=(DeleteCache(),),
        pending=keep,
        waiting=Refusal(Reason.DELETING, "Azure is deleting the cache; this takes minutes"),
        next_look=settings.operation_poll,
    )


def rfc3339(time: datetime) -> str:
    """A time in UTC, in whole seconds, as Kubernetes writes it."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ")


def _failed(seen: Observation) -> bool:
    """Whether our last write was accepted and then failed: it is not tried again until the spec changes."""
    return seen.operation is not None and seen.operation.status in {"Failed", "Canceled"}


def _sooner(a: float | None, b: float | None) -> float | None:
    return min((x for x in (a, b) if x is not None), default=None)
