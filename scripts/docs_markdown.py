"""A hook of mkdocs: pages are written as repositories show them (CommonMark), and mkdocs reads another Markdown."""

import posixpath
import re
from typing import Any

_LINK = re.compile(r"(?<!!)\[(?P<text>[^\[\]]*)\]\((?P<target>\.\./[^()\s]*)\)")
_FENCE = re.compile(r"(```+|~~~+)")


def prepared(markdown: str, page: str) -> str:
    """`markdown` of the page at `page` (below docs/) as mkdocs shall read it."""
    return indented(plain(markdown, page))


def plain(markdown: str, page: str) -> str:
    """With each link that leaves docs/ put as text and path.

    In the repository such a link leads to the file; the site knows no place for it.
    """

    def put(match: re.Match[str]) -> str:
        target, _, _ = match["target"].partition("#")
        path = posixpath.normpath(posixpath.join("docs", posixpath.dirname(page), target))
        if path == "docs" or path.startswith(("docs/", "../")):
            return match[0]
        text = match["text"]
        return text if path in text else f"{text} (`{path}`)"

    return _LINK.sub(put, markdown)


def indented(markdown: str) -> str:
    """With what belongs to a numbered item four spaces in, where CommonMark asks for three."""
    lines = []
    fence = ""  # the open one at the left edge
    for line in markdown.split("\n"):
        mark = _FENCE.match(line)
        if mark is not None and (not fence or line.startswith(fence)):
            fence = "" if fence else mark[1]
        lines.append(f" {line}" if not fence and re.match(r" {3,}\S", line) else line)
    return "\n".join(lines)


def on_page_markdown(markdown: str, *, page: Any, **_: Any) -> str:
    """Called by mkdocs for each page."""
    return prepared(markdown, page.file.src_uri)
