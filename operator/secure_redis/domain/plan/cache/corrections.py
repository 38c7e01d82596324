"""Choose the one difference that is corrected next. It never opens the cache or cuts clients off without a request.

The rules here are the same for every service. Which write corrects a path is the service's own choice.
"""

from collections.abc import Callable, Iterable, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from enum import Enum

from secure_redis.api import names
from secure_redis.api.reasons.reason import Reason
from secure_redis.api.resource import SecureRedisCache
from secure_redis.domain.assess.disruption import SENTENCES, allowed
from secure_redis.domain.assess.drift import Drift
from secure_redis.domain.explanation import Blocked
from secure_redis.domain.grants import CreationTarget
from secure_redis.domain.observe.observation import Observation
from secure_redis.domain.plan import windows
from secure_redis.domain.plan.actions import AzureAction
from secure_redis.domain.plan.cache import correction_history
from secure_redis.domain.plan.types import sooner

PUBLIC_ACCESS = "network.publicAccess"
# Seconds, while a person has to do something first: assign a role, write a Secret.
RETRY_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Correction:
    """The next correction, if any, what is blocked, and the time of the next pass for one that was first recorded.

    `paths`: the drift that the action corrects. `to_correct`: every path that the spec allows to correct.
    `not_corrected`: why some of them are not corrected.
    """

    action: AzureAction | None = None
    blocked: tuple[Blocked, ...] = ()
    next_pass_in: float | None = None
    persisting: bool = False  # all that is left is persistence
    owing: bool = False  # something is not requested again that a creation has still to bring
    network_left: bool = False  # a creation has still to bring something of the network, now or later
    paths: tuple[str, ...] = ()  # what the action corrects
    to_correct: tuple[str, ...] = ()
    not_corrected: Mapping[str, Blocked] = field(default_factory=dict)
    target: CreationTarget | None = None  # the cache as it would be, where the action scales it
    opens_in: float | None = None  # seconds until a window opens that corrections wait for, if that is soon


class Owed(Enum):
    """The parts that a creation by the operator still has to set on the cache.

    The spec need not allow its correction.
    """

    NOTHING = 0
    PERSISTENCE = 1
    ALL = 2


@dataclass(frozen=True, slots=True)
class Choice:
    """The one write of a pass with all the paths that it corrects, and by path what must not be done yet."""

    action: AzureAction | None = None
    paths: tuple[str, ...] = ()
    not_corrected: Mapping[str, Blocked] = field(default_factory=dict)
    persisting: bool = False
    target: CreationTarget | None = None


def next_correction(
    resource: SecureRedisCache,
    observed: Observation,
    found: tuple[Drift, ...],
    owed: AbstractSet[str],
    persistence: AbstractSet[str],
    choose: Callable[[set[str]], Choice],
) -> Correction:
    """Choose from the drift that the spec allows to correct and that an earlier pass has already reported.

    `owed`: the paths that a creation by the operator still has to set; each is set as declared, whatever the spec
    allows to correct. `persistence`: which paths are about persistence. `choose`: the service's choice among those that
    are due.
    """
    correct = resource.spec.drift.correct
    to_correct = [d for d in found if d.correctable and d.drift_class in correct]
    not_corrected = {d.path: why for d in to_correct if (why := _blocked(resource, observed, d)) is not None}
    closed = _closed(resource, observed)
    reported = {entry.path for entry in resource.status.drift}
    due = {d.path for d in to_correct if d.path in reported}
    # It needs no consent, but what Azure refused is not requested again in every pass.
    refused_before = {
        path: why for path in owed if (why := correction_history.blocked(resource, path, observed.now)) is not None
    }
    not_corrected |= refused_before
    if closed is not None:  # a creation is completed at any time, and what was requested by name is done immediately
        waiting = [d.path for d in to_correct if d.path not in owed and not allowed(resource, d.path)]
        not_corrected = {**dict.fromkeys(waiting, closed), **not_corrected}
    due |= owed
    due -= not_corrected.keys()
    # A difference is shown before it is corrected: the first pass never writes.
    next_pass_in = 0.0 if any(d.path not in due and d.path not in not_corrected for d in to_correct) else None
    choice = choose(due)
    not_corrected |= choice.not_corrected
    if choice.action is not None:
        next_pass_in = None
    elif choice.persisting:
        next_pass_in = sooner(next_pass_in, RETRY_SECONDS)
    return Correction(
        action=choice.action,
        blocked=tuple(_distinct(not_corrected.values())),
        next_pass_in=next_pass_in,
        persisting=choice.persisting
        or (choice.action is None and bool(refused_before) and refused_before.keys() <= persistence),
        # Also a record of a contested path, which a creation never writes: the cache is not complete without it.
        owing=bool(refused_before),
        network_left=not owed <= persistence,
        paths=choice.paths,
        to_correct=tuple(d.path for d in to_correct),
        not_corrected=not_corrected,
        target=choice.target,
        opens_in=_opens_in(resource, observed, not_corrected),
    )


def _blocked(resource: SecureRedisCache, observed: Observation, entry: Drift) -> Blocked | None:
    """Explain why an allowed correction is not made: it is contested, was refused, or needs consent by name."""
    contested = correction_history.blocked(resource, entry.path, observed.now)
    if contested is not None:
        return contested
    if not entry.effect.needs_request or allowed(resource, entry.path):
        return None
    how = f"to have it done all the same annotate {names.ALLOW_DISRUPTION}: {entry.path}"
    if entry.path == PUBLIC_ACCESS:
        return Blocked(Reason.WOULD_DISCONNECT, f"{_NO_ENDPOINT}; {how}")
    return Blocked(Reason.DISRUPTION_NOT_ALLOWED, f"{entry.path}: {SENTENCES[entry.effect]}; {how}")


def _closed(resource: SecureRedisCache, observed: Observation) -> Blocked | None:
    """Explain why corrections wait for one of `drift.windows`."""
    found = windows.waits(resource.spec.drift.windows, "spec.drift.windows", observed.now, "the correction")
    if found is None or found.reason is not Reason.OUTSIDE_WINDOW:
        return None if found is None else Blocked(found.reason, f"{found.message}; no difference is corrected")
    return Blocked(found.reason, f"{found.message}; to have it made now annotate {names.ALLOW_DISRUPTION}: <path>")


def _opens_in(resource: SecureRedisCache, observed: Observation, not_corrected: Mapping[str, Blocked]) -> float | None:
    if not any(why.reason is Reason.OUTSIDE_WINDOW for why in not_corrected.values()):
        return None
    drift = resource.spec.drift
    return windows.opens_within(drift.windows, observed.now, drift.interval_seconds)


def _distinct(refusals: Iterable[Blocked]) -> Iterable[Blocked]:
    return dict.fromkeys(refusals)


_NO_ENDPOINT = (
    "public access is not switched off: no approved private endpoint was found, so every client would lose the cache; "
    "create and approve one first"
)
