"""The documentation site as a reader sees it, in headless Chromium: at two widths, in both themes, and its search."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urldefrag, urlsplit

import pytest
import yaml

from scripts import docs_browser, docs_site
from scripts.docs_index import Loader

# A machine without mkdocs or Chromium gets them once. Every page is opened, on a busy machine too.
pytestmark = pytest.mark.timeout(1800)

WIDE, NARROW = 1440, 390
NAVIGATION = yaml.load((docs_site.ROOT / "mkdocs.yml").read_text(encoding="utf-8"), Loader)["nav"]  # noqa: S506 - safe
SECTIONS = [title for part in NAVIGATION for title in part]
# One of each kind: text with code, tabs, tables, lists and boxes.
SHAPES = ["index.html", "quick-start.html", "install.html", "rules/T1.html", "api.html"]
# Texts that users search for, and a page that must be among the first results.
QUERIES = {
    "quick start": "quick-start.html",
    "install helm": "install.html",
    "argo cd": "argocd.html",
    "flux": "argocd.html",
    "rotate key": "rotation.html",
    "cluster mode": "clients.html",
    "CROSSSLOT": "clients.html",
    "managed redis": "managed-redis.html",
    "ConsentMissing": "reasons/ConsentMissing.html",
    "uninstall": "upgrade.html",
    "sizing": "sizing.html",
    "backup": "backup.html",
    "waiver": "rules/index.html",
    "drift ignore": "drift.html",
    "federated credential": "identity.html",
    "custom role": "azure-roles.html",
    "workload identity": "identity.html",
    "log level": "operations.html",
    "metrics": "reference/metrics.html",
    "alerts": "runbooks.html",
    "external secrets": "how-to/migrate-external-secrets.html",
    "connection string": "clients.html",
    "customer managed key": "persistence.html",
    "celery": "clients.html",
    "stop the operator": "escape-hatches.html",
    "terraform": "how-to/aks-terraform.html",
    "bicep": "how-to/aks-bicep.html",
    "grafana": "how-to/monitoring.html",
    "private endpoint": "how-to/network.html",
    "migrate external secrets": "how-to/migrate-external-secrets.html",
    "helm values": "reference/values.html",
}
FIRST = 5  # results that a reader sees without scrolling


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("site")
    docs_site.build(directory)
    return directory


@pytest.fixture(scope="module")
def address(site: Path) -> Iterator[str]:
    with docs_browser.served(site) as where:
        yield where


def opened(address: str, paths: list[str]) -> dict[str, Any]:
    """The pages, as the browser shows them at both widths."""
    found: dict[str, Any] = docs_browser.read(
        {"do": "pages", "site": address, "pages": paths, "widths": [WIDE, NARROW]}
    )
    return found


@pytest.fixture(scope="module")
def paths(site: Path) -> list[str]:
    found = sorted(str(path.relative_to(site)) for path in site.rglob("*.html"))
    sources = [path.relative_to(docs_site.ROOT / "docs") for path in (docs_site.ROOT / "docs").rglob("*.md")]
    wanted = {re.sub(r"(^|/)README\.md$", r"\1index.md", str(path)).replace(".md", ".html") for path in sources}
    assert wanted - set(found) == set()
    return found


@pytest.fixture(scope="module")
def pages(paths: list[str], address: str) -> dict[str, Any]:
    """One page of each kind, and every twelfth of all. The slow test opens the others too."""
    return opened(address, sorted({*SHAPES, *paths[::12]}))


def misfits(pages: dict[str, Any], width: int) -> list[str]:
    return [f"{path}: {misfit}" for path, page in pages.items() for misfit in page["misfits"][str(width)]]


@pytest.mark.parametrize("width", [WIDE, NARROW])
def test_everything_fits_and_no_name_is_broken(pages: dict[str, Any], width: int) -> None:
    assert len(pages) > 20
    assert misfits(pages, width) == []


@pytest.mark.slow
def test_every_page_fits_and_every_link_leads_somewhere(paths: list[str], address: str, site: Path) -> None:
    found = opened(address, paths)
    assert len(found) > 250
    assert misfits(found, WIDE) + misfits(found, NARROW) == []
    assert broken_links(found, address, site) == []


def test_what_does_not_fit_is_noticed(tmp_path: Path) -> None:
    name = "NoLineOfTheTableHasRoomForThisName" * 3
    page = f"<article style='width: 300px'><p>short<p>{name}<table><tr><td style='word-break: break-all'>{name}</table>"
    (tmp_path / "wide.html").write_text(f"<!doctype html><title>x</title>{page}</article><p style='width: 3000px'>x")
    (tmp_path / "fits.html").write_text("<!doctype html><title>x</title><article><p>short</article>")
    with docs_browser.served(tmp_path) as where:
        job = {"do": "pages", "site": where, "pages": ["wide.html", "fits.html"], "widths": [WIDE]}
        found = docs_browser.read(job)
    wide, fits = (found[page]["misfits"][str(WIDE)] for page in ("wide.html", "fits.html"))
    assert {text.split(":")[0].split(" pixels")[0] for text in wide} >= {"broken"}
    assert any(text.startswith("the page is ") for text in wide)
    assert fits == []


def broken_links(pages: dict[str, Any], address: str, site: Path) -> list[str]:
    """Anchors of a page that was not opened are checked when the site is built (`anchors: warn`)."""
    broken = []
    for path, page in pages.items():
        for link in page["links"]:
            target, anchor = urldefrag(link)
            if not target.startswith(address):
                continue
            there = unquote(urlsplit(target).path).removeprefix("/") or "index.html"
            found = (site / there).is_file()
            if found and anchor and there in pages:
                found = unquote(anchor) in pages[there]["anchors"]
            if not found:
                broken.append(f"{path}: {link.removeprefix(address)}")
    return broken


def test_every_link_and_anchor_leads_somewhere(pages: dict[str, Any], address: str, site: Path) -> None:
    assert sum(link.startswith(address) for page in pages.values() for link in page["links"]) > len(pages)
    assert broken_links(pages, address, site) == []


@pytest.mark.parametrize("width", [WIDE, NARROW])
def test_the_navigation_shows_every_section(address: str, width: int) -> None:
    assert docs_browser.read({"do": "menu", "site": address, "width": width}) == SECTIONS


def test_both_themes_have_enough_contrast(address: str) -> None:
    job = {"do": "contrast", "site": address, "pages": SHAPES, "schemes": ["light", "dark"]}
    found = docs_browser.read(job)
    assert {page["shown"] for page in found.values()} == {"default", "slate"}
    assert [where for where, page in found.items() if page["checked"] < 1] == []
    assert {where: page["violations"] for where, page in found.items() if page["violations"]} == {}


def test_the_search_finds_what_users_look_for(address: str) -> None:
    found = docs_browser.read({"do": "search", "site": address, "queries": list(QUERIES)})
    missed = {query: found[query][:FIRST] for query, page in QUERIES.items() if page not in found[query][:FIRST]}
    assert missed == {}
