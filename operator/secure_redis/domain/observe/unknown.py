"""What a pass could not read, or had no need to read."""

from dataclasses import dataclass

from secure_redis.api.reasons.reason import Reason


@dataclass(frozen=True, slots=True)
class Unknown:
    """A thing that could not be read. `retry_after` in seconds where the other side named a time."""

    reason: Reason
    message: str
    retry_after: float | None = None
    permanent: bool = False  # no retry will mend it
    permission: str | None = None  # the Azure action that the identity lacks and that would allow it


@dataclass(frozen=True, slots=True)
class NotRead:
    """A thing this pass had no need to read. `soon`: a later one will, within minutes."""

    soon: bool = False


NOT_READ = NotRead()


NOT_READ_YET = NotRead(soon=True)
