"""Remove Secrets that are no longer needed, at a rename and at a deletion. Pure.

A Secret is deleted only after the operator has checked that no workload and no pod names it. Released Secrets stay.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from secure_redis.api.reasons.reason import ConditionType, Reason
from secure_redis.api.resource import SecureRedisCache
from secure_redis.api.spec.spec import DeletionPolicy
from secure_redis.api.times import parse_rfc3339
from secure_redis.domain.explanation import Waiting
from secure_redis.domain.observe.observation import Observation
from secure_redis.domain.observe.secret import SecretFacts
from secure_redis.domain.observe.unknown import NotRead, Unknown
from secure_redis.domain.observe.workloads import SecretUser, WorkloadFacts
from secure_redis.domain.plan.actions import Action, DeleteSecret, ReleaseSecret
from secure_redis.domain.plan.rollout.workload_checks import no_replacement
from secure_redis.domain.plan.secret import own_secrets

CHECK_SECONDS: Final = 3.0  # until the users are read that an earlier step did not need
USED_SECONDS: Final = 15.0  # between two checks of a Secret that is used; they become rarer
LONGEST_SECONDS: Final = 300.0
_LISTED: Final = 3


@dataclass(frozen=True, slots=True)
class SecretRemoval:
    """The actions that delete or release Secrets, and why others stay."""

    actions: tuple[Action, ...] = ()
    kept: Waiting | None = None
    next_pass_in: float | None = None


def removable(resource: SecureRedisCache, observed: Observation) -> tuple[SecretFacts, ...]:
    """Return the Secrets that the resource does not need: those of earlier names; all of them at its deletion."""
    own = own_secrets(resource, observed)
    return tuple(one for one in own if resource.deleting or one.name != resource.secret_name)


def needs_users(resource: SecureRedisCache, observed: Observation) -> bool:
    """Whether the users of the Secrets decide what happens next: a Secret is to be deleted, and no rollout is ahead."""
    secrets = {one.name for one in removable(resource, observed)}
    if resource.spec.connection.deletion_policy is not DeletionPolicy.DELETE or not secrets or observed.pods:
        return False
    if isinstance(observed.workloads, Unknown):
        return False
    workloads = observed.workloads if isinstance(observed.workloads, tuple) else ()
    return not any(_injected_with(facts, secrets) for facts in workloads)


def remove(resource: SecureRedisCache, observed: Observation) -> SecretRemoval:
    """Release the Secrets that are not needed, or delete those that nothing uses, by `connection.deletionPolicy`.

    The Secrets that something uses stay, and so do all of them while it is not known whether something does.
    """
    secrets = removable(resource, observed)
    if resource.spec.connection.deletion_policy is not DeletionPolicy.DELETE:
        return SecretRemoval(tuple(ReleaseSecret(one.name, one.uid) for one in secrets))
    if not secrets:
        return SecretRemoval()
    users, named = observed.secret_users, ", ".join(repr(one.name) for one in secrets)
    if isinstance(users, NotRead):
        text = f"Secret {named} stays until the operator has checked that nothing uses it"
        return SecretRemoval(kept=Waiting(Reason.SECRET_IN_USE, text), next_pass_in=CHECK_SECONDS)
    if isinstance(users, Unknown):
        text = f"Secret {named} stays, because the operator cannot check who uses it: {users.message}"
        return SecretRemoval(kept=Waiting(Reason.SECRET_IN_USE, text), next_pass_in=_pause(resource, observed))
    used = {one.name: [user for user in users if user.secret == one.name] for one in secrets}
    actions = tuple(DeleteSecret(one.name, one.uid) for one in secrets if not used[one.name])
    first = next((name for name in sorted(used) if used[name]), None)
    if first is None:
        return SecretRemoval(actions)
    kept = Waiting(Reason.SECRET_IN_USE, _in_use(first, used[first], observed))
    return SecretRemoval(actions, kept, _pause(resource, observed))


def _pause(resource: SecureRedisCache, observed: Observation) -> float:
    """Return the seconds until the next check, which lists the namespace: a quarter of the time waited so far."""
    waiting = resource.status.condition(ConditionType.READY if resource.deleting else ConditionType.RECONCILING)
    since = parse_rfc3339(waiting.last_transition_time) if waiting is not None else None
    if waiting is None or since is None or waiting.reason != Reason.SECRET_IN_USE:
        return USED_SECONDS
    return min(max(USED_SECONDS, (observed.now - since).total_seconds() / 4), LONGEST_SECONDS)


def _injected_with(facts: WorkloadFacts, secrets: Collection[str]) -> bool:
    """Whether the operator's own fields still name one of the Secrets: a rollout comes first."""
    volumes = any(of in secrets and volume in facts.owned.volumes for volume, of in facts.volumes)
    return volumes or any(
        entry.secret in secrets and entry.name in facts.owned.env.get(container.name, ())
        for container in facts.containers
        for entry in container.env
    )


def _in_use(secret: str, users: Iterable[SecretUser], observed: Observation) -> str:
    workloads = observed.workloads if isinstance(observed.workloads, tuple) else ()
    at = {(one.kind, one.name): one for one in workloads}
    found = [_described(user, at) for user in users]
    more = f" and {len(found) - _LISTED} more" if len(found) > _LISTED else ""
    return f"Secret {secret!r} stays, because it is used by {'; '.join(found[:_LISTED])}{more}"


def _described(user: SecretUser, at: Mapping[tuple[str, str], WorkloadFacts]) -> str:
    name = f"{user.kind} {user.name!r}"
    if user.workload is None:
        return name
    facts = at.get(user.workload)
    why = no_replacement(facts) if facts is not None else None
    reason = f": {why.message}" if why is not None else ""
    return f"{name} of {user.workload[0]} {user.workload[1]!r}{reason}"
