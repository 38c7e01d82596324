"""Runs one container: starts, probes, restarts with back-off and ends it, and reports its state."""

import asyncio
import contextlib
import datetime
import os
import signal
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from sandbox.pods.fields import MissingError
from sandbox.pods.probes import Probe
from sandbox.processes import Child, ProcessError

_STEADY_SECONDS = 600.0  # after so long a run the back-off starts again
_LONGEST_BACKOFF = 300.0

State = dict[str, Any]


def now() -> str:
    """Return the time as the API writes it."""
    return datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


class Launch:
    """How to start a container: argv, environment, log."""

    def __init__(self, argv: Sequence[str], env: Mapping[str, str], log: Path) -> None:
        self.argv = argv
        self.env = env
        self.log = log


class Container:
    """Runs a container until its restart policy or `end` ends it. `changed` is called at every change of state."""

    def __init__(
        self,
        spec: Mapping[str, Any],
        *,
        restarts: str,
        prepare: Callable[[], Launch],
        probes: Callable[["Container"], dict[str, Probe | None]],
        changed: Callable[[], None],
        event: Callable[[str, str, str], None],
        backoff_seconds: float,
        grace_seconds: float,
    ) -> None:
        """`restarts`: Always, OnFailure or Never. `prepare` raises MissingError while something is not there."""
        self.name: str = spec["name"]
        self.image: str = spec["image"]
        self.ready = False
        self.started = False
        self.restart_count = 0
        self.state: State = {"waiting": {"reason": "PodInitializing"}}
        self.last_state: State = {}
        self.finished: int | None = None
        self.child: Child | None = None
        self.woken = asyncio.Event()  # something it may wait for has changed
        self._restarts = restarts
        self._prepare = prepare
        self._probes = probes
        self._changed = changed
        self._event = event
        self._backoff_seconds = backoff_seconds
        self._grace_seconds = grace_seconds
        self._ending = False

    @property
    def container_id(self) -> str:
        """Return an id that changes with every start."""
        return f"sandbox://{self.name}-{self.child.pid}" if self.child else ""

    def status(self) -> State:
        """Return the containerStatus."""
        result: State = {
            "name": self.name,
            "image": self.image,
            "imageID": self.image,
            "ready": self.ready,
            "started": self.started,
            "restartCount": self.restart_count,
            "state": self.state,
        }
        if self.container_id:
            result["containerID"] = self.container_id
        if self.last_state:
            result["lastState"] = self.last_state
        return result

    async def run(self) -> int:
        """Run to the end. Returns the last exit code (128 + n for a signal n)."""
        backoff = self._backoff_seconds
        while True:
            begun = time.monotonic()
            code = await self._once()
            if self._ending or self._restarts == "Never" or (self._restarts == "OnFailure" and code == 0):
                self.finished = code
                self._changed()
                return code
            if time.monotonic() - begun > _STEADY_SECONDS:
                backoff = self._backoff_seconds
            self.last_state = self.state
            message = f"back-off {backoff:g}s restarting failed container={self.name}"
            self._wait("CrashLoopBackOff", message)
            self._event("Warning", "BackOff", message)
            await asyncio.sleep(backoff)
            backoff = min(backoff * 2, _LONGEST_BACKOFF)
            self.restart_count += 1

    async def end(self, grace_seconds: float) -> None:
        """Send SIGTERM, then SIGKILL after the grace period. `run` returns then; cancel it if it waits to start."""
        self._ending = True
        child = self.child
        if child is None or self.state.get("running") is None:
            return
        with contextlib.suppress(ProcessLookupError):
            os.kill(child.pid, signal.SIGTERM)
        try:
            async with asyncio.timeout(grace_seconds):
                await _ended(child.pid)
        except TimeoutError:
            child.kill()

    def kill(self) -> None:
        """Kill it."""
        self._ending = True
        if self.child is not None:
            self.child.kill()

    async def _once(self) -> int:
        launch = await self._launch()
        started_at = now()
        try:
            self.child = Child(launch.argv, launch.log, name=self.name, env=launch.env)
        except (ProcessError, OSError) as error:
            self._event("Warning", "Failed", f"Error: {error}")
            self.state = {"terminated": _terminated(127, started_at, "StartError")}
            self._changed()
            return 127
        child = self.child
        self.state = {"running": {"startedAt": started_at}}
        self._event("Normal", "Started", f"Started container {self.name}")
        probing = asyncio.create_task(self._probe())
        self._changed()
        try:
            await _ended(child.pid)
        except asyncio.CancelledError:
            child.kill()
            raise
        finally:
            probing.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await probing
        # The processes that it left behind end with it: no other process can have the id before it is reaped.
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(child.pid, signal.SIGKILL)
        returned = child.wait(10)
        code = 128 - returned if returned < 0 else returned
        self.ready = self.started = False
        self.state = {"terminated": _terminated(code, started_at, "Completed" if code == 0 else "Error")}
        self._changed()
        return code

    async def _launch(self) -> Launch:
        reported = ""
        while True:
            self.woken.clear()
            try:
                return self._prepare()
            except MissingError as error:
                self._wait("CreateContainerConfigError", str(error))
                if str(error) != reported:
                    reported = str(error)
                    self._event("Warning", "Failed", f"Error: {error}")
            await self.woken.wait()

    async def _probe(self) -> None:
        probes = self._probes(self)
        startup, liveness, readiness = (
            probes.get(kind) for kind in ("startupProbe", "livenessProbe", "readinessProbe")
        )
        if startup is not None and not await self._holds(startup):
            await self._replace("Startup")
            return
        self.started = True
        if readiness is None:
            self.ready = True
        self._changed()
        watching: list[Awaitable[None]] = []
        if liveness is not None:
            watching.append(self._live(liveness))
        if readiness is not None:
            watching.append(self._follow(readiness))
        await asyncio.gather(*watching)

    async def _holds(self, probe: Probe) -> bool:
        await asyncio.sleep(probe.initial_delay)
        for _ in range(probe.failures):
            if await probe.once():
                return True
            await asyncio.sleep(probe.period)
        return False

    async def _live(self, probe: Probe) -> None:
        await asyncio.sleep(probe.initial_delay)
        failed = 0
        while failed < probe.failures:
            failed = 0 if await probe.once() else failed + 1
            await asyncio.sleep(probe.period if failed < probe.failures else 0)
        await self._replace("Liveness")

    async def _follow(self, probe: Probe) -> None:
        await asyncio.sleep(probe.initial_delay)
        row, went_well = 0, False
        while True:
            result = await probe.once()
            row = row + 1 if result == went_well else 1
            went_well = result
            ready = self.ready
            if result and row >= probe.successes:
                ready = True
            elif not result and row >= probe.failures:
                ready = False
            if ready != self.ready:
                self.ready = ready
                if not ready:
                    self._event("Warning", "Unhealthy", "Readiness probe failed")
                self._changed()
            await asyncio.sleep(probe.period)

    async def _replace(self, what: str) -> None:
        self._event("Warning", "Unhealthy", f"{what} probe failed: container {self.name} will be restarted")
        if self.child is not None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.child.pid, signal.SIGTERM)
            await asyncio.sleep(self._grace_seconds)  # cancelled when it ends before
            self.child.kill()

    def _wait(self, reason: str, message: str) -> None:
        self.state = {"waiting": {"reason": reason, "message": message}}
        self._changed()


async def _ended(pid: int) -> None:
    """Wait until the child process has ended. It is not reaped."""
    loop = asyncio.get_running_loop()
    descriptor = os.pidfd_open(pid)
    ended: asyncio.Future[None] = loop.create_future()
    loop.add_reader(descriptor, _tell, ended)
    try:
        await ended
    finally:
        loop.remove_reader(descriptor)
        os.close(descriptor)


def _tell(ended: "asyncio.Future[None]") -> None:
    if not ended.done():
        ended.set_result(None)


def _terminated(code: int, started_at: str, reason: str) -> State:
    return {"exitCode": code, "reason": reason, "startedAt": started_at, "finishedAt": now()}
