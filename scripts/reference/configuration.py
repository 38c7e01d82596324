"""Composes the page of the operator's configuration file from its model, and from the text below each field."""

import ast
import inspect
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from textwrap import dedent
from types import UnionType
from typing import Annotated, Any, Final, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from scripts.chart_docs import documented
from scripts.reference.entries import default, entry, kind
from scripts.reference.values import VALUES
from secure_redis.cli.config import Config

# Keys that the chart sets from a value of another name.
OTHER_VALUES: Final[Mapping[str, str]] = {
    "brakes.readOnly": "readOnly",
    "caBundle": "caBundle.configMap",
    "compliance.foreignSecrets": "secrets.searchForeign",
    "health.port": "port",
    "logging.level": "logLevel",
    "namespaces": "watchNamespaces",
    "publishCABundle": "caBundle.publish",
    "secrets.watch": "secrets.watch",
    "workloads.enabled": "workloads.enabled",
}
# Top-level keys that have a value of the same name.
SAME_VALUES: Final = frozenset({"brakes", "caps", "cloud", "compliance", "defaults", "grants", "operatorIdentity"})
FIXED: Final = frozenset({"health.address"})  # the chart decides it
SAME_FORM: Final[Mapping[str, str]] = {"caps": "grants"}  # the keys of the first are those of the second
EXAMPLE: Final = """\
operatorIdentity:
  type: WorkloadIdentity
  clientID: 00000000-0000-0000-0000-00000000c002
grants:
  - namespaces:
      - shop
    powers:
      - Observe
      - PublishKey
    caches:
      - /subscriptions/00000000-0000-0000-0000-000000000001/resourceGroups/shop
    vaults:
      - uri: https://shop.vault.azure.net
compliance:
  minimumProfile: Strict
  waivable:
    - rules:
        - R1
      namespaces:
        - dev-*
      maxDays: 90
brakes:
  correctionsPerHour: 20
intervals:
  probeSeconds: 1800
"""
_SEE: Final[Mapping[str, str]] = {
    "brakes": "[Brakes for a fleet](../operations.md#brakes-for-a-fleet) explains the brakes.",
    "caps": "[Identity](../identity.md#caps) explains caps.",
    "compliance": "[Rules](../rules/README.md) explain profiles and waivers.",
    "defaults": "[Defaults for all resources](../operations.md#defaults-for-all-resources) explains them.",
    "grants": "[Identity](../identity.md) explains grants and powers.",
    "leaderElection": "[Several replicas](../operations.md#several-replicas-several-installs) explains the Lease.",
    "limits": "[Limits per namespace](../operations.md#limits-per-namespace) explains the limits.",
}
_BEFORE: Final = """\
You need this page when you write the operator's configuration file, or the chart's value `config`. The file is YAML.
Every key is optional. For example:
"""
_AFTER: Final = """\
If a key is unknown or a type is wrong, the operator does not start, and the error names the place. This command checks
a file:

```sh
secure-redis run --config config.yaml --check
```

The operator reads the file once, at start. When the file changes, the chart starts new pods.

In the chart, some keys have a [value](values.md) of their own. Set each other key below the value `config`. Each entry
below names the value."""


@dataclass(frozen=True)
class Key:
    """One key of the file: its path, its meaning, its type, and its default if it has one of its own."""

    path: str
    meaning: str
    type: str
    default: Any
    required: bool
    group: bool  # has keys below


def page(head: Sequence[str]) -> str:
    """Return the page below its heading."""
    lines = [*head, *_BEFORE.splitlines(), "", "```yaml", *EXAMPLE.splitlines(), "```", "", *_AFTER.splitlines()]
    for key in described():
        top = "." not in key.path
        meaning = " ".join([key.meaning, *([_SEE[key.path]] if key.path in _SEE else ())])
        facts = [("Type", key.type)] if key.type and not (top and key.group and key.type == "mapping") else []
        block = ""
        if key.required:
            facts.append(("Required", "yes"))
        elif not key.group or key.default == []:
            shown, block = default(key.default)
            facts.append(("Default", "not set" if key.default is None else shown))
        facts += [("Value of the chart", value) for value in _values(key)]
        lines += entry(2 if top else 3, key.path, meaning, facts, block)
    return "\n".join(lines) + "\n"


def described(model: type[BaseModel] = Config, above: str = "") -> Iterator[Key]:
    """Yield every key of a part of the file, in the order of the model. The keys of a list's entries follow `[]`.

    Raises LookupError where a field has no text below it.
    """
    schema = model.model_json_schema(by_alias=True)
    texts = _texts(model)
    for name, field in model.model_fields.items():
        alias = str(field.alias)
        path = f"{above}{alias}"
        if name not in texts:
            raise LookupError(f"{model.__name__}.{name} has no text below it, which docs/reference requires")
        part = schema["properties"][alias]
        inner = list(_models(field.annotation))
        type_ = kind(part, schema.get("$defs", {}))
        yield Key(path, texts[name], type_, _default(field), field.is_required(), bool(inner))
        listed = "[]" if part.get("type") == "array" else ""
        for one in () if path in SAME_FORM else inner:
            yield from described(one, f"{path}{listed}.")


def value_of(path: str) -> str:
    """Return the value of the chart that sets the key at `path`, or nothing where the chart decides the key."""
    if path in FIXED:
        return ""
    if path in OTHER_VALUES:
        return OTHER_VALUES[path]
    return path if path.split(".")[0].removesuffix("[]") in SAME_VALUES else f"config.{path}"


def _values(key: Key) -> Iterator[str]:
    value = value_of(key.path)
    if "." not in key.path and (key.path in OTHER_VALUES or key.path in SAME_VALUES):
        yield _link(value)
    elif "." not in key.path:
        yield f"`{value}`"
    elif key.path in OTHER_VALUES:
        yield _link(value)


def _link(value: str) -> str:
    """Return a link to the entry of a value, or to the first entry below it."""
    paths = (one.path for one in documented(VALUES.read_text(encoding="utf-8")))
    first = next(path for path in paths if path == value or path.startswith(f"{value}."))
    return f"[`{value}`](values.md#{first.lower().replace('.', '')})"


def _default(field: FieldInfo) -> Any:
    found = None if field.is_required() else field.get_default()
    if isinstance(found, tuple):
        return list(found)
    if isinstance(found, float) and found.is_integer():
        return int(found)
    return str(found) if isinstance(found, str) else found  # a member of an enumeration is a string


def _models(annotation: Any) -> Iterator[type[BaseModel]]:
    """Yield the models that a field's type is made of."""
    if get_origin(annotation) in (Annotated, Union, UnionType, tuple):
        for inner in get_args(annotation):
            yield from _models(inner)
    elif isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation


def _texts(model: type[BaseModel]) -> dict[str, str]:
    """Return the text below each field of a model, by the field's name. Python itself drops these texts."""
    (definition,) = ast.parse(dedent(inspect.getsource(model))).body
    if not isinstance(definition, ast.ClassDef):
        raise TypeError(f"{model.__name__} is no class")
    return {
        field.target.id: " ".join(below.value.value.split())
        for field, below in pairwise(definition.body)
        if isinstance(field, ast.AnnAssign)
        and isinstance(field.target, ast.Name)
        and isinstance(below, ast.Expr)
        and isinstance(below.value, ast.Constant)
        and isinstance(below.value.value, str)
    }
