"""The pass over a rotation while none is under way: scheduled, waiting, or about to begin. Pure."""

from dataclasses import replace
from datetime import datetime
from typing import Final

from secure_redis.api.reasons.reason import Reason
from secure_redis.api.status import RotationPhase, RotationStatus
from secure_redis.api.times import rfc3339
from secure_redis.domain.assess import rotation_record
from secure_redis.domain.assess.key_value import slot_of
from secure_redis.domain.assess.ownership import leads
from secure_redis.domain.assess.rotation_record import Rotated, digest
from secure_redis.domain.explanation import Explanation
from secure_redis.domain.observe.cache import Cache
from secure_redis.domain.observe.keys import ListedKeys, Slot, VaultSecretFacts
from secure_redis.domain.observe.unknown import Unknown
from secure_redis.domain.plan import windows
from secure_redis.domain.plan.rotation.consumers import secret_may_hold
from secure_redis.domain.plan.rotation.ending import how_it_ended, superseded
from secure_redis.domain.plan.rotation.regeneration_mark import RegenerationMark, key_of, marked, other
from secure_redis.domain.plan.rotation.request import RotationRequest, blocked_by, due, requested
from secure_redis.domain.plan.rotation.rotation_pass import RotationPass
from secure_redis.domain.plan.types import Rotating

_NOT_MARKED: Final = frozenset({RotationPhase.WAITING, RotationPhase.INTENDED})
_ROLLED_OUT: Final = frozenset({RotationPhase.ROLLING_OUT, RotationPhase.RETIRING})


def idle(run: RotationPass) -> Rotating:
    """Decide while no rotation is under way: whether one begins, and why not."""
    resource, observed = run.resource, run.observed
    before = resource.status.rotation
    if before is not None and before.phase in _ROLLED_OUT and rotation_record.superseded(resource, observed):
        return superseded(run, before)
    request, when = requested(resource, observed), due(resource, observed)
    if not isinstance(observed.cache, Cache) or not isinstance(observed.vault, VaultSecretFacts):
        if resource.spec.authentication is not None:
            return Rotating(before, run.handled())
        when = None
    if request is None:
        return _idle(run, before, when)
    state = (before or RotationStatus(phase=RotationPhase.WAITING)).model_copy(
        update={
            "phase": RotationPhase.WAITING,
            "request": request.request,
            "target": None,
            "started_at": None,
            "recorded_at": None,
            "holders": None,
            "due_at": rfc3339(when) if when is not None else None,
        }
    )
    why = blocked_by(resource, observed, run.settings, request)
    if why is not None:
        return run.without_action(state, why.reason, why.message, _until(run, why))
    keys, vault = observed.keys, observed.vault
    if isinstance(keys, Unknown):
        return run.without_action(state, keys.reason, f"the cache's keys cannot be listed: {keys.message}")
    if not observed.cache_fresh or not isinstance(keys, ListedKeys) or not isinstance(vault, VaultSecretFacts):
        if before is not None and before.phase in _NOT_MARKED and before.request == request.request:
            state = before if before.phase == RotationPhase.INTENDED else state
            state = state.model_copy(update={"holders": before.holders})  # the reported consumers stay
            return replace(run.without_action(state, None, None, 0.0), needs_fresh_read=True)
        return replace(run.without_action(state, Reason.ROTATING, "about to begin", 0.0), needs_fresh_read=True)
    current = slot_of(vault.value, keys) if vault.value is not None else None
    if current is None:
        refused = run.assessed.credential.refused
        if refused is not None:
            return run.without_action(state, refused.reason, refused.message)
        return run.without_action(state, Reason.KEY_MISMATCH, "what Key Vault holds is no key of the cache")
    behind = run.consumers_behind(request)
    if behind is not None:
        return run.waiting_for(state, behind)
    return _begin(run, state, request, vault, keys, other(current))


def _begin(
    run: RotationPass,
    state: RotationStatus,
    request: RotationRequest,
    vault: VaultSecretFacts,
    keys: ListedKeys,
    target: Slot,
) -> Rotating:
    """Record the intent to regenerate the target in one pass, and mark the key in Key Vault in the next one.

    Everything that allows it was checked in this pass. The recorded intent allows nothing: it only shows that a pass
    has reported it before.
    """
    before, at = run.resource.status.rotation, rfc3339(run.observed.now)
    state = state.model_copy(
        update={"phase": RotationPhase.INTENDED, "target": str(target), "started_at": at, "recorded_at": at}
    )
    intended = before is not None and before.phase == RotationPhase.INTENDED
    if not intended or before is None or (before.target, before.request) != (str(target), request.request):
        text = f"the {target} key is regenerated next"
        return replace(run.without_action(state, Reason.ROTATING, text, 0.0), begins=True)
    if secret_may_hold(run.observed, key_of(keys, target)):
        text = f"the Secret holds the {target} key, so it is not regenerated"
        return run.without_action(state, Reason.HOLDERS_BEHIND, text)
    state = state.model_copy(update={"started_at": before.started_at or at})
    mark = RegenerationMark(at, target, False, request.digest).of(key_of(keys, target))
    action = run.mark_key(vault, marked(vault.tags, mark))
    text = f"the {target} key is marked in Key Vault"
    return replace(run.with_action(state, action, Reason.ROTATING, text), begins=True)


def _idle(run: RotationPass, before: RotationStatus | None, when: datetime | None) -> Rotating:
    before = _completed(run, before)
    seconds = (when - run.observed.now).total_seconds() if when is not None else None
    has_ended = before is not None and before.phase in {RotationPhase.COMPLETED, RotationPhase.SUPERSEDED}
    if before is not None and (has_ended or before.completed_at is not None):
        phase = before.phase if has_ended else RotationPhase.COMPLETED
        reason = Reason.ROTATION_SUPERSEDED if phase == RotationPhase.SUPERSEDED else Reason.ROTATED
        state = RotationStatus(
            phase=phase,
            target=before.target if has_ended else before.slot,
            request=before.request if has_ended else None,
            started_at=before.started_at,
            completed_at=before.completed_at,
            slot=before.slot,
            reason=reason,
            message=before.message if has_ended else None,
        )
    elif when is not None:
        state = RotationStatus(phase=RotationPhase.SCHEDULED, reason=Reason.ROTATION_SCHEDULED)
    else:
        return Rotating(None, run.handled())
    state = state.model_copy(update={"due_at": rfc3339(when) if when is not None else None})
    settings = run.resource.spec.authentication
    wrong = windows.problem(settings.rotation.windows) if settings is not None else None
    if wrong is not None:  # reported before the schedule needs them
        text = f"spec.authentication.rotation.{wrong}; nothing is rotated by schedule"
        state = state.model_copy(update={"reason": str(Reason.INVALID_SPEC), "message": text})
    return Rotating(state, run.handled(), next_pass_in=run.within(seconds))


def _completed(run: RotationPass, before: RotationStatus | None) -> RotationStatus | None:
    """Report the rotation that the vault says has ended, where the status misses it: its report was lost."""
    cache, vault = run.observed.cache, run.observed.vault
    rotated = Rotated.on(vault.tags) if isinstance(vault, VaultSecretFacts) else None
    if rotated is None or not isinstance(cache, Cache) or not leads(cache, run.settings.cluster_uid, run.resource):
        return before
    if before is not None and before.completed_at is not None and before.slot == rotated.slot:
        return before
    requests = (run.resource.rotate, before.request if before is not None else None)
    return RotationStatus(
        phase=RotationPhase.COMPLETED,
        target=str(rotated.slot),
        request=next((one for one in requests if one is not None and digest(one) == rotated.request), None),
        started_at=rotated.rotation,
        completed_at=rfc3339(run.observed.now),
        slot=str(rotated.slot),
        message=how_it_ended(before, rotated.slot),
    )


def _until(run: RotationPass, why: Explanation) -> float | None:
    """Return the seconds until the next window opens: nothing wakes the resource then."""
    settings = run.resource.spec.authentication
    if why.reason is not Reason.OUTSIDE_WINDOW or settings is None:
        return None
    opening = windows.next_opening(settings.rotation.windows, run.observed.now)
    return run.within((opening - run.observed.now).total_seconds()) if opening is not None else None
