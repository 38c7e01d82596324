"""The images that pods may run, each a local program. There is no registry and no other image."""

import dataclasses
import os
import re
import shutil
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

_HERE = Path(__file__).resolve().parent
_REPOSITORY = _HERE.parents[1]


class ImageRefusedError(Exception):
    """The container may not run here. `reason` is that of its Waiting state."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


@dataclasses.dataclass(frozen=True)
class Image:
    """A local program. `honours_command`: a manifest may replace `argv` and `args`; `honours_args`: only `args`.

    Both are off for what a manifest from elsewhere may name: it must not run commands of its own on this machine.
    """

    argv: tuple[str, ...]
    args: tuple[str, ...] = ()
    env: Mapping[str, str] = dataclasses.field(default_factory=dict)
    honours_args: bool = False
    refused_args: str | None = None  # regular expression
    honours_command: bool = False


def default_images(ca_file: Path | None = None) -> dict[str, Image]:
    """Return the allowed images. `ca_file`: the sandbox's authority, which they trust like a public one."""
    trust = {} if ca_file is None else {"SSL_CERT_FILE": str(ca_file)}
    python = {"PYTHONPATH": os.pathsep.join([str(_HERE / "site"), str(_REPOSITORY / "operator"), str(_REPOSITORY)])}
    return {
        "sandbox.test/redis-client": Image(
            (sys.executable, "-P", "-s", str(_HERE / "programs/redis_client.py")), env={**python, **trust}
        ),
        # Counts where `canaries` says, which outlives its pods.
        "sandbox.test/canary": Image(
            (sys.executable, "-P", "-s", str(_HERE / "programs/canary.py")),
            env={**python, **trust, **({} if ca_file is None else {"CANARY_DIRECTORY": str(canaries(ca_file))})},
        ),
        # Its arguments select a subcommand, never a program; but a kubeconfig can name one (exec plugins).
        "sandbox.test/operator": Image(
            (sys.executable, "-P", "-s", "-m", "secure_redis"),
            env={**python, **trust},
            honours_args=True,
            refused_args=r"kubeconfig|\$\(",
        ),
        "sandbox.test/sleep": Image((shutil.which("sleep") or "sleep", "infinity")),
    }


def canaries(ca_file: Path) -> Path:
    """Return the directory of the canaries' counters; read it by `sandbox.pods.programs.ledger`."""
    return ca_file.absolute().parent / "canaries"


# Directories whose contents nothing on this machine runs or obeys; what lies below others might be a program.
_MOUNT_ROOTS = ("/mnt/", "/run/", "/srv/", "/tmp/")  # noqa: S108
# The operator's configuration, which nothing else reads; and the directory that pods with a read-only root want most.
_MOUNT_POINTS = ("/etc/secure-redis", "/tmp")  # noqa: S108
# Variables that make the dynamic loader, Python, OpenSSL or a Kubernetes client run arbitrary code, or write
# files where they like.
_ENV = re.compile(
    r"(LD_|PYTHON|NSS_|GLIBC_|MALLOC_|OPENSSL_).*|PATH|GCONV_PATH|LOCPATH|BASH_ENV|ENV|IFS|KUBECONFIG|CANARY_DIRECTORY|HOSTALIASES|RES_OPTIONS"
)


def check_environment(container: Mapping[str, Any], image: Image, names: Iterable[str]) -> None:
    """Refuse variables with which a manifest could run code of its own. Raises ImageRefusedError."""
    bad = sorted(name for name in names if _ENV.fullmatch(name))
    if bad and not image.honours_command:
        text = f"the sandbox does not let a manifest set {', '.join(bad)} for {container['image']}"
        raise ImageRefusedError("EnvironmentRefused", text)


def check_mounts(container: Mapping[str, Any], image: Image) -> None:
    """Refuse mounts over, or into, what programs are made of. Raises ImageRefusedError."""
    for mount in container.get("volumeMounts") or []:
        path = os.path.realpath(mount["mountPath"])
        fresh = path.count("/") >= 1 and not os.path.lexists("/" + path.split("/")[1])
        allowed = fresh or path in _MOUNT_POINTS or path.startswith(_MOUNT_ROOTS)
        if not image.honours_command and not allowed:
            text = (
                f"the sandbox mounts nothing at {mount['mountPath']}: it is a directory of this machine; take a new one"
            )
            raise ImageRefusedError("MountRefused", text)
        if mount.get("subPath") or mount.get("subPathExpr"):
            raise ImageRefusedError("MountRefused", "the sandbox cannot mount with subPath")


def kept(mount_path: str, image: Image) -> list[str]:
    """Return the program files of an image that a mount would hide. They are mounted again within it."""
    wanted = [str(_REPOSITORY), sys.prefix, sys.base_prefix, *image.argv[:1]]
    wanted += [str(Path(image.env[name]).parent) for name in ("SSL_CERT_FILE",) if name in image.env]
    wanted += [image.env["CANARY_DIRECTORY"]] if "CANARY_DIRECTORY" in image.env else []
    within = [path for path in dict.fromkeys(map(os.path.realpath, wanted)) if path.startswith(f"{mount_path}/")]
    return [path for path in within if Path(path).is_dir() and not any(path.startswith(f"{one}/") for one in within)]


def command_of(container: Mapping[str, Any], images: Mapping[str, Image]) -> tuple[Image, Sequence[str]]:
    """Return the image of a container and the argv to run, before $(VAR) expansion. Raises ImageRefusedError."""
    name = str(container["image"]).split("@")[0]
    base, _, tag = name.rpartition(":")
    if base and "/" not in tag:
        name = base
    image = images.get(name)
    if image is None:
        raise ImageRefusedError(
            "ErrImageNeverPull",
            f"image {container['image']!r} is not one the sandbox runs: {', '.join(sorted(images))}",
        )
    if container.get("workingDir") and not image.honours_command:
        raise ImageRefusedError("CommandRefused", f"the sandbox runs {name} in its own directory; drop `workingDir`")
    command, args = container.get("command"), container.get("args")
    if command and not image.honours_command:
        raise ImageRefusedError("CommandRefused", f"the sandbox runs {name} with its own command only; drop `command`")
    if args and not (image.honours_args or image.honours_command):
        raise ImageRefusedError("CommandRefused", f"the sandbox runs {name} with its own arguments only; drop `args`")
    if command:
        return image, [*command, *(args or ())]
    bad = [arg for arg in args or () if image.refused_args and re.search(image.refused_args, arg)]
    if bad:
        raise ImageRefusedError("CommandRefused", f"the sandbox does not run {name} with {', '.join(bad)}")
    return image, [*image.argv, *(args or image.args)]
