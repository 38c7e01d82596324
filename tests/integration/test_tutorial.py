"""The commands for the sandbox: each of a page, in their order and in one shell, does what the page says."""

import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from markdown_it import MarkdownIt

from sandbox.cache import cache_dir

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs/tutorial-sandbox.md"
CHART_PAGE = ROOT / "docs/how-to/try-the-chart.md"
SECONDS = 900  # four minutes on an idle machine
_FAILS = "set -Eeuo pipefail\ntrap 'echo \"this command of the tutorial failed: $BASH_COMMAND\" >&2' ERR\n"


def blocks(text: str, kind: str) -> list[str]:
    """The blocks of a page that are of this kind."""
    return [token.content for token in MarkdownIt().parse(text) if token.type == "fence" and token.info.strip() == kind]


def commands() -> str:
    """The shell blocks of the tutorial, one after the other."""
    return "\n".join(blocks(PAGE.read_text(encoding="utf-8"), "sh"))


def run(script: str, environment: dict[str, str], output: Path) -> str:
    """Run a script in one shell until a command fails. Returns what it printed."""
    with output.open("w") as sink:
        shell = subprocess.Popen(
            ["bash", "-c", _FAILS + script],
            env=environment,
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            stdout=sink,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        code = shell.wait(SECONDS)
    finally:
        if shell.poll() is None:
            os.killpg(shell.pid, signal.SIGKILL)
            shell.wait()
    said = output.read_text(errors="replace")
    assert code == 0, said[-4000:]
    return said


@contextmanager
def users_shell() -> Iterator[dict[str, str]]:
    """The environment of a user's shell, with what was built so far and no sandbox of anybody else.

    The page's sandbox has the name `demo`, which may run here: so the cache is another directory, of links to it.
    """
    directory = Path(
        tempfile.mkdtemp(prefix="tutorial-", dir=cache_dir().parent)
    )  # not in /tmp: a pod has one of its own
    for built in cache_dir().iterdir():
        if built.name != "sandboxes":
            (directory / built.name).symlink_to(built)
    # Not a part of the `make test` that may run this.
    inherited = {name: value for name, value in os.environ.items() if name not in {"KEEP", "MAKEFLAGS", "MAKELEVEL"}}
    given = {**inherited, "SECURE_REDIS_CACHE": str(directory)}
    try:
        yield given
    finally:
        paths = os.pathsep.join([str(ROOT / "operator"), str(ROOT)])
        down = [sys.executable, "-m", "sandbox", "down", "--all"]
        subprocess.run(down, env={**given, "PYTHONPATH": paths}, cwd=ROOT, check=False, timeout=90)
        shutil.rmtree(directory)


@pytest.fixture
def environment() -> Iterator[dict[str, str]]:
    """The environment of a user's shell, for one test."""
    with users_shell() as given:
        yield given


@pytest.mark.slow
@pytest.mark.timeout(SECONDS + 120)
def test_every_command_of_the_tutorial_works(environment: dict[str, str], tmp_path: Path) -> None:
    said = run(commands(), environment, tmp_path / "output")
    assert "demo: ok" in said
    told = said[said.index("demo: ok") :]
    # What the page says is to be seen.
    assert "annotate it with secureredis.io/allow: mine (or *)" in told
    assert re.search(r'"effect":"DropsConnections".*"path":"transport.nonTLSPort"', told)
    assert "the non-TLS port is open" in told
    assert re.search(r"^mine +True +Ready +Unknown +Unknown ", told, re.MULTILINE)
    assert re.search(r"Rotated +SecureRedisCache/sessions", told)
    assert shown_only_on_the_page(told) == []
    assert told.rstrip().endswith("demo: ended")


def shown_only_on_the_page(said: str, page: Path = PAGE) -> list[str]:
    """The lines of a page's outputs of which no printed line has all words. Ages and `…` differ."""
    printed = [set(line.split()) for line in said.splitlines()]
    changing = re.compile(r"\d+[smh](\d+s)?|\(x\d+|.*….*")
    missing = []
    for line in "".join(blocks(page.read_text(encoding="utf-8"), "text")).splitlines():
        words = {word for word in line.split() if not changing.fullmatch(word)}
        if not any(words <= there for there in printed):
            missing.append(line)
    return missing


@pytest.mark.slow
@pytest.mark.timeout(SECONDS + 120)
def test_the_chart_can_be_tried_as_the_page_says(environment: dict[str, str], tmp_path: Path) -> None:
    said = run("\n".join(blocks(CHART_PAGE.read_text(encoding="utf-8"), "sh")), environment, tmp_path / "output")
    assert shown_only_on_the_page(said, CHART_PAGE) == []
    assert "srcache/orders condition met" in said or "securerediscache.secureredis.io/orders condition met" in said
    assert re.search(r"Phase: +Succeeded", said)
    assert re.search(r"^orders +servicebinding.io/redis ", said, re.MULTILINE)
    assert said.rstrip().endswith("default: ended")


def test_the_page_has_its_commands() -> None:
    text = commands()
    assert text.startswith("make demo KEEP=1\n")
    assert text.rstrip().endswith("./sandbox.sh down")
    assert text.count("kubectl ") > 20
