"""Python programs whose needs do not go with the project's own, each installed once into the cache."""

import hashlib
import subprocess
import sys
import venv
from pathlib import Path

from sandbox.cache import cache_dir, locked, step

_REQUIREMENTS = Path(__file__).resolve().parents[1] / "requirements"
_COMPLETE = ".complete"


class EnvironmentFailedError(RuntimeError):
    """The program cannot be installed; the text is what pip said."""


def environment(name: str) -> Path:
    """The virtual environment of what `requirements/<name>.txt` pins, made first if need be.

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
