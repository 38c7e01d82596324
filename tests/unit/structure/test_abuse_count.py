"""The line `abuse: N of N refused` counts each attempt of tests/abuse once, and only what was refused."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

from sandbox.chart.render import ROOT

ATTEMPTS = """
import pytest

def test_refused() -> None:
    pass

def test_not_refused() -> None:
    raise AssertionError

def test_not_run() -> None:
    pytest.skip("x")

@pytest.fixture
def server() -> None:
    raise OSError

def test_without_a_server(server: None) -> None:
    pass

@pytest.fixture
def ending():
    yield
    raise OSError

def test_whose_end_fails(ending: None) -> None:
    pass

@pytest.mark.legitimate
def test_legitimate() -> None:
    pass

@pytest.mark.listed
def test_listed() -> None:
    pass
"""


def test_only_attempts_that_pass_count_as_refused(tmp_path: Path) -> None:
    """In a run of its own, with copies of the two files that count."""
    suite = tmp_path / "suite"  # not "tests": the copies import that package
    (suite / "abuse").mkdir(parents=True)
    for name in ("conftest.py", "abuse/conftest.py"):
        shutil.copy(ROOT / "tests" / name, suite / name)
    (suite / "abuse/test_made_up.py").write_text(ATTEMPTS)
    (suite / "test_other.py").write_text("def test_no_attempt():\n    pass\n")
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "--rootdir", str(tmp_path)]
    command += ["-c", str(ROOT / "pyproject.toml"), str(suite)]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300, check=False)
    assert "5 passed" in done.stdout, done.stdout + done.stderr
    assert "abuse: 1 of 5 refused" in done.stdout
