"""Each picture is in the site for both themes, has a description, and uses the product's own names."""

import re
import shutil
from html.parser import HTMLParser
from pathlib import Path

import pytest

from scripts import docs_site
from scripts.docs_pictures import THEMES, pictured, size
from secure_redis.api import names
from secure_redis.api.reasons.reason import ConditionType, Reason
from secure_redis.api.status import RotationPhase

pytestmark = pytest.mark.timeout(900)  # mkdocs is installed once, which takes a minute or more

ROOT = docs_site.ROOT
DOCS = ROOT / "docs"
DRAWINGS = sorted({path.stem for path in (DOCS / "pictures").glob("*.d2")} - {"light", "dark", "style"})
LINK = re.compile(r"^\[([^\[\]]+)\]\(([^()\s]*)pictures/([\w-]+)\.d2\)$", re.MULTILINE)
USES = [
    (str(page.relative_to(DOCS)), " ".join(text.split()), name)
    for page in sorted(DOCS.rglob("*.md"))
    for text, _, name in LINK.findall(page.read_text(encoding="utf-8"))
]
# Kinds of Kubernetes that the drawings name.
KINDS = {"RoleBinding", "ServiceAccount"}


class Images(HTMLParser):
    """Collects the attributes of a page's images."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[dict[str, str]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """An element begins."""
        if tag == "img":
            self.found.append({name: value or "" for name, value in attrs})


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("site")
    docs_site.build(directory)
    return directory


def images(page: Path) -> list[dict[str, str]]:
    parser = Images()
    parser.feed(page.read_text(encoding="utf-8"))
    return parser.found


def texts(site: Path, name: str) -> list[str]:
    """The lines that a reader of the drawing reads."""
    svg = (site / "pictures" / f"{name}-light.svg").read_text(encoding="utf-8")
    return [re.sub(r"<[^>]*>", "", one) for one in re.findall(r"<(?:text|tspan)\b[^>]*>([^<]+)", svg)]


def test_every_drawing_is_in_a_page() -> None:
    assert {name for _, _, name in USES} == set(DRAWINGS)


@pytest.mark.parametrize(("page", "text", "name"), USES)
def test_a_page_shows_its_drawing_in_both_themes(site: Path, page: str, text: str, name: str) -> None:
    built = site / page.replace("README.md", "index.md").replace(".md", ".html")
    sources = []
    for theme in THEMES:
        (image,) = [one for one in images(built) if one["src"].endswith(f"pictures/{name}-{theme}.svg#only-{theme}")]
        assert image["alt"] == text
        svg = (built.parent / image["src"].partition("#")[0]).read_text(encoding="utf-8")
        assert size(svg) == (int(image["width"]), int(image["height"]))
        sources.append(svg)
    assert sources[0] != sources[1]
    assert ".d2" not in built.read_text(encoding="utf-8")


def test_the_theme_shows_one_of_the_two(site: Path) -> None:
    """The pictures rely on rules of the theme for the ends of their addresses."""
    style = "".join(path.read_text(encoding="utf-8") for path in (site / "assets/stylesheets").glob("*.css"))
    for theme in THEMES:
        assert re.search(rf'\[src\$="?#only-{theme}"?\][^{{}}]*\{{display:none\}}', style), theme


@pytest.mark.parametrize("name", DRAWINGS)
def test_a_drawing_loads_nothing(site: Path, name: str) -> None:
    for theme in THEMES:
        svg = (site / "pictures" / f"{name}-{theme}.svg").read_text(encoding="utf-8")
        assert "data:" in svg  # its fonts
        assert not re.search(r"""(?:href=|url\()\s*["']?(?:https?:)?//""", svg)


@pytest.mark.parametrize("name", DRAWINGS)
def test_a_drawing_uses_names_that_exist(site: Path, name: str) -> None:
    words = re.findall(r"[\w./-]+", " ".join(texts(site, name)))
    assert words
    annotations = {value for value in vars(names).values() if isinstance(value, str)}
    chart = "".join(path.read_text() for path in (ROOT / "charts/secure-redis-operator/templates").glob("*.yaml"))
    known = {names.KIND, *KINDS, *RotationPhase, *ConditionType, *Reason}
    for word in words:
        if word.startswith(names.GROUP):
            assert word in annotations
        if word.startswith("secure-redis-"):
            assert word == names.MANAGER or f"name: {word}\n" in chart
        if re.fullmatch(r"[A-Z][a-z]+[A-Z]\w*", word):
            assert word in known


def test_the_timeline_names_phases(site: Path) -> None:
    heads = re.search(r"^time: \{\n(.*?)^\}", (DOCS / "pictures/rotation.d2").read_text(), re.MULTILINE | re.DOTALL)
    assert heads is not None
    shown = [set(re.findall(r"[A-Z]\w+", label)) for label in re.findall(r"^  [a-z]: (.+) \{$", heads[1], re.MULTILINE)]
    assert shown == [{"Scheduled"}, {"Regenerating"}, {"RollingOut"}, {"Completed"}, {"Regenerating"}]
    assert set.union(*shown) <= set(RotationPhase)
    assert {"Scheduled", "RollingOut", "overlap"} <= set(texts(site, "rotation"))


def test_the_reconcile_has_the_steps_of_the_code(site: Path) -> None:
    code = ROOT / "operator/secure_redis"
    steps = ["observe", "assess", "plan", "act", "report"]
    assert [line for line in texts(site, "reconcile") if " " not in line] == steps
    for step in steps:
        assert (code / "domain" / step).is_dir() or (code / "reconciler" / f"{step}.py").is_file(), step


def test_a_drawing_that_cannot_be_rendered_fails_the_build(tmp_path: Path) -> None:
    shutil.copytree(DOCS / "pictures", tmp_path / "docs/pictures")
    (tmp_path / "docs/pictures/broken.d2").write_text("...@light\na -> {\n")
    (tmp_path / "docs/index.md").write_text("[a broken one](pictures/broken.d2)\n")
    config = tmp_path / "mkdocs.yml"
    hook = ROOT / "scripts/docs_pictures.py"
    config.write_text(f"site_name: x\ntheme: {{name: material, font: false}}\nhooks: [{hook}]\n")
    with pytest.raises(docs_site.SiteError, match=r"broken\.d2"):
        docs_site.build(tmp_path / "site", config)


RECORDING = '<svg viewBox="0 0 800.5 300" xmlns="http://www.w3.org/2000/svg"/>'


def test_a_recording_is_shown_where_it_was_made(tmp_path: Path) -> None:
    markdown = "before\n\n<!-- picture: demo | The demo's output -->\n\nafter\n"
    assert pictured(markdown, "a/b.md", DOCS, tmp_path) == "before\n\n\n\nafter\n"
    (tmp_path / "demo.svg").write_text(RECORDING)
    shown = Images()
    shown.feed(pictured(markdown, "a/b.md", DOCS, tmp_path))
    (image,) = shown.found
    assert (image["src"], image["alt"]) == ("../pictures/demo.svg", "The demo's output")
    assert (image["width"], image["height"]) == ("800", "300")


def test_code_stays_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "demo.svg").write_text(RECORDING)
    line = "<!-- picture: demo | The demo's output -->"
    markdown = f"```markdown\n{line}\n[a drawing](pictures/none.d2)\n```\n\n{line}\n\n```sh\nls\n```\n"
    shown = pictured(markdown, "a.md", DOCS, tmp_path)
    assert shown.startswith(f"```markdown\n{line}\n[a drawing](pictures/none.d2)\n```\n\n<figure")
    assert shown.endswith("</figure>\n\n```sh\nls\n```\n")
