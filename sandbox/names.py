"""Made-up host names that resolve for chosen processes only. The machine's /etc/hosts is never changed.

A hosts file of our own is mounted over /etc/hosts in the process's own mount namespace. Where a system refuses
namespaces to ordinary users, Debian's libnss-wrapper does it with LD_PRELOAD instead.

`python -m sandbox.names HOSTS_FILE -- program argument…` runs one program so.
"""

import contextlib
import functools
import ipaddress
import json
import os
import re
import socket
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from sandbox import namespace
from sandbox.cache import locked
from sandbox.debian import PackageError, unpacked

_SYSTEM_HOSTS = Path("/etc/hosts")
_SYSTEM_SWITCH = Path("/etc/nsswitch.conf")
# Without comments: libnss-wrapper 1.1 reads them as entries, and then nothing.
_HEADER = "127.0.0.1 localhost\n::1 localhost ip6-localhost ip6-loopback\n"
_NAME = re.compile(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*")
_WRAPPER_LIBRARY = "libnss_wrapper.so"
_WRAPPED = "NSS_WRAPPER_HOSTS"


class NamesError(RuntimeError):
    """Made-up names cannot be resolved on this system. The text says what to install."""


class HostsFile:
    """A hosts(5) file that several processes may change. Names are kept in lower case; one address each."""

    def __init__(self, path: Path) -> None:
        """Use the file `path`. If missing, create it with localhost, this machine's name and /etc/hosts' entries."""
        self.path = path.absolute()
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self._locked():
            if not self.path.exists() or not self.path.stat().st_size:
                self._write(f"{_HEADER}127.0.0.1 {socket.gethostname()}\n{_system_lines()}")

    def set(self, name: str, address: str) -> None:
        """Resolve `name` to `address`. Raises ValueError if either is malformed."""
        name = name.lower().rstrip(".")
        if not _NAME.fullmatch(name):
            raise ValueError(f"not a host name: {name!r}")
        line = f"{ipaddress.ip_address(address)} {name}\n"
        with self._locked():
            text = self.path.read_text()
            if line in text.splitlines(keepends=True):
                return
            self._write(_without(text, name) + line)

    def remove(self, name: str) -> None:
        """Remove `name`, if it is there."""
        with self._locked():
            text = self.path.read_text()
            kept = _without(text, name.lower().rstrip("."))
            if kept != text:
                self._write(kept)

    def addresses(self) -> dict[str, str]:
        """Return every name of the file with its address."""
        fields = [line.split("#")[0].split() for line in self.path.read_text().splitlines()]
        return {name: parts[0] for parts in reversed(fields) for name in parts[1:]}

    def _locked(self) -> contextlib.AbstractContextManager[None]:
        return locked(self.path.with_name(f".{self.path.name}.lock"))

    def _write(self, text: str) -> None:
        # In place: a bind mount follows the inode. One write, then the cut: a reader never meets an empty file.
        descriptor = os.open(self.path, os.O_WRONLY | os.O_CREAT, 0o644)
        try:
            content = text.encode()
            os.pwrite(descriptor, content, 0)
            os.ftruncate(descriptor, len(content))
        finally:
            os.close(descriptor)


def enter(path: Path) -> None:
    """Make this process and its children resolve the names of the hosts file `path`.

    Call it while the process has one thread. Where namespaces are refused the process starts itself again under
    libnss-wrapper with the same arguments: so call it first, before output is captured. Raises NamesError.
    """
    if allowed():
        namespace.enter(_binds(path))
    elif os.environ.get(_WRAPPED) != str(path.absolute()):
        os.environ.update(_wrapper_environment(path))
        sys.stdout.flush()
        sys.stderr.flush()
        os.execv(sys.executable, sys.orig_argv)  # noqa: S606


def wrap(argv: Sequence[str | os.PathLike[str]], path: Path) -> list[str]:
    """Return a command that runs `argv` with the names of the hosts file `path`. Raises NamesError."""
    command = [os.fspath(part) for part in argv]
    if allowed():
        return [*launcher(_binds(path)), *command]
    return ["env", *(f"{name}={value}" for name, value in _wrapper_environment(path).items()), *command]


def ready() -> None:
    """Prepare what `enter` and `wrap` need here. Raises NamesError."""
    if not allowed():
        _wrapper_library()


def launcher(binds: Sequence[namespace.Bind], chdir: str | None = None, root: Path | None = None) -> list[str]:
    """Return the command prefix that runs a program in its own mount namespace; see `sandbox.namespace`."""
    plan = json.dumps({"binds": binds, "chdir": chdir, "root": None if root is None else str(root)})
    return [sys.executable, "-I", "-S", str(Path(namespace.__file__).absolute()), plan]


@functools.cache
def allowed() -> bool:
    """Return whether this user may create mount namespaces. A child process tries it once."""
    probe = [*launcher([(str(_SYSTEM_HOSTS), str(_SYSTEM_HOSTS), False)]), "true"]
    return subprocess.run(probe, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False).returncode == 0


def _binds(path: Path) -> list[namespace.Bind]:
    path = path.absolute()
    binds = [(str(path), str(_SYSTEM_HOSTS), False)]
    switch = _SYSTEM_SWITCH.read_text() if _SYSTEM_SWITCH.exists() else ""
    line = re.search(r"^hosts:\s*(\S+).*$", switch, re.MULTILINE)
    if line and line[1] != "files":
        # Another source first (systemd's `resolve` reads /etc/hosts outside of our namespace).
        ours = path.with_name("nsswitch.conf")
        ours.write_text(switch.replace(line[0], "hosts: files dns"))
        binds.append((str(ours), str(_SYSTEM_SWITCH), False))
    return binds


def _wrapper_library() -> Path:
    try:
        return next(unpacked("libnss-wrapper").rglob(_WRAPPER_LIBRARY))
    except (PackageError, StopIteration) as error:
        raise NamesError(
            "This system gives ordinary users no mount namespaces: install the package libnss-wrapper, or run as root."
        ) from error


def _wrapper_environment(path: Path) -> dict[str, str]:
    library = _wrapper_library()
    preload = f"{library}:{os.environ['LD_PRELOAD']}" if os.environ.get("LD_PRELOAD") else str(library)
    return {"LD_PRELOAD": preload, _WRAPPED: str(path.absolute())}


def _system_lines() -> str:
    try:
        text = _SYSTEM_HOSTS.read_text()
    except OSError:
        return ""
    lines = [line.split("#")[0].split() for line in text.splitlines()]
    return "".join(f"{' '.join(parts)}\n" for parts in lines if len(parts) > 1 and "localhost" not in parts)


def _without(text: str, name: str) -> str:
    return "".join(line for line in text.splitlines(keepends=True) if line.split("#")[0].split()[1:] != [name])


def main(arguments: Sequence[str]) -> None:
    """Run one program with the names of a hosts file."""
    if len(arguments) < 3 or arguments[1] != "--":
        sys.exit("usage: python -m sandbox.names HOSTS_FILE -- program argument…")
    command = wrap(arguments[2:], Path(arguments[0]))
    os.execvp(command[0], command)  # noqa: S606


if __name__ == "__main__":
    main(sys.argv[1:])
