"""Messages of `python -m sandbox` end in a command that works as it is printed."""

from pathlib import Path

import pytest

from sandbox.cli import main
from sandbox.cli.state import Sandbox, SandboxError


@pytest.fixture(autouse=True)
def no_sandbox_of_another(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("SECURE_REDIS_CACHE", str(tmp_path))


@pytest.mark.parametrize(
    ("name", "command"),
    [
        ("default", 'PYTHONPATH=operator:. "$(scripts/bootstrap)" -m sandbox --name default up'),
        ("other", 'PYTHONPATH=operator:. "$(scripts/bootstrap)" -m sandbox --name other up'),
        ("demo", "make demo KEEP=1"),  # `up` makes none of its caches
    ],
)
def test_a_sandbox_that_does_not_run_is_started_by_the_printed_command(name: str, command: str) -> None:
    with pytest.raises(SandboxError) as refused:
        Sandbox(name).must()
    assert str(refused.value) == f"the sandbox {name!r} does not run: start it in the repository with `{command}`"


@pytest.mark.parametrize("arguments", [["operator", "stop"], ["env"], ["fault", "clear"], ["shell"]])
def test_every_command_of_a_running_sandbox_says_so(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main.main(["--name", "other", *arguments]) == 1
    assert "--name other up`" in capsys.readouterr().err


def test_a_request_about_the_operator_is_kept_for_the_supervisor() -> None:
    sandbox = Sandbox("other")
    sandbox.directory.mkdir(parents=True)
    assert sandbox.operator_request() is None
    first, second = sandbox.request_operator("stop"), sandbox.request_operator("start")
    assert first.identifier != second.identifier
    assert sandbox.operator_request() == second
