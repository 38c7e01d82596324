"""Keeps the brakes' state in this process. The part that must outlive it is an annotation on the Lease."""

import logging
from collections.abc import Callable, Mapping
from typing import Final, Protocol

from secure_redis.api import names
from secure_redis.api.reasons.catalogue import has
from secure_redis.api.reasons.row import Trait
from secure_redis.api.resource import Key, SecureRedisCache
from secure_redis.domain.plan import brakes
from secure_redis.domain.plan.actions import AzureAction
from secure_redis.domain.plan.brakes import Brake, BrakeLimits
from secure_redis.domain.plan.types import Plan

_log = logging.getLogger(__name__)

# After an upgrade: from when on the new version counts as the old one. Longer than the first passes are spread over.
SETTLED_SECONDS: Final = 600.0
_ENGAGED: Final = "engaged:"


class BrakeMetrics(Protocol):
    """The metrics of the brakes."""

    def brake(self, name: str, engaged: bool) -> None:
        """Record that a brake is on or off."""

    def brake_blocked(self, reason: str) -> None:
        """Record that a brake blocked a pass."""


class Brakes:
    """Decides what a pass may do, and counts what is spent and due. Between decision and `settle` nothing awaits.

    `recorded`: annotations that the Lease had when it was taken; None: there was no Lease, so nothing was upgraded.
    """

    def __init__(
        self,
        limits: BrakeLimits,
        *,
        version: str,
        recorded: Mapping[str, str] | None,
        monotonic: Callable[[], float],
        metrics: BrakeMetrics,
    ) -> None:
        self._limits = limits
        self._version = version
        self._monotonic = monotonic
        self._metrics = metrics
        self._start = monotonic()
        self._upgraded = recorded is not None and recorded.get(names.LEASE_VERSION) != version
        self._before = (recorded or {}).get(names.LEASE_VERSION, "")
        engaged = (recorded or {}).get(names.LEASE_MASS_DRIFT, "")
        # Engaged under another token than the configured one: that is the release.
        self._mass_drift = engaged.startswith(_ENGAGED) and engaged == _ENGAGED + limits.release
        self._passed: set[Key] = set()
        self._to_correct: dict[Key, float] = {}  # until when each counts
        self._known: set[Key] = set()
        self._corrections: list[float] = []
        self._rotations: list[float] = []
        metrics.brake("ReadOnly", limits.read_only)
        metrics.brake("MassDrift", self._mass_drift)
        if self._upgraded:
            _log.warning("upgraded: the first reconcile of each resource only reports", extra={"from": self._before})
        if self._mass_drift:
            _log.error("mass drift: no correction is made until brakes.release has a new value")

    @property
    def mass_drift(self) -> bool:
        """Whether all corrections are stopped."""
        return self._mass_drift

    def annotations(self) -> Mapping[str, str]:
        """Return the annotations for the Lease. An empty value: there is nothing to keep."""
        settled = not self._upgraded or self._monotonic() - self._start >= SETTLED_SECONDS
        return {
            names.LEASE_VERSION: self._version if settled else self._before,
            names.LEASE_MASS_DRIFT: _ENGAGED + self._limits.release if self._mass_drift else "",
        }

    def brake(self, key: Key) -> Brake:
        """Return what blocks the pass over this resource."""
        limits, now = self._limits, self._monotonic()
        if limits.read_only:
            return Brake(everything=brakes.READ_ONLY)
        if self._upgraded and key not in self._passed:
            return Brake(everything=brakes.FIRST_LOOK, next_pass_in=brakes.REPORT_ONLY_SECONDS)
        self._corrections = brakes.within_the_hour(self._corrections, now)
        self._rotations = brakes.within_the_hour(self._rotations, now)
        capped = len(self._corrections) >= limits.corrections_per_hour
        return Brake(
            corrections=brakes.MASS_DRIFT if self._mass_drift else brakes.CORRECTIONS_CAPPED if capped else None,
            rotations=brakes.ROTATIONS_CAPPED if len(self._rotations) >= limits.rotations_per_hour else None,
        )

    def note(self, resource: SecureRedisCache, todo: Plan) -> bool:
        """Count the corrections that a plan needs. True: they are too many, and the plan has to be made again."""
        now, key = self._monotonic(), resource.key
        self._known.add(key)
        if brakes.requires_correction(todo):
            self._to_correct[key] = now + resource.spec.drift.interval_seconds
        if self._mass_drift:
            return False
        self._to_correct = {one: until for one, until in self._to_correct.items() if until > now}
        self._mass_drift = brakes.is_mass_drift(len(self._to_correct), len(self._known), self._limits)
        if self._mass_drift:
            self._metrics.brake("MassDrift", True)
            counts = {"wanting": len(self._to_correct), "resources": len(self._known)}
            _log.error("mass drift: no correction is made until brakes.release has a new value", extra=counts)
        return self._mass_drift

    def settle(self, resource: SecureRedisCache, todo: Plan, *, held: bool = False) -> None:
        """Count the correction and the rotation that the plan begins as spent: it is performed now.

        `held`: a write of the plan was refused before and is not sent in this pass, so no correction is spent.
        """
        self._passed.add(resource.key)
        now = self._monotonic()
        if todo.correcting and not held and any(isinstance(action, AzureAction) for action in todo.actions):
            self._corrections.append(now)
        # The pass that marks the first key counts, and not the one that records the intent in the status.
        if todo.rotation is not None and todo.rotation.begins and todo.rotation.action is not None:
            self._rotations.append(now)
        rotation = todo.rotation.status.reason if todo.rotation is not None and todo.rotation.status else None
        reasons = {str(blocked.reason) for blocked in todo.blocked} | {rotation or ""}
        for reason in sorted(reason for reason in reasons if has(reason, Trait.BRAKE)):
            self._metrics.brake_blocked(reason)

    def forget(self, key: Key) -> None:
        """Forget a resource that is gone."""
        self._known.discard(key)
        self._passed.discard(key)
        self._to_correct.pop(key, None)
