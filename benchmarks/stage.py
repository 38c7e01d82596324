"""The setting of one group of figures: a control plane with the CRD, a world, and the operator as shipped."""

import base64
import secrets
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml

from benchmarks.figures import say
from benchmarks.process import OperatorProcess, free_port
from sandbox.api import Api
from sandbox.azure.seeds import seeds
from sandbox.azure.seeds.managed_redis import ManagedCluster
from sandbox.chart.install import install
from sandbox.chart.render import RELEASE_NAMESPACE, ROOT
from sandbox.cli.supervisor import start_pods
from sandbox.controlplane import ControlPlane
from sandbox.processes import Child
from sandbox.waiting import wait_for
from sandbox.world import SUBSCRIPTION, Team, World

_WITH_WORKLOADS: dict[str, Any] = {"workloads": {"enabled": True}}
RESOURCES = "/apis/secureredis.io/v1alpha1/securerediscaches"


@contextmanager
def stage(
    hosts: Path, *, redis: bool, workloads: bool = False, pods: bool = False, chart: bool = True
) -> Iterator[World]:
    """Run a world on its own control plane, without an operator, until the end of the block.

    `workloads`: the chart gives the permissions on them. `pods`: a node runs their pods as processes. `chart=False`:
    without the chart, whose policies would judge a peer's writes too.
    """
    with tempfile.TemporaryDirectory(prefix="secure-redis-bench-") as scratch:
        directory = Path(scratch)
        say("starting a control plane and the simulated Azure")
        with ControlPlane(directory / "control-plane") as plane:
            install_crds(Api(plane.cluster))
            world = World(directory / "world", plane.cluster, redis=redis, hosts=hosts)
            world.start(chart=chart)
            node: Child | None = None
            try:
                if workloads or pods:
                    install(world.api, _WITH_WORKLOADS)
                    world.settings = dict(_WITH_WORKLOADS)
                if pods:
                    say("starting a node for the pods")
                    node = start_pods(directory, plane.cluster, hosts, world.control.endpoints.ca_file)
                yield world
                plane.check()
                if node is not None:
                    node.check()
            finally:
                world.stop()
                if node is not None:
                    node.terminate(30)


def install_crds(api: Api) -> None:
    """Apply every CRD and wait until the API server lists our resources."""
    for path in sorted((ROOT / "crds").glob("*.yaml")):
        api.apply(yaml.safe_load(path.read_text())).must()
    wait_for(lambda: api.get(RESOURCES).ok, 30, "the CRD to be served")


def start_operator(world: World, **intervals: float) -> OperatorProcess:
    """Start the operator as shipped except for `intervals`, lease and port, with log level INFO."""
    port = free_port()
    settings: dict[str, Any] = {
        "leaderElection": {"namespace": RELEASE_NAMESPACE},
        "intervals": intervals,
        "logging": {"level": "INFO"},
        "health": {"port": port},
    }
    return OperatorProcess(world.start_operator(**settings), port)


def new_cache(team: Team, name: str) -> seeds.Cache:
    """Return a safe cache with a private endpoint and a known primary key."""
    return seeds.Cache(
        subscription=SUBSCRIPTION,
        group=team.name,
        name=name,
        properties={"minimumTlsVersion": "1.2", "publicNetworkAccess": "Disabled"},
        private_endpoints=(seeds.PrivateEndpoint(name="shop"),),
        primary_key=_key(),
    )


def new_cluster(team: Team, name: str) -> ManagedCluster:
    """Return a safe cluster of Managed Redis with a private endpoint and a known primary key of its database."""
    return ManagedCluster(
        subscription=SUBSCRIPTION,
        group=team.name,
        name=name,
        properties={"publicNetworkAccess": "Disabled"},
        private_endpoints=(seeds.PrivateEndpoint(name="shop"),),
        primary_key=_key(),
    )


def _key() -> str:
    return base64.b64encode(secrets.token_bytes(32)).decode()
