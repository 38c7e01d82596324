"""Every page of a reason and of a rule has its sections, and commands that a shell reads and the CRD knows."""

import re
import subprocess
from collections.abc import Iterator
from typing import Any

import jsonschema
import pytest
import yaml

from scripts import docs, docs_fixes
from secure_redis.api.reasons.catalogue import REASONS
from secure_redis.api.reasons.reason import Reason
from secure_redis.domain.assess.rules import RULES
from tests.unit.docs.test_written import MARKDOWN, SCHEMA, SPEC

PAGES = {f"reasons/{reason}": docs.reason_page(reason) for reason in Reason} | {
    f"rules/{rule.id}": docs.rule_page(rule) for rule in RULES
}
PAGES["reasons/README"] = docs.reasons_index()
_FIELD = re.compile(r"\{(?:(range )?\.([\w.]+)|end)\}")


def blocks(text: str, kind: str) -> list[str]:
    return [token.content for token in MARKDOWN.parse(text) if token.type == "fence" and token.info == kind]


def section(text: str, heading: str) -> str:
    """The text below a heading, up to the next one."""
    return re.split(r"\n## ", text.split(f"\n## {heading}\n", 1)[1], maxsplit=1)[0]


def optional(schema: dict[str, Any]) -> dict[str, Any]:
    """The schema without required fields: for a part of an object."""
    return {
        key: optional(part) if isinstance(part, dict) else part for key, part in schema.items() if key != "required"
    }


def jsonpaths(command: str) -> Iterator[list[str]]:
    """The fields that the templates of a command name; those of a range are below its list."""
    base: list[str] = []
    for word, path in _FIELD.findall(re.sub(r"\[[^\]]*\]", "", command)):
        if not path:
            base = []
        elif word:
            base = path.split(".")
        else:
            yield [*base, *path.split(".")]


def has_field(path: list[str]) -> bool:
    schema: dict[str, Any] = SCHEMA
    for name in path:
        schema = schema.get("items", schema)
        if name not in schema.get("properties", {}):
            return False
        schema = schema["properties"][name]
    return True


def test_every_reason_and_rule_has_an_entry_and_none_is_left_over() -> None:
    assert set(docs_fixes.REASON_ENTRIES) == set(Reason)
    assert set(docs_fixes.RULE_ENTRIES) == {rule.id for rule in RULES}
    for entry in (*docs_fixes.REASON_ENTRIES.values(), *docs_fixes.RULE_ENTRIES.values()):
        assert set(entry) <= {"fix", "verify"}


@pytest.mark.parametrize("reason", Reason)
def test_a_reason_page_has_cause_fix_and_verify(reason: Reason) -> None:
    page = PAGES[f"reasons/{reason}"]
    headings = [line for line in page.splitlines() if line.startswith("## ")]
    assert headings[:3] == ["## Cause", "## Fix", "## Verify"]
    fix = section(page, "Fix")
    nothing = fix.strip().startswith(docs_fixes.NOTHING)
    assert nothing != bool(blocks(fix, "sh") or blocks(fix, "yaml"))
    assert nothing == ("fix" not in docs_fixes.REASON_ENTRIES[reason])
    assert not nothing or REASONS[reason].remedy.startswith(("Wait", docs_fixes.NOTHING))
    assert blocks(section(page, "Verify"), "sh")


@pytest.mark.parametrize("rule", [rule.id for rule in RULES])
def test_a_rule_page_has_a_fix_with_a_command_and_verify(rule: str) -> None:
    page = PAGES[f"rules/{rule}"]
    fix = section(page, "Fix")
    assert blocks(fix, "sh") or blocks(fix, "yaml")
    assert blocks(section(page, "Verify"), "sh")


@pytest.mark.parametrize("page", PAGES)
def test_a_shell_reads_the_commands(page: str) -> None:
    for block in blocks(PAGES[page], "sh"):
        done = subprocess.run(["bash", "-n"], input=block, capture_output=True, text=True, check=False)
        assert (done.returncode, done.stderr) == (0, ""), block
        assert re.search(r"<[^<>\n]*>", block) is None, f"a placeholder instead of a variable: {block}"


@pytest.mark.parametrize("page", PAGES)
def test_commands_use_variables_that_the_page_or_the_index_explains(page: str) -> None:
    text, index = PAGES[page], PAGES["reasons/README"]
    for block in blocks(text, "sh"):
        for name in re.findall(r"\$\{?([A-Z][A-Z_]+)", block):
            assert re.search(rf"\b{name}=", index) or re.search(rf"\b{name}=", text) or f"`${name}`" in text, (
                f"${name} is explained nowhere"
            )


@pytest.mark.parametrize("page", PAGES)
def test_fields_in_commands_are_fields_of_the_crd(page: str) -> None:
    for block in blocks(PAGES[page], "sh"):
        for line in block.replace("\\\n", " ").splitlines():
            if "srcache" in line or line.startswith("get ") or "$(get " in line:
                for path in jsonpaths(line):
                    assert has_field(path), f"{path} in {line}"


@pytest.mark.parametrize("page", PAGES)
def test_fields_in_yaml_are_fields_of_the_crd(page: str) -> None:
    for block in blocks(PAGES[page], "yaml"):
        part = yaml.safe_load(block)
        assert list(part) == ["spec"]
        jsonschema.validate(part["spec"], optional(SPEC))
