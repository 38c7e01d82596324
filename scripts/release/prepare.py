"""Writes a version into every file that carries one, and the section of CHANGELOG.md."""

import datetime as dt
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from scripts.release import changelog
from scripts.release.checkout import Checkout
from scripts.release.errors import ReleaseError, run
from scripts.release.versions import Version

NAME = "secure-redis-operator"
CHART = Path("charts") / NAME
_CHANGELOG = "CHANGELOG.md"
_PYPROJECT = "pyproject.toml"
_CHART_FILE = str(CHART / "Chart.yaml")
# Each place of a version: exactly one line of the file matches.
_PLACES = (
    (_PYPROJECT, re.compile(r'^(version = ")([^"\n]+)(")$', re.MULTILINE)),
    (_CHART_FILE, re.compile(r'^(version: "?)([^"\s]+)("?)$', re.MULTILINE)),
    (_CHART_FILE, re.compile(r'^(appVersion: "?)([^"\s]+)("?)$', re.MULTILINE)),
)
# Commands and manifests for a reader to copy, which name the image with its tag, and their output.
_COPIED = ("README.md", "docs/**/*.md", "examples/**/*.yaml", "examples/**/*.md", "scripts/chart_docs.py")
# Sentences that the first release makes wrong, in files for users.
_UNRELEASED = re.compile(r"\b[Nn]o (?:release|published|image is published)\b")
_STATES_IT = ("*.md", "charts/**/*.yaml", "examples/**/*.yaml", "scripts/chart_docs.py")
_IMAGE_TAG = (
    rf'((?<![\w.-])(?:tag: ?"?|TAG=|image\.tag=|TF_VAR_image_tag=)|(?<![\w.-])registry\.example\.com/{NAME}:'
    rf"|(?<![\w./-]){NAME} ){{version}}(?![\w.-])"
)


@dataclass(frozen=True, slots=True)
class State:
    """The versions that a tree carries, by place, and its changelog."""

    versions: dict[str, Version]
    changelog: str

    def is_prepared_for(self, version: Version) -> bool:
        """Whether every place has `version`, and the changelog has its section."""
        return set(self.versions.values()) == {version} and changelog.date_of(self.changelog, version) is not None


def state(root: Path) -> State:
    """Read the versions in a tree. Raises ReleaseError where one is missing or is none."""
    found = {}
    for file, pattern in _PLACES:
        matches = pattern.findall((root / file).read_text(encoding="utf-8"))
        if len(matches) != 1:
            raise ReleaseError(f"{file} has {len(matches)} lines that match `{pattern.pattern}`: it must have one.")
        opening, text, _ = matches[0]
        found[f"{opening.split(maxsplit=1)[0].rstrip(':')} in {file}"] = Version.read(text)
    return State(found, (root / _CHANGELOG).read_text(encoding="utf-8"))


def must_follow(current: State, version: Version) -> None:
    """Raise ReleaseError where `version` is not newer than every version of the tree."""
    for place, there in current.versions.items():
        if not version.newer_than(there):
            highest = there
            for other in current.versions.values():
                highest = other if other.newer_than(highest) else highest
            raise ReleaseError(
                f"VERSION={version} is not newer than {there} ({place}): choose a higher one, "
                f"for example {highest.next_patch()}."
            )


def prepare(checkout: Checkout, version: Version, date: dt.date) -> list[str]:
    """Write `version` into the work tree. Returns the files that changed.

    Raises:
        ReleaseError: the changelog has nothing to release, or a generated file could not be generated.

    """
    root = checkout.root
    text = changelog.released((root / _CHANGELOG).read_text(encoding="utf-8"), version, date)
    (root / _CHANGELOG).write_text(text, encoding="utf-8")
    previous = next(there for place, there in state(root).versions.items() if place.startswith("appVersion"))
    for file, pattern in _PLACES:
        path = root / file
        path.write_text(pattern.sub(rf"\g<1>{version}\g<3>", path.read_text(encoding="utf-8")), encoding="utf-8")
    image_tag = re.compile(_IMAGE_TAG.format(version=re.escape(previous.text)))
    for path in _copied(root):
        before = path.read_text(encoding="utf-8")
        after = image_tag.sub(rf"\g<1>{version}", before)
        if after != before:
            path.write_text(after, encoding="utf-8")
    # In a process of its own: the generator was changed just now, and it must be the one of this tree.
    run([sys.executable, "scripts/chart_docs.py"], root, {"PYTHONPATH": f"{root / 'operator'}:{root}"})
    return checkout.git("diff", "--name-only").splitlines()


def unreleased(checkout: Checkout) -> list[str]:
    """Return the files that state that there is no release or no published image."""
    listed = checkout.git("ls-files", *_STATES_IT).splitlines()
    return [name for name in listed if _UNRELEASED.search((checkout.root / name).read_text(encoding="utf-8"))]


def _copied(root: Path) -> Iterator[Path]:
    for pattern in _COPIED:
        yield from sorted(root.glob(pattern))
