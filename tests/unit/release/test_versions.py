"""Which versions can be released, and their order."""

import itertools

import pytest

from scripts.release.errors import ReleaseError
from scripts.release.versions import Version

ORDERED = ["0.9.0", "0.10.0", "1.0.0-alpha.1", "1.0.0-alpha.2", "1.0.0-alpha.10", "1.0.0-beta.1", "1.0.0-rc.1", "1.0.0"]


@pytest.mark.parametrize(
    "text", ["1.2", "v1.2.3", "1.2.3.4", "01.2.3", "1.2.3-1", "1.2.3-rc1", "1.2.3+build", "1.2.3\n", "x"]
)
def test_other_forms_are_refused_with_an_example(text: str) -> None:
    with pytest.raises(ReleaseError, match=r"is not a semantic version: write it like 1\.2\.3"):
        Version.read(text)


def test_a_missing_version_is_refused_with_the_command() -> None:
    with pytest.raises(ReleaseError, match=r"make release VERSION=1\.2\.3"):
        Version.read("")


def test_versions_have_the_order_of_semver() -> None:
    versions = [Version.read(text) for text in ORDERED]
    assert all(after.newer_than(before) for before, after in itertools.pairwise(versions))
    assert not any(before.newer_than(after) for before, after in itertools.pairwise(versions))
    assert not versions[0].newer_than(versions[0])


@pytest.mark.parametrize(("text", "following"), [("0.2.0", "0.2.1"), ("1.0.0-rc.1", "1.0.0")])
def test_the_version_that_is_proposed_is_newer(text: str, following: str) -> None:
    assert Version.read(text).next_patch() == Version.read(following)
    assert Version.read(following).newer_than(Version.read(text))
