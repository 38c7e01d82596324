"""The effects of forged and lost parts of a status in each phase of a state machine, as a table.

A story has phases, each with a world that has come to it. The status is forged there, and the passes go on. The world
checks each write against what is true (`tests.builders.lifecycle`). `python -m tests.builders.forged` prints the tables
of docs/internals/status-fields.md.
"""

import copy
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any, Final, get_args

from secure_redis.domain.plan.actions import CacheAction
from tests.builders.lifecycle import Life

Status = dict[str, Any]
Forgery = Callable[[Life], Status]
Remedy = tuple[str, Callable[[Life], None]]  # how the table calls it, and what the author does
LONGEST: Final = 32  # passes
QUIET: Final = 4  # passes in which nothing may happen, where nothing is due
ON_CACHE: Final = frozenset(one.__name__ for one in get_args(CacheAction))
NOTHING: Final = "no difference"
WITHOUT: Final = "No difference in any phase:"


@dataclass(frozen=True)
class Phase:
    """One phase. `reached`: makes a world that has come to it. `ended`: whether the story is at its end.

    `waits_for`: what its author or another party does after some passes. Before that, nothing may be done.
    """

    reached: Callable[[], Life]
    ended: Callable[[Life], bool]
    waits_for: Callable[[Life], None] | None = None


@dataclass(frozen=True)
class Story:
    """A state machine. `again`: acts that may be done more often, and how the table calls them.

    `apart`: acts on the cache that may come before the others or after them.
    `remedies`: what the author does where a forged status stops the story, one after the other until it goes on.
    """

    section: str
    phases: Mapping[str, Phase]
    forgeries: Mapping[str, Forgery]
    again: Mapping[str, str] = field(default_factory=dict)
    apart: frozenset[str] = frozenset()
    remedies: tuple[Remedy, ...] = ()


def outcome(story: Story, name: str, forge: Forgery) -> str:
    """Return the effect of a status that is forged in this phase.

    Raises:
        AssertionError: more than time is lost.

    """
    phase = story.phases[name]
    usual, expected = _undisturbed(phase)
    made = copy.deepcopy(_reached(phase))
    passes, remedy = _passes(made, phase, forge, story.remedies)
    found = [remedy] if remedy is not None else [f"{passes - usual} more"] if passes > usual else []
    return ", ".join([*found, *_more(story, made.acts, expected)]) or NOTHING


def outcomes(story: Story, name: str) -> dict[str, str]:
    """Return the effects in this phase, by forgery."""
    return {forgery: outcome(story, name, forge) for forgery, forge in story.forgeries.items()}


def table(story: Story) -> str:
    """The table in Markdown, and a list of the forgeries that make no difference in any phase."""
    by_phase = [outcomes(story, name) for name in story.phases]
    rows = [["forged or lost", *story.phases], ["---"] * (len(story.phases) + 1)]
    for forgery in story.forgeries:
        cells = [found[forgery] for found in by_phase]
        rows += [] if set(cells) == {NOTHING} else [[forgery, *cells]]
    without = [one for one in story.forgeries if one not in {row[0] for row in rows}]
    listed = [f"- {one}" for one in without]
    return "\n".join([*(f"| {' | '.join(row)} |" for row in rows), "", WITHOUT, "", *listed])


def until(made: Life, condition: Callable[[Life], bool]) -> Life:
    """Run passes until a condition holds."""
    for _ in range(LONGEST):
        if condition(made):
            return made
        made.next_pass()
    raise AssertionError(f"not reached: {made.acts}, {made.status}")


# --- one run --------------------------------------------------------------------------------------------------------


@cache
def _reached(phase: Phase) -> Life:
    """A world that has come to the phase. To be copied."""
    made = phase.reached()
    made.acts.clear()
    return made


@cache
def _undisturbed(phase: Phase) -> tuple[int, list[str]]:
    """The passes and the acts if no one forges the status."""
    made = copy.deepcopy(_reached(phase))
    passes, _ = _passes(made, phase, lambda there: there.status, ())
    return passes, made.acts


def _passes(made: Life, phase: Phase, forge: Forgery, remedies: tuple[Remedy, ...]) -> tuple[int, str | None]:
    """Run passes until the story has ended and stays so. Returns how many, and what the author had to do.

    Raises:
        AssertionError: something was done without what it waits for, or the story does not end.

    """
    if phase.waits_for is not None:
        for _ in range(QUIET):
            made.status = copy.deepcopy(forge(made))  # in each of these passes: it never suffices
            made.next_pass()
        assert made.acts == [], f"{made.acts} without what it waits for"
        phase.waits_for(made)
    made.status = copy.deepcopy(forge(made))
    passes, stayed, remedy = 0, 0, None
    left = list(remedies)
    while stayed < QUIET:
        if passes == LONGEST and left:
            passes, (remedy, act) = 0, left.pop(0)
            act(made)
        assert passes < LONGEST, f"it does not end: {made.acts}, {made.status.get('conditions')}"
        made.next_pass()
        passes += 1
        stayed = stayed + 1 if phase.ended(made) else 0
        if stayed and made.deleting:
            break  # there is no object any more
    return passes, remedy


def _more(story: Story, acts: list[str], expected: list[str]) -> list[str]:
    """Describe which acts were done more often. Any other difference is a fault."""
    for group in ("cache", "apart", "published"):  # the order between them may differ
        done, due = ([one for one in found if _group(story, one) == group] for found in (acts, expected))
        kept, wanted = ([one for one in found if one not in story.again] for found in (done, due))
        assert kept == wanted, f"other acts: {kept} instead of {wanted}"
    assert not Counter(expected) - Counter(acts), f"not done: {acts} instead of {expected}"
    return [f"{count} {story.again[act]} more" for act, count in (Counter(acts) - Counter(expected)).items()]


def _group(story: Story, act: str) -> str:
    if act in story.apart:
        return "apart"
    return "cache" if act.split()[0] in ON_CACHE else "published"
