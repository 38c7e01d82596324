"""`./sandbox.sh up | status | down | shell | env | helm | seed | operator | fault`: a local world for the operator."""

import os
import shlex
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import click
from click.shell_completion import CompletionItem

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
from sandbox.prepare import NotToBeHad, prepare
from sandbox.toolchain import kubectl
from sandbox.waiting import wait_for

_UP_SECONDS = 180.0
_OPERATOR_SECONDS = 60.0  # a stop alone may take 30
_FAILURES = (SandboxError, ControlError, *NotToBeHad, TimeoutError)
_COMPLETE = "_SANDBOX_SH_COMPLETE"
_NAME = "sandbox.name"  # in the meta of a click context
_Command = TypeVar("_Command", bound=Callable[..., Any] | click.Command)
_PASSED_ON = {"ignore_unknown_options": True, "allow_interspersed_args": False}


class _Commands(click.Group):
    """Commands of which a failure ends with its sentence and the exit code 1."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except _FAILURES as error:
            progress(str(error))
            ctx.exit(1)


def _keep_name(context: click.Context, _: click.Parameter, value: str | None) -> None:
    if value is not None:
        context.meta[_NAME] = value


def _complete_name(*_: object) -> list[CompletionItem]:
    return [CompletionItem(one.name) for one in Sandbox.running_ones()]


def _named(*, hidden: bool = False) -> Callable[[_Command], _Command]:
    return click.option(
        "--name",
        expose_value=False,
        callback=_keep_name,
        shell_complete=_complete_name,
        hidden=hidden,
        help="Which sandbox. Not necessary where exactly one runs. A new one is named `default`.",
    )


def _chosen() -> Sandbox:
    name = click.get_current_context().meta.get(_NAME)
    return Sandbox.only() if name is None else Sandbox(name)


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 120})
@_named()
def main() -> None:
    """Start, use and end a local world for the operator: a real Kubernetes, real Redis, a simulated Azure.

    Shell completion: eval "$(_SANDBOX_SH_COMPLETE=bash_source ./sandbox.sh)" (or zsh_source, fish_source).
    """


main.add_command(faults.group(_chosen))


@main.command()
@_named(hidden=True)
@click.option("--no-operator", is_flag=True, help="Everything except the operator, to run one yourself.")
@click.option("--bare", is_flag=True, help="No object of the chart, to install it with `helm`.")
def up(no_operator: bool, bare: bool) -> None:
    """Start everything in the background and print the kubeconfig."""
    if no_operator and bare:
        raise click.UsageError("--bare starts no operator: omit --no-operator")
    sandbox = Sandbox(click.get_current_context().meta.get(_NAME, "default"))
    facts = sandbox.facts()
    if facts is None and sandbox.running() is not None:
        progress(f"the sandbox {sandbox.name!r} is being started by another process…")
        facts = wait_for(lambda: _facts_while_running(sandbox), _UP_SECONDS, "the sandbox to be up")
    if facts is None:
        prepare(helm=bare)  # here, where its progress is visible
        facts = _start(sandbox, [] if no_operator else ["--bare"] if bare else ["--operator"])
        progress(f'it runs. For kubectl in this shell: eval "$({sandbox.command("env")})"')
    elif bare and not sandbox.values.exists():
        raise SandboxError(
            f"the sandbox {sandbox.name!r} runs already, with the objects of the chart: "
            f"end it with `{sandbox.command('down')}`, or start another one with --name"
        )
    for name, value in _variables(sandbox, facts):
        print(f"{name}={shlex.quote(value)}")


def _variables(sandbox: Sandbox, facts: Facts) -> list[tuple[str, str]]:
    found = [("KUBECONFIG", facts.kubeconfig)]
    return [*found, ("VALUES", str(sandbox.values))] if sandbox.values.exists() else found


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

    def is_up() -> Facts | None:
        if supervisor.poll() is not None:
            end = "\n".join(sandbox.log.read_text(errors="replace").splitlines()[-20:])
            raise SandboxError(f"the sandbox did not start; the end of {sandbox.log}:\n{end}")
        return sandbox.facts()

    return wait_for(is_up, _UP_SECONDS, "the sandbox to be up")


@main.command()
@_named(hidden=True)
def status() -> None:
    """Show what runs. The exit code is 1 if nothing does."""
    context = click.get_current_context()
    asked = [Sandbox(context.meta[_NAME])] if _NAME in context.meta else Sandbox.running_ones() or [Sandbox.only()]
    shown = [_show_status(sandbox) for sandbox in asked]
    context.exit(0 if all(shown) else 1)


def _show_status(sandbox: Sandbox) -> bool:
    facts = sandbox.facts()
    if facts is None:
        print(f"{sandbox.name}: {'starting' if sandbox.running() else 'not running'}")
        return False
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
    return True


@main.command()
@_named(hidden=True)
@click.option("--all", "every", is_flag=True, help="Every sandbox.")
def down(every: bool) -> None:
    """End everything. The data of the sandbox is lost."""
    for sandbox in Sandbox.all() if every else [_chosen()]:
        print(f"{sandbox.name}: {'ended' if sandbox.down() else 'was not running'}")


@main.command()
@_named(hidden=True)
@click.argument("verb", type=click.Choice(["stop", "start", "restart"]))
def operator(verb: str) -> None:
    """Stop, start or restart the operator. Everything else continues."""
    sandbox = _chosen()
    sandbox.must()
    request = sandbox.request_operator(verb)

    def followed() -> Facts | None:
        facts = _facts_while_running(sandbox)
        return facts if facts is not None and facts.operator_request == request.identifier else None

    facts = wait_for(followed, _OPERATOR_SECONDS, f"the supervisor to {verb} the operator")
    print(f"operator: {'started' if facts.operator else 'stopped'}")


@main.command("helm", context_settings={**_PASSED_ON, "help_option_names": []})
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def run_helm(arguments: Sequence[str]) -> None:
    """Run the pinned Helm for this cluster."""
    facts = _chosen().must()
    done = subprocess.run([str(helm()), *arguments], env=_environment(facts), check=False)
    click.get_current_context().exit(done.returncode)


@main.command()
@_named(hidden=True)
@click.argument("what", type=click.Choice(["examples"]))
def seed(what: str) -> None:
    """Fill the simulated Azure with what the manifests of examples/ refer to."""
    facts = _chosen().must()
    control = Control.of(Path(facts.azure))
    shop = examples.seed(control, Cluster.load(Path(facts.kubeconfig).parent))
    print(f"Azure has the caches legacy and orders, and the vault {shop.vault}, of the manifests in examples/.")
    print(f"In them, write {control.endpoints.vault_suffix} for vault.azure.net.")


@main.command()
@_named(hidden=True)
def env() -> None:
    """Print what your own shell needs for kubectl: eval "$(./sandbox.sh env)"."""
    sandbox = _chosen()
    facts = sandbox.must()
    suffix = Control.of(Path(facts.azure)).endpoints.vault_suffix
    for name, value in [*_variables(sandbox, facts), ("VAULT_SUFFIX", suffix)]:
        print(f"export {name}={shlex.quote(value)}")
    # At the end: the directory may hold other programs too, such as another Python.
    print(f'export PATH="$PATH":{shlex.quote(str(kubectl().parent))}')


@main.command(context_settings=_PASSED_ON)
@_named(hidden=True)
@click.argument("program", nargs=-1, type=click.UNPROCESSED)
def shell(program: Sequence[str]) -> None:
    """Start a shell with kubectl, KUBECONFIG and the made-up host names. Or run PROGRAM instead of $SHELL."""
    facts = _chosen().must()
    environment = _environment(facts) | {"SANDBOX_CA_FILE": facts.ca_file}
    environment["PATH"] = f"{kubectl().parent}{os.pathsep}{environment.get('PATH', os.defpath)}"
    argv = list(program) or [os.environ.get("SHELL", "/bin/sh")]
    if not program:
        progress("kubectl and the names of the sandbox work here; `exit` leaves this shell and ends nothing")
    done = subprocess.run(names.wrap(argv, Path(facts.hosts_file)), env=environment, check=False)
    click.get_current_context().exit(done.returncode)


def _environment(facts: Facts) -> dict[str, str]:
    """Return the caller's environment with this cluster, and without the path that sandbox.sh set for us."""
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    return {**kept, "KUBECONFIG": facts.kubeconfig}


def run() -> None:
    """Run the command line. A completion finds its program by the name without a directory."""
    main(prog_name="sandbox.sh" if _COMPLETE in os.environ else "./sandbox.sh", complete_var=_COMPLETE)
