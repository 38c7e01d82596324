"""When workloads move to a key that another party stores: in `rotation.windows`, with `keyVault.access: Read`. Pure.

With `ReadWrite` the windows apply to the beginning of a rotation instead, and its rollout follows immediately.
"""

from datetime import datetime
from typing import Final

from secure_redis.api import names
from secure_redis.api.reasons.reason import Reason
from secure_redis.api.resource import SecureRedisCache
from secure_redis.api.spec.spec import Access
from secure_redis.domain.assess.disruption import allowed
from secure_redis.domain.explanation import Explanation
from secure_redis.domain.plan import windows

_PATH: Final = "workloads"
_FIELD: Final = "spec.authentication.rotation.windows"


def waits(resource: SecureRedisCache, now: datetime) -> Explanation | None:
    """Explain why no workload moves to another key now. None: workloads may move."""
    settings = resource.spec.authentication
    if settings is None or settings.key_vault.access is not Access.READ or allowed(resource, _PATH):
        return None
    found = windows.waits(settings.rotation.windows, _FIELD, now, "the move to the new key")
    if found is None:
        return None
    return Explanation(found.reason, f"{found.message}; to move now annotate {names.ALLOW_DISRUPTION}: {_PATH}")


def opens_in(resource: SecureRedisCache, now: datetime) -> float | None:
    """Return the seconds until a window opens, if that is before the next ordinary pass."""
    settings, why = resource.spec.authentication, waits(resource, now)
    if settings is None or why is None or why.reason is not Reason.OUTSIDE_WINDOW:
        return None
    return windows.opens_within(settings.rotation.windows, now, resource.spec.drift.interval_seconds)
