"""`python -m sandbox up | status | down | shell | env | operator … | fault …`: a local world to try the operator in."""

import argparse
import os
import shlex
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from sandbox import names
from sandbox.api import Api
from sandbox.azure.control.client import Control
from sandbox.azure.control.port import ControlError
from sandbox.cache import progress
from sandbox.chart.render import ROOT
from sandbox.cli import faults
from sandbox.cli.state import Facts, Sandbox, SandboxError
from sandbox.cluster import Cluster
from sandbox.demo import shop as examples
from sandbox.helm import helm
from sandbox.prepare import prepare
from sandbox.redis_tool import RedisToolError, redis_tool
from sandbox.toolchain import ToolchainError, kubectl
from sandbox.waiting import wait_for

_UP_SECONDS = 180.0
_OPERATOR_SECONDS = 60.0  # a stop alone may take 30


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command. Returns the exit code."""
    given = _parser().parse_args(arguments)
    try:
        sandbox = Sandbox(given.name)
        match given.command:
            case "up":
                return _up(sandbox, [] if given.no_operator else ["--bare"] if given.bare else ["--operator"])
            case "status":
                return _status(sandbox)
            case "down":
                return _down(Sandbox.all() if given.all else [sandbox])
            case "shell":
                return _shell(sandbox.must(), given.program)
            case "helm":
                return _helm(sandbox.must(), given.arguments)
            case "seed":
                return _seed(sandbox.must())
            case "env":
                return _env(sandbox.must())
            case "operator":
                return _operator(sandbox, given.verb)
            case _:
                faults.run(Control.of(Path(sandbox.must().azure)), given)
                return 0
    except (SandboxError, ControlError, RedisToolError, ToolchainError, names.NamesError, TimeoutError) as error:
        progress(str(error))
        return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m sandbox", description=__doc__)
    parser.add_argument("--name", default="default", help="which sandbox, where there are several (default: default)")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    up = commands.add_parser("up", help="start everything in the background and print the kubeconfig")
    what = up.add_mutually_exclusive_group()
    what.add_argument("--no-operator", action="store_true", help="everything but the operator, to run one yourself")
    what.add_argument("--bare", action="store_true", help="nothing of the chart, to install it with `helm`")
    commands.add_parser("status", help="what runs; exit code 1 if it does not")
    down = commands.add_parser("down", help="end everything; its data is lost")
    down.add_argument("--all", action="store_true", help="every sandbox")
    shell = commands.add_parser("shell", help="a shell with kubectl, KUBECONFIG and the made-up host names")
    shell.add_argument("program", nargs="*", help="run this instead of $SHELL (put -- before it)")
    commands.add_parser("env", help='kubectl and KUBECONFIG for this shell: eval "$(… env)"')
    run_helm = commands.add_parser("helm", help="the pinned Helm, for this cluster (put -- before its arguments)")
    run_helm.add_argument("arguments", nargs="*")
    seed = commands.add_parser("seed", help="fill the simulated Azure")
    seed.add_argument("what", choices=["examples"], help="what the manifests of examples/ refer to")
    operator = commands.add_parser("operator", help="stop, start or restart the operator; all else runs on")
    operator.add_argument("verb", choices=["stop", "start", "restart"])
    faults.add_parser(commands)
    return parser


def _up(sandbox: Sandbox, options: list[str]) -> int:
    facts = sandbox.facts()
    if facts is None and sandbox.running() is not None:
        progress(f"the sandbox {sandbox.name!r} is being started by another process…")
        facts = wait_for(lambda: _facts_while_running(sandbox), _UP_SECONDS, "the sandbox to be up")
    if facts is None:
        # Long steps run here, where their progress is visible.
        prepare()
        redis_tool()
        facts = _start(sandbox, options)
    print(f"KUBECONFIG={facts.kubeconfig}")
    if sandbox.values.exists():
        print(f"VALUES={sandbox.values}")
    return 0


def _facts_while_running(sandbox: Sandbox) -> Facts | None:
    if sandbox.running() is None:
        raise SandboxError(f"the sandbox {sandbox.name!r} has ended; its log is {sandbox.log}")
    return sandbox.facts()


def _start(sandbox: Sandbox, options: list[str]) -> Facts:
    sandbox.directory.mkdir(parents=True, exist_ok=True, mode=0o700)
    argv = [sys.executable, "-m", "sandbox.cli.supervisor", "--name", sandbox.name]
    argv += options
    paths = os.pathsep.join([str(ROOT / "operator"), str(ROOT)])
    progress(f"starting the sandbox {sandbox.name!r}…")
    with sandbox.log.open("wb") as log:
        supervisor = subprocess.Popen(
            argv,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            env={**os.environ, "PYTHONPATH": paths},
            start_new_session=True,
        )

    def up() -> Facts | None:
        if supervisor.poll() is not None:
            end = "\n".join(sandbox.log.read_text(errors="replace").splitlines()[-20:])
            raise SandboxError(f"the sandbox did not start; the end of {sandbox.log}:\n{end}")
        return sandbox.facts()

    return wait_for(up, _UP_SECONDS, "the sandbox to be up")


def _status(sandbox: Sandbox) -> int:
    facts = sandbox.facts()
    if facts is None:
        print(f"{sandbox.name}: {'starting' if sandbox.running() else 'not running'}")
        return 1
    azure = Control.of(Path(facts.azure)).endpoints
    cluster = Cluster.load(Path(facts.kubeconfig).parent)
    pods = Api(cluster).get("/api/v1/pods").must()["items"]
    ready = sum(1 for pod in pods if pod.get("status", {}).get("phase") == "Running")
    hosts = sorted(name for name in names.HostsFile(Path(facts.hosts_file)).addresses() if name.endswith(azure.domain))
    rows = {
        "sandbox": f"{sandbox.name} (pid {facts.pid})",
        "kubernetes": f"{cluster.version} at {cluster.server}",
        "kubeconfig": facts.kubeconfig,
        "operator": "started" if facts.operator else "not started",
        "pods": f"{ready} of {len(pods)} running",
        "azure": azure.management,
        "hosts": ", ".join(hosts),
        "logs": str(sandbox.directory),
    }
    for title, text in rows.items():
        print(f"{title:<12}{text}")
    return 0


def _down(sandboxes: Sequence[Sandbox]) -> int:
    for sandbox in sandboxes:
        print(f"{sandbox.name}: {'ended' if sandbox.down() else 'was not running'}")
    return 0


def _operator(sandbox: Sandbox, verb: str) -> int:
    sandbox.must()
    request = sandbox.request_operator(verb)

    def followed() -> Facts | None:
        facts = _facts_while_running(sandbox)
        return facts if facts is not None and facts.operator_request == request.identifier else None

    facts = wait_for(followed, _OPERATOR_SECONDS, f"the supervisor to {verb} the operator")
    print(f"operator: {'started' if facts.operator else 'stopped'}")
    return 0


def _helm(facts: Facts, arguments: Sequence[str]) -> int:
    environment = {**os.environ, "KUBECONFIG": facts.kubeconfig}
    return subprocess.run([str(helm()), *arguments], env=environment, check=False).returncode


def _seed(facts: Facts) -> int:
    control = Control.of(Path(facts.azure))
    shop = examples.seed(control, Cluster.load(Path(facts.kubeconfig).parent))
    print(f"Azure has the caches legacy and orders, and the vault {shop.vault}, of the manifests in examples/.")
    print(f"In them, write {control.endpoints.vault_suffix} for vault.azure.net.")
    return 0


def _env(facts: Facts) -> int:
    print(f"export KUBECONFIG={shlex.quote(facts.kubeconfig)}")
    print(f"export VAULT_SUFFIX={Control.of(Path(facts.azure)).endpoints.vault_suffix}")
    # At the end: the directory may hold other programs too, such as another Python.
    print(f'export PATH="$PATH":{shlex.quote(str(kubectl().parent))}')
    return 0


def _shell(facts: Facts, program: Sequence[str]) -> int:
    tools = str(kubectl().parent)
    environment = {
        **os.environ,
        "KUBECONFIG": facts.kubeconfig,
        "PATH": f"{tools}{os.pathsep}{os.environ.get('PATH', os.defpath)}",
        "SANDBOX_CA_FILE": facts.ca_file,
    }
    argv = list(program) or [os.environ.get("SHELL", "/bin/sh")]
    if not program:
        progress("kubectl and the names of the sandbox work here; `exit` leaves this shell and ends nothing")
    return subprocess.run(names.wrap(argv, Path(facts.hosts_file)), env=environment, check=False).returncode
