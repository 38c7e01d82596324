"""Python programs whose requirements conflict with the project's, each installed once into the cache."""

import hashlib
import subprocess
import sys
import venv
from pathlib import Path

from sandbox.cache import cache_dir, locked, step

_REQUIREMENTS = Path(__file__).resolve().parents[1] / "requirements"
_COMPLETE = ".complete"


class EnvironmentFailedError(RuntimeError):
    """The program cannot be installed. The text is pip's output."""


def environment(name: str) -> Path:
    """Return the virtual environment of `requirements/<name>.txt`, created first if needed.

    Raises EnvironmentFailedError.
    """
    requirements = _REQUIREMENTS / f"{name}.txt"
    digest = hashlib.sha256(requirements.read_bytes()).hexdigest()[:12]
    version = ".".join(map(str, sys.version_info[:3]))
    home = cache_dir() / f"{name}-{version}-{digest}"
    if (home / _COMPLETE).exists():
        return home
    with locked(cache_dir() / f"{name}.lock", f"waiting for another process to install {name}"):
        if not (home / _COMPLETE).exists():
            with step(f"installing {name} (once, a few minutes)"):
                venv.create(home, clear=True, with_pip=True)
                install = [str(home / "bin" / "python"), "-m", "pip", "install", "--quiet", "--require-hashes"]
                install += ["--disable-pip-version-check", "-r", str(requirements)]
                done = subprocess.run(install, capture_output=True, text=True, check=False)
            if done.returncode != 0:
                raise EnvironmentFailedError(f"{name} could not be installed:\n{done.stderr[-2000:]}")
            (home / _COMPLETE).touch()
    return home
