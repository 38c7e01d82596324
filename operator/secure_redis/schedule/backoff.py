"""Decides how long after a pass the next one comes: intervals with jitter, back-off, and a named time."""

import random
from dataclasses import dataclass

from secure_redis.reconciler.next_pass import NextPass


@dataclass(frozen=True, slots=True)
class Backoff:
    """Seconds, and how many passes at once. `spread`: first intervals of this length and more are spread, so that a
    restart with a thousand resources does not make a thousand passes at one moment ever after.
    """

    parallel: int = 16
    backoff: float = 5.0
    backoff_limit: float = 600.0
    jitter: float = 0.1
    spread: float = 60.0
    gap: float = 1.0  # between two passes of one resource, unless it was edited
    rollout_gap: float = 0.2  # where a workload changed: the next wave waits for it
    resync: float = 600.0

    def delay(self, planned: NextPass, *, failures: int, first: bool, rng: random.Random) -> float:
        """Return the seconds from the end of a pass to the next one. `failures`: in a row, with this one if it is one.

        `first`: it was the first pass over the resource in this process.
        """
        if planned.failed:
            grown = min(self.backoff_limit, self.backoff * 2 ** min(failures - 1, 30))
            # What else the pass reads does not wait longer than it would without the failure.
            if planned.after > 0:
                grown = min(grown, max(planned.after, self.backoff))
            delay: float = grown * rng.uniform(0.5, 1.0)
        elif first and planned.after >= self.spread:
            delay = planned.after * rng.uniform(0.5, 1.0 + self.jitter)
        else:
            delay = planned.after * self.jittered(rng)
        if planned.retry_after is not None:
            # Never before the time the other side named; a little after it, not all at once.
            delay = max(delay, planned.retry_after * rng.uniform(1.0, 1.0 + self.jitter))
        return delay

    def jittered(self, rng: random.Random) -> float:
        """Return a factor around 1, so that passes which began together do not stay together."""
        return rng.uniform(1 - self.jitter, 1 + self.jitter)
