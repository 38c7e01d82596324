"""The text of an exception of a library passes through `clean` before anything else uses it."""

import ast
from pathlib import Path

import pytest

CODE = Path(__file__).parents[3] / "operator" / "secure_redis"
PACKAGES = ("azure", "kube", "probe", "reconciler")
FILES = sorted(path for package in PACKAGES for path in (CODE / package).rglob("*.py"))
# The operator's own, with its own texts or with texts that are clean already.
OWN = {
    "ApiFailure",
    "IdentityUnavailable",
    "InvalidResourceID",
    "InvalidStorageAccountID",
    "LeadershipLost",
    "Malformed",
    "TimeoutError",  # of a block with asyncio.timeout
}
TEXTS = {"message", "args", "strerror", "reason", "verify_message", "verify_code"}


def uncleaned(code: str) -> list[int]:
    """Return the lines on which the text of a caught exception is used as it is."""
    tree = ast.parse(code)
    parents = {child: node for node in ast.walk(tree) for child in ast.iter_child_nodes(node)}
    found: list[int] = []
    for handler in ast.walk(tree):
        if not isinstance(handler, ast.ExceptHandler) or handler.name is None or handler.type is None:
            continue
        if {node.id for node in ast.walk(handler.type) if isinstance(node, ast.Name)} <= OWN:
            continue
        for node in ast.walk(handler):
            if isinstance(node, ast.Name) and node.id == handler.name:
                above = list(_above(node, handler, parents))
                called = {one.func.id for one in above if isinstance(one, ast.Call) and isinstance(one.func, ast.Name)}
                text = any(
                    isinstance(one, ast.FormattedValue) or (isinstance(one, ast.Attribute) and one.attr in TEXTS)
                    for one in above
                )
                if (text or called & {"str", "repr"}) and not called & {"clean", "type"}:
                    found.append(node.lineno)
    return found


def _above(node: ast.AST, top: ast.AST, parents: dict[ast.AST, ast.AST]) -> list[ast.AST]:
    above: list[ast.AST] = []
    while node is not top:
        node = parents[node]
        above.append(node)
    return above


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(CODE)))
def test_the_text_of_a_library_is_cleaned(path: Path) -> None:
    assert uncleaned(path.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize(
    ("used", "lines"),
    [
        ("Unknown(f'broken: {error}')", [4]),
        ("Unknown(str(error))", [4]),
        ("Unknown(error.verify_message)", [4]),
        ("Unknown(clean(str(error)))", []),
        ("Unknown(f'broken: {clean(error.strerror)}')", []),
        ("Unknown(f'broken: {type(error).__name__}')", []),
        ("classify(error)", []),
    ],
)
def test_a_use_is_found(used: str, lines: list[int]) -> None:
    assert uncleaned(f"try:\n    f()\nexcept OSError as error:\n    {used}\n") == lines


def test_one_of_ours_is_not_meant() -> None:
    assert uncleaned("try:\n    f()\nexcept Malformed as error:\n    g(str(error))\n") == []
