"""Define what a pass reports to those who schedule, log and count it."""

from dataclasses import dataclass
from enum import StrEnum

from secure_redis.api.reasons.catalogue import needs_person
from secure_redis.api.reasons.reason import ConditionType
from secure_redis.api.status import Status


class Result(StrEnum):
    """How a pass ended. BLOCKED: the resource is not Ready until a person acts."""

    SUCCESS = "success"
    BLOCKED = "blocked"
    ERROR = "error"


@dataclass(frozen=True, slots=True)
class ReadyReport:
    """The condition Ready as a pass reported it, for the log."""

    status: str
    reason: str
    message: str
    generation: int | None

    @property
    def blocked(self) -> bool:
        """Whether a person has to act."""
        return self.status != "True" and needs_person(self.reason)


def ready_of(status: Status) -> ReadyReport | None:
    """Return what a status reports of Ready."""
    ready = status.condition(ConditionType.READY)
    if ready is None:
        return None
    return ReadyReport(ready.status, ready.reason, ready.message, ready.observed_generation)


@dataclass(frozen=True, slots=True)
class NextPass:
    """The next pass comes after `after` seconds, or later by back-off if this one `failed`.

    `grows_to`: while passes end like this one, the time grows up to so many seconds. `paced`: the pass failed, and the
    back-off of what failed is in `after` already. `ready`: None where the pass reported nothing.
    """

    after: float
    failed: bool = False
    retry_after: float | None = None
    ready: ReadyReport | None = None
    grows_to: float | None = None
    paced: bool = False

    @property
    def result(self) -> Result:
        """Return how the pass ended. What a person has to repair is no error of the operator, though it is retried."""
        if self.ready is not None and self.ready.blocked:
            return Result.BLOCKED
        return Result.ERROR if self.failed else Result.SUCCESS


def growing(count: int, first: float, longest: float) -> float:
    """Return a pause that doubles with each repeat. `count`: repeats in a row, from 1."""
    return min(longest, first * 2.0 ** min(max(0, count - 1), 30))
