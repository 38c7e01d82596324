"""How the clients of each ecosystem are installed, once, into the cache, and how one of them is run."""

import hashlib
import json
import os
import re
import secrets
import shutil
import subprocess
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from sandbox.cache import cache_dir, locked
from sandbox.environments import EnvironmentFailedError, environment
from sandbox.plan import step
from sandbox.redis_tool import redis_tool
from sandbox.toolchain import ToolchainError, go
from tests.clients.endpoint import Binding
from tests.clients.matrix import PROGRAMS, Client, Ecosystem

_RUN_SECONDS = 300
_INSTALL_SECONDS = 1800
_COMPLETE = ".complete"
# Texts that the package clients print when a registry answers that it has no such package, or does not serve it. A
# time-out or a broken connection is not such an answer.
_REFUSALS = re.compile(
    r"No matching distribution found|npm (ERR!|error) code E40[134]|Could not find artifact|was not found in|"
    r"status code: 40[134]|reading \S+: 4(03|04|10)\b|unknown revision"
)
_SPRING = "clients.Application"
_INHERITED = ("PATH", "HOME", "LANG", "LD_PRELOAD", "NSS_WRAPPER_HOSTS")


class AbsentError(RuntimeError):
    """This machine has no toolchain of the ecosystem."""


class RefusedError(RuntimeError):
    """The registry does not serve a package."""


class InstallError(RuntimeError):
    """The packages cannot be installed for another reason. The text is the end of the output."""


@dataclass(frozen=True)
class Run:
    """The report of a client: its version, and its error if it did not connect."""

    version: str
    error: str | None


@dataclass(frozen=True)
class Launcher:
    """Runs the clients of one ecosystem. `trust` returns the environment with which they trust a binding's `ca.crt`."""

    command: Callable[[Client], Sequence[str | Path]]
    trust: Callable[[Path], Mapping[str, str]]
    more: Mapping[str, str]

    def run(
        self, client: Client, binding: Binding, *, files: bool, swapped: Mapping[str, str] = MappingProxyType({})
    ) -> Run:
        """Run a client with the files, or with the variables that docs/clients.md names for it.

        `swapped`: variables that get the value of another entry than the one they are named for.
        """
        variables = {name: os.environ[name] for name in _INHERITED if name in os.environ}
        variables |= {
            **self.more,
            **self.trust(binding.ca_file),
            "CA_FILE": str(binding.ca_file),
            "MARKER": secrets.token_hex(8),
        }
        if files:
            variables["SERVICE_BINDING_ROOT"] = str(binding.root)
        else:
            variables |= {f"REDIS_{name.upper()}": binding.entries[swapped.get(name, name)] for name in client.entries}
        command = [os.fspath(part) for part in self.command(client)]
        done = subprocess.run(
            command,
            env=variables,
            cwd=binding.root,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=_RUN_SECONDS,
        )
        return _report(client, done)


def _report(client: Client, done: subprocess.CompletedProcess[str]) -> Run:
    line = (done.stdout.strip().splitlines() or [""])[-1]
    try:
        found = json.loads(line)
    except ValueError:
        end = (done.stdout + done.stderr)[-3000:]
        raise InstallError(f"{client.name} ended with code {done.returncode} without a report:\n{end}") from None
    if (done.returncode == 0) != ("error" not in found):
        raise InstallError(f"{client.name} ended with code {done.returncode} and reported {line}")
    return Run(found["version"], found.get("error"))


def launcher(ecosystem: Ecosystem) -> Launcher:
    """Install the ecosystem's clients if needed. Raises AbsentError, RefusedError or InstallError, each tried once."""
    if ecosystem not in _TRIED:
        try:
            _TRIED[ecosystem] = _LAUNCHERS[ecosystem]()
        except (AbsentError, RefusedError, InstallError) as error:
            _TRIED[ecosystem] = error
    found = _TRIED[ecosystem]
    if isinstance(found, Exception):
        raise found
    return found


def _redis() -> Launcher:
    tool = redis_tool()
    program = tool.program.with_name("redis-cli")
    if not program.exists():
        found = shutil.which("redis-cli")
        if found is None:
            raise AbsentError("no redis-cli beside redis-server and none on PATH")
        program = Path(found)
    script = PROGRAMS / "redis-cli.sh"
    return Launcher(
        lambda client: ["bash", script, client.program], lambda _: {}, {"REDIS_CLI": str(program), **tool.environment}
    )


def _python(requirements: str) -> Launcher:
    try:
        home = environment(requirements)
    except EnvironmentFailedError as error:
        raise failure(str(error)) from error
    python, main = home / "bin" / "python", PROGRAMS / "python" / "main.py"
    return Launcher(
        lambda client: [python, "-B", main, client.program, client.package],
        lambda ca: {"SSL_CERT_FILE": str(ca)},
        {},
    )


def _node() -> Launcher:
    node, npm = _on_path("node"), _on_path("npm")
    version = _output([node, "--version"])
    if int(version.removeprefix("v").split(".")[0]) < 20:
        raise AbsentError(f"node {version} is too old, 20 is needed")
    source = PROGRAMS / "node"

    def install(home: Path) -> None:
        for name in ("package.json", "package-lock.json"):
            shutil.copy(source / name, home)
        _install([npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund"], home)

    home = _installed("node", [source / "package.json", source / "package-lock.json"], install, version)
    return Launcher(
        lambda client: [node, source / "main.js", client.program, client.package],
        lambda ca: {"NODE_EXTRA_CA_CERTS": str(ca)},
        {"NODE_PATH": str(home / "node_modules")},
    )


def _go() -> Launcher:
    try:
        compiler = go()
    except ToolchainError as error:
        raise AbsentError(str(error)) from error
    source = PROGRAMS / "go"

    def install(home: Path) -> None:
        variables = {"CGO_ENABLED": "0", "GOTOOLCHAIN": "local", "GOFLAGS": "-mod=readonly"}
        _install([compiler, "build", "-trimpath", "-p", "2", "-o", home / "clients", "."], source, variables)

    home = _installed("go", _files(source), install)
    return Launcher(
        lambda client: [home / "clients", client.program, client.package], lambda ca: {"SSL_CERT_FILE": str(ca)}, {}
    )


def _java(program: str) -> Launcher:
    maven, java, keytool = _on_path("mvn"), _on_path("java"), _on_path("keytool")
    _on_path("javac")
    found = re.search(r'version "(\d+)', _output([java, "-version"]))
    if found is None or int(found[1]) < 17:
        raise AbsentError("java is too old, 17 is needed")
    source = PROGRAMS / program

    def install(home: Path) -> None:
        shutil.copytree(source, home, dirs_exist_ok=True)
        local = f"-Dmaven.repo.local={cache_dir() / 'clients-maven'}"
        goals = ["compile", "dependency:copy-dependencies", "-DoutputDirectory=target/lib"]
        _install([maven, "--batch-mode", "--no-transfer-progress", "--quiet", local, *goals], home)

    home = _installed(program, _files(source), install)

    def trust(ca: Path) -> dict[str, str]:
        store = ca.parents[2] / f"{ca.parents[1].name}.p12"
        if not store.exists():
            options = ["-storetype", "PKCS12", "-storepass", "changeit", "-keystore", str(store)]
            _output([keytool, "-importcert", "-noprompt", "-alias", "ca", "-file", str(ca), *options])
        return {"JAVA_TRUST_STORE": str(store)}

    def command(client: Client) -> list[str | Path]:
        classes = f"{home}/target/classes:{home}/target/lib/*"
        # The store is an option of the virtual machine; the shell puts the variable of `trust` into it.
        start = "-Djavax.net.ssl.trustStore=$JAVA_TRUST_STORE -Djavax.net.ssl.trustStorePassword=changeit"
        if program == "java":
            return [
                "sh",
                "-c",
                f'exec "$0" {start} "$@"',
                java,
                "-cp",
                classes,
                "clients.Main",
                client.program,
                client.package,
            ]
        if client.program == "configtree":
            start = f"-Dspring.config.import=configtree:$SERVICE_BINDING_ROOT/orders/ {start}"
            return ["sh", "-c", f'exec env -u SERVICE_BINDING_ROOT "$0" {start} "$@"', java, "-cp", classes, _SPRING]
        return ["sh", "-c", f'exec "$0" {start} "$@"', java, "-cp", classes, _SPRING]

    return Launcher(command, trust, {})


_TRIED: dict[Ecosystem, Launcher | Exception] = {}
_LAUNCHERS: Mapping[Ecosystem, Callable[[], Launcher]] = {
    Ecosystem.REDIS: _redis,
    Ecosystem.PYTHON: lambda: _python("clients"),
    Ecosystem.PYTHON_ARQ: lambda: _python("clients-arq"),
    Ecosystem.NODE: _node,
    Ecosystem.GO: _go,
    Ecosystem.JAVA: lambda: _java("java"),
    Ecosystem.SPRING: lambda: _java("spring"),
}


def _installed(name: str, sources: Iterable[Path], install: Callable[[Path], None], version: str = "") -> Path:
    """Return the directory of what `install` makes of the sources, once. One without its mark is made again."""
    digest = hashlib.sha256(version.encode())
    for source in sorted(sources):
        digest.update(source.name.encode() + b"\0" + source.read_bytes())
    home = cache_dir() / f"clients-{name}-{digest.hexdigest()[:12]}"
    if (home / _COMPLETE).exists():
        return home
    with locked(cache_dir() / f"clients-{name}.lock", f"waiting for another process that installs the {name} clients"):
        if not (home / _COMPLETE).exists():
            shutil.rmtree(home, ignore_errors=True)
            home.mkdir(parents=True)
            with step(f"installing the {name} clients (once, a minute or two)"):
                install(home)
            (home / _COMPLETE).touch()
    return home


def _files(source: Path) -> list[Path]:
    return [path for path in source.rglob("*") if path.is_file()]


def _install(command: Sequence[str | Path], cwd: Path, variables: Mapping[str, str] | None = None) -> None:
    done = subprocess.run(
        [os.fspath(part) for part in command],
        cwd=cwd,
        env={**os.environ, **(variables or {})},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=_INSTALL_SECONDS,
    )
    if done.returncode:
        raise failure(done.stdout + done.stderr)


def failure(output: str) -> RefusedError | InstallError:
    """Return what a package client's output says: the registry refuses, or the installation failed otherwise."""
    refusal = _REFUSALS.search(output)
    if refusal is None:
        return InstallError(output[-3000:])
    line = next(line for line in output.splitlines() if refusal[0] in line)
    return RefusedError(re.sub(r"https?://[^\s:)]+", "the registry", line.strip())[:300])


def _on_path(program: str) -> str:
    found = shutil.which(program)
    if found is None:
        raise AbsentError(f"no {program} on PATH")
    return found


def _output(command: Sequence[str]) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=True, stdin=subprocess.DEVNULL)
    return (done.stdout + done.stderr).strip()
