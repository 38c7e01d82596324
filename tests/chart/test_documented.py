"""The values in each documented Helm command, and in each documented release of Argo CD and Flux, render the chart."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from sandbox.chart.render import CHART, ROOT, render, text

PAGES = [ROOT / "README.md", CHART / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
SETS = ("--set", "--set-string", "--set-json")
# For a variable that the page sets from Azure or by hand.
ANY = {"IMAGE": "registry.example.com/secure-redis-operator", "TAG": "0.1.0", "NAMESPACE": "shop"}
UUID = "00000000-0000-0000-0000-000000000001"


def blocks(page: Path, *languages: str) -> Iterator[str]:
    for found in re.finditer(r"^( *)```(\w+)[^\n]*\n(.*?)^\1```", page.read_text(), re.DOTALL | re.MULTILINE):
        if found[2] in languages:
            yield re.sub(rf"^{found[1]}", "", found[3], flags=re.MULTILINE)


def commands() -> Iterator[tuple[str, tuple[str, ...]]]:
    """Pages with the values that one of their commands sets. A command that sets none is also yielded."""
    for page in PAGES:
        variables = dict(ANY)
        for block in blocks(page, "sh", "bash", "console", "shell"):
            lines = re.sub(r"\\\n", " ", block).splitlines()
            for line in lines:
                variables |= dict(re.findall(r"(?:^|\s)([A-Z][A-Z0-9_]*)=([^\s$`'\"]+)", line))
                if re.search(r"\bhelm\b.* (install|upgrade|template) .*secure-redis-operator", line):
                    words = shlex.split(expanded(line.removeprefix("$ "), variables), comments=True)
                    options = [
                        f"{word}={words[place + 1]}" if word in SETS else word
                        for place, word in enumerate(words)
                        if word.partition("=")[0] in SETS
                    ]
                    yield page.relative_to(ROOT).as_posix(), tuple(options)


def expanded(line: str, variables: dict[str, str]) -> str:
    line = re.sub(r"\$\([^)]*\)", "1", line)
    return re.sub(r"\$(\{)?([A-Z][A-Z0-9_]*)(?(1)\})", lambda found: variables.get(found[2], UUID), line)


def releases() -> Iterator[tuple[str, dict[str, Any]]]:
    """Files with the values of a HelmRelease or an Argo CD Application of this chart."""
    sources = [(path, path.read_text()) for path in sorted((ROOT / "examples").rglob("*.yaml"))]
    sources += [(page, block) for page in PAGES for block in blocks(page, "yaml")]
    for path, source in sources:
        if "HelmRelease" not in source and "valuesObject" not in source:
            continue
        for one in yaml.safe_load_all(source):
            spec = one.get("spec") or {}
            values = spec.get("values") or ((spec.get("source") or {}).get("helm") or {}).get("valuesObject")
            if values is not None:
                yield path.relative_to(ROOT).as_posix(), values


COMMANDS = sorted(set(commands()))
RELEASES = list(releases())


@pytest.mark.parametrize(("page", "options"), COMMANDS)
def test_a_command_sets_values_of_the_chart(page: str, options: tuple[str, ...]) -> None:
    assert text(options=options)


@pytest.mark.parametrize(("file", "values"), RELEASES)
def test_a_release_has_values_of_the_chart(file: str, values: dict[str, Any]) -> None:
    assert render(values)


def test_there_are_commands_and_releases() -> None:
    assert {"README.md", "docs/install.md", "docs/quick-start.md", "docs/upgrade.md"} <= {page for page, _ in COMMANDS}
    assert {"examples/argocd/application.yaml", "examples/flux/secure-redis.yaml"} <= {file for file, _ in RELEASES}
