"""Notice that the API server went back in time, as after a restore of etcd from a backup.

Everything that this process knows is then newer than the truth, and no watch delivers the difference. The process ends,
as it does when it loses the Lease: a new one reads everything again.
"""

import asyncio
import logging
from collections.abc import Iterable, Mapping
from typing import Any, Final

_log = logging.getLogger(__name__)

_WHY: Final = "the API server answers with older data than this process has observed: etcd was restored from a backup"


class HistoryRewritten(Exception):
    """The API server lost changes that this process has observed. The process must end."""

    def __init__(self) -> None:
        super().__init__(_WHY)


def older(version: str, than: str) -> bool:
    """Whether one resourceVersion is certainly older. Versions that are no numbers have no order."""
    return version.isdecimal() and than.isdecimal() and int(version) < int(than)


def version_of(body: Mapping[str, Any]) -> tuple[str, str]:
    """Return an object's namespace and name in one string, and its resourceVersion."""
    meta = body["metadata"]
    return f"{meta['namespace']}/{meta['name']}", str(meta["resourceVersion"])


class History:
    """Keeps the newest resourceVersion per collection, and compares every list with what was known when it began.

    A list without a resourceVersion is at least as new as everything that anyone observed before it began
    (docs/internals/kubernetes-facts.md#resource-versions). So an older list, or an older version of an object in it,
    proves that changes were lost.
    """

    def __init__(self) -> None:
        self._newest: dict[str, str] = {}
        self._rewritten = asyncio.Event()

    def observed(self, collection: str, version: str) -> None:
        """Note a version from a list, a watch or a write."""
        known = self._newest.get(collection)
        if version.isdecimal() and (known is None or older(known, version)):
            self._newest[collection] = version

    def newest(self, collection: str) -> str:
        """Return the newest version that is known now. Read it before a list begins."""
        return self._newest.get(collection, "")

    def listed(self, collection: str, began: str, version: str) -> None:
        """Compare a list's version with the newest one that was known when it began.

        Raises:
            HistoryRewritten: the list is older.

        """
        if older(version, began):
            self.rewrite(collection)
        self.observed(collection, version)

    def compare(self, collection: str, known: Mapping[str, str], listed: Iterable[tuple[str, str]]) -> None:
        """Compare the objects of a list (name, version) with the versions that were known when it began.

        After a restore that raises etcd's revision, the list is newer and its objects are not.

        Raises:
            HistoryRewritten: an object is older.

        """
        if any(older(version, known.get(name, "")) for name, version in listed):
            self.rewrite(collection)

    def rewrite(self, collection: str) -> None:
        """Note that changes were lost.

        Raises:
            HistoryRewritten: always.

        """
        if not self._rewritten.is_set():
            _log.error("the API server's data are older than what was observed; ending", extra={"where": collection})
        self._rewritten.set()
        raise HistoryRewritten

    def check(self) -> None:
        """Check the fence before a write.

        Raises:
            HistoryRewritten: changes were lost.

        """
        if self._rewritten.is_set():
            raise HistoryRewritten

    async def rewritten(self) -> None:
        """Return once changes were lost."""
        await self._rewritten.wait()
