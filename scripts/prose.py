"""Checks the prose of the documentation with Vale: words, length of sentences, headings.

PYTHONPATH=operator:. python -m scripts.prose [--all | --prune] [PAGE …]

The rules are in scripts/vale/styles. `.vale.ini` lists the pages that are not clean yet. Their findings do not count,
and an entry without a finding is an error, so that the list only shrinks. `--prune` removes such entries. Pages that
are named are always checked.
"""

import argparse
import json
import re
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sandbox.toolchain import ToolchainError
from sandbox.vale import vale

ROOT = Path(__file__).resolve().parent.parent
CONFIG = ROOT / ".vale.ini"
PAGES = (
    "README.md",
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "SECURITY.md",
    "benchmarks/README.md",
    "docs/**/*.md",
    "examples/**/*.md",
)
_NOT_CLEAN = re.compile(r"^\[([^\]\n]+)\]\nBasedOnStyles =[ \t]*$", re.MULTILINE)


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
        return f"{self.page}:{self.line}:{self.column}: {self.message} ({self.rule})"


def pages() -> list[str]:
    """Return the paths of all pages that have to be clean."""
    return sorted({str(path.relative_to(ROOT)) for pattern in PAGES for path in ROOT.glob(pattern)})


def not_clean() -> dict[str, list[str]]:
    """Return the entries of the list of pages that are not clean yet, with the pages that each matches."""
    return {
        entry: sorted(str(path.relative_to(ROOT)) for path in ROOT.glob(entry))
        for entry in _NOT_CLEAN.findall(CONFIG.read_text(encoding="utf-8"))
    }


def check(paths: Sequence[str | Path]) -> list[Finding]:
    """Return the findings of Vale on these files, whether `.vale.ini` lists them or not, in the order of the files.

    Raises:
        ProseError: Vale cannot be built or run.

    """
    try:
        program = vale()
    except ToolchainError as error:
        raise ProseError(str(error)) from error
    text = _NOT_CLEAN.sub("", CONFIG.read_text(encoding="utf-8"))
    text = re.sub(r"^StylesPath = (.*)$", rf"StylesPath = {ROOT}/\1", text, flags=re.MULTILINE)
    with tempfile.TemporaryDirectory(prefix="prose-") as directory:
        config = Path(directory) / "vale.ini"
        config.write_text(text, encoding="utf-8")
        command = [str(program), "--no-global", f"--config={config}", "--output=JSON", "--", *map(str, paths)]
        done = subprocess.run(  # noqa: S603 - ours
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


def _remove(entries: Sequence[str]) -> None:
    text = CONFIG.read_text(encoding="utf-8")
    for entry in entries:
        text = text.replace(f"[{entry}]\nBasedOnStyles =\n", "")
    CONFIG.write_text(text, encoding="utf-8")


def main(arguments: list[str] | None = None) -> int:
    """Check the pages and print the findings. Returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m scripts.prose", description="Check the prose of the pages.")
    parser.add_argument("pages", nargs="*", metavar="PAGE", help="only these (default: every page that is not listed)")
    parser.add_argument("--all", action="store_true", help="also the pages that .vale.ini lists as not clean yet")
    parser.add_argument("--prune", action="store_true", help="remove the pages that are clean from that list")
    options = parser.parse_args(arguments)
    named = [Path(page).resolve() for page in options.pages]
    if missing := [str(page) for page in named if not page.is_file()]:
        parser.error(f"no such file: {', '.join(missing)}")
    # The sections of .vale.ini match paths below the root.
    named = [page.relative_to(ROOT) if page.is_relative_to(ROOT) else page for page in named]
    try:
        findings = check(named or pages())
    except ProseError as error:
        sys.stderr.write(f"prose: {error}\n")
        return 1
    if options.pages or options.all:
        problems = list(map(str, findings))
        notice = ""
    else:
        listed = not_clean()
        skipped = {page for matched in listed.values() for page in matched}
        unclean = {finding.page for finding in findings}
        problems = [str(finding) for finding in findings if finding.page not in skipped]
        clean = [entry for entry, matched in listed.items() if unclean.isdisjoint(matched)]
        if options.prune:
            _remove(clean)
        else:
            problems += [f".vale.ini: [{entry}] is clean: remove the entry (--prune does)" for entry in clean]
        notice = f", {len(skipped)} pages are not clean yet" if skipped else ""
    for problem in problems:
        sys.stdout.write(f"{problem}\n")
    sys.stderr.write(f"prose: {len(problems)} finding{'' if len(problems) == 1 else 's'}{notice}\n")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
