"""Decides when each resource has its next pass: one task, one heap, never two passes of one resource at a time."""

import asyncio
import heapq
import logging
import random
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from enum import StrEnum
from functools import partial
from math import ceil, inf, isinf
from typing import Any, NamedTuple

from secure_redis.api import names
from secure_redis.api.resource import Key, key_of
from secure_redis.kube import resource_bodies
from secure_redis.kube.history import older
from secure_redis.kube.secret_store import newer
from secure_redis.reconciler.next_pass import NextPass
from secure_redis.schedule.backoff import Backoff
from secure_redis.schedule.bodies import Body, fingerprint, marks
from secure_redis.schedule.places import Places
from secure_redis.schedule.unobserved import Reports, Unobserved
from secure_redis.telemetry.logs import stack

_log = logging.getLogger(__name__)

_CUT_SECONDS = 2.0  # for passes to notice that they were cut off

# Each wake of the loop costs as much as a check of a steady resource. So what the clock makes due starts together
# with what else is due then: after a long wait at the next full _TICK, after a short one within _SHORT_TICK (seconds).
_TICK = 0.5
_SHORT_TICK = 0.02
_LONG = 10.0


class Trigger(StrEnum):
    """Names what caused a pass. It is logged and audited and never changes what a pass does."""

    EDIT = "Edit"
    CLOCK = "Clock"
    RETRY = "Retry"
    SECRET = "Secret"  # noqa: S105 - what changed
    WORKLOAD = "Workload"
    PROBE = "Probe"
    RESYNC = "Resync"


class Snapshot(NamedTuple):
    """A page of a list of all resources, and the list's resourceVersion."""

    bodies: Iterable[Body]
    resource_version: str


@dataclass(slots=True)
class _Entry:
    # The body, packed: as dicts a thousand would take 17 MiB more. None: it is too large to be held.
    packed: bytes | None
    uid: str
    version: str
    due: float
    trigger: Trigger
    ticket: int = 0  # of the one heap item that counts
    queued: bool = False
    running: bool = False
    again: Trigger | None = None
    gone: bool = False
    successor: Body | None = None  # of the same name, created while the last pass of this one runs
    passed: bool = False
    started: float = float("-inf")
    failures: int = 0
    fingerprint: tuple[Any, ...] = field(default=())
    marks: frozenset[str] = frozenset()  # what only the operator sets on the object


RunPass = Callable[[Key, Body, Trigger], Awaitable[NextPass]]
CheckSteady = Callable[[Key, str], Awaitable[NextPass | None]]


class Schedule:
    """Runs passes.

    `check_steady(key, version)` comes first, with the newest body's resourceVersion: if it answers with the next pass,
    that was the pass. Otherwise `run_pass(key, body, trigger)` gets the newest body that is known; `read(key)` reads
    one that is too large to be held. An exception out of either is a failed pass (logged, backed off, and reported from
    the second in a row on); one of `fatal` ends `run()`. `reports` writes that, and which results no pass renewed in
    time. `on_gone(key)` is called once no pass of a vanished resource runs any more. `on_pass(key, trigger, ended,
    seconds)` is called after each pass, with the pass's own result. `on_namespaces(set)` is called when the set of
    namespaces with resources changes.
    """

    def __init__(
        self,
        run_pass: RunPass,
        *,
        check_steady: CheckSteady | None = None,
        backoff: Backoff | None = None,
        relist: Callable[[], AsyncIterator[Snapshot]] | None = None,
        read: Callable[[Key], Awaitable[Body | None]] | None = None,
        clock: Callable[[], float] | None = None,
        rng: random.Random | None = None,
        reports: Reports | None = None,
        fatal: tuple[type[Exception], ...] = (),
        on_gone: Callable[[Key], None] = lambda key: None,
        on_pass: Callable[[Key, Trigger, NextPass, float], None] = lambda key, trigger, ended, seconds: None,
        on_namespaces: Callable[[set[str]], None] = lambda namespaces: None,
    ) -> None:
        self._run_pass = run_pass
        self._check_steady = check_steady
        self._backoff = backoff or Backoff()
        self._relist = relist
        self._read = read
        self._clock = clock or (lambda: asyncio.get_running_loop().time())
        self._rng = rng or random.Random()  # noqa: S311 - jitter
        self._unobserved = Unobserved(reports, self._newest, self._clock, fatal, self._end)
        self._fatal = fatal
        self._on_gone = on_gone
        self._on_pass = on_pass
        self._on_namespaces = on_namespaces
        self._entries: dict[Key, _Entry] = {}
        self._heap: list[tuple[float, int, Key]] = []
        self._tickets = 0
        self._places = Places(self._backoff.parallel)
        self._running: set[asyncio.Task[None]] = set()
        self._changed = asyncio.Event()
        self._doubt = asyncio.Event()  # a list has to show now whether the API server went back in time
        self._stopping = False
        self._failure: BaseException | None = None
        self._namespaces = Counter[str]()  # how many resources each has

    # --- what happens outside ------------------------------------------------------------------------------------

    def event(self, kind: str | None, body: Body) -> None:
        """Take an event of the watch: kind None (listed), ADDED, MODIFIED or DELETED."""
        key = key_of(body)
        entry = self._entries.get(key)
        if kind is None and entry is not None and older(body["metadata"]["resourceVersion"], entry.version):
            self._doubt.set()  # a write of a pass crossed the list, or etcd was restored: a list from now on shows it
        if kind == "DELETED":
            self.forget(key, body["metadata"]["uid"])
        else:
            self.wake(key, body, Trigger.EDIT)

    def wake(self, key: Key, body: Body | None, trigger: Trigger) -> None:
        """Something changed: a pass is due. Without a body the newest known one is used. Ignores an unknown resource.

        A body that is not newer than the known one, or differs only in what the operator writes itself (status, its
        finalizer and claim), causes no pass. That its finalizer or claim was removed does: another party did that. A
        wake during a pass causes exactly one more.
        """
        if body is not None:
            if not self._take(key, body):
                return
        elif key not in self._entries or self._entries[key].gone:
            return
        self._wake(self._entries[key], key, trigger)

    def written(self, key: Key, body: Body) -> None:
        """Take the body that a pass wrote: no later pass starts from an older one.

        If another party's edit came back with it, one more pass is due: the watch will not deliver it again.
        """
        entry = self._entries.get(key)
        if entry is not None and self._take(key, body, own=True):  # the pass itself may have removed the finalizer
            self._wake(entry, key, Trigger.EDIT)

    def forget(self, key: Key, uid: str | None = None) -> None:
        """Forget a resource that is gone. With `uid`, only if it is that one: another may have its name already."""
        entry = self._entries.get(key)
        if entry is None or entry.gone or (uid is not None and entry.uid != uid):
            return
        entry.gone = True
        if not entry.running:
            self._remove(key)

    def stop(self) -> None:
        """Start no more passes; `run()` ends when those that run have ended."""
        self._stopping = True
        self._changed.set()

    @property
    def depth(self) -> int:
        """How many resources are due and wait for a free place."""
        return self._places.depth

    @property
    def waiting(self) -> Mapping[str, int]:
        """How many resources are due and wait for a free place, by namespace."""
        return self._places.waiting

    def versions(self) -> dict[str, str]:
        """Return the known resourceVersions, by namespace and name."""
        return {str(key): entry.version for key, entry in self._entries.items()}

    @property
    def resources(self) -> int:
        """How many resources are known."""
        return len(self._entries)

    # --- the one task -------------------------------------------------------------------------------------------

    async def run(self, *, drain: float = 20.0) -> None:
        """Run passes until `stop()`, then wait up to `drain` seconds for the last ones. Cancelled, it waits for none.

        Raises:
            Exception: one of `fatal` that a pass or a list raised.

        """
        beside = [asyncio.create_task(self._relists()), asyncio.create_task(self._unobserved.sweep())]
        patience = 0.0
        try:
            while not self._stopping and self._failure is None:
                self._changed.clear()
                self._move_due()
                self._start_ready()
                pause = max(_SHORT_TICK, self._heap[0][0] - self._clock()) if self._heap else None
                timer = None if pause is None else asyncio.get_running_loop().call_later(pause, self._changed.set)
                await self._changed.wait()
                if timer is not None:
                    timer.cancel()
            patience = 0.0 if self._failure else drain
        finally:
            self._stopping = True
            for task in beside:
                task.cancel()
            await self._drain(patience)
        if self._failure is not None:
            raise self._failure

    async def _drain(self, seconds: float) -> None:
        try:
            if self._running:
                await asyncio.wait(self._running, timeout=seconds)
        finally:  # leadership can be lost while the last ones are waited for
            late = {task for task in self._running if not task.done()}
            for task in late:
                task.cancel()
            if late:
                _log.warning("reconciles were cut off; the next leader repeats them", extra={"passes": len(late)})
                await asyncio.wait(late, timeout=_CUT_SECONDS)

    def _move_due(self) -> None:
        now = self._clock()
        while self._heap and self._heap[0][0] <= now:
            _, ticket, key = heapq.heappop(self._heap)
            entry = self._entries.get(key)
            if entry is not None and entry.ticket == ticket and not entry.running and not entry.queued:
                entry.queued = True
                self._places.wait(key)

    def _start_ready(self) -> None:
        while (key := self._places.take()) is not None:
            entry = self._entries.get(key)
            if entry is None or not entry.queued:
                self._places.leave(key)
                continue
            entry.queued, entry.running = False, True
            task = asyncio.create_task(self._pass(key, entry), name=f"pass {key}")
            self._running.add(task)
            task.add_done_callback(partial(self._ended, key))

    def _ended(self, key: Key, task: asyncio.Task[None]) -> None:
        self._running.discard(task)
        self._places.leave(key)
        self._changed.set()

    async def _pass(self, key: Key, entry: _Entry) -> None:
        entry.started, entry.again = self._clock(), None
        trigger = entry.trigger
        planned = NextPass(0.0, failed=True)
        try:
            steady = await self._check_steady(key, entry.version) if self._check_steady is not None else None
            planned = steady or await self._whole_pass(key, entry, trigger)
            self._unobserved.ended(key, entry.started, planned.good_for)
        except self._fatal as error:
            self._failure = self._failure or error
        except Exception as error:
            name = type(error).__name__  # an exception's text may quote a value: it goes nowhere
            extra = {"resource": str(key), "error": name, "stack": stack(error)}
            _log.error("a reconcile failed unexpectedly", extra=extra)
            await self._unobserved.failed(key, name)
        finally:
            entry.running = False
            self._on_pass(key, trigger, planned, self._clock() - entry.started)
            if entry.gone:
                self._remove(key)
        if self._entries.get(key) is entry:
            self._plan(key, entry, planned)

    async def _whole_pass(self, key: Key, entry: _Entry, trigger: Trigger) -> NextPass:
        body = await self._body(key, entry)
        # Without a body it is gone, and the watch reports that soon.
        return NextPass(0.0, failed=True) if body is None else await self._run_pass(key, body, trigger)

    async def _body(self, key: Key, entry: _Entry) -> Body | None:
        if entry.packed is not None:
            return resource_bodies.unpacked(entry.packed)
        return await self._read(key) if self._read is not None else None

    async def _newest(self, key: Key) -> Body | None:
        entry = self._entries.get(key)
        return None if entry is None or entry.gone else await self._body(key, entry)

    def _end(self, error: Exception) -> None:
        self._failure = self._failure or error
        self._changed.set()

    def _plan(self, key: Key, entry: _Entry, planned: NextPass) -> None:
        repeats = planned.failed or planned.grows_to is not None
        entry.failures = entry.failures + 1 if repeats else 0
        delay = self._backoff.delay(planned, failures=entry.failures, first=not entry.passed, rng=self._rng)
        entry.passed = True
        due, trigger = self._clock() + delay, Trigger.RETRY if planned.failed else Trigger.CLOCK
        if _LONG <= delay < inf:
            due = ceil(due / _TICK) * _TICK
        if entry.again is not None:
            due, trigger = min(due, self._earliest(entry, entry.again)), entry.again
            entry.again = None
        self._push(key, entry, due, trigger)

    # --- the entries ---------------------------------------------------------------------------------------------

    def _take(self, key: Key, body: Body, *, own: bool = False) -> bool:
        """Keep the body if it is newer. Returns whether a pass is due because of it. `own`: a pass wrote it."""
        body = resource_bodies.lean(body)
        meta = body["metadata"]
        entry = self._entries.get(key)
        if entry is None or entry.gone:
            if entry is not None and entry.uid == meta["uid"]:
                return False  # an old event of the resource that is gone
            if entry is not None:
                entry.successor = resource_bodies.partial(body)  # the pass of the earlier resource ends first
                return False
            self._entries[key] = _Entry(
                resource_bodies.packed(body),
                meta["uid"],
                meta["resourceVersion"],
                0.0,
                Trigger.EDIT,
                fingerprint=fingerprint(body),
                marks=marks(body),
            )
            self._unobserved.discover(key)
            self._count(key.namespace, 1)
            return True
        if not newer(meta["resourceVersion"], entry.version):
            return False
        lost, entry.marks = entry.marks - marks(body), marks(body)
        entry.packed, entry.uid, entry.version = resource_bodies.packed(body), meta["uid"], meta["resourceVersion"]
        before, entry.fingerprint = entry.fingerprint, fingerprint(body)
        return before != entry.fingerprint or bool(lost - {names.FINALIZER} if own else lost)

    def _wake(self, entry: _Entry, key: Key, trigger: Trigger) -> None:
        if trigger == Trigger.EDIT:
            entry.failures = 0  # what follows from an edit is no repeat
        if entry.running:
            # An edit comes before the other triggers: it does not wait for the gap.
            entry.again = trigger if entry.again != Trigger.EDIT else entry.again
        elif not entry.queued:
            due = self._earliest(entry, trigger)
            if due < entry.due or entry.ticket == 0:
                self._push(key, entry, due, trigger)

    def _earliest(self, entry: _Entry, trigger: Trigger) -> float:
        now = self._clock()
        if trigger == Trigger.EDIT:
            return now
        gap = min(self._backoff.gap, self._backoff.rollout_gap) if trigger == Trigger.WORKLOAD else self._backoff.gap
        return max(now, entry.started + gap)

    def _push(self, key: Key, entry: _Entry, due: float, trigger: Trigger) -> None:
        self._tickets += 1
        entry.due, entry.trigger, entry.ticket = due, trigger, self._tickets
        if isinf(due):  # the next pass comes only when something changes
            return
        heapq.heappush(self._heap, (due, self._tickets, key))
        self._changed.set()

    def _remove(self, key: Key) -> None:
        entry = self._entries.pop(key, None)
        self._unobserved.forget(key)
        self._on_gone(key)
        if entry is not None and entry.successor is not None:
            self.wake(key, entry.successor, Trigger.EDIT)
        if entry is not None:
            self._count(key.namespace, -1)  # after the successor: a namespace that has one never goes

    def _count(self, namespace: str, change: int) -> None:
        before = self._namespaces[namespace]
        self._namespaces[namespace] += change
        if not self._namespaces[namespace]:
            del self._namespaces[namespace]
        if (before > 0) is not (namespace in self._namespaces):
            self._on_namespaces(set(self._namespaces))

    async def _relists(self) -> None:
        if self._relist is None:
            return
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(self._backoff.resync * self._backoff.jittered(self._rng)):
                    await self._doubt.wait()
            self._doubt.clear()
            try:
                await self._resync(self._relist())
            except self._fatal as error:
                self._end(error)
                return
            except Exception as error:
                _log.warning("the resync's list failed", extra={"error": type(error).__name__})

    async def _resync(self, pages: AsyncIterator[Snapshot]) -> None:
        """Take a list of all resources: it shows what the watch lost, deletions too. Wakes only what changed."""
        present: set[Key] = set()
        version = ""
        async for page in pages:
            version = version or page.resource_version  # the first list is the oldest
            for body in page.bodies:
                key = key_of(body)
                present.add(key)
                self.wake(key, body, Trigger.RESYNC)
        for key, entry in list(self._entries.items()):
            # A resource that is newer than the list was created after it.
            if key not in present and not newer(entry.version, version):
                self.forget(key)
