"""Keeps equal values once: a thousand resources have most of what is kept of them in common."""

from functools import lru_cache
from typing import Any, TypeVar, cast

T = TypeVar("T")


class Shared:
    """Returns one and the same object for equal values of one kind. Knows the `most` that were used last."""

    def __init__(self, most: int) -> None:
        def same(value: Any) -> Any:
            return value

        self._same = lru_cache(maxsize=most)(same)

    def __call__(self, value: T) -> T:
        """Return an equal object that was given before, else this one. One that can change is not shared."""
        try:
            return cast("T", self._same(value))
        except TypeError:  # it cannot be hashed
            return value
