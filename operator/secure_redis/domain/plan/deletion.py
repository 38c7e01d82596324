"""How a resource goes. `Retain` never touches Azure; `Delete` follows to the end or says why it cannot."""

from secure_redis.api import names
from secure_redis.api.reasons.reason import Reason
from secure_redis.api.resource import SecureRedisCache
from secure_redis.api.spec.spec import DeletionPolicy, Mode
from secure_redis.api.status import PendingStatus
from secure_redis.api.times import rfc3339
from secure_redis.domain.assess.assessment import Assessment
from secure_redis.domain.assess.ownership import Ownership
from secure_redis.domain.explanation import Explanation
from secure_redis.domain.grants import Power, refuse
from secure_redis.domain.observe.cache import Cache, CacheAbsent
from secure_redis.domain.observe.identity import NamespaceIdentity, OperatorIdentity
from secure_redis.domain.observe.normalise import is_busy
from secure_redis.domain.observe.observation import Observation
from secure_redis.domain.observe.secret import SecretFacts
from secure_redis.domain.observe.unknown import Unknown
from secure_redis.domain.plan.actions import Action, DeleteCache, RemoveFinalizer
from secure_redis.domain.plan.cache import creation
from secure_redis.domain.plan.rollout.waves import (
    Rollout,
    reason_of,
    roll,
    wants_workloads,
)
from secure_redis.domain.plan.rollout.waves import told as sentence
from secure_redis.domain.plan.secret import release_or_delete
from secure_redis.domain.plan.types import (
    DELETE,
    Plan,
    Settings,
)


def leave(resource: SecureRedisCache, observed: Observation, assessed: Assessment, settings: Settings) -> Plan:
    """One pass over a resource that was deleted."""
    if not resource.has_finalizer:
        return Plan()
    abandoned = resource.requests.get(names.ABANDON, "").lower() == "true"
    deletes = resource.spec.deletion_policy is DeletionPolicy.DELETE and resource.spec.mode is Mode.PROVISION
    told = Reason.RETAINED
    if observed.namespace_terminating or abandoned:
        told = Reason.ABANDONED if deletes else Reason.RETAINED
    elif deletes:
        if resource.paused:
            return Plan(waiting=Explanation(Reason.PAUSED, f"paused by {names.PAUSED}: the cache is not deleted"))
        cache = _delete_cache(resource, observed, assessed, settings)
        if cache is not None:
            return cache
        told = Reason.DELETING
    elif resource.paused and resource.spec.connection.deletion_policy is DeletionPolicy.DELETE:
        return Plan(waiting=Explanation(Reason.PAUSED, f"paused by {names.PAUSED}: the Secret is not deleted"))
    if observed.namespace_terminating:
        return Plan(actions=(RemoveFinalizer(),), released=told)
    former = observed.former_secrets
    secrets = [observed.secret, *(former if isinstance(former, tuple) else (former,))]
    unknown = next((secret for secret in secrets if isinstance(secret, Unknown)), None)
    if unknown is not None and not abandoned:
        return Plan(refused=(Explanation(unknown.reason, unknown.message),))
    rollout = None
    if resource.spec.connection.deletion_policy is DeletionPolicy.DELETE and wants_workloads(resource):
        rollout = roll(resource, observed, None)
        if not rollout.moved and not abandoned:
            return _letting_go(rollout)
    parting: list[Action] = [
        release_or_delete(resource, secret)
        for secret in secrets
        if isinstance(secret, SecretFacts) and secret.owner_uid == resource.uid and not secret.deleting
    ]
    # Given up: consumers are told to let go, and nobody waits for them.
    letting_go = rollout.actions if rollout is not None else ()
    return Plan(actions=(*letting_go, *parting, RemoveFinalizer()), released=told)


def _letting_go(rollout: Rollout) -> Plan:
    """Consumers are released and have rolled before the Secret goes."""
    if rollout.unread is not None:
        return Plan(refused=(rollout.unread,), rollout=rollout, next_look=rollout.next_look)
    held = next((one for one in rollout.statuses if one.reason not in {None, Reason.ROLLING_OUT}), None)
    rolling = rollout.rolling
    refused = (Explanation(reason_of(held), f"the Secret stays: {sentence(held)}"),) if held is not None else ()
    waiting = Explanation(Reason.ROLLING_OUT, f"the Secret stays: {sentence(rolling)}") if rolling else None
    return Plan(actions=rollout.actions, refused=refused, waiting=waiting, rollout=rollout, next_look=rollout.next_look)


def _delete_cache(
    resource: SecureRedisCache, observed: Observation, assessed: Assessment, settings: Settings
) -> Plan | None:
    """None: the cache is gone, or never was."""
    keep = resource.status.pending
    if isinstance(observed.cache, CacheAbsent):
        if observed.cache.confirmed:
            return None
        return Plan(
            pending=keep,
            waiting=Explanation(Reason.CONFIRMING_ABSENCE, "Azure answered 404; reading once more before believing it"),
            next_look=settings.absence_confirmation,
        )
    if not isinstance(observed.cache, Cache):
        why = observed.cache.message if isinstance(observed.cache, Unknown) else "the cache was not read"
        if isinstance(observed.identity, Unknown):
            why = observed.identity.message
        refusal = Explanation(
            Reason.DELETION_UNKNOWN,
            f'the cache cannot be deleted while it cannot be read: {why}; {names.ABANDON}: "true" gives it up and '
            "keeps the cache",
        )
        return Plan(pending=keep, refused=(refusal,))
    if assessed.ownership is not Ownership.OWNED:
        return Plan(
            refused=(
                Explanation(
                    Reason.NOT_OWNED,
                    f"the cache does not carry this resource's tag {names.OWNER_TAG}, so it is not deleted; set "
                    f'spec.deletionPolicy: Retain or annotate {names.ABANDON}: "true"',
                ),
            )
        )
    if is_busy(observed.cache.provisioning_state):
        return Plan(
            pending=keep,
            waiting=Explanation(
                creation.busy_reason(observed.cache.provisioning_state),
                creation.busy(observed.cache.provisioning_state),
            ),
            next_look=settings.operation_poll,
        )
    if resource.requests.get(names.CONFIRM_DELETE) != observed.cache.resource_id.name:
        return Plan(
            refused=(
                Explanation(
                    Reason.CONFIRMATION_REQUIRED,
                    "deleting the cache loses its data: annotate "
                    f"{names.CONFIRM_DELETE}: {observed.cache.resource_id.name}"
                    f' to go on, or {names.ABANDON}: "true" to keep the cache',
                ),
            )
        )
    if not isinstance(observed.identity, NamespaceIdentity | OperatorIdentity):
        return Plan(refused=(Explanation(Reason.DELETION_UNKNOWN, "no identity to delete the cache with"),))
    refused = refuse(settings.policy, observed.identity, resource.key.namespace, Power.DELETE, cache=resource.cache)
    if refused is not None:
        return Plan(refused=(refused,))
    if keep is None or keep.action != DELETE:
        intent = PendingStatus(action=DELETE, recorded_at=rfc3339(observed.now), detail=resource.cache.name)
        return Plan(pending=intent, waiting=Explanation(Reason.DELETING, "the deletion is recorded"), next_look=0.0)
    return Plan(
        actions=(DeleteCache(),),
        pending=keep,
        waiting=Explanation(Reason.DELETING, "Azure is deleting the cache; this takes minutes"),
        next_look=settings.operation_poll,
    )
