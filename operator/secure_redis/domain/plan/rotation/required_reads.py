"""Find the rotation under way, and decide what has to be read for its next step. Pure.

The mark on the vault's current version says whether a rotation is under way and which step comes next. The status
reports it. Without a mark, the status can say no more than that the first pass of a beginning is over, and every check
of the second pass is made again.
"""

from typing import Final

from pydantic import SecretStr

from secure_redis.api.resource import SecureRedisCache
from secure_redis.api.spec.spec import Access
from secure_redis.api.status import UNDER_WAY, RotationPhase, RotationStatus
from secure_redis.domain.assess.ownership import leads
from secure_redis.domain.assess.rotation_record import Rotated, digest, unanswered
from secure_redis.domain.observe.cache import Cache
from secure_redis.domain.observe.keys import ListedKeys, VaultSecretFacts
from secure_redis.domain.observe.observation import Observation
from secure_redis.domain.observe.unknown import Unknown
from secure_redis.domain.plan.rollout.waves import may_be_free
from secure_redis.domain.plan.rotation.regeneration_mark import RegenerationMark, key_of
from secure_redis.domain.plan.rotation.request import RotationRequest, blocked_by, may_force, requested
from secure_redis.domain.plan.types import Settings

EVERYTHING_AT_ONCE: Final = 1000  # workloads: more than a resource can have

_REGENERATING: Final = frozenset({RotationPhase.INTENDED, RotationPhase.REGENERATING, RotationPhase.RETIRING})


def reported_under_way(resource: SecureRedisCache) -> bool:
    """Whether the status reports a rotation. It decides what is read at a deletion, and nothing else."""
    state, settings = resource.status.rotation, resource.spec.authentication
    writes = settings is not None and settings.key_vault.access is Access.READ_WRITE
    return writes and state is not None and state.phase in UNDER_WAY


def open_mark(resource: SecureRedisCache, observed: Observation) -> RegenerationMark | None:
    """Find the mark of the rotation under way. None: there is none, or the spec lets the operator rotate nothing."""
    settings, vault = resource.spec.authentication, observed.vault
    if (
        settings is None
        or settings.key_vault.access is not Access.READ_WRITE
        or not isinstance(vault, VaultSecretFacts)
    ):
        return None
    return RegenerationMark.on(vault.tags)


def under_way(resource: SecureRedisCache, observed: Observation, settings: Settings) -> RotationStatus | None:
    """Find the rotation under way, as it is reported.

    None: there is none, or another resource leads the cache: the mark is the leader's.
    """
    mark, before = open_mark(resource, observed), resource.status.rotation
    if not isinstance(observed.vault, VaultSecretFacts) or not isinstance(observed.cache, Cache):
        return before if reported_under_way(resource) else None  # nothing is decided now, so what is reported stays
    if mark is None or not leads(observed.cache, settings.cluster_uid, resource):
        return None
    known = before is not None and before.recorded_at == mark.rotation
    state = before if before is not None and known else RotationStatus(phase=RotationPhase.INTENDED)
    requests = (resource.rotate, state.request)
    return state.model_copy(
        update={
            "phase": _phase(mark, observed.vault, state.phase),
            "target": str(mark.target),
            "request": next((one for one in requests if one is not None and digest(one) == mark.request), None),
            "started_at": state.started_at or mark.rotation,
            "recorded_at": mark.rotation,
            "completed_at": before.completed_at if before is not None else None,
            "slot": before.slot if before is not None else None,
        }
    )


def _phase(mark: RegenerationMark, vault: VaultSecretFacts, reported: str) -> RotationPhase:
    """Find the phase. The status can only move it to where everything is checked again."""
    if mark.retiring:
        return RotationPhase.RETIRING
    if is_stored(mark, vault):
        return RotationPhase.RETIRING if reported == RotationPhase.RETIRING else RotationPhase.ROLLING_OUT
    return RotationPhase.REGENERATING if reported == RotationPhase.REGENERATING else RotationPhase.INTENDED


def is_stored(mark: RegenerationMark, vault: VaultSecretFacts) -> bool:
    """Whether the rotation of the mark stored this version."""
    rotated = Rotated.on(vault.tags)
    return rotated is not None and (rotated.rotation, rotated.slot) == (mark.rotation, mark.target)


def attempt_of(resource: SecureRedisCache, observed: Observation) -> str | None:
    """Return the attempt of the regeneration that is marked, and whose new key is not stored yet."""
    mark, vault = open_mark(resource, observed), observed.vault
    if mark is None or not isinstance(vault, VaultSecretFacts):
        return None
    return mark.attempt if mark.retiring or not is_stored(mark, vault) else None


def needs_keys(resource: SecureRedisCache, observed: Observation, settings: Settings) -> bool:
    """Whether the listed keys decide the next step."""
    if not isinstance(observed.vault, VaultSecretFacts) or not isinstance(observed.cache, Cache):
        return False
    state = under_way(resource, observed, settings)
    if state is not None and state.phase in _REGENERATING:
        return True
    if state is not None and not overridden(resource, observed, settings):
        return False
    request = requested(resource, observed)
    return request is not None and observed.cache_fresh and blocked_by(resource, observed, settings, request) is None


def overridden(resource: SecureRedisCache, observed: Observation, settings: Settings) -> bool:
    """Whether a permitted request no longer waits for the pods of a rollout: a rotation then begins immediately."""
    mark, vault, request = open_mark(resource, observed), observed.vault, requested(resource, observed)
    if mark is None or not isinstance(vault, VaultSecretFacts) or not is_stored(mark, vault):
        return False
    if request is None or not request.forced or request.digest == mark.request:
        return False
    return may_force(resource, observed, settings)


def needs_consumers(resource: SecureRedisCache, observed: Observation, settings: Settings) -> bool:
    """Whether unlisted pods decide the next step: always where the keys do, and while a rollout ends."""
    state = under_way(resource, observed, settings)
    if state is not None and state.phase == RotationPhase.ROLLING_OUT:
        return _listed_may_be_free(resource, observed)  # the pods of listed workloads come first
    return proves_pods(resource, observed, settings)


def proves_pods(resource: SecureRedisCache, observed: Observation, settings: Settings) -> bool:
    """Whether a key may be regenerated next, so that no report of an earlier pass about the pods counts."""
    if not isinstance(observed.keys, ListedKeys):
        return False
    state = under_way(resource, observed, settings)
    regenerates = state is not None and state.phase in _REGENERATING
    return regenerates or (state is None and requested(resource, observed) is not None)


def _listed_may_be_free(resource: SecureRedisCache, observed: Observation) -> bool:
    """Whether no pod of a listed workload that had to be read is known to hold an older key."""
    return all(
        not isinstance(pods, Unknown) and may_be_free(resource, observed, pods) for pods in observed.pods.values()
    )


def candidate(resource: SecureRedisCache, observed: Observation) -> SecretStr | None:
    """Return the key that was regenerated and is not stored yet, to be tried by AUTH."""
    mark, keys = open_mark(resource, observed), observed.keys
    if mark is None or mark.retiring or attempt_of(resource, observed) is None or not isinstance(keys, ListedKeys):
        return None
    new = key_of(keys, mark.slot)
    return new if not mark.fits(new) else None


def wave_limit(resource: SecureRedisCache, observed: Observation) -> int | None:
    """Return how many workloads roll at a time in an emergency; None: as the spec declares."""
    return EVERYTHING_AT_ONCE if RotationRequest(unanswered(resource, observed)).emergency else None
