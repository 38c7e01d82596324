"""`make rotation-soak`: rotate many times while canaries in every consumer open connections without a pause.

The cache is an Azure Cache for Redis, or with SOAK_SERVICE=managed an Azure Managed Redis.

20 rotations by another party, then, while the operator is killed at random moments, 20 by itself, one after a failed
rollout, and an emergency one. Ends with `failed AUTH: 0 of N`. Exit code 1 if any AUTH failed, or if any rotation was
not really one.
"""

import argparse
import os
import random
import secrets
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from sandbox.azure.control.port import ControlError
from sandbox.cluster import ClusterError
from sandbox.names import allowed
from sandbox.prepare import NotToBeHad, prepare
from sandbox.processes import ProcessError
from sandbox.services import CLASSIC, SERVICES
from sandbox.soak.rotations import Killer, failed_rollout, followed, led
from sandbox.soak.scene import NAME, Scene, SoakError, scene

_FAILURES = (
    SoakError,
    ControlError,
    ClusterError,
    ProcessError,
    *NotToBeHad,
    AssertionError,
    OSError,
    subprocess.TimeoutExpired,
)
_HOLD_SECONDS = 5.0  # how long both keys must stay alive after a failed rollout
_LEAST_ANSWERED = 0.99
_WORDS = 3000  # of an error; the API server may quote an object whole
_SHOWN = 20  # failures printed one by one


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the soak. Returns the exit code."""
    given = _parse(arguments)
    signal.signal(signal.SIGTERM, _interrupt)
    seed = given.seed or secrets.token_hex(4)
    what = f"{given.rotations} rotations of each kind, service {given.service}"
    _say(f"rotation soak: {what}, seed {seed} (again: SOAK_SEED={seed})")
    if not allowed():
        _say("soak: FAILED: the canaries are pods, which need mount namespaces: run as root, or allow them to users")
        return 1
    with tempfile.TemporaryDirectory(prefix="rotation-soak-") as directory:
        try:
            prepare()
            with scene(Path(directory), given.pause, SERVICES[given.service]) as made:
                return _soak(made, given, random.Random(seed))  # noqa: S311 (which moments, no secret)
        except KeyboardInterrupt:
            _say("soak: interrupted; everything that it started has ended")
            return 130
        except _FAILURES as error:
            _say(f"soak: FAILED: {error}")
            return 1


def _soak(made: Scene, given: argparse.Namespace, chance: random.Random) -> int:
    problem = ""
    try:
        _say(f"{made.tally().canaries} canaries sing in 3 workloads")
        if given.sabotage:
            sabotage(made)
        else:
            run(made, given, chance)
    except _FAILURES as error:  # the counts are printed in any case
        problem = f"soak: FAILED: {str(error)[:_WORDS]}"
        log = made.world.operator_log
        _say(f"The last lines of the operator's log:\n{_tail(log)}")
    total = made.tally()
    for failure in total.failures[:_SHOWN]:
        _say(f"  {failure.at} {failure.canary} {failure.kind}: {failure.text}")
    _say(total.others())
    _say(f"canaries: {total.canaries}")
    if not problem and total.answered + total.failed_auth < _LEAST_ANSWERED * total.attempts:
        # A refused AUTH cannot be detected without a connection.
        problem = f"soak: FAILED: only {total.answered} of {total.attempts} attempts were answered: this proves nothing"
    if problem:
        _say(problem)
    _say(total.verdict())
    return 1 if problem or total.failed_auth or not total.attempts else 0


def run(made: Scene, given: argparse.Namespace, chance: random.Random) -> None:
    """Run all rotations, one after the other. Raises SoakError at the first that fails."""
    count = given.rotations
    for number in range(1, count + 1 if given.only != "led" else 1):
        _told(made, f"followed {number}/{count}", partial(followed, made))
    if given.only == "followed":
        return
    made.lead()
    killer = Killer(made, chance, given.longest)
    made.tick = killer if given.longest else made.tick
    for number in range(1, count + 1):
        _told(made, f"led {number}/{count}", partial(led, made, str(number)))
    if not given.short:
        _told(made, "after a failed rollout", partial(failed_rollout, made, "broken", _HOLD_SECONDS))
    _told(made, "emergency", partial(led, made, "emergency-leak"))
    _say(f"the operator was killed {killer.kills} times")


def sabotage(made: Scene) -> None:
    """Regenerate the key that the pods use. The canaries must detect it, or the soak proves nothing."""
    _say("sabotage: the key that every pod holds is regenerated")
    slot = next(slot for slot, key in made.keys.items() if key == made.published)
    made.world.stop_operator()
    made.control.regenerate(NAME, slot)
    made.until(lambda: made.tally().failed_auth >= len(made.live_pods()), "the canaries to be refused", 30)


def _told(made: Scene, what: str, rotate: Callable[[], None]) -> None:
    before, begun = made.tally(), time.monotonic()
    rotate()
    now = made.tally()
    _say(
        f"{what:24} {time.monotonic() - begun:6.1f} s   {now.attempts - before.attempts:6} attempts in it, "
        f"{now.attempts:7} so far, failed AUTH {now.failed_auth}"
    )


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m sandbox.soak", description=__doc__)
    environment = os.environ.get
    parser.add_argument("--rotations", type=int, default=int(environment("SOAK_ROTATIONS") or 20), help="of each kind")
    parser.add_argument(
        "--service",
        choices=tuple(SERVICES),
        default=environment("SOAK_SERVICE") or CLASSIC.name,
        help="whose cache: Azure Cache for Redis (classic) or Azure Managed Redis (managed)",
    )
    parser.add_argument("--seed", default=environment("SOAK_SEED"), help="of the moments at which the operator dies")
    parser.add_argument("--only", choices=("followed", "led"), help="one half of it")
    parser.add_argument("--short", action="store_true", help="leave out the failed rollout, which takes its deadline")
    parser.add_argument("--pause", type=float, default=0.01, help="seconds between a canary's attempts (0.01)")
    parser.add_argument(
        "--longest",
        type=float,
        default=8.0,
        help="most seconds that an operator leads before it is killed; 0: no kills",
    )
    parser.add_argument(
        "--sabotage", action="store_true", help="regenerate the key that the pods hold, to see that the soak fails"
    )
    return parser.parse_args(arguments)


def _interrupt(*_: object) -> None:
    raise KeyboardInterrupt


def _tail(log: Path) -> str:
    lines = log.read_text(errors="replace").splitlines() if log.exists() else []
    return "\n".join(line[:400] for line in lines[-15:])


def _say(text: str) -> None:
    print(text, flush=True)


if __name__ == "__main__":
    sys.exit(main())
