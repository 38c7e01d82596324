"""The two states of a value that a pass does not know: it could not be read, or there was no need to."""

from dataclasses import dataclass

from secure_redis.api.reasons.reason import Reason


@dataclass(frozen=True, slots=True)
class Unknown:
    """A value that could not be read. `retry_after` in seconds where the server named a time."""

    reason: Reason
    message: str
    retry_after: float | None = None
    permanent: bool = False  # no retry will help
    permission: str | None = None  # the Azure action that the identity lacks and that would allow it


@dataclass(frozen=True, slots=True)
class NotRead:
    """A value that this pass had no need to read. `soon`: a later pass reads it within minutes."""

    soon: bool = False


NOT_READ = NotRead()


NOT_READ_YET = NotRead(soon=True)
