"""Sections of CHANGELOG.md, which has the form of Keep a Changelog 1.1.0."""

import datetime as dt
import re

from scripts.release.errors import ReleaseError
from scripts.release.versions import Version

_UNRELEASED = re.compile(r"^## \[Unreleased\][ \t]*\n", re.MULTILINE)
_NEXT = re.compile(r"^## \[", re.MULTILINE)
_ENTRY = re.compile(r"^[-*] \S", re.MULTILINE)


def released(text: str, version: Version, date: dt.date) -> str:
    """Return the changelog with the entries of [Unreleased] as the section of `version`, and an empty [Unreleased].

    Raises:
        ReleaseError: there is no such section, or it has no entry.

    """
    head = _UNRELEASED.search(text)
    if head is None:
        raise ReleaseError("CHANGELOG.md has no section `## [Unreleased]`: add it above the newest version.")
    after = _NEXT.search(text, head.end())
    body = text[head.end() : after.start() if after else len(text)]
    if not _ENTRY.search(body):
        raise ReleaseError("[Unreleased] in CHANGELOG.md is empty: add an entry for each change that a user notices.")
    return f"{text[: head.end()]}\n## [{version}] - {date.isoformat()}\n{text[head.end() :]}"


def notes(text: str, version: Version) -> str | None:
    """Return the entries of the section of `version`, for the page of the release. None where there is no section."""
    found = _section(text, version)
    if found is None:
        return None
    after = _NEXT.search(text, found.end())
    return f"{text[found.end() : after.start() if after else len(text)].strip()}\n"


def _section(text: str, version: Version) -> re.Match[str] | None:
    """Find the heading of the section of `version`, with its date."""
    return re.search(rf"^## \[{re.escape(version.text)}\](?: - (\S+))?[ \t]*$", text, re.MULTILINE)


def date_of(text: str, version: Version) -> dt.date | None:
    """Return the date of the section of `version`, or None where there is none. Raises ReleaseError for a bad date."""
    found = _section(text, version)
    if found is None:
        return None
    try:
        return dt.date.fromisoformat(found[1] or "")
    except ValueError as error:
        raise ReleaseError(
            f"The section [{version}] in CHANGELOG.md has no date: write `## [{version}] - YYYY-MM-DD`."
        ) from error
