"""When the next pass of a resource is due."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class NextPass:
    """When to look again: after `after` seconds, or later by back-off if the pass `failed`."""

    after: float
    failed: bool = False
    retry_after: float | None = None
