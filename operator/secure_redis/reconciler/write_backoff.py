"""Holds back a write that was refused, longer each time. It is kept in this process; losing it is always safe.

The plan of a pass may contain the write again at any time: Azure is polled, a workload changes, a probe ends. The
cause of a pass does not decide how often a refused write is repeated: this module does.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from secure_redis.api.resource import SecureRedisCache
from secure_redis.domain.plan.actions import Action, AzureAction
from secure_redis.domain.plan.outcomes import Outcome
from secure_redis.domain.plan.write_failure import WriteFailure
from secure_redis.reconciler.next_pass import growing

FIRST_SECONDS: Final = 5.0
LONGEST_SECONDS: Final = 600.0
# So long after it could have been repeated, a write that is refused counts as refused for the first time.
_FORGOTTEN_SECONDS: Final = 3600.0
_MOST: Final = 50


@dataclass(slots=True)
class _Refused:
    """A write and how often it was refused in a row. `until`: the monotonic time before which it is not repeated."""

    key: object
    failure: WriteFailure
    count: int
    until: float


class WriteBackoff:
    """The refused writes of one resource. An edited spec or a new request by annotation repeats them immediately."""

    def __init__(self) -> None:
        self._refused: list[_Refused] = []
        self._requested: object = None

    def begin(self, resource: SecureRedisCache) -> None:
        """Forget the refusals if the resource requests something new."""
        requested = (resource.generation, dict(resource.requests))
        if requested != self._requested:
            self._refused, self._requested = [], requested

    def held(self, resource: SecureRedisCache, action: Action, now: float) -> WriteFailure | None:
        """Return why the write was refused, if it is too early to repeat it."""
        found = self._find(_key(resource, action))
        return found.failure if found is not None and now < found.until else None

    def record(self, resource: SecureRedisCache, action: Action, failure: WriteFailure | None, now: float) -> None:
        """Record what came of a write. None: it succeeded."""
        key = _key(resource, action)
        before = self._find(key)
        kept = [one for one in self._refused if one is not before and now < one.until + _FORGOTTEN_SECONDS]
        if failure is not None:
            recent = before is not None and now < before.until + _FORGOTTEN_SECONDS
            count = before.count + 1 if before is not None and recent else 1
            pause = max(growing(count, FIRST_SECONDS, LONGEST_SECONDS), failure.retry_after or 0.0)
            kept.append(_Refused(key, failure, count, now + pause))
        self._refused = kept[-_MOST:]

    def due_in(self, resource: SecureRedisCache, outcomes: Iterable[Outcome], now: float) -> float | None:
        """Return the seconds until the first of these writes may be repeated; None: none of them was refused."""
        found = (self._find(_key(resource, outcome.action)) for outcome in outcomes)
        return min((max(0.0, one.until - now) for one in found if one is not None), default=None)

    def _find(self, key: object) -> _Refused | None:
        return next((one for one in self._refused if one.key == key), None)


def _key(resource: SecureRedisCache, action: Action) -> object:
    """Return what makes two writes the same. In Azure it is what they change: their values may contain the time."""
    if isinstance(action, AzureAction):
        return type(action), action.target(resource), action.audited_fields
    return action
