"""A hook of mkdocs: tables and long names stay readable on a narrow screen.

Each cell of a table gets the title of its column, which the style sheet shows where it stacks the cells of a row. Each
long name gets places at which a line may end, so that no line ends in the middle of a word.
"""

import re
from typing import Any
from xml.etree.ElementTree import Element

from markdown import Extension, Markdown
from markdown.treeprocessors import Treeprocessor
from markdown.util import AtomicString

_LONG = re.compile(r"[^\s\x02\x03]{21,}")  # a shorter name moves to the next line; the marks are of Markdown itself
_PLACE = re.compile(r"(?<=[./_:=,@#?\-])(?=[\w&])|(?<=\|)(?=.)")
_MANY = 7  # columns; the style sheet makes the text of a table with more smaller
_CUT = "\0"


class _Cells(Treeprocessor):  # type: ignore[misc]  # markdown is of another environment
    def run(self, root: Element) -> None:
        for table in root.iter("table"):
            titles = ["".join(title.itertext()) for title in table.iter("th")]
            if len(titles) > _MANY:
                table.set("data-wide", "")
            for row in table.iter("tr"):
                for title, cell in zip(titles, row.findall("td"), strict=False):
                    cell.set("data-label", title)
            for code in table.iter("code"):  # a Git host shows an escaped "|" in code as "|"
                code.text = AtomicString((code.text or "").replace("\\|", "|"))
        for element in list(root.iter()):
            if element.tag != "pre":
                _divide(element)


def _divide(element: Element) -> None:
    """Put `<wbr>` into the long names of an element's own text, and of the text after each of its children."""
    children = list(element)
    element.text, places = _divided(element.text)
    for child in children:
        child.tail, after = _divided(child.tail)
        places += [child, *after]
    element[:] = places


def _divided(text: str | None) -> tuple[str | None, list[Element]]:
    parts = _LONG.sub(lambda name: _PLACE.sub(_CUT, name[0]), text or "").split(_CUT)
    if len(parts) == 1:
        return text, []
    places = []
    for part in parts[1:]:
        place = Element("wbr")
        place.tail = AtomicString(part)
        places.append(place)
    return AtomicString(parts[0]), places


class _Tables(Extension):  # type: ignore[misc]
    def extendMarkdown(self, md: Markdown) -> None:  # noqa: N802 - Markdown calls it so
        md.treeprocessors.register(_Cells(md), "secure-redis-tables", 4)  # after the inline patterns and the contents


def on_config(config: Any, **_: Any) -> Any:
    """Extend Markdown. mkdocs calls it once."""
    config.markdown_extensions.append(_Tables())
    return config
