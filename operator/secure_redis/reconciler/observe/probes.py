"""Probes endpoints beside the passes: a pass takes the last result and waits for nothing."""

import asyncio
import heapq
import logging
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import Any, Protocol, Self

from secure_redis.api.reasons.reason import Reason
from secure_redis.api.resource import Key
from secure_redis.domain.observe import probe_target
from secure_redis.domain.observe.endpoint import EndpointFacts
from secure_redis.domain.observe.probe_target import Endpoint
from secure_redis.domain.observe.unknown import Unknown
from secure_redis.domain.report import evidence
from secure_redis.domain.report.endpoint_status import all_well, not_probed, outcome, to_status
from secure_redis.reconciler.edge import guarded
from secure_redis.reconciler.fair_share import may_take

_log = logging.getLogger(__name__)

NOT_YET = Unknown(Reason.PENDING, "this process has not probed it yet")
NOT_FOR_LONG = Unknown(Reason.NOT_OBSERVED, "no probe of it has ended for several intervals")


class ProbeEndpoint(Protocol):
    """One probe (see `probe.endpoint`). It ends by itself and raises nothing that network or server cause."""

    def __call__(self, endpoint: Endpoint) -> Awaitable[EndpointFacts]:
        """Probe once."""


@dataclass(frozen=True, slots=True)
class Rhythm:
    """`interval`: seconds between probes of one endpoint. `at_once`: probes that run, and begin within a second."""

    interval: float = 3600.0
    at_once: int = 8


@dataclass(slots=True)
class _Entry:
    """One endpoint.

    `requests`: per resource what its last pass came with: the settings, the refresh request and what its own status
    reports of an earlier probe. That status counts for this resource only, because its author may be able to write it.
    `at`: the monotonic time of the last probe, or of the first request.
    """

    at: float
    facts: EndpointFacts | None = None
    requests: dict[Key, tuple[tuple[object, ...], str | None, EndpointFacts | None, bool]] = field(default_factory=dict)
    ticket: int = 0  # of the one heap item that counts
    due: float = float("inf")
    probes: int = 0
    troubled: int = 0  # probes in a row that were not all well
    running: bool = False
    again: bool = False


class Probes:
    """Probes all endpoints that passes request: one probe serves every resource of a cache.

    `woken(key)` is called for each of its resources when a probe found something else than the one before;
    `on_probe(keys, outcome, at)` after each probe. Use it as an async context manager: outside, nothing is probed.
    """

    def __init__(
        self,
        probe: ProbeEndpoint,
        rhythm: Rhythm,
        *,
        now: Callable[[], datetime],
        monotonic: Callable[[], float],
        woken: Callable[[Key], None],
        on_probe: Callable[[Iterable[Key], str, datetime], None] = lambda keys, outcome, at: None,
    ) -> None:
        self._probe = probe
        self._rhythm = rhythm
        self._now = now
        self._monotonic = monotonic
        self._woken = woken
        self._on_probe = on_probe
        self._entries: dict[Endpoint, _Entry] = {}
        self._of: dict[Key, Endpoint] = {}
        self._heap: list[tuple[float, int, Endpoint]] = []
        self._tickets = 0
        self._running: set[asyncio.Task[None]] = set()
        self._taken: Counter[str] = Counter()  # how many of them run for each namespace
        self._parked: list[tuple[float, int, Endpoint]] = []  # due; the namespaces that request them have their share
        self._changed = asyncio.Event()
        self._worker: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self._worker = asyncio.create_task(self._run(), name="probes")
        return self

    async def __aexit__(self, *_: object) -> None:
        tasks = [task for task in (self._worker, *self._running) if task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    # --- requests of passes -------------------------------------------------------------------------------------

    def latest(
        self,
        key: Key,
        endpoint: Endpoint,
        *,
        settings: tuple[object, ...],
        refresh: str | None = None,
        recalled: EndpointFacts | None = None,
        awaited: bool = False,
    ) -> EndpointFacts | Unknown:
        """Return the last result, and schedule the next probe.

        The next probe comes immediately if `settings` differ from those of this resource's last pass, or if `refresh`
        is a request that did not come before. `recalled`: what an earlier process found. `awaited`: that alone does not
        settle the resource's status, so the first probe comes soon and wakes the resource whatever it finds.
        """
        if self._of.get(key) != endpoint:
            self.leave(key)
            self._of[key] = endpoint
        entry = self._entries.get(endpoint)
        if entry is None:
            entry = self._entries[endpoint] = _Entry(self._monotonic())
            delay = probe_target.first_delay(
                endpoint, self._rhythm.interval, known=recalled is not None and not awaited
            )
            self._push(endpoint, entry, self._monotonic() + delay)
        before = entry.requests.get(key)
        entry.requests[key] = (settings, refresh or (before[1] if before else None), recalled, awaited)
        requested = refresh is not None and (before is None or refresh != before[1])
        if requested or (before is not None and settings != before[0]):
            entry.again = entry.running
            self._push(endpoint, entry, min(entry.due, self._monotonic()))
        if self._monotonic() - entry.at > evidence.good_for(self._rhythm.interval):
            return NOT_FOR_LONG
        return entry.facts or recalled or NOT_YET

    def leave(self, key: Key) -> None:
        """Remove a resource's request. An endpoint that no resource requests is forgotten."""
        endpoint = self._of.pop(key, None)
        entry = self._entries.get(endpoint) if endpoint is not None else None
        if endpoint is None or entry is None:
            return
        entry.requests.pop(key, None)
        if not entry.requests:
            del self._entries[endpoint]

    # --- the one task -------------------------------------------------------------------------------------------

    async def _run(self) -> None:
        while True:
            self._changed.clear()
            free = len(self._running) < self._rhythm.at_once
            pause = max(0.0, self._heap[0][0] - self._monotonic()) if self._heap and free else None
            if pause == 0.0:
                if self._start():
                    await asyncio.sleep(1.0 / self._rhythm.at_once)  # no burst, however many are due
                continue
            try:
                async with asyncio.timeout(pause):
                    await self._changed.wait()
            except TimeoutError:
                pass

    def _start(self) -> bool:
        due, ticket, endpoint = heapq.heappop(self._heap)
        entry = self._entries.get(endpoint)
        if entry is None or entry.ticket != ticket or entry.running:
            return False
        namespace = self._namespace(entry)
        if namespace is None:
            self._parked.append((due, ticket, endpoint))
            return False
        entry.running, entry.due = True, float("inf")
        task = asyncio.create_task(self._take(endpoint, entry), name=f"probe {endpoint}")
        self._running.add(task)
        self._taken[namespace] += 1
        task.add_done_callback(partial(self._ended, namespace))
        return True

    def _namespace(self, entry: _Entry) -> str | None:
        """Return the namespace for which an endpoint is probed now. None: those that request it have their share."""
        free = self._rhythm.at_once - len(self._running)
        requesting = {key.namespace for key in entry.requests}
        allowed = (one for one in requesting if may_take(self._taken[one], free))
        return min(allowed, key=lambda one: (self._taken[one], one), default=None)

    def _ended(self, namespace: str, task: "asyncio.Task[Any]") -> None:
        self._running.discard(task)
        self._taken[namespace] -= 1
        if not self._taken[namespace]:
            del self._taken[namespace]
        for item in self._parked:  # one that was scheduled again meanwhile has another ticket
            heapq.heappush(self._heap, item)
        self._parked.clear()
        self._changed.set()

    async def _take(self, endpoint: Endpoint, entry: _Entry) -> None:
        found = await guarded(self._probe(endpoint), f"the endpoint {endpoint.host}")
        facts = not_probed(endpoint, found, self._now()) if isinstance(found, Unknown) else found
        entry.running = False
        if self._entries.get(endpoint) is not entry:
            return
        entry.probes, entry.at = entry.probes + 1, self._monotonic()
        entry.troubled = 0 if all_well(facts, self._now()) else entry.troubled + 1
        before, entry.facts = entry.facts, facts
        _log.debug("an endpoint was probed", extra={"host": endpoint.host, "result": outcome(facts)})
        self._on_probe(tuple(entry.requests), outcome(facts), self._now())
        for key, (_, _, recalled, awaited) in tuple(entry.requests.items()):
            known = before or recalled
            if known is None or to_status(known) != to_status(facts) or (before is None and awaited):
                self._woken(key)
        delay = 0.0
        if not entry.again:
            delay = probe_target.next_delay(endpoint, self._rhythm.interval, entry.probes, entry.troubled)
        entry.again = False
        self._push(endpoint, entry, self._monotonic() + delay)

    def _push(self, endpoint: Endpoint, entry: _Entry, due: float) -> None:
        if entry.running:
            return  # its end decides
        self._tickets += 1
        entry.ticket, entry.due = self._tickets, due
        heapq.heappush(self._heap, (due, self._tickets, endpoint))
        self._changed.set()
