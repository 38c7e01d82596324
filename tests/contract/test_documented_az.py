"""The `az` commands in the docs are commands of the real azure-cli, with options that it has. None of them is run."""

import itertools
import os
import re
import shlex
import subprocess
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest
from markdown_it import MarkdownIt

from sandbox.azure_cli import azure_cli

ROOT = Path(__file__).parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
_WORD = re.compile(r"[a-z][a-z0-9-]*")
_INNER = re.compile(r"\$\(([^()]*)\)")


def used(text: str) -> Iterator[tuple[str, set[str]]]:
    """Commands (`redis list-keys`) in the shell blocks of a page, with the options each is given."""
    for token in MarkdownIt().parse(text):
        if token.type == "fence" and token.info.strip() == "sh":
            for line in token.content.replace("\\\n", " ").splitlines():
                yield from _in_line(line)


def _in_line(line: str) -> Iterator[tuple[str, set[str]]]:
    while inner := _INNER.search(line):
        yield from _in_line(inner[1])
        line = line[: inner.start()] + "X" + line[inner.end() :]
    start = re.search(r"(?:^|[|;&] *)az (?P<rest>.*)", line)
    if start is not None:
        words = shlex.split(start["rest"], comments=True)
        command = itertools.takewhile(_WORD.fullmatch, words)
        yield " ".join(command), {word for word in words if word.startswith("-")}


def commands() -> dict[str, set[str]]:
    """All commands of all pages, with all options that they are given."""
    found: dict[str, set[str]] = defaultdict(set)
    for page in PAGES:
        for command, options in used(page.read_text(encoding="utf-8")):
            found[command] |= options
    return found


COMMANDS = commands()
# An extension that no package registry has: github.com/Azure/azure-cli-extensions, src/redisenterprise (read 2026-12).
_PLACE = frozenset({"--resource-group", "--cluster-name", "--query", "--output"})
EXTENSION = {
    "redisenterprise show": _PLACE,
    "redisenterprise update": _PLACE
    | {
        "--identity-type",
        "--key-encryption-identity-type",
        "--key-encryption-key-url",
        "--maintenance-configuration",
        "--minimum-tls-version",
        "--user-assigned-identities",
        "--user-assigned-identity-resource-id",
    },
    "redisenterprise list-skus-for-scaling": _PLACE,
    "redisenterprise database create": _PLACE | {"--client-protocol", "--clustering-policy", "--eviction-policy"},
    "redisenterprise database import": _PLACE | {"--sas-uris"},
    "redisenterprise database list-keys": _PLACE,
    "redisenterprise database update": _PLACE
    | {"--access-keys-auth", "--client-protocol", "--defer-upgrade", "--eviction-policy", "--persistence"},
    "redisenterprise database access-policy-assignment update": _PLACE
    | {"--access-policy-assignment-name", "--access-string", "--database-name"},
}


@pytest.mark.timeout(900)  # azure-cli is installed once
@pytest.mark.parametrize("command", sorted(one for one in COMMANDS if not one.startswith("redisenterprise")))
def test_azure_cli_has_the_command_and_its_options(command: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    environment = {
        **os.environ,
        "AZURE_CONFIG_DIR": str(tmp_path_factory.getbasetemp() / "az"),  # shared: it keeps an index of commands
        "AZURE_CORE_COLLECT_TELEMETRY": "false",
        "AZURE_CORE_NO_COLOR": "true",
    }
    asked = [str(azure_cli()), *command.split(), "--help"]
    done = subprocess.run(asked, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "Command\n" in done.stdout, f"az {command} is a group, or none at all"
    known = set(re.findall(r"(?<![\w-])--?[a-z][\w-]*", done.stdout))
    assert COMMANDS[command] - known == set()


@pytest.mark.parametrize("command", sorted(one for one in COMMANDS if one.startswith("redisenterprise")))
def test_the_extension_has_the_command_and_its_options(command: str) -> None:
    assert COMMANDS[command] - EXTENSION[command] == set()


def test_commands_are_found() -> None:
    text = '```sh\naz a b --x "$(az c -q z)" \\\n  --y\nX=$(az e f --v w)\nrun | az g\nfizz az h\n```\n'
    assert list(used(text)) == [("c", {"-q"}), ("a b", {"--x", "--y"}), ("e f", {"--v"}), ("g", set())]
    assert len(COMMANDS) > 15
