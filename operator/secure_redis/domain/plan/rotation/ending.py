"""End a rotation: completed, withdrawn, or superseded by another party's key. Pure."""

from dataclasses import replace

from secure_redis.api.reasons.reason import Reason
from secure_redis.api.status import RotationPhase, RotationStatus
from secure_redis.api.times import rfc3339
from secure_redis.domain.assess.rotation_record import unanswered
from secure_redis.domain.observe.keys import Slot, VaultSecretFacts
from secure_redis.domain.plan.rotation.regeneration_mark import other, unmarked
from secure_redis.domain.plan.rotation.request import RotationRequest
from secure_redis.domain.plan.rotation.rotation_pass import RotationPass
from secure_redis.domain.plan.types import Rotating


def completed_with_old_key(run: RotationPass, state: RotationStatus, vault: VaultSecretFacts) -> Rotating:
    """End the rotation without regenerating the old key."""
    return _completed(run, state, vault, _old_key_lives_on(Slot(state.target or "")))


def completed_without_old_key(run: RotationPass, state: RotationStatus, vault: VaultSecretFacts) -> Rotating:
    """End the rotation after the old key was regenerated too."""
    return _completed(run, state, vault, _old_key_regenerated(Slot(state.target or "")))


def how_it_ended(before: RotationStatus | None, target: Slot) -> str:
    """Return the message of a rotation to `target` that has ended, from its last report before the end."""
    if before is not None and before.target == target:
        if before.phase == RotationPhase.RETIRING and before.reason == Reason.REGENERATING:
            return _old_key_regenerated(target)
        if before.phase == RotationPhase.ROLLING_OUT:
            return _old_key_lives_on(target)
    return f"every known pod holds the {target} key"


def _old_key_lives_on(target: Slot) -> str:
    return f"every known pod holds the {target} key; the {other(target)} key lives on for consumers outside"


def _old_key_regenerated(target: Slot) -> str:
    return f"every known pod holds the {target} key; the {other(target)} key was regenerated"


def _completed(run: RotationPass, state: RotationStatus, vault: VaultSecretFacts, text: str) -> Rotating:
    """End the rotation: its mark is removed, which records that the request was answered."""
    done = state.model_copy(
        update={
            "phase": RotationPhase.COMPLETED,
            "completed_at": rfc3339(run.observed.now),
            "slot": state.target,
            "recorded_at": None,
            "holders": None,
            "due_at": None,
        }
    )
    ended = run.with_action(done, run.mark_key(vault, unmarked(vault.tags)), Reason.ROTATED, text)
    return replace(ended, handled=run.handled_with(state))


def withdrawn(run: RotationPass, state: RotationStatus, vault: VaultSecretFacts) -> Rotating:
    """Remove the mark of a regeneration that was not made, because its request is not there any more."""
    text = "the request was withdrawn or replaced before a key was regenerated"
    waiting = state.model_copy(update={"phase": RotationPhase.WAITING, "target": None, "started_at": None})
    waiting = waiting.model_copy(update={"recorded_at": None})
    return run.with_action(waiting, run.mark_key(vault, unmarked(vault.tags)), Reason.ROTATING, text)


def superseded(run: RotationPass, state: RotationStatus) -> Rotating:
    """Report that another party stored another key during the rollout. Its version has no mark, so nothing is left."""
    text = f"another party stored another key while the {state.target} key was rolled out; theirs is followed"
    request = unanswered(run.resource, run.observed)
    if RotationRequest(request).emergency:  # that key may be the leaked one: it begins again
        text = f"{text}, and both keys are regenerated after that"
    ended = state.model_copy(
        update={"phase": RotationPhase.SUPERSEDED, "recorded_at": None, "holders": None, "slot": None}
    )
    return run.without_action(ended, Reason.ROTATION_SUPERSEDED, text, 0.0 if request is not None else None)
