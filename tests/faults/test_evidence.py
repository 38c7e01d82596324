"""A fact that the operator can no longer find is Unknown: after an odd answer, its own defect, or a hanging pass.

A cache is opened meanwhile, and no condition reports it as safe.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from sandbox.azure.state.faults import Fault
from sandbox.waiting import PATIENCE, wait_for
from sandbox.world import World
from tests.faults import operators
from tests.faults.operators import Operator
from tests.faults.scenarios import PUBLISH, Stage

pytestmark = pytest.mark.attempt  # F09 of the security review
SECRET = "a-value-that-no-log-may-contain"
# The operator with a defect: assessing raises while a file is there.
BROKEN = """
import sys, pathlib
from secure_redis.domain.assess import assessment
intact = assessment.assess
def assess(*given, **more):
    if pathlib.Path(sys.argv[-1]).exists():
        raise ZeroDivisionError({secret!r})
    return intact(*given, **more)
assessment.assess = assess
from secure_redis.cli.main import main
main(sys.argv[1:-1])
"""
# The operator with short times, so that a result ends within a test.
SHORT = """
import sys
from secure_redis.domain.report import evidence
from secure_redis.schedule import unobserved
evidence.good_for = lambda interval: 20.0
unobserved.SWEEP_SECONDS = 0.5
from secure_redis.cli.main import main
main(sys.argv[1:])
"""
# A date that a proxy, a captive portal or a compromised service may send: no calendar has this year.
ODD = {"Retry-After": "Mon, 01 Jan 99999999999999999999 00:00:00 GMT"}


@pytest.fixture
def stage(world: World) -> Stage:
    """A team with a cache, a key in its vault, and a resource that is not applied yet."""
    return PUBLISH.stage(world)


@contextmanager
def running(world: World, stage: Stage, *program: str, last: tuple[str, ...] = ()) -> Iterator[Operator]:
    kubeconfig, namespace = operators.operator_kubeconfig(world), stage.team.namespace
    operator = operators.launch(program or ("-m", "secure_redis"), world, kubeconfig, (namespace,), {}, *last)
    with operators.running(operator):
        world.apply(stage.document)
        world.await_condition(stage.document, "Ready", "True")
        yield operator


def open_the_cache(stage: Stage) -> None:
    stage.world.control.redis.update(stage.name, {"enableNonSslPort": True})


def nothing_is_good(stage: Stage) -> bool:
    """No condition reports anything good any more."""
    found = {kind: status for kind, (status, _) in stage.conditions().items()}
    return (
        bool(found)
        and "True" not in {s for k, s in found.items() if k != "DriftDetected"}
        and (found["DriftDetected"] == "Unknown")
    )


def test_an_odd_answer_of_azure_is_unknown_and_hides_no_open_cache(world: World, stage: Stage) -> None:
    with running(world, stage) as operator:
        odd = Fault(service="arm", principal=stage.team.object_id, status=429, headers=ODD, times=None)
        with world.control.faults.during(odd):
            open_the_cache(stage)
            stage.refresh()
            world.await_condition(stage.document, "TransportSecured", "Unknown")
            assert stage.conditions()["CacheAvailable"][0] == "Unknown"
            assert stage.secret_uid() is not None
        stage.refresh()
        world.await_condition(stage.document, "TransportSecured", "False", "NonTLSPortOpen")
        operator.child.check()


def test_passes_that_fail_report_unknown_and_heal(world: World, stage: Stage, tmp_path: Path) -> None:
    flag = tmp_path / "broken"
    with running(world, stage, "-c", BROKEN.replace("{secret!r}", repr(SECRET)), last=(str(flag),)) as operator:
        uid = stage.secret_uid()
        flag.touch()
        open_the_cache(stage)
        stage.refresh()
        message = world.await_condition(stage.document, "Ready", "Unknown", "InternalError")
        assert "ZeroDivisionError" in message
        found = stage.conditions()
        for kind in ("CacheAvailable", "TransportSecured", "CredentialsSynced", "Compliant", "DriftDetected"):
            assert found[kind] == ("Unknown", "InternalError")
        assert stage.secret_uid() == uid
        said = operator.said("a reconcile failed unexpectedly")
        assert said is not None
        assert said["error"] == "ZeroDivisionError"
        assert "assess" in said["stack"]
        assert SECRET not in operator.log.read_text()
        flag.unlink()
        world.await_condition(stage.document, "TransportSecured", "False", "NonTLSPortOpen")
        operator.child.check()


def test_a_pass_that_hangs_leaves_no_good_result_behind(world: World, stage: Stage) -> None:
    with running(world, stage, "-c", SHORT) as operator:
        hangs = Fault(service="vault", principal=stage.team.object_id, kind="hang", times=None)
        with world.control.faults.during(hangs) as fault:
            stage.refresh()
            wait_for(lambda: world.control.faults.hits()[fault], PATIENCE, "the pass to wait for the vault")
            open_the_cache(stage)
            wait_for(lambda: nothing_is_good(stage), PATIENCE, "the last result to end")
            assert stage.secret_uid() is not None
        stage.refresh()
        world.await_condition(stage.document, "TransportSecured", "False", "NonTLSPortOpen")
        operator.child.check()
