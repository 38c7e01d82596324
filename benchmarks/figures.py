"""Figures: one JSON line each on stdout. All other output of this process or a child goes to stderr."""

import json
import os
import sys
import time
from collections.abc import Sequence
from statistics import median
from typing import Any, TextIO

_BEGUN = time.monotonic()


def claim_stdout() -> TextIO:
    """Reserve stdout for the figures. All other output goes to stderr from here on."""
    figures = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    return figures


class Figures:
    """Prints each figure immediately, and keeps it in `lines`."""

    def __init__(self, out: TextIO) -> None:
        self._out = out
        self.lines: list[dict[str, Any]] = []

    def report(
        self, figure: str, value: float, unit: str, *, target: float | None = None, compared_to: str | None = None
    ) -> None:
        """Print one figure. `target` is a maximum; without it, `holds` is null."""
        line = {
            "figure": figure,
            "value": round(value, 3),
            "unit": unit,
            "target": target,
            "holds": None if target is None else bool(value <= target),
            "compared_to": compared_to,
        }
        self.lines.append(line)
        print(json.dumps(line), file=self._out, flush=True)

    @property
    def missed(self) -> list[str]:
        """The figures that miss their target."""
        return [str(line["figure"]) for line in self.lines if line["holds"] is False]


def say(text: str) -> None:
    """Print progress on stderr."""
    print(f"bench {time.monotonic() - _BEGUN:6.1f} s  {text}", file=sys.stderr, flush=True)


def percentile(samples: Sequence[float], part: float) -> float:
    """Return the nearest-rank percentile: of 50 samples the 99th is the slowest."""
    ordered = sorted(samples)
    return ordered[max(0, -(-len(ordered) * int(part * 1000) // 1000) - 1)]


def middle(samples: Sequence[float]) -> float:
    """Return the median."""
    return float(median(samples))
