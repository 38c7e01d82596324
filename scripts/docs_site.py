"""Builds the documentation site into site/ with mkdocs, in its own environment in the cache.

PYTHONPATH=operator:. python -m scripts.docs_site [--output DIRECTORY]

mkdocs fails on every warning (`strict` in mkdocs.yml). Nothing is fetched but the environment, at the first time.
"""

import argparse
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from sandbox.environments import EnvironmentFailedError, environment

ROOT = Path(__file__).resolve().parent.parent


class SiteError(RuntimeError):
    """The site cannot be built. The text is the output of pip or mkdocs."""


def build(output: Path, config: Path = ROOT / "mkdocs.yml", settings: Mapping[str, str] | None = None) -> str:
    """Build the site into `output`. Returns mkdocs' output.

    `settings`: further environment variables, such as those that mkdocs.yml reads.

    Raises:
        SiteError: mkdocs cannot be installed, or there was a warning or an error.

    """
    try:
        python = environment("docs") / "bin" / "python"
    except EnvironmentFailedError as error:
        raise SiteError(str(error)) from error
    command = [str(python), "-m", "mkdocs", "build", "--strict", "--config-file", str(config)]
    command += ["--site-dir", str(output.absolute())]
    # The theme's notice about the future of mkdocs, which is about no page of this project.
    variables = {**os.environ, "NO_MKDOCS_2_WARNING": "1", "PYTHONDONTWRITEBYTECODE": "1", **(settings or {})}
    variables.pop("PYTHONPATH", None)  # the project's own packages are of another environment
    done = subprocess.run(  # noqa: S603 - the project's own command
        command, env=variables, cwd=ROOT, capture_output=True, text=True, check=False
    )
    messages = (done.stdout + done.stderr).strip()
    if done.returncode != 0:
        raise SiteError(messages)
    return messages


def main(arguments: list[str] | None = None) -> int:
    """Build the site. Returns the exit code."""
    parser = argparse.ArgumentParser(description="Build the documentation site.")
    parser.add_argument("--output", type=Path, default=ROOT / "site", help="where to (default: site/)")
    options = parser.parse_args(arguments)
    try:
        build(options.output)
    except SiteError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    sys.stdout.write(f"the documentation site is in {options.output}: open index.html\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
