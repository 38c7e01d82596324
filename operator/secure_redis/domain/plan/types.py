"""The types of a plan, shared by the modules that make one."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from secure_redis.api.reasons.reason import Reason
from secure_redis.api.spec.defaults import SpecDefaults
from secure_redis.api.status import UNDER_WAY, PendingStatus, RotationStatus
from secure_redis.domain.assess.waivers import WaiverPolicy
from secure_redis.domain.explanation import Blocked, Waiting
from secure_redis.domain.grants import GrantPolicy
from secure_redis.domain.plan.actions import Action, AzureAction
from secure_redis.domain.plan.rollout.waves import Rollout

# The values of `status.pending.action`.
CREATE = "CreateCache"
COMPLETE = "CompleteCache"  # created; its network is not yet as declared
PERSIST = "PersistCache"  # created, its network was as declared; persistence is not set yet
DELETE = "DeleteCache"

# A problem that no retry resolves is tried again this late, in case it was resolved from outside.
PERMANENT_RETRY_SECONDS = 3600.0
# A time in the status that is further ahead was not written by an operator, and delays nothing.
CLOCK_SKEW_SECONDS = 300.0


@dataclass(frozen=True, slots=True)
class Settings:
    """Settings of the operator that the plan needs. All times are in seconds."""

    cluster_uid: str
    policy: GrantPolicy = field(default_factory=GrantPolicy)
    operation_poll: float = 30.0
    absence_confirmation: float = 60.0
    # Before a regeneration whose answer was lost is requested again: longer than Azure takes to do one.
    regeneration_settle: float = 60.0
    # How long a container may take from its kubelet's read of a Secret to the report of its start.
    container_start: float = 300.0
    ca: str | None = None  # PEM that clients need, published as ca.crt
    waiver_policy: WaiverPolicy = field(default_factory=WaiverPolicy)
    defaults: SpecDefaults = field(default_factory=SpecDefaults)


@dataclass(frozen=True, slots=True)
class Rotating:
    """The part of a rotation in one pass. `handled`: the request that counts as answered. `next_pass_in` in seconds.

    `needs_fresh_read`: the observation is not fresh enough for the next step. `is_check`: the next pass only finds out
    whether a person restarted pods meanwhile. `begins`: the intent of a new rotation is recorded, or its first key is
    marked in Key Vault.
    """

    status: RotationStatus | None
    handled: str | None
    action: AzureAction | None = None
    next_pass_in: float | None = None
    needs_fresh_read: bool = False
    is_check: bool = False
    begins: bool = False

    @property
    def progress(self) -> Waiting | None:
        """Explain what the resource waits for while a rotation is under way."""
        status = self.status
        if status is None or status.phase not in UNDER_WAY:
            return None
        return Waiting(Reason.ROTATING, f"rotating to the {status.target} key ({status.phase}): {status.message}")


@dataclass(frozen=True, slots=True)
class Plan:
    """The actions of a pass. `pending`: the intent for the status."""

    actions: tuple[Action, ...] = ()
    blocked: tuple[Blocked, ...] = ()  # why requested actions may not be taken
    pending: PendingStatus | None = None
    # Why the resource is not at its goal although nothing went wrong.
    waiting: Waiting | None = None
    next_pass_in: float | None = None  # None: at the resource's own interval
    exact_in: float | None = None  # the part of `next_pass_in` that is a time and not a check: it is never put off
    released: Reason | None = None  # the finalizer is removed: what the last event reports of the cache
    rollout: Rollout | None = None  # for the status of workloads; None: nothing was decided about them
    rotation: Rotating | None = None  # for the status of the rotation; None: nothing was decided about it
    needs_fresh_read: bool = False  # a write to Azure is due, and the observation is not fresh enough for it
    correcting: tuple[str, ...] = ()  # the paths that the one write to Azure corrects
    owed: tuple[str, ...] = ()  # the same of a creation's write: its refusal is remembered, and nothing is counted
    to_correct: tuple[str, ...] = ()  # paths whose correction the spec allows, made in this pass or not
    not_corrected: Mapping[str, Blocked] = field(default_factory=dict)  # of those, by path: why it is not made


def sooner(a: float | None, b: float | None) -> float | None:
    """Return the earlier of two times, where there are any."""
    return min((x for x in (a, b) if x is not None), default=None)
