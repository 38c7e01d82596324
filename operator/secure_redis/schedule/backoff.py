"""Decides how long after a pass the next one comes: intervals with jitter, back-off, and a named time."""

import random
from dataclasses import dataclass

from secure_redis.reconciler.next_pass import NextPass, growing


@dataclass(frozen=True, slots=True)
class Backoff:
    """Seconds, and how many passes at the same time. `spread`: first intervals of this length and more are spread, so
    that a restart with a thousand resources does not make a thousand passes at one moment ever after.
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
        """Return the seconds from the end of a pass to the next one.

        `failures`: passes in a row that end in a repeat, with this one if it does. `first`: it was the first pass over
        the resource in this process.
        """
        if planned.paced:
            delay = planned.after * rng.uniform(1.0, 1.0 + self.jitter)
        elif planned.failed:
            grown = growing(failures, self.backoff, self.backoff_limit)
            # The other reads of the pass do not wait longer than they would without the failure. A refused write has a
            # back-off of its own (`reconciler.write_backoff`).
            if planned.after > 0:
                grown = min(grown, max(planned.after, self.backoff))
            delay = grown * rng.uniform(0.5, 1.0)
        elif planned.grows_to is not None:
            delay = growing(failures, planned.after, max(planned.after, planned.grows_to)) * self.jittered(rng)
        elif first and planned.after >= self.spread:
            delay = planned.after * rng.uniform(0.5, 1.0 + self.jitter)
        else:
            delay = planned.after * self.jittered(rng)
        if planned.retry_after is not None:
            # Never before the time the other side named; a little after it, not all at the same time.
            delay = max(delay, planned.retry_after * rng.uniform(1.0, 1.0 + self.jitter))
        return delay

    def jittered(self, rng: random.Random) -> float:
        """Return a factor around 1, so that passes which began together do not stay together."""
        return rng.uniform(1 - self.jitter, 1 + self.jitter)
