"""The state of one condition, and the chains of checks that find it."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final, TypeVar

from secure_redis.api.reasons.reason import Reason

TRUE: Final = "True"
FALSE: Final = "False"
UNKNOWN: Final = "Unknown"

# The message of a condition that another one explains begins with this and ends with that one's type.
SEE: Final = "see "

Input = TypeVar("Input")


@dataclass(frozen=True, slots=True)
class ConditionState:
    """A condition's status, reason and message."""

    status: str
    reason: Reason
    message: str


def first_state(checks: Iterable[Callable[[Input], ConditionState | None]], given: Input) -> ConditionState | None:
    """Run the checks in their order, and return the first result that is not None."""
    return next((state for check in checks if (state := check(given)) is not None), None)
