"""A process's own view of the file system: a mount namespace in which some files are replaced by others.

Uses the standard library only, so that `python -I -S namespace.py` starts fast as the first step of a child process:

    namespace.py '{"binds": [[source, target, read_only]], "chdir": null, "root": null}' program argument…

With `root` (an empty directory) targets need not exist: the process gets a root directory that looks like the
machine's, with mount points for them.
"""

# ruff: noqa: PTH102, PTH103, PTH112, PTH115, PTH120, PTH211 (pathlib costs start time)
import ctypes
import json
import os
import sys
from collections.abc import Iterable

# <sched.h>, <sys/mount.h>. `os.unshare` came with Python 3.12.
_CLONE_NEWNS = 0x00020000
_CLONE_NEWUSER = 0x10000000
_MS_RDONLY = 0x1
_MS_REMOUNT = 0x20
_MS_BIND = 0x1000
_MS_REC = 0x4000
_MS_UNBINDABLE = 0x20000
_MS_PRIVATE = 0x40000
_KEPT_FLAGS = {"nosuid": 0x2, "nodev": 0x4, "noexec": 0x8, "noatime": 0x400, "nodiratime": 0x800, "relatime": 0x200000}

Bind = tuple[str, str, bool]


class NamespaceRefusedError(OSError):
    """The system does not allow this user a mount namespace."""


def enter(binds: Iterable[Bind], root: str | None = None) -> None:
    """Move this process (with one thread) into its own mount namespace with `binds`: (source, target, read only).

    `root`: see above; the process sees only copies of the machine's mounts then, still writable where they were.

    Not root: also into a user namespace in which it keeps its user and group. Nothing outside changes, and nothing
    outside shows up later inside. Raises NamespaceRefusedError; the process may be half-way then, so try it in a
    child first (`allowed` in `sandbox.names`).
    """
    libc = ctypes.CDLL(None, use_errno=True)
    user, group = os.geteuid(), os.getegid()
    if libc.unshare(_CLONE_NEWNS) != 0:
        if libc.unshare(_CLONE_NEWNS | _CLONE_NEWUSER) != 0:
            raise _refused("unshare")
        for name, text in (("setgroups", "deny"), ("uid_map", f"{user} {user} 1"), ("gid_map", f"{group} {group} 1")):
            with open(f"/proc/self/{name}", "w") as file:  # noqa: PTH123 (pathlib costs start time)
                file.write(text)
    _mount(libc, None, "/", _MS_REC | _MS_PRIVATE)
    binds = [(source, os.path.realpath(target), read_only) for source, target, read_only in binds]
    if root is not None:
        _mount(libc, "tmpfs", root, 0, "tmpfs")
        _mount(libc, None, root, _MS_UNBINDABLE)  # else a copy of the machine's root would hold itself
        points = {target: os.path.isdir(source) for source, target, _ in binds}
        _copy_root(libc, "/", root, points)
    for source, target, read_only in binds:
        target = (root or "") + target
        _mount(libc, source, target, _MS_BIND | _MS_REC)
        if read_only:
            # A remount may not drop flags that the file system has (mount_namespaces(7), locked flags).
            _mount(libc, None, target, _MS_REMOUNT | _MS_BIND | _MS_RDONLY | _flags_of(target))

    if root is not None:
        os.chroot(root)
        os.chdir("/")


def _copy_root(libc: ctypes.CDLL, host: str, copy: str, points: dict[str, bool]) -> None:
    """Fill the directory `copy` with the entries of `host` and the missing mount `points` (target: is a directory)."""
    for entry in os.scandir(host):
        here = f"{copy}/{entry.name}"
        inner = {target: kind for target, kind in points.items() if target.startswith(entry.path + "/")}
        if entry.is_symlink():
            os.symlink(os.readlink(entry.path), here)
        elif not entry.is_dir():
            _touch(here)
            _mount(libc, entry.path, here, _MS_BIND)
        else:
            os.mkdir(here)
            if all(os.path.lexists(target) for target in inner):
                _mount(libc, entry.path, here, _MS_BIND | _MS_REC)
            else:
                _copy_root(libc, entry.path, here, inner)
    for target, is_directory in points.items():
        here = f"{copy}/{os.path.relpath(target, host)}"
        if not os.path.lexists(here):
            os.makedirs(here if is_directory else os.path.dirname(here), exist_ok=True)
            if not is_directory:
                _touch(here)


def _touch(path: str) -> None:
    os.close(os.open(path, os.O_CREAT | os.O_WRONLY, 0o644))


def _flags_of(target: str) -> int:
    options: list[str] = []
    with open("/proc/self/mountinfo") as table:  # noqa: PTH123
        for line in table:
            fields = line.split()
            if fields[4].replace("\\040", " ") == target:
                options = fields[5].split(",")
    return sum(value for name, value in _KEPT_FLAGS.items() if name in options)


def _mount(libc: ctypes.CDLL, source: str | None, target: str, flags: int, kind: str | None = None) -> None:
    what, type_ = (text.encode() if text else None for text in (source, kind))
    arguments = (what, target.encode(), type_, ctypes.c_ulong(flags), None)
    if libc.mount(*arguments) != 0:
        raise _refused(f"mount {source or ''} on {target}")


def _refused(what: str) -> NamespaceRefusedError:
    number = ctypes.get_errno()
    return NamespaceRefusedError(number, f"{what}: {os.strerror(number)}")


def main(arguments: list[str]) -> None:
    """Enter the namespace that the first argument (JSON) describes and become the program that follows."""
    plan = json.loads(arguments[0])
    program = arguments[1:]
    try:
        enter([tuple(bind) for bind in plan["binds"]], plan.get("root"))
        if plan.get("chdir"):
            os.chdir(plan["chdir"])
        os.execvp(program[0], program)  # noqa: S606
    except OSError as error:
        print(f"sandbox: {program[0]} cannot start: {error}", file=sys.stderr)
        sys.exit(126 if isinstance(error, NamespaceRefusedError) else 127)


if __name__ == "__main__":
    main(sys.argv[1:])
