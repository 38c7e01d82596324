"""A reason with its message: why something is refused, blocked or waiting."""

from dataclasses import dataclass

from secure_redis.api.reasons.reason import Reason


@dataclass(frozen=True, slots=True)
class Explanation:
    """Why not. Goes to the status as it is."""

    reason: Reason
    message: str
