"""The operator's surroundings fail for a while: it says so, harms nothing, and goes on by itself afterwards."""

import itertools
import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from sandbox.azure.state.faults import Fault
from sandbox.chart.render import RELEASE_NAMESPACE
from sandbox.controlplane import ControlPlane
from sandbox.gate import Gate
from sandbox.waiting import PATIENCE, wait_for
from sandbox.world import LEASE, World
from tests.faults import operators
from tests.faults.operators import Operator
from tests.faults.scenarios import PUBLISH, Stage

RETRY_AFTER = 2  # seconds, as the vault says


@pytest.fixture
def stage(world: World) -> Stage:
    """A team with a cache, a key in its vault, and a resource that is not applied yet."""
    return PUBLISH.stage(world)


@pytest.fixture
def kubeconfig(world: World) -> Path:
    """The operator's kubeconfig for the API server itself."""
    return operators.operator_kubeconfig(world)


@pytest.fixture
def spoken(capsys: pytest.CaptureFixture[str]) -> Any:
    """Prints a measured figure."""

    def say(text: str) -> None:
        with capsys.disabled():
            print(f"\n{text}")  # noqa: T201 - a figure for the person who runs it

    return say


@contextmanager
def running(world: World, kubeconfig: Path, *stages: Stage, **settings: Any) -> Iterator[Operator]:
    namespaces = (stage.team.namespace for stage in stages)
    with operators.running(operators.start(world, kubeconfig, *namespaces, **settings)) as operator:
        yield operator


def ready(stage: Stage) -> None:
    stage.world.await_condition(stage.document, "Ready", "True")


def store_second(stage: Stage) -> str:
    """The other key becomes the newest version in the vault."""
    return stage.world.store_key(stage.team, stage.name, slot="Secondary")


def published(stage: Stage) -> str | None:
    found = stage.world.get(stage.document) or {}
    version = found.get("status", {}).get("credential", {}).get("keyVaultVersion")
    return None if version is None else str(version)


@contextmanager
def a_pass_waits_for_azure(operator: Operator, stage: Stage) -> Iterator[Callable[[], None]]:
    """A pass that has a new version to publish waits for the cache's keys, until the end or until it is lifted."""
    control = stage.world.control
    waiting = control.faults.add(Fault(service="arm", method="POST", path="listKeys", kind="hang", when="after"))
    try:
        store_second(stage)
        stage.refresh()
        wait_for(lambda: control.faults.hits().get(waiting), PATIENCE, "the operator to wait for Azure")
        yield lambda: control.faults.remove(waiting)
    finally:
        control.faults.remove(waiting)


def election(world: World) -> dict[str, Any]:
    """The world's short Lease."""
    return {"leaderElection": world.configuration()["leaderElection"]}


def lease_holder(world: World) -> str | None:
    path = f"/apis/coordination.k8s.io/v1/namespaces/{RELEASE_NAMESPACE}/leases/secure-redis-operator"
    answer = world.api.get(path)
    return None if answer.status == 404 else str(answer.must()["spec"].get("holderIdentity") or "")


# --- the API server -------------------------------------------------------------------------------------------------


def test_the_way_to_the_api_server_is_cut_for_a_while(world: World, gate: Gate, stage: Stage, spoken: Any) -> None:
    later = PUBLISH.stage(world)
    with running(world, gate.kubeconfig(operators.operator_kubeconfig(world)), stage, later) as operator:
        world.apply(stage.document)
        ready(stage)
        uid = stage.secret_uid()
        gate.close()
        try:
            world.apply(later.document)
            secret = {"apiVersion": "v1", "kind": "Secret", "metadata": _named(stage)}
            world.api.merge(secret, {"data": {"password": "dGFtcGVyZWQ="}}).must()
            wait_for(lambda: _complains(operator), PATIENCE, "the outage to be noticed")
        finally:
            gate.open()
        started = time.monotonic()
        ready(later)
        spoken(f"API server back: new resource ready after {time.monotonic() - started:.1f} s")
        wait_for(lambda: stage.end()["secret"]["password"] == "Primary", PATIENCE, "the tampered Secret to be repaired")
        spoken(f"API server back: tampered Secret repaired after {time.monotonic() - started:.1f} s")
        assert stage.secret_uid() == uid
        operator.child.check()


@pytest.mark.parametrize("awaited", ["kubernetes", "azure"])
def test_a_leader_without_its_api_server_ends_by_itself(
    world: World, plane: ControlPlane, kubeconfig: Path, stage: Stage, spoken: Any, awaited: str
) -> None:
    """Within seconds of its Lease's loss, though a pass waits for an answer that does not come."""
    with running(world, kubeconfig, stage, **election(world)) as operator:
        world.apply(stage.document)
        ready(stage)
        with a_pass_waits_for_azure(operator, stage) as lift:
            os.kill(plane.pids["kube-apiserver"], signal.SIGSTOP)
            try:
                if awaited == "kubernetes":
                    lift()  # it goes on, to write what cannot be written now
                wait_for(lambda: operator.said("leadership lost"), PATIENCE, "the Lease to be lost")
                started = time.monotonic()
                assert operator.child.wait(PATIENCE) == 1
                seconds = time.monotonic() - started
            finally:
                os.kill(plane.pids["kube-apiserver"], signal.SIGCONT)
        spoken(f"API server frozen: the leader ended {seconds:.1f} s after the Lease was lost")
        assert seconds < 20
        assert operator.said("the process did not end by itself in time") is None
    version = store_second(stage)
    with running(world, kubeconfig, stage, **election(world)):
        wait_for(lambda: published(stage) == version, PATIENCE, "the next leader to publish")


# --- Azure ----------------------------------------------------------------------------------------------------------


def test_azure_is_away_for_a_while(world: World, kubeconfig: Path, stage: Stage, spoken: Any) -> None:
    with running(world, kubeconfig, stage) as operator:
        world.apply(stage.document)
        ready(stage)
        uid, mark = stage.secret_uid(), world.control.log.position()
        away = [
            world.control.faults.add(Fault(service=name, kind="reset", times=None))
            for name in ("arm", "vault", "entra")
        ]
        stage.refresh()
        world.await_condition(stage.document, "CacheAvailable", "Unknown", "AzureUnreachable")
        assert (world.condition(stage.document, "Ready") or ("",))[0] == "True", "a good Secret is not made bad by it"
        for fault in away:
            world.control.faults.remove(fault)
        version = store_second(stage)
        started = time.monotonic()
        world.await_condition(stage.document, "CacheAvailable", "True")
        stage.refresh()
        wait_for(lambda: published(stage) == version, PATIENCE, "the new version to be published")
        spoken(f"Azure back: recovered after {time.monotonic() - started:.1f} s")
        assert stage.secret_uid() == uid
        assert world.control.log.writes(mark) == []
        operator.child.check()


def test_a_throttled_vault_is_left_alone_and_others_go_on(
    world: World, kubeconfig: Path, stage: Stage, spoken: Any
) -> None:
    other = PUBLISH.stage(world)
    with running(world, kubeconfig, stage, other) as operator:
        for one in (stage, other):
            world.apply(one.document)
            ready(one)
        uid, mark = stage.secret_uid(), world.control.log.position()
        throttled = Fault(
            service="vault",
            principal=stage.team.object_id,
            kind="status",
            status=429,
            headers={"Retry-After": str(RETRY_AFTER)},
            body={"error": {"code": "Throttled", "message": "Request was not processed because too many requests"}},
            times=None,
        )
        fault = world.control.faults.add(throttled)
        versions = store_second(stage), store_second(other)
        stage.refresh()
        other.refresh()
        wait_for(lambda: published(other) == versions[1], PATIENCE, "the other vault's resource to go on")
        wait_for(lambda: world.control.faults.hits()[fault] >= 3, PATIENCE, "the vault to be asked three times")
        refused = [r for r in world.control.log.requests(mark, service="vault") if r.status == 429]
        gaps = [later.time - earlier.time for earlier, later in itertools.pairwise(refused)]
        spoken(f"429: {len(refused)} calls, gaps {[round(gap, 1) for gap in gaps]} s with Retry-After {RETRY_AFTER}")
        assert min(gaps) >= RETRY_AFTER * 0.95
        assert published(stage) != versions[0]
        assert stage.secret_uid() == uid
        world.control.faults.remove(fault)
        started = time.monotonic()
        wait_for(lambda: published(stage) == versions[0], PATIENCE, "the throttled vault's resource to recover")
        spoken(f"429 over: recovered after {time.monotonic() - started:.1f} s")
        operator.child.check()


# --- replicas -------------------------------------------------------------------------------------------------------


def test_sigterm_gives_the_lease_back_at_once(world: World, kubeconfig: Path, stage: Stage, spoken: Any) -> None:
    with running(world, kubeconfig, stage, **election(world)) as operator:
        world.apply(stage.document)
        ready(stage)
        assert lease_holder(world)
        started = time.monotonic()
        assert operator.child.terminate(PATIENCE) == 0
        seconds = time.monotonic() - started
        spoken(f"SIGTERM: ended after {seconds:.1f} s")
        assert lease_holder(world) == ""
        assert seconds < LEASE["leaseDurationSeconds"]


def test_sigterm_waits_for_a_pass_no_longer_than_configured(
    world: World, kubeconfig: Path, stage: Stage, spoken: Any
) -> None:
    settings = {**election(world), "intervals": {**world.configuration().get("intervals", {}), "drainSeconds": 2}}
    with running(world, kubeconfig, stage, **settings) as operator:
        world.apply(stage.document)
        ready(stage)
        with a_pass_waits_for_azure(operator, stage):
            started = time.monotonic()
            assert operator.child.terminate(PATIENCE) == 0
            seconds = time.monotonic() - started
        spoken(f"SIGTERM while a pass hangs: ended after {seconds:.1f} s")
        assert lease_holder(world) == ""
        assert 2 <= seconds < 20, "20 is the default"


@pytest.mark.slow  # test_lease has the Lease's part of it
def test_a_standby_takes_over_from_a_killed_leader(world: World, kubeconfig: Path, stage: Stage, spoken: Any) -> None:
    settings = election(world)
    with running(world, kubeconfig, stage, **settings) as leader:
        wait_for(lambda: leader.said("leading"), PATIENCE, "the first to lead")
        with running(world, kubeconfig, stage, **settings) as standby:
            world.apply(stage.document)
            ready(stage)
            assert standby.said("leading") is None
            leader.child.kill()
            started = time.monotonic()
            version = store_second(stage)
            wait_for(lambda: standby.said("leading"), PATIENCE, "the standby to lead")
            seconds = time.monotonic() - started
            wait_for(lambda: published(stage) == version, PATIENCE, "the standby to publish")
            spoken(
                f"kill -9: the standby led after {seconds:.1f} s (lease {LEASE['leaseDurationSeconds']} s) "
                f"and published after {time.monotonic() - started:.1f} s"
            )


def _named(stage: Stage) -> dict[str, str]:
    return {"name": stage.name, "namespace": stage.team.namespace}


def _complains(operator: Operator) -> bool:
    return any("request attempt" in str(entry.get("message", "")).lower() for entry in operator.entries())
