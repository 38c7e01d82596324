"""Define when the next pass over a resource is due."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class NextPass:
    """The next pass comes after `after` seconds, or later by back-off if this one `failed`."""

    after: float
    failed: bool = False
    retry_after: float | None = None
