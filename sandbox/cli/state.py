"""The state of a sandbox between commands: its directory, whether it runs, the addresses of its parts."""

import dataclasses
import fcntl
import json
import os
import re
import shlex
import shutil
import signal
import struct
import uuid
from pathlib import Path

from sandbox.cache import cache_dir
from sandbox.cluster import write_private
from sandbox.waiting import wait_for

_ROOT = Path(__file__).resolve().parents[2]
_NAME = re.compile(r"[a-z0-9]([a-z0-9-]{0,30}[a-z0-9])?")
_LOCK = "running.lock"
_FACTS = "sandbox.json"
_REQUEST = "operator-request.json"
_DOWN_SECONDS = 60.0  # the operator alone may take 30
_FLOCK = "hhqqi"  # struct flock of 64-bit Linux: type, whence, start, length, process id


class SandboxError(RuntimeError):
    """A command cannot run. The text says why and what to do."""


@dataclasses.dataclass(frozen=True)
class Facts:
    """The addresses of the parts of a running sandbox."""

    pid: int
    kubeconfig: str
    hosts_file: str
    ca_file: str
    azure: str  # the simulator's directory, for `Control.of`
    operator: bool
    operator_request: str = ""  # the last request about the operator that was followed


@dataclasses.dataclass(frozen=True)
class OperatorRequest:
    """A request to the supervisor about the operator: `stop`, `start` or `restart`."""

    identifier: str
    verb: str


class Sandbox:
    """The sandbox of one name. Its supervisor locks a file while it runs, so a stale file is never taken for a run."""

    def __init__(self, name: str) -> None:
        """Raise SandboxError if the name is invalid."""
        if not _NAME.fullmatch(name):
            raise SandboxError(f"{name!r} is no name for a sandbox: take lower-case letters, digits and hyphens")
        self.name = name
        self.directory = cache_dir() / "sandboxes" / name

    @classmethod
    def all(cls) -> list["Sandbox"]:
        """Return every sandbox that has a directory, by name."""
        found = (cache_dir() / "sandboxes").glob("*/")
        return [cls(path.name) for path in sorted(found) if _NAME.fullmatch(path.name)]

    @classmethod
    def running_ones(cls) -> list["Sandbox"]:
        """Return every sandbox that runs or is starting, by name."""
        return [one for one in cls.all() if one.running() is not None]

    @classmethod
    def only(cls) -> "Sandbox":
        """Return the one that runs. Raises SandboxError if none or several do."""
        running = cls.running_ones()
        if not running:
            start, tutorial = cls("default").command("up"), "make demo KEEP=1"
            raise SandboxError(f"no sandbox runs: start one with `{start}`, or with `{tutorial}` for the tutorial")
        if len(running) > 1:
            found = ", ".join(one.name for one in running)
            example = running[0].command("status")
            raise SandboxError(f"several sandboxes run ({found}): name one, for example `{example}`")
        return running[0]

    @property
    def log(self) -> Path:
        """Return the supervisor's output."""
        return self.directory / "sandbox.log"

    def hold(self) -> int | None:
        """Take the lock for the life of this process. Returns its descriptor, or None if another process has it."""
        self.directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        descriptor = os.open(self.directory / _LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.lockf(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(descriptor)
            return None
        return descriptor

    def running(self) -> int | None:
        """Return the supervisor's process id while it runs (it may still be starting)."""
        try:
            with (self.directory / _LOCK).open("rb") as lock:
                # Asking for the holder takes no lock, so it never gets in the way of one that starts.
                asked = struct.pack(_FLOCK, fcntl.F_WRLCK, os.SEEK_SET, 0, 0, 0)
                kind, *_, pid = struct.unpack(_FLOCK, fcntl.fcntl(lock, fcntl.F_GETLK, asked))
        except FileNotFoundError:
            return None
        return None if kind == fcntl.F_UNLCK else int(pid)

    def clear(self) -> None:
        """Remove the files of an earlier run. Only the owner of the lock may call it."""
        for path in self.directory.iterdir():
            if path.name in (_LOCK, self.log.name):
                continue
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            else:
                path.unlink()

    def facts(self) -> Facts | None:
        """Return the addresses of its parts, once it is up."""
        if self.running() is None:
            return None
        try:
            return Facts(**json.loads((self.directory / _FACTS).read_text()))
        except FileNotFoundError:
            return None

    @property
    def values(self) -> Path:
        """Return the values with which Helm installs the chart in a bare sandbox."""
        return self.directory / "helm-values.yaml"

    def must(self) -> Facts:
        """Return `facts`. Raises SandboxError if it is not up."""
        facts = self.facts()
        if facts is None:
            start = "make demo KEEP=1" if self.name == "demo" else self.command("up")
            raise SandboxError(f"the sandbox {self.name!r} does not run: start it in the repository with `{start}`")
        return facts

    def command(self, *arguments: str) -> str:
        """Return a command of sandbox.sh for this sandbox, to be copied into a shell in the present directory.

        It names the sandbox only where the command would not find it otherwise.
        """
        program = "./sandbox.sh" if Path.cwd() == _ROOT else shlex.quote(str(_ROOT / "sandbox.sh"))
        found = arguments[0] == "up" and self.name == "default"
        found = found or [one.name for one in self.running_ones()] == [self.name]
        return " ".join([program, *([] if found else ["--name", self.name]), *arguments])

    def request_operator(self, verb: str) -> OperatorRequest:
        """Record what the supervisor has to do with the operator. It follows within a second."""
        request = OperatorRequest(uuid.uuid4().hex, verb)
        write_private(self.directory / _REQUEST, json.dumps(dataclasses.asdict(request)))
        return request

    def operator_request(self) -> OperatorRequest | None:
        """Return the last request about the operator, if there is one."""
        try:
            return OperatorRequest(**json.loads((self.directory / _REQUEST).read_text()))
        except FileNotFoundError:
            return None

    def save(self, facts: Facts) -> None:
        """Record that it is up."""
        write_private(self.directory / _FACTS, json.dumps(dataclasses.asdict(facts)))

    def forget(self) -> None:
        """Record that it is not up."""
        (self.directory / _FACTS).unlink(missing_ok=True)

    def down(self) -> bool:
        """End it and wait until everything has ended. Returns whether it ran. Raises TimeoutError."""
        pid = self.running()
        if pid is None:
            return False
        # Holding the lock proves that this is our supervisor and not a stranger with its number.
        os.kill(pid, signal.SIGTERM)
        wait_for(lambda: self.running() is None, _DOWN_SECONDS, f"the sandbox {self.name!r} to end")
        return True
