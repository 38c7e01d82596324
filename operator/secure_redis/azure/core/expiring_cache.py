"""A mapping that forgets values that were not used for a while."""

from collections.abc import Callable, Iterator
from typing import Generic, TypeVar

K = TypeVar("K")
V = TypeVar("V")


class ExpiringCache(Generic[K, V]):
    """Values by key, each dropped `keep_seconds` after its last use. `clock`: monotonic seconds."""

    def __init__(self, clock: Callable[[], float], keep_seconds: float = 3600.0) -> None:
        self._clock = clock
        self._keep = keep_seconds
        self._items: dict[K, tuple[V, float]] = {}
        self._swept_at = clock()

    def get(self, key: K, make: Callable[[], V]) -> V:
        """Return the value at `key`, made if there is none; counts as a use."""
        now = self._clock()
        self._sweep(now)
        item = self._items.get(key)
        value = make() if item is None else item[0]
        self._items[key] = (value, now)
        return value

    def peek(self, key: K) -> V | None:
        """Return the value at `key`, or None; does not count as a use."""
        item = self._items.get(key)
        return None if item is None else item[0]

    def drop(self, key: K) -> None:
        """Forget `key`, if it is there."""
        self._items.pop(key, None)

    def items(self) -> Iterator[tuple[K, V]]:
        """Iterate over a copy of the current items, so that the cache may change meanwhile."""
        return iter([(key, value) for key, (value, _) in self._items.items()])

    def __len__(self) -> int:
        return len(self._items)

    def _sweep(self, now: float) -> None:
        if now - self._swept_at < min(60.0, self._keep):
            return
        self._swept_at = now
        for key in [k for k, (_, used) in self._items.items() if now - used > self._keep]:
            del self._items[key]
