"""What is done in Azure: create once, adopt when asked, correct what is allowed, store a key. One write a pass."""

from dataclasses import replace
from datetime import datetime

from pydantic import SecretStr

from secure_redis.api import names
from secure_redis.api.reasons.catalogue import has
from secure_redis.api.reasons.reason import ConditionType, Reason
from secure_redis.api.reasons.row import Trait
from secure_redis.api.resource import SecureRedisCache
from secure_redis.api.spec.spec import Mode
from secure_redis.api.status import PendingStatus
from secure_redis.api.times import rfc3339
from secure_redis.domain.assess.assessment import Assessment
from secure_redis.domain.assess.ownership import Ownership, owner_value
from secure_redis.domain.explanation import Explanation
from secure_redis.domain.grants import Power, VaultTarget, refuse
from secure_redis.domain.observe.identity import Identity, NamespaceIdentity, OperatorIdentity
from secure_redis.domain.observe.keys import ListedKeys, Slot, VaultSecretFacts
from secure_redis.domain.observe.normalise import is_busy
from secure_redis.domain.observe.observation import Observation
from secure_redis.domain.observe.redis import CacheAbsent, CacheFacts
from secure_redis.domain.observe.unknown import Unknown
from secure_redis.domain.plan import key_storage
from secure_redis.domain.plan.actions import AdoptCache, CreateCache, PersistCache
from secure_redis.domain.plan.cache import corrections, creation
from secure_redis.domain.plan.types import (
    COMPLETE,
    CREATE,
    PERMANENT_RETRY_SECONDS,
    PERSIST,
    Plan,
    Settings,
    sooner,
)


def provision(resource: SecureRedisCache, observed: Observation, assessed: Assessment, settings: Settings) -> Plan:
    """Decide the one write to Azure of this pass, if any."""
    if not isinstance(observed.identity, NamespaceIdentity | OperatorIdentity):
        return Plan()
    if isinstance(observed.cache, CacheAbsent):
        return _absent(resource, observed, observed.cache, observed.identity, settings)
    if not isinstance(observed.cache, CacheFacts):
        return Plan(pending=resource.status.pending)
    if resource.spec.mode is not Mode.PROVISION:
        return _store(resource, observed, assessed, settings, observed.identity)
    return _present(resource, observed, observed.cache, assessed, settings, observed.identity)


def _absent(
    resource: SecureRedisCache, observed: Observation, absent: CacheAbsent, identity: Identity, settings: Settings
) -> Plan:
    soon = settings.absence_confirmation
    known = creation.was_seen(resource)
    before = resource.status.condition(ConditionType.CACHE_AVAILABLE)
    believed = absent.confirmed or (before is not None and before.reason == Reason.CACHE_GONE)
    if known and not believed:
        return Plan(
            waiting=Explanation(Reason.CONFIRMING_ABSENCE, "Azure answered 404; reading once more before believing it"),
            next_look=soon,
        )
    if resource.spec.mode is not Mode.PROVISION:
        return Plan(refused=(Explanation(Reason.CACHE_NOT_FOUND, absent.message),))
    if known:
        return Plan(refused=(Explanation(Reason.CACHE_GONE, creation.gone(resource)),))
    if _failed(observed):
        return Plan(refused=(creation.failed(observed.operation),))
    wanted = creation.target(resource)
    refused = refuse(
        settings.policy, identity, resource.key.namespace, Power.PROVISION, cache=resource.cache, creation=wanted
    )
    if refused is not None:
        return Plan(refused=(refused,))
    if absent.group_missing:
        return Plan(refused=(Explanation(Reason.CACHE_NOT_FOUND, absent.message),))
    pending = resource.status.pending
    held = _held(resource, observed)
    if held is not None:
        return Plan(pending=pending, refused=(held,))
    if pending is None or pending.action != CREATE:
        intent = PendingStatus(action=CREATE, recorded_at=rfc3339(observed.now), detail=resource.cache.name)
        return Plan(
            pending=intent,
            waiting=Explanation(Reason.CREATE_INTENDED, "no such cache; its creation is recorded and comes next"),
            next_look=0.0 if absent.confirmed else soon,
        )
    if not absent.confirmed:
        return Plan(
            pending=pending,
            waiting=Explanation(Reason.CREATE_INTENDED, "no such cache; reading once more before it is created"),
            next_look=soon,
        )
    if observed.name_available is False:
        return Plan(pending=pending, refused=(Explanation(Reason.NAME_TAKEN, creation.name_taken(resource)),))
    unknown = observed.name_available
    # The check needs a right at the subscription, which many identities lack: then the creation itself has to tell.
    if isinstance(unknown, Unknown) and unknown.reason is not Reason.AZURE_DENIED:
        return Plan(pending=pending, refused=(Explanation(unknown.reason, unknown.message),))
    body = creation.body(resource, owner_value(settings.cluster_uid, resource.uid))
    return Plan(
        actions=(CreateCache(body),),
        pending=pending,
        waiting=Explanation(Reason.CREATING, creation.CREATING),
        next_look=settings.operation_poll,
    )


def _present(
    resource: SecureRedisCache,
    observed: Observation,
    cache: CacheFacts,
    assessed: Assessment,
    settings: Settings,
    identity: Identity,
) -> Plan:
    if assessed.ownership is Ownership.FOREIGN:
        busy = is_busy(cache.provisioning_state)
        owned = Explanation(Reason.OWNED_BY_ANOTHER, creation.FOREIGN)
        return Plan(refused=(owned,), next_look=settings.operation_poll if busy else None)
    completing = _completing(resource, assessed)
    if is_busy(cache.provisioning_state) or (
        observed.operation is not None and observed.operation.status == "InProgress"
    ):
        return Plan(
            pending=completing,
            waiting=Explanation(
                creation.busy_reason(cache.provisioning_state), creation.busy(cache.provisioning_state)
            ),
            next_look=settings.operation_poll,
        )
    if _failed(observed):
        return Plan(pending=completing, refused=(creation.failed(observed.operation),))
    if assessed.ownership is Ownership.UNCLAIMED:
        return _adopt(resource, cache, settings, identity)
    owes = corrections.Owed.NOTHING
    if completing is not None:
        owes = corrections.Owed.PERSISTENCE if completing.action == PERSIST else corrections.Owed.ALL
    correction = corrections.next_correction(resource, observed, cache, assessed.drift or (), owes)
    if completing is not None and correction.persisting:  # what changes in the network from now on is drift
        completing = completing.model_copy(update={"action": PERSIST})
    if correction.action is not None:
        power = Power.CORRECT if completing is None else Power.PROVISION
        refused = refuse(
            settings.policy,
            identity,
            resource.key.namespace,
            power,
            cache=resource.cache,
            creation=None if completing is None else creation.target(resource),
            storage=correction.action.account if isinstance(correction.action, PersistCache) else None,
        )
        if refused is not None:
            return Plan(pending=completing, refused=(*correction.refused, refused), held=correction.held)
        return Plan(
            actions=(correction.action,),
            pending=completing,
            refused=correction.refused,
            waiting=Explanation(Reason.UPDATING, "changing the cache to what is declared, one setting at a time"),
            next_look=settings.operation_poll,
            # What a creation still owes is no correction: it is neither counted nor held back.
            correcting=correction.paths if completing is None else (),
            owed=correction.paths if completing is not None else (),
            wanted=correction.wanted if completing is None else (),
            held=correction.held,
        )
    stored = _store(resource, observed, assessed, settings, identity)
    return replace(
        stored,
        pending=completing if correction.persisting or correction.owing else stored.pending,
        refused=correction.refused + stored.refused,
        next_look=sooner(correction.next_look, stored.next_look),
        look_closer=correction.next_look is not None,
        wanted=correction.wanted,
        held=correction.held,
    )


def _adopt(resource: SecureRedisCache, cache: CacheFacts, settings: Settings, identity: Identity) -> Plan:
    if resource.requests.get(names.ADOPT) != cache.resource_id.name:
        return Plan(refused=(Explanation(Reason.ADOPTION_REQUIRED, creation.adoption(resource)),))
    refused = refuse(settings.policy, identity, resource.key.namespace, Power.PROVISION, cache=resource.cache)
    if refused is not None:
        return Plan(refused=(refused,))
    tags = creation.tags(resource, owner_value(settings.cluster_uid, resource.uid), cache.tags)
    return Plan(actions=(AdoptCache(tags),), next_look=settings.operation_poll)


def _completing(resource: SecureRedisCache, assessed: Assessment) -> PendingStatus | None:
    """What stays recorded from the creation until network and persistence are as declared: that needs no leave."""
    pending = resource.status.pending
    if (
        assessed.ownership is not Ownership.OWNED
        or pending is None
        or pending.action not in {CREATE, COMPLETE, PERSIST}
    ):
        return None
    return pending if pending.action == PERSIST else pending.model_copy(update={"action": COMPLETE})


def _held(resource: SecureRedisCache, observed: Observation) -> Explanation | None:
    """A creation that Azure refused for good is not repeated for an hour, whatever restarts in between."""
    pending, stalled = resource.status.pending, resource.status.condition(ConditionType.STALLED)
    if pending is None or pending.action != CREATE or stalled is None or stalled.status != "True":
        return None
    if stalled.observed_generation != resource.generation or resource.refresh_asked:
        return None
    tried = datetime.fromisoformat(pending.recorded_at)
    if not has(stalled.reason, Trait.NOT_REPEATED) or (observed.now - tried).total_seconds() >= PERMANENT_RETRY_SECONDS:
        return None
    return Explanation(Reason(stalled.reason), stalled.message)


def _store(
    resource: SecureRedisCache, observed: Observation, assessed: Assessment, settings: Settings, identity: Identity
) -> Plan:
    authentication, store = resource.spec.authentication, assessed.credential.store
    if authentication is None or store is None or not isinstance(observed.keys, ListedKeys):
        return Plan()
    vault = VaultTarget(authentication.key_vault.uri, authentication.key_vault.secret_name)
    refused = refuse(
        settings.policy, identity, resource.key.namespace, Power.STORE_KEY, cache=resource.cache, vault=vault
    )
    if refused is not None:
        return Plan(refused=(refused,))
    value: SecretStr = observed.keys.primary if store.slot is Slot.PRIMARY else observed.keys.secondary
    before = observed.vault if isinstance(observed.vault, VaultSecretFacts) else None
    return Plan(
        actions=(key_storage.store(resource, vault, store.slot, value, before, observed.now),),
        waiting=Explanation(Reason.STORING_KEY, f"storing the cache's {store.slot} key in {vault.uri}"),
        next_look=0.0,
    )


def _failed(observed: Observation) -> bool:
    """Whether our last write was accepted and then failed: it is not tried again until the spec changes."""
    return observed.operation is not None and observed.operation.status in {"Failed", "Canceled"}
