"""Composes the page of the chart's values from values.yaml and its schema."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from sandbox.chart.render import CHART
from scripts.chart_docs import SCHEMA, documented
from scripts.reference.entries import default, entry, kind

VALUES = CHART / "values.yaml"
_INTRODUCTION = """\
You need this page when you write values for the chart `charts/secure-redis-operator`. Set a value in a file or on the
command line:

```sh
IMAGE=registry.example.com/secure-redis-operator
helm upgrade secure-redis-operator charts/secure-redis-operator --namespace secure-redis-system --reuse-values \\
  --set image.repository="$IMAGE" --set replicaCount=3
```

Helm refuses an unknown name or a wrong value before it changes anything, with a sentence that states what to write.
[Install](../install.md) describes the installation. The value `config` contains keys of the
[configuration file](configuration.md)."""


def page(head: Sequence[str]) -> str:
    """Return the page below its heading."""
    schema = json.loads(SCHEMA.read_text(encoding="utf-8"))
    found = list(documented(VALUES.read_text(encoding="utf-8")))
    lines = [*head, *_INTRODUCTION.splitlines()]
    for section in dict.fromkeys(value.section for value in found):
        lines += ["", f"## {section}"]
        for value in found:
            if value.section == section:
                shown, block = default(json.loads(value.default))
                facts = [("Type", type_of(schema, value.path)), ("Default", shown)]
                lines += entry(3, value.path, _linked(value.text), [fact for fact in facts if fact[1]], block)
    return "\n".join(lines) + "\n"


def _linked(text: str) -> str:
    """Return `text` with each page of docs/ as a link, except in code spans."""
    pieces = text.split("`")
    return "`".join(
        piece if place % 2 else re.sub(r"\bdocs/([\w/-]+)\.md", r"[\1](../\1.md)", piece)
        for place, piece in enumerate(pieces)
    )


def type_of(schema: Mapping[str, Any], path: str) -> str:
    """Return the type of the value at `path`. Raises LookupError where the schema does not know it."""
    definitions = schema["definitions"]
    found: Mapping[str, Any] = schema
    for name in path.split("."):
        found = next((one["properties"][name] for one in _parts(found, definitions) if name in one["properties"]), {})
        if not found:
            raise LookupError(f"values.schema.json does not know {path}")
    return kind(found, definitions)


def _parts(schema: Mapping[str, Any], definitions: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """Yield the parts of a schema that have properties: itself, or what it refers to."""
    if "$ref" in schema:
        yield from _parts(definitions[schema["$ref"].rsplit("/", 1)[-1]], definitions)
    elif "properties" in schema:
        yield schema
    for one in schema.get("allOf", ()):
        yield from _parts(one, definitions)
