"""Reads from the Activity Log who made a difference that is new."""

import asyncio
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from secure_redis.api.reasons.reason import Reason
from secure_redis.api.resource import Key, SecureRedisCache
from secure_redis.azure.governance.activity_log import Activity
from secure_redis.domain.assess.assessment import Assessment, drift_of
from secure_redis.domain.observe.authors import SKEW, Author, Window, child, of_cache, of_child
from secure_redis.domain.observe.cache import Write
from secure_redis.domain.observe.identity import Identity, NamespaceIdentity, OperatorIdentity
from secure_redis.domain.observe.observation import Observation, changed
from secure_redis.domain.observe.unknown import Unknown
from secure_redis.domain.plan import types
from secure_redis.domain.report import drift_status
from secure_redis.reconciler.edge import guarded
from secure_redis.reconciler.observe.ages import Ages

QUERY_SECONDS = 240.0
QUERY_TIMEOUT_SECONDS = 5.0
CHILDREN_SINCE = timedelta(hours=24)
MOST_CHILDREN: Final = 5  # of which the log is read in one pass

_Difference = tuple[str, str]  # path and observed value


@dataclass(frozen=True, slots=True)
class _Question:
    """Differences and when they were queried; later while the log is not readable."""

    about: frozenset[_Difference]
    at: float


@dataclass(frozen=True, slots=True)
class _Compared:
    """The last comparison with the spec of this generation. `windows`: of each difference; None: not known."""

    generation: int
    at: datetime
    windows: Mapping[_Difference, Window | None]


class WriterReader:
    """Sends a few short queries, seldom. A query without an answer never fails a pass."""

    def __init__(self, activity: Activity | None, ages: Ages, monotonic: Callable[[], float]) -> None:
        """`activity`: None where the configuration disables the Activity Log. `ages`: of what is compared."""
        self._activity = activity
        self._ages = ages
        self._monotonic = monotonic
        self._questions: dict[Key, _Question] = {}
        self._compared: dict[Key, _Compared] = {}

    async def read(self, resource: SecureRedisCache, observed: Observation) -> Observation:
        """Add who made the differences that are new, where the log names one party."""
        if self._activity is None:
            return observed
        drift = drift_of(resource, observed)
        windows = self._windows(
            resource, observed.now, None if drift is None else {(d.path, d.observed) for d in drift}
        )
        identity, now = observed.identity, self._monotonic()
        if not isinstance(identity, NamespaceIdentity | OperatorIdentity):
            return observed
        last = self._questions.get(resource.key)
        if last is not None and now < last.at:
            return observed
        young = drift_status.young(resource.status, Assessment(drift=drift), observed.now)
        about = frozenset(one for one in young if windows.get(one) is not None or child(one[0]) is not None)
        if not about or (last is not None and about <= last.about and now < last.at + QUERY_SECONDS):
            return observed
        self._questions[resource.key] = _Question(about, now)
        try:
            async with asyncio.timeout(QUERY_TIMEOUT_SECONDS):
                authors = self._authors(self._activity, resource, identity, observed.now, about, windows)
                found = await guarded(authors, "who made a difference")
        except TimeoutError:
            return observed
        if isinstance(found, Unknown):
            if found.permanent or found.reason is Reason.AZURE_DENIED:
                self._questions[resource.key] = _Question(about, now + types.PERMANENT_RETRY_SECONDS)
            return observed
        return changed(observed, authors=found)

    def unchanged(self, key: Key, now: datetime) -> None:
        """Note that the cache was observed as at the last comparison."""
        last = self._compared.get(key)
        if last is not None:
            self._compared[key] = replace(last, at=now)

    def forget(self, key: Key) -> None:
        """Forget a resource that is gone."""
        self._questions.pop(key, None)
        self._compared.pop(key, None)

    def _windows(
        self, resource: SecureRedisCache, now: datetime, differing: set[_Difference] | None
    ) -> Mapping[_Difference, Window | None]:
        """Return when each difference was made. Unknown after a start of the operator and a change of the spec."""
        last = self._compared.get(resource.key)
        if last is not None and last.generation != resource.generation:
            last = None
        if differing is None:  # the cache could not be read
            return last.windows if last is not None else {}
        windows: dict[_Difference, Window | None] = {}
        for one in differing:
            if last is not None and one in last.windows:
                windows[one] = last.windows[one]
            else:
                windows[one] = None if last is None else Window(last.at - self._age(resource, one[0]), now)
        self._compared[resource.key] = _Compared(resource.generation, now, windows)
        return windows

    def _age(self, resource: SecureRedisCache, path: str) -> timedelta:
        """Return how old what was compared may have been."""
        is_child = child(path) is not None
        return timedelta(seconds=self._ages.children if is_child else self._ages.of(resource))

    @staticmethod
    async def _authors(
        activity: Activity,
        resource: SecureRedisCache,
        identity: Identity,
        now: datetime,
        about: Iterable[_Difference],
        windows: Mapping[_Difference, Window | None],
    ) -> Mapping[_Difference, Author] | Unknown:
        found: dict[_Difference, Author] = {}
        children = {one: below for one in sorted(about) if (below := child(one[0])) is not None}
        of_the_cache = {
            one: window for one in about if one not in children and (window := windows.get(one)) is not None
        }
        writes: tuple[Write, ...] | Unknown
        if of_the_cache:
            since = min(window.after for window in of_the_cache.values()) - SKEW
            writes = await activity.writes(identity, resource.cache, since, now + SKEW)
            if isinstance(writes, Unknown):
                return writes
            found |= {one: of_cache(writes, window) for one, window in of_the_cache.items()}
        for one, below in list(children.items())[:MOST_CHILDREN]:
            writes = await activity.writes(identity, resource.cache, now - CHILDREN_SINCE, now + SKEW, child=below)
            if isinstance(writes, Unknown):
                return writes
            found[one] = of_child(writes, windows.get(one), now)
        return found
