"""An inventory of caches: one list of a scope serves every resource in it.

A list that omits a cache proves nothing. A cache counts as absent after two direct reads that answer 404.
"""

import asyncio
import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Generic, Protocol, TypeVar

from secure_redis.api.azure_ids import CacheID
from secure_redis.api.reasons.catalogue import with_remedy
from secure_redis.api.reasons.reason import Reason
from secure_redis.azure.core.expiring_cache import ExpiringCache
from secure_redis.azure.core.failures import (
    Denied,
    Failure,
    Guard,
    Missing,
    NotFound,
    unknown,
)
from secure_redis.domain.observe.cache import Cache, CacheAbsent
from secure_redis.domain.observe.identity import Identity
from secure_redis.domain.observe.unknown import Unknown

F = TypeVar("F", bound=Cache)
F_co = TypeVar("F_co", bound=Cache, covariant=True)


class Source(Protocol[F_co]):
    """Reads one service's caches: one of them, or all of a subscription or a group."""

    async def read(self, identity: Identity, cache: CacheID) -> F_co | NotFound | Unknown:
        """Read one cache directly."""

    async def walk(self, identity: Identity, subscription: str, group: str | None = None) -> tuple[F_co, ...] | Failure:
        """Read all pages of a list."""


@dataclass(slots=True)
class _Listing(Generic[F]):
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    at: float | None = None  # when the walk began
    caches: dict[str, F] = field(default_factory=dict)
    failure: Unknown | None = None
    failed_at: float = 0.0
    denied_at: float | None = None  # this identity may not list this scope: remembered, requested again slowly


@dataclass(slots=True)
class _Entry(Generic[F]):
    """The results of direct reads of one cache by one identity."""

    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    at: float | None = None  # when the last direct read that answered began
    facts: F | None = None
    absent_since: float | None = None  # the first 404 of an unbroken row of them
    absent: CacheAbsent | None = None


class Inventory(Generic[F]):
    """Keeps the caches of one service in memory, each under the identity that read it."""

    def __init__(
        self,
        caches: Source[F],
        clock: Callable[[], float] = time.monotonic,
        confirm_seconds: float = 60.0,
        *,
        probe_seconds: float = 3600.0,
        settle_seconds: float = 60.0,
        remember_failure_seconds: float = 10.0,
    ) -> None:
        """`clock`: monotonic seconds. `confirm_seconds`: how far apart two 404s must be. `probe_seconds`: how long a
        denied list is not requested again. `settle_seconds`: how long after a write of the operator a cache is
        read directly, since Azure's lists may lag behind.
        """
        self._caches: Source[F] = caches
        self._clock = clock
        self._confirm = confirm_seconds
        self._probe = probe_seconds
        self._settle = settle_seconds
        self._remember = remember_failure_seconds
        self._listings: ExpiringCache[tuple[Identity, str, str | None], _Listing[F]] = ExpiringCache(clock)
        self._entries: ExpiringCache[tuple[Identity, str], _Entry[F]] = ExpiringCache(clock)
        self._written: dict[str, float] = {}  # cache -> the operator's last write: what was read before is out of date

    async def cache(self, identity: Identity, cache: CacheID, *, max_age: float) -> F | CacheAbsent | Unknown:
        """Return the cache as read at most `max_age` seconds ago, from a list if possible."""
        entry = self._entry(identity, cache)
        cached = self._cached(entry, cache, max_age)
        if cached is not None:
            return cached
        written = self._written.get(cache.key, -math.inf)
        if self._clock() - written < self._settle:
            return await self._direct(identity, cache, entry, max_age)
        # A list that began before the operator's write, or before a direct read, has no news.
        direct = entry.at
        after = max(written, -math.inf if direct is None else direct)
        listed = await self._listed(identity, cache, max_age, after)
        if listed is not None and not isinstance(listed, Unknown):
            entry.absent = entry.absent_since = None  # it is there again
            if entry.at == direct:  # else another direct read came in between
                entry.at = entry.facts = None  # the list is newer: the earlier direct read must not come back
        if listed is not None:
            return listed
        return await self._direct(identity, cache, entry, max_age)

    async def fresh(self, identity: Identity, cache: CacheID) -> F | CacheAbsent | Unknown:
        """Read the cache directly now, and update the inventory."""
        return await self._direct(identity, cache, self._entry(identity, cache), None)

    def invalidate(self, cache: CacheID) -> None:
        """Drop what was read before a write of the operator, and count 404s from zero again."""
        now = self._clock()
        self._written[cache.key] = now
        for (_, key), entry in self._entries.items():
            if key == cache.key:
                entry.at = entry.facts = entry.absent = entry.absent_since = None
        for key in [k for k, at in self._written.items() if now - at > 24 * 3600]:
            del self._written[key]

    # --- direct reads -------------------------------------------------------------------------------------------------

    def _entry(self, identity: Identity, cache: CacheID) -> _Entry[F]:
        return self._entries.get((identity, cache.key), _Entry)

    def _cached(self, entry: _Entry[F], cache: CacheID, max_age: float) -> F | CacheAbsent | None:
        now = self._clock()
        if (
            entry.at is None
            or max_age <= 0
            or now - entry.at > max_age
            or entry.at < self._written.get(cache.key, entry.at)
        ):
            return None
        if entry.absent is not None:
            waited = entry.absent_since is not None and now - entry.absent_since >= self._confirm
            return None if waited and not entry.absent.confirmed else entry.absent
        return entry.facts

    async def _direct(
        self, identity: Identity, cache: CacheID, entry: _Entry[F], max_age: float | None
    ) -> F | CacheAbsent | Unknown:
        requested_at = self._clock()
        async with entry.lock:
            if max_age is not None or (entry.at is not None and entry.at > requested_at):
                # Another caller's read, begun after this request, serves as well.
                cached = self._cached(entry, cache, math.inf if max_age is None else max_age)
                if cached is not None:
                    return cached
            began = self._clock()
            answer = await self._caches.read(identity, cache)
            if isinstance(answer, Unknown):
                return answer
            if began < self._written.get(cache.key, began):
                # The operator wrote during this read: it proves nothing about the time after the write.
                return Unknown(Reason.UPDATING, "the cache was changed while it was being read", retry_after=1.0)
            entry.at = began
            if not isinstance(answer, NotFound):
                entry.facts, entry.absent, entry.absent_since = answer, None, None
                return answer
            if entry.absent_since is None:
                entry.absent_since = began
            entry.facts = None
            entry.absent = CacheAbsent(
                confirmed=began - entry.absent_since >= self._confirm,
                message=with_remedy(Reason.CACHE_NOT_FOUND, answer.message),
                group_missing=answer.what is Missing.GROUP,
            )
            return entry.absent

    # --- lists --------------------------------------------------------------------------------------------------------

    async def _listed(self, identity: Identity, cache: CacheID, max_age: float, after: float) -> F | Unknown | None:
        """Find the cache in the widest list that the identity can read; None if no list contains it."""
        for group in (None, cache.group):
            listing = self._listings.get(
                (identity, cache.subscription.lower(), None if group is None else group.lower()), _Listing
            )
            async with listing.lock:
                failure = await self._walk(identity, cache.subscription, group, listing, max_age)
                if failure is not None:
                    return failure
                if listing.denied_at is not None:
                    continue  # next narrower
                if listing.at is None or listing.at <= after:
                    return None
                return listing.caches.get(cache.key)
        return None

    async def _walk(
        self, identity: Identity, subscription: str, group: str | None, listing: _Listing[F], max_age: float
    ) -> Unknown | None:
        """Bring `listing` up to date; return the walk's failure if it matters to the caller."""
        now = self._clock()
        if listing.denied_at is not None:
            if now - listing.denied_at < self._probe:
                return None
        elif listing.at is not None and max_age > 0 and now - listing.at <= max_age:
            return None
        elif listing.failure is not None and now - listing.failed_at < min(self._remember, max_age):
            return listing.failure
        answer = await self._caches.walk(identity, subscription, group)
        before = listing.caches
        listing.at, listing.caches, listing.failure, listing.denied_at = None, {}, None, None
        if isinstance(answer, tuple):
            listing.at = now
            listing.caches = {
                facts.resource_id.key: _kept(before.get(facts.resource_id.key), facts) for facts in answer
            }
        elif isinstance(answer, Denied) and answer.by is Guard.ROLE:
            listing.denied_at = now
        elif not isinstance(answer, NotFound):  # a missing group: a direct read has a better message
            listing.failure, listing.failed_at = unknown(answer), self._clock()
        return listing.failure


def _kept(before: F | None, facts: F) -> F:
    """Return the earlier facts where the new ones are equal: others keep them too, and compare the same object fast."""
    return before if before is not None and before == facts else facts
