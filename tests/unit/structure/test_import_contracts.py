"""The import contracts of `make check` fail when a copy of the code breaks them."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
LINTER = Path(sys.executable).with_name("lint-imports")
STEPS = "Steps of the reconcile pass: no step imports a later step"
PACKAGES = "Packages: who may import whom"


def lint(tree: Path) -> str:
    """The report of import-linter over a tree; its exit code says the same."""
    environment = {**os.environ, "PYTHONPATH": f"{tree / 'operator'}{os.pathsep}{tree}"}
    command = [str(LINTER), "--no-logo", "--no-cache", "--config", str(tree / "pyproject.toml")]
    done = subprocess.run(command, cwd=tree, env=environment, capture_output=True, text=True, check=False)
    assert (done.returncode == 0) is (" 0 broken" in done.stdout), done.stdout + done.stderr
    return done.stdout


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    for name in ("operator", "sandbox"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    return tmp_path


def test_an_unchanged_copy_keeps_every_contract(tree: Path) -> None:
    assert " 0 broken" in lint(tree)


@pytest.mark.parametrize(
    ("file", "imported", "contract"),
    [
        ("domain/plan/plan.py", "secure_redis.domain.report.report", STEPS),
        ("domain/assess/ownership.py", "secure_redis.domain.plan.actions", STEPS),
        ("domain/observe/secret.py", "secure_redis.domain.assess.ownership", STEPS),
        ("domain/grants.py", "secure_redis.domain.assess.ownership", STEPS),
        ("domain/report/report.py", "secure_redis.reconciler.act", PACKAGES),
    ],
    ids=lambda value: value.rsplit("/", 1)[-1],
)
def test_an_import_of_a_later_step_breaks_the_contract(tree: Path, file: str, imported: str, contract: str) -> None:
    module = tree / "operator/secure_redis" / file
    module.write_text(module.read_text() + f"\nimport {imported}\n")
    assert f"{contract} BROKEN" in lint(tree)
