"""The background process of a sandbox, which starts, watches and ends its parts.

If it is killed, every part ends with it (PR_SET_PDEATHSIG).
"""

import argparse
import contextlib
import dataclasses
import functools
import os
import select
import signal
import sys
from collections.abc import Callable
from pathlib import Path

import yaml

from sandbox import names
from sandbox.api import Api
from sandbox.chart.render import ROOT
from sandbox.cli.state import Facts, Sandbox
from sandbox.cluster import Cluster
from sandbox.controlplane import ControlPlane
from sandbox.names import HostsFile
from sandbox.processes import Child, ProcessError
from sandbox.waiting import wait_for
from sandbox.world import World

_CHECK_SECONDS = 1.0
_START_SECONDS = 60.0
_INJECTS = {"workloads": {"enabled": True}}  # the chart's default is off


def install_crds(api: Api) -> None:
    """Apply crds/ and wait until the API server serves them."""
    for path in sorted((ROOT / "crds").glob("*.yaml")):
        document = yaml.safe_load(path.read_text())
        api.apply(document).must()
        served = next(version["name"] for version in document["spec"]["versions"] if version["served"])
        collection = f"/apis/{document['spec']['group']}/{served}/{document['spec']['names']['plural']}"
        wait_for(functools.partial(_served, api, collection), _START_SECONDS, f"{path.name} to be served")


def _served(api: Api, collection: str) -> bool:
    return api.get(collection).ok


def start_pods(directory: Path, cluster: Cluster, hosts_file: Path, ca_file: Path) -> Child:
    """Start the kubelet stand-in as its own process and wait until it accepts pods. Raises ProcessError."""
    home = directory / "pods"
    argv: list[str] = [
        *(sys.executable, "-m", "sandbox.pods", "--kubeconfig", str(cluster.kubeconfig), "--directory", str(home)),
        *("--hosts", str(hosts_file), "--ca-file", str(ca_file)),
    ]
    paths = os.pathsep.join([str(ROOT / "operator"), str(ROOT)])
    (home / "ready").unlink(missing_ok=True)
    child = Child(argv, directory / "pods.log", name="pods", env={**os.environ, "PYTHONPATH": paths})

    def ready() -> bool:
        child.check()
        return (home / "ready").exists()

    wait_for(ready, _START_SECONDS, "the kubelet stand-in")
    return child


def run(sandbox: Sandbox, *, operator: bool, bare: bool = False) -> None:
    """Start everything, record it, and run until a signal. Raises ProcessError if a part ends by itself.

    `bare`: no part of the chart is installed, not even the CRD, so that Helm can do it.
    """
    hosts = HostsFile(sandbox.directory / "hosts")
    with contextlib.ExitStack() as stack:
        plane = stack.enter_context(ControlPlane(sandbox.directory / "controlplane"))
        if not bare:
            install_crds(Api(plane.cluster))
        world = World(sandbox.directory, plane.cluster, hosts=hosts.path, settings=_INJECTS, values=_INJECTS)
        stack.callback(world.stop)
        world.start(chart=not bare)
        if bare:
            image = {"repository": "sandbox.test/operator"}
            values = {"image": image, "config": {"cloud": world.configuration()["cloud"]}}
            sandbox.values.write_text(yaml.safe_dump(values))
        ca_file = world.control.endpoints.ca_file
        pods = None
        if names.allowed():  # without mount namespaces there are names, but no pods
            pods = start_pods(sandbox.directory, plane.cluster, hosts.path, ca_file)
            stack.callback(pods.terminate)
        if operator:
            world.start_operator()
        facts = Facts(
            pid=os.getpid(),
            kubeconfig=str(plane.cluster.kubeconfig),
            hosts_file=str(hosts.path),
            ca_file=str(ca_file),
            azure=str(world.azure.directory),
            operator=operator,
        )
        sandbox.save(facts)
        stack.callback(sandbox.forget)

        def check() -> None:
            nonlocal facts
            _check(plane, pods, world)
            facts = _follow_request(sandbox, world, facts)

        _until_told(check)


def _follow_request(sandbox: Sandbox, world: World, facts: Facts) -> Facts:
    """Stop or start the operator where that was requested. Returns the recorded facts."""
    request = sandbox.operator_request()
    if request is None or request.identifier == facts.operator_request:
        return facts
    if request.verb in {"stop", "restart"}:
        world.stop_operator()
    if request.verb in {"start", "restart"} and world.operator is None:
        world.start_operator()
    facts = dataclasses.replace(facts, operator=world.operator is not None, operator_request=request.identifier)
    sandbox.save(facts)
    return facts


def _check(plane: ControlPlane, pods: Child | None, world: World) -> None:
    plane.check()
    if pods is not None:
        pods.check()
    if world.operator is not None:
        world.operator.check()
    try:
        os.kill(world.control.endpoints.pid, 0)
    except ProcessLookupError:
        raise ProcessError(f"the Azure simulator has ended; its log is {world.azure.log}") from None


def _until_told(check: Callable[[], None]) -> None:
    reader, writer = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
    signal.set_wakeup_fd(writer)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: None)
    while not select.select([reader], [], [], _CHECK_SECONDS)[0]:
        check()


def main() -> int:
    """Return the process that `up` starts."""
    parser = argparse.ArgumentParser(prog="python -m sandbox.cli.supervisor", description=__doc__)
    parser.add_argument("--name", required=True)
    start = parser.add_mutually_exclusive_group()
    start.add_argument("--operator", action="store_true")
    start.add_argument("--bare", action="store_true")
    given = parser.parse_args()
    sandbox = Sandbox(given.name)
    if sandbox.hold() is None:
        print(f"the sandbox {given.name!r} runs already", file=sys.stderr)
        return 1
    sandbox.clear()
    signal.signal(signal.SIGTERM, _leave)  # while it starts; parts are then ended by their contexts
    try:
        run(sandbox, operator=given.operator, bare=given.bare)
    except (RuntimeError, TimeoutError, OSError) as error:
        print(f"sandbox: {error}", file=sys.stderr)
        return 1
    return 0


def _leave(*_: object) -> None:
    sys.exit(0)


if __name__ == "__main__":
    sys.exit(main())
