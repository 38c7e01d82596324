"""Files that written pages name in code marks are there: a claim that a test holds must have its test."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.unit.docs.test_written import PAGES, ROOT, tokens

# Beginnings of paths inside this repository; other paths are another project's.
_OURS = re.compile(r"(?:tests|examples|charts|crds|operator|sandbox|scripts|benchmarks|requirements)/[\w./-]*[\w/]")
SECURITY = ROOT / "docs/security.md"
CLAIMS = sorted((ROOT / "docs/claims").glob("*.md"))


def named(page: Path) -> Iterator[str]:
    """Yield paths of this repository that are alone in code marks."""
    for token in tokens(page):
        if token.type == "code_inline" and _OURS.fullmatch(token.content):
            yield token.content


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_files_that_are_named_are_there(page: Path) -> None:
    assert [path for path in named(page) if not (ROOT / path).exists()] == []


def rows(page: Path) -> list[list[str]]:
    """The cells of the page's table of attempts."""
    lines = page.read_text(encoding="utf-8").splitlines()
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines if line.startswith("| ")][2:]


@pytest.mark.parametrize("page", CLAIMS, ids=lambda page: page.stem)
def test_a_claim_says_what_holds_it_and_what_it_leaves_out(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    assert "**Against:** " in text
    assert "\n## What it does not cover\n\n- " in text
    found = rows(page)
    assert found
    for attempt, stops, tests in found:
        assert attempt
        assert stops
        assert tests.startswith("`tests/"), attempt
    assert f"](claims/{page.name})" in SECURITY.read_text(encoding="utf-8")


def test_every_suite_of_attempts_holds_a_claim() -> None:
    suites = {str(path.relative_to(ROOT)) for path in (ROOT / "tests/abuse").glob("test_*.py")}
    assert suites == {name for page in CLAIMS for name in named(page) if name.startswith("tests/abuse/")}
