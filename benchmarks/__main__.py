"""`python -m benchmarks`: prints the figures, one JSON line each."""

import os
import sys
import tempfile
from pathlib import Path

from benchmarks import report
from benchmarks.figures import Figures, claim_stdout, say
from benchmarks.options import Options, from_environment
from sandbox.names import HostsFile, enter

_HOSTS = "SECURE_REDIS_BENCH_HOSTS"  # environment: `enter` may start this process again, which then must find the file


def main() -> int:
    """Run the groups in order. The exit code is 1 only if a run broke; a missed target is a result (but `strict`)."""
    options = from_environment()
    if _HOSTS not in os.environ:
        os.environ[_HOSTS] = str(Path(tempfile.mkdtemp(prefix="secure-redis-bench-")) / "hosts")
        HostsFile(Path(os.environ[_HOSTS]))
    hosts = Path(os.environ[_HOSTS])
    enter(hosts)
    figures = Figures(claim_stdout())
    try:
        _run(options, hosts, figures)
    finally:
        for path in hosts.parent.iterdir():
            path.unlink()
        hosts.parent.rmdir()
    if "counts" not in options.groups or len(options.groups) > 1:
        say(f"kept: {report.keep(figures.lines, options)}")
    print(report.table(figures.lines), file=sys.stderr)
    missed = figures.missed
    say("done" + (f"; missed: {', '.join(missed)}" if missed else ""))
    return 1 if missed and options.strict else 0


def _run(options: Options, hosts: Path, figures: Figures) -> None:
    from benchmarks import (
        assess,
        auditors,
        counts,
        failover,
        footprint,
        foreign,
        image,
        injected,
        large,
        latency,
        peer,
        probes,
        rollout,
        rotation,
        scrapes,
        services,
        start,
    )  # after `enter`: libraries start threads

    if "latency" in options.groups:
        latency.measure(hosts, options, figures)
    if {"cold", "steady"} & set(options.groups):
        large.measure(hosts, options, figures)
    groups = {
        "rollout": rollout,
        "rotation": rotation,
        "injected": injected,
        "auditors": auditors,
        "assess": assess,
        "probes": probes,
        "foreign": foreign,
        "scrapes": scrapes,
        "failover": failover,
        "services": services,
        "start": start,
        "footprint": footprint,
        "image": image,
        "counts": counts,
        "peer": peer,
    }
    for name, group in groups.items():
        if name in options.groups:
            group.measure(hosts, options, figures)


if __name__ == "__main__":
    sys.exit(main())
