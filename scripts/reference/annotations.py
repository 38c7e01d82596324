"""Composes the page of the annotations and labels below `secureredis.io`.

`docs_data/annotations.yaml` has the words. The names are those of operator/secure_redis/api/names.py, and each of them
has an entry.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import yaml

from scripts.reference.entries import text
from secure_redis.api import names

DATA: Final = Path(__file__).parents[1] / "docs_data/annotations.yaml"
# Names below the group that are neither an annotation nor a label.
OTHERS: Final = frozenset({"API_VERSION", "FINALIZER", "MANAGER_PREFIX", "STORAGE_SECRET_TYPE"})


def page(head: Sequence[str]) -> str:
    """Return the page below its heading."""
    data = yaml.safe_load(DATA.read_text(encoding="utf-8"))
    must_fit(entry["name"] for section in data["sections"] for entry in section["entries"])
    lines = [*head, *data["introduction"].rstrip().splitlines()]
    for section in data["sections"]:
        lines += ["", f"## {section['title']}", "", text(section["text"])]
        for one in section["entries"]:
            lines += _entry(one)
    return "\n".join(lines) + "\n"


def must_fit(written: Iterable[str]) -> None:
    """Raise LookupError where `written` differs from the names of names.py."""
    # The name of the pod template's annotation begins with that of the resource.
    known = [*constants().values(), f"RESOURCE{names.version_annotation('')}"]
    if Counter(written) != Counter(known):
        raise LookupError(f"{DATA.name} and names.py differ in {sorted(set(written) ^ set(known))}")


def constants() -> dict[str, str]:
    """Return the annotations and labels of names.py below the group, by the name of the constant."""
    prefix = f"{names.GROUP}/"
    return {
        constant: value
        for constant, value in vars(names).items()
        if isinstance(value, str) and value.startswith(prefix) and constant not in OTHERS
    }


def _entry(one: Mapping[str, Any]) -> Iterator[str]:
    yield from ("", f"### `{one['name']}`", "", text(one["text"]), "")
    yield f"- On: {one['on']}"
    if "value" in one:
        yield f"- Value: {one['value']}"
