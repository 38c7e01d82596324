"""`kill -9` at every side effect, before it happens and after: each time the next operator ends where none was killed.

A crash that matters happens between a write and the knowledge of it. Each side effect of an undisturbed run is
therefore held in a run of its own, once before the other side has seen it and once after it has done it; the operator
is killed while it waits, and the request ends as a dead process's does.
"""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from sandbox.gate import Gate, Moment
from sandbox.waiting import wait_for
from sandbox.world import World
from tests.faults import operators
from tests.faults.scenarios import SCENARIOS, Scenario, Stage
from tests.faults.side_effects import Held, SideEffect, recorded

AT_ONCE = 3  # mostly they wait
SECONDS = 60.0  # for what takes two
MOMENTS: tuple[Moment, ...] = ("before", "after")


@pytest.fixture(scope="module")
def kubeconfig(world: World, gate: Gate) -> Path:
    """The operator's rights, through the gate."""
    return gate.kubeconfig(operators.operator_kubeconfig(world))


@contextmanager
def running(stage: Stage, kubeconfig: Path) -> Iterator[operators.Operator]:
    operator = operators.start(stage.world, kubeconfig, stage.team.namespace)
    try:
        yield operator
    except Exception as error:
        error.add_note(f"the operator's last words:\n{operator.child.tail()}")
        raise
    finally:
        operator.child.kill()


def undisturbed(
    scenario: Scenario, world: World, gate: Gate, kubeconfig: Path
) -> tuple[list[SideEffect], dict[str, Any], list[str]]:
    """The side effects from the trigger on, the end, and what changed in Azure in all."""
    stage = scenario.stage(world)
    with running(stage, kubeconfig) as operator:
        if scenario.begin:
            scenario.begin(stage)
        marks = gate.mark, world.control.mark()
        scenario.trigger(stage)
        wait_for(lambda: scenario.done(stage), SECONDS, f"{scenario.name} to be done")
        assert operator.child.terminate(30) == 0
    return recorded(stage, gate, *marks), stage.end(), stage.effects()


def killed(
    scenario: Scenario, world: World, gate: Gate, kubeconfig: Path, effect: SideEffect, moment: Moment
) -> tuple[dict[str, Any], list[str]]:
    """The end and what changed in Azure, when the operator dies at this side effect and another one takes over."""
    stage = scenario.stage(world)
    with running(stage, kubeconfig) as operator:
        if scenario.begin:
            scenario.begin(stage)
        held = Held(stage, gate, effect, moment)
        try:
            scenario.trigger(stage)
            held.wait(SECONDS)
            uid, version = stage.secret_uid(), len(world.control.secret_versions(stage.team.name, stage.name))
            operator.child.kill()
        finally:
            held.drop()
    with running(stage, kubeconfig) as operator:
        wait_for(lambda: scenario.done(stage), SECONDS, f"{scenario.name} to be done after the crash")
        # It may have been done before: the new operator must have looked and found nothing to do.
        looked = "pass ended" if world.get(stage.document) else "health and metrics are served"
        wait_for(lambda: operator.said(looked), SECONDS, "the new operator to have looked")
        # The passes under way are drained, so that nothing happens after we looked.
        assert operator.child.terminate(30) == 0
    if uid is not None:
        assert stage.secret_uid() == uid, "the Secret was lost and made anew"
    assert len(world.control.secret_versions(stage.team.name, stage.name)) >= version
    return stage.end(), stage.effects()


@pytest.mark.timeout(900)
@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.name)
def test_kill_at_every_side_effect(
    scenario: Scenario, world: World, gate: Gate, kubeconfig: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    started = time.monotonic()
    effects, end, changes = undisturbed(scenario, world, gate, kubeconfig)
    # An event is told or lost; it is no state that a crash could spoil. Killed at one, the operator is where it was
    # after the status write before it, which is in the list.
    counted = [effect for effect in effects if effect.what != "POST events"]

    def attempt(case: tuple[SideEffect, Moment]) -> str:
        effect, moment = case
        try:
            found, changed = killed(scenario, world, gate, kubeconfig, effect, moment)
        except Exception as error:
            return f"{moment} {effect}: {type(error).__name__}: {error} {getattr(error, '__notes__', '')}"
        wrong = {name: (found[name], end[name]) for name in end if found[name] != end[name]}
        # Corrections have no order among each other; what is done twice would show.
        if sorted(changed) != sorted(changes):
            wrong["changes in Azure"] = (changed, changes)
        return f"{moment} {effect}: {wrong}" if wrong else ""

    with ThreadPoolExecutor(AT_ONCE) as pool:
        cases = [(effect, moment) for effect in counted for moment in MOMENTS]
        wrong = [failure for failure in pool.map(attempt, cases) if failure]
    seconds = time.monotonic() - started
    with capsys.disabled():
        print(f"\n{scenario.name}: side effects: {len(counted)}, kills: {len(cases)}, {seconds:.0f} s")  # noqa: T201
    assert not wrong, "\n".join(wrong)
