"""The long steps of a preparation: what runs, how long it took, and how long the rest will take."""

import contextlib
import math
import os
import time
from collections.abc import Callable, Iterator, Sequence

from sandbox.cache import progress

BEAT_SECONDS = 30.0
_MEASURED_ON = 2  # cores, for every estimate of a build in this project
_USEFUL_CORES = 8  # more than these wait for the largest packages
_PRIOR_SECONDS = 60.0  # so long, the measured pace counts less than the estimates

_plan: "Plan | None" = None  # of the preparation that runs in this process


def cores() -> int:
    """Return how many cores this process may use."""
    return len(os.sched_getaffinity(0))


def estimated(seconds: float) -> float:
    """Return how long a build takes here that takes `seconds` on two cores."""
    return seconds * _MEASURED_ON / min(cores(), _USEFUL_CORES)


def about(seconds: float) -> str:
    """Return a rounded duration."""
    return f"about {math.ceil(seconds / 60)} min" if seconds > 90 else f"about {math.ceil(seconds / 10) * 10} s"


class Plan:
    """The steps of one preparation with their estimates. The pace of the finished ones corrects the others."""

    def __init__(self, estimates: Sequence[float]) -> None:
        """Take the seconds of each step, in their order."""
        self._estimates = estimates
        self._finished = 0
        self._spent = 0.0

    @contextlib.contextmanager
    def each(self) -> Iterator[None]:
        """Run the next step. A line that it prints with `step` names its place and the time that is left."""
        global _plan
        begun = time.monotonic()
        _plan = self
        try:
            yield
        finally:
            _plan = None
        self._spent += time.monotonic() - begun
        self._finished += 1

    def left(self, elapsed: float) -> float:
        """Return the seconds until all is done, `elapsed` seconds after the present step began."""
        expected = sum(self._estimates[: self._finished])
        pace = (_PRIOR_SECONDS + self._spent) / (_PRIOR_SECONDS + expected)
        rest = self._estimates[self._finished :]
        return max(pace * rest[0] - elapsed, 0.0) + pace * sum(rest[1:])

    @property
    def place(self) -> str:
        """Return which step this is."""
        return f"step {self._finished + 1} of {len(self._estimates)}: "

    def rest(self, elapsed: float = 0.0) -> str:
        """Return how long it will take until all is done, as a clause."""
        left = self.left(elapsed)
        return f"{about(left)} left on {cores()} cores" if left else "longer than estimated"


@contextlib.contextmanager
def step(message: str, seconds: float = 0.0) -> Iterator[Callable[[], None]]:
    """Report that a long step begins, and how long it took. The function that it yields reports that it goes on.

    `seconds`: the estimate, for a step outside a plan.
    """
    plan, begun = _plan, time.monotonic()
    place = plan.place if plan else ""
    rest = plan.rest() if plan else f"once, {about(seconds)} on {cores()} cores" if seconds else ""

    def goes_on() -> None:
        elapsed = time.monotonic() - begun
        progress(f"{place}{elapsed:.0f} s so far{f', {plan.rest(elapsed)}' if plan else ''}")

    progress(f"{place}{message}{f' ({rest})' if rest else ''}…")
    yield goes_on
    progress(f"{place}{message}: done in {time.monotonic() - begun:.0f} s")
