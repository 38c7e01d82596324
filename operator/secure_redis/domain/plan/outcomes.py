"""Define the outcomes of an action."""

from dataclasses import dataclass

from secure_redis.api.reasons.reason import Reason
from secure_redis.domain.plan.actions import Action
from secure_redis.domain.plan.write_failure import WriteFailure


@dataclass(frozen=True, slots=True)
class Done:
    """The action took effect (or had already)."""

    action: Action


@dataclass(frozen=True, slots=True)
class Failed:
    """The action did not take effect."""

    action: Action
    failure: WriteFailure

    @property
    def reason(self) -> Reason:
        """Why, for the status."""
        return self.failure.reason

    @property
    def message(self) -> str:
        """Why, in words for the status."""
        return self.failure.message

    @property
    def permanent(self) -> bool:
        """Whether no retry can succeed."""
        return self.failure.permanent

    @property
    def retry_after(self) -> float | None:
        """Seconds, where the other side named a time."""
        return self.failure.retry_after

    @property
    def maybe_done(self) -> bool:
        """Whether it may have been done all the same."""
        return self.failure.maybe_done


Outcome = Done | Failed
