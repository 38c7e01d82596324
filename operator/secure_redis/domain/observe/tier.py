"""Facts about the tiers Basic, Standard and Premium: isolation, order, scaling and memory. Pure.

Sources: docs/internals/azure-facts.md#tiers and docs/internals/azure-facts.md#updates-that-azure-refuses.
Rules, drift, corrections and grants take these facts from here and from nowhere else.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

BASIC: Final = "Basic"
STANDARD: Final = "Standard"
PREMIUM: Final = "Premium"
TIERS: Final = (BASIC, STANDARD, PREMIUM)
# Memory of a node in MB, by family and capacity (Microsoft's pricing page for Azure Cache for Redis).
_MEMORY_MB: Final = {
    **{("C", size): mb for size, mb in enumerate((250, 1024, 2560, 6144, 13312, 26624, 54272))},
    **{("P", size): mb for size, mb in enumerate((6144, 13312, 26624, 54272, 122880), start=1)},
}


class Isolation(StrEnum):
    """Whether a cache runs on machines of its own."""

    OWN_MACHINE = "OwnMachine"
    SHARED_MACHINE = "SharedMachine"
    UNKNOWN = "Unknown"


@dataclass(frozen=True, slots=True)
class Size:
    """A tier and a size within it. The spelling of the tier is Azure's or the spec's."""

    name: str
    capacity: int

    @property
    def rank(self) -> int | None:
        """The place of the tier in the order; None: not a tier that is known here."""
        return rank(self.name)

    @property
    def family(self) -> str:
        """`P` for Premium, else `C`."""
        return "P" if self.rank == TIERS.index(PREMIUM) else "C"

    @property
    def isolation(self) -> Isolation:
        """Whether a cache of this size shares its machine with other customers' caches."""
        if self.rank is None:
            return Isolation.UNKNOWN
        shared = self.rank == TIERS.index(BASIC) or (self.rank == TIERS.index(STANDARD) and self.capacity < 1)
        return Isolation.SHARED_MACHINE if shared else Isolation.OWN_MACHINE

    @property
    def memory_mb(self) -> int | None:
        """The memory of one node; None: not a size that is known here."""
        return None if self.rank is None else _MEMORY_MB.get((self.family, self.capacity))

    @property
    def exists(self) -> bool:
        """Whether Azure offers the size."""
        return self.memory_mb is not None


class Scaling(StrEnum):
    """The effect of scaling an existing cache."""

    SAME = "Same"
    RESTARTS = "Restarts"
    LOSES_DATA = "LosesData"
    REFUSED = "Refused"


def rank(name: str) -> int | None:
    """Return the place of a tier in the order Basic, Standard, Premium; None: not one of them."""
    spelled = name.strip().lower()
    return next((place for place, tier in enumerate(TIERS) if tier.lower() == spelled), None)


def scaling(current: Size, declared: Size) -> Scaling:
    """Predict what it causes to scale from `current` to `declared`. Where nothing is known, Azure refuses it."""
    now, then = current.rank, declared.rank
    if now is None or then is None or not declared.exists:
        return Scaling.REFUSED
    if now == then and current.capacity == declared.capacity:
        return Scaling.SAME
    if then < now or then - now > 1 or (declared.capacity == 0 and current.capacity > 0):
        return Scaling.REFUSED
    # Basic has one node, which is lost while it moves. Data that does not fit into a smaller size is evicted.
    if now == TIERS.index(BASIC):
        return Scaling.LOSES_DATA
    before, after = current.memory_mb, declared.memory_mb
    smaller = before is None or after is None or after < before
    return Scaling.LOSES_DATA if smaller else Scaling.RESTARTS


def next_size(current: Size, declared: Size) -> Size:
    """Return the size for the next request. Azure does not scale Basic to Standard and to another size in one step."""
    if current.rank == TIERS.index(BASIC) and declared.rank == TIERS.index(STANDARD):
        return Size(declared.name, current.capacity)
    return declared
