"""Files that written pages name in code marks are there: a claim that a test holds must have its test."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.unit.docs.test_written import PAGES, ROOT, tokens

# Beginnings of paths inside this repository; what begins otherwise is somebody else's.
_OURS = re.compile(r"(?:tests|examples|charts|crds|operator|sandbox|scripts|benchmarks|requirements)/[\w./-]*[\w/]")
SECURITY = ROOT / "docs/security.md"


def named(page: Path) -> Iterator[str]:
    """Paths of this repository that stand alone in code marks."""
    for token in tokens(page):
        if token.type == "code_inline" and _OURS.fullmatch(token.content):
            yield token.content


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_files_that_are_named_are_there(page: Path) -> None:
    assert [path for path in named(page) if not (ROOT / path).exists()] == []


def test_every_threat_names_a_test() -> None:
    lines = SECURITY.read_text(encoding="utf-8").splitlines()
    start = lines.index("## Threats")
    end = next(at for at in range(start + 1, len(lines)) if lines[at].startswith("## "))
    heads = ("| threat |", "| --- |")
    rows = [line for line in lines[start:end] if line.startswith("|") and not line.startswith(heads)]
    assert len(rows) > 30
    assert [row for row in rows if "`tests/" not in row.rsplit("|", 2)[1]] == []
