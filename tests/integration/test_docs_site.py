"""The documentation site is built without a warning, loads nothing from elsewhere, and shows what the pages say."""

import re
from collections import Counter
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path

import pytest
from markdown_it import MarkdownIt

from scripts import docs_site
from scripts.docs_markdown import indented, plain

pytestmark = pytest.mark.timeout(900)  # mkdocs is installed once, which takes a minute or more

DOCS = docs_site.ROOT / "docs"
PAGES = sorted(str(path.relative_to(DOCS)) for path in DOCS.rglob("*.md"))
MARKDOWN = MarkdownIt("commonmark").enable("table")
# The likeliest differences of the two kinds of Markdown: blocks within lists, lists without an empty line before them.
SHAPES = {"pre": {"fence", "code_block"}, "table": {"table_open"}, "li": {"list_item_open"}}


class Page(HTMLParser):
    """Counts elements of a page's article, and notes what the whole page loads."""

    def __init__(self) -> None:
        super().__init__()
        self.observed: Counter[str] = Counter()
        self.loads: list[str] = []
        self._inside = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """An element begins."""
        given = dict(attrs)
        if tag == "article":
            self._inside += 1
        if self._inside:
            self.observed[tag] += 1
        if tag in {"script", "img", "iframe", "source", "audio", "video"}:
            self.loads.append(given.get("src") or "")
        if tag == "link" and "canonical" not in (given.get("rel") or ""):
            self.loads.append(given.get("href") or "")

    def handle_endtag(self, tag: str) -> None:
        """An element ends."""
        if tag == "article":
            self._inside -= 1


def read(path: Path) -> Page:
    page = Page()
    page.feed(path.read_text(encoding="utf-8"))
    return page


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("site")
    said = docs_site.build(directory)  # fails on any warning
    assert "WARNING" not in said
    return directory


def built(site: Path, page: str) -> Path:
    return site / re.sub(r"(^|/)README\.md$", r"\1index.md", page).replace(".md", ".html")


def test_every_page_is_there_and_shows_all_its_blocks(site: Path) -> None:
    wrong = []
    for page in PAGES:
        parsed = MARKDOWN.parse(plain((DOCS / page).read_text(encoding="utf-8"), page))
        wanted = {tag: sum(token.type in kinds for token in parsed) for tag, kinds in SHAPES.items()}
        shown = read(built(site, page)).observed
        wrong += [f"{page}: {shown[tag]} {tag} instead of {many}" for tag, many in wanted.items() if shown[tag] != many]
    assert wrong == []


def test_nothing_is_loaded_from_elsewhere(site: Path) -> None:
    pages, styles = list(site.rglob("*.html")), list(site.rglob("*.css"))
    assert pages
    assert styles
    for path in pages:
        assert [one for one in read(path).loads if "//" in one] == [], path.name
    for path in styles:
        assert not re.search(r"url\(\s*['\"]?(https?:)?//", path.read_text(encoding="utf-8")), path.name


@pytest.mark.parametrize(
    ("page", "path"),
    [
        ("rules/T1.html", ["Home", "Reference", "Rules"]),
        ("conditions/Ready.html", ["Home", "Reference", "Conditions"]),
        ("reasons/Ready.html", ["Home", "Reference", "Reasons"]),
        ("rotation.html", ["Home", "Concepts"]),
    ],
)
def test_a_page_shows_where_it_is(site: Path, page: str, path: list[str]) -> None:
    """The generated pages are in no menu: their index is marked instead."""
    text = (site / page).read_text(encoding="utf-8")
    (shown,) = re.findall(r'<nav class="md-path".*?</nav>', text, re.DOTALL)
    assert re.findall(r'<span class="md-ellipsis">\s*(.*?)\s*</span>', shown, re.DOTALL) == path
    marked = re.findall(r'md-nav__item--active">.*?<span class="md-ellipsis">\s*(.*?)\s*</span>', text, re.DOTALL)
    assert page == "rotation.html" or path[-1] in marked


def test_the_menu_names_the_generated_indexes(site: Path) -> None:
    text = (site / "install.html").read_text(encoding="utf-8")
    for folder, title in (("rules", "Rules"), ("conditions", "Conditions"), ("reasons", "Reasons")):
        menu = rf'<a href="{folder}/index\.html" class="md-nav__link">\s*<span class="md-ellipsis">\s*{title}\s*</span>'
        assert re.search(menu, text), title


def test_the_header_has_the_icon_and_the_version(site: Path) -> None:
    """Both are put into a template of the theme, which a newer theme could change."""
    icon = docs_site.ROOT / "charts/secure-redis-operator/icon.svg"
    for page, up in (("index.html", ""), ("rules/T1.html", "../")):
        (header,) = re.findall(r"<header.*?</header>", (site / page).read_text(encoding="utf-8"), re.DOTALL)
        assert f'<img src="{up}assets/icon.svg"' in header
        assert '<span class="site-version">Unreleased</span>' in header
        assert "site-repository" not in header  # no address is configured
    assert (site / "assets/icon.svg").read_bytes() == icon.read_bytes()


def test_a_release_names_itself_and_its_repository(tmp_path: Path) -> None:
    settings = {
        "SECURE_REDIS_DOCS_VERSION": "Version 7.8.9",
        "SECURE_REDIS_DOCS_REPOSITORY": "https://git.example.com/x",
    }
    docs_site.build(tmp_path, settings=settings)
    text = (tmp_path / "index.html").read_text(encoding="utf-8")
    assert '<span class="site-version">Version 7.8.9</span>' in text
    assert '<a class="site-repository" href="https://git.example.com/x">' in text


def test_a_tab_has_the_anchor_of_its_heading(site: Path) -> None:
    page = (site / "install.html").read_text(encoding="utf-8")
    for anchor, title in (("helm", "Helm"), ("kubectl", "kubectl"), ("argo-cd", "Argo CD"), ("flux", "Flux")):
        assert len(re.findall(f'id="{anchor}"', page)) == 1
        assert f'<label for="{anchor}">{title}</label>' in page
    assert "<!--" not in re.sub(r"<head.*?</head>", "", page, flags=re.DOTALL)


def test_a_narrow_screen_can_name_the_columns_and_end_a_line_within_a_long_name(site: Path) -> None:
    page = (site / "rules/T1.html").read_text(encoding="utf-8")
    assert '<td data-label="profile">Baseline</td>' in page
    assert "<code>Microsoft.<wbr />Cache/<wbr />redis/<wbr />read</code>" in page


def test_an_escaped_bar_in_code_is_a_bar(site: Path) -> None:
    page = (site / "refused-names.html").read_text(encoding="utf-8")
    assert "bin|<wbr />/<wbr />sbin|<wbr />" in page
    assert "\\|" not in page


def test_a_warning_fails_the_build(tmp_path: Path) -> None:
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs/index.md").write_text("[nowhere](nowhere.md)\n")
    config = tmp_path / "mkdocs.yml"
    config.write_text("site_name: x\ntheme: {name: material, font: false}\n")
    with pytest.raises(docs_site.SiteError, match=r"nowhere\.md"):
        docs_site.build(tmp_path / "site", config)


def cases() -> Iterator[tuple[str, str, str]]:
    yield "a.md", "see [the values](../charts/x/values.yaml).", "see the values (`charts/x/values.yaml`)."
    yield "rules/T1.md", "[`examples/a.yaml`](../../examples/a.yaml)", "`examples/a.yaml`"
    yield "rules/T1.md", "[rotation](../rotation.md#led)", "[rotation](../rotation.md#led)"
    yield "a.md", "[here](b.md) and ![shot](../x.png)", "[here](b.md) and ![shot](../x.png)"


@pytest.mark.parametrize(("page", "given", "wanted"), list(cases()))
def test_links_out_of_the_site_become_paths(page: str, given: str, wanted: str) -> None:
    assert plain(given, page) == wanted


def test_the_contents_of_an_item_are_where_each_kind_of_markdown_expects_them() -> None:
    given = "1. a\n\n   ```sh\n   x \\\n     y\n   ```\n\n```yaml\na:\n    b: 1\n```\n"
    assert indented(given) == "1. a\n\n    ```sh\n    x \\\n      y\n    ```\n\n```yaml\na:\n    b: 1\n```\n"
