"""Plan one pass: from observation and assessment to actions and the time of the next pass. Pure.

With an empty plan nothing is written anywhere, except a status that changed.
"""

from dataclasses import replace
from datetime import timedelta
from functools import reduce

from secure_redis.api import names
from secure_redis.api.reasons.reason import Reason
from secure_redis.api.resource import SecureRedisCache
from secure_redis.domain.assess.assessment import Assessment
from secure_redis.domain.explanation import Waiting
from secure_redis.domain.observe.observation import Observation
from secure_redis.domain.plan.actions import (
    ApplySecret,
    AzureAction,
    CreateSecret,
    StoreKey,
)
from secure_redis.domain.plan.brakes import (
    FREE,
    Brake,
    restrain,
    restrain_rotation,
)
from secure_redis.domain.plan.cache.services import SERVICES
from secure_redis.domain.plan.deletion import leave
from secure_redis.domain.plan.finalizer import ends_with_this_pass, set_finalizer
from secure_redis.domain.plan.rollout.waves import (
    Rollout,
    needs_workloads,
    roll,
    sentence,
)
from secure_redis.domain.plan.rotation.phases import rotate
from secure_redis.domain.plan.rotation.required_reads import proves_pods, wave_limit
from secure_redis.domain.plan.secret import in_place, publish, published_version, record
from secure_redis.domain.plan.secret_removal import SecretRemoval, remove
from secure_redis.domain.plan.types import Plan, Settings, sooner


def plan(
    resource: SecureRedisCache, observed: Observation, assessed: Assessment, settings: Settings, brake: Brake = FREE
) -> Plan:
    """Plan one pass. `brake`: what blocks writes over the whole fleet."""
    if resource.deleting:
        return _only_on_a_fresh_cache(restrain(leave(resource, observed, assessed, settings), brake), observed)
    if resource.paused:
        message = f"paused by the annotation {names.PAUSED}: nothing is written"
        still = _rollout(resource, observed, assessed, settings, publishing=False, writes=False)
        return Plan(pending=resource.status.pending, waiting=Waiting(Reason.PAUSED, message), rollout=still)
    provision = SERVICES[resource.cache.service].provision
    azure = _only_on_a_fresh_cache(restrain(provision(resource, observed, assessed, settings), brake), observed)
    secret = publish(resource, observed, assessed)
    writes_secret = any(isinstance(action, CreateSecret | ApplySecret) for action in secret.actions)
    publishing = writes_secret and published_version(resource, observed, assessed) is None
    may_write = not observed.namespace_terminating
    rollout = _rollout(resource, observed, assessed, settings, publishing=publishing, writes=may_write)
    rotating = restrain_rotation(resource, rotate(resource, observed, assessed, settings, rollout), brake)
    if rotating.action is not None:
        if any(isinstance(action, AzureAction) and not isinstance(action, StoreKey) for action in azure.actions):
            # One write to Azure at a time; the rotation is where it was.
            rotating = replace(rotating, status=resource.status.rotation, action=None, begins=False, next_pass_in=0.0)
        else:
            # It knows which key belongs into the vault.
            azure = replace(azure, actions=tuple(a for a in azure.actions if not isinstance(a, StoreKey)))
    first = set_finalizer(resource, observed, rotating)
    recorded = record(resource, observed, publishing=writes_secret)
    removal = SecretRemoval()
    if (writes_secret or in_place(resource, observed, assessed)) and (rollout is None or rollout.moved):
        # Consumers of a Secret under an earlier name move first.
        removal = remove(resource, observed)
    rolling = rollout.rolling if rollout is not None else None
    moving = Waiting(Reason.ROLLING_OUT, sentence(rolling)) if rolling is not None else None
    exact = [
        None if rotating.is_check else rotating.next_pass_in,
        _lapse(resource, observed, assessed),
        azure.exact_in,
        rollout.opens_in if rollout is not None else None,
    ]
    next_passes = [*exact, rotating.next_pass_in, azure.next_pass_in, secret.next_pass_in, removal.next_pass_in]
    if ends_with_this_pass(resource, rotating):
        next_passes.append(0.0)
    last = (rotating.action,) if rotating.action is not None else ()
    if rollout is not None:
        next_passes.append(0.0 if publishing else rollout.next_pass_in)
    return replace(
        azure,
        # Workloads come last: a failure there blocks nothing else.
        actions=(
            *first,
            *recorded,
            *secret.actions,
            *removal.actions,
            *azure.actions,
            *(rollout.actions if rollout is not None else ()),
            *last,
        ),
        blocked=azure.blocked + secret.blocked,
        waiting=azure.waiting or secret.waiting or rotating.progress or moving or removal.kept,
        next_pass_in=reduce(sooner, next_passes),
        exact_in=reduce(sooner, exact),
        rollout=rollout,
        rotation=rotating,
        needs_fresh_read=azure.needs_fresh_read or rotating.needs_fresh_read,
    )


def _lapse(resource: SecureRedisCache, observed: Observation, assessed: Assessment) -> float | None:
    """Return when the first waiver lapses, if that is before the next pass."""
    lapses = assessed.compliance.lapses if assessed.compliance is not None else None
    seconds = (lapses - observed.now).total_seconds() if lapses is not None else None
    return seconds if seconds is not None and seconds < resource.spec.drift.interval_seconds else None


def _rollout(
    resource: SecureRedisCache,
    observed: Observation,
    assessed: Assessment,
    settings: Settings,
    *,
    publishing: bool,
    writes: bool,
) -> Rollout | None:
    """Plan the rollout. Workloads move only to what is published."""
    if not needs_workloads(resource, observed):
        return None
    known = assessed.credential.data
    version = published_version(resource, observed, assessed)
    keys = known.data.keys() if known is not None else None
    # Without a proven key a rollout goes on, and none begins. A release needs no key.
    return roll(
        resource,
        observed,
        version,
        keys=keys,
        writes=writes,
        proven=known is not None,
        publishing=publishing,
        limit=wave_limit(resource, observed),
        verify=proves_pods(resource, observed, settings),
        container_start=timedelta(seconds=settings.container_start),
    )


def _only_on_a_fresh_cache(planned: Plan, observed: Observation) -> Plan:
    """Remove writes to the cache that do not follow from a direct read in this pass.

    A page of the inventory may be minutes old: a firewall rule or an endpoint that it shows can be gone by now.
    """
    writes = any(isinstance(action, AzureAction) and not isinstance(action, StoreKey) for action in planned.actions)
    if not writes or observed.cache_fresh:
        return planned
    remaining = tuple(action for action in planned.actions if not isinstance(action, AzureAction))
    return replace(planned, actions=remaining, next_pass_in=0.0, needs_fresh_read=True)
