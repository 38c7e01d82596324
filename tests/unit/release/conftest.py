"""A copy of the repository with one commit, in which a release can be prepared."""

import shutil
import subprocess
from pathlib import Path

import pytest

from scripts.release.checkout import Checkout

ROOT = Path(__file__).parents[3]
LEFT_OUT = shutil.ignore_patterns(
    ".git", "__pycache__", ".*_cache", ".hypothesis", "site", "dist", "*.egg-info", ".venv"
)


def commit(root: Path, message: str = "All") -> None:
    identity = ["-c", "user.name=Tester", "-c", "user.email=tester@example.com", "-c", "commit.gpgsign=false"]
    subprocess.run(["git", *identity, "add", "--all"], cwd=root, check=True)
    subprocess.run(["git", *identity, "commit", "--quiet", "--message", message], cwd=root, check=True)


def repository(root: Path) -> Path:
    """Copy the repository to `root`, with one commit. There is something to release, also just after a release."""
    shutil.copytree(ROOT, root, symlinks=True, ignore=LEFT_OUT)
    changelog = root / "CHANGELOG.md"
    heading = "## [Unreleased]\n"
    changelog.write_text(changelog.read_text().replace(heading, f"{heading}\n### Added\n\n- A change.\n", 1))
    subprocess.run(["git", "init", "--quiet", "--initial-branch=main"], cwd=root, check=True)
    commit(root)
    return root


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return repository(tmp_path_factory.mktemp("original") / "repository")


@pytest.fixture
def checkout(original: Path, tmp_path: Path) -> Checkout:
    root = tmp_path / "repository"
    subprocess.run(["git", "clone", "--quiet", str(original), str(root)], check=True)
    return Checkout(root)
