"""Define a reason's row: its texts, its traits, and the conditions that can carry it."""

from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from enum import Flag, auto
from typing import Final

from secure_redis.api.reasons.reason import ConditionType

NOTHING_TO_DO: Final = "There is nothing to do: this is the desired state."
# The conditions that judge a cache. Without one they refer to the condition that explains why.
JUDGED: Final = frozenset(
    {
        ConditionType.TRANSPORT_SECURED,
        ConditionType.PERSISTENCE_ENCRYPTED,
        ConditionType.COMPLIANT,
        ConditionType.DRIFT_DETECTED,
    }
)
# The conditions that report a read or a write of the cache, and those that depend on the credential.
ON_CACHE: Final = frozenset(
    {
        ConditionType.READY,
        ConditionType.CACHE_AVAILABLE,
        ConditionType.PERSISTENCE_ENCRYPTED,
        ConditionType.DRIFT_DETECTED,
    }
)
# The conditions that report whether something is safe or in place. Each is Unknown where its evidence ends.
SAFETY: Final = JUDGED | frozenset(
    {
        ConditionType.READY,
        ConditionType.CACHE_AVAILABLE,
        ConditionType.CREDENTIALS_SYNCED,
        ConditionType.WORKLOADS_CURRENT,
    }
)
ON_CREDENTIALS: Final = frozenset({ConditionType.READY, ConditionType.CREDENTIALS_SYNCED})


class Trait(Flag):
    """A behaviour of the operator that a reason causes."""

    TERMINAL = auto()  # no retry resolves it: the resource is also shown as Stalled
    NEEDS_HUMAN = auto()  # a person resolves it, mostly in Kubernetes: read again soon
    PASSING = auto()  # an outage or a pause: a resource that was Ready stays Ready
    BLOCKS_READY = auto()  # a blocked write for this reason makes the resource not Ready
    NOT_REPEATED = auto()  # a write to Azure that was refused for it is not repeated for an hour
    PROGRESS = auto()  # on the way to the goal: one normal event, on Ready
    EVENT_ONLY = auto()  # never in a status: none is left to write, or it belongs to another install
    BRAKE = auto()  # a brake over the whole fleet blocks the write
    MISSING_RIGHT = auto()  # a permission in Azure is missing: a finding names it
    ABOUT_CORRECTION = auto()  # explains on DriftDetected why a correction is not made
    ABOUT_PERSISTENCE = auto()  # explains why persistence is not set
    ABOUT_SECRET = auto()  # explains why the Secret is not published
    ROLLOUT_STUCK = auto()  # no further workload is moved until this one is repaired
    ROLLOUT_UNFINISHED = auto()  # pods of the workload may still use the Secret
    WORKLOAD_REFUSED = auto()  # the API server may have refused an action on a workload for it
    ROTATION_STATUS = auto()  # status.rotation.reason can carry it
    ROTATION_STEP = auto()  # a rotation passes through it by itself: no event
    ROTATION_WAIT = auto()  # a rotation waits as it should: a normal event, no warning


NO_TRAITS: Final = Trait(0)


@dataclass(frozen=True, slots=True)
class ReasonRow:
    """Holds a reason's meaning, its remedy, its traits, and the conditions on which it appears.

    `rules`: the security rules that judge the same fact, so that a waiver of theirs accepts it.
    """

    meaning: str
    remedy: str
    traits: Trait
    conditions: frozenset[ConditionType]
    rules: frozenset[str] = frozenset()


def row(
    meaning: str,
    remedy: str = NOTHING_TO_DO,
    *,
    on: AbstractSet[ConditionType] = frozenset(),
    traits: Trait = NO_TRAITS,
    rules: AbstractSet[str] = frozenset(),
) -> ReasonRow:
    """Build a reason's row. A terminal reason appears on Stalled too."""
    stalled = {ConditionType.STALLED} if Trait.TERMINAL in traits else set()
    return ReasonRow(meaning, remedy, traits, frozenset(on | stalled), frozenset(rules))
