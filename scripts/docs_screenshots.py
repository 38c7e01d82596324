"""Makes pictures of pages of the documentation site, at two widths and in both themes.

PYTHONPATH=operator:. python -m scripts.docs_screenshots [--output DIRECTORY] [PAGE…]

A page is a path below docs/, such as keys.md. Without one: first page, quick start, install, a rule and the API.
"""

import argparse
import re
import sys
import tempfile
from pathlib import Path

from scripts import docs_browser, docs_site

_PAGES = ("README.md", "quick-start.md", "install.md", "rules/T1.md", "api.md")


def main(arguments: list[str] | None = None) -> int:
    """Build the site, and make the pictures. Returns the exit code."""
    parser = argparse.ArgumentParser(description="Make pictures of the documentation site.")
    parser.add_argument(
        "--output", type=Path, default=docs_site.ROOT / "site" / "shots", help="where to (default: site/shots)"
    )
    parser.add_argument("pages", nargs="*", default=_PAGES, metavar="PAGE")
    options = parser.parse_args(arguments)
    options.output.mkdir(parents=True, exist_ok=True)
    job = {
        "do": "shots",
        "pages": [re.sub(r"(^|/)README\.md$", r"\1index.md", page).replace(".md", ".html") for page in options.pages],
        "widths": [1440, 390],
        "schemes": ["light", "dark"],
        "directory": str(options.output.absolute()),
    }
    try:
        with tempfile.TemporaryDirectory(prefix="site-") as scratch:
            docs_site.build(Path(scratch))
            with docs_browser.served(Path(scratch)) as address:
                files = docs_browser.read({**job, "site": address})
    except (docs_site.SiteError, docs_browser.BrowserError) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    sys.stdout.write("".join(f"{options.output / file}\n" for file in files))
    return 0


if __name__ == "__main__":
    sys.exit(main())
