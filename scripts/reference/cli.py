"""Composes the page of the command line from the parsers of `secure-redis`."""

from collections.abc import Iterator, Sequence
from typing import Final

import click
from click.testing import CliRunner

from secure_redis.cli.main import main
from secure_redis.cli.run import LOST, UNUSABLE

_PROGRAM: Final = "secure-redis"
_BEFORE: Final = """\
You need this page when you run the operator outside a cluster, or when you check an installation or a configuration
file. The image and the Python package contain the command `secure-redis`:
"""
_IN_A_POD: Final = """\
In a pod of the chart, the same command is `python3 -m secure_redis`:

```sh
kubectl -n secure-redis-system exec deployment/secure-redis-operator -- \\
  python3 -m secure_redis verify --config /etc/secure-redis/config.yaml
```"""


def page(head: Sequence[str]) -> str:
    """Return the page below its heading."""
    lines = [*head, *_BEFORE.splitlines(), "", *_help([]), "", *_IN_A_POD.splitlines()]
    for name, command in main.commands.items():
        lines += ["", f"## `{_PROGRAM} {name}`", "", *_help([name]), *_environment(command)]
    lines += ["", "## Exit codes", "", *_exit_codes()]
    return "\n".join(lines) + "\n"


def _help(arguments: Sequence[str]) -> Iterator[str]:
    done = CliRunner().invoke(main, [*arguments, "--help"], prog_name=_PROGRAM, terminal_width=80, color=False)
    if done.exit_code != 0:
        raise RuntimeError(done.output)
    yield from ("```console", f"$ {' '.join([_PROGRAM, *arguments, '--help'])}", *done.output.splitlines(), "```")


def _environment(command: click.Command) -> Iterator[str]:
    for option in command.params:
        if isinstance(option.envvar, str):
            yield from ("", f"If you omit `{option.opts[0]}`, the environment variable `{option.envvar}` sets it.")


def _exit_codes() -> Iterator[str]:
    wrong, usage = click.ClickException.exit_code, click.UsageError.exit_code
    yield f"- **0**: the command succeeded. `{_PROGRAM} run` ended after the signal SIGTERM or SIGINT."
    yield f"- **{wrong}**: the configuration file is not valid, or `{_PROGRAM} verify` found a problem."
    yield f"- **{LOST}**, of `{_PROGRAM} run`: the operator lost the leadership, or did not end in time."
    yield f"- **{usage}**: an option is unknown or missing, or its file does not exist."
    yield f"- **{UNUSABLE}**, of `{_PROGRAM} run`: there is no usable kubeconfig, or the port of `/healthz` is in use."
