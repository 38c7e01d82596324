"""The worked examples of CONTRIBUTING.md are true: this follows them in a copy of the repository.

`make test` follows the one that changes most pages, `make test-all` each one.
"""

import os
import re
import shutil
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
CODE = "operator/secure_redis"
PARTS = ("operator", "sandbox", "scripts", "docs", "crds", "charts", "tests", "requirements")
GENERATED = "tests/unit/docs/test_generated.py"


class Copy:
    """A copy of the repository that an example changes."""

    def __init__(self, root: Path) -> None:
        self.root = root
        for part in PARTS:
            shutil.copytree(ROOT / part, root / part, ignore=shutil.ignore_patterns("__pycache__", "*.tgz"))
        for file in ("pyproject.toml", "mkdocs.yml", "README.md", "CONTRIBUTING.md"):
            shutil.copy(ROOT / file, root)

    def insert(self, file: str, text: str, *, before: str) -> None:
        """Put `text` before the one place where `before` begins."""
        path = self.root / file
        content = path.read_text()
        assert content.count(before) == 1, f"{before!r} is {content.count(before)} times in {file}"
        path.write_text(content.replace(before, text + before))

    def append(self, file: str, text: str) -> None:
        """Put `text` at the end."""
        path = self.root / file
        path.write_text(path.read_text() + text)

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run Python in the copy."""
        environment = {**os.environ, "PYTHONPATH": f"{self.root / 'operator'}{os.pathsep}{self.root}"}
        command = [sys.executable, *arguments]
        return subprocess.run(command, cwd=self.root, env=environment, capture_output=True, text=True, check=False)

    def test(self, *files: str) -> str:
        """Run the copy's own tests. Returns the names of those that failed; empty: all passed."""
        done = self.run("-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:xdist", "--tb=line", *files)
        assert done.returncode in {0, 1}, done.stdout + done.stderr
        assert (done.returncode == 0) is not ("FAILED" in done.stdout), done.stdout
        return done.stdout if done.returncode else ""

    def make_docs(self) -> list[str]:
        """Generate the pages. Returns those that changed, below docs/."""
        done = self.run("scripts/docs.py")
        assert done.returncode == 0, done.stderr
        return sorted(line.removeprefix("docs/") for line in done.stdout.splitlines())


@pytest.fixture
def tree(tmp_path: Path) -> Copy:
    return Copy(tmp_path)


def blocks(title: str) -> list[str]:
    """The code of an example, without its first comment line."""
    page = (ROOT / "CONTRIBUTING.md").read_text()
    section = re.split(r"^##+ ", page.split(f"### {title}\n", 1)[1], maxsplit=1, flags=re.MULTILINE)[0]
    found = re.findall(r"^   ```[a-z]+\n(.*?)^   ```$", section, flags=re.MULTILINE | re.DOTALL)
    lines = [re.sub(r"^   ", "", block, flags=re.MULTILINE) for block in found]
    return [re.sub(r"\A# [^\n]*\n", "", block) for block in lines]


@pytest.mark.slow
def test_add_a_rule(tree: Copy) -> None:
    check, row, commands = blocks("Add a rule")
    file = f"{CODE}/domain/assess/rules/resilience.py"
    tree.insert(file, f"{check}\n\n", before="RULES = (")
    path = tree.root / file
    path.write_text(path.read_text().removesuffix(")\n") + row + ")\n")
    tree.append("scripts/docs_data/rules.yaml", commands)
    assert "test_pages_are_up_to_date" in tree.test(GENERATED)
    assert tree.make_docs() == ["rules/R7.md", "rules/README.md"]
    assert (
        tree.test(GENERATED, "tests/unit/domain/assess/test_rules.py", "tests/unit/domain/assess/test_rules_around.py")
        == ""
    )


@pytest.mark.slow
def test_add_a_status_field(tree: Copy) -> None:
    field, schema = blocks("Add a status field")
    tree.insert(f"{CODE}/api/status.py", field, before="    retires_on: str | None = None  # the day")
    failed = tree.test("tests/unit/kube/test_crd_schema.py")
    assert "cache.location" in failed
    where = "                    retiresOn:\n"
    tree.insert("crds/secureredis.io_securerediscaches.yaml", schema, before=where)
    assert tree.test("tests/unit/kube/test_crd_schema.py") == ""
    assert "test_pages_are_up_to_date" in tree.test(GENERATED, "-k", "up_to_date")
    assert tree.make_docs() == ["api.md"]


@pytest.mark.slow
def test_add_an_action(tree: Copy) -> None:
    (action,) = blocks("Add an action")
    file = f"{CODE}/domain/plan/actions.py"
    tree.insert(file, f"{action}\n\n", before="CacheAction = (")
    assert "test_the_union_has_every_action" in tree.test("tests/unit/domain/plan/test_actions.py")
    path = tree.root / file
    path.write_text(path.read_text().replace("CacheAction = (\n", "CacheAction = (\n    RebootCache\n    | "))
    assert "test_each_has_exactly_one_branch" in tree.test("tests/unit/domain/plan/test_actions.py")


def test_add_a_reason(tree: Copy) -> None:
    value, row, commands = blocks("Add a reason")
    tree.insert(f"{CODE}/api/reasons/reason.py", value, before='    CACHE_GONE = "CacheGone"')
    assert "CacheMoved" in tree.run("scripts/docs.py").stderr
    path = tree.root / f"{CODE}/api/reasons/cache.py"
    path.write_text(path.read_text().removesuffix("}\n") + row + "}\n")
    tree.append("scripts/docs_data/reasons.yaml", commands)
    assert "test_pages_are_up_to_date" in tree.test(GENERATED, "-k", "up_to_date or every_reason_is_reported")
    assert {"reasons/CacheMoved.md", "reasons/README.md", "conditions/Ready.md"} <= set(tree.make_docs())
    assert "test_every_reason_is_reported" in tree.test(GENERATED, "-k", "up_to_date or every_reason_is_reported")


def test_the_blocks_are_those_of_the_page() -> None:
    assert [len(blocks(title)) for title in ("Add a rule", "Add a status field", "Add an action", "Add a reason")] == [
        3,
        2,
        1,
        3,
    ]
    assert textwrap.dedent(blocks("Add an action")[0]) == blocks("Add an action")[0]
