"""A hook of mkdocs: tables and long names stay readable on a narrow screen.

Each cell of a table gets the title of its column, which the style sheet shows where it stacks the cells of a row. Each
long name in code gets places at which a line may end, so that no line ends in the middle of a word.
"""

import re
from typing import Any
from xml.etree.ElementTree import Element

from markdown import Extension, Markdown
from markdown.treeprocessors import Treeprocessor
from markdown.util import AtomicString

_LONG = 20  # characters; a shorter name moves to the next line
_PLACE = re.compile(r"(?<=[./_:=,@\-])(?=\w)")


class _Cells(Treeprocessor):  # type: ignore[misc]  # markdown is of another environment
    def run(self, root: Element) -> None:
        for table in root.iter("table"):
            titles = ["".join(title.itertext()) for title in table.iter("th")]
            for row in table.iter("tr"):
                for title, cell in zip(titles, row.findall("td"), strict=False):
                    cell.set("data-label", title)
        for code in root.iter("code"):
            if code.text and len(code) == 0 and len(code.text) > _LONG:
                _divide(code, code.text)


def _divide(code: Element, text: str) -> None:
    first, *rest = _PLACE.split(text)
    code.text = AtomicString(first)
    for part in rest:
        place = Element("wbr")
        place.tail = AtomicString(part)
        code.append(place)


class _Tables(Extension):  # type: ignore[misc]
    def extendMarkdown(self, md: Markdown) -> None:  # noqa: N802 - Markdown calls it so
        md.treeprocessors.register(_Cells(md), "secure-redis-tables", 4)  # after the inline patterns and the contents


def on_config(config: Any, **_: Any) -> Any:
    """Extend Markdown. mkdocs calls it once."""
    config.markdown_extensions.append(_Tables())
    return config
