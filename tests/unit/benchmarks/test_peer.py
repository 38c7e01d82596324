"""The group `peer`: when it runs, and what it makes of what was measured. Nothing is measured here."""

import io
from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks.external_secrets import ExternalSecrets
from benchmarks.figures import Figures
from benchmarks.options import CRDS, from_environment
from benchmarks.peer import RAISED, SHIPPED, Measured, compare

OPERATOR = Measured(
    cold=6, cpu=5, calls=30, writes=20, peak=90, rest_calls=1, rest_cpu=0.1, rest_writes=0, rest_memory=80, notes={}
)
PEER = Measured(
    cold=10, cpu=4, calls=60, writes=30, peak=100, rest_calls=50, rest_cpu=2, rest_writes=0, rest_memory=100, notes={}
)


@pytest.fixture
def binary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A program with CRDs where External Secrets keeps them, and an environment without options."""
    for name in ("BENCH_ONLY", "BENCH_PEER", "BENCH_PEER_CRDS", "BENCH_SCALE"):
        monkeypatch.delenv(name, raising=False)
    (tmp_path / CRDS).parent.mkdir(parents=True)
    (tmp_path / CRDS).touch()
    program = tmp_path / "peer"
    program.touch(mode=0o755)
    return program


def test_without_a_peer_the_group_is_left_out(binary: Path) -> None:
    assert binary.exists()
    assert "peer" not in from_environment().groups


def test_with_a_peer_the_group_runs(binary: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BENCH_PEER", str(binary))
    options = from_environment()
    assert "peer" in options.groups
    assert (options.peer, options.peer_crds) == (binary, binary.parent / CRDS)


@pytest.mark.parametrize("missing", ["peer", "crds", "mode"])
def test_what_the_group_needs_is_asked_for(binary: Path, monkeypatch: pytest.MonkeyPatch, missing: str) -> None:
    monkeypatch.setenv("BENCH_ONLY", "peer")
    if missing != "peer":
        monkeypatch.setenv("BENCH_PEER", str(binary))
    if missing == "crds":
        (binary.parent / CRDS).unlink()
    if missing == "mode":
        binary.chmod(0o644)
    with pytest.raises(SystemExit, match="BENCH_PEER_CRDS" if missing == "crds" else "BENCH_PEER"):
        from_environment()


def test_the_raised_rate_has_targets() -> None:
    figures = Figures(io.StringIO())
    compare(figures, OPERATOR, PEER, RAISED)
    found = {str(line["figure"]).partition(": ")[2]: (line["value"], line["holds"]) for line in figures.lines}
    assert found["cold start: time until all are Ready"] == (0.6, True)
    assert found["cold start: processor time"] == (1.25, False)
    assert found["peak memory"] == (0.9, True)
    assert found["at rest: Azure calls per interval"] == (0.02, True)
    assert found["at rest: CPU per interval"] == (0.05, True)
    assert "at rest: API server writes per interval" not in found  # the peer writes nothing: no ratio


def test_the_shipped_rate_has_none() -> None:
    figures = Figures(io.StringIO())
    compare(figures, OPERATOR, replace(PEER, rest_writes=4), SHIPPED)
    assert {line["target"] for line in figures.lines} == {None}
    assert figures.lines[-2]["value"] == 0


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        ({}, False),
        ({"conditions": []}, False),
        ({"conditions": [{"type": "Ready", "status": "False"}]}, False),
        ({"conditions": [{"type": "Deleted", "status": "True"}, {"type": "Ready", "status": "True"}]}, True),
    ],
)
def test_an_external_secret_is_ready(status: dict[str, object], expected: bool) -> None:
    assert ExternalSecrets.is_ready({"status": status}) is expected


def test_a_new_external_secret_is_not_ready() -> None:
    assert ExternalSecrets.is_ready({}) is False
