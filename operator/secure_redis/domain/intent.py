"""What a plan is made of, shared by the parts that make one."""

from dataclasses import dataclass, field
from datetime import datetime

from secure_redis.api.reasons import Reason
from secure_redis.api.status import PendingStatus
from secure_redis.domain.actions import Action
from secure_redis.domain.grants import GrantPolicy, Refusal
from secure_redis.domain.rollout import Rollout

# What `status.pending.action` can hold.
CREATE = "CreateCache"
COMPLETE = "CompleteCache"  # created; its network is not yet as declared
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
    ca: str | None = None  # PEM that clients need, published as ca.crt


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to be done. `refused`: what was wanted and may not be. `pending`: intent for the status."""

    actions: tuple[Action, ...] = ()
    refused: tuple[Refusal, ...] = ()
    pending: PendingStatus | None = None
    # Why the resource is not at its goal although nothing went wrong.
    waiting: Refusal | None = None
    next_look: float | None = None  # None: at the resource's own interval
    released: Reason | None = None  # the finalizer goes: what is told about the cache
    rollout: Rollout | None = None  # what is told of workloads; None: nothing was decided about them
    look_closer: bool = False  # a write to Azure is due, and what was seen is not fresh enough for one


def rfc3339(time: datetime) -> str:
    """A time in UTC, in whole seconds, as Kubernetes writes it."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ")


def sooner(a: float | None, b: float | None) -> float | None:
    """The earlier of two looks, where there are any."""
    return min((x for x in (a, b) if x is not None), default=None)
