"""The output of the demo and its claims: plain text that reads the same on a terminal and in a log."""

import sys
import textwrap
import time
from collections.abc import Iterable
from dataclasses import dataclass

from rich.console import Console
from rich.text import Text

_WIDTH = 100  # columns of prose; what programs print is never wrapped


class DemoError(RuntimeError):
    """The demo cannot continue. The text says what is wrong."""


@dataclass(frozen=True)
class Claim:
    """A statement of the demo, its chapter, and whether it was true."""

    chapter: str
    text: str
    holds: bool


class Story:
    """Prints, and records everything printed and claimed."""

    def __init__(self) -> None:
        """Print to stdout, with colours on a terminal only."""
        # Nothing rewritten (highlight, emoji, markup) and nothing live: the output may end up in a log.
        self._console = Console(
            file=sys.stdout, highlight=False, emoji=False, markup=False, soft_wrap=True, legacy_windows=False
        )
        self._printed: list[str] = []
        self.claims: list[Claim] = []
        self._chapter = ""
        self._begun = time.monotonic()

    @property
    def printed(self) -> str:
        """Return all text so far."""
        return "\n".join(self._printed)

    def chapter(self, number: int, title: str) -> None:
        """Print a heading. Later claims belong to this chapter."""
        self._chapter = title
        self._gap()
        self._line(f"━━ {number}. {title} ".ljust(_WIDTH, "━"), "bold cyan")
        self._line()

    def say(self, text: str) -> None:
        """Print a paragraph."""
        self._gap()
        for line in textwrap.wrap(" ".join(text.split()), _WIDTH, break_long_words=False, break_on_hyphens=False):
            self._line(line)

    def happens(self, who: str, what: str) -> None:
        """Print what another person does in Azure."""
        self._gap()
        first = f"  ▸ {who}: "
        body = textwrap.wrap(" ".join(what.split()), _WIDTH - 4, break_long_words=False, initial_indent=first)
        for number, line in enumerate(body):
            self._line(line if number == 0 else f"    {line}", "yellow")

    def command(self, shown: str) -> None:
        """Print a command as the reader would type it."""
        self._gap()
        self._line(f"  $ {shown}", "bold")

    def output(self, text: str) -> None:
        """Print a program's output unchanged."""
        for line in text.rstrip().splitlines():
            self._line(f"    {line}")
        self._line()

    def note(self, text: str) -> None:
        """Print a line about the demo itself."""
        self._line(f"  {text}", "dim")

    def claim(self, text: str, holds: bool) -> None:
        """Print a claim; `holds` is whether it is true. A false one is reported immediately and fails the demo."""
        self.claims.append(Claim(self._chapter, text, holds))
        self._line(f"  ✓ {text}" if holds else f"  ✗ NOT TRUE: {text}", "green" if holds else "bold red")

    def table(self, title: str, rows: Iterable[tuple[str, str]]) -> None:
        """Print two columns."""
        self._gap()
        rows = list(rows)
        wide = max((len(left) for left, _ in rows), default=0)
        self._line(title, "bold")
        for left, right in rows:
            self._line(f"  {left.ljust(wide)}  {right}")

    def verdict(self) -> None:
        """Print what was checked. Raises DemoError that names false claims."""
        rows: list[tuple[str, str]] = []
        for chapter in dict.fromkeys(claim.chapter for claim in self.claims):
            outcomes = [claim.holds for claim in self.claims if claim.chapter == chapter]
            rows.append((chapter, f"{sum(outcomes)} of {len(outcomes)} true"))
        self.table(f"What was checked, in {time.monotonic() - self._begun:.0f} s", rows)
        false = [claim.text for claim in self.claims if not claim.holds]
        if false:
            raise DemoError(f"{len(false)} of {len(self.claims)} things shown were not true: {'; '.join(false)}")

    def last(self, text: str, *, good: bool) -> None:
        """Print the last line, after everything else."""
        self._gap()
        self._line(text, "bold green" if good else "bold red")

    def _gap(self) -> None:
        """Print an empty line if the last line is not empty."""
        if self._printed and self._printed[-1]:
            self._line()

    def _line(self, text: str = "", style: str = "") -> None:
        self._printed.append(text)
        self._console.print(Text(text, style=style))
        self._console.file.flush()
