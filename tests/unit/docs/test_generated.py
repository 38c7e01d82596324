"""The generated pages are those that the code and the CRD would generate, and nothing is left without words."""

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from scripts import docs
from secure_redis.api.reasons.catalogue import REASONS, has, reasons_on
from secure_redis.api.reasons.conditions import CONDITIONS
from secure_redis.api.reasons.reason import ConditionType, Reason
from secure_redis.api.reasons.row import NOTHING_TO_DO, Trait

DOCS = docs.ROOT / "docs"
CODE = docs.ROOT / "operator" / "secure_redis"


def test_pages_are_up_to_date() -> None:
    assert docs.stale(DOCS) == [], "run `make docs`"


def test_a_changed_a_missing_and_a_left_over_page_are_all_noticed(tmp_path: Path) -> None:
    docs.write(tmp_path)
    assert docs.stale(tmp_path) == []
    (tmp_path / "reasons/Ready.md").write_text("something else")
    (tmp_path / "conditions/Ready.md").unlink()
    (tmp_path / "reasons/NoSuchReason.md").write_text("left over")
    assert docs.stale(tmp_path) == ["conditions/Ready.md", "reasons/NoSuchReason.md", "reasons/Ready.md"]
    docs.write(tmp_path)
    assert docs.stale(tmp_path) == []


def test_the_api_page_has_every_field_and_every_check() -> None:
    """A description or a message that a user meets in an error must be found there."""
    crd = yaml.safe_load(docs.CRD.read_text(encoding="utf-8"))
    schema = crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    page = docs.api_page(crd)
    words = [
        text.replace("<", "&lt;")
        for part in (schema["properties"]["spec"], schema["properties"]["status"])
        for text in described(part)
    ]
    assert len(words) > 300
    assert [text for text in words if text not in page] == []


def described(schema: dict[str, Any]) -> Iterator[str]:
    """Names and descriptions of fields and messages of checks, at every depth."""
    yield from (rule["message"] for rule in schema.get("x-kubernetes-validations", ()) if "message" in rule)
    for name, field in schema.get("properties", {}).items():
        yield f"**`{name}`**"
        yield from filter(None, [field.get("description")])
        yield from described(field)
    for within in ("items", "additionalProperties"):
        if isinstance(schema.get(within), dict):
            yield from described(schema[within])


def test_a_field_of_the_api_page_leads_to_its_own_fields() -> None:
    page = (DOCS / "api.md").read_text(encoding="utf-8")
    assert "- **`identity`**: object ([fields](#specidentity))\n" in page
    assert "\n### `spec.identity`\n" in page
    assert "- **`resourceID`**: string, at most 300 characters, required\n" in page
    assert "- **`mode`**: `Validate`, `Provision`, default `Validate`\n" in page


@pytest.mark.parametrize("reason", Reason)
def test_a_reason_has_words_and_a_place(reason: Reason) -> None:
    text = REASONS[reason]
    assert text.meaning.endswith("."), reason
    assert text.remedy.endswith((".", "Retirement")), reason
    alone = [trait for trait in (Trait.EVENT_ONLY, Trait.ROTATION_STATUS) if has(reason, trait)]
    assert text.conditions or alone, f"{reason} is on no condition: say in its row where it appears"
    assert len(alone) <= 1, reason


@pytest.mark.parametrize("reason", [reason for reason in Reason if has(reason, Trait.TERMINAL)])
def test_a_reason_without_retry_states_the_remedy(reason: Reason) -> None:
    assert REASONS[reason].remedy != NOTHING_TO_DO


@pytest.mark.parametrize("kind", ConditionType)
def test_a_condition_has_words_for_each_status(kind: ConditionType) -> None:
    text = CONDITIONS[kind]
    assert text.question.endswith("?")
    for said in (text.when_true, text.when_false, text.when_unknown):
        assert said.endswith(".")
    assert reasons_on(kind)


def reported(code: str) -> set[str]:
    """Return the names of the reasons that the code uses for more than a comparison: those that it can report."""
    tree = ast.parse(code)
    compared = {
        part for node in ast.walk(tree) if isinstance(node, ast.Compare | ast.pattern) for part in ast.walk(node)
    }
    return {
        node.attr
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "Reason"
        if node not in compared
    }


def test_every_reason_is_reported_somewhere() -> None:
    rows = CODE / "api" / "reasons"
    files = [path for path in sorted(CODE.rglob("*.py")) if rows not in path.parents]
    used = {name for path in files for name in reported(path.read_text(encoding="utf-8"))}
    assert {reason.name for reason in Reason} - used == set()


@pytest.mark.parametrize(
    ("code", "names"),
    [
        ("Unknown(Reason.PENDING, text)", {"PENDING"}),
        ("Reason.UNKNOWN_ANNOTATION", {"UNKNOWN_ANNOTATION"}),  # and not UNKNOWN
        ("# Reason.PENDING", set()),
        ("'Reason.PENDING'", set()),
        ("found.reason is Reason.PENDING", set()),
        ("found.reason in {Reason.PENDING}", set()),
        ("match found:\n    case Reason.PENDING:\n        pass", set()),
        ("Reason.PENDING if found is Reason.BUSY else None", {"PENDING"}),
    ],
)
def test_what_counts_as_reported(code: str, names: set[str]) -> None:
    assert reported(code) == names
