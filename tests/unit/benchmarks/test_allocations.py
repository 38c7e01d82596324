"""The counts of allocations: a rise beyond the tolerance is a missed target, and each Python has counts of its own."""

import json
import sys
from io import StringIO
from pathlib import Path
from typing import Any

import pytest

from benchmarks import allocations
from benchmarks.figures import Figures

VERSION = "{}.{}".format(*sys.version_info)


@pytest.fixture
def kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "allocations.json"
    path.write_text('{"2.7": {}}')
    monkeypatch.setattr(allocations, "KEPT", path)
    return path


def measured(*, keep: bool = False) -> Figures:
    figures = Figures(StringIO())
    allocations.measure(figures, keep=keep)
    return figures


def test_a_rise_is_missed(kept: Path) -> None:
    assert {line["target"] for line in measured().lines} == {None}, "nothing was kept for this Python"
    assert measured(keep=True).missed == []
    documents: dict[str, dict[str, Any]] = json.loads(kept.read_text())
    assert documents.keys() == {"2.7", VERSION}, "the counts of other versions stay"
    counts = documents[VERSION]
    assert len(counts) == 3
    assert all(value > 100 for value in counts.values())
    lower = {name: value / 1.05 for name, value in counts.items()}
    kept.write_text(json.dumps({VERSION: lower}))
    assert len(measured().missed) == 3
    kept.write_text(json.dumps({VERSION: counts}))
    assert measured().missed == [], "another run counts the same"
