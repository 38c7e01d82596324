"""Limits in the configuration: on writes over all resources, for each namespace, and on what runs at the same time."""

from typing import Annotated

from pydantic import Field

from secure_redis.cli.config_base import Part
from secure_redis.domain.plan import namespace_limits as domain_limits
from secure_redis.domain.plan.brakes import BrakeLimits


class MassDrift(Part):
    """When corrections of all resources stop: many caches drift within one interval."""

    share: Annotated[float, Field(gt=0, le=1, strict=False)] = 0.05
    """Corrections stop if more than this share of the resources requires one."""
    at_least: Annotated[int, Field(ge=1)] = 20
    """With fewer resources than this, corrections do not stop."""
    minimum_corrections: Annotated[int, Field(ge=1)] = 5
    """Corrections do not stop while fewer resources than this require one. In a small fleet, two can coincide."""


class BrakeSettings(Part):
    """Limits writes to Azure over all resources."""

    read_only: bool = False
    """Write nothing to Azure or Key Vault, whatever resources request."""
    corrections_per_hour: Annotated[int, Field(ge=0, le=100_000)] = 100
    """Corrections of all resources together in 60 minutes."""
    rotations_per_hour: Annotated[int, Field(ge=0, le=100_000)] = 100
    """Rotations that may begin in 60 minutes. The cap never blocks an emergency rotation."""
    mass_drift: MassDrift = MassDrift()
    """The stop of all corrections when many caches drift within one interval."""
    release: Annotated[str, Field(max_length=128)] = ""
    """A new value resumes corrections after a stop by mass drift."""

    def limits(self) -> BrakeLimits:
        """Convert them for the brakes."""
        return BrakeLimits(
            read_only=self.read_only,
            corrections_per_hour=self.corrections_per_hour,
            rotations_per_hour=self.rotations_per_hour,
            share=self.mass_drift.share,
            at_least=self.mass_drift.at_least,
            minimum_corrections=self.mass_drift.minimum_corrections,
            release=self.release,
        )


class LimitSettings(Part):
    """Limits what the operator serves in one namespace, the oldest first."""

    resources_per_namespace: Annotated[int, Field(ge=0, le=100_000)] = 100
    """Resources that the operator serves in one namespace. 0: no limit."""
    identities_per_namespace: Annotated[int, Field(ge=0, le=100_000)] = 10
    """Different ServiceAccounts of one namespace whose tokens the operator exchanges. 0: no limit."""

    def as_domain(self) -> domain_limits.NamespaceLimits:
        """Convert them for the domain."""
        return domain_limits.NamespaceLimits(self.resources_per_namespace, self.identities_per_namespace)


class Concurrency(Part):
    """Limits how much runs at the same time."""

    passes: Annotated[int, Field(ge=1, le=256)] = 16
    """Reconciles. One namespace gets at most three quarters of them."""
    kubernetes_requests: Annotated[int, Field(ge=1, le=512)] = 32
    """Requests to the API server."""
    azure_connections: Annotated[int, Field(ge=1, le=512)] = 64
    """Connections to Azure."""
    probes: Annotated[int, Field(ge=1, le=64)] = 8
    """Probes of endpoints. No more than this begin within a second."""
