"""The figures of a run as a table in Markdown, kept with date and machine in `benchmarks/results/`."""

import os
import platform
import subprocess
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from benchmarks.options import Options

RESULTS: Final = Path(__file__).with_name("results")


def table(figures: Sequence[Mapping[str, Any]]) -> str:
    """Return the figures as a table in Markdown."""
    rows = [
        f"| {one['figure']} | {one['value']:g} {one['unit']} | {_target(one)} | {_cell(one['compared_to'] or '')} |"
        for one in figures
    ]
    return "\n".join(["| Figure | Measured | Target | What it says |", "|---|---|---|---|", *rows])


def keep(figures: Sequence[Mapping[str, Any]], options: Options) -> Path:
    """Write the table with its date, its commit and its machine. Returns the file."""
    now = datetime.now(UTC)
    commit = subprocess.run(
        ["git", "describe", "--always", "--dirty"],
        cwd=RESULTS.parent,
        capture_output=True,
        text=True,
        check=False,
    ).stdout.strip()
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    what = f"{options.resources} resources, {options.intervals} intervals of {options.interval} s"
    machine = f"{os.cpu_count()} cores, {memory:.0f} GiB, {platform.system()} {platform.machine()}"
    lines = [
        f"# {now:%Y-%m-%d %H:%M} UTC, commit {commit or 'unknown'}",
        "",
        f"- Groups: {', '.join(options.groups)}. {what}.",
        f"- Machine: {machine}, Python {platform.python_version()}. Load at the end: {os.getloadavg()[0]:.1f}.",
        "- Azure is simulated on the same cores, so times say little about another machine. Counts and memory do.",
        "",
        table(figures),
    ]
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"{now:%Y-%m-%dT%H%MZ}.md"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def _target(figure: Mapping[str, Any]) -> str:
    if figure["target"] is None:
        return ""
    return f"{figure['target']:g}" + ("" if figure["holds"] else " (missed)")


def _cell(text: str) -> str:
    return text.replace("|", "\\|")
