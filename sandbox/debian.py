"""Programs of the distribution (Debian, Ubuntu) without root: packages fetched and unpacked into the cache."""

import re
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

from sandbox.cache import cache_dir, locked
from sandbox.plan import step
from sandbox.registries import DEBIAN, way_out

_INSTALLED = Path("/var/lib/dpkg/status")
# A line of `apt-get install --simulate`: Inst name[:arch] [old version] (version origin…).
_CHOSEN = re.compile(r"^Inst (?P<name>\S+)(?: \[[^]]*\])? \((?P<version>\S+)", re.MULTILINE)


class PackageError(RuntimeError):
    """The package is not available here. The text says why."""


def unpacked(package: str) -> Path:
    """Unpack `package` and its missing dependencies into a directory, once. Returns the cached directory.

    Raises PackageError where there is no apt, the package is unknown, or nothing can be fetched.
    """
    home = cache_dir() / "debian" / package
    if is_unpacked(package):
        return home
    done = home / ".complete"
    for tool in ("apt-get", "dpkg-deb"):
        if shutil.which(tool) is None:
            raise PackageError(f"{package} cannot be fetched: this system has no {tool}")
    with locked(home.with_name(f".{package}.lock"), f"waiting for another process that fetches {package}"):
        if not done.exists():
            with step(f"fetching the package {package}"):
                _fetch([package], home)
            done.touch()
    return home


def is_unpacked(package: str) -> bool:
    """Return whether `unpacked` has nothing to do."""
    return (cache_dir() / "debian" / package / ".complete").exists()


def root(name: str, packages: Sequence[str]) -> Path:
    """Unpack `packages` and all they need into a root directory, once, without configuring them. Returns it.

    Raises PackageError as `unpacked` does.
    """
    home = cache_dir() / "debian-roots" / name
    done = home.with_name(f".{name}.complete")
    with locked(home.with_name(f".{name}.lock"), f"waiting for another process that makes the root {name}"):
        if not done.exists():
            with step(f"unpacking a root directory with {', '.join(packages)}"):
                _fetch(packages, home, nothing_installed=True)
            done.touch()
    return home


def libraries(home: Path) -> str:
    """Return the LD_LIBRARY_PATH value with which programs unpacked into `home` find their libraries."""
    found = {str(file.parent) for pattern in ("lib/**/*.so*", "usr/lib/**/*.so*") for file in home.glob(pattern)}
    return ":".join(sorted(found))


def _fetch(packages: Sequence[str], home: Path, *, nothing_installed: bool = False) -> None:
    shutil.rmtree(home, ignore_errors=True)
    with tempfile.TemporaryDirectory(prefix="apt-", dir=cache_dir()) as scratch:
        status = _INSTALLED
        if nothing_installed:
            status = Path(scratch) / "status"
            status.touch()
        apt = _private_apt(Path(scratch), status)
        _run([*apt, "update", "-qq"], scratch)
        again = [] if nothing_installed else ["--reinstall"]
        plan = _run([*apt, "install", "--simulate", *again, "--no-install-recommends", *packages], scratch)
        chosen = [f"{match['name']}={match['version']}" for match in _CHOSEN.finditer(plan)]
        _run([*apt, "download", "-qq", *(chosen or packages)], scratch)
        home.mkdir(parents=True)
        for archive in sorted(Path(scratch).glob("*.deb")):
            _run(["dpkg-deb", "--extract", str(archive), str(home)], scratch)


def _private_apt(scratch: Path, installed: Path) -> list[str]:
    """Return an apt-get command with its own state and cache. It needs no root."""
    for part in ("state/lists/partial", "cache/archives/partial"):
        (scratch / part).mkdir(parents=True)
    config = scratch / "apt.conf"
    # Hooks of the machine's configuration would act on the machine's own cache.
    hooks = ["APT::Update::Pre-Invoke", "APT::Update::Post-Invoke", "APT::Update::Post-Invoke-Success"]
    hooks += ["DPkg::Pre-Invoke", "DPkg::Post-Invoke", "DPkg::Pre-Install-Pkgs"]
    config.write_text(
        "".join(f"#clear {hook};\n" for hook in hooks)
        + f'Dir::State "{scratch}/state";\nDir::State::lists "lists/";\nDir::State::status "{installed}";\n'
        + f'Dir::Cache "{scratch}/cache";\nDebug::NoLocking "true";\nAPT::Sandbox::User "root";\n'
        + 'Acquire::Languages "none";\nAcquire::Retries "3";\n'
    )
    return ["apt-get", f"--config-file={config}"]


def _run(argv: list[str], cwd: str) -> str:
    done = subprocess.run(argv, cwd=cwd, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)
    if done.returncode != 0:
        output = done.stderr.strip().splitlines()
        text = f"`{argv[0]}` failed with code {done.returncode}: {output[-1] if output else 'no message'}"
        raise PackageError(way_out(text, DEBIAN))
    return done.stdout
