"""Explain with a reason and a message why something is not as declared."""

from dataclasses import dataclass

from secure_redis.api.reasons.reason import Reason


@dataclass(frozen=True, slots=True)
class Explanation:
    """Why not. The status shows it as it is."""

    reason: Reason
    message: str


@dataclass(frozen=True, slots=True)
class Blocked(Explanation):
    """Why an action may not be taken. Something else has to change first."""


@dataclass(frozen=True, slots=True)
class Waiting(Explanation):
    """Explains what is under way, or what an action waits for. It ends by itself."""


def by_number(number: int, one: str, many: str) -> str:
    """Return the words that agree with a number: `1 pod is`, `2 pods are`, `0 pods are`."""
    return one if number == 1 else many
