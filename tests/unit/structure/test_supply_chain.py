"""The rules for the workflows and the requirements, beyond what zizmor checks."""

import json
import re
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[3]
WORKFLOWS = sorted((ROOT / ".github/workflows").glob("*.yaml"))
LOCKED = sorted((ROOT / "requirements").glob("*.txt"))


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_actions_are_pinned_by_commit_and_jobs_have_their_own_permissions(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    workflow = yaml.safe_load(text)
    uses = re.findall(r"uses: (\S+)(.*)", text)
    assert uses
    for action, comment in uses:
        assert re.fullmatch(r"[\w/-]+@[0-9a-f]{40}", action), action
        assert re.fullmatch(r" # v\d+\.\d+\.\d+", comment), f"{action}: the version belongs behind the commit"
    assert workflow["permissions"] == {}
    for job in workflow["jobs"].values():
        assert job["permissions"]["contents"] == "read"
        checkouts = [step for step in job["steps"] if str(step.get("uses", "")).startswith("actions/checkout@")]
        assert all(step["with"]["persist-credentials"] is False for step in checkouts)


@pytest.mark.parametrize("path", LOCKED, ids=lambda path: path.name)
def test_requirements_have_hashes_and_no_addresses(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert "://" not in text
    assert not re.search(r"^--", text, re.MULTILINE), "an option names a place of the machine that compiled it"
    entries = [line for line in text.splitlines() if re.match(r"[A-Za-z0-9]", line)]
    assert entries
    assert [line for line in entries if not line.endswith(" \\")] == [], "every package has hashes"


def test_every_installation_checks_hashes() -> None:
    installs = {
        path.name: re.findall(r"pip\"?,? \"?install[^\n]*", path.read_text(encoding="utf-8"))
        for path in (ROOT / "Dockerfile", ROOT / "scripts/bootstrap", *WORKFLOWS)
    }
    assert installs["Dockerfile"]
    assert installs["bootstrap"]
    for lines in installs.values():
        for line in lines:
            assert "--require-hashes" in line or "--no-index" in line, line


def test_renovate_sees_every_lock_file() -> None:
    settings = json.loads((ROOT / "renovate.json").read_text(encoding="utf-8"))
    assert settings["ignorePaths"] == ["**/node_modules/**"], "the preset would ignore tests/clients"
    (pattern,) = settings["pip-compile"]["managerFilePatterns"]
    assert all(re.search(pattern.strip("/"), f"requirements/{path.name}") for path in LOCKED)
