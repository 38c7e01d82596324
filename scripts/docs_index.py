"""The list of all pages in docs/README.md, from the navigation of mkdocs.yml. A Git host shows no navigation."""

import re
from pathlib import Path
from typing import Any

import yaml

_LIST = re.compile(r"(?P<begin><!-- pages:[^\n]* -->\n).*?(?P<end><!-- /pages -->)", re.DOTALL)


class Loader(yaml.SafeLoader):
    """Reads mkdocs.yml, whose tags name variables and functions of the generator."""


Loader.add_multi_constructor("!", lambda *_: None)
Loader.add_multi_constructor("tag:yaml.org,2002:python/", lambda *_: None)


def page(text: str, config: Path) -> str:
    """Return `text` with the list of the pages that `config`, a mkdocs.yml, has in its navigation."""
    navigation = yaml.load(config.read_text(encoding="utf-8"), Loader)["nav"]  # noqa: S506 - a safe loader
    sections = ((title, entry) for part in navigation for title, entry in part.items() if isinstance(entry, list))
    lines = [_section(title, entries) for title, entries in sections]
    return _LIST.sub(lambda match: f"{match['begin']}\n{chr(10).join(lines)}\n\n{match['end']}", text)


def _section(title: str, entries: list[dict[str, Any]]) -> str:
    """The pages of a section. Of a section within it, only its index, if it has one."""
    pages = []
    for name, entry in (pair for part in entries for pair in part.items()):
        path = next(iter(entry[0].values())) if isinstance(entry, list) else entry
        if path is entry or path.endswith("/README.md"):
            pages.append(f"    - [{name}]({path})")
    return "\n".join([f"- **{title}**", *pages])
