"""Define when the next pass over a resource is due."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class NextPass:
    """The next pass comes after `after` seconds, or later by back-off if this one `failed`.

    `grows_to`: while passes end like this one, the time grows up to so many seconds. `paced`: the pass failed, and the
    back-off of what failed is in `after` already.
    """

    after: float
    failed: bool = False
    retry_after: float | None = None
    grows_to: float | None = None
    paced: bool = False


def growing(count: int, first: float, longest: float) -> float:
    """Return a pause that doubles with each repeat. `count`: repeats in a row, from 1."""
    return min(longest, first * 2.0 ** min(max(0, count - 1), 30))
