"""The report of a preparation: the place of each step, and how long the rest will take."""

import subprocess
import sys
from pathlib import Path

import pytest

from sandbox import plan, prepare
from sandbox.plan import Plan, about, estimated, step
from sandbox.toolchain import DEFAULT_VERSION


class Clock:
    """The time, which passes where a test says so."""

    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(plan, "time", made)
    monkeypatch.setattr(plan, "cores", lambda: 2)
    return made


def lines(capsys: pytest.CaptureFixture[str]) -> list[str]:
    return [line.removeprefix("sandbox: ") for line in capsys.readouterr().err.splitlines()]


def test_each_step_names_its_place_and_what_is_left(clock: Clock, capsys: pytest.CaptureFixture[str]) -> None:
    steps = Plan([30, 240])
    with steps.each(), step("building etcd"):
        clock.now += 30
    with steps.each(), step("building Kubernetes") as goes_on:
        clock.now += 60
        goes_on()
        clock.now += 180
        goes_on()
    assert lines(capsys) == [
        "step 1 of 2: building etcd (about 5 min left on 2 cores)…",
        "step 1 of 2: building etcd: done in 30 s",
        "step 2 of 2: building Kubernetes (about 4 min left on 2 cores)…",
        "step 2 of 2: 60 s so far, about 3 min left on 2 cores",
        "step 2 of 2: 240 s so far, longer than estimated",
        "step 2 of 2: building Kubernetes: done in 240 s",
    ]


def test_a_slow_machine_corrects_the_estimate(clock: Clock) -> None:
    steps = Plan([60, 100, 40])
    assert steps.left(0) == 200
    with steps.each():
        clock.now += 180
    assert steps.left(0) == 280  # (60 + 180) / (60 + 60) of the estimate


def test_a_step_outside_a_plan_says_how_long_it_takes(clock: Clock, capsys: pytest.CaptureFixture[str]) -> None:
    with step("building Helm", 140):
        clock.now += 100
    with step("fetching a package"):
        pass
    assert lines(capsys) == [
        "building Helm (once, about 3 min on 2 cores)…",
        "building Helm: done in 100 s",
        "fetching a package…",
        "fetching a package: done in 0 s",
    ]


@pytest.mark.parametrize(("cores", "seconds"), [(1, 480), (2, 240), (4, 120), (8, 60), (64, 60)])
def test_an_estimate_is_for_the_cores_of_this_machine(
    monkeypatch: pytest.MonkeyPatch, cores: int, seconds: float
) -> None:
    monkeypatch.setattr(plan, "cores", lambda: cores)
    assert estimated(240) == seconds


@pytest.mark.parametrize(("seconds", "text"), [(7, "about 10 s"), (90, "about 90 s"), (91, "about 2 min")])
def test_a_duration_is_rounded_up(seconds: float, text: str) -> None:
    assert about(seconds) == text


# A Go that builds whatever it is asked for, and a redis-server that speaks TLS.
GO = """#!/bin/sh
if [ "$1" = env ]; then echo go1.26.9; exit; fi
while [ "$1" != -o ]; do shift; done
output=$2; shift 2
if [ $# = 1 ]; then echo built > "$output"; exit; fi
for one; do echo built > "$output/${one##*/}"; done
"""
REDIS = "#!/bin/sh\necho 'Failed opening Unix socket'\n"


def test_a_preparation_says_what_it_found_and_what_it_makes(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    tools, assets = tmp_path / "tools", tmp_path / "assets"
    etcd = "#!/bin/sh\necho 'etcd Version: 3.6.4'\n"
    for program, text in ((tools / "go", GO), (tools / "redis-server", REDIS), (assets / "etcd", etcd)):
        program.parent.mkdir(exist_ok=True)
        program.write_text(text)
        program.chmod(0o755)
    environment = {
        "PATH": f"{tools}:{Path(sys.executable).parent}:/usr/bin:/bin",
        "PYTHONPATH": str(Path(prepare.__file__).parents[1]),
        "SECURE_REDIS_CACHE": str(tmp_path / "cache"),
        "KUBEBUILDER_ASSETS": str(assets),
        "HOME": str(tmp_path),
    }
    code = "from sandbox.prepare import prepare; prepare(helm=False)"
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    missing, found, heading, begin, end = [line.removeprefix("sandbox: ") for line in done.stderr.splitlines()]
    minor = DEFAULT_VERSION.rpartition(".")[0]
    assert missing.endswith(f"no kube-apiserver, wanted is Kubernetes {minor}: not used")
    assert found == f"etcd is on this machine: {assets / 'etcd'} (etcd Version: 3.6.4)"
    assert heading.startswith("1 step to prepare, about ")
    assert heading.endswith(f"What is made stays in {tmp_path / 'cache'}")
    title = f"step 1 of 1: building kube-apiserver, kube-controller-manager and kube-scheduler {DEFAULT_VERSION}"
    assert begin.startswith(f"{title} (about ")
    assert end.startswith(f"{title}: done in ")
    again = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    assert "step" not in again.stderr
