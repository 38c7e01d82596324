"""Builds the operator's image from the Dockerfile: Debian's buildah, a local base, no registry, no daemon.

Needs root (buildah's chroot isolation) and a Debian or Ubuntu; otherwise ImageError says which is missing.
"""

import json
import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sandbox.debian import PackageError, root, unpacked
from sandbox.plan import step

ROOT = Path(__file__).resolve().parents[1]
NAME = "localhost/secure-redis-operator"
_POLICY = {"default": [{"type": "insecureAcceptAnything"}]}  # local images only: nothing is ever pulled
_BUILD_PACKAGES = ("python3", "python3-pip")
_RUN_PACKAGES = ("python3",)


class ImageError(RuntimeError):
    """The image cannot be built here, or its build failed. The text says why."""


@dataclass(frozen=True)
class BuiltImage:
    """`config`: OCI image configuration. `size`, `own_size`: bytes, unpacked, with and without the base."""

    config: Mapping[str, Any]
    layers: int
    size: int
    own_size: int
    root: Path

    def command(self, arguments: Sequence[str]) -> tuple[list[str], dict[str, str]]:
        """Return the command and the environment with which a runtime would start these container arguments."""
        environment = dict(entry.split("=", 1) for entry in self.config["Env"])
        return [*self.config["Entrypoint"], *arguments], environment


class Builder:
    """Runs buildah with its own storage in `directory`, which `remove` deletes.

    `seconds`: the time since 1970 of every file and of the image itself; without it, they have the time of the build.
    """

    def __init__(self, directory: Path, seconds: int | None = None) -> None:
        """Raise ImageError where buildah is not available."""
        self._time = [] if seconds is None else ["--timestamp", str(seconds)]
        if os.geteuid() != 0:
            raise ImageError("building an image here needs root")
        try:
            self._home = unpacked("buildah")
            self._bases = {"build": root("python-build", _BUILD_PACKAGES), "run": root("python-run", _RUN_PACKAGES)}
        except PackageError as error:
            raise ImageError(f"buildah and a base image cannot be had: {error}") from error
        # pip of a distribution refuses to install beside its packages; an image's python does not.
        for marker in self._bases["build"].glob("usr/lib/python3*/EXTERNALLY-MANAGED"):
            marker.unlink()
        self._directory = directory
        directory.mkdir(parents=True)
        graph, run = directory / "graph", directory / "run"
        self._write("storage.conf", f'[storage]\ndriver = "vfs"\nrunroot = "{run}"\ngraphroot = "{graph}"\n')
        self._write("registries.conf", 'short-name-mode = "disabled"\n')
        self._policy = self._write("policy.json", json.dumps(_POLICY))
        self._cache = self._linker_cache()

    def build(self, context: Path = ROOT, /, **arguments: str) -> BuiltImage:
        """Build the Dockerfile in `context` with these build arguments. Raises ImageError with buildah's message."""
        for name, base in self._bases.items():
            container = self._buildah("from", "scratch")
            self._buildah("add", "--quiet", container, str(base), "/")
            self._buildah("commit", "--quiet", *self._trust(), *self._time, container, f"localhost/base-{name}")
            self._buildah("rm", container)
        chosen = {"BUILD_IMAGE": "localhost/base-build", "RUN_IMAGE": "localhost/base-run", **arguments}
        options = [part for name, value in chosen.items() for part in ("--build-arg", f"{name}={value}")]
        certificates = "/etc/ssl/certs:/etc/ssl/certs:ro"  # the base is not configured, so it trusts no authority
        with step("building the image"):
            self._buildah(
                *("build", "--pull-never", "--network", "host", "--volume", certificates, *self._trust()),
                *(*self._time, *options, "--tag", NAME, str(context)),
            )
        container = self._buildah("from", "--pull-never", *self._trust(), NAME)
        mounted = Path(self._buildah("mount", container))
        found = json.loads(self._buildah("inspect", "--type", "image", NAME))
        own = sum(_size(mounted / part) for part in ("app", "packages"))
        layers = len(found["OCIv1"]["rootfs"]["diff_ids"])
        return BuiltImage(found["OCIv1"]["config"], layers, _size(mounted), own, mounted)

    def export(self, layout: Path, tag: str) -> None:
        """Write the built image into the directory `layout`, as an OCI image layout with one image named `tag`."""
        self._buildah("push", "--quiet", *self._trust(), NAME, f"oci:{layout}:{tag}")

    def remove(self) -> None:
        """Delete all storage."""
        shutil.rmtree(self._directory, ignore_errors=True)

    def _trust(self) -> list[str]:
        return ["--signature-policy", str(self._policy)]

    def _write(self, name: str, text: str) -> Path:
        path = self._directory / name
        path.write_text(text)
        return path

    def _linker_cache(self) -> Path:
        """Return a linker cache with buildah's libraries, because buildah restarts itself without environment."""
        found = sorted({str(path.parent) for path in self._home.rglob("*.so*")})
        listing = self._write("ld.conf", "\n".join([*found, "include /etc/ld.so.conf", ""]))
        cache = self._directory / "ld.cache"
        self._run(["ldconfig", "-X", "-C", str(cache), "-f", str(listing)])
        return cache

    def _buildah(self, *arguments: str) -> str:
        script = 'mount --bind "$0" /etc/ld.so.cache && exec "$@"'
        program = self._home / "usr/bin/buildah"
        command = ["unshare", "--mount", "sh", "-c", script, str(self._cache), str(program), *arguments]
        return self._run(command)

    def _run(self, command: Sequence[str]) -> str:
        environment = {
            **os.environ,
            "CONTAINERS_STORAGE_CONF": str(self._directory / "storage.conf"),
            "CONTAINERS_REGISTRIES_CONF": str(self._directory / "registries.conf"),
            "BUILDAH_ISOLATION": "chroot",
        }
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise ImageError(f"`{' '.join(command[:8])} …` failed:\n{(done.stdout + done.stderr)[-3000:]}")
        return done.stdout.strip()


def contained(
    image: BuiltImage, arguments: Sequence[str], mounts: Mapping[Path, str]
) -> tuple[list[str], dict[str, str]]:
    """Return a command that runs the image as the chart's pod does, with a read-only root.

    `mounts`: files and directories of this machine and where they appear, read-only. It shares the machine's network,
    as everything of the sandbox does.
    """
    argv, environment = image.command(arguments)
    steps = ['mount --bind "$0" "$0"']
    for source, target in mounts.items():
        make = "mkdir -p" if source.is_dir() else "touch"
        where = f'"$0{target}"'
        steps += [f'mkdir -p "$(dirname {where})"', f"{make} {where}", f"mount --bind '{source}' {where}"]
    steps += [
        'mkdir -p "$0/proc" "$0/tmp" "$0/dev"',
        'mount -t proc proc "$0/proc"',
        'mount --bind /dev "$0/dev"',
        'mount -o remount,bind,ro "$0"',
        'mount -t tmpfs -o mode=1777,size=16m tmpfs "$0/tmp"',
        f'exec setpriv --no-new-privs chroot --userspec={image.config["User"]} --groups= "$0" "$@"',
    ]
    return ["unshare", "--mount", "sh", "-euc", "\n".join(steps), str(image.root), *argv], environment


def _size(path: Path) -> int:
    """Return the bytes of all files below `path`."""
    return sum(file.lstat().st_size for file in path.rglob("*") if not file.is_symlink() and file.is_file())
