"""A redis-server that can speak TLS: from PATH, else the distribution's package unpacked into the cache."""

import dataclasses
import functools
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from sandbox.ca import CertificateAuthority
from sandbox.debian import PackageError, is_unpacked, libraries, unpacked

_PACKAGE = "redis-server"
_TRIAL_SECONDS = 10


class RedisToolError(RuntimeError):
    """No redis-server with TLS is available here. The text says what to install."""


@dataclasses.dataclass(frozen=True)
class RedisTool:
    """A redis-server program and the environment variables it needs besides the usual."""

    program: Path
    environment: dict[str, str]


@functools.cache
def redis_tool() -> RedisTool:
    """Return a tested redis-server. Raises RedisToolError."""
    on_path = shutil.which("redis-server")
    tool = _on_path()
    if tool is not None:
        return tool
    try:
        home = unpacked(_PACKAGE)
    except PackageError as error:
        found = f"{on_path} was built without TLS" if on_path else "redis-server is not on PATH"
        raise RedisToolError(f"{found} and {error}: install a redis-server with TLS (Debian: {_PACKAGE}).") from error
    # /usr/bin/redis-server of the package is a link to redis-check-rdb, which is the same program under another name.
    tool = RedisTool(home / "usr/bin/redis-server", {"LD_LIBRARY_PATH": libraries(home)})
    if not _speaks_tls(tool):
        raise RedisToolError(f"the package {_PACKAGE} of this system has no TLS: put a redis-server that has on PATH.")
    return tool


def is_ready() -> bool:
    """Return whether `redis_tool` has nothing to fetch."""
    return is_unpacked(_PACKAGE) or _on_path() is not None


@functools.cache
def _on_path() -> RedisTool | None:
    found = shutil.which("redis-server")
    tool = RedisTool(Path(found), {}) if found else None
    return tool if tool is not None and _speaks_tls(tool) else None


def _speaks_tls(tool: RedisTool) -> bool:
    """Start it for a moment with a TLS port: a build without TLS refuses the option."""
    with tempfile.TemporaryDirectory(prefix="redis-trial-") as scratch:
        home = Path(scratch)
        certificate = CertificateAuthority.create_or_load(home / "ca").issue("localhost")
        # A socket that cannot be made: a server with TLS ends there, one without already at its options.
        options = ["--port", "0", "--tls-port", "0", "--tls-cert-file", str(certificate.cert_file)]
        options += ["--tls-key-file", str(certificate.key_file), "--tls-auth-clients", "no", "--save", ""]
        options += ["--unixsocket", str(home / "missing" / "socket")]
        try:
            tried = subprocess.run(
                [tool.program, *options],
                env={**os.environ, **tool.environment},
                cwd=home,
                capture_output=True,
                text=True,
                check=False,
                timeout=_TRIAL_SECONDS,
            )
        except (OSError, subprocess.TimeoutExpired):
            return False
    return "Unix socket" in tried.stdout + tried.stderr
