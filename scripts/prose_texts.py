"""Extracts the texts that people read outside of the pages, so that `scripts.prose` checks them like a page.

They are the descriptions and messages of the CRD, the strings of the programs, the comments of the code, and the lines
of the chart and the examples.
"""

import ast
import io
import re
import tokenize
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import yaml

_CODE: Final = "`x`"  # in place of a value in a message; the rules ignore code
_LINES: Final = (
    "charts/**/*.*",
    "examples/**/*.yaml",
    "examples/**/*.lua",
    "examples/**/*.json",
    "Makefile",
    "Dockerfile",
)
_CODE_PARTS: Final = ("operator", "sandbox", "scripts", "benchmarks", "tests")
_KINDS: Final = frozenset({".yaml", ".tpl", ".txt", ".json", ".lua", ""})
# The first two contain the CRD, which is checked by itself. The simulated Azure repeats messages of Azure.
_NOT_LINES: Final = ("secureredis.io_securerediscaches.yaml", "install.yaml")
_NOT_STRINGS: Final = "sandbox/azure/"
_NOT_IN_PATH: Final = frozenset({"versions", "schema", "openAPIV3Schema", "properties", "x-kubernetes-validations"})
_MARKUP: Final = re.compile(r"^(?=[-#>*+=|~])")


@dataclass(frozen=True)
class Text:
    """One text, and the place of its beginning: `path:line`, or the path of a field in the CRD."""

    place: str
    text: str

    def markdown(self) -> str:
        """Return the text as one paragraph of one line."""
        line = " ".join(self.text.split()).replace("<", "&lt;")
        return _MARKUP.sub(r"\\", line)


def messages(root: Path) -> list[Text]:
    """Return the texts that users of the operator read: each is checked by all rules."""
    return [*_crd(root), *(text for path in _python(root, "operator") for text in _strings(root, path))]


def comments(root: Path) -> list[Text]:
    """Return the comments and docstrings of the Python code: their words and their subjects are checked."""
    return [text for part in _CODE_PARTS for path in _python(root, part) for text in _comments(root, path)]


def words(root: Path) -> list[Text]:
    """Return the other texts, of which only the words are checked: their sentences may end on another line."""
    programs = [path for part in ("sandbox", "scripts") for path in _python(root, part)]
    found = [text for path in programs if _NOT_STRINGS not in path.as_posix() for text in _strings(root, path)]
    return found + list(_lines(root))


def _python(root: Path, part: str) -> list[Path]:
    return sorted((root / part).rglob("*.py"))


def _crd(root: Path) -> Iterator[Text]:
    for path in sorted((root / "crds").glob("*.yaml")):
        yield from _described(yaml.safe_load(path.read_text(encoding="utf-8")), str(path.relative_to(root)))


def _described(node: object, place: str) -> Iterator[Text]:
    if isinstance(node, dict):
        for key, value in node.items():
            if key in {"description", "message"} and isinstance(value, str):
                yield Text(f"{place}: {key}", value)
            elif key == "messageExpression":
                yield from (Text(f"{place}: {key}", text) for text in value.split('"')[1::2] if " " in text)
            else:
                yield from _described(value, place if key in _NOT_IN_PATH else f"{place}.{key}")
    elif isinstance(node, list):
        for value in node:
            yield from _described(value, place)


def _strings(root: Path, path: Path) -> Iterator[Text]:
    """Yield the strings with a space. A backslash is part of a pattern, which is no text."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    inside: set[ast.AST] = set()  # an f-string is one text; a docstring is a comment
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            inside |= set(ast.walk(node)) - {node}
        elif isinstance(node, ast.Expr):
            inside.add(node.value)
    for node in ast.walk(tree):
        if node in inside:
            continue
        text = _text(node)
        if " " in text.strip() and "\\" not in text:
            yield Text(f"{path.relative_to(root)}:{getattr(node, 'lineno', 1)}", text)


def _text(node: ast.AST) -> str:
    if isinstance(node, ast.JoinedStr):
        parts = [one.value if isinstance(one, ast.Constant) else _CODE for one in node.values]
        return "".join(map(str, parts))
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else ""


def _comments(root: Path, path: Path) -> Iterator[Text]:
    """Yield the docstrings, and each comment with those in the lines below it."""
    source, name = path.read_text(encoding="utf-8"), path.relative_to(root)
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Expr) and (text := _text(node.value)):
            yield Text(f"{name}:{node.lineno}", text)
    begin, last, parts = 0, 0, list[str]()
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type != tokenize.COMMENT:
            continue
        if parts and token.start[0] > last + 1:
            yield Text(f"{name}:{begin}", " ".join(parts))
            parts = []
        begin, last = (begin if parts else token.start[0]), token.start[0]
        parts.append(token.string.lstrip("# "))
    if parts:
        yield Text(f"{name}:{begin}", " ".join(parts))


def _lines(root: Path) -> Iterator[Text]:
    for path in sorted({path for pattern in _LINES for path in root.glob(pattern) if path.is_file()}):
        if path.suffix not in _KINDS or path.name in _NOT_LINES:
            continue
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
            text = re.sub(r"\$\w+", "", line).replace("`", "").strip().lstrip("# ")  # no variables of templates
            if " " in text:
                yield Text(f"{path.relative_to(root)}:{number}", text)
