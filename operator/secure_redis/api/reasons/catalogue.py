"""Collect the rows of all reasons. The code reads a reason's traits here. The documentation is generated from it."""

from collections.abc import Mapping
from typing import Final

from secure_redis.api.reasons.azure import AZURE_REASONS
from secure_redis.api.reasons.cache import CACHE_REASONS
from secure_redis.api.reasons.credential import CREDENTIAL_REASONS
from secure_redis.api.reasons.lifecycle import LIFECYCLE_REASONS
from secure_redis.api.reasons.managed_redis import MANAGED_REASONS
from secure_redis.api.reasons.persistence import PERSISTENCE_REASONS
from secure_redis.api.reasons.reason import ConditionType, Reason
from secure_redis.api.reasons.rotation import ROTATION_REASONS
from secure_redis.api.reasons.row import NO_TRAITS, ReasonRow, Trait
from secure_redis.api.reasons.transport import TRANSPORT_REASONS
from secure_redis.api.reasons.workloads import WORKLOAD_REASONS

REASONS: Final[Mapping[Reason, ReasonRow]] = {
    **LIFECYCLE_REASONS,
    **AZURE_REASONS,
    **CACHE_REASONS,
    **TRANSPORT_REASONS,
    **PERSISTENCE_REASONS,
    **MANAGED_REASONS,
    **CREDENTIAL_REASONS,
    **WORKLOAD_REASONS,
    **ROTATION_REASONS,
}
_TRAITS: Final[Mapping[str, Trait]] = {str(reason): row.traits for reason, row in REASONS.items()}


def has(reason: str | None, trait: Trait) -> bool:
    """Whether a reason has this trait. A status may hold the reason of another version, which has none."""
    return trait in _TRAITS.get(reason or "", NO_TRAITS)


def needs_person(reason: str | None) -> bool:
    """Whether what the reason names lasts until a person acts: it is neither progress nor an outage."""
    return not (has(reason, Trait.PROGRESS) or has(reason, Trait.PASSING))


def with_remedy(reason: Reason, found: str) -> str:
    """Add to what another service reported what to do about it, in the words of the reason's row."""
    return f"{found}. {REASONS[reason].remedy}"


def reasons_on(kind: ConditionType) -> frozenset[Reason]:
    """Return the reasons that a condition can carry."""
    return frozenset(reason for reason, row in REASONS.items() if kind in row.conditions)
