"""The options of a run, set by the environment."""

import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

GROUPS = (
    *("latency", "cold", "steady", "rollout", "rotation", "injected"),
    *("assess", "auditors", "probes", "foreign", "scrapes", "failover", "services", "start", "footprint", "image"),
    *("counts", "peer"),
)


CRDS: Final = "deploy/crds/bundle.yaml"  # External Secrets keeps them there
_PER_NAMESPACE = 100  # resources: the shipped limit


@dataclass(frozen=True, slots=True)
class Options:
    """`resources`: how many in the large runs. `samples`: of the latency. `intervals`: of `interval` seconds each.

    `deployments`: that are moved one after the other, `rotations` times. `consumers`: of the one key of the large
    rotation. `resources` is how many workloads are injected at rest, too. `auditors`: resources without authentication.
    """

    resources: int = 1000
    samples: int = 50
    intervals: int = 10
    interval: int = 30  # the least that the CRD takes
    namespaces: int = 10
    vaults: int = 20
    deployments: int = 20
    rotations: int = 3
    consumers: int = 200
    auditors: int = 5000
    foreign: int = 500  # large objects of others
    failovers: int = 10  # of each kind
    starts: int = 5  # of each kind
    planes: int = 5  # control planes that take the CRD
    groups: tuple[str, ...] = GROUPS
    wide: bool = False  # the identities may list the whole subscription instead of their resource group
    surroundings: bool = True  # the auditors' are read before they are measured: 6 reads for each, 80 a second
    strict: bool = False  # a missed target fails the run
    keep_counts: bool = False  # the counts of this run are those that later ones are compared with
    spy: str = ""  # a directory: py-spy's profiles of the operator go there
    peer: Path | None = None  # the binary of the peer that the operator is compared with
    peer_crds: Path | None = None  # the peer's CRDs

    def spread(self, count: int) -> "Options":
        """Return the options with enough namespaces for `count` resources, and two vaults each."""
        namespaces = max(self.namespaces, -(-count // _PER_NAMESPACE))
        return replace(self, namespaces=namespaces, vaults=2 * namespaces)


def from_environment() -> Options:
    """Return the options of this run.

    `BENCH_SCALE`: resources (1000). `BENCH_QUICK=1`: two intervals, ten samples, one rotation. `BENCH_ONLY`:
    groups, with commas. `BENCH_WIDE=1`: every identity is Reader of the subscription. `BENCH_STRICT`,
    `BENCH_KEEP_COUNTS`, `BENCH_SPY`, `BENCH_PEER` and `BENCH_PEER_CRDS`: see the options of these names. Without
    `BENCH_PEER` the group `peer` is left out.

    Raises:
        SystemExit: one of them is not legal.

    """
    quick = _set("BENCH_QUICK")
    scale = os.environ.get("BENCH_SCALE", "1000")
    peer, peer_crds = _peer()
    asked = tuple(part for part in os.environ.get("BENCH_ONLY", "").split(",") if part)
    groups = asked or tuple(group for group in GROUPS if group != "peer" or peer)
    if not scale.isdecimal() or int(scale) < 20:
        raise SystemExit(f"BENCH_SCALE must be a number of resources, 20 or more; it is {scale!r}")
    if unknown := set(groups) - set(GROUPS):
        raise SystemExit(f"BENCH_ONLY knows {', '.join(GROUPS)}; not {', '.join(sorted(unknown))}")
    if "peer" in groups and peer is None:
        raise SystemExit("The group peer needs BENCH_PEER, the path of a peer's binary")
    options = Options(
        resources=int(scale),
        samples=10 if quick else 50,
        intervals=2 if quick else 10,
        deployments=max(3, min(20, int(scale) // 50)),
        rotations=1 if quick else 3,
        consumers=max(4, min(200, int(scale) // 5)),
        auditors=5 * int(scale),
        foreign=int(scale) // 2,
        failovers=2 if quick else 10,
        starts=2 if quick else 5,
        planes=1 if quick else 5,
        groups=groups,
        wide=_set("BENCH_WIDE"),
        surroundings=not quick,
        strict=_set("BENCH_STRICT"),
        keep_counts=_set("BENCH_KEEP_COUNTS"),
        spy=os.environ.get("BENCH_SPY", ""),
        peer=peer,
        peer_crds=peer_crds,
    )
    return options.spread(options.resources)


def _peer() -> tuple[Path | None, Path | None]:
    """Return the peer's binary and its CRDs. These are looked for beside the binary, as in its source tree."""
    binary = os.environ.get("BENCH_PEER", "")
    if not binary:
        return None, None
    path = Path(binary).resolve()
    if not path.is_file() or not os.access(path, os.X_OK):
        raise SystemExit(f"BENCH_PEER must be the path of a program; {binary!r} is none")
    crds = Path(os.environ.get("BENCH_PEER_CRDS") or path.parent / CRDS).resolve()
    if not crds.is_file():
        raise SystemExit(f"BENCH_PEER_CRDS must be the path of a YAML file with the peer's CRDs; {str(crds)!r} is none")
    return path, crds


def _set(name: str) -> bool:
    return os.environ.get(name, "") not in ("", "0")
