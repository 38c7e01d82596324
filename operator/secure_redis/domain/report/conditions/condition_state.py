"""What is said of one condition."""

from dataclasses import dataclass
from typing import Final

from secure_redis.api.reasons.reason import Reason

TRUE: Final = "True"
FALSE: Final = "False"
UNKNOWN: Final = "Unknown"


@dataclass(frozen=True, slots=True)
class ConditionState:
    """A condition's status, reason and message."""

    status: str
    reason: Reason
    message: str
