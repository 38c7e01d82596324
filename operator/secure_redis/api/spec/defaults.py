"""The operator's configuration `defaults`: what applies where a spec says nothing, and the highest mode."""

from dataclasses import dataclass
from typing import Any

from secure_redis.api.spec.spec import Mode, Profile, Spec


@dataclass(frozen=True, slots=True)
class SpecDefaults:
    """Defaults for all resources. `maximum_mode` VALIDATE: no resource writes settings of a cache, whatever it says."""

    maximum_mode: Mode = Mode.PROVISION
    profile: Profile = Profile.BASELINE
    interval_seconds: int = 300

    def applied(self, spec: Spec) -> Spec:
        """Return the spec as it applies. The CRD has no defaults for these fields, so what is absent is unset."""
        changes: dict[str, Any] = {}
        if self.maximum_mode is Mode.VALIDATE:
            changes["mode"] = Mode.VALIDATE
        if "profile" not in spec.model_fields_set:
            changes["profile"] = self.profile
        if "interval_seconds" not in spec.drift.model_fields_set:
            changes["drift"] = spec.drift.model_copy(update={"interval_seconds": self.interval_seconds})
        return spec.model_copy(update=changes) if changes else spec
