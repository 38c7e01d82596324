"""From an observation and what it means to a list of actions and the time of the next look. Pure.

An empty plan means that nothing is written anywhere, except a status that changed.
"""

from dataclasses import replace

from secure_redis.api import names
from secure_redis.api.reasons import Reason
from secure_redis.api.resource import SecureRedisCache
from secure_redis.domain.actions import Action, AddFinalizer, AzureAction, StoreKey
from secure_redis.domain.assess import Assessment
from secure_redis.domain.grants import Refusal
from secure_redis.domain.intent import Plan, Settings, sooner
from secure_redis.domain.leaving import leave
from secure_redis.domain.observation import Observation
from secure_redis.domain.provisioning import provision
from secure_redis.domain.publishing import publish


def plan(resource: SecureRedisCache, seen: Observation, means: Assessment, settings: Settings) -> Plan:
    """Decide one pass."""
    if resource.deleting:
        return _on_fresh_sight(leave(resource, seen, means, settings), seen)
    if resource.paused:
        said = f"paused by the annotation {names.PAUSED}: nothing is written"
        return Plan(pending=resource.status.pending, waiting=Refusal(Reason.PAUSED, said))
    first: tuple[Action, ...] = () if resource.has_finalizer else (AddFinalizer(),)
    azure = _on_fresh_sight(provision(resource, seen, means, settings), seen)
    secret = publish(resource, seen, means)
    return replace(
        azure,
        actions=first + secret.actions + azure.actions,
        refused=azure.refused + secret.refused,
        waiting=azure.waiting or secret.waiting,
        next_look=sooner(azure.next_look, secret.next_look),
    )


def _on_fresh_sight(wanted: Plan, seen: Observation) -> Plan:
    """A cache is changed only on what was read directly in this very pass.

    A page of the inventory may be minutes old: a rule or an endpoint that it shows can be gone by now.
    """
    writes = any(isinstance(action, AzureAction) and not isinstance(action, StoreKey) for action in wanted.actions)
    if not writes or seen.cache_fresh:
        return wanted
    kept = tuple(action for action in wanted.actions if not isinstance(action, AzureAction))
    return replace(wanted, actions=kept, next_look=0.0, look_closer=True)


__all__ = ["Plan", "Settings", "plan"]
