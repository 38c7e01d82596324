"""What a plan is made of, shared by the parts that make one."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from secure_redis.api.reasons.reason import Reason
from secure_redis.api.status import UNDER_WAY, PendingStatus, RotationStatus
from secure_redis.domain.assess.waivers import WaiverPolicy
from secure_redis.domain.explanation import Explanation
from secure_redis.domain.grants import GrantPolicy
from secure_redis.domain.plan.actions import Action, AzureAction
from secure_redis.domain.plan.rollout.waves import Rollout

# What `status.pending.action` can hold.
CREATE = "CreateCache"
COMPLETE = "CompleteCache"  # created; its network is not yet as declared
PERSIST = "PersistCache"  # created, its network was as declared; persistence is not set yet
DELETE = "DeleteCache"

# A refusal that no retry mends is tried again this late, in case somebody outside mended it.
PERMANENT_RETRY_SECONDS = 3600.0


@dataclass(frozen=True, slots=True)
class Settings:
    """What the plan must know of the operator. Seconds throughout."""

    cluster_uid: str
    policy: GrantPolicy = field(default_factory=GrantPolicy)
    operation_poll: float = 30.0
    absence_confirmation: float = 60.0
    # Before a regeneration whose answer was lost is asked for again: longer than Azure takes to do one.
    regeneration_settle: float = 60.0
    ca: str | None = None  # PEM that clients need, published as ca.crt
    waiver_policy: WaiverPolicy = field(
        default_factory=WaiverPolicy
    )  # what resources may ask of the rules; `evaluate` takes it


@dataclass(frozen=True, slots=True)
class Rotating:
    """One pass's part of a rotation. `handled`: the request that counts as answered. `next_look` in seconds.

    `look_closer`: what was seen is not fresh enough for the next step.
    """

    status: RotationStatus | None
    handled: str | None
    action: AzureAction | None = None
    next_look: float | None = None
    look_closer: bool = False

    @property
    def progress(self) -> Explanation | None:
        """What is told while it is under way."""
        status = self.status
        if status is None or status.phase not in UNDER_WAY:
            return None
        return Explanation(Reason.ROTATING, f"rotating to the {status.target} key ({status.phase}): {status.message}")


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to be done. `refused`: what was wanted and may not be. `pending`: intent for the status."""

    actions: tuple[Action, ...] = ()
    refused: tuple[Explanation, ...] = ()
    pending: PendingStatus | None = None
    # Why the resource is not at its goal although nothing went wrong.
    waiting: Explanation | None = None
    next_look: float | None = None  # None: at the resource's own interval
    released: Reason | None = None  # the finalizer goes: what is told about the cache
    rollout: Rollout | None = None  # what is told of workloads; None: nothing was decided about them
    rotation: Rotating | None = None  # what is told of the rotation; None: nothing was decided about it
    look_closer: bool = False  # a write to Azure is due, and what was seen is not fresh enough for one
    correcting: tuple[str, ...] = ()  # the paths that the one write to Azure puts right
    owed: tuple[str, ...] = ()  # the same of a creation's write: its refusal is remembered, and nothing is counted
    wanted: tuple[str, ...] = ()  # paths whose correction the spec allows, made in this pass or not
    held: Mapping[str, Explanation] = field(default_factory=dict)  # of those, by path: why it is not made


def sooner(a: float | None, b: float | None) -> float | None:
    """The earlier of two looks, where there are any."""
    return min((x for x in (a, b) if x is not None), default=None)
