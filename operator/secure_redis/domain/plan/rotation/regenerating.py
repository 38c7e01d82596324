"""The phases in which a key is regenerated: Intended, Regenerating and Retiring. Pure."""

from dataclasses import replace
from typing import Final

from secure_redis.api.reasons.reason import Reason
from secure_redis.api.status import RotationPhase, RotationStatus
from secure_redis.api.times import rfc3339
from secure_redis.domain.assess.key_value import slot_of
from secure_redis.domain.observe.cache import Cache
from secure_redis.domain.observe.keys import AuthenticationResult, ListedKeys, Slot, VaultSecretFacts
from secure_redis.domain.observe.normalise import is_busy
from secure_redis.domain.observe.unknown import NotRead, Unknown
from secure_redis.domain.plan.actions import MarkKey, RegenerateKey
from secure_redis.domain.plan.key_storage import store
from secure_redis.domain.plan.rotation.consumers import secret_may_hold
from secure_redis.domain.plan.rotation.ending import completed, completed_with_old_key, superseded
from secure_redis.domain.plan.rotation.regeneration_mark import RegenerationMark, attempt_id, key_of, marked, other
from secure_redis.domain.plan.rotation.request import RotationRequest, not_permitted, outside_consumers, retires
from secure_redis.domain.plan.rotation.rotation_pass import RotationPass
from secure_redis.domain.plan.types import Rotating

ACCEPTANCE_SECONDS: Final = 5.0  # between attempts to use the new key at the cache


def regenerating(run: RotationPass, state: RotationStatus, cache: Cache, vault: VaultSecretFacts) -> Rotating:
    """Decide while a key is regenerated: the target, or the old key that is retired."""
    keys = run.observed.keys
    if isinstance(keys, Unknown):
        return run.without_action(state, keys.reason, f"the cache's keys cannot be listed: {keys.message}")
    if not isinstance(keys, ListedKeys) or not run.observed.cache_fresh:
        return replace(run.without_action(state, None, None, 0.0), needs_fresh_read=True)
    target = Slot(state.target or "")
    current = slot_of(vault.value, keys) if vault.value is not None else None
    if state.phase == RotationPhase.RETIRING:
        if current is target:
            return _retiring(run, state, cache, vault, keys, other(target))
        return superseded(run, state, current)
    if current is target:
        mark = RegenerationMark.on(vault.tags, attempt_id(state.recorded_at or "", target))
        if RotationRequest(state.request).emergency and (mark is None or mark.fits(key_of(keys, target))):
            return _other_first(run, state, target)
        return run.without_action(
            state.model_copy(update={"phase": RotationPhase.ROLLING_OUT}),
            Reason.ROLLING_OUT,
            f"the new {target} key is in Key Vault and is published next",
            0.0,
        )
    return _target(run, state, cache, vault, keys, target)


def _target(
    run: RotationPass, state: RotationStatus, cache: Cache, vault: VaultSecretFacts, keys: ListedKeys, target: Slot
) -> Rotating:
    new, mark = key_of(keys, target), RegenerationMark.on(vault.tags, attempt_id(state.recorded_at or "", target))
    if mark is None or mark.fits(new):
        return _regenerate(run, state, cache, vault, keys, target, mark)
    tried = run.observed.regenerated
    if isinstance(tried, NotRead):
        return replace(
            run.without_action(state, Reason.REGENERATING, "the new key is tried", 0.0), needs_fresh_read=True
        )
    if tried is AuthenticationResult.REFUSED:
        text = f"the {target} key was regenerated, and the cache does not accept it yet"
        return run.without_action(state, Reason.KEY_NOT_ACCEPTED, text, ACCEPTANCE_SECONDS)
    # Accepted. Or the cache cannot be reached, and the only evidence is that Azure lists the key.
    action = store(run.resource, run.vault, target, new, vault, run.observed.now)
    action = replace(action, tags={**action.tags, **mark.tag})
    return run.with_action(state, action, Reason.STORING_KEY, f"the new {target} key is being stored in Key Vault")


def _retiring(
    run: RotationPass, state: RotationStatus, cache: Cache, vault: VaultSecretFacts, keys: ListedKeys, old: Slot
) -> Rotating:
    mark = RegenerationMark.on(vault.tags, attempt_id(state.recorded_at or "", old, retiring=True))
    if mark is None or mark.fits(key_of(keys, old)):
        if not retires(run.resource, RotationRequest(state.request)):  # since the intent was recorded
            return completed_with_old_key(run, state)
        return _regenerate(run, state, cache, vault, keys, old, mark)
    return completed(run, state, f"every known pod holds the {state.target} key; the {old} key was regenerated")


def _regenerate(
    run: RotationPass,
    state: RotationStatus,
    cache: Cache,
    vault: VaultSecretFacts,
    keys: ListedKeys,
    slot: Slot,
    mark: RegenerationMark | None,
) -> Rotating:
    """Record the regeneration's mark, then regenerate; each only while no known consumer holds the key."""
    request, observed, key = RotationRequest(state.request), run.observed, key_of(keys, slot)
    why = not_permitted(run.resource, observed, run.settings)
    if why is None and state.phase != RotationPhase.RETIRING:
        why = outside_consumers(run.resource, observed, request)
    if why is not None:
        return run.without_action(_withdrawn(run, state), why.reason, why.message)
    behind = run.consumers_behind(request)
    if behind is not None:
        return run.waiting_for(_withdrawn(run, state), behind)
    if secret_may_hold(run.observed, key):
        return run.without_action(
            state, Reason.HOLDERS_BEHIND, f"the Secret holds the {slot} key, so it is not regenerated"
        )
    if mark is None:
        attempt = attempt_id(state.recorded_at or "", slot, retiring=state.phase == RotationPhase.RETIRING)
        tags = marked(vault.tags, attempt, key)
        vault_at = run.vault
        action = MarkKey(vault_at.uri, vault_at.secret_name, vault.version, tags)
        return run.with_action(state, action, Reason.ROTATING, f"the {slot} key is marked in Key Vault")
    if is_busy(cache.provisioning_state) or (
        observed.operation is not None and observed.operation.status == "InProgress"
    ):
        text = f"Azure is busy with the cache ({cache.provisioning_state})"
        return run.without_action(state, Reason.REGENERATING, text, run.settings.operation_poll)
    if observed.attempted is not None:
        left = run.settings.regeneration_settle - (observed.now - observed.attempted).total_seconds()
        if left > 0:
            text = f"the {slot} key's regeneration may have been requested; it is checked again before it is repeated"
            return run.without_action(state, Reason.REGENERATING, text, left)
    if state.phase == RotationPhase.INTENDED:
        state = state.model_copy(update={"phase": RotationPhase.REGENERATING})
    return run.with_action(state, RegenerateKey(slot), Reason.REGENERATING, f"the {slot} key is being regenerated")


def _withdrawn(run: RotationPass, state: RotationStatus) -> RotationStatus:
    """Go back to waiting if Azure has no request yet; a later request may then take its place."""
    if state.phase != RotationPhase.INTENDED or run.observed.attempted is not None:
        return state
    return state.model_copy(
        update={"phase": RotationPhase.WAITING, "target": None, "started_at": None, "recorded_at": None}
    )


def _other_first(run: RotationPass, state: RotationStatus, current: Slot) -> Rotating:
    """Regenerate the other key first: in an emergency, another party stored the target's old key."""
    changes = {
        "phase": RotationPhase.INTENDED,
        "target": str(other(current)),
        "recorded_at": rfc3339(run.observed.now),
    }
    text = f"another party stored the {current} key, which may be the leaked one; the other one is regenerated first"
    return run.without_action(state.model_copy(update=changes), Reason.ROTATING, text, 0.0)
