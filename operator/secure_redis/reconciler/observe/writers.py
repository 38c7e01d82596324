"""Reads from the Activity Log who made a difference that is new."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

from secure_redis.api.reasons.reason import Reason
from secure_redis.api.resource import Key, SecureRedisCache
from secure_redis.azure.governance.activity_log import Activity
from secure_redis.domain.assess.assessment import Assessment, drift_of
from secure_redis.domain.observe.identity import NamespaceIdentity, OperatorIdentity
from secure_redis.domain.observe.observation import Observation
from secure_redis.domain.observe.observation import changed as replace
from secure_redis.domain.observe.unknown import Unknown
from secure_redis.domain.plan import types
from secure_redis.domain.report import drift_status

QUERY_SECONDS = 240.0
QUERY_TIMEOUT_SECONDS = 5.0
QUERY_SINCE = timedelta(hours=24)


@dataclass(frozen=True, slots=True)
class _Question:
    """Differences as path and observed value, and when they were queried; later while the log is not readable."""

    about: frozenset[tuple[str, str]]
    at: float


class WriterReader:
    """Sends one short query, seldom. A query without an answer never fails a pass."""

    def __init__(self, activity: Activity | None, monotonic: Callable[[], float]) -> None:
        """`activity`: None where the configuration disables the Activity Log."""
        self._activity = activity
        self._monotonic = monotonic
        self._questions: dict[Key, _Question] = {}

    async def read(self, resource: SecureRedisCache, observed: Observation) -> Observation:
        """Add the last writes to the cache, where it differs from the spec and it is not known who changed it."""
        identity, now = observed.identity, self._monotonic()
        if self._activity is None or not isinstance(identity, NamespaceIdentity | OperatorIdentity):
            return observed
        last = self._questions.get(resource.key)
        if last is not None and now < last.at:
            return observed
        about = drift_status.unattributed(resource.status, Assessment(drift=drift_of(resource, observed)), observed.now)
        if not about or (last is not None and about <= last.about and now < last.at + QUERY_SECONDS):
            return observed
        self._questions[resource.key] = _Question(about, now)
        try:
            async with asyncio.timeout(QUERY_TIMEOUT_SECONDS):
                writes = await self._activity.writes(identity, resource.cache, observed.now - QUERY_SINCE, observed.now)
        except TimeoutError:
            return observed
        if isinstance(writes, Unknown) and (writes.permanent or writes.reason is Reason.AZURE_DENIED):
            self._questions[resource.key] = _Question(about, now + types.PERMANENT_RETRY_SECONDS)
        return replace(observed, writes=writes)

    def forget(self, key: Key) -> None:
        """Forget a resource that is gone."""
        self._questions.pop(key, None)
