"""Hooks of mkdocs: the pages are translated from CommonMark, and generated pages get a place in the navigation."""

import posixpath
import re
from typing import Any

_LINK = re.compile(r"(?<!!)\[(?P<text>[^\[\]]*)\]\((?P<target>\.\./[^()\s]*)\)")
_FENCE = re.compile(r"(```+|~~~+)")


def prepared(markdown: str, page: str) -> str:
    """Return `markdown` of the page at `page` (below docs/) in the form that mkdocs reads."""
    return indented(plain(markdown, page))


def plain(markdown: str, page: str) -> str:
    """Replace each link that leaves docs/ by its text and path.

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
    """Indent the contents of a numbered item by four spaces, where CommonMark requires three."""
    lines = []
    fence = ""  # the open one at the left edge
    for line in markdown.split("\n"):
        match = _FENCE.match(line)
        if match is not None and (not fence or line.startswith(fence)):
            fence = "" if fence else match[1]
        lines.append(f" {line}" if not fence and re.match(r" {3,}\S", line) else line)
    return "\n".join(lines)


def on_page_markdown(markdown: str, *, page: Any, **_: Any) -> str:
    """Translate one page. mkdocs calls it for each."""
    return prepared(markdown, page.file.src_uri)


def on_nav(nav: Any, *, files: Any, **_: Any) -> Any:
    """Put each generated page below the index of its folder: the path above the page and the marked entry show it."""
    indexes = {posixpath.dirname(page.file.src_uri): page for page in nav.pages if page.file.name == "index"}
    for file in files.documentation_pages():
        index = indexes.get(posixpath.dirname(file.src_uri))
        if index is not None and index.parent is not None and file.page is not None and file.page.parent is None:
            file.page.parent = index
    return nav
