"""Which workloads may carry fields of which resource, whatever the resource's spec and status name."""

from collections import Counter
from collections.abc import Callable, Iterable
from time import monotonic
from typing import Final

from secure_redis.api import names
from secure_redis.api.resource import Envelope, Key
from secure_redis.api.spec.spec import WorkloadKind

Target = tuple[str, str]  # kind and name

MOST_PLACES: Final = 5000  # pairs of a manager and a workload in one namespace
RETRY_SECONDS = 60.0  # until a namespace whose workloads could not be listed is searched again


class Injections:
    """Collects candidates by field manager: from one search of each namespace, from watches and from own writes.

    A candidate is removed only by a pass of its own resource, after a read of the workload. Passes of a resource do not
    overlap, so an older answer can never hide an injection that came after it.
    """

    def __init__(self, clock: Callable[[], float] = monotonic) -> None:
        self._clock = clock
        self._places: dict[tuple[str, str], set[Target]] = {}  # namespace and manager -> workloads
        self._counts: Counter[str] = Counter()  # of those pairs, by namespace
        self._searched: set[str] = set()
        self._refused: dict[str, float] = {}  # namespace -> when it is searched again
        self._generations: dict[Key, int] = {}
        self._watched: set[tuple[WorkloadKind, str | None]] = set()

    def of(self, key: Key) -> frozenset[Target]:
        """Return the workloads that may carry fields of this resource."""
        return frozenset(self._places.get((key.namespace, names.field_manager(key.name)), ()))

    def add(self, namespace: str, place: Target, managers: Iterable[str], *, own: bool = False) -> None:
        """Note that these managers own, or may own, fields of the workload.

        Anyone may write as such a manager, so the number for a namespace is bounded, except for the operator's `own`.
        """
        for manager in managers:
            places = self._places.get((namespace, manager), set())
            if place not in places and (own or self._counts[namespace] < MOST_PLACES):
                self._counts[namespace] += 1
                self._places.setdefault((namespace, manager), places).add(place)

    def remove(self, key: Key, place: Target) -> None:
        """Note that a pass of this resource read the workload and found none of its own fields."""
        at = (key.namespace, names.field_manager(key.name))
        places = self._places.get(at)
        if places is not None and place in places:
            places.discard(place)
            self._counts[key.namespace] -= 1
            if not places:
                del self._places[at]

    def forget(self, key: Key) -> None:
        """Forget a resource that is gone. Its injections stay known: a resource of its name takes them over."""
        self._generations.pop(key, None)

    # --- the search -------------------------------------------------------------------------------------------------

    def due(self, owner: Envelope) -> bool:
        """Whether the owner's namespace has to be searched before this pass.

        Once in the life of a process; where workloads are not watched, after each change of the spec too.
        """
        namespace = owner.key.namespace
        if self._refused.get(namespace, float("-inf")) > self._clock():
            return False
        if namespace not in self._searched:
            return True
        known = self._generations.setdefault(owner.key, owner.generation)
        return known != owner.generation and not self.watched(namespace)

    def searched(self, owner: Envelope) -> None:
        """Note that every workload of the owner's namespace was listed."""
        self._searched.add(owner.key.namespace)
        self._generations[owner.key] = owner.generation

    def refused(self, namespace: str) -> None:
        """Note that the workloads of a namespace could not be listed."""
        self._refused[namespace] = self._clock() + RETRY_SECONDS

    # --- the watches ------------------------------------------------------------------------------------------------

    def watched(self, namespace: str) -> bool:
        """Whether watches of all kinds cover this namespace and are in step."""
        return all((kind, None) in self._watched or (kind, namespace) in self._watched for kind in WorkloadKind)

    def in_step(self, kind: WorkloadKind, namespace: str | None) -> None:
        """Note that a watch of this kind and namespace (None: all) is in step."""
        self._watched.add((kind, namespace))

    def out_of_step(self, kind: WorkloadKind, namespace: str | None) -> None:
        """Note that the watch is out of step, or has ended."""
        self._watched.discard((kind, namespace))
