"""The cache of built and fetched programs: outside the repository, kept between runs, shared by processes."""

import contextlib
import fcntl
import os
import sys
from collections.abc import Iterator
from pathlib import Path

NAME = "secure-redis-operator"


def cache_dir() -> Path:
    """Return the cache directory, created if missing; the same rule as in `scripts/bootstrap`.

    `SECURE_REDIS_CACHE`, else `XDG_CACHE_HOME`/secure-redis-operator, else ~/.cache/secure-redis-operator.
    """
    chosen = os.environ.get("SECURE_REDIS_CACHE")
    if chosen:
        path = Path(chosen).expanduser().absolute()
    else:
        base = os.environ.get("XDG_CACHE_HOME")
        path = (Path(base) if base else Path.home() / ".cache") / NAME
    path.mkdir(parents=True, exist_ok=True)
    return path


def progress(message: str) -> None:
    """Print one line to stderr about a long step."""
    print(f"sandbox: {message}", file=sys.stderr, flush=True)


@contextlib.contextmanager
def locked(path: Path, waiting: str | None = None) -> Iterator[None]:
    """Lock the file `path` exclusively. The kernel releases the lock when this process ends.

    `waiting` is printed as progress when another process holds the lock.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if waiting:
                progress(waiting)
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield
