"""One list of a vault's secrets instead of a version check of each: which of them changed shows in their attributes.

An item has the attributes of the secret's current version: `created` and `updated` move with a new version. This is
documented for the list of secrets and was recorded for certificates (docs/internals/assumptions.md). So that a vault in
which it does not hold is noticed, `Vaults` reads each secret itself once an hour all the same.
"""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Final

from secure_redis.azure.core.failures import Denied, Failure, Guard
from secure_redis.azure.keyvault.versions import Version

# Of the age that an answer may have. Secrets of a vault become due one after the other, and share a list for so long.
_SHARE: Final = 1 / 3
_FEWEST: Final = 2  # of one secret, a check is one request too

Items = Mapping[str, Version]  # the current version of each secret, by the secret's name in lower case
Walk = Callable[[Collection[str]], Awaitable[Items | Failure | None]]


@dataclass(frozen=True, slots=True)
class Listed:
    """The items that a walk showed. `at`: when it began, in monotonic seconds."""

    at: float
    items: Items


@dataclass(slots=True)
class Listing:
    """The list of a vault as one identity sees it. Only the secrets that the operator reads are kept.

    `useless_until`: it is denied, or has more pages than the operator has secrets in the vault.
    """

    last: Listed | None = None
    failure: Failure | None = None
    failed_at: float = float("-inf")
    useless_until: float = float("-inf")
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def get(
        self,
        names: Callable[[], Collection[str]],
        walk: Walk,
        *,
        now: float,
        max_age: float,
        useless_seconds: float,
        failure_seconds: float,
    ) -> Listed | Failure | None:
        """Return what was listed at most a third of `max_age` ago, or walk the list. None: it is of no use.

        `names`: the secrets that are read in this vault, in lower case. `walk(names)`: their items; None: the list has
        too many pages. `useless_seconds`: how long a list of no use is not requested again; `failure_seconds`: how
        long one that failed.
        """
        async with self.lock:
            if now < self.useless_until or max_age <= 0:
                return None
            if self.failure is not None and now - self.failed_at < failure_seconds:
                return self.failure
            if self.last is not None and now - self.last.at <= max_age * _SHARE:
                return self.last
            wanted = names()
            if len(wanted) < _FEWEST:
                return None
            self.last = self.failure = None
            found = await walk(wanted)
            if found is None or (isinstance(found, Denied) and found.by is Guard.ROLE):
                self.useless_until = now + useless_seconds
                return None
            if isinstance(found, Failure):
                self.failure, self.failed_at = found, now
                return found
            self.last = Listed(now, found)
            return self.last
