"""Drives a headless Chromium. It runs in the environment of requirements/browser.txt, by `docs_browser.py`.

The argument is Chromium's program. Standard input has the job, a JSON object. Standard output gets the answer.

    {"do": "pages", "site": URL, "pages": [PATH…], "widths": [PIXELS…]}   what is on each page, and what does not fit
    {"do": "search", "site": URL, "queries": [TEXT…]}                     the pages found for each, best first
    {"do": "menu", "site": URL, "width": PIXELS}                          the visible sections of the navigation
    {"do": "contrast", "site": URL, "pages": [PATH…], "schemes": [NAME…]} texts that are hard to read
    {"do": "shots", "site": URL, "pages": [PATH…], "widths": […], "schemes": […], "directory": PATH}
"""

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, sync_playwright

_DRAWER_WIDTH = 1220  # pixels; below it, the menu is in a drawer

# A hidden tab and a closed section must fit too.
_OPEN_ALL = """() => {
  const style = document.createElement("style");
  style.textContent = ".tabbed-block { display: block !important }";
  document.head.append(style);
  for (const one of document.querySelectorAll("details")) one.open = true;
}"""

_CONTENTS = """() => ({
  links: [...document.querySelectorAll("a[href]")].map(one => one.href),
  anchors: [...document.querySelectorAll("[id], a[name]")].flatMap(one => [one.id, one.getAttribute("name") || ""]),
  title: document.title,
})"""

# The parts that do not fit: the page itself, a block that passes the right edge of the text, and a word that is on two
# lines. A block of code scrolls.
_MISFITS = """() => {
  const found = [];
  if (document.documentElement.scrollWidth > window.innerWidth)
    found.push(`the page is ${document.documentElement.scrollWidth} pixels wide`);
  const article = document.querySelector("article");
  const right = article.getBoundingClientRect().right + 1;
  const text = one => one.textContent.trim().replace(/\\s+/g, " ").slice(0, 60);
  const blocks = "table, td, th, p, li, h1, h2, h3, h4, img, svg, pre, code, .admonition";
  for (const one of article.querySelectorAll(blocks)) {
    if (one.closest("pre") && one.tagName !== "PRE") continue;
    if (one.closest(".picture")) continue; // a picture scrolls in its frame
    // A block of code reaches from edge to edge on a narrow screen. The padding of code in a line is part of no word.
    const edge = { PRE: Math.max(right, window.innerWidth), CODE: right + 8 }[one.tagName] || right;
    if (one.getBoundingClientRect().right > edge) found.push(`passes the edge: ${one.tagName} ${text(one)}`);
  }
  const range = document.createRange();
  for (const one of article.querySelectorAll("code, td, th")) {
    if (one.closest("pre") || one.getBoundingClientRect().width === 0) continue;
    const walker = document.createTreeWalker(one, NodeFilter.SHOW_TEXT);
    for (let node = walker.nextNode(); node; node = walker.nextNode()) {
      if (one.tagName !== "CODE" && node.parentElement.closest("code")) continue;
      for (const word of node.data.matchAll(/[A-Za-z0-9]{4,}/g)) {
        range.setStart(node, word.index);
        range.setEnd(node, word.index + word[0].length);
        const tops = new Set([...range.getClientRects()].filter(r => r.width > 0).map(r => Math.round(r.top)));
        if (tops.size > 1) found.push(`broken: ${word[0]} in ${text(one)}`);
      }
    }
  }
  return found;
}"""

_VISIBLE_SECTIONS = """selector => [...document.querySelectorAll(selector)]
  .filter(one => { const box = one.getBoundingClientRect();
                   return box.width > 0 && box.left >= 0 && box.right <= innerWidth && box.top >= 0; })
  .map(one => one.textContent.trim().replace(/\\s+/g, " "))"""

_RESULTS = """() => [...document.querySelectorAll(".md-search-result__item > a.md-search-result__link")]
  .map(one => new URL(one.href).pathname.slice(1))"""


def pages(browser: Browser, job: dict[str, Any]) -> Any:
    """Return links, anchors and misfits (per width) of each page."""
    page = browser.new_page(viewport={"width": max(job["widths"]), "height": 900})
    answer = {}
    for path in job["pages"]:
        page.goto(f"{job['site']}/{path}")
        page.evaluate(_OPEN_ALL)
        found = page.evaluate(_CONTENTS)
        found["misfits"] = {}
        for width in sorted(job["widths"], reverse=True):
            page.set_viewport_size({"width": width, "height": 900})
            found["misfits"][str(width)] = page.evaluate(_MISFITS)
        page.set_viewport_size({"width": max(job["widths"]), "height": 900})
        answer[path] = found
    return answer


def search(browser: Browser, job: dict[str, Any]) -> Any:
    """Return the paths of the pages that the site's search finds for each query."""
    page = browser.new_page(viewport={"width": 1440, "height": 900})
    page.goto(f"{job['site']}/index.html")
    field, state = page.locator(".md-search__input"), page.locator(".md-search-result__meta")
    answer = {}
    field.click()
    for query in job["queries"]:
        for text in ("", query):
            field.fill(text)
            field.press("End")  # the site listens to keys only
            if not text:
                state.get_by_text("Type to start searching").wait_for()
        state.get_by_text("matching document").wait_for()
        answer[query] = page.evaluate(_RESULTS)
    return answer


def menu(browser: Browser, job: dict[str, Any]) -> Any:
    """Return the titles of the sections that a reader sees, with the drawer open where there is one."""
    page = browser.new_page(viewport={"width": job["width"], "height": 900})
    page.goto(f"{job['site']}/rotation.html")
    if job["width"] >= _DRAWER_WIDTH:
        return page.evaluate(_VISIBLE_SECTIONS, ".md-tabs__item")
    drawer = ".md-nav--primary > .md-nav__list > .md-nav__item > .md-nav__link"
    before = page.evaluate(_VISIBLE_SECTIONS, drawer)
    page.locator("label.md-header__button[for=__drawer]").click()
    # The page's own section is open: go up to the list of all.
    up = page.locator(".md-nav--primary .md-nav__item--active .md-nav[data-md-level='1'] > label.md-nav__title")
    up.first.click()
    page.wait_for_function(
        "selector => [...document.querySelectorAll(selector)].every(one => one.getBoundingClientRect().left >= 0)"
        " && document.getAnimations().every(one => one.playState !== 'running')",
        arg=drawer,
    )
    return [one for one in page.evaluate(_VISIBLE_SECTIONS, drawer) if one not in before]


def contrast(browser: Browser, job: dict[str, Any]) -> Any:
    """Return what axe-core reports about the contrast, per page and scheme."""
    axe = Axe()
    answer = {}
    for scheme in job["schemes"]:
        page = browser.new_page(viewport={"width": 1440, "height": 900}, color_scheme=scheme)
        for path in job["pages"]:
            page.goto(f"{job['site']}/{path}")
            found = axe.run(page, options={"runOnly": ["color-contrast"]}).response
            shown = page.evaluate("() => document.body.dataset.mdColorScheme")
            answer[f"{path} {scheme}"] = {
                "shown": shown,
                "checked": sum(len(one["nodes"]) for one in found["passes"]),
                "violations": [
                    f"{node['html'][:120]}: {node['any'][0]['message']}"
                    for one in found["violations"]
                    for node in one["nodes"]
                ],
            }
        page.close()
    return answer


def shots(browser: Browser, job: dict[str, Any]) -> Any:
    """Write a picture of the top of each page, per width and scheme. Returns the files."""
    files = []
    for scheme in job["schemes"]:
        for width in job["widths"]:
            page = browser.new_page(
                viewport={"width": width, "height": 2400 if width < 600 else 1600}, color_scheme=scheme
            )
            for path in job["pages"]:
                page.goto(f"{job['site']}/{path}")
                name = f"{path.removesuffix('.html').replace('/', '-')}-{width}-{scheme}.png"
                page.screenshot(path=str(Path(job["directory"]) / name))
                files.append(name)
            page.close()
    return files


TASKS: dict[str, Callable[[Browser, dict[str, Any]], Any]] = {
    "pages": pages,
    "search": search,
    "menu": menu,
    "contrast": contrast,
    "shots": shots,
}


def main() -> None:
    """Do the job."""
    job = json.load(sys.stdin)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=sys.argv[1],
            # Chromium's own sandbox needs root or user namespaces. The browser opens our pages on this machine only.
            args=["--no-sandbox", "--disable-gpu"],
        )
        answer = TASKS[job["do"]](browser, job)
        browser.close()
    json.dump(answer, sys.stdout)


if __name__ == "__main__":
    main()
