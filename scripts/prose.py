"""Checks the prose with Vale: words, length of sentences, headings.

PYTHONPATH=operator:. python -m scripts.prose [PAGE …]

It checks the pages of the documentation, and the texts of the CRD, the programs and the chart (`scripts.prose_texts`).
The rules are in scripts/vale/styles.
"""

import argparse
import json
import re
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from sandbox.toolchain import ToolchainError
from sandbox.vale import vale
from scripts import prose_texts
from scripts.prose_texts import Text

ROOT = Path(__file__).resolve().parent.parent
CONFIG = ROOT / ".vale.ini"
PAGES = (
    "README.md",
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "SECURITY.md",
    "benchmarks/README.md",
    "charts/*/README.md",
    "docs/**/*.md",
    "examples/**/*.md",
)
_WORDS = "SecureRedis.Words"
_SUBJECTS = "SecureRedis.ClauseSubjects"


class ProseError(RuntimeError):
    """Vale cannot be built or run. The text is its output."""


@dataclass(frozen=True)
class Finding:
    """One finding of Vale."""

    page: str
    line: int
    column: int
    rule: str
    message: str

    def __str__(self) -> str:
        """Return the finding as one line, with its place first, as compilers print it."""
        place = f"{self.page}:{self.line}:{self.column}" if self.line else self.page
        return f"{place}: {self.message} ({self.rule})"


def pages() -> list[str]:
    """Return the paths of all pages that have to be clean."""
    return sorted({str(path.relative_to(ROOT)) for pattern in PAGES for path in ROOT.glob(pattern)})


def check(paths: Sequence[str | Path]) -> list[Finding]:
    """Return the findings of Vale on these files, in the order of the files.

    Raises:
        ProseError: Vale cannot be built or run.

    """
    try:
        program = vale()
    except ToolchainError as error:
        raise ProseError(str(error)) from error
    text = CONFIG.read_text(encoding="utf-8")
    text = re.sub(r"^StylesPath = (.*)$", rf"StylesPath = {ROOT}/\1", text, flags=re.MULTILINE)
    with tempfile.TemporaryDirectory(prefix="prose-") as directory:
        config = Path(directory) / "vale.ini"
        config.write_text(text, encoding="utf-8")
        command = [str(program), "--no-global", f"--config={config}", "--output=JSON", "--", *map(str, paths)]
        done = subprocess.run(  # noqa: S603 - the project's own command
            command, cwd=ROOT, capture_output=True, text=True, check=False
        )
    if done.returncode not in (0, 1):  # 1: there are findings
        raise ProseError((done.stderr or done.stdout).strip())
    found: dict[str, list[dict[str, Any]]] = json.loads(done.stdout)
    findings = [
        Finding(page, one["Line"], one["Span"][0], one["Check"], one["Message"])
        for page, alerts in found.items()
        for one in alerts
    ]
    return sorted(findings, key=lambda one: (one.page, one.line, one.column))


def check_texts(texts: Sequence[Text]) -> list[Finding]:
    """Return the findings on these texts. A finding names the place of its text.

    Raises:
        ProseError: Vale cannot be built or run.

    """
    with tempfile.TemporaryDirectory(prefix="prose-") as directory:
        page = Path(directory) / "texts.md"
        page.write_text("".join(f"{text.markdown()}\n\n" for text in texts), encoding="utf-8")
        return [replace(one, page=texts[one.line // 2].place, line=0) for one in check([page])]


def main(arguments: list[str] | None = None) -> int:
    """Check the pages and the texts, and print the findings. Returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m scripts.prose", description="Check the prose of the pages.")
    parser.add_argument(
        "pages", nargs="*", metavar="PAGE", help="only these (default: every page, and the texts in code)"
    )
    options = parser.parse_args(arguments)
    named = [Path(page).resolve() for page in options.pages]
    if missing := [str(page) for page in named if not page.is_file()]:
        parser.error(f"no such file: {', '.join(missing)}")
    # The sections of .vale.ini match paths below the root.
    named = [page.relative_to(ROOT) if page.is_relative_to(ROOT) else page for page in named]
    try:
        findings = check(named or pages())
        if not named:
            findings += check_texts(prose_texts.messages(ROOT))
            findings += [one for one in check_texts(prose_texts.comments(ROOT)) if one.rule in {_WORDS, _SUBJECTS}]
            findings += [one for one in check_texts(prose_texts.words(ROOT)) if one.rule == _WORDS]
    except ProseError as error:
        sys.stderr.write(f"prose: {error}\n")
        return 1
    for finding in findings:
        sys.stdout.write(f"{finding}\n")
    sys.stderr.write(f"prose: {len(findings)} finding{'' if len(findings) == 1 else 's'}\n")
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())
