"""The brakes' state: one object per process. What must outlive it is an annotation on the Lease."""

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

# After an upgrade: from when on the new version counts as the one that was there. Longer than first looks are spread.
SETTLED_SECONDS: Final = 600.0
_ENGAGED: Final = "engaged:"


class BrakeMetrics(Protocol):
    """Whom the brakes tell (the metrics)."""

    def brake(self, name: str, engaged: bool) -> None:
        """A brake is on or off."""

    def held(self, reason: str) -> None:
        """A pass was held back."""


class Brakes:
    """Decides what holds a pass, and remembers what was spent and wanted. Between decision and `settle` nothing awaits.

    `recorded`: annotations that the Lease had when it was taken; None: there was no Lease, so nothing was upgraded.
    """

    def __init__(
        self,
        limits: BrakeLimits,
        *,
        version: str,
        recorded: Mapping[str, str] | None,
        monotonic: Callable[[], float],
        told: BrakeMetrics,
    ) -> None:
        self._limits = limits
        self._version = version
        self._monotonic = monotonic
        self._told = told
        self._start = monotonic()
        self._upgraded = recorded is not None and recorded.get(names.LEASE_VERSION) != version
        self._before = (recorded or {}).get(names.LEASE_VERSION, "")
        mark = (recorded or {}).get(names.LEASE_MASS_DRIFT, "")
        # Engaged under another token than the configured one: that is the release.
        self._mass_drift = mark.startswith(_ENGAGED) and mark == _ENGAGED + limits.release
        self._looked: set[Key] = set()
        self._wanted: dict[Key, float] = {}  # until when each counts
        self._known: set[Key] = set()
        self._corrections: list[float] = []
        self._rotations: list[float] = []
        told.brake("ReadOnly", limits.read_only)
        told.brake("MassDrift", self._mass_drift)
        if self._upgraded:
            _log.warning("upgraded: the first look at each resource only reports", extra={"from": self._before})
        if self._mass_drift:
            _log.error("mass drift: no correction is made until brakes.release has a new value")

    @property
    def mass_drift(self) -> bool:
        """Whether all corrections are stopped."""
        return self._mass_drift

    def annotations(self) -> Mapping[str, str]:
        """What the Lease is to carry. An empty value: nothing to remember."""
        settled = not self._upgraded or self._monotonic() - self._start >= SETTLED_SECONDS
        return {
            names.LEASE_VERSION: self._version if settled else self._before,
            names.LEASE_MASS_DRIFT: _ENGAGED + self._limits.release if self._mass_drift else "",
        }

    def brake(self, key: Key) -> Brake:
        """What holds the pass over this resource."""
        limits, now = self._limits, self._monotonic()
        if limits.read_only:
            return Brake(everything=brakes.READ_ONLY)
        if self._upgraded and key not in self._looked:
            return Brake(everything=brakes.FIRST_LOOK, look=brakes.FIRST_LOOK_SECONDS)
        self._corrections = brakes.within_the_hour(self._corrections, now)
        self._rotations = brakes.within_the_hour(self._rotations, now)
        capped = len(self._corrections) >= limits.corrections_per_hour
        return Brake(
            corrections=brakes.MASS_DRIFT if self._mass_drift else brakes.CORRECTIONS_CAPPED if capped else None,
            rotations=brakes.ROTATIONS_CAPPED if len(self._rotations) >= limits.rotations_per_hour else None,
        )

    def note(self, resource: SecureRedisCache, todo: Plan) -> bool:
        """Count what a plan wants. True: that was too much, and the plan has to be made anew."""
        now, key = self._monotonic(), resource.key
        self._known.add(key)
        if brakes.wants_correction(todo):
            self._wanted[key] = now + resource.spec.drift.interval_seconds
        if self._mass_drift:
            return False
        self._wanted = {one: until for one, until in self._wanted.items() if until > now}
        self._mass_drift = brakes.is_mass_drift(len(self._wanted), len(self._known), self._limits)
        if self._mass_drift:
            self._told.brake("MassDrift", True)
            told = {"wanting": len(self._wanted), "resources": len(self._known)}
            _log.error("mass drift: no correction is made until brakes.release has a new value", extra=told)
        return self._mass_drift

    def settle(self, resource: SecureRedisCache, todo: Plan) -> None:
        """The plan is carried out now: its correction and the rotation that it begins are spent."""
        self._looked.add(resource.key)
        now = self._monotonic()
        if todo.correcting and any(isinstance(action, AzureAction) for action in todo.actions):
            self._corrections.append(now)
        if todo.rotation is not None and brakes.begins_rotation(resource.status.rotation, todo.rotation):
            self._rotations.append(now)
        rotation = todo.rotation.status.reason if todo.rotation is not None and todo.rotation.status else None
        reasons = {str(blocked.reason) for blocked in todo.refused} | {rotation or ""}
        for reason in sorted(reason for reason in reasons if has(reason, Trait.BRAKE)):
            self._told.held(reason)

    def forget(self, key: Key) -> None:
        """The resource is gone."""
        self._known.discard(key)
        self._looked.discard(key)
        self._wanted.pop(key, None)
