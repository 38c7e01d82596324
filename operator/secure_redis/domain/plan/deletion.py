"""Plan the deletion of a resource. `Retain` never touches Azure; `Delete` deletes the cache or reports why not."""

from dataclasses import replace

from secure_redis.api import names
from secure_redis.api.reasons.reason import Reason
from secure_redis.api.resource import SecureRedisCache
from secure_redis.api.status import PendingStatus
from secure_redis.api.times import rfc3339
from secure_redis.domain.assess.assessment import Assessment
from secure_redis.domain.assess.ownership import Ownership
from secure_redis.domain.explanation import Blocked, Waiting
from secure_redis.domain.grants import Power, refuse
from secure_redis.domain.observe.cache import Cache, CacheAbsent
from secure_redis.domain.observe.identity import NamespaceIdentity, OperatorIdentity
from secure_redis.domain.observe.observation import Observation
from secure_redis.domain.observe.unknown import Unknown
from secure_redis.domain.plan.actions import Action, ApplySecret, DeleteCache, RemoveFinalizer
from secure_redis.domain.plan.cache import creation
from secure_redis.domain.plan.finalizer import deletes_cache, deletes_secret, ends_rotation, to_release
from secure_redis.domain.plan.rollout.injection import release
from secure_redis.domain.plan.rollout.waves import (
    Rollout,
    needs_workloads,
    reason_of,
    roll,
    sentence,
)
from secure_redis.domain.plan.secret import own_secrets, publish, unreferenced
from secure_redis.domain.plan.secret_removal import remove
from secure_redis.domain.plan.types import (
    DELETE,
    Plan,
    Settings,
)


def leave(resource: SecureRedisCache, observed: Observation, assessed: Assessment, settings: Settings) -> Plan:
    """Plan one pass over a resource that is being deleted."""
    if not resource.has_finalizer:
        return Plan()
    deletes, gives_up = deletes_cache(resource), deletes_cache(resource) or deletes_secret(resource)
    if observed.namespace_terminating:  # the Secret goes with the namespace
        return Plan(actions=(RemoveFinalizer(),), released=Reason.ABANDONED if deletes else Reason.RETAINED)
    if not resource.abandoned and resource.paused and gives_up:
        what = "cache" if deletes else "Secret"
        return Plan(waiting=Waiting(Reason.PAUSED, f"paused by {names.PAUSED}: the {what} is not deleted"))
    if resource.abandoned:
        planned = Plan(actions=(RemoveFinalizer(),), released=Reason.ABANDONED if gives_up else Reason.RETAINED)
    else:
        planned = _end(resource, observed, assessed, settings)
    # An ownerReference of an earlier version goes first: under a foreground deletion the Secret may be next.
    return replace(planned, actions=(*unreferenced(resource, observed), *planned.actions))


def _end(resource: SecureRedisCache, observed: Observation, assessed: Assessment, settings: Settings) -> Plan:
    """Plan the work that the finalizer is there for: the cache, then what consumers have, then the Secret."""
    deletes = deletes_cache(resource)
    if deletes and (cache := _delete_cache(resource, observed, assessed, settings)) is not None:
        return cache
    unread = next((one for one in (observed.secret, observed.former_secrets) if isinstance(one, Unknown)), None)
    if unread is not None and (deletes_secret(resource) or not observed.unreferenced):
        text = (
            f"the operator removes the object only after it reads the Secret, so that no key is lost: {unread.message}"
        )
        return Plan(blocked=(Blocked(unread.reason, text),))
    released = Reason.DELETING if deletes else Reason.RETAINED
    if not deletes_secret(resource):
        ending = (*_publish_what_is_stored(resource, observed, assessed), *_take_out(resource, observed))
        return Plan(actions=(*ending, RemoveFinalizer()), released=released)
    rollout = None
    if needs_workloads(resource, observed):
        rollout = roll(resource, observed, None)
        if not rollout.moved:
            return _release(rollout)
    removal = remove(resource, observed)
    if removal.kept is not None:
        return Plan(actions=removal.actions, waiting=removal.kept, rollout=rollout, next_pass_in=removal.next_pass_in)
    return Plan(actions=(*removal.actions, RemoveFinalizer()), released=released)


def _publish_what_is_stored(
    resource: SecureRedisCache, observed: Observation, assessed: Assessment
) -> tuple[Action, ...]:
    """Let the Secret hold what Key Vault holds, where a rotation stored a new key and did not publish it yet.

    At every other step of a rotation the Secret and the vault hold the same key, which stays valid: it ends there.
    Nothing is regenerated any more, and no consumer is waited for.
    """
    if not ends_rotation(resource) or not own_secrets(resource, observed):
        return ()
    return tuple(action for action in publish(resource, observed, assessed).actions if isinstance(action, ApplySecret))


def _take_out(resource: SecureRedisCache, observed: Observation) -> tuple[Action, ...]:
    """Release the workloads that the spec does not list any more. The Secret stays, so no pod is waited for."""
    found = observed.workloads if isinstance(observed.workloads, tuple) and not resource.paused else ()
    releases = (release(resource, facts) for facts in found if to_release(resource, facts))
    return tuple(action for action in releases if action is not None)


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
            f"the cache cannot be deleted while it cannot be read: {why}",
        )
        return Plan(pending=pending, blocked=(refusal,))
    if assessed.ownership is not Ownership.OWNED:
        return Plan(
            blocked=(
                Blocked(
                    Reason.NOT_OWNED,
                    f"the cache does not carry this resource's tag {names.OWNER_TAG}, so it is not deleted; set "
                    "spec.deletionPolicy: Retain",
                ),
            )
        )
    state = observed.cache.busy_state
    if state is not None:
        return Plan(
            pending=pending,
            waiting=Waiting(creation.busy_reason(state), creation.busy(state)),
            next_pass_in=settings.operation_poll,
        )
    if resource.requests.get(names.CONFIRM_DELETE) != observed.cache.resource_id.name:
        return Plan(
            blocked=(
                Blocked(
                    Reason.CONFIRMATION_REQUIRED,
                    "deleting the cache loses its data: annotate "
                    f"{names.CONFIRM_DELETE}: {observed.cache.resource_id.name} to go on",
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
