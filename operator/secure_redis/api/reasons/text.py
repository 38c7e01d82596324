"""The form in which a reason is explained."""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class ReasonText:
    """What a reason means and what to do, as the documentation prints it."""

    meaning: str
    remedy: str
    terminal: bool = False  # no retry mends it: shown as Stalled


WANTED: Final = "Nothing: this is a wanted state."


def text(meaning: str, remedy: str = WANTED, *, terminal: bool = False) -> ReasonText:
    """A reason's meaning and remedy; `terminal`: no retry mends it."""
    return ReasonText(meaning, remedy, terminal)
