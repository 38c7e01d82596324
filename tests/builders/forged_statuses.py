"""The effects of forged and lost parts of a status on a rotation in each of its phases, as a table.

`python -m tests.builders.forged_statuses` prints the table of docs/internals/status-fields.md.
"""

import copy
from collections.abc import Callable, Mapping
from datetime import timedelta
from functools import cache
from typing import Any, Final

from secure_redis.api import names
from secure_redis.api.times import rfc3339
from secure_redis.domain.assess.rotation_record import digest
from secure_redis.domain.plan.rotation.regeneration_mark import RegenerationMark
from tests.builders.rotations import World, asked

Status = dict[str, Any]
REQUEST: Final = "please"
PHASES: Final = ("Waiting", "Intended", "Regenerating", "RollingOut", "Retiring", "Completed")
LONGEST: Final = 80  # passes
QUIET: Final = 8  # passes in which nothing may happen, where nothing is due


def _claims(part: str, **fields: Any) -> Callable[[World], Status]:
    return lambda there: {**there.status, part: {**there.status.get(part, {}), **fields}}


def _without(*parts: str) -> Callable[[World], Status]:
    return lambda there: {name: value for name, value in there.status.items() if name not in parts}


def _intended(there: World) -> Status:
    at = rfc3339(there.now)
    claim = {"phase": "Intended", "request": "emergency-x", "target": "Secondary", "startedAt": at, "recordedAt": at}
    return {**there.status, "rotation": claim}


def _retiring(there: World) -> Status:
    """The most dangerous claim: everything has moved, and the key that the pods hold is retired."""
    mark = RegenerationMark.on(there.vault.tags)
    at = mark.rotation if mark is not None else rfc3339(there.now)
    claim = {"phase": "Retiring", "request": "emergency-force-x", "target": "Secondary", "recordedAt": at}
    return {**there.status, "rotation": claim, "workloads": _moved(there)["workloads"]}


def _moved(there: World) -> Status:
    moved = [
        {"id": name, "kind": "Deployment", "name": name, "injected": True, "uid": facts.uid}
        for name, facts in there.workloads.items()
    ]
    return {**there.status, "workloads": moved, "stalePods": None}


def _early(there: World) -> Status:
    early = rfc3339(there.now - timedelta(days=90))
    credential = {"slot": "Secondary", "keyVaultVersion": there.vault.version, "publishedAt": early}
    done = {"completedAt": early, "slot": "Primary"}
    rotation = {**there.status.get("rotation", {"phase": "Completed"}), **done}
    return {**there.status, "credential": credential, "rotation": rotation}


FORGERIES: Final[Mapping[str, Callable[[World], Status]]] = {
    "everything is lost": lambda _: {},
    "`rotation` is lost": _without("rotation"),
    "`rotation` claims an intended emergency": _intended,
    "`rotation` and `workloads` claim that only the retirement is left": _retiring,
    "`rotation` claims Completed": _claims("rotation", phase="Completed", recordedAt=None),
    "`rotation` claims Superseded": _claims("rotation", phase="Superseded", recordedAt=None),
    "`rotation` claims another target": _claims("rotation", target="Primary", recordedAt="2020-01-01T00:00:00Z"),
    "`credential` is lost": _without("credential"),
    "`credential` and `completedAt` claim an old publication": _early,
    "`lastHandled` is lost": _without("lastHandled"),
    "`lastHandled` claims that the request was answered": _claims("lastHandled", rotate=REQUEST),
    "`lastHandled` claims that another one was": _claims("lastHandled", rotate="another"),
    "`workloads` is lost": _without("workloads"),
    "`workloads` claims that every pod has moved": _moved,
    "`conditions` and `cache` are lost": _without("conditions", "cache"),
    "`pending` claims a creation": _claims("pending", action="CreateCache", recordedAt="2026-11-24T12:00:00Z"),
}


@cache
def _reached(phase: str) -> World:
    """A world in which a rotation has come to a phase. To be copied."""
    if phase != "Waiting":
        return asked(REQUEST, until=phase)
    made = asked(REQUEST, other_consumers="Possible")
    return made.looks(until=lambda one: one.reason == "ApprovalRequired")


def _finished(made: World) -> bool:
    """Whether the rotation has ended, by the vault and the Secret."""
    if made.secret is None or RegenerationMark.on(made.vault.tags) is not None:
        return False
    return made.secret.annotations.get(names.SECRET_ROTATION) == f"done/{digest(REQUEST)}"


def _look(made: World) -> None:
    made.look()
    for name in made.workloads:
        made.roll(name, most=9)
    made.pass_time(1)


def _passes(made: World, phase: str) -> int:
    """Run passes until the rotation has ended. Returns the number of passes.

    Raises:
        AssertionError: a key was lost, an approval was passed over, or the rotation does not end.

    """
    if phase == "Waiting":
        for _ in range(QUIET):
            _look(made)
        assert made.regenerated == [], "regenerated without an approval"
        made.approve()
    passes = 0
    while not _finished(made):
        assert passes < LONGEST, f"it does not end: {made.rotation}"
        _look(made)
        passes += 1
    for _ in range(QUIET):
        _look(made)
    for one in made.regenerated:
        assert one.allowed, f"the {one.slot} key was regenerated although consumers outside may hold it"
        assert not one.consumers, f"the {one.slot} key was regenerated under {one.consumers}"
    assert made.status["lastHandled"]["rotate"] == REQUEST
    return passes


@cache
def _undisturbed(phase: str) -> tuple[int, list[str]]:
    """Return the number of passes when the status is not forged, and the keys that are regenerated."""
    made = copy.deepcopy(_reached(phase))
    return _passes(made, phase), [str(one.slot) for one in made.regenerated]


def outcome(phase: str, forge: Callable[[World], Status]) -> str:
    """Return the effect of a status that is forged in this phase.

    Raises:
        AssertionError: more than time is lost.

    """
    made = copy.deepcopy(_reached(phase))
    made.status = copy.deepcopy(forge(made))
    usual, expected = _undisturbed(phase)
    passes = _passes(made, phase)
    effects = [str(one.slot) for one in made.regenerated]
    assert effects == expected, f"other keys were regenerated: {effects}"
    return "no difference" if passes <= usual else f"{passes - usual} more"


def table() -> str:
    """The table in Markdown."""
    rows = [["forged or lost", *PHASES], ["---"] * (len(PHASES) + 1)]
    rows += [[name, *(outcome(phase, forge) for phase in PHASES)] for name, forge in FORGERIES.items()]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


if __name__ == "__main__":
    print(table())  # noqa: T201
