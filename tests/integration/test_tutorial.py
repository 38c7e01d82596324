"""The commands for the sandbox: each of a page, in their order and in one shell, prints what the page shows."""

import dataclasses
import difflib
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
QUICK_START = ROOT / "docs/quick-start.md"
SECONDS = 900  # four minutes on an idle machine
_MARK = "--- the next step ---"
_DIFFERS = (
    (re.compile(r"\b(\d+[smhd])+\b"), "AGE"),
    (re.compile(r"\b[0-9a-f]{8}\b"), "ID"),
    (re.compile(r"\(x\d+ over AGE\)"), ""),
    (re.compile(r"\b127(\.\d+){3}\b"), "ADDRESS"),  # each cache listens on its own
)
_FAILS = "set -Eeuo pipefail\ntrap 'echo \"this command of the tutorial failed: $BASH_COMMAND\" >&2' ERR\n"


def blocks(text: str, kind: str) -> list[str]:
    """The blocks of a page that are of this kind."""
    return [token.content for token in MarkdownIt().parse(text) if token.type == "fence" and token.info.strip() == kind]


@dataclasses.dataclass(frozen=True)
class Step:
    """A block of commands of a page, and the output that the page shows for it."""

    commands: str
    shown: str


def steps(text: str) -> list[Step]:
    """The blocks of commands of a page (sh), each with the block of output (text) that follows it."""
    found: list[Step] = []
    for token in MarkdownIt().parse(text):
        kind = token.info.strip() if token.type == "fence" else ""
        if kind == "sh":
            found.append(Step(token.content, ""))
        elif kind == "text":
            assert found, f"an output without a command: {token.content}"
            assert not found[-1].shown, f"two outputs of one block of commands: {token.content}"
            found[-1] = Step(found[-1].commands, token.content)
    return found


def with_tab(text: str, title: str) -> str:
    """Return a page without the other tabs of each row of tabs whose titles are lines of bold text."""

    def chosen(tabs: re.Match[str]) -> str:
        _, *parts = re.split(r"^ *\*\*(.+)\*\*$", tabs[1], flags=re.MULTILINE)
        return dict(zip(parts[::2], parts[1::2], strict=True))[title]

    return re.sub(r"<!-- tabs -->(.*?)<!-- /tabs -->", chosen, text, flags=re.DOTALL)


def normal(line: str) -> str:
    """A line without what differs from run to run: ages, identifiers, addresses, the width of columns."""
    for pattern, name in _DIFFERS:
        line = pattern.sub(name, line)
    return " ".join(line.split())


def difference(shown: str, printed: str) -> str:
    """Where the output of a page is not what was printed. Empty if it is.

    In the page, `…` means any text within a line, and a line that is `…` for any number of lines.
    """
    expected = [normal(line) for line in shown.strip("\n").splitlines()]
    there = [normal(line) for line in printed.strip("\n").splitlines()]
    pattern = "".join(
        "(?:.*\n)*?" if line == "…" else ".*?".join(map(re.escape, line.split("…"))) + "\n" for line in expected
    )
    if re.fullmatch(pattern, "".join(f"{line}\n" for line in there)):
        return ""
    return "\n".join(difflib.unified_diff(expected, there, "the page", "the commands", lineterm="", n=1))


def run_steps(page: list[Step], environment: dict[str, str], output: Path, before: str = "") -> list[str]:
    """Run the commands of a page in one shell. Returns what each step printed."""
    script = before + "".join(f"printf '\\n{_MARK}\\n'\n{step.commands}" for step in page)
    return run(script, environment, output).split(f"\n{_MARK}\n")[1:]


def differences(page: list[Step], printed: list[str]) -> str:
    """All steps of which the page does not show what they print."""
    wrong = [
        f"$ {step.commands}{found}\n"
        for step, there in zip(page, printed, strict=True)
        if (found := difference(step.shown, there))
    ]
    return "\n".join(wrong)


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
    """The environment of a user's shell, with what was built so far and without other sandboxes.

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
def test_every_command_of_the_tutorial_prints_what_the_page_shows(environment: dict[str, str], tmp_path: Path) -> None:
    page = steps(PAGE.read_text(encoding="utf-8"))
    found = differences(page, run_steps(page, environment, tmp_path / "output"))
    assert not found, found


def shown_only_on_the_page(said: str, page: Path) -> list[str]:
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


# The simulated Azure has what the quick start takes from the reader's Azure.
QUICK_START_WORLD = """
./sandbox.sh up --bare
eval "$(./sandbox.sh env)"
./sandbox.sh seed examples
PYTHONPATH=operator:. "$(scripts/bootstrap)" - <<END
from pathlib import Path
from sandbox.azure.control.client import Control
from sandbox.cli.state import Sandbox
control = Control.of(Path(Sandbox.only().must().azure))
control.keyvault.set_secret("shop", "orders-key", control.redis.keys("orders")["Primary"])
END
helm() { ./sandbox.sh helm "$@" --values "$VALUES"; }
IMAGE=sandbox.test/operator TAG=0.1.0 CACHE=orders VAULT=shop NAMESPACE=shop
CACHE_ID=/subscriptions/00000000-0000-0000-0000-000000000001/resourceGroups/shop/providers/Microsoft.Cache/redis/orders
CLIENT=00000000-0000-0000-0000-00000000c001 TENANT=00000000-0000-0000-0000-00000000a001
"""


@pytest.mark.slow
@pytest.mark.timeout(SECONDS + 120)
def test_the_quick_start_ends_as_it_shows_at_its_beginning(environment: dict[str, str], tmp_path: Path) -> None:
    text = QUICK_START.read_text(encoding="utf-8")
    end = next(token.content for token in MarkdownIt().parse(text) if token.info.strip() == "console")
    shown = end.partition("\n")[2]
    text = with_tab(text, "Helm")  # only the chart takes the sandbox's values
    _, clone, *page = steps(text.replace("vault.azure.net", "$VAULT_SUFFIX"))
    assert clone.commands.startswith("git clone ")  # and the build of the image, for which the sandbox has a stand-in
    printed = run_steps(page, environment, tmp_path / "output", before=QUICK_START_WORLD)
    condition_met, _, table = printed[3].partition("\n")
    assert condition_met == "securerediscache.secureredis.io/orders condition met"
    found = difference(shown, table)
    assert not found, found


def test_the_page_has_its_commands() -> None:
    text = "\n".join(step.commands for step in steps(PAGE.read_text(encoding="utf-8")))
    assert text.startswith("make demo KEEP=1\n")
    assert text.rstrip().endswith("./sandbox.sh down")
    assert text.count("kubectl ") > 20


@pytest.mark.parametrize(
    ("shown", "printed"),
    [
        ("NAME   AGE\nmine   35s\n", "NAME   AGE\nmine   1m2s\n"),
        ("…\ndemo: ok\n", "anything\nat all\ndemo: ok\n"),
        ("a\n…\nz\n", "a\nz\n"),
        ('"since":"…"}]\n', '"since":"2026-01-02T03:04:05Z"}]\n'),
        ("8f14e45f\n", "c9f0f895\n"),
    ],
)
def test_what_differs_from_run_to_run_is_no_difference(shown: str, printed: str) -> None:
    assert difference(shown, printed) == ""


@pytest.mark.parametrize(
    ("shown", "printed"),
    [
        ("mine   True   35s\n", "mine   False   35s\n"),
        ("mine   35s\n", "mine   35s\nmore\n"),
        ("mine   35s\nmore\n", "mine   35s\n"),
        ("", "mine\n"),
        ("mine\n", ""),
        ("…\ndemo: ok\n", "demo: ok\nafter it\n"),
        ("DATA   10\n", "DATA   9\n"),
    ],
)
def test_any_other_difference_is_reported(shown: str, printed: str) -> None:
    assert difference(shown, printed)
