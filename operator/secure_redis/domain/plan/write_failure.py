"""Why a write to Azure or Kubernetes failed."""

from dataclasses import dataclass

from secure_redis.api.reasons.reason import Reason


@dataclass(frozen=True, slots=True)
class WriteFailure:
    """Why a write did not take effect. `reason` and `message` go to the status as they are."""

    reason: Reason
    message: str
    retry_after: float | None = None  # seconds, where the other side named a time
    permanent: bool = False  # no retry can succeed
    maybe_done: bool = False  # the answer was lost: the other side may have done it all the same
