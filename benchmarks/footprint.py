"""The memory of an idle operator, and the cost of its CRD."""

import json
import tempfile
import time
from pathlib import Path

import yaml

from benchmarks.figures import Figures, middle, say
from benchmarks.options import Options
from benchmarks.process import resident
from benchmarks.replicas import Replica
from benchmarks.stage import install_crds, stage
from sandbox.api import Api
from sandbox.chart.install import OPERATOR
from sandbox.chart.render import RELEASE_NAMESPACE, ROOT
from sandbox.controlplane import ControlPlane

_SETTLED = 20.0  # seconds until an idle operator, or an API server after its start, is steady
_SETTINGS = {"leaderElection": {"namespace": RELEASE_NAMESPACE}, "intervals": {}, "logging": {"level": "INFO"}}


def measure(hosts: Path, options: Options, figures: Figures) -> None:
    """Measure all figures of this group."""
    with stage(hosts, redis=False) as world:
        leader, standby = None, None
        try:
            leader = Replica(world, OPERATOR, **_SETTINGS)
            leader.await_said("leading")
            standby = Replica(world, OPERATOR, **_SETTINGS)
            standby.await_said("health and metrics are served")
            say(f"waiting for two idle operators for {_SETTLED:g} s")
            time.sleep(_SETTLED)
            idle = {"leads": resident(leader.child.pid), "stands by": resident(standby.child.pid)}
        finally:
            for one in (leader, standby):
                if one is not None:
                    one.child.kill()
    for who, memory in idle.items():
        figures.report(f"resident memory idle, without resources: who {who}", memory, "MiB")
    for path in sorted((ROOT / "crds").glob("*.yaml")):
        text = path.read_bytes()
        compact = json.dumps(yaml.safe_load(text), separators=(",", ":")).encode()
        figures.report(
            f"CRD {path.stem}: as stored, compact JSON",
            len(compact),
            "bytes",
            target=1_048_576,
            compared_to=f"{len(text)} bytes as YAML; etcd takes 1.5 MiB, kubectl apply without --server-side 256 KiB",
        )
    before, grown, drifted = [], [], []
    for number in range(options.planes):
        say(f"API server's memory with the CRD: run {number + 1} of {options.planes}")
        with (
            tempfile.TemporaryDirectory(prefix="secure-redis-bench-") as scratch,
            ControlPlane(Path(scratch), scheduler=False) as plane,
        ):
            pid = plane.pids["kube-apiserver"]
            time.sleep(_SETTLED)
            first = resident(pid)
            time.sleep(_SETTLED)
            second = resident(pid)
            install_crds(Api(plane.cluster))
            time.sleep(_SETTLED)
            before.append(second)
            drifted.append(second - first)
            grown.append(resident(pid) - second)
    figures.report(
        f"API server's resident memory for the CRD: median of {options.planes}",
        middle(grown),
        "MiB",
        compared_to=f"{middle(before):.0f} MiB before; without the CRD it changes by {middle(drifted):+.1f} MiB in the "
        f"same time; single runs {', '.join(f'{one:+.1f}' for one in sorted(grown))}",
    )
