"""The defaults for resources whose spec says nothing, and the highest mode of all."""

from typing import Annotated

from pydantic import Field

from secure_redis.api.spec.defaults import SpecDefaults
from secure_redis.api.spec.spec import Mode, Profile
from secure_redis.cli.config_base import Part


class DefaultSettings(Part):
    """Defaults for all resources. `maximum_mode` is the highest mode that applies, whatever resources declare."""

    maximum_mode: Annotated[Mode, Field(strict=False)] = Mode.PROVISION
    """Highest mode that applies. `Validate`: no resource creates, changes or deletes a cache."""
    profile: Annotated[Profile, Field(strict=False)] = Profile.BASELINE
    """Profile of resources without `spec.profile`."""
    interval_seconds: Annotated[int, Field(ge=30, le=86400)] = 300
    """Interval of resources without `spec.drift.intervalSeconds`."""

    def as_domain(self) -> SpecDefaults:
        """Convert them for the parser of resources."""
        return SpecDefaults(self.maximum_mode, self.profile, self.interval_seconds)
