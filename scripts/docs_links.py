"""A hook of mkdocs: links to files of this repository that are no page of the site become their paths."""

import posixpath
import re
from typing import Any

_LINK = re.compile(r"(?<!!)\[(?P<text>[^\[\]]*)\]\((?P<target>\.\./[^()\s]*)\)")


def plain(markdown: str, page: str) -> str:
    """`markdown` of the page at `page` (below docs/), with each link that leaves docs/ put as text and path.

    The pages are read in the repository too, where such a link leads to the file. The site knows no place for it.
    """

    def put(match: re.Match[str]) -> str:
        target, _, _ = match["target"].partition("#")
        path = posixpath.normpath(posixpath.join("docs", posixpath.dirname(page), target))
        if path == "docs" or path.startswith(("docs/", "../")):
            return match[0]
        text = match["text"]
        return text if path in text else f"{text} (`{path}`)"

    return _LINK.sub(put, markdown)


def on_page_markdown(markdown: str, *, page: Any, **_: Any) -> str:
    """Called by mkdocs for each page."""
    return plain(markdown, page.file.src_uri)
