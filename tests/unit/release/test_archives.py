"""Archives and statements depend on contents only."""

import os
import tarfile
from io import BytesIO
from pathlib import Path

import pytest

from scripts.release import archives
from scripts.release.build import CHECKSUMS, _set
from scripts.release.errors import ReleaseError
from scripts.release.prepare import CHART
from scripts.release.provenance import PREDICATE, STATEMENT, THIS_MACHINE, Origin, sha256, statement
from tests.unit.release.conftest import ROOT

SECONDS = 1_767_225_600


def tree(directory: Path, *, names: list[str], time: int, mode: int) -> Path:
    directory.mkdir()
    for name in names:
        path = directory / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(name)
        path.chmod(mode)
        os.utime(path, (time, time))
    return directory


def test_times_modes_and_order_of_the_files_do_not_matter(tmp_path: Path) -> None:
    one = tree(tmp_path / "one", names=["b", "a/x", "a/y"], time=1, mode=0o600)
    two = tree(tmp_path / "two", names=["a/y", "a/x", "b"], time=2, mode=0o664)
    first, second = (archives.compressed(archives.tar(archives.below(each, "p/"), SECONDS)) for each in (one, two))
    assert first == second
    with tarfile.open(fileobj=BytesIO(first), mode="r:gz") as archive:
        assert archive.getnames() == ["p/a/x", "p/a/y", "p/b"]
        assert {(entry.mtime, entry.mode, entry.uid, entry.uname) for entry in archive} == {(SECONDS, 0o644, 0, "")}


def test_an_archive_packed_again_keeps_contents_and_programs(tmp_path: Path) -> None:
    source = tree(tmp_path / "source", names=["a", "run"], time=1, mode=0o600)
    (source / "run").chmod(0o755)
    packed = tmp_path / "x.tgz"
    with tarfile.open(packed, "w:gz") as archive:
        archive.add(source, "x")
    assert archives.inside(packed) == archives.below(source, "x/")
    assert archives.inside(packed)["x/run"].executable


def test_the_chart_names_the_image_that_was_pushed() -> None:
    values = (ROOT / CHART / "values.yaml").read_text()
    made = _set(_set(values, "repository", "registry.example.com/x"), "digest", "sha256:0")
    changed = [line for line in made.splitlines() if line not in values.splitlines()]
    assert changed == ['  repository: "registry.example.com/x"', '  digest: "sha256:0"']


def test_values_without_that_line_are_refused() -> None:
    with pytest.raises(ReleaseError, match="no line `digest:` below `image:`"):
        _set("a: 1\nimage:\n  repository: x\nother:\n  digest: y\n", "digest", "sha256:0")


@pytest.mark.parametrize("commit", ["c" * 40, None])
def test_the_statement_names_files_and_code(tmp_path: Path, commit: str | None) -> None:
    artifact = tmp_path / "a.tgz"
    artifact.write_text("a")
    origin = Origin("1.2.3", "t" * 40, "h" * 40, commit, "https://git.example.com/x")
    made = statement([artifact], ROOT, origin, {"IMAGE": "y"}, THIS_MACHINE, None)
    assert (made["_type"], made["predicateType"]) == (STATEMENT, PREDICATE)
    assert made["subject"] == [{"name": "a.tgz", "digest": {"sha256": sha256(artifact)}}]
    definition = made["predicate"]["buildDefinition"]
    assert definition["externalParameters"] == {"VERSION": "1.2.3", "IMAGE": "y"}
    code, *others = definition["resolvedDependencies"]
    assert code["uri"] == "git+https://git.example.com/x"
    assert code["digest"]["gitTree"] == origin.tree
    assert code["digest"].get("gitCommit") == commit
    assert ({"gitCommit": origin.head} in [one["digest"] for one in others]) is (commit is None)
    assert {"name": "Dockerfile", "digest": {"sha256": sha256(ROOT / "Dockerfile")}} in others
    assert CHECKSUMS not in [one["name"] for one in made["subject"]]
