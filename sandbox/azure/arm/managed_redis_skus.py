"""The SKUs of Microsoft.Cache/redisEnterprise, their sizes, and which replaces which."""

import re

from sandbox.azure.seeds import seeds
from sandbox.azure.state.managed_redis import RETIRING

_FAMILIES = {
    "Balanced_B": (0, 1, 3, 5, 10, 20, 50, 100, 150, 250, 350, 500, 700, 1000),
    "MemoryOptimized_M": (10, 20, 50, 100, 150, 250, 350, 500, 700, 1000, 1500, 2000),
    "ComputeOptimized_X": (3, 5, 10, 20, 50, 100, 150, 250, 350, 500, 700),
    "FlashOptimized_A": (250, 500, 700, 1000, 1500, 2000, 4500),
}
_OLD_FAMILIES = {"Enterprise_E": (1, 5, 10, 20, 50, 100, 200, 400), "EnterpriseFlash_F": (300, 700, 1500)}
# Sizes that are not their number. Described: B5, M100 and X700; the others follow the price list's steps.
_SIZES = {0: 0.5, 1: 1.0, 3: 3.0, 5: 6.0, 10: 12.0, 20: 24.0, 50: 60.0, 100: 120.0, 700: 720.0, 1000: 960.0}
_LARGEST_WITHOUT_CLUSTER = 25

MANAGED = tuple(f"{family}{number}" for family, numbers in _FAMILIES.items() for number in numbers)
_EVERY = MANAGED + tuple(f"{family}{number}" for family, numbers in _OLD_FAMILIES.items() for number in numbers)


def known(given: object) -> str | None:
    """Return a SKU's name in the service's spelling, or None if there is no such SKU."""
    return next((name for name in _EVERY if name.lower() == str(given).lower()), None)


def retiring(name: str) -> bool:
    """Return whether it is a SKU of the Enterprise tiers, which have zones and a capacity."""
    return name.lower().startswith(RETIRING)


def flash(name: str) -> bool:
    """Return whether the SKU stores most of its data on flash."""
    return "flash" in name.lower()


def size(name: str) -> float:
    """Return a SKU's size in GB."""
    number = int(re.sub(r"\D", "", name.rpartition("_")[2]))
    return number * 1.0 if flash(name) else _SIZES.get(number, number * 1.0)


def small(name: str) -> bool:
    """Return whether a database of this SKU can be without cluster mode."""
    return not flash(name) and not retiring(name) and size(name) <= _LARGEST_WITHOUT_CLUSTER


def replaces(name: str, region: seeds.Region, *, unclustered: bool) -> list[str]:
    """Return the SKUs that a cluster of this one can be scaled to. `unclustered`: its database is without cluster mode.

    Memory and flash do not replace each other.
    """
    return [
        other
        for other in MANAGED
        if other != name
        and flash(other) == flash(name)
        and other not in region.unavailable_skus
        and (small(other) or not unclustered)
    ]
