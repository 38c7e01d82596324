"""Records pictures of the product into dist/pictures, as SVG: chapters of the demo, and what `kubectl` prints.

PYTHONPATH=operator:. python -m scripts.docs_recordings [--output DIRECTORY]

It runs the whole demo in a sandbox of its own. scripts/docs_pictures.py puts the pictures into the site.
"""

import argparse
import io
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from rich.console import Console
from rich.text import Text

from sandbox.cli.state import Sandbox
from sandbox.demo.__main__ import STORY
from sandbox.demo.chapters import unsafe
from sandbox.demo.rotation import rotation
from sandbox.toolchain import kubectl

ROOT = Path(__file__).resolve().parent.parent
_SANDBOX = "docs-pictures"
# Columns of the terminal. Longer lines wrap. `get -o wide` has more than others.
_COLUMNS = 112
_WIDE = {"demo-rotation": 170, "kubectl-get": 170}
_CHAPTER = re.compile(r"━━ \d+\. (?P<title>.+?) ━*$")
# The pictures of chapters of the demo.
CHAPTERS = {"demo-unsafe": unsafe, "demo-rotation": rotation}
# The pictures of commands.
COMMANDS = {
    "kubectl-get": "get srcache -o wide",
    "kubectl-describe": "describe srcache legacy",
}


class RecordingError(RuntimeError):
    """A picture cannot be recorded. The text names the cause."""


def chapters(output: str) -> dict[str, str]:
    """Return the text of each chapter of the demo by its title, with its colours."""
    found: dict[str, list[str]] = {}
    lines: list[str] = []
    for line in output.splitlines():
        heading = _CHAPTER.match(Text.from_ansi(line).plain)
        if heading is not None:
            lines = found.setdefault(heading["title"], [])
        else:
            lines.append(line)
    return {title: "\n".join(one).strip("\n") for title, one in found.items()}


def picture(text: str, title: str, name: str) -> str:
    """Return an SVG of a terminal with the title `title` that shows `text`. It loads nothing."""
    shown = Text.from_ansi(text)
    width = min(_WIDE.get(name, _COLUMNS), max(len(line) for line in shown.plain.splitlines()))
    console = Console(
        file=io.StringIO(), record=True, width=width, force_terminal=True, color_system="standard", legacy_windows=False
    )
    console.print(shown)
    svg = console.export_svg(title=title, unique_id=name)
    # rich's fonts are from a network. The reader's own fixed-width font takes their place.
    return re.sub(r"@font-face \{.*?\}\s*", "", svg, flags=re.DOTALL)


def record() -> dict[str, str]:
    """Run the demo and the commands. Returns the pictures by name. Raises RecordingError."""
    sandbox = Sandbox(_SANDBOX)
    pictures: dict[str, str] = {}
    try:
        command = [sys.executable, "-m", "sandbox.demo", "--keep", "--name", _SANDBOX]
        done = subprocess.run(  # noqa: S603 - the project's own command
            command, env={**os.environ, "FORCE_COLOR": "1"}, stdout=subprocess.PIPE, text=True, check=False
        )
        if done.returncode != 0:
            raise RecordingError(f"the demo failed:\n{done.stdout[-2000:]}")
        recorded = chapters(done.stdout)
        titles = {chapter: title for title, chapter in STORY}
        for name, chapter in CHAPTERS.items():
            title = titles[chapter]
            pictures[name] = picture(recorded[title], f"make demo: {title}", name)
        for name, arguments in COMMANDS.items():
            text = _kubectl(sandbox.must().kubeconfig, arguments)
            pictures[name] = picture(f"$ kubectl -n shop {arguments}\n{text}", f"kubectl {arguments}", name)
    finally:
        sandbox.down()
        shutil.rmtree(sandbox.directory, ignore_errors=True)
    return pictures


def _kubectl(kubeconfig: str, arguments: str) -> str:
    done = subprocess.run(  # noqa: S603 - the project's own command
        [str(kubectl()), "-n", "shop", *arguments.split()],
        env={**os.environ, "KUBECONFIG": kubeconfig},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise RecordingError(f"kubectl {arguments}: {done.stderr.strip()}")
    return done.stdout.rstrip()


def main(arguments: list[str] | None = None) -> int:
    """Record all pictures. Returns the exit code."""
    parser = argparse.ArgumentParser(description="Record pictures of the product.")
    parser.add_argument("--output", type=Path, default=ROOT / "dist/pictures", help="where to (default: dist/pictures)")
    options = parser.parse_args(arguments)
    try:
        pictures = record()
    except RecordingError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    shutil.rmtree(options.output, ignore_errors=True)
    options.output.mkdir(parents=True)
    for name, svg in pictures.items():
        (options.output / f"{name}.svg").write_text(svg, encoding="utf-8")
    sys.stdout.write(f"{len(pictures)} pictures are in {options.output}; `make docs` puts them into the site\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
