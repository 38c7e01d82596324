"""Times in the configuration: of the Lease, and of what the operator repeats or keeps."""

from typing import Annotated

from pydantic import Field

from secure_redis.cli.config_base import Part, Seconds, Text


class LeaderElection(Part):
    """The Lease by which one replica leads. Times are in seconds."""

    enabled: bool = True
    """Wait for the Lease before the operator works. Disable it for tests only."""
    namespace: Text | None = None
    """Namespace of the Lease. If it is not set, the environment variable `POD_NAMESPACE`."""
    lease_duration_seconds: Annotated[int, Field(ge=2, le=300)] = 15
    """Time after the last renewal until another replica may lead."""
    renew_deadline_seconds: Seconds = 10.0
    """Time in which the leader must renew the Lease. After it, the leader stops writing."""
    retry_period_seconds: Seconds = 2.0
    """Time between two attempts to renew or to take the Lease."""


class Intervals(Part):
    """Intervals and ages, in seconds."""

    absence_confirmation_seconds: Seconds = 60.0
    """Time between the two answers 404 that prove that a cache is gone."""
    operation_poll_seconds: Seconds = 30.0
    """Time between two checks of a change that Azure carries out."""
    regeneration_settle_seconds: Seconds = 60.0
    """Time until the operator repeats the regeneration of a key whose response was lost."""
    container_start_seconds: Seconds = 300.0
    """Longest time from a kubelet's read of a Secret to its report that the container started."""
    children_max_age_seconds: Seconds = 900.0
    """Age of firewall rules at which the operator reads them again."""
    surroundings_max_age_seconds: Seconds = 3600.0
    """Age at which the operator reads again: locks, diagnostic settings, the patch schedule, access policies, role
    assignments, the vault, and who changed the cache.
    """
    surroundings_spread_seconds: Seconds = 120.0
    """After a start, the first reads of these begin within half to all of this time."""
    proof_seconds: Seconds = 3600.0
    """Time for which a proof of a key is valid."""
    service_account_seconds: Seconds = 30.0
    """Age at which the operator reads a ServiceAccount's annotations again."""
    probe_seconds: Seconds = 3600.0
    """Time between two probes of a healthy endpoint."""
    probe_timeout_seconds: Annotated[float, Field(ge=1, le=60, strict=False)] = 10.0
    """Longest time of one probe."""
    resync_seconds: Seconds = 600.0
    """Time between two lists of all resources."""
    drain_seconds: Seconds = 20.0
    """Time for running reconciles when the process receives the signal to end. The pod's grace period must be at least
    10 seconds longer. The chart's default is 60.
    """
