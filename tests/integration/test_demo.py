"""`make demo` as a user runs it: the story holds, no key is shown, and nothing is left behind however it ends."""

import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from sandbox import names
from sandbox.api import Api
from sandbox.azure.control.client import Control
from sandbox.cli.state import Sandbox
from sandbox.cluster import Cluster
from sandbox.demo.stage import part_of, row_of
from sandbox.demo.story import DemoError, Story
from sandbox.waiting import PATIENCE, wait_for

ROOT = Path(__file__).resolve().parents[2]
SECONDS = 360
CACHES = {"legacy", "orders", "sessions", "catalog", "reports"}
CLUSTERS = {"carts"}  # of Azure Managed Redis
DEMO = [sys.executable, "-m", "sandbox.demo"]
# A chapter with one false claim, which the real demo runs.
UNTRUE = """
import sys
from sandbox.demo.__main__ import main
def chapter(stage, shop):
    stage.await_(lambda: '"message":' in stage.operator_log.read_text(), "the operator to log")
    stage.story.claim("water is wet", True)
    stage.story.claim("pigs fly", False)
sys.exit(main(sys.argv[1:], (("Animals", chapter),)))
"""


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    """A sandbox of this test's own; ended, should the demo not have done so."""
    made = Sandbox(f"test-demo-{os.getpid()}")
    try:
        yield made
    finally:
        made.down()
        shutil.rmtree(made.directory, ignore_errors=True)


def run(argv: list[str], sandbox: Sandbox, *arguments: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [*argv, "--name", sandbox.name, *arguments],
        capture_output=True,
        text=True,
        check=False,
        timeout=SECONDS,
        cwd=ROOT,
    )


def test_the_story_is_true_and_shows_no_key(sandbox: Sandbox) -> None:
    done = run(DEMO, sandbox, "--keep")
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-1000:]
    assert done.stdout.rstrip().splitlines()[-1] == "demo: ok"
    assert "NOT TRUE" not in done.stdout
    if names.allowed():  # else there are no pods
        # Once for each service.
        assert len(re.findall(r"✓ failed AUTH: 0 of [1-9]\d*, through the whole rotation", done.stdout)) == 2
        assert done.stdout.count("✓ each of the 3 pods proves that it holds the new key") == 2
        assert len(re.findall(r"^ +[\d.]+ s  RollingOut: .*", done.stdout, re.MULTILINE)) >= 2
    assert "✓ the Secret names the database's port, 10000" in done.stdout

    facts = sandbox.must()  # it was kept
    control = Control.of(Path(facts.azure))
    cluster = Cluster.load(Path(facts.kubeconfig).parent)
    secrets = {key for cache in CACHES for key in control.redis.keys(cache).values()}
    secrets |= {key for cluster in CLUSTERS for key in control.managed_redis.keys(cluster).values()}
    for name in ("sessions-redis-key", "carts-key"):
        secrets |= {one.value for one in control.keyvault.secret_versions("shop", name)}
    secrets |= {cluster.admin_token, (sandbox.directory / "azure-cli-password").read_text()}
    assert len(secrets) == (16 if names.allowed() else 14)  # with two keys that were rotated away
    shown = done.stdout + done.stderr
    assert [len(one) for one in secrets if one in shown] == []  # lengths: a failing test prints no key
    assert "\x1b" not in shown  # no terminal, no escapes

    # The things that it suggests to try are there.
    assert str(facts.kubeconfig) in shown
    caches = Api(cluster).get("/apis/secureredis.io/v1alpha1/namespaces/shop/securerediscaches").must()["items"]
    assert {one["metadata"]["name"] for one in caches} == CACHES | CLUSTERS

    again = run(DEMO, sandbox)
    assert again.returncode == 1
    assert "runs already" in again.stdout
    assert sandbox.must() == facts  # the one that was there is untouched


@pytest.mark.parametrize(
    ("number", "code", "arguments"),
    [
        pytest.param(signal.SIGINT, 130, [], marks=pytest.mark.slow),
        # It is kept once the story is complete, not before. Else as SIGINT.
        pytest.param(signal.SIGTERM, 130, ["--keep"], marks=pytest.mark.slow),
        (signal.SIGKILL, -signal.SIGKILL, []),
    ],
)
def test_everything_ends_with_it(
    sandbox: Sandbox, tmp_path: Path, number: signal.Signals, code: int, arguments: list[str]
) -> None:
    output = tmp_path / "output"
    with output.open("w") as sink:
        demo = subprocess.Popen(
            # Where this runs in the background of a shell, SIGINT is ignored, and stays so in every child.
            ["env", "--default-signal=INT", *DEMO, "--name", sandbox.name, *arguments],
            stdout=sink,
            stderr=subprocess.STDOUT,
            cwd=ROOT,
            start_new_session=True,
        )
    try:
        wait_for(lambda: said(demo, output, "━━ 2."), SECONDS, "the second chapter")
        started = descendants(demo.pid)
        assert len(started) > 6  # supervisor, etcd, API server, two controllers, Azure, pods, operator
        demo.send_signal(number)
        assert demo.wait(PATIENCE) == code
    finally:
        demo.kill()
    wait_for(lambda: not [pid for pid in started if alive(pid)], PATIENCE, "what the demo started to end")
    assert sandbox.running() is None
    if code == 130:
        assert output.read_text().splitlines()[-1].startswith("demo: interrupted")


def test_a_false_assertion_fails_the_demo(sandbox: Sandbox) -> None:
    done = run([sys.executable, "-c", UNTRUE], sandbox)
    assert done.returncode == 1
    last = done.stdout.rstrip().splitlines()[-1]
    assert last == "demo: FAILED: 1 of 2 things shown were not true: pigs fly"
    assert "NOT TRUE: pigs fly" in done.stdout
    assert "The last lines of the operator's log:" in done.stdout
    assert '"message":' in done.stdout  # the log's lines themselves
    assert sandbox.running() is None


@pytest.mark.parametrize(("given", "keeps"), [((), False), (("KEEP=1",), True), (("KEEP=0",), False)])
def test_make_passes_keep_to_the_demo(given: tuple[str, ...], keeps: bool) -> None:
    # As from a shell, not as a part of the `make test` that may run this.
    environment = {name: value for name, value in os.environ.items() if name not in {"KEEP", "MAKEFLAGS", "MAKELEVEL"}}
    command = ["make", "-n", "demo", *given]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT, env=environment)
    shown = done.stdout.splitlines()[-1]
    assert "-m sandbox.demo" in shown
    assert ("--keep" in shown) is keeps


def test_a_verdict_names_what_was_false(capsys: pytest.CaptureFixture[str]) -> None:
    story = Story()
    story.chapter(1, "Sums")
    story.claim("1 + 1 = 2", holds=True)
    story.verdict()
    story.claim("1 + 1 = 3", holds=False)
    with pytest.raises(DemoError, match=r"1 of 2 things shown were not true: 1 \+ 1 = 3"):
        story.verdict()
    assert "Sums  1 of 2 true" in capsys.readouterr().out


def test_an_excerpt_is_taken_from_the_status() -> None:
    text = (
        "Spec:\n  Drift:\n    Interval:  300\nStatus:\n  Drift:\n    Path:  a\n    Path:  b\n  Last Handled:\nEvents:\n"
    )
    assert part_of(text, "Drift") == "Drift:\n  Path:  a\n  Path:  b"
    assert part_of(text, "Nothing") == ""


def test_a_row_is_read_by_its_columns() -> None:
    table = "NAME     READY   KEY   KEY VERSION\norders   True          abc\n"
    assert row_of(table, "orders") == {"NAME": "orders", "READY": "True", "KEY": "", "KEY VERSION": "abc"}
    assert row_of(table, "others") == {}


def said(demo: "subprocess.Popen[bytes]", output: Path, text: str) -> bool:
    found = output.read_text()
    assert demo.poll() is None, found
    return text in found


def descendants(pid: int) -> set[int]:
    """All processes below one, by /proc."""
    found: set[int] = set()
    for task in Path(f"/proc/{pid}/task").iterdir():
        for child in map(int, (task / "children").read_text().split()):
            found |= {child} | descendants(child)
    return found


def alive(pid: int) -> bool:
    """Whether it runs; one that has ended and is not yet reaped does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False
