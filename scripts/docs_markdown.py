"""Hooks of mkdocs: the pages are translated from CommonMark, and generated pages get a place in the navigation.

On a Git host, a reader sees the Markdown itself. So these forms read well there, and the site shows them differently:

- Between `<!-- tabs -->` and `<!-- /tabs -->`, each heading (or line of bold text) begins a tab.
- A list between `<!-- cards -->` and `<!-- /cards -->` becomes a row of cards.
- A quotation that begins with `[!NOTE]`, `[!TIP]`, `[!IMPORTANT]`, `[!WARNING]` or `[!CAUTION]` becomes a box.
"""

import functools
import posixpath
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import yaml

_LINK = re.compile(r"(?<!!)\[(?P<text>[^\[\]]*)\]\((?P<target>\.\./[^()\s]*)\)")
_FENCE = re.compile(r"(```+|~~~+)")
_TAB = re.compile(r"(?P<level>#{2,6}) (?P<heading>.+)|\*\*(?P<bold>[^*]+)\*\*")
_BLOCKS = {f"<!-- {slash}{name} -->": (slash, name) for name in ("tabs", "cards") for slash in ("", "/")}
_ALERT = re.compile(r"> \[!(NOTE|TIP|IMPORTANT|WARNING|CAUTION)\]\s*")
_BOXES = {"NOTE": "note", "TIP": "tip", "IMPORTANT": "info", "WARNING": "warning", "CAUTION": "danger"}
_ICON = Path(__file__).resolve().parent.parent / "charts/secure-redis-operator/icon.svg"
SEARCH = Path(__file__).with_name("docs_data") / "search.yaml"
# A search finds the guides first: these folders have many short pages with the same words.
_LESS = ("claims/", "decisions/", "internals/", "reasons/", "rules/")


class BlockError(ValueError):
    """A marked block of a page has no end, no beginning or no title. The text names the line."""


def prepared(markdown: str, page: str) -> str:
    """Return `markdown` of the page at `page` (below docs/) in the form that mkdocs reads.

    Raises:
        BlockError: a marked block is not complete.

    """
    return blocks(boxes(indented(plain(markdown, page))))


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


def blocks(markdown: str) -> str:
    """Replace each marked block by tabs or cards. A marker within a fence is text.

    Raises:
        BlockError: a marked block is not complete.

    """
    done: list[str] = []
    begun: tuple[str, int, list[str]] | None = None  # name, indentation and lines of the open block
    for line, fenced in _fenced(markdown.split("\n")):
        slash, name = ("", "") if fenced else _BLOCKS.get(line.strip(), ("", ""))
        if name and not slash and begun is None:
            begun = (name, len(line) - len(line.lstrip()), [])
        elif name and slash and begun is not None and begun[0] == name:
            done += _block(*begun)
            begun = None
        elif name:
            raise BlockError(f"`{line.strip()}` is where no such block may begin or end")
        else:
            (done if begun is None else begun[2]).append(line)
    if begun is not None:
        raise BlockError(f"`<!-- {begun[0]} -->` has no end")
    return "\n".join(done)


def _block(name: str, indentation: int, lines: list[str]) -> Iterator[str]:
    space = " " * indentation
    if name == "cards":
        yield from (f'{space}<div class="grid cards" markdown>', *lines, f"{space}</div>")
        return
    level = ""  # of the first title: what is below it belongs into its tab
    for line, fenced in _fenced(lines):
        match = None if fenced or not line.startswith(space) else _TAB.fullmatch(line[indentation:])
        if match is not None and level in ("", match["level"] or "bold"):
            level = match["level"] or "bold"
            yield from (f'{space}=== "{match["heading"] or match["bold"]}"', "")
        elif level:
            yield f"    {line}" if line.strip() else ""
        elif line.strip():
            raise BlockError(f"`{line.strip()}` is before the title of the first tab")
    if not level:
        raise BlockError("`<!-- tabs -->` has no title")


def _fenced(lines: Iterable[str]) -> Iterator[tuple[str, bool]]:
    """Each line, and whether it is of a fence."""
    fence = ""
    for line in lines:
        match = _FENCE.match(line.lstrip())
        if fence:
            yield line, True
            if match is not None and match[1].startswith(fence):
                fence = ""
        else:
            fence = "" if match is None else match[1]
            yield line, bool(fence)


def boxes(markdown: str) -> str:
    """Replace each quotation that begins with a kind, such as `[!NOTE]`, by a box."""
    lines = []
    space: str | None = None  # before the open quotation
    for line, fenced in _fenced(markdown.split("\n")):
        text = line.lstrip()
        match = None if fenced else _ALERT.fullmatch(text)
        if match is not None:
            space = line[: len(line) - len(text)]
            lines.append(f'{space}!!! {_BOXES[match[1]]} "{match[1].capitalize()}"')
        elif space is not None and text.startswith(">"):
            lines.append(f"{space}    {text[1:].removeprefix(' ')}".rstrip())
        else:
            space = None
            lines.append(line)
    return "\n".join(lines)


def on_files(files: Any, *, config: Any, **_: Any) -> Any:
    """Add the chart's icon, which is the logo."""
    # Only where mkdocs runs: the tests import this module too.
    from mkdocs.structure.files import File

    files.append(File.generated(config, config.theme["logo"], abs_src_path=str(_ICON)))
    return files


@functools.cache
def _words() -> dict[str, list[str]]:
    words: dict[str, list[str]] = yaml.safe_load(SEARCH.read_text(encoding="utf-8"))
    return words


def on_page_markdown(markdown: str, *, page: Any, **_: Any) -> str:
    """Translate one page. mkdocs calls it for each."""
    if page.file.src_uri.startswith(_LESS):
        page.meta.setdefault("search", {"boost": 0.5})
    page.meta.setdefault("tags", _words().get(page.file.src_uri, []))
    if page.file.src_uri == "README.md":
        page.meta.setdefault("hide", ["navigation", "toc"])
    return prepared(markdown, page.file.src_uri)


def on_nav(nav: Any, *, files: Any, **_: Any) -> Any:
    """Put each generated page below the index of its folder: the path above the page and the marked entry show it."""
    indexes = {posixpath.dirname(page.file.src_uri): page for page in nav.pages if page.file.name == "index"}
    for file in files.documentation_pages():
        index = indexes.get(posixpath.dirname(file.src_uri))
        if index is not None and index.parent is not None and file.page is not None and file.page.parent is None:
            file.page.parent = index
    return nav
