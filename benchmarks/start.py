"""The time from the process's start to the end of its first pass."""

import os
import tempfile
from pathlib import Path

from benchmarks.figures import Figures, middle, say
from benchmarks.options import Options
from benchmarks.replicas import Replica
from benchmarks.stage import new_cache, stage
from sandbox.azure.seeds import seeds
from sandbox.chart.install import OPERATOR
from sandbox.chart.render import RELEASE_NAMESPACE

_SETTINGS = {"leaderElection": {"namespace": RELEASE_NAMESPACE}, "intervals": {}, "logging": {"level": "INFO"}}
_PREFIX = "PYTHONPYCACHEPREFIX"


def measure(hosts: Path, options: Options, figures: Figures) -> None:
    """All figures of this group. Cold: no byte code of any module, the standard library's included; the files
    themselves are in the page cache, which only root could drop. Warm: with byte code, as in the image.
    """
    with stage(hosts, redis=True) as world:
        team = world.team("start")
        cache = new_cache(team, "start")
        world.control.seed(cache)
        world.control.keyvault.set_secret(team.name, "start", seeds.SecretVersion(value=cache.primary_key or ""))
        world.apply(world.resource(team, "start", key="start"))
        former = os.environ.get(_PREFIX)
        taken: dict[str, list[tuple[float, float]]] = {"warm": [], "cold": []}
        try:
            for number in range(options.starts + 1):
                for kind, samples in taken.items():
                    say(f"start {number} of {options.starts}, {kind}")
                    with tempfile.TemporaryDirectory(prefix="secure-redis-bench-") as empty:
                        os.environ.pop(_PREFIX, None)
                        if kind == "cold":
                            os.environ[_PREFIX] = empty
                        one = Replica(world, OPERATOR, **_SETTINGS)
                        try:
                            led = one.await_said("leading") - one.started
                            passed = one.await_said("pass ended") - one.started
                        finally:
                            one.child.terminate(30)
                        if number:  # the first of each publishes the Secret, or writes the byte code
                            samples.append((passed, led))
        finally:
            os.environ.pop(_PREFIX, None)
            if former is not None:
                os.environ[_PREFIX] = former
    for kind, samples in taken.items():
        what = "no byte code, files in the page cache" if kind == "cold" else "with byte code"
        figures.report(
            f"process start to the end of the first pass, {kind}: median of {len(samples)}",
            middle([passed for passed, _ in samples]),
            "s",
            compared_to=f"{what}; it leads after {middle([led for _, led in samples]):.2f} s; "
            f"longest {max(passed for passed, _ in samples):.2f} s",
        )
