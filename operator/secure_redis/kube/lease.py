"""Elect the replica that acts, by a Lease and a clock that also runs while the process is frozen.

Why neither kopf's peering nor the client's elector: both let a frozen or cut-off leader act
(docs/internals/kubernetes-facts.md#leader-election).
"""

import asyncio
import logging
import random
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from secure_redis.kube import paths
from secure_redis.kube.client import ApiFailure, KubeClient
from secure_redis.kube.history import older

_log = logging.getLogger(__name__)

_STALL_DURATIONS = 4


class LeadershipLost(Exception):
    """The process may not write any more. It must end: only a new process is in a known state."""


def boot_time() -> float:
    """Return seconds of a clock that counts suspension too: a frozen virtual machine wakes up past its deadline."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


@dataclass(frozen=True, slots=True)
class LeaseSettings:
    """The times of a Lease in seconds.

    A leader stops acting `renew_deadline` after the start of its last successful renewal, which is before `duration`,
    when others may take over.
    """

    namespace: str
    name: str = "secure-redis-operator"
    duration: int = 15
    renew_deadline: float = 10.0
    retry: float = 2.0

    @property
    def install(self) -> str:
        """The name that distinguishes the installs of the operator in a cluster."""
        return f"{self.namespace}/{self.name}"

    @property
    def longest_stall(self) -> float:
        """Seconds for which the passes' event loop may be blocked before the process gives up leadership.

        60 s with the shipped duration. That is as long as the kubelet waits before it restarts a pod that does not
        answer (the chart's livenessProbe). It is many times what bounded work takes on a slow machine. Until then the
        fence is as strict as ever: a leader that renews is the leader, however slow its passes are.
        """
        return float(_STALL_DURATIONS * self.duration)

    def __post_init__(self) -> None:
        if not 0 < self.retry < self.renew_deadline < self.duration:
            raise ValueError("a lease needs retry < renewDeadline < leaseDuration")


class Elector:
    """Takes, holds and gives back a Lease. `client` is its own, so that kopf's end does not take it away.

    It runs in an event loop of its own (`LeaseThread`), where nothing else delays a renewal. `check` and `leading` are
    for any thread. `lag`: how late the loop is that the Lease is held for, in seconds.
    """

    def __init__(
        self,
        client: KubeClient,
        identity: str,
        settings: LeaseSettings,
        *,
        clock: Callable[[], float] = boot_time,
        on_change: Callable[[bool], None] | None = None,
        lag: Callable[[], float] = lambda: 0.0,
    ) -> None:
        self._client = client
        self._identity = identity
        self._settings = settings
        self._clock = clock
        self._on_change = on_change or (lambda _: None)
        self._lag = lag
        self._deadline = float("-inf")
        self._lost = False
        self._record: Mapping[str, Any] | None = None
        self._observed: tuple[str, float] = (
            "",
            float("-inf"),
        )  # the rival's version and when this process saw it change
        # The annotations when the Lease was taken (None: there was none), and those from then on.
        self.recorded: Mapping[str, str] | None = None
        self.annotations: Callable[[], Mapping[str, str]] = dict

    @property
    def leading(self) -> bool:
        """Whether this process may act now."""
        return not self._lost and self._clock() < self._deadline

    def check(self) -> None:
        """The fence before each write.

        Raises:
            LeadershipLost: the deadline has passed (by the boot-time clock) or a rival holds the Lease.

        """
        if not self.leading:
            raise LeadershipLost("the lease's deadline has passed")

    async def acquire(self) -> None:
        """Wait until this process holds the Lease. API failures do not raise: it tries again."""
        while True:
            started = self._clock()
            try:
                async with asyncio.timeout(self._settings.renew_deadline / 2):
                    # A process whose passes would not run leaves the Lease to another one.
                    if self._lag() < self._settings.renew_deadline and await self._take(started):
                        _log.info("leading", extra={"lease": self._settings.name})
                        self._on_change(True)
                        return
            except ApiFailure as failure:
                level = logging.WARNING if failure.status == 403 else logging.INFO
                _log.log(level, "the lease was not taken", extra={"why": failure.message})
            except TimeoutError:
                _log.info("the lease was not taken in time")
            await asyncio.sleep(self._settings.retry * random.uniform(1.0, 1.2))  # noqa: S311 - jitter

    async def hold(self) -> None:
        """Renew until leadership is lost, then return. Before `acquire` it returns immediately."""
        try:
            while self.leading:
                # A frozen process wakes up here, past its deadline: the attempt is then cut off immediately.
                await asyncio.sleep(min(self._settings.retry, max(0.0, self._deadline - self._clock())))
                if not await self._renew_once():
                    return
        finally:
            if not self.leading:
                self._lost = True
                self._on_change(False)
                _log.error("leadership lost", extra={"lease": self._settings.name})

    async def release(self) -> None:
        """Give the Lease back immediately, so that the next replica need not wait. Failures are logged: it expires."""
        record, self._record = self._record, None
        was_leading = self.leading
        self._deadline = float("-inf")
        if record is None or not was_leading:
            return
        self._on_change(False)
        body = _with(self._annotated(record), holderIdentity="", leaseDurationSeconds=1)
        try:
            async with asyncio.timeout(self._settings.retry * 2):
                await self._client.replace(self._path, body)
        except (ApiFailure, TimeoutError) as error:
            _log.info("the lease was not given back and will expire", extra={"why": str(error)})

    async def close(self) -> None:
        """Close the client."""
        await self._client.close()

    @property
    def _path(self) -> str:
        return paths.lease(self._settings.namespace, self._settings.name)

    async def _renew_once(self) -> bool:
        """Try once, until the deadline at most.

        False: a rival holds the Lease, the API server went back in time, or nothing runs for which it could be held.
        """
        started = self._clock()
        if started >= self._deadline:
            return False
        if self._lag() >= self._settings.longest_stall:
            _log.error("the lease is not renewed: the event loop is blocked")
            self._lost = True
            return False
        try:
            async with asyncio.timeout(self._deadline - started):
                if await self._take(started):
                    return True
        except ApiFailure as failure:
            _log.warning("the lease was not renewed", extra={"why": failure.message})
            return True  # tried again until the deadline
        except TimeoutError:
            return False
        self._lost = True
        return False

    async def _take(self, started: float) -> bool:
        """Read and write the record. The deadline counts from `started`, before the request: never too long."""
        try:
            current = await self._client.get(self._path)
        except ApiFailure as failure:
            if failure.status != 404:
                raise
            body = {
                "apiVersion": "coordination.k8s.io/v1",
                "kind": "Lease",
                "metadata": {"name": self._settings.name, "namespace": self._settings.namespace},
                "spec": self._spec(None),
            }
            return await self._write(started, lambda: self._client.create(self._collection, body))
        if self._rewritten(current) or not self._free(current):
            return False
        if not self.leading:
            self.recorded = dict(current["metadata"].get("annotations") or {})
        body = {**self._annotated(current), "spec": self._spec(current)}
        return await self._write(started, lambda: self._client.replace(self._path, body))

    @property
    def _collection(self) -> str:
        return paths.leases(self._settings.namespace)

    async def _write(self, started: float, write: Callable[[], Any]) -> bool:
        try:
            written = await write()
        except ApiFailure as failure:
            if failure.status != 409:
                raise
            return await self._lost_race()
        if self._rewritten(written):
            return False
        self._record = written
        self._deadline = started + self._settings.renew_deadline
        return True

    async def _lost_race(self) -> bool:
        """Handle a conflict: if a rival's name is in the record, the Lease is lost; else it is tried again."""
        current = await self._client.get(self._path)
        if not self._free(current):
            return False
        raise ApiFailure(409, "Conflict", "the lease changed while it was written")

    def _rewritten(self, current: Mapping[str, Any]) -> bool:
        """Whether the Lease is older than this process's own last write: etcd was restored from a backup."""
        if self._record is None:
            return False
        rewritten = older(current["metadata"]["resourceVersion"], self._record["metadata"]["resourceVersion"])
        if rewritten:
            _log.error("the API server's data are older than what was observed; ending", extra={"where": self._path})
        return rewritten

    def _free(self, current: Mapping[str, Any]) -> bool:
        """Whether the Lease is free: this process's, released, or a rival's that did not change for its whole duration.

        The rival's wall clock does not count: only the time between two reads of this process.
        """
        spec = current.get("spec") or {}
        holder = spec.get("holderIdentity") or ""
        if holder in ("", self._identity):
            return True
        now = self._clock()
        version = current["metadata"]["resourceVersion"]
        if version != self._observed[0]:
            self._observed = (version, now)
            return False
        return now - self._observed[1] >= float(spec.get("leaseDurationSeconds") or self._settings.duration)

    def _annotated(self, record: Mapping[str, Any]) -> dict[str, Any]:
        carried = {**(record["metadata"].get("annotations") or {}), **self.annotations()}
        return {**record, "metadata": {**record["metadata"], **({"annotations": carried} if carried else {})}}

    def _spec(self, current: Mapping[str, Any] | None) -> dict[str, Any]:
        before = (current or {}).get("spec") or {}
        now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        same = before.get("holderIdentity") == self._identity
        transitions = int(before.get("leaseTransitions") or 0)
        return {
            "holderIdentity": self._identity,
            "leaseDurationSeconds": self._settings.duration,
            "acquireTime": before.get("acquireTime") if same else now,
            "renewTime": now,
            "leaseTransitions": transitions if same or not before else transitions + 1,
        }


def _with(record: Mapping[str, Any], **changes: Any) -> dict[str, Any]:
    return {**record, "spec": {**(record.get("spec") or {}), **changes}}
