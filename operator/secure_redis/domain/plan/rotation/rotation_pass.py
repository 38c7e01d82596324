"""The input of one pass over a rotation, and the results that each phase can have. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Final

from secure_redis.api.reasons.reason import Reason
from secure_redis.api.resource import SecureRedisCache
from secure_redis.api.status import RotationStatus
from secure_redis.domain.assess.assessment import Assessment
from secure_redis.domain.assess.rotation_record import unanswered
from secure_redis.domain.grants import VaultTarget
from secure_redis.domain.observe.keys import VaultSecretFacts
from secure_redis.domain.observe.observation import Observation
from secure_redis.domain.observe.unknown import NotRead
from secure_redis.domain.plan.actions import AzureAction, MarkKey
from secure_redis.domain.plan.rollout import waves as rollouts
from secure_redis.domain.plan.rotation.consumers import ConsumersBehind, consumers_behind
from secure_redis.domain.plan.rotation.request import RotationRequest, may_force
from secure_redis.domain.plan.types import Rotating, Settings, sooner

CONSUMERS_SECONDS: Final = 15.0  # between reads of pods that the user has to restart


@dataclass(frozen=True, slots=True)
class RotationPass:
    """The input of one pass; the members are as `phases.rotate` has them."""

    resource: SecureRedisCache
    observed: Observation
    assessed: Assessment
    settings: Settings
    rollout: rollouts.Rollout | None

    @property
    def vault(self) -> VaultTarget:
        """The vault secret of the resource."""
        settings = self.resource.spec.authentication
        if settings is None:  # `under_way` and `blocked_by` exclude it
            raise ValueError("a rotation without spec.authentication")
        return VaultTarget(settings.key_vault.uri, settings.key_vault.secret_name)

    def consumers_behind(self, request: RotationRequest) -> ConsumersBehind | None:
        """Find the consumers to wait for. If the permission to force is gone, the emergency is an ordinary one."""
        if request.forced and may_force(self.resource, self.observed, self.settings):
            return None
        container_start = timedelta(seconds=self.settings.container_start)
        return consumers_behind(self.resource, self.observed, self.assessed, self.rollout, container_start)

    def without_action(
        self, state: RotationStatus, reason: Reason | None, message: str | None, next_pass_in: float | None = None
    ) -> Rotating:
        """Report this state, and do nothing. `reason` None: the reported one stays."""
        if reason is not None:
            state = state.model_copy(update={"reason": str(reason), "message": message})
        return Rotating(state, self.handled(), next_pass_in=next_pass_in)

    def with_action(self, state: RotationStatus, action: AzureAction, reason: Reason, text: str) -> Rotating:
        """Report this state, and do the action."""
        return replace(
            self.without_action(state.model_copy(update={"holders": None}), reason, text, 0.0), action=action
        )

    def waiting_for(self, state: RotationStatus, behind: ConsumersBehind) -> Rotating:
        """Report which consumers the rotation waits for."""
        state = state.model_copy(update={"holders": rollouts.consumers_listed(behind.pods)})
        next_pass_in = self.rollout.next_pass_in if self.rollout is not None else None
        if isinstance(self.observed.consumers, NotRead) and (self.rollout is None or self.rollout.holding is None):
            next_pass_in = 0.0  # the listed ones hold no older key: now the others are read
        waiting = self.without_action(
            state, behind.why.reason, behind.why.message, sooner(next_pass_in, CONSUMERS_SECONDS)
        )
        return replace(waiting, is_check=True)

    def handled(self) -> str | None:
        """Return the request that is reported as handled. One that is there in the first pass is."""
        before = self.resource.status.last_handled
        if self.resource.rotate is not None and unanswered(self.resource, self.observed) is None:
            return self.resource.rotate
        reported = before.rotate if before is not None else None
        return None if reported == self.resource.rotate else reported

    def handled_with(self, state: RotationStatus) -> str | None:
        """Return the request that is reported as handled once this rotation has ended."""
        return state.request if state.request is not None else self.handled()

    def mark_key(self, vault: VaultSecretFacts, tags: Mapping[str, str]) -> MarkKey:
        """Build the action that sets the tags of the vault's current version."""
        return MarkKey(self.vault.uri, self.vault.secret_name, vault.version, dict(tags))

    def within(self, seconds: float | None) -> float | None:
        """Return the seconds if they end before the next ordinary pass, else None."""
        if seconds is None or seconds >= self.resource.spec.drift.interval_seconds:
            return None
        return max(seconds, 0.0)
