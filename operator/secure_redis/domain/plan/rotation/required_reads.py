"""Decide what has to be read for the next step of a rotation. Pure."""

from typing import Final

from pydantic import SecretStr

from secure_redis.api.resource import SecureRedisCache
from secure_redis.api.spec.spec import Access
from secure_redis.api.status import UNDER_WAY, RotationPhase, RotationStatus
from secure_redis.domain.observe.cache import Cache
from secure_redis.domain.observe.keys import ListedKeys, Slot, VaultSecretFacts
from secure_redis.domain.observe.observation import Observation
from secure_redis.domain.observe.unknown import Unknown
from secure_redis.domain.plan.rollout.waves import may_be_free
from secure_redis.domain.plan.rotation.regeneration_mark import (
    RegenerationMark,
    attempt_id,
    key_of,
    other,
)
from secure_redis.domain.plan.rotation.request import RotationRequest, blocked_by, requested
from secure_redis.domain.plan.types import Settings

EVERYTHING_AT_ONCE: Final = 1000  # workloads: more than a resource can have

_REGENERATING: Final = frozenset({RotationPhase.INTENDED, RotationPhase.REGENERATING, RotationPhase.RETIRING})


def under_way(resource: SecureRedisCache) -> RotationStatus | None:
    """Find the rotation whose intent is recorded and that is not done; None too if the spec has ended it."""
    state, settings = resource.status.rotation, resource.spec.authentication
    if state is None or state.phase not in UNDER_WAY or state.target not in set(Slot) or state.recorded_at is None:
        return None
    if settings is None or settings.key_vault.access is not Access.READ_WRITE:
        return None
    return state


def attempt_of(resource: SecureRedisCache) -> str | None:
    """Return the attempt id of the regeneration that the status records as intended."""
    return attempt_in(under_way(resource))


def attempt_in(state: RotationStatus | None) -> str | None:
    """Return the same for a status that is to be written."""
    if state is None or state.recorded_at is None or state.phase not in _REGENERATING:
        return None
    target = Slot(state.target or "")
    retiring = state.phase == RotationPhase.RETIRING
    return attempt_id(state.recorded_at, other(target) if retiring else target, retiring=retiring)


def needs_keys(resource: SecureRedisCache, observed: Observation, settings: Settings) -> bool:
    """Whether the listed keys decide the next step."""
    if not isinstance(observed.vault, VaultSecretFacts) or not isinstance(observed.cache, Cache):
        return False
    state = under_way(resource)
    if state is not None:
        return state.phase in _REGENERATING
    request = requested(resource, observed)
    return request is not None and observed.cache_fresh and blocked_by(resource, observed, settings, request) is None


def needs_consumers(resource: SecureRedisCache, observed: Observation) -> bool:
    """Whether unlisted pods decide the next step: always where the keys do, and while a rollout ends."""
    state = under_way(resource)
    if state is not None and state.phase == RotationPhase.ROLLING_OUT:
        return _listed_may_be_free(resource, observed)  # the pods of listed workloads come first
    return isinstance(observed.keys, ListedKeys) and (state is not None or requested(resource, observed) is not None)


def _listed_may_be_free(resource: SecureRedisCache, observed: Observation) -> bool:
    """Whether no pod of a listed workload that had to be read is known to hold an older key."""
    return all(
        not isinstance(pods, Unknown) and may_be_free(resource, pods, observed.now) for pods in observed.pods.values()
    )


def candidate(resource: SecureRedisCache, observed: Observation) -> SecretStr | None:
    """Return the key that was regenerated and is not stored yet, to be tried by AUTH."""
    state, attempt = under_way(resource), attempt_of(resource)
    keys, vault = observed.keys, observed.vault
    if state is None or attempt is None or state.phase == RotationPhase.RETIRING:
        return None
    if not isinstance(keys, ListedKeys) or not isinstance(vault, VaultSecretFacts):
        return None
    new, mark = key_of(keys, Slot(state.target or "")), RegenerationMark.on(vault.tags, attempt)
    return new if mark is not None and not mark.fits(new) else None


def wave_limit(resource: SecureRedisCache) -> int | None:
    """Return how many workloads roll at a time in an emergency; None: as the spec declares."""
    state = under_way(resource)
    requests = (resource.rotation_requested, state.request if state is not None else None)
    return EVERYTHING_AT_ONCE if any(RotationRequest(request).emergency for request in requests) else None
