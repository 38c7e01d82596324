"""The form of an entry on a reference page: a heading, a text, and a line with the type and the default.

A table with these columns cannot be read on a phone.
"""

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

import yaml

_LONGEST: Final = 40  # characters of a default in the line; a longer one gets a block


def text(markdown: str) -> str:
    """Return `markdown` with each "<" outside a code span as a character. It would begin a tag."""
    pieces = markdown.split("`")
    return "`".join(piece if place % 2 else piece.replace("<", "&lt;") for place, piece in enumerate(pieces)).strip()


def entry(level: int, name: str, meaning: str, facts: Sequence[tuple[str, str]], block: str = "") -> Iterator[str]:
    """Yield the lines of one entry. `facts`: labels with their values. `block`: a default in YAML."""
    yield from ("", f"{'#' * level} `{name}`")
    if meaning:
        yield from ("", text(meaning))
    if facts:
        yield from ("", " ".join(f"**{label}**: {value}." for label, value in facts))
    if block:
        yield from ("", "```yaml", *block.splitlines(), "```")


def default(value: Any) -> tuple[str, str]:
    """Return a default for the line of facts, and as a block of YAML if it is too long for that line."""
    short = json.dumps(value, ensure_ascii=False)
    if len(short) <= _LONGEST:
        return f"`{short}`", ""
    return "the YAML below", yaml.safe_dump(value, sort_keys=False)


def kind(schema: Mapping[str, Any], definitions: Mapping[str, Any]) -> str:
    """Return the type that a JSON schema describes, in words. Empty where the schema does not restrict it."""
    if "$ref" in schema:
        return kind(definitions[schema["$ref"].rsplit("/", 1)[-1]], definitions)
    choices = [one for one in schema.get("anyOf", ()) if one != {"type": "null"}]
    if len(choices) == 1:
        return kind(choices[0], definitions)
    if "enum" in schema:
        return _either([f"`{value}`" for value in schema["enum"] if value is not None])
    if "const" in schema:
        return f"`{schema['const']}`"
    types = schema.get("type", ())
    names = [types] if isinstance(types, str) else [one for one in types if one != "null"]
    return _either([_one(name, schema, definitions) for name in names])


def _one(name: str, schema: Mapping[str, Any], definitions: Mapping[str, Any]) -> str:
    if name == "array":
        items = kind(schema.get("items", {}), definitions)
        return f"list of {_plural(items)}" if items else "list"
    if name == "object":
        return "mapping"
    if name not in {"integer", "number"}:
        return name
    low, above, high = (schema.get(bound) for bound in ("minimum", "exclusiveMinimum", "maximum"))
    if low is not None and high is not None:
        return f"{name}, {_number(low)} to {_number(high)}"
    if above is not None and high is not None:
        return f"{name}, above {_number(above)}, at most {_number(high)}"
    return name


def _plural(one: str) -> str:
    return re.sub(r"\b(mapping|string|integer|number|list)\b", r"\1s", one)


def _number(value: float) -> str:
    return f"{value:g}" if value < 1e6 else f"{value:.0f}"


def _either(choices: Iterable[str]) -> str:
    found = list(dict.fromkeys(one for one in choices if one))
    return found[0] if len(found) == 1 else f"{', '.join(found[:-1])} or {found[-1]}" if found else ""
