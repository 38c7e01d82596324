"""The demo's sandbox as a process: starts with the demo, reports its progress, and ends with it."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Protocol

from sandbox.chart.render import ROOT
from sandbox.cli.state import Facts, Sandbox
from sandbox.demo.story import DemoError, Story
from sandbox.processes import Child
from sandbox.waiting import wait_for

_UP_SECONDS = 180.0
_END_SECONDS = 30.0
_LOG_LINES = 15
_LOG_COLUMNS = 400  # a line of the operator's JSON log may be longer than anyone reads
# What is there once a part runs, in the order in which the supervisor starts them.
_MILESTONES = (
    ("Kubernetes: etcd, API server, controller manager, scheduler", "controlplane/cluster.json"),
    ("Azure (simulated): Entra, Resource Manager, Key Vault, over TLS", "azure/azure.json"),
    ("pods: a kubelet stand-in that runs them as local processes", "pods/ready"),
    ("the operator, with the permissions that the chart gives it and no others", "sandbox.json"),
)


class _Process(Protocol):
    @property
    def returncode(self) -> int | None:
        """Return the exit code, or None while it runs."""

    def terminate(self, timeout: float) -> int:
        """Send SIGTERM and wait."""


class _Detached:
    """A supervisor that outlives the demo."""

    def __init__(self, argv: Sequence[str], log: Path, environment: Mapping[str, str]) -> None:
        with log.open("ab") as sink:
            self._process = subprocess.Popen(
                argv,
                stdin=subprocess.DEVNULL,
                stdout=sink,
                stderr=subprocess.STDOUT,
                env=dict(environment),
                start_new_session=True,
            )

    @property
    def returncode(self) -> int | None:
        return self._process.poll()

    def terminate(self, timeout: float) -> int:
        if self._process.poll() is None:
            self._process.terminate()
            try:
                return self._process.wait(timeout)
            except subprocess.TimeoutExpired:
                self._process.kill()  # its parts end with it
        return self._process.wait()


@contextlib.contextmanager
def running(sandbox: Sandbox, story: Story, *, keep: bool) -> Iterator[Facts]:
    """Start the sandbox with the operator, report its progress, and end it with the block.

    `keep`: it stays if the block ends well. Raises DemoError if it does not start, or runs already.
    """
    if sandbox.running():
        raise DemoError(
            f"the sandbox {sandbox.name!r} runs already (kept by KEEP=1, or another demo). End it first: "
            f"{sandbox.command('down')}"
        )
    sandbox.directory.mkdir(parents=True, exist_ok=True, mode=0o700)
    sandbox.forget()
    for _, path in _MILESTONES:
        (sandbox.directory / path).unlink(missing_ok=True)  # of a run that was killed
    sandbox.log.unlink(missing_ok=True)
    argv = [sys.executable, "-m", "sandbox.cli.supervisor", "--name", sandbox.name, "--operator"]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT / "operator"), str(ROOT)])}
    process: _Process
    if keep:
        process = _Detached(argv, sandbox.log, environment)
    else:
        process = Child(argv, sandbox.log, name="sandbox", env=environment)  # ends with us even if we are killed
    kept = False
    try:
        _tell_start(sandbox, story, process)
        yield wait_for(sandbox.facts, _END_SECONDS, "the sandbox's description")
        kept = keep
    finally:
        if not kept:
            # A second Ctrl-C must not leave half of it running.
            with _ignoring(signal.SIGINT, signal.SIGTERM):
                process.terminate(_END_SECONDS)


def _tell_start(sandbox: Sandbox, story: Story, process: _Process) -> None:
    begun = time.monotonic()
    for text, path in _MILESTONES:

        def there(path: str = path) -> bool:
            if process.returncode is not None:
                end = "\n".join(sandbox.log.read_text(errors="replace").splitlines()[-_LOG_LINES:])
                raise DemoError(f"the sandbox did not start; it said:\n{end}")
            return (sandbox.directory / path).exists() or sandbox.facts() is not None

        try:
            wait_for(there, _UP_SECONDS, text)
        except TimeoutError:
            raise DemoError(f"not up after {_UP_SECONDS:g} s: {text}; see {sandbox.log}") from None
        if (sandbox.directory / path).exists():  # there are no pods where namespaces are refused
            story.note(f"{time.monotonic() - begun:5.1f} s  {text}")


def operator_log_tail(sandbox: Sandbox) -> str:
    """Return the last lines of the operator's log, cut to a readable width. Empty if there is none."""
    try:
        lines = (sandbox.directory / "operator.log").read_text(errors="replace").splitlines()
    except FileNotFoundError:
        return ""
    return "\n".join(line[:_LOG_COLUMNS] for line in lines[-_LOG_LINES:])


@contextlib.contextmanager
def _ignoring(*numbers: signal.Signals) -> Iterator[None]:
    before = [signal.signal(number, signal.SIG_IGN) for number in numbers]
    try:
        yield
    finally:
        for number, handler in zip(numbers, before, strict=True):
            signal.signal(number, handler)
