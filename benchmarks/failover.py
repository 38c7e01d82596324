"""Two replicas and one Lease with its shipped times: the time without a leader, and whether a frozen leader acts."""

import os
import signal
import time
import uuid
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.figures import Figures, middle, say
from benchmarks.options import Options
from benchmarks.replicas import Replica, second_account, writes_of
from benchmarks.stage import new_cache, stage
from sandbox.azure.seeds import seeds
from sandbox.chart.install import OPERATOR
from sandbox.chart.render import RELEASE_NAMESPACE
from sandbox.waiting import wait_for
from sandbox.world import Team, World

LEASE = 15  # seconds, as shipped
_SETTINGS = {"leaderElection": {"namespace": RELEASE_NAMESPACE}, "intervals": {}, "logging": {"level": "INFO"}}


@dataclass
class _Taken:
    led: list[float] = field(default_factory=list)  # seconds until the other one led
    passed: list[float] = field(default_factory=list)  # seconds until its first pass had ended


def measure(hosts: Path, options: Options, figures: Figures) -> None:
    """Measure all figures of this group."""
    with stage(hosts, redis=True) as world:
        team = world.team("failover")
        cache = new_cache(team, "failover")
        world.control.seed(cache)
        world.control.keyvault.set_secret(team.name, "failover", seeds.SecretVersion(value=cache.primary_key or ""))
        document = world.resource(team, "failover", key="failover")
        accounts = [OPERATOR, second_account(world)]
        leader = Replica(world, accounts[0], **_SETTINGS)
        leader.await_said("leading")
        world.apply(document)
        world.await_condition(document, "Ready", "True", timeout=60)
        graceful, crash, freeze, acts = _Taken(), _Taken(), _Taken(), 0
        try:
            for number in range(options.failovers * 3):
                accounts.reverse()
                standby = _standby(world, accounts[0])
                taken, how = ((graceful, "SIGTERM"), (crash, "SIGKILL"), (freeze, "SIGSTOP"))[number % 3]
                say(f"fail-over {number + 1} of {options.failovers * 3}: {how}")
                began = time.monotonic()
                os.kill(leader.child.pid, getattr(signal, how))
                taken.led.append(standby.await_said("leading") - began)
                taken.passed.append(standby.await_said("pass ended") - began)
                if how == "SIGSTOP":
                    acts += _thaw(world, leader, team)
                leader.child.wait(60)
                leader = standby
        finally:
            leader.child.kill()
    _report(figures, graceful, crash, freeze, acts)


def _standby(world: World, account: str) -> Replica:
    """Start another replica and wait until it has read the Lease's last renewal, like a long-running standby."""
    standby = Replica(world, account, **_SETTINGS)
    before = world.cluster.audit_position()
    standby.await_said("health and metrics are served")
    wait_for(
        lambda: (
            len(world.cluster.audit_events(since=before, user=standby.user, where=lambda e: e.resource == "leases")) > 1
        ),
        30,
        "the standby to read the Lease twice",
    )
    return standby


def _thaw(world: World, leader: Replica, team: Team) -> int:
    """Continue the frozen replica with work to do. Returns what it writes until it has ended."""
    value = uuid.uuid4().hex
    document = {"apiVersion": "secureredis.io/v1alpha1", "kind": "SecureRedisCache"}
    document |= {"metadata": {"name": "failover", "namespace": team.namespace}}  # type: ignore[dict-item]
    world.api.merge(document, {"metadata": {"annotations": {"secureredis.io/refresh": value}}}).must()
    audit, azure = world.cluster.audit_position(), world.control.log.position()
    os.kill(leader.child.pid, signal.SIGCONT)
    leader.child.wait(60)
    return len(writes_of(world, leader, audit)) + len(world.control.log.writes(azure))


def _report(figures: Figures, graceful: _Taken, crash: _Taken, freeze: _Taken, acts: int) -> None:
    for name, taken, target in (
        ("graceful (SIGTERM)", graceful, 3.0),
        ("crash (SIGKILL)", crash, LEASE + 2.0),
        ("freeze (SIGSTOP)", freeze, LEASE + 2.0),
    ):
        figures.report(
            f"fail-over, {name}: longest of {len(taken.led)} until another leads",
            max(taken.led),
            "s",
            target=target,
            compared_to=f"median {middle(taken.led):.2f} s; {middle(taken.passed):.2f} s to its first pass",
        )
    figures.report(
        f"writes of a frozen leader after SIGCONT, in {len(freeze.led)} runs",
        acts,
        "writes",
        target=0,
        compared_to="from the API server's audit log (each replica has an identity of its own) and the simulator's log",
    )
