"""The changes of a release to the work tree, and what stops it before anything is written."""

import datetime as dt
import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from scripts.release.__main__ import release
from scripts.release.build import Options
from scripts.release.checkout import Checkout
from scripts.release.errors import ReleaseError
from scripts.release.prepare import prepare, state, unreleased
from scripts.release.versions import Version
from tests.unit.release.conftest import commit

VERSION = Version("7.8.9")
DAY = dt.date(2026, 1, 31)


def test_every_version_is_written_and_nothing_else_changes(checkout: Checkout) -> None:
    before = state(checkout.root)
    old = next(iter(before.versions.values()))
    changed = prepare(checkout, VERSION, DAY)
    after = state(checkout.root)
    assert not before.is_prepared_for(VERSION)
    assert after.is_prepared_for(VERSION)
    assert {"CHANGELOG.md", "pyproject.toml", "examples/install/install.yaml"} <= set(changed)
    assert set(checkout.git("diff", "--numstat").split()[2::3]) == set(changed)
    # Generated files are current, and every line that was added carries the version or the changelog's new section.
    added = re.findall(r"^\+(?!\+\+)(.*)$", checkout.git("diff", "--unified=0"), re.MULTILINE)
    assert [line for line in added if line and VERSION.text not in line] == []
    left = [
        f"{name}: {line}"
        for name in checkout.git("ls-files", "README.md", "docs", "examples", "charts", "pyproject.toml").splitlines()
        if name != "docs/releasing.md"  # its example has one version, whichever is released
        for line in (checkout.root / name).read_text(encoding="utf-8").splitlines()
        if re.search(rf"(?:secure-redis-operator|tag).*(?<![\d.]){re.escape(old.text)}(?![\d.])", line, re.IGNORECASE)
    ]
    assert [line for line in left if "values.schema.json" not in line] == [], "a pattern for this place is missing"


def changed_file(root: Path) -> str:
    (root / "README.md").write_text("x")
    return r"^The work tree has changes \(README\.md\): commit them or set them aside with `git stash"


def new_file(root: Path) -> str:
    (root / "new.txt").write_text("x")
    (root / "newer.txt").write_text("x")
    return r"^The work tree has changes \(new\.txt and 1 more\): "


def existing_tag(root: Path) -> str:
    subprocess.run(["git", "tag", VERSION.tag], cwd=root, check=True)
    return (
        r"^The tag v7\.8\.9 exists: choose a higher VERSION, or build that release again with `git checkout v7\.8\.9`"
    )


def newer_version(root: Path) -> str:
    path = root / "pyproject.toml"
    path.write_text(
        path.read_text().replace(
            f'version = "{state(root).versions["version in pyproject.toml"]}"', 'version = "7.8.9"'
        )
    )
    commit(root)
    return (
        r"^VERSION=7\.8\.9 is not newer than 7\.8\.9 \(version in pyproject\.toml\): "
        r"choose a higher one, for example 7\.8\.10\.$"
    )


def empty_changelog(root: Path) -> str:
    (root / "CHANGELOG.md").write_text("# Changelog\n\n## [Unreleased]\n")
    commit(root)
    return r"^\[Unreleased\] in CHANGELOG\.md is empty: add an entry for each change that a user notices\.$"


def no_repository(root: Path) -> str:
    (root / ".git").rename(root.parent / "git")
    return r"^This is not a git checkout: clone the repository"


def bad_time(_: Path) -> str:
    return r"^SOURCE_DATE_EPOCH=today is not a time in seconds since 1970: set a whole number, or unset it\.$"


@pytest.mark.parametrize(
    "spoil",
    [changed_file, new_file, existing_tag, newer_version, empty_changelog, no_repository, bad_time],
    ids=lambda function: function.__name__,
)
def test_it_stops_with_the_way_out_and_writes_nothing(
    checkout: Checkout, spoil: Callable[[Path], str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if spoil is bad_time:
        monkeypatch.setenv("SOURCE_DATE_EPOCH", "today")
    message = spoil(checkout.root)
    versions = state(checkout.root).versions
    with pytest.raises(ReleaseError, match=message) as stopped:
        release(checkout, VERSION.text, tmp_path / "dist", Options())
    assert "\n" not in str(stopped.value)
    assert state(checkout.root).versions == versions
    assert not (tmp_path / "dist").exists()


def test_the_date_is_the_commits_or_the_one_that_is_given(checkout: Checkout, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SOURCE_DATE_EPOCH", raising=False)
    assert checkout.date() == dt.datetime.now(dt.UTC).date()
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1769817600")
    assert checkout.date() == DAY


def test_files_that_state_that_there_is_no_release_are_found(checkout: Checkout) -> None:
    root = checkout.root
    for name in unreleased(checkout):
        (root / name).write_text("Version 1.2.3 is the newest release.\n")
    assert unreleased(checkout) == []
    (root / "docs/support.md").write_text("The project has made no release.\n")
    (root / "charts/secure-redis-operator/values.yaml").write_text("# No image is published: build one.\n")
    assert unreleased(checkout) == ["charts/secure-redis-operator/values.yaml", "docs/support.md"]


def test_the_tree_is_what_a_commit_would_have_and_the_index_stays(checkout: Checkout, tmp_path: Path) -> None:
    (checkout.root / "new.txt").write_text("x")
    (checkout.root / "build").mkdir()
    (checkout.root / "build/ignored.txt").write_text("x")
    before = checkout.git("status", "--porcelain")
    tree = checkout.tree()
    assert checkout.git("status", "--porcelain") == before
    target = tmp_path / "exported"
    target.mkdir()
    checkout.export(tree, target)
    assert (target / "new.txt").exists()
    assert not (target / "build").exists()
    commit(checkout.root)
    assert checkout.git("rev-parse", "HEAD^{tree}") == tree
