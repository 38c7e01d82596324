"""Why a release stops, and running the programs that it calls."""

import os
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path


class ReleaseError(RuntimeError):
    """The release stops. The text is one sentence that names the cause and the way out."""


def run(command: Sequence[str], directory: Path, variables: Mapping[str, str] | None = None) -> str:
    """Run a program and return what it prints.

    Raises:
        ReleaseError: the program is missing or fails.

    """
    name = Path(command[0]).name
    try:
        done = subprocess.run(  # noqa: S603 - the project's own command
            command, cwd=directory, env={**os.environ, **(variables or {})}, capture_output=True, text=True, check=False
        )
    except FileNotFoundError as error:
        raise ReleaseError(f"{name} is not on PATH: install it and run the command again.") from error
    if done.returncode != 0:
        output = (done.stdout + done.stderr).strip()[-3000:]
        raise ReleaseError(f"`{name} {command[1]} …` failed with code {done.returncode}:\n{output}")
    return done.stdout
