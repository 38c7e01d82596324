"""Records which watches have to run and which of them are open, so that /readyz can report a missing one."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import aiohttp

PATIENCE: Final = 30.0  # seconds without a stream; the API server ends each one now and then, and it is opened again
_NAMED: Final = 3


@dataclass(slots=True)
class _Stream:
    """One watch that has to run. `since`: when it was last open, or began to be expected."""

    what: str
    since: float
    open: int = 0


class Streams:
    """Watches by the path of their collection. `expect` and `forget` are for one thread, the rest for any."""

    def __init__(self, clock: Callable[[], float] = time.monotonic, patience: float = PATIENCE) -> None:
        self._clock = clock
        self._patience = patience
        self._streams: dict[str, _Stream] = {}

    def expect(self, path: str, kind: str, namespace: str | None) -> None:
        """From now on this watch has to run. `kind`: the plural for messages."""
        where = f"namespace {namespace!r}" if namespace else "all namespaces"
        self._streams.setdefault(path, _Stream(f"{kind} in {where}", self._clock()))

    def forget(self, path: str) -> None:
        """The watch need not run: its namespace is not served any more, or the operator may not watch there."""
        self._streams.pop(path, None)

    def opened(self, path: str) -> None:
        """The API server accepted the watch."""
        stream = self._streams.get(path)
        if stream is not None:
            stream.open += 1

    def closed(self, path: str) -> None:
        """The watch ended."""
        stream = self._streams.get(path)
        if stream is not None and stream.open > 0:
            stream.open -= 1
            stream.since = self._clock()

    def follow(self, response: aiohttp.ClientResponse) -> None:
        """Record a response of another client if it is a watch, and its end."""
        watches = response.method == "GET" and response.url.query.get("watch") in ("true", "1")
        if not watches or response.status != 200 or response.connection is None:
            return
        path = response.url.path
        path = path[max(path.find("/apis/"), 0) :]  # the server can be below a path of its own
        self.opened(path)
        response.connection.add_callback(lambda: self.closed(path))

    def missing(self) -> str | None:
        """Return which watches are missing, as the sentence for /readyz; None: all run."""
        earliest = self._clock() - self._patience
        found = sorted(one.what for one in list(self._streams.values()) if not one.open and one.since < earliest)
        if not found:
            return None
        more = f" and {len(found) - _NAMED} more" if len(found) > _NAMED else ""
        return f"no watch of {', '.join(found[:_NAMED])}{more}: changes are noticed late; see the log"
