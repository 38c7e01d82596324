"""Child processes with a log file. They are ended by process id and end when the parent is killed."""

import os
import shutil
import signal
import subprocess
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

# PR_SET_PDEATHSIG fires when the *thread* that forked ends, not the process (prctl(2)). So every child is forked by
# this one thread, which lives as long as the interpreter.
_forker = ThreadPoolExecutor(max_workers=1, thread_name_prefix="forker")


class ProcessError(RuntimeError):
    """A child process could not start, or ended too early."""


class Child:
    """A running child process in its own session, so that Ctrl-C reaches only the parent, which ends it in order."""

    def __init__(
        self,
        argv: Sequence[str | os.PathLike[str]],
        log: Path,
        *,
        name: str | None = None,
        env: Mapping[str, str] | None = None,
        cwd: Path | None = None,
        pass_fds: Sequence[int] = (),
    ) -> None:
        """Start `argv`, appending its stdout and stderr to `log`. `env` replaces the environment if given.

        Raises ProcessError if the program does not exist or this system cannot tie it to our own life.
        """
        self.name = name or Path(argv[0]).name
        self.log = log
        setpriv = shutil.which("setpriv")
        if setpriv is None:
            raise ProcessError("`setpriv` is not on PATH: install the package util-linux")
        program = shutil.which(argv[0])
        if program is None:
            raise ProcessError(f"{self.name}: no program {os.fspath(argv[0])}")
        # If we die before setpriv has asked for the signal, it is never sent: hence the check of the parent after it.
        guard = ["sh", "-c", '[ "$PPID" = "$0" ] && exec "$@"', str(os.getpid())]
        command = [setpriv, "--pdeathsig", "KILL", "--", *guard, program, *(os.fspath(part) for part in argv[1:])]
        log.parent.mkdir(parents=True, exist_ok=True)

        def fork() -> subprocess.Popen[bytes]:
            with log.open("ab") as sink:
                return subprocess.Popen(
                    command,
                    stdin=subprocess.DEVNULL,
                    stdout=sink,
                    stderr=subprocess.STDOUT,
                    env=None if env is None else dict(env),
                    cwd=cwd,
                    start_new_session=True,
                    pass_fds=pass_fds,
                )

        self._process = _forker.submit(fork).result()

    @property
    def pid(self) -> int:
        """Return the process id; also that of its process group."""
        return self._process.pid

    @property
    def returncode(self) -> int | None:
        """Return the exit code: None while it runs, negative for the signal that ended it."""
        return self._process.poll()

    @property
    def alive(self) -> bool:
        """Return whether it still runs."""
        return self._process.poll() is None

    def check(self) -> None:
        """Raise ProcessError with the end of the log if it has ended."""
        if not self.alive:
            raise ProcessError(f"{self.name} ended with code {self.returncode}; end of {self.log}:\n{self.tail()}")

    def tail(self, lines: int = 20) -> str:
        """Return the last lines of its log."""
        try:
            return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])
        except FileNotFoundError:
            return "(no log)"

    def kill(self) -> None:
        """Kill it and its process group, and wait until it is gone. Does nothing if it has ended."""
        self._signal(signal.SIGKILL)
        self._process.wait()

    def terminate(self, timeout: float = 10) -> int:
        """Send SIGTERM, and kill it after `timeout` seconds. Returns its exit code."""
        if self.alive:
            self._process.terminate()
            try:
                self._process.wait(timeout)
            except subprocess.TimeoutExpired:
                self.kill()
        return self._process.wait()

    def wait(self, timeout: float) -> int:
        """Return its exit code. Raises TimeoutError if it still runs after `timeout` seconds."""
        try:
            return self._process.wait(timeout)
        except subprocess.TimeoutExpired:
            raise TimeoutError(f"{self.name} (pid {self.pid}) still runs after {timeout:g} s") from None

    def _signal(self, number: signal.Signals) -> None:
        # An ended child that is not yet reaped keeps its id, so this cannot hit a stranger.
        if self._process.returncode is None:
            try:
                os.killpg(self._process.pid, number)
            except ProcessLookupError:
                self._process.send_signal(number)


def kill_all(children: Sequence[Child]) -> None:
    """Kill the children, the last started first, and wait for each."""
    for child in reversed(children):
        child.kill()
