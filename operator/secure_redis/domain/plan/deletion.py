"""Plan the deletion of a resource. `Retain` never touches Azure; `Delete` deletes the cache or reports why not."""

from secure_redis.api import names
from secure_redis.api.reasons.reason import Reason
from secure_redis.api.resource import SecureRedisCache
from secure_redis.api.spec.spec import DeletionPolicy, Mode
from secure_redis.api.status import PendingStatus
from secure_redis.api.times import rfc3339
from secure_redis.domain.assess.assessment import Assessment
from secure_redis.domain.assess.ownership import Ownership
from secure_redis.domain.explanation import Blocked, Waiting
from secure_redis.domain.grants import Power, refuse
from secure_redis.domain.observe.cache import Cache, CacheAbsent
from secure_redis.domain.observe.identity import NamespaceIdentity, OperatorIdentity
from secure_redis.domain.observe.normalise import is_busy
from secure_redis.domain.observe.observation import Observation
from secure_redis.domain.observe.unknown import Unknown
from secure_redis.domain.plan.actions import DeleteCache, RemoveFinalizer
from secure_redis.domain.plan.cache import creation
from secure_redis.domain.plan.rollout.waves import (
    Rollout,
    needs_workloads,
    reason_of,
    roll,
    sentence,
)
from secure_redis.domain.plan.secret_removal import release_used, remove
from secure_redis.domain.plan.types import (
    DELETE,
    Plan,
    Settings,
)


def leave(resource: SecureRedisCache, observed: Observation, assessed: Assessment, settings: Settings) -> Plan:
    """Plan one pass over a resource that is being deleted."""
    if not resource.has_finalizer:
        return Plan()
    abandoned = resource.requests.get(names.ABANDON, "").lower() == "true"
    deletes = resource.spec.deletion_policy is DeletionPolicy.DELETE and resource.spec.mode is Mode.PROVISION
    released = Reason.RETAINED
    if observed.namespace_terminating or abandoned:
        released = Reason.ABANDONED if deletes else Reason.RETAINED
    elif deletes:
        if resource.paused:
            return Plan(waiting=Waiting(Reason.PAUSED, f"paused by {names.PAUSED}: the cache is not deleted"))
        cache = _delete_cache(resource, observed, assessed, settings)
        if cache is not None:
            return cache
        released = Reason.DELETING
    elif resource.paused and resource.spec.connection.deletion_policy is DeletionPolicy.DELETE:
        return Plan(waiting=Waiting(Reason.PAUSED, f"paused by {names.PAUSED}: the Secret is not deleted"))
    if observed.namespace_terminating:
        return Plan(actions=(RemoveFinalizer(),), released=released)
    unknown = next((one for one in (observed.secret, observed.former_secrets) if isinstance(one, Unknown)), None)
    if unknown is not None and not abandoned:
        return Plan(blocked=(Blocked(unknown.reason, unknown.message),))
    rollout = None
    if resource.spec.connection.deletion_policy is DeletionPolicy.DELETE and needs_workloads(resource, observed):
        rollout = roll(resource, observed, None)
        if not rollout.moved and not abandoned:
            return _release(rollout)
    removal = remove(resource, observed)
    if removal.kept is not None and not abandoned:
        return Plan(actions=removal.actions, waiting=removal.kept, rollout=rollout, next_pass_in=removal.next_pass_in)
    # Abandoned: the consumers are released, and the deletion does not wait for them. A Secret that is used stays.
    releases = rollout.actions if rollout is not None else ()
    kept = release_used(resource, observed) if removal.kept is not None else ()
    return Plan(actions=(*releases, *removal.actions, *kept, RemoveFinalizer()), released=released)


def _release(rollout: Rollout) -> Plan:
    """Consumers are released and have rolled before the Secret goes."""
    if rollout.unread is not None:
        unread = Blocked(rollout.unread.reason, rollout.unread.message)
        return Plan(blocked=(unread,), rollout=rollout, next_pass_in=rollout.next_pass_in)
    stopped = next((one for one in rollout.statuses if one.reason not in {None, Reason.ROLLING_OUT}), None)
    rolling = rollout.rolling
    blocked = (Blocked(reason_of(stopped), f"the Secret stays: {sentence(stopped)}"),) if stopped is not None else ()
    waiting = Waiting(Reason.ROLLING_OUT, f"the Secret stays: {sentence(rolling)}") if rolling else None
    return Plan(
        actions=rollout.actions, blocked=blocked, waiting=waiting, rollout=rollout, next_pass_in=rollout.next_pass_in
    )


def _delete_cache(
    resource: SecureRedisCache, observed: Observation, assessed: Assessment, settings: Settings
) -> Plan | None:
    """Plan the deletion of the cache. None: the cache is gone, or never existed."""
    pending = resource.status.pending
    if isinstance(observed.cache, CacheAbsent):
        if observed.cache.confirmed:
            return None
        return Plan(
            pending=pending,
            waiting=Waiting(Reason.CONFIRMING_ABSENCE, "Azure answered 404; reading once more before believing it"),
            next_pass_in=settings.absence_confirmation,
        )
    if not isinstance(observed.cache, Cache):
        why = observed.cache.message if isinstance(observed.cache, Unknown) else "the cache was not read"
        if isinstance(observed.identity, Unknown):
            why = observed.identity.message
        refusal = Blocked(
            Reason.DELETION_UNKNOWN,
            f'the cache cannot be deleted while it cannot be read: {why}; {names.ABANDON}: "true" gives it up and '
            "keeps the cache",
        )
        return Plan(pending=pending, blocked=(refusal,))
    if assessed.ownership is not Ownership.OWNED:
        return Plan(
            blocked=(
                Blocked(
                    Reason.NOT_OWNED,
                    f"the cache does not carry this resource's tag {names.OWNER_TAG}, so it is not deleted; set "
                    f'spec.deletionPolicy: Retain or annotate {names.ABANDON}: "true"',
                ),
            )
        )
    if is_busy(observed.cache.provisioning_state):
        return Plan(
            pending=pending,
            waiting=Waiting(
                creation.busy_reason(observed.cache.provisioning_state),
                creation.busy(observed.cache.provisioning_state),
            ),
            next_pass_in=settings.operation_poll,
        )
    if resource.requests.get(names.CONFIRM_DELETE) != observed.cache.resource_id.name:
        return Plan(
            blocked=(
                Blocked(
                    Reason.CONFIRMATION_REQUIRED,
                    "deleting the cache loses its data: annotate "
                    f"{names.CONFIRM_DELETE}: {observed.cache.resource_id.name}"
                    f' to go on, or {names.ABANDON}: "true" to keep the cache',
                ),
            )
        )
    if not isinstance(observed.identity, NamespaceIdentity | OperatorIdentity):
        return Plan(blocked=(Blocked(Reason.DELETION_UNKNOWN, "no identity to delete the cache with"),))
    refused = refuse(settings.policy, observed.identity, resource.key.namespace, Power.DELETE, cache=resource.cache)
    if refused is not None:
        return Plan(blocked=(refused,))
    if pending is None or pending.action != DELETE:
        intent = PendingStatus(action=DELETE, recorded_at=rfc3339(observed.now), detail=resource.cache.name)
        return Plan(pending=intent, waiting=Waiting(Reason.DELETING, "the deletion is recorded"), next_pass_in=0.0)
    return Plan(
        actions=(DeleteCache(),),
        pending=pending,
        waiting=Waiting(Reason.DELETING, "Azure is deleting the cache; this takes minutes"),
        next_pass_in=settings.operation_poll,
    )
