"""The consequences of a reason are in its own row, and no other file keeps a list of reasons."""

import ast
from pathlib import Path

import pytest

from secure_redis.api.reasons.catalogue import REASONS, has, reasons_on
from secure_redis.api.reasons.reason import ConditionType, Reason
from secure_redis.api.reasons.row import NO_TRAITS, Trait

OPERATOR = Path(__file__).parents[3] / "operator" / "secure_redis"
ROWS = OPERATOR / "api" / "reasons"
LISTED = 3  # so many reasons in one place are a list of reasons


def _members(node: ast.AST) -> set[str]:
    """The reasons that a collection names: its elements, or the keys of a dict."""
    if isinstance(node, ast.Dict):
        parts = [key for key in node.keys if key is not None]
    elif isinstance(node, ast.Set | ast.Tuple | ast.List):
        parts = node.elts
    elif isinstance(node, ast.MatchOr):
        parts = [one.value for one in node.patterns if isinstance(one, ast.MatchValue)]
    else:
        return set()
    return {
        one.attr
        for one in parts
        if isinstance(one, ast.Attribute) and isinstance(one.value, ast.Name) and one.value.id == "Reason"
    }


def lists_of_reasons(code: str) -> list[int]:
    """The lines on which a collection of reasons begins."""
    return [
        node.lineno
        for node in ast.walk(ast.parse(code))
        if isinstance(node, ast.expr | ast.pattern) and len(_members(node)) >= LISTED
    ]


@pytest.mark.parametrize(
    "path",
    [pytest.param(path, id=str(path.relative_to(OPERATOR))) for path in sorted(OPERATOR.rglob("*.py"))],
)
def test_no_file_but_the_rows_keeps_a_list_of_reasons(path: Path) -> None:
    if ROWS in path.parents:
        return
    found = lists_of_reasons(path.read_text())
    assert found == [], f"{path}: lines {found}: give the reasons a trait in their rows (api/reasons) and ask `has`"


@pytest.mark.parametrize(
    "code",
    [
        "X = frozenset({Reason.A, Reason.B, Reason.C})",
        "x = reason in (Reason.A, Reason.B, Reason.C)",
        "X = {Reason.A: 1, Reason.B: 2, Reason.C: 3}",
        "match r:\n    case Reason.A | Reason.B | Reason.C: ...",
    ],
)
def test_a_list_of_reasons_is_noticed(code: str) -> None:
    assert lists_of_reasons(code) != []


def test_every_trait_belongs_to_a_reason() -> None:
    assert {trait for trait in Trait if not any(has(reason, trait) for reason in Reason)} == set()


def test_a_reason_of_another_version_has_no_trait() -> None:
    assert not any(has(reason, trait) for trait in Trait for reason in ("NoSuchReason", "", None))
    assert not has(Reason.READY, NO_TRAITS | Trait.TERMINAL)


def test_terminal_reasons_are_those_on_stalled() -> None:
    assert reasons_on(ConditionType.STALLED) == {reason for reason in REASONS if has(reason, Trait.TERMINAL)}
