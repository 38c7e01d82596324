"""Shares the places for passes between namespaces, so that one whose vault does not answer uses only its own share."""

from collections import Counter, OrderedDict, deque
from collections.abc import Mapping

from secure_redis.api.resource import Key
from secure_redis.reconciler.fair_share import may_take


class Places:
    """Queues resources by namespace and gives them the places, one of each namespace in turn."""

    def __init__(self, total: int) -> None:
        self._total = total
        self._waiting: OrderedDict[str, deque[Key]] = OrderedDict()
        self._taken: Counter[str] = Counter()

    @property
    def waiting(self) -> Mapping[str, int]:
        """Count the resources that wait, by namespace. A namespace in which none waits is left out."""
        return {namespace: len(keys) for namespace, keys in self._waiting.items()}

    @property
    def depth(self) -> int:
        """How many resources wait."""
        return sum(map(len, self._waiting.values()))

    def wait(self, key: Key) -> None:
        """Put a resource at the end of its namespace's queue."""
        self._waiting.setdefault(key.namespace, deque()).append(key)

    def take(self) -> Key | None:
        """Give the next resource a place, until `leave`; None: none waits, or none may have a place now."""
        free = self._total - self._taken.total()
        namespace = next((one for one in self._waiting if may_take(self._taken[one], free)), None)
        if namespace is None:
            return None
        keys = self._waiting[namespace]
        key = keys.popleft()
        if keys:
            self._waiting.move_to_end(namespace)
        else:
            del self._waiting[namespace]
        self._taken[namespace] += 1
        return key

    def leave(self, key: Key) -> None:
        """Take the place of a resource back."""
        self._taken[key.namespace] -= 1
        if not self._taken[key.namespace]:
            del self._taken[key.namespace]
