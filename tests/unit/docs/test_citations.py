"""Comments cite facts that are in the repository, by a page of docs/internals and a section that exists."""

import os
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from tests.unit.docs.test_written import ROOT, headings

INTERNALS = ROOT / "docs/internals"
# Made by tools, and never in git.
GENERATED = frozenset({"__pycache__", "build", "dist", "node_modules", "site"})
HIDDEN = frozenset({".ci", ".github"})  # the only folders with a dot that belong to the repository
OUTSIDE = re.compile(r"(?<![\w-])facts/[\w.-]+\.md")
# A page of docs/internals, or a section of any page of docs/.
CITATION = re.compile(r"(?<![\w/.-])(?:docs/internals/[\w-]+\.md(?:#[\w-]+)?|docs/[\w/-]+\.md#[\w-]+)")


def ours(folder: str) -> bool:
    return folder in HIDDEN or not (folder.startswith(".") or folder in GENERATED or folder.endswith(".egg-info"))


def texts(root: Path) -> Iterator[tuple[str, str]]:
    """Path and content of every text file of the repository."""
    for place, folders, names in os.walk(root):
        folders[:] = sorted(folder for folder in folders if ours(folder))
        for name in sorted(names):
            try:
                yield str((Path(place) / name).relative_to(root)), (Path(place) / name).read_text(encoding="utf-8")
            except (UnicodeDecodeError, FileNotFoundError):
                continue  # an image, or a link that leads nowhere


def outside(root: Path) -> list[str]:
    """Citations of fact files that readers of the repository do not have."""
    return [f"{path}: {found}" for path, text in texts(root) for found in OUTSIDE.findall(text)]


@cache
def sections(page: str) -> set[str] | None:
    """Anchors of a page; None if there is no such page."""
    return headings(ROOT / page) if (ROOT / page).is_file() else None


def missing(root: Path) -> list[str]:
    """Citations of a page below docs/, or of a section in it, that does not exist."""
    wrong = []
    for path, text in texts(root):
        for found in CITATION.findall(text):
            page, _, section = found.partition("#")
            there = sections(page)
            if there is None or (section and section not in there):
                wrong.append(f"{path}: {found}")
    return wrong


def test_no_file_cites_facts_outside_the_repository() -> None:
    assert outside(ROOT) == []


def test_every_cited_page_and_section_exists() -> None:
    assert missing(ROOT) == []


def test_the_internals_are_cited() -> None:
    """An empty search would pass both tests above."""
    cited = {found.partition("#")[0] for path, text in texts(ROOT / "operator") for found in CITATION.findall(text)}
    assert {"docs/internals/azure-facts.md", "docs/internals/kubernetes-facts.md"} <= cited


@pytest.mark.parametrize("page", sorted(INTERNALS.glob("*-facts.md")), ids=lambda page: page.name)
def test_anchors_are_the_same_on_the_site(page: Path) -> None:
    """mkdocs and GitHub make the same anchor of plain words, and number repeated titles differently."""
    lines = page.read_text(encoding="utf-8").splitlines()
    titles = [line.lstrip("#").strip() for line in lines if re.match(r"#{2,} ", line)]
    assert [title for title in titles if not re.fullmatch(r"\w+(?:[ -]\w+)*", title)] == []
    assert len(titles) == len(set(titles))


@pytest.mark.parametrize(
    ("text", "is_outside", "is_missing"),
    [
        (f"# see {'facts'}/azure.md A.2", True, False),
        (f"# see ../shared/{'facts'}/kopf.md", True, False),
        ("# see docs/internals/azure-facts.md#tiers", False, False),
        ("# see docs/internals/azure-facts.md.", False, False),
        (f"# see docs/internals/azure-{'facts'}.md#no-such-section", False, True),
        (f"# see docs/internals/no-such-{'facts'}.md#tiers", False, True),
    ],
)
def test_the_guard_can_fail(tmp_path: Path, text: str, is_outside: bool, is_missing: bool) -> None:
    (tmp_path / "module.py").write_text(text)
    assert bool(outside(tmp_path)) is is_outside
    assert bool(missing(tmp_path)) is is_missing
