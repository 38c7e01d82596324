"""Versions that are valid in every place: as SemVer (chart, tag, image) and under PEP 440 (Python package)."""

import re
from dataclasses import dataclass
from typing import Self

from packaging.version import Version as Pep440

from scripts.release.errors import ReleaseError

# SemVer 2.0.0 without build metadata, which no image tag can carry. Of pre-releases, those that PEP 440 knows too.
_NUMBER = r"(?:0|[1-9]\d*)"
_FORM = re.compile(rf"{_NUMBER}\.{_NUMBER}\.{_NUMBER}(?:-(?:alpha|beta|rc)\.{_NUMBER})?", re.ASCII)


@dataclass(frozen=True, slots=True)
class Version:
    """One version. `text` is its SemVer form."""

    text: str

    @classmethod
    def read(cls, text: str) -> Self:
        """Return the version of `text`. Raises ReleaseError where it is none."""
        if not text:
            raise ReleaseError("VERSION is missing: run `make release VERSION=1.2.3` with the version to release.")
        if not _FORM.fullmatch(text):
            raise ReleaseError(
                f"VERSION={text} is not a semantic version: write it like 1.2.3 or 1.2.3-rc.1 (alpha, beta or rc), "
                "without a leading v."
            )
        return cls(text)

    @property
    def tag(self) -> str:
        """The name of the git tag."""
        return f"v{self.text}"

    def newer_than(self, other: "Version") -> bool:
        """Whether this version follows `other`. On these forms, PEP 440 and SemVer have the same order."""
        return Pep440(self.text) > Pep440(other.text)

    def next_patch(self) -> "Version":
        """Return the lowest final version that follows this one."""
        major, minor, patch = Pep440(self.text).release
        return Version(f"{major}.{minor}.{patch if '-' in self.text else patch + 1}")

    def __str__(self) -> str:
        return self.text
