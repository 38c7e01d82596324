"""Messages of `./sandbox.sh` end in a command that works as it is printed."""

import os
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from sandbox.cli.main import main
from sandbox.cli.state import Sandbox, SandboxError

ROOT = Path(__file__).parents[3]
PROGRAM = ROOT / "sandbox.sh"
HOLD = (
    "import sys; from sandbox.cli.state import Sandbox; assert Sandbox(sys.argv[1]).hold(); print(flush=True); input()"
)


@pytest.fixture(autouse=True)
def no_sandbox_of_another(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    cache.mkdir()
    python = Path(sys.executable).parents[1]  # else scripts/bootstrap would install one
    (cache / python.name).symlink_to(python)
    monkeypatch.setenv("SECURE_REDIS_CACHE", str(cache))
    monkeypatch.chdir(ROOT)


@pytest.fixture
def running(request: pytest.FixtureRequest) -> Iterator[list[str]]:
    """Processes that hold the locks of sandboxes, as their supervisors do."""
    held = [
        subprocess.Popen([sys.executable, "-c", HOLD, name], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        for name in request.param
    ]
    try:
        for one in held:
            assert one.stdout is not None
            assert one.stdout.readline()
        yield request.param
    finally:
        for one in held:
            one.communicate(b"\n")


def command(*arguments: str) -> Result:
    return CliRunner().invoke(main, arguments, prog_name="./sandbox.sh")


@pytest.mark.parametrize(
    ("name", "start"),
    [
        ("default", "./sandbox.sh up"),
        ("other", "./sandbox.sh --name other up"),
        ("demo", "make demo KEEP=1"),  # `up` makes none of its caches
    ],
)
def test_a_sandbox_that_does_not_run_is_started_by_the_printed_command(name: str, start: str) -> None:
    with pytest.raises(SandboxError) as refused:
        Sandbox(name).must()
    assert str(refused.value) == f"the sandbox {name!r} does not run: start it in the repository with `{start}`"


@pytest.mark.parametrize("arguments", [["operator", "stop"], ["env"], ["fault", "clear"], ["shell"], ["helm", "list"]])
def test_every_command_of_a_running_sandbox_says_so(arguments: list[str]) -> None:
    named = command("--name", "other", *arguments)
    assert named.exit_code == 1
    assert "--name other up`" in named.stderr
    unnamed = command(*arguments)
    assert unnamed.exit_code == 1
    assert unnamed.stderr == (
        "sandbox: no sandbox runs: start one with `./sandbox.sh up`, or with `make demo KEEP=1` for the tutorial\n"
    )


def test_the_name_may_follow_the_command() -> None:
    assert command("status", "--name", "other").stdout == "other: not running\n"


@pytest.mark.parametrize("running", [["one"]], indirect=True)
def test_the_only_sandbox_needs_no_name(running: list[str]) -> None:
    assert Sandbox.only().name == "one"
    assert Sandbox("one").command("down") == "./sandbox.sh down"
    assert command("status").stdout == "one: starting\n"


@pytest.mark.parametrize("running", [["one", "two"]], indirect=True)
def test_of_several_sandboxes_one_must_be_named(running: list[str]) -> None:
    refused = command("env")
    assert refused.exit_code == 1
    assert refused.stderr == (
        "sandbox: several sandboxes run (one, two): name one, for example `./sandbox.sh --name one status`\n"
    )
    assert command("status").stdout == "one: starting\ntwo: starting\n"


def test_a_printed_command_works_in_any_directory(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    printed = Sandbox("other").command("status")
    done = subprocess.run(["bash", "-c", printed], capture_output=True, text=True, check=False)
    assert done.stdout == "other: not running\n", done.stderr


def test_the_program_works_through_a_link(tmp_path: Path) -> None:
    link = tmp_path / "my sandbox"
    link.symlink_to(PROGRAM)
    done = subprocess.run([link, "--help"], capture_output=True, text=True, check=False, cwd=tmp_path)
    assert done.stdout.startswith("Usage: ./sandbox.sh [OPTIONS] COMMAND"), done.stderr


def test_a_shell_completes_commands_and_values() -> None:
    def completions(line: str) -> list[str]:
        words = shlex.split(line)
        environment = {
            **os.environ,
            "_SANDBOX_SH_COMPLETE": "bash_complete",
            "COMP_WORDS": line,
            "COMP_CWORD": str(len(words) - (0 if line.endswith(" ") else 1)),
        }
        done = subprocess.run(
            [sys.executable, "-m", "sandbox"], env=environment, capture_output=True, text=True, check=True
        )
        return [one.removeprefix("plain,") for one in done.stdout.splitlines()]

    assert completions("./sandbox.sh s") == ["seed", "shell", "status"]
    assert completions("./sandbox.sh operator ") == ["stop", "start", "restart"]
    assert completions("./sandbox.sh fault add ") == ["status", "html", "truncated", "hang", "reset", "delay"]


def test_a_request_about_the_operator_is_kept_for_the_supervisor() -> None:
    sandbox = Sandbox("other")
    sandbox.directory.mkdir(parents=True)
    assert sandbox.operator_request() is None
    first, second = sandbox.request_operator("stop"), sandbox.request_operator("start")
    assert first.identifier != second.identifier
    assert sandbox.operator_request() == second
