"""The phases of a rotation. Pure; each step's proof of being done is read from the world, never remembered.

    Waiting ─► Intended ─► Regenerating ─► RollingOut ─► (Retiring) ─► Completed

A key is regenerated only while nothing that is known uses it. Its intent is recorded in the status first, then marked
in Key Vault (see `mark`), so that after a crash it is known whether it was done. Whoever stores another key meanwhile
ends the rotation (Superseded); whoever regenerates one is noticed, because each step compares the listed keys.
"""

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from secure_redis.api.reasons.reason import Reason
from secure_redis.api.resource import SecureRedisCache
from secure_redis.api.status import RotationPhase, RotationStatus
from secure_redis.api.times import rfc3339
from secure_redis.domain.assess.assessment import Assessment
from secure_redis.domain.assess.key_validity import slot_of
from secure_redis.domain.explanation import Explanation
from secure_redis.domain.grants import VaultTarget
from secure_redis.domain.observe.cache import Cache
from secure_redis.domain.observe.keys import (
    AuthenticationResult,
    ListedKeys,
    Slot,
    VaultSecretFacts,
)
from secure_redis.domain.observe.normalise import is_busy
from secure_redis.domain.observe.observation import Observation
from secure_redis.domain.observe.unknown import NotRead, Unknown
from secure_redis.domain.plan.actions import AzureAction, MarkKey, RegenerateKey
from secure_redis.domain.plan.key_storage import store
from secure_redis.domain.plan.rollout import waves as rollouts
from secure_redis.domain.plan.rotation import windows
from secure_redis.domain.plan.rotation.consumers import ConsumersBehind, held, publishes
from secure_redis.domain.plan.rotation.regeneration_mark import (
    RegenerationMark,
    attempt_id,
    key_of,
    marked,
    other,
)
from secure_redis.domain.plan.rotation.request import (
    RotationRequest,
    blocked_by,
    due,
    held_outside,
    may_force,
    requested,
    retires,
    without_right,
)
from secure_redis.domain.plan.rotation.required_reads import under_way
from secure_redis.domain.plan.secret import published_version
from secure_redis.domain.plan.types import (
    Rotating,
    Settings,
    sooner,
)

ACCEPTANCE_SECONDS: Final = 5.0  # between looks whether the cache accepts the new key
HOLDERS_SECONDS: Final = 15.0  # between looks at pods that somebody has to restart


def rotate(
    resource: SecureRedisCache,
    observed: Observation,
    assessed: Assessment,
    settings: Settings,
    rollout: rollouts.Rollout | None,
) -> Rotating:
    """Decide one pass. Nothing here holds up what else is published or rolled out."""
    return _Pass(resource, observed, assessed, settings, rollout).decide()


@dataclass(frozen=True, slots=True)
class _Pass:
    resource: SecureRedisCache
    observed: Observation
    assessed: Assessment
    settings: Settings
    rollout: rollouts.Rollout | None

    def decide(self) -> Rotating:
        state = under_way(self.resource)
        if state is None or self._overridden(state):
            return self._idle()
        if not isinstance(self.observed.cache, Cache) or not isinstance(self.observed.vault, VaultSecretFacts):
            return self._same(state, Reason.PENDING, "waits until the cache and the vault can be read")
        if state.phase == RotationPhase.ROLLING_OUT:
            return self._rolling_out(state)
        return self._with_keys(state, self.observed.cache, self.observed.vault)

    def _overridden(self, state: RotationStatus) -> bool:
        """Whether pods are waited for, and somebody with the right to it asks not to: that begins anew at once."""
        asked = RotationRequest(self.resource.rotation_asked)
        waits = state.phase != RotationPhase.REGENERATING and asked.request != state.request
        return waits and asked.forced and may_force(self.resource, self.observed, self.settings)

    # --- nothing is under way ---------------------------------------------------------------------------------------

    def _idle(self) -> Rotating:
        resource, observed = self.resource, self.observed
        before = resource.status.rotation
        wanted, when = requested(resource, observed), due(resource, observed)
        if not isinstance(observed.cache, Cache) or not isinstance(observed.vault, VaultSecretFacts):
            if resource.spec.authentication is not None:
                return Rotating(before, self._answered())
            when = None
        if wanted is None:
            return self._at_rest(before, when)
        state = (before or RotationStatus(phase=RotationPhase.WAITING)).model_copy(
            update={
                "phase": RotationPhase.WAITING,
                "request": wanted.request,
                "target": None,
                "started_at": None,
                "recorded_at": None,
                "holders": None,
                "due_at": rfc3339(when) if when is not None else None,
            }
        )
        refusal = blocked_by(resource, observed, self.settings, wanted)
        if refusal is not None:
            return self._same(state, refusal.reason, refusal.message, self._until(refusal))
        keys, vault = observed.keys, observed.vault
        if isinstance(keys, Unknown):
            return self._same(state, keys.reason, f"the cache's keys cannot be listed: {keys.message}")
        if not observed.cache_fresh or not isinstance(keys, ListedKeys) or not isinstance(vault, VaultSecretFacts):
            if before is not None and before.phase == RotationPhase.WAITING and before.request == wanted.request:
                state = state.model_copy(update={"holders": before.holders})  # what was told of it stands
                return replace(self._same(state, None, None, 0.0), look_closer=True)
            return replace(self._same(state, Reason.ROTATING, "about to begin", 0.0), look_closer=True)
        current = slot_of(vault.value, keys) if vault.value is not None else None
        if current is None:
            why = self.assessed.credential.refused
            if why is not None:
                return self._same(state, why.reason, why.message)
            return self._same(state, Reason.KEY_MISMATCH, "what Key Vault holds is no key of the cache")
        waits = self._waits(wanted)
        if waits is not None:
            return self._blocked(state, waits)
        at = rfc3339(observed.now)
        state = state.model_copy(
            update={
                "phase": RotationPhase.INTENDED,
                "target": str(other(current)),
                "started_at": at,
                "recorded_at": at,
            }
        )
        return self._same(state, Reason.ROTATING, f"the {other(current)} key is regenerated next", 0.0)

    def _at_rest(self, before: RotationStatus | None, when: datetime | None) -> Rotating:
        soon = (when - self.observed.now).total_seconds() if when is not None else None
        ended = before is not None and before.phase in {RotationPhase.COMPLETED, RotationPhase.SUPERSEDED}
        if before is not None and (ended or before.completed_at is not None):
            phase = before.phase if ended else RotationPhase.COMPLETED
            reason = Reason.ROTATION_SUPERSEDED if phase == RotationPhase.SUPERSEDED else Reason.ROTATED
            kept = RotationStatus(
                phase=phase,
                target=before.target if ended else before.slot,
                request=before.request if ended else None,
                started_at=before.started_at,
                completed_at=before.completed_at,
                slot=before.slot,
                reason=reason,
                message=before.message if ended else None,
            )
        elif when is not None:
            kept = RotationStatus(phase=RotationPhase.SCHEDULED, reason=Reason.ROTATION_SCHEDULED)
        else:
            return Rotating(None, self._answered())
        kept = kept.model_copy(update={"due_at": rfc3339(when) if when is not None else None})
        settings = self.resource.spec.authentication
        wrong = windows.problem(settings.rotation.windows) if settings is not None else None
        if wrong is not None:  # told before the schedule needs them
            text = f"spec.authentication.rotation.{wrong}; nothing is rotated by schedule"
            kept = kept.model_copy(update={"reason": str(Reason.INVALID_SPEC), "message": text})
        return Rotating(kept, self._answered(), next_look=self._within(soon))

    # --- a regeneration ---------------------------------------------------------------------------------------------

    def _with_keys(self, state: RotationStatus, cache: Cache, vault: VaultSecretFacts) -> Rotating:
        keys = self.observed.keys
        if isinstance(keys, Unknown):
            return self._same(state, keys.reason, f"the cache's keys cannot be listed: {keys.message}")
        if not isinstance(keys, ListedKeys) or not self.observed.cache_fresh:
            return replace(self._same(state, None, None, 0.0), look_closer=True)
        target = Slot(state.target or "")
        current = slot_of(vault.value, keys) if vault.value is not None else None
        if state.phase == RotationPhase.RETIRING:
            if current is target:
                return self._retiring(state, cache, vault, keys, other(target))
            return self._overtaken(state, current)
        if current is target:
            mark = RegenerationMark.on(vault.tags, attempt_id(state.recorded_at or "", target))
            if RotationRequest(state.request).emergency and (mark is None or mark.fits(key_of(keys, target))):
                return self._turned(state, target)
            return self._same(
                state.model_copy(update={"phase": RotationPhase.ROLLING_OUT}),
                Reason.ROLLING_OUT,
                f"the new {target} key is in Key Vault and is published next",
                0.0,
            )
        return self._regenerating(state, cache, vault, keys, target)

    def _regenerating(
        self, state: RotationStatus, cache: Cache, vault: VaultSecretFacts, keys: ListedKeys, target: Slot
    ) -> Rotating:
        new, mark = key_of(keys, target), RegenerationMark.on(vault.tags, attempt_id(state.recorded_at or "", target))
        if mark is None or mark.fits(new):
            return self._regenerate(state, cache, vault, keys, target, mark)
        tried = self.observed.regenerated
        if isinstance(tried, NotRead):
            return replace(self._same(state, Reason.REGENERATING, "the new key is tried", 0.0), look_closer=True)
        if tried is AuthenticationResult.REFUSED:
            text = f"the {target} key was regenerated, and the cache does not accept it yet"
            return self._same(state, Reason.KEY_NOT_ACCEPTED, text, ACCEPTANCE_SECONDS)
        # Accepted; or there is no way to the cache, and that Azure lists it is all there is to know.
        action = store(self.resource, self._vault(), target, new, vault, self.observed.now)
        action = replace(action, tags={**action.tags, **mark.tag})
        return self._doing(state, action, Reason.STORING_KEY, f"the new {target} key is being stored in Key Vault")

    def _retiring(
        self, state: RotationStatus, cache: Cache, vault: VaultSecretFacts, keys: ListedKeys, old: Slot
    ) -> Rotating:
        mark = RegenerationMark.on(vault.tags, attempt_id(state.recorded_at or "", old, retiring=True))
        if mark is None or mark.fits(key_of(keys, old)):
            if not retires(self.resource, RotationRequest(state.request)):  # since the intent was recorded
                return self._spared(state)
            return self._regenerate(state, cache, vault, keys, old, mark)
        return self._completed(state, f"every known pod holds the {state.target} key; the {old} key was regenerated")

    def _regenerate(
        self,
        state: RotationStatus,
        cache: Cache,
        vault: VaultSecretFacts,
        keys: ListedKeys,
        slot: Slot,
        mark: RegenerationMark | None,
    ) -> Rotating:
        """Mark the key, then regenerate it; each only while nobody is known to hold it."""
        wanted, observed, key = RotationRequest(state.request), self.observed, key_of(keys, slot)
        refusal = without_right(self.resource, observed, self.settings)
        if refusal is None and state.phase != RotationPhase.RETIRING:
            refusal = held_outside(self.resource, observed, wanted)
        if refusal is not None:
            return self._same(self._withdrawn(state), refusal.reason, refusal.message)
        waits = self._waits(wanted)
        if waits is not None:
            return self._blocked(self._withdrawn(state), waits)
        if publishes(self.observed, key):
            return self._same(
                state, Reason.HOLDERS_BEHIND, f"the Secret holds the {slot} key, so it is not regenerated"
            )
        if mark is None:
            of = attempt_id(state.recorded_at or "", slot, retiring=state.phase == RotationPhase.RETIRING)
            tags = marked(vault.tags, of, key)
            vault_at = self._vault()
            action = MarkKey(vault_at.uri, vault_at.secret_name, vault.version, tags)
            return self._doing(state, action, Reason.ROTATING, f"the {slot} key is marked in Key Vault")
        if is_busy(cache.provisioning_state) or (
            observed.operation is not None and observed.operation.status == "InProgress"
        ):
            text = f"Azure is busy with the cache ({cache.provisioning_state})"
            return self._same(state, Reason.REGENERATING, text, self.settings.operation_poll)
        if observed.attempted is not None:
            left = self.settings.regeneration_settle - (observed.now - observed.attempted).total_seconds()
            if left > 0:
                text = (
                    f"the {slot} key may have been asked to be regenerated; it is looked at again before it is repeated"
                )
                return self._same(state, Reason.REGENERATING, text, left)
        if state.phase == RotationPhase.INTENDED:
            state = state.model_copy(update={"phase": RotationPhase.REGENERATING})
        return self._doing(state, RegenerateKey(slot), Reason.REGENERATING, f"the {slot} key is being regenerated")

    # --- the rollout ------------------------------------------------------------------------------------------------

    def _rolling_out(self, state: RotationStatus) -> Rotating:
        target, proven = Slot(state.target or ""), self.assessed.credential.proven
        if proven is None:
            refused = self.assessed.credential.refused
            why = refused.reason if refused is not None else Reason.PENDING
            text = refused.message if refused is not None else "the key in Key Vault is not proven yet"
            return self._same(state, why, text)
        if proven.slot is not target:
            return self._overtaken(state, proven.slot)
        wanted = RotationRequest(state.request)
        waits = self._waits(wanted)
        if waits is not None:
            return self._blocked(state, waits)
        if published_version(self.resource, self.observed, self.assessed) is None:
            return self._same(state, Reason.ROLLING_OUT, "the new key is being published", 0.0)
        if not retires(self.resource, wanted):
            return self._spared(state)
        state = state.model_copy(
            update={"phase": RotationPhase.RETIRING, "recorded_at": rfc3339(self.observed.now), "holders": None}
        )
        text = f"every known pod holds the {target} key; the {other(target)} key is regenerated next"
        return self._same(state, Reason.ROTATING, text, 0.0)

    # --- small things -----------------------------------------------------------------------------------------------

    def _vault(self) -> VaultTarget:
        settings = self.resource.spec.authentication
        if settings is None:  # `under_way` and `blocked_by` let nothing through without it
            raise ValueError("a rotation without spec.authentication")
        return VaultTarget(settings.key_vault.uri, settings.key_vault.secret_name)

    def _overtaken(self, state: RotationStatus, current: Slot | None) -> Rotating:
        if current is None:
            # Somebody regenerated the key that is current: the live one is stored anew (see assess), then it goes on.
            text = f"the {state.target} key was regenerated by somebody else; the live one is stored and rolled out"
            return self._same(state, Reason.KEY_MISMATCH, text, 0.0 if self.assessed.credential.store else None)
        text = f"somebody else stored the {current} key while the {state.target} key was rolled out; theirs is followed"
        emergency = RotationRequest(state.request).emergency  # theirs may be the leaked one: it begins anew
        text = f"{text}, and both keys are regenerated after that" if emergency else text
        ended = state.model_copy(
            update={"phase": RotationPhase.SUPERSEDED, "recorded_at": None, "holders": None, "slot": None}
        )
        handled = self._answered() if emergency else self._answering(state)
        return replace(self._same(ended, Reason.ROTATION_SUPERSEDED, text), handled=handled)

    def _waits(self, wanted: RotationRequest) -> ConsumersBehind | None:
        """Who is waited for. A leave to force that is gone since makes it an emergency like any other."""
        if wanted.forced and may_force(self.resource, self.observed, self.settings):
            return None
        return held(self.resource, self.observed, self.assessed, self.rollout)

    def _withdrawn(self, state: RotationStatus) -> RotationStatus:
        """Nothing was asked of Azure yet: then it only waits, and a later request may take its place."""
        if state.phase != RotationPhase.INTENDED or self.observed.attempted is not None:
            return state
        return state.model_copy(
            update={"phase": RotationPhase.WAITING, "target": None, "started_at": None, "recorded_at": None}
        )

    def _turned(self, state: RotationStatus, current: Slot) -> Rotating:
        """An emergency, and somebody stored the target's key as it was: then the other one is regenerated first."""
        changes = {
            "phase": RotationPhase.INTENDED,
            "target": str(other(current)),
            "recorded_at": rfc3339(self.observed.now),
        }
        text = (
            f"somebody else stored the {current} key, which may be the leaked one; the other one is regenerated first"
        )
        return self._same(state.model_copy(update=changes), Reason.ROTATING, text, 0.0)

    def _spared(self, state: RotationStatus) -> Rotating:
        old = other(Slot(state.target or ""))
        text = f"every known pod holds the {state.target} key; the {old} key lives on for consumers outside"
        return self._completed(state, text)

    def _completed(self, state: RotationStatus, text: str) -> Rotating:
        done = state.model_copy(
            update={
                "phase": RotationPhase.COMPLETED,
                "completed_at": rfc3339(self.observed.now),
                "slot": state.target,
                "recorded_at": None,
                "holders": None,
                "due_at": None,
            }
        )
        return replace(self._same(done, Reason.ROTATED, text, 0.0), handled=self._answering(state))

    def _blocked(self, state: RotationStatus, waits: ConsumersBehind) -> Rotating:
        state = state.model_copy(update={"holders": rollouts.holders_listed(waits.pods)})
        look = self.rollout.next_look if self.rollout is not None else None
        if isinstance(self.observed.holders, NotRead) and (self.rollout is None or self.rollout.moved):
            look = 0.0  # the listed ones have moved: now the others are read
        return self._same(state, waits.why.reason, waits.why.message, sooner(look, HOLDERS_SECONDS))

    def _doing(self, state: RotationStatus, action: AzureAction, reason: Reason, text: str) -> Rotating:
        return replace(self._same(state.model_copy(update={"holders": None}), reason, text, 0.0), action=action)

    def _same(
        self, state: RotationStatus, reason: Reason | None, message: str | None, next_look: float | None = None
    ) -> Rotating:
        if reason is not None:
            state = state.model_copy(update={"reason": str(reason), "message": message})
        return Rotating(state, self._answered(), next_look=next_look)

    def _answered(self) -> str | None:
        """A value that is there at the first look counts as answered."""
        before = self.resource.status.last_handled
        return self.resource.rotate if before is None else before.rotate

    def _answering(self, state: RotationStatus) -> str | None:
        return state.request if state.request is not None else self._answered()

    def _until(self, refusal: Explanation) -> float | None:
        """When what makes it wait may be over: nobody tells us of a window."""
        settings = self.resource.spec.authentication
        if refusal.reason is not Reason.OUTSIDE_WINDOW or settings is None:
            return None
        opening = windows.next_opening(settings.rotation.windows, self.observed.now)
        return self._within((opening - self.observed.now).total_seconds()) if opening is not None else None

    def _within(self, seconds: float | None) -> float | None:
        if seconds is None or seconds >= self.resource.spec.drift.interval_seconds:
            return None
        return max(seconds, 0.0)
