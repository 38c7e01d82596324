"""Plan the one write to Azure of a pass, for a cache of any service that the operator provisions. Pure.

It creates a cache once, adopts it on request, corrects what the spec allows, or stores a key.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from functools import reduce
from typing import Any

from pydantic import SecretStr

from secure_redis.api import names
from secure_redis.api.azure_ids import StorageAccountID
from secure_redis.api.reasons.catalogue import has
from secure_redis.api.reasons.reason import ConditionType, Reason
from secure_redis.api.reasons.row import Trait
from secure_redis.api.resource import SecureRedisCache
from secure_redis.api.spec.spec import Mode
from secure_redis.api.status import PendingStatus
from secure_redis.api.times import rfc3339
from secure_redis.domain.assess.assessment import Assessment
from secure_redis.domain.assess.ownership import Ownership, owner_value
from secure_redis.domain.explanation import Blocked, Waiting
from secure_redis.domain.grants import CreationTarget, Power, VaultTarget, refuse
from secure_redis.domain.observe.cache import Cache, CacheAbsent
from secure_redis.domain.observe.identity import Identity
from secure_redis.domain.observe.keys import ListedKeys, Slot, VaultSecretFacts
from secure_redis.domain.observe.observation import Observation
from secure_redis.domain.observe.unknown import Unknown
from secure_redis.domain.plan import key_storage
from secure_redis.domain.plan.actions import AdoptCache, AzureAction, CreateCache, PersistCache
from secure_redis.domain.plan.cache import corrections, creation
from secure_redis.domain.plan.types import (
    CLOCK_SKEW_SECONDS,
    COMPLETE,
    CREATE,
    PERMANENT_RETRY_SECONDS,
    PERSIST,
    Plan,
    Settings,
    sooner,
)

# Chooses the next correction, by the remaining steps of a creation.
Correct = Callable[[corrections.Owed], corrections.Correction]


@dataclass(frozen=True, slots=True)
class Creation:
    """The data that a cache of one service is created from. `body`: the request, by resource and owner's tag."""

    target: CreationTarget
    body: Callable[[SecureRedisCache, str], Mapping[str, Any]]


def create(
    resource: SecureRedisCache,
    observed: Observation,
    absent: CacheAbsent,
    settings: Settings,
    identity: Identity,
    creation_of: Creation,
) -> Plan:
    """Plan the creation of a cache that is not there, or explain why it is not created."""
    soon = settings.absence_confirmation
    known = creation.existed(resource, observed)
    before = resource.status.condition(ConditionType.CACHE_AVAILABLE)
    believed = absent.confirmed or (before is not None and before.reason == Reason.CACHE_GONE)
    if known and not believed:
        return Plan(
            waiting=Waiting(Reason.CONFIRMING_ABSENCE, "Azure answered 404; reading once more before believing it"),
            next_pass_in=soon,
        )
    if resource.spec.mode is not Mode.PROVISION:
        return Plan(blocked=(Blocked(Reason.CACHE_NOT_FOUND, absent.message),))
    if known:
        return Plan(blocked=(Blocked(Reason.CACHE_GONE, creation.gone(resource)),))
    if _failed(observed):
        return Plan(blocked=(creation.failed(observed.operation),))
    refused = refuse(
        settings.policy,
        identity,
        resource.key.namespace,
        Power.PROVISION,
        cache=resource.cache,
        creation=creation_of.target,
    )
    if refused is not None:
        return Plan(blocked=(refused,))
    if absent.group_missing:
        return Plan(blocked=(Blocked(Reason.CACHE_NOT_FOUND, absent.message),))
    pending = resource.status.pending
    repeated = _refused_before(resource, observed)
    if repeated is not None:
        return Plan(pending=pending, blocked=(repeated,))
    if pending is None or pending.action != CREATE:
        intent = PendingStatus(action=CREATE, recorded_at=rfc3339(observed.now), detail=resource.cache.name)
        return Plan(
            pending=intent,
            waiting=Waiting(Reason.CREATE_INTENDED, "no such cache; its creation is recorded and comes next"),
            next_pass_in=0.0 if absent.confirmed else soon,
        )
    if not absent.confirmed:
        return Plan(
            pending=pending,
            waiting=Waiting(Reason.CREATE_INTENDED, "no such cache; reading once more before it is created"),
            next_pass_in=soon,
        )
    if observed.name_available is False:
        return Plan(pending=pending, blocked=(Blocked(Reason.NAME_TAKEN, creation.name_taken(resource)),))
    unknown = observed.name_available
    # The check needs a right at the subscription, which many identities lack: then the creation itself shows it.
    if isinstance(unknown, Unknown) and unknown.reason is not Reason.AZURE_DENIED:
        return Plan(pending=pending, blocked=(Blocked(unknown.reason, unknown.message),))
    owner = owner_value(settings.cluster_uid, resource.uid)
    return Plan(
        actions=(CreateCache(creation_of.body(resource, owner)),),
        pending=pending,
        waiting=Waiting(Reason.CREATING, creation.CREATING),
        next_pass_in=settings.operation_poll,
    )


def change(
    resource: SecureRedisCache,
    observed: Observation,
    cache: Cache,
    assessed: Assessment,
    settings: Settings,
    identity: Identity,
    target: CreationTarget,
    correct: Correct,
) -> Plan:
    """Plan the next write to a cache that is there: adopt it, complete its creation, or correct what differs."""
    state = cache.busy_state
    if assessed.ownership is Ownership.FOREIGN:
        owned = Blocked(Reason.OWNED_BY_ANOTHER, creation.FOREIGN)
        return Plan(blocked=(owned,), next_pass_in=None if state is None else settings.operation_poll)
    completing = _completing(resource, observed, cache, assessed)
    if state is not None or (observed.operation is not None and observed.operation.status == "InProgress"):
        state = state or cache.provisioning_state
        return Plan(
            pending=completing,
            waiting=Waiting(creation.busy_reason(state), creation.busy(state)),
            next_pass_in=settings.operation_poll,
        )
    if _failed(observed):
        return Plan(pending=completing, blocked=(creation.failed(observed.operation),))
    if assessed.ownership is Ownership.UNCLAIMED:
        return _adopt(resource, cache, settings, identity)
    key = store_key(resource, observed, assessed, settings, identity)
    if completing is None:
        return _correct(resource, correct(corrections.Owed.NOTHING), key, settings, identity)
    owed = corrections.Owed.ALL if creation.owes_network(cache) else corrections.Owed.PERSISTENCE
    return _complete(resource, observed, cache, correct(owed), completing, key, settings, identity, target)


def _correct(
    resource: SecureRedisCache, correction: corrections.Correction, key: Plan, settings: Settings, identity: Identity
) -> Plan:
    """Correct one difference. `key`: what is planned instead where nothing is to be corrected."""
    if correction.action is None:
        return _uncorrected(correction, key)
    refused = refuse(
        settings.policy,
        identity,
        resource.key.namespace,
        Power.CORRECT,
        cache=resource.cache,
        creation=correction.target,
        storage=_account(correction.action),
    )
    if refused is not None:
        return Plan(blocked=(*correction.blocked, refused), not_corrected=correction.not_corrected)
    return replace(
        _write(correction, correction.action, settings), correcting=correction.paths, to_correct=correction.to_correct
    )


def _unread(resource: SecureRedisCache, observed: Observation) -> tuple[bool, tuple[Blocked, ...]]:
    """Whether a declared resource below the cache was not read: a creation is complete only with it. And why."""
    rules, windows = observed.firewall_rules, observed.patch_schedule
    unread = bool(resource.spec.network.firewall_rules) and not isinstance(rules, tuple)
    if not creation.maintenance_windows(resource) or isinstance(windows, tuple):
        return unread, ()
    if not isinstance(windows, Unknown):
        return True, ()
    return True, (Blocked(windows.reason, f"the cache's maintenance windows: {windows.message}"),)


def _complete(
    resource: SecureRedisCache,
    observed: Observation,
    cache: Cache,
    correction: corrections.Correction,
    completing: PendingStatus,
    key: Plan,
    settings: Settings,
    identity: Identity,
    target: CreationTarget,
) -> Plan:
    """Take the remaining steps of a creation. That is no correction: it is neither counted nor blocked."""
    if correction.persisting and not correction.network_left and creation.owes_network(cache):
        completing = completing.model_copy(update={"action": PERSIST})
        if creation.may_owe_network(resource):  # what changes in the network from now on is drift
            correction = replace(correction, action=creation.network_brought(cache), paths=())
    elif correction.action is not None and creation.owes_network(cache):
        correction = replace(correction, action=creation.opened(resource, cache, correction.action))
    if correction.action is None:
        plan = _uncorrected(correction, key)
        unread, why = _unread(resource, observed)
        if correction.persisting or correction.owing or unread:
            return replace(plan, pending=completing, blocked=(*plan.blocked, *why))
        action: AzureAction = creation.finished(cache)
    else:
        action = correction.action
    refused = refuse(
        settings.policy,
        identity,
        resource.key.namespace,
        Power.PROVISION,
        cache=resource.cache,
        creation=target,
        storage=_account(action),
    )
    if refused is not None:
        return Plan(pending=completing, blocked=(*correction.blocked, refused), not_corrected=correction.not_corrected)
    return replace(_write(correction, action, settings), pending=completing, owed=correction.paths)


def _account(action: AzureAction) -> StorageAccountID | None:
    return action.account if isinstance(action, PersistCache) else None


def _write(correction: corrections.Correction, action: AzureAction, settings: Settings) -> Plan:
    return Plan(
        actions=(action,),
        blocked=correction.blocked,
        waiting=Waiting(Reason.UPDATING, "changing the cache to what is declared, one setting at a time"),
        next_pass_in=settings.operation_poll,
        not_corrected=correction.not_corrected,
    )


def _uncorrected(correction: corrections.Correction, key: Plan) -> Plan:
    """Store the key, if it is to be stored, and report what is not corrected and why."""
    return replace(
        key,
        blocked=correction.blocked + key.blocked,
        next_pass_in=reduce(sooner, (correction.next_pass_in, correction.opens_in, key.next_pass_in)),
        exact_in=correction.opens_in,
        needs_fresh_read=correction.next_pass_in is not None,
        to_correct=correction.to_correct,
        not_corrected=correction.not_corrected,
    )


def _adopt(resource: SecureRedisCache, cache: Cache, settings: Settings, identity: Identity) -> Plan:
    if resource.requests.get(names.ADOPT) != cache.resource_id.name:
        return Plan(blocked=(Blocked(Reason.ADOPTION_REQUIRED, creation.adoption(resource)),))
    refused = refuse(settings.policy, identity, resource.key.namespace, Power.PROVISION, cache=resource.cache)
    if refused is not None:
        return Plan(blocked=(refused,))
    tags = creation.tags(resource, owner_value(settings.cluster_uid, resource.uid), cache.tags)
    return Plan(actions=(AdoptCache(tags),), next_pass_in=settings.operation_poll)


def _completing(
    resource: SecureRedisCache, observed: Observation, cache: Cache, assessed: Assessment
) -> PendingStatus | None:
    """Find the creation that is not complete, and its remaining steps, by the cache's tag."""
    if assessed.ownership is not Ownership.OWNED or not creation.is_incomplete(cache):
        return None
    pending, action = resource.status.pending, COMPLETE if creation.owes_network(cache) else PERSIST
    if pending is None or pending.action not in {CREATE, COMPLETE, PERSIST}:
        pending = PendingStatus(action=action, recorded_at=rfc3339(observed.now), detail=resource.cache.name)
    return pending.model_copy(update={"action": action})


def _refused_before(resource: SecureRedisCache, observed: Observation) -> Blocked | None:
    """Explain why a creation is not repeated: Azure refused it for good within the hour, also before a restart."""
    pending, stalled = resource.status.pending, resource.status.condition(ConditionType.STALLED)
    if pending is None or pending.action != CREATE or stalled is None or stalled.status != "True":
        return None
    if stalled.observed_generation != resource.generation or resource.refresh_requested:
        return None
    age = (observed.now - datetime.fromisoformat(pending.recorded_at)).total_seconds()
    if not has(stalled.reason, Trait.NOT_REPEATED) or not -CLOCK_SKEW_SECONDS < age < PERMANENT_RETRY_SECONDS:
        return None
    return Blocked(Reason(stalled.reason), stalled.message)


def store_key(
    resource: SecureRedisCache, observed: Observation, assessed: Assessment, settings: Settings, identity: Identity
) -> Plan:
    """Plan to store the cache's key in Key Vault, where it is missing."""
    authentication, store = resource.spec.authentication, assessed.credential.store
    if authentication is None or store is None or not isinstance(observed.keys, ListedKeys):
        return Plan()
    vault = VaultTarget(authentication.key_vault.uri, authentication.key_vault.secret_name)
    refused = refuse(
        settings.policy, identity, resource.key.namespace, Power.STORE_KEY, cache=resource.cache, vault=vault
    )
    if refused is not None:
        return Plan(blocked=(refused,))
    value: SecretStr = observed.keys.primary if store.slot is Slot.PRIMARY else observed.keys.secondary
    before = observed.vault if isinstance(observed.vault, VaultSecretFacts) else None
    return Plan(
        actions=(key_storage.store(resource, vault, store.slot, value, before, observed.now),),
        waiting=Waiting(Reason.STORING_KEY, f"storing the cache's {store.slot} key in {vault.uri}"),
        next_pass_in=0.0,
    )


def _failed(observed: Observation) -> bool:
    """Whether the operator's last write was accepted and then failed: it is not repeated until the spec changes."""
    return observed.operation is not None and observed.operation.status in {"Failed", "Canceled"}
