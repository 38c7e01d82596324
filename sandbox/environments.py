"""Python programs whose requirements conflict with the project's, each installed once into the cache."""

import hashlib
import subprocess
import sys
import venv
from pathlib import Path

from sandbox.cache import cache_dir, locked
from sandbox.plan import step
from sandbox.registries import PYPI, way_out

_REQUIREMENTS = Path(__file__).resolve().parents[1] / "requirements"
_COMPLETE = ".complete"


class EnvironmentFailedError(RuntimeError):
    """The program cannot be installed. The text is pip's output."""


def environment(name: str) -> Path:
    """Return the virtual environment of `requirements/<name>.txt`, created first if needed.

    Raises EnvironmentFailedError.
    """
    home = _home(name)
    if is_installed(name):
        return home
    with locked(cache_dir() / f"{name}.lock", f"waiting for another process to install {name}"):
        if not (home / _COMPLETE).exists():
            with step(f"installing {name}", 120):
                venv.create(home, clear=True, with_pip=True)
                install = [str(home / "bin" / "python"), "-m", "pip", "install", "--quiet", "--require-hashes"]
                install += ["--disable-pip-version-check", "-r", str(_requirements(name))]
                done = subprocess.run(install, capture_output=True, text=True, check=False)
            if done.returncode != 0:
                raise EnvironmentFailedError(way_out(f"{name} could not be installed:\n{done.stderr[-2000:]}", PYPI))
            (home / _COMPLETE).touch()
    return home


def is_installed(name: str) -> bool:
    """Return whether `environment` has nothing to do."""
    return (_home(name) / _COMPLETE).exists()


def _requirements(name: str) -> Path:
    return _REQUIREMENTS / f"{name}.txt"


def _home(name: str) -> Path:
    digest = hashlib.sha256(_requirements(name).read_bytes()).hexdigest()[:12]
    version = ".".join(map(str, sys.version_info[:3]))
    return cache_dir() / f"{name}-{version}-{digest}"
