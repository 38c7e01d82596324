"""Figures: one JSON line each on stdout. Everything else that this process or a child prints goes to stderr."""

import json
import os
import sys
import time
from collections.abc import Sequence
from statistics import median
from typing import TextIO

_BEGUN = time.monotonic()


def claim_stdout() -> TextIO:
    """Take stdout for the figures alone: what others print lands on stderr from here on."""
    figures = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    return figures


class Figures:
    """Prints figures as they come."""

    def __init__(self, out: TextIO) -> None:
        self._out = out

    def report(
        self, figure: str, value: float, unit: str, *, target: float | None = None, compared_to: str | None = None
    ) -> None:
        """One figure. `target` is a most; without one nothing holds or fails."""
        line = {
            "figure": figure,
            "value": round(value, 3),
            "unit": unit,
            "target": target,
            "holds": None if target is None else bool(value <= target),
            "compared_to": compared_to,
        }
        print(json.dumps(line), file=self._out, flush=True)


def say(text: str) -> None:
    """Progress, on stderr."""
    print(f"bench {time.monotonic() - _BEGUN:6.1f} s  {text}", file=sys.stderr, flush=True)


def percentile(samples: Sequence[float], part: float) -> float:
    """The nearest-rank percentile: of 50 samples the 99th is the slowest."""
    ordered = sorted(samples)
    return ordered[max(0, -(-len(ordered) * int(part * 1000) // 1000) - 1)]


def middle(samples: Sequence[float]) -> float:
    """The median."""
    return float(median(samples))
