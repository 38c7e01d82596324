"""The section of a version in the changelog."""

import datetime as dt

import pytest

from scripts.release import changelog
from scripts.release.errors import ReleaseError
from scripts.release.versions import Version

VERSION = Version("1.2.3")
DAY = dt.date(2026, 1, 31)
HEAD = "# Changelog\n\nWords.\n\n"
OLDER = "## [1.2.2] - 2025-12-01\n\n### Fixed\n\n- Older.\n"


def test_the_entries_become_the_section_of_the_version() -> None:
    text = f"{HEAD}## [Unreleased]\n\n### Added\n\n- New.\n\n{OLDER}"
    made = changelog.released(text, VERSION, DAY)
    assert made == f"{HEAD}## [Unreleased]\n\n## [1.2.3] - 2026-01-31\n\n### Added\n\n- New.\n\n{OLDER}"
    assert changelog.date_of(made, VERSION) == DAY
    assert changelog.date_of(text, VERSION) is None


def test_the_notes_are_the_entries_of_the_section() -> None:
    made = changelog.released(f"{HEAD}## [Unreleased]\n\n### Added\n\n- New.\n\n{OLDER}", VERSION, DAY)
    assert changelog.notes(made, VERSION) == "### Added\n\n- New.\n"
    assert changelog.notes(made, Version("1.2.2")) == "### Fixed\n\n- Older.\n"
    assert changelog.notes(made, Version("1.2.4")) is None


def test_it_works_for_the_first_release() -> None:
    made = changelog.released(f"{HEAD}## [Unreleased]\n\n- New.\n", VERSION, DAY)
    assert made.endswith("## [Unreleased]\n\n## [1.2.3] - 2026-01-31\n\n- New.\n")


@pytest.mark.parametrize("body", ["", "\n", "\n### Added\n\n### Fixed\n\n"])
def test_nothing_to_release_is_refused(body: str) -> None:
    with pytest.raises(ReleaseError, match=r"\[Unreleased\] in CHANGELOG\.md is empty: add an entry"):
        changelog.released(f"{HEAD}## [Unreleased]\n{body}{OLDER}", VERSION, DAY)


def test_a_missing_section_is_refused() -> None:
    with pytest.raises(ReleaseError, match=r"no section `## \[Unreleased\]`"):
        changelog.released(HEAD + OLDER, VERSION, DAY)


def test_a_section_without_a_date_is_refused() -> None:
    with pytest.raises(ReleaseError, match=r"write `## \[1\.2\.3\] - YYYY-MM-DD`"):
        changelog.date_of("## [1.2.3]\n", VERSION)
