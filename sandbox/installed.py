"""Programs of a control plane that this machine has already, such as the binaries of envtest."""

import functools
import os
import platform
import re
import subprocess
from pathlib import Path

from sandbox.cache import progress

_ASSETS = "KUBEBUILDER_ASSETS"
_ENVTEST = Path("/usr/local/kubebuilder/bin")  # where envtest looks without that variable
_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}
_OLDEST_ETCD = (3, 6)  # Kubernetes 1.34 and newer are released with it
_VERSION_SECONDS = 30.0


@functools.cache
def installed(name: str, minor: str) -> Path | None:
    """Return a program of this machine that fits the Kubernetes `minor` (like `1.36`), or None.

    It is searched in `KUBEBUILDER_ASSETS`, in what setup-envtest has installed, and on PATH.
    """
    named = os.environ.get(_ASSETS)
    if named:
        program = Path(named) / name
        if _fits(program, minor):
            return program
        if name in ("etcd", "kube-apiserver"):  # envtest has no others
            progress(f"{_ASSETS}={named}: {version(program) or f'no {name}'}, wanted is Kubernetes {minor}: not used")
    found = (directory / name for directory in _directories(minor))
    return next((program for program in found if _fits(program, minor)), None)


def version(program: Path) -> str:
    """Return the first line that the program prints about its version. Empty if it does not run."""
    if not os.access(program, os.X_OK) or program.is_dir():
        return ""
    try:
        done = subprocess.run(
            [program, "--version"], capture_output=True, text=True, check=False, timeout=_VERSION_SECONDS
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return (done.stdout.splitlines() or [""])[0]


def _directories(minor: str) -> list[Path]:
    data = Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local/share") / "kubebuilder-envtest/k8s"
    machine = platform.machine()
    releases = data.glob(f"{minor}.*-linux-{_ARCHITECTURES.get(machine, machine)}")
    newest_first = sorted(
        releases, key=lambda path: [int(part) for part in re.findall(r"\d+", path.name)], reverse=True
    )
    on_path = [Path(one) for one in os.environ.get("PATH", os.defpath).split(os.pathsep) if one]
    return [*newest_first, _ENVTEST, *on_path]


def _fits(program: Path, minor: str) -> bool:
    text = version(program)
    if program.name == "etcd":
        found = re.match(r"etcd Version: (\d+)\.(\d+)\.", text)
        return found is not None and found[1] == str(_OLDEST_ETCD[0]) and int(found[2]) >= _OLDEST_ETCD[1]
    return text.startswith(f"Kubernetes v{minor}.")
