"""How a scenario's side effects are enumerated, and how the operator is killed at each of them."""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sandbox.gate import Gate, Moment
from sandbox.waiting import PATIENCE, wait_for
from sandbox.world import World
from tests.faults import operators
from tests.faults.scenarios import Scenario, Stage
from tests.faults.side_effects import Held, SideEffect, recorded

MOMENTS: tuple[Moment, ...] = ("before", "after")


@dataclass(frozen=True)
class _Crash:
    """A stage whose operator was killed, and what was there at that moment."""

    stage: Stage
    case: str
    met: bool  # it was killed exactly where it was meant
    uid: str | None
    versions: int


@dataclass(frozen=True)
class Killing:
    """A world, the gate before its API server, and the operator's kubeconfig through it."""

    world: World
    gate: Gate
    kubeconfig: Path

    def everywhere(self, scenario: Scenario, *, at_once: int, thoroughly: bool = True) -> tuple[str, list[str]]:
        """Kill at every side effect. Return a line on what was done, and what came out wrong.

        `at_once` operators are killed, each in a run of its own; then one takes over all of those runs. `thoroughly`:
        before each side effect and after it too; else in turns before one and after the next.
        """
        started = time.monotonic()
        effects, end, changes = self._undisturbed(scenario)
        # An event is reported or lost; it is no state that a crash could spoil. Killed at one, the operator is where it
        # was after the status write before it, which is in the list.
        counted = [effect for effect in effects if effect.what != "POST events"]
        cases = [
            (effect, moment)
            for number, effect in enumerate(counted)
            for moment in (MOMENTS if thoroughly else MOMENTS[number % 2 :][:1])
        ]
        wrong: list[str] = []
        elsewhere = 0
        with ThreadPoolExecutor(at_once) as pool:
            for first in range(0, len(cases), at_once):
                crashes: list[_Crash] = []
                for came in pool.map(lambda case: self._crash(scenario, *case), cases[first : first + at_once]):
                    if isinstance(came, _Crash):
                        crashes.append(came)
                    else:
                        wrong.append(came)
                elsewhere += sum(not crash.met for crash in crashes)
                wrong += self._take_over(scenario, crashes, end, changes)
        seconds = time.monotonic() - started
        late = f" ({elsewhere} of them after the last status write)" if elsewhere else ""
        return f"{scenario.name}: side effects: {len(counted)}, kills: {len(cases)}{late}, {seconds:.0f} s", wrong

    @contextmanager
    def _running(self, *stages: Stage) -> Iterator[operators.Operator]:
        operator = operators.start(self.world, self.kubeconfig, *(stage.team.namespace for stage in stages))
        try:
            yield operator
        except Exception as error:
            error.add_note(f"the operator's last words:\n{operator.child.tail()}")
            raise
        finally:
            operator.child.kill()

    def _undisturbed(self, scenario: Scenario) -> tuple[list[SideEffect], dict[str, Any], list[str]]:
        """The side effects from the trigger on, the end, and what changed in Azure in all."""
        stage = scenario.stage(self.world)
        with self._running(stage) as operator:
            if scenario.begin:
                scenario.begin(stage)
            marks = self.gate.position, self.world.control.log.position()
            scenario.trigger(stage)
            wait_for(lambda: _done(scenario, stage), PATIENCE, f"{scenario.name} to be done")
            assert operator.child.terminate(PATIENCE) == 0
        found = recorded(stage, self.gate, *marks), stage.end(), stage.effects()
        stage.clean()
        return found

    def _crash(self, scenario: Scenario, effect: SideEffect, moment: Moment) -> _Crash | str:
        """The operator dies at this side effect. A text says why it did not come to that."""
        case = f"{moment} {effect}"
        try:
            stage = scenario.stage(self.world)
            with self._running(stage) as operator:
                if scenario.begin:
                    scenario.begin(stage)
                held = Held(stage, self.gate, effect, moment)
                try:
                    scenario.trigger(stage)
                    met = held.wait(PATIENCE, lambda: scenario.done(stage))
                    crash = _Crash(stage, case, met, stage.secret_uid(), self._versions(stage))
                    dangers = stage.dangers()
                    operator.child.kill()
                finally:
                    held.drop()
        except Exception as error:
            return _told(case, error)
        return f"{case}: when it was killed, {dangers}" if dangers else crash

    def _take_over(
        self, scenario: Scenario, crashes: list[_Crash], end: dict[str, Any], changes: list[str]
    ) -> list[str]:
        """Return what differs from the undisturbed run after another operator has finished the work."""
        wrong: list[str] = []
        if not crashes:
            return wrong
        try:
            with self._running(*(crash.stage for crash in crashes)) as operator:
                for crash in crashes:
                    self._await(scenario, crash, operator)
                # The passes under way are drained, so that nothing happens after we looked.
                assert operator.child.terminate(PATIENCE) == 0
        except Exception as error:
            wrong.append(_told(" / ".join(crash.case for crash in crashes), error))
        for crash in crashes:
            wrong += [f"{crash.case}: {text}" for text in self._differences(scenario, crash, end, changes)]
            crash.stage.clean()
        return wrong

    def _await(self, scenario: Scenario, crash: _Crash, operator: operators.Operator) -> None:
        stage = crash.stage
        wait_for(lambda: _done(scenario, stage), PATIENCE, f"{scenario.name} to be done after the crash {crash.case}")
        # It may have been done before: the new operator must have looked and found nothing to do.
        there = self.world.get(stage.document) is not None
        name = f"{stage.team.namespace}/{stage.name}"

        def looked() -> bool:
            if not there:
                return operator.said("health and metrics are served") is not None
            entries = operator.entries()
            return any(one.get("message") == "pass ended" and one.get("resource") == name for one in entries)

        wait_for(looked, PATIENCE, f"the new operator to have looked at {name}")

    def _differences(self, scenario: Scenario, crash: _Crash, end: dict[str, Any], changes: list[str]) -> Iterator[str]:
        stage = crash.stage
        found, changed = stage.end(), stage.effects()
        for name in end:
            if found[name] != end[name]:
                yield f"{name} is {found[name]}, not {end[name]}"
        # Corrections have no order among each other; what is done twice would show.
        if sorted(changed) != sorted(changes):
            yield f"changes in Azure are {changed}, not {changes}"
        if crash.uid is not None and not scenario.loses_secret and stage.secret_uid() != crash.uid:
            yield "the Secret was lost and made anew"
        if self._versions(stage) < crash.versions:
            yield "a version of the vault's secret was lost"
        yield from stage.dangers()

    def _versions(self, stage: Stage) -> int:
        return len(self.world.control.keyvault.secret_versions(stage.team.name, stage.name))


def _done(scenario: Scenario, stage: Stage) -> bool:
    stage.others()
    return scenario.done(stage)


def _told(case: str, error: Exception) -> str:
    return f"{case}: {type(error).__name__}: {error} {getattr(error, '__notes__', '')}"
